/* delivery.h - items that go to a server together, and what becomes of them. */
#ifndef EDS_DEVICE_DELIVERY_H
#define EDS_DEVICE_DELIVERY_H

#include "device/buffer_impl.h"

struct delivery {
    struct eds_sender *sender;
    struct buffer_claim claim;
    struct eds_reply *replies;                /* of the claim's items ... */
    size_t reply_count;                       /* ... these first ones; the others were not sent */
    const struct eds_buffer_item **delivered; /* for settle */
    uint64_t *not_before_ms;                  /* likewise, of each item's device */
};

/* How long a device waits, in ms. */
struct delivery_pauses {
    unsigned hold;                   /* whom the server takes nothing from */
    unsigned retry_first, retry_max; /* of whom something was not decided, by a server that is
                                        there: longer each time */
    unsigned store;                  /* after a failure of the store */
};

/* eds_delivery_open makes room for one item.  EDS_OK, EDS_ERR_NO_MEMORY; closed with
 * eds_delivery_close in both cases. */
int32_t eds_delivery_open(struct delivery *delivery, struct eds_sender *sender,
                          struct eds_error *err);
void eds_delivery_close(struct delivery *delivery);

/* eds_delivery_make_room sets claim.room to what the sender takes at once now, or to
 * what there is memory for. */
void eds_delivery_make_room(struct delivery *delivery);

/* eds_delivery_send sends what is claimed. */
void eds_delivery_send(struct delivery *delivery);

/* eds_delivery_settle carries out what the replies mean, and releases the devices.  A
 * refusal behind something of the same device that was left waiting may be due to that
 * alone: its outcome becomes EDS_OUTCOME_AWAY.
 *
 *   now_ms  monotonic
 *
 * EDS_OK, or the store's error: then all wait a while, and may be sent again. */
int32_t eds_delivery_settle(struct delivery *delivery, struct eds_buffer *buffer, uint64_t now_ms,
                            const struct delivery_pauses *pauses, struct eds_error *err);

/* eds_delivery_is_decided tells whether the server has said anything of any item. */
bool eds_delivery_is_decided(const struct delivery *delivery);

/* eds_delivery_free_items ends the claim. */
void eds_delivery_free_items(struct delivery *delivery);

#endif

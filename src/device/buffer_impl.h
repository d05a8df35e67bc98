/* buffer_impl.h - the buffer from inside: for flush and forwarder. */
#ifndef EDS_DEVICE_BUFFER_IMPL_H
#define EDS_DEVICE_BUFFER_IMPL_H

#include "base/lock.h"
#include "device/id_table.h"
#include "edgesentry/buffer.h"

/* What the buffer remembers of a device, beside what its store keeps. */
struct buffer_device {
    const char *id; /* first: see id_table.h */
    struct eds_buffer_head head;
    uint64_t waiting[EDS_PRIORITY_COUNT]; /* items of each class */
    struct eds_buffer_head pending;       /* during a push */
    uint64_t pending_push;                /* the push that pending is of */
    uint64_t first_push;                  /* the push that made it known; 0: the store had it */

    /* The forwarder's: */
    bool in_flight;         /* a lane sends this device's items */
    uint64_t not_before_ms; /* monotonic: held back until then */
    unsigned retry_ms;      /* its last pause, while things of it are not decided; 0: they are */
    uint64_t served;        /* when it last had its turn */
};

struct eds_buffer {
    struct eds_buffer_store *store;
    struct eds_buffer_limits limits;
    struct eds_lock lock; /* for all below, and around every call of the store */
    struct eds_id_table devices;
    uint64_t waiting, dead, size, push_count, turn;
    uint64_t oldest_ms; /* of the item that waits longest; valid while oldest_known */
    bool oldest_known;
    /* Called without the lock after a push or a revival; NULL: nobody listens. */
    void (*pushed)(void *context);
    void *pushed_context;
};

/* What a lane has taken to send, from different devices; a device's items stand
 * together, in their order. */
struct buffer_claim {
    struct eds_buffer_item **items; /* the claim's, freed by who has claimed */
    struct buffer_device **devices; /* of each */
    size_t count, room;             /* room for so many: set before claiming */
};

/* eds_buffer_claim takes the device whose turn it is: the most urgent item first,
 * then who waits longest for a turn; devices in flight and those held back are left
 * out.  Gives what waits of it, oldest first, and goes on with the next device as long
 * as there is room and the payloads are not many bytes.  Release all afterwards.
 *
 *   now_ms    monotonic
 *   wake_ms   out, for EDS_ERR_NOT_FOUND: when the first held one may go on;
 *             UINT64_MAX: nothing is held
 *
 * EDS_OK and at least one item, EDS_ERR_NOT_FOUND, or the store's error. */
int32_t eds_buffer_claim(struct eds_buffer *buffer, uint64_t now_ms, struct buffer_claim *claim,
                         uint64_t *wake_ms, struct eds_error *err);

/* eds_buffer_release lets the device have its next turn, not before then. */
void eds_buffer_release(struct eds_buffer *buffer, struct buffer_device *device,
                        uint64_t not_before_ms);

/* eds_buffer_item_size tells how many bytes an item counts for. */
uint64_t eds_buffer_item_size(const struct eds_buffer_item *item);

/* eds_buffer_remove settles delivered items, EDS_SETTLE_REMOVE.  After an error some
 * of them may be gone. */
int32_t eds_buffer_remove(struct eds_buffer *buffer, const struct eds_buffer_item *const *items,
                          size_t count, struct eds_error *err);

/* eds_buffer_listen sets who is told of pushes; NULL: nobody.  No push may run at
 * the same time. */
void eds_buffer_listen(struct eds_buffer *buffer, void (*pushed)(void *context), void *context);

#endif

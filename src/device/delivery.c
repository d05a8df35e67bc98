/* delivery.c - see delivery.h. */
#include "device/delivery.h"

#include <assert.h>
#include <stdlib.h>

#include "base/backoff.h"

static void free_room(struct delivery *delivery)
{
    free(delivery->claim.items);
    free(delivery->claim.devices);
    free(delivery->replies);
    free(delivery->delivered);
    free(delivery->not_before_ms);
}

/* Room for so many items, or as it was. */
static bool set_room(struct delivery *delivery, size_t room)
{
    struct delivery wider = {.sender = delivery->sender, .claim = {.room = room}};

    wider.claim.items = malloc(room * sizeof(struct eds_buffer_item *));
    wider.claim.devices = malloc(room * sizeof(struct buffer_device *));
    wider.replies = malloc(room * sizeof *wider.replies);
    wider.delivered = malloc(room * sizeof(const struct eds_buffer_item *));
    wider.not_before_ms = malloc(room * sizeof *wider.not_before_ms);
    if (wider.claim.items == NULL || wider.claim.devices == NULL || wider.replies == NULL ||
        wider.delivered == NULL || wider.not_before_ms == NULL) {
        free_room(&wider);
        return false;
    }
    free_room(delivery);
    *delivery = wider;
    return true;
}

int32_t eds_delivery_open(struct delivery *delivery, struct eds_sender *sender,
                          struct eds_error *err)
{
    *delivery = (struct delivery){.sender = sender};
    if (!set_room(delivery, 1))
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the forwarder");
    return EDS_OK;
}

void eds_delivery_close(struct delivery *delivery)
{
    free_room(delivery);
    *delivery = (struct delivery){.sender = NULL};
}

void eds_delivery_make_room(struct delivery *delivery)
{
    const struct eds_sender *sender = delivery->sender;
    size_t wanted = sender->send_many != NULL && sender->batch_max > 1 ? sender->batch_max : 1;

    if (wanted > EDS_SEND_MANY_MAX)
        wanted = EDS_SEND_MANY_MAX;
    if (wanted != delivery->claim.room)
        (void)set_room(delivery, wanted);
}

void eds_delivery_send(struct delivery *delivery)
{
    struct eds_sender *sender = delivery->sender;
    struct buffer_claim *claim = &delivery->claim;

    for (size_t i = 0; i < claim->count; i++) { /* whatever a sender leaves out */
        delivery->replies[i].outcome = EDS_OUTCOME_AWAY;
        delivery->replies[i].retry_after_ms = 0;
        delivery->replies[i].text[0] = '\0';
    }
    delivery->reply_count = 1;
    if (claim->count == 1)
        sender->send(sender, claim->items[0], &delivery->replies[0]);
    else
        delivery->reply_count =
            sender->send_many(sender, (const struct eds_buffer_item *const *)claim->items,
                              claim->count, delivery->replies);
    assert(delivery->reply_count >= 1 && delivery->reply_count <= claim->count);
}

bool eds_delivery_is_decided(const struct delivery *delivery)
{
    for (size_t i = 0; i < delivery->reply_count; i++)
        if (delivery->replies[i].outcome != EDS_OUTCOME_AWAY)
            return true;
    return false;
}

/* When a device whose item was left waiting may go on. */
static uint64_t resume_ms(uint64_t now_ms, unsigned pause_ms, const struct eds_reply *reply)
{
    if (reply->retry_after_ms > pause_ms)
        pause_ms = reply->retry_after_ms;
    return now_ms + pause_ms + eds_random_between(0, pause_ms / 4);
}

/* In flight a device is its lane's alone. */
static unsigned next_pause(struct buffer_device *device, const struct delivery_pauses *pauses)
{
    device->retry_ms =
        eds_backoff_next_ms(pauses->retry_first, pauses->retry_max,
                            device->retry_ms > 0 ? device->retry_ms : pauses->retry_first);
    return device->retry_ms;
}

/* How far the items of one device have got. */
struct progress {
    struct delivery *delivery;
    struct eds_buffer *buffer;
    const struct delivery_pauses *pauses;
    uint64_t now_ms;
    bool is_decided;
    size_t delivered_count;
    int32_t rc;
    struct eds_error *err;
};

/* The items of one device, from first on to the return value. */
static size_t settle_device(struct progress *progress, size_t first)
{
    struct delivery *delivery = progress->delivery;
    const struct buffer_claim *claim = &delivery->claim;
    const struct delivery_pauses *pauses = progress->pauses;
    struct buffer_device *device = claim->devices[first];
    uint64_t not_before_ms = 0;
    bool is_left = false; /* something of it waits on */
    size_t i = first;

    for (; i < claim->count && claim->devices[i] == device; i++) {
        struct eds_reply *reply = &delivery->replies[i];

        if (i >= delivery->reply_count)
            continue;
        if (is_left &&
            (reply->outcome == EDS_OUTCOME_CONFLICT || reply->outcome == EDS_OUTCOME_REJECTED))
            reply->outcome = EDS_OUTCOME_AWAY;
        switch (reply->outcome) {
        case EDS_OUTCOME_ACCEPTED:
        case EDS_OUTCOME_DUPLICATE:
            delivery->delivered[progress->delivered_count++] = claim->items[i];
            device->retry_ms = 0;
            break;
        case EDS_OUTCOME_CONFLICT:
        case EDS_OUTCOME_REJECTED:
            if (progress->rc == EDS_OK)
                progress->rc = eds_buffer_settle(progress->buffer, claim->items[i], EDS_SETTLE_BURY,
                                                 reply->text, progress->err);
            break;
        case EDS_OUTCOME_HELD:
            is_left = true;
            not_before_ms = resume_ms(progress->now_ms, pauses->hold, reply);
            break;
        case EDS_OUTCOME_AWAY:
        case EDS_OUTCOME_LATER:
            if (!is_left && progress->is_decided) /* else it is the server that all wait for */
                not_before_ms = resume_ms(progress->now_ms, next_pause(device, pauses), reply);
            is_left = true;
            break;
        }
    }
    delivery->not_before_ms[first] = not_before_ms;
    return i;
}

int32_t eds_delivery_settle(struct delivery *delivery, struct eds_buffer *buffer, uint64_t now_ms,
                            const struct delivery_pauses *pauses, struct eds_error *err)
{
    const struct buffer_claim *claim = &delivery->claim;
    struct progress progress = {.delivery = delivery,
                                .buffer = buffer,
                                .pauses = pauses,
                                .now_ms = now_ms,
                                .is_decided = eds_delivery_is_decided(delivery),
                                .err = err};
    size_t next;

    for (size_t i = 0; i < claim->count; i = settle_device(&progress, i))
        continue;
    if (progress.rc == EDS_OK)
        progress.rc = eds_buffer_remove(buffer, delivery->delivered, progress.delivered_count, err);
    for (size_t i = 0; i < claim->count; i = next) {
        uint64_t not_before_ms = delivery->not_before_ms[i];

        for (next = i + 1; next < claim->count && claim->devices[next] == claim->devices[i];)
            next++;
        if (progress.rc != EDS_OK) /* then it is sent again, and is a duplicate */
            not_before_ms = now_ms + pauses->store;
        eds_buffer_release(buffer, claim->devices[i], not_before_ms);
    }
    return progress.rc;
}

void eds_delivery_free_items(struct delivery *delivery)
{
    for (size_t i = 0; i < delivery->claim.count; i++)
        free(delivery->claim.items[i]);
    delivery->claim.count = 0;
}

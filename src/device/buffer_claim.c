/* buffer_claim.c - whose turn it is. */
#include "device/buffer_impl.h"

#include <stdlib.h>

#define CLAIM_SIZE_MAX (512u * 1024u) /* bytes of payloads, unless one alone has more */

/* The most urgent class that a device has something of; -1: nothing waits. */
static int urgency(const struct buffer_device *device)
{
    for (int class = EDS_PRIORITY_COUNT - 1; class >= 0; class --)
        if (device->waiting[class] > 0)
            return class;
    return -1;
}

static struct buffer_device *choose(struct eds_buffer *buffer, uint64_t now_ms, uint64_t *wake_ms)
{
    struct buffer_device *best = NULL;
    int best_urgency = -1;

    *wake_ms = UINT64_MAX;
    for (size_t i = 0; i < buffer->devices.count; i++) {
        struct buffer_device *device = buffer->devices.values[i];
        int its = urgency(device);

        if (its < 0 || device->in_flight)
            continue;
        if (device->not_before_ms > now_ms) {
            if (device->not_before_ms < *wake_ms)
                *wake_ms = device->not_before_ms;
            continue;
        }
        if (best == NULL || its > best_urgency ||
            (its == best_urgency && device->served < best->served)) {
            best = device;
            best_urgency = its;
        }
    }
    return best;
}

/* Reads what waits of a device into the claim until that is full: then *more is false. */
static int32_t take_items(struct eds_buffer *buffer, struct buffer_device *device,
                          struct buffer_claim *claim, size_t *size, bool *more,
                          struct eds_error *err)
{
    struct eds_buffer_store *store = buffer->store;
    size_t before = claim->count;
    uint64_t after = 0;
    int32_t rc = EDS_OK;

    while (claim->count < claim->room) {
        struct eds_buffer_item *item;

        rc = store->ops->next(store, device->id, after, false, &item, err);
        if (rc != EDS_OK)
            break;
        if (claim->count > 0 && item->payload_size > CLAIM_SIZE_MAX - *size) {
            free(item);
            *more = false;
            break;
        }
        *size += item->payload_size < CLAIM_SIZE_MAX ? item->payload_size : CLAIM_SIZE_MAX - *size;
        after = item->id;
        claim->items[claim->count] = item;
        claim->devices[claim->count++] = device;
    }
    *more = *more && claim->count < claim->room;
    if (claim->count > before) {
        device->in_flight = true;
        device->served = ++buffer->turn;
    }
    return rc == EDS_ERR_NOT_FOUND && claim->count > before ? EDS_OK : rc;
}

int32_t eds_buffer_claim(struct eds_buffer *buffer, uint64_t now_ms, struct buffer_claim *claim,
                         uint64_t *wake_ms, struct eds_error *err)
{
    struct buffer_device *device;
    int32_t rc = EDS_OK;
    bool more = true;
    size_t size = 0;

    claim->count = 0;
    eds_lock_take(&buffer->lock);
    while (rc == EDS_OK && more && (device = choose(buffer, now_ms, wake_ms)) != NULL)
        rc = take_items(buffer, device, claim, &size, &more, err);
    eds_lock_give(&buffer->lock);
    if (claim->count > 0) /* a failure shows again with the next claim */
        return EDS_OK;
    return rc == EDS_OK ? EDS_ERR_NOT_FOUND : rc;
}

void eds_buffer_release(struct eds_buffer *buffer, struct buffer_device *device,
                        uint64_t not_before_ms)
{
    eds_lock_take(&buffer->lock);
    device->in_flight = false;
    device->not_before_ms = not_before_ms;
    eds_lock_give(&buffer->lock);
}

void eds_buffer_listen(struct eds_buffer *buffer, void (*pushed)(void *context), void *context)
{
    eds_lock_take(&buffer->lock);
    buffer->pushed = pushed;
    buffer->pushed_context = context;
    eds_lock_give(&buffer->lock);
}

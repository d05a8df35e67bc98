/* buffer_claim.c - whose turn it is. */
#include "device/buffer_impl.h"

#include <stdlib.h>

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

int32_t eds_buffer_claim(struct eds_buffer *buffer, uint64_t now_ms, struct buffer_device **device,
                         struct eds_buffer_item **item, uint64_t *wake_ms, struct eds_error *err)
{
    int32_t rc = EDS_ERR_NOT_FOUND;

    eds_lock_take(&buffer->lock);
    *device = choose(buffer, now_ms, wake_ms);
    if (*device != NULL)
        rc = buffer->store->ops->next(buffer->store, (*device)->id, 0, false, item, err);
    if (rc == EDS_OK) {
        (*device)->in_flight = true;
        (*device)->served = ++buffer->turn;
    }
    eds_lock_give(&buffer->lock);
    return rc;
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

/* buffer_settle.c - what becomes of an item. */
#include <assert.h>
#include <stdlib.h>

#include "device/buffer_impl.h"
#include "device/item.h"

uint64_t eds_buffer_item_size(const struct eds_buffer_item *item)
{
    uint8_t bytes[EDS_COMPACT_SIZE_MAX];
    size_t size = 0;

    (void)eds_compact_encode(bytes, &size, &item->entry);
    return (uint64_t)size + item->payload_size;
}

/* The store has done it: so have we.  True if an item waits that did not. */
static bool take_note(struct eds_buffer *buffer, const struct eds_buffer_item *item,
                      enum eds_settlement how)
{
    struct buffer_device *device = eds_id_table_find(&buffer->devices, eds_item_device(item));

    assert(device != NULL); /* it has an item */
    if (item->is_dead) {
        buffer->dead--;
    } else {
        buffer->waiting--;
        device->waiting[item->priority]--;
    }
    buffer->oldest_known = false;
    if (how == EDS_SETTLE_REMOVE) {
        buffer->size -= eds_buffer_item_size(item);
    } else if (how == EDS_SETTLE_BURY) {
        buffer->dead++;
    } else {
        buffer->waiting++;
        device->waiting[item->priority]++;
    }
    return how == EDS_SETTLE_REVIVE;
}

int32_t eds_buffer_settle(struct eds_buffer *buffer, const struct eds_buffer_item *item,
                          enum eds_settlement how, const char *reason, struct eds_error *err)
{
    void (*pushed)(void *context) = NULL;
    int32_t rc;

    if (item->is_dead ? how == EDS_SETTLE_BURY : how == EDS_SETTLE_REVIVE)
        return eds_error_set(err, EDS_ERR_USAGE, "item %llu %s", (unsigned long long)item->id,
                             item->is_dead ? "is a dead letter already" : "is no dead letter");
    eds_lock_take(&buffer->lock);
    rc = buffer->store->ops->settle(buffer->store, item->id, how, reason, err);
    if (rc == EDS_OK && take_note(buffer, item, how))
        pushed = buffer->pushed;
    eds_lock_give(&buffer->lock);
    if (pushed != NULL)
        pushed(buffer->pushed_context);
    return rc;
}

/* All of them in one go, where the store can.  EDS_ERR_UNSUPPORTED: it can't. */
static int32_t remove_at_once(struct eds_buffer *buffer, const struct eds_buffer_item *const *items,
                              size_t count, struct eds_error *err)
{
    struct eds_buffer_store *store = buffer->store;
    uint64_t *ids = store->ops->remove != NULL ? malloc(count * sizeof *ids) : NULL;
    int32_t rc;

    if (ids == NULL)
        return EDS_ERR_UNSUPPORTED;
    for (size_t i = 0; i < count; i++)
        ids[i] = items[i]->id;
    eds_lock_take(&buffer->lock);
    rc = store->ops->remove(store, ids, count, err);
    for (size_t i = 0; rc == EDS_OK && i < count; i++)
        (void)take_note(buffer, items[i], EDS_SETTLE_REMOVE);
    eds_lock_give(&buffer->lock);
    free(ids);
    return rc;
}

int32_t eds_buffer_remove(struct eds_buffer *buffer, const struct eds_buffer_item *const *items,
                          size_t count, struct eds_error *err)
{
    int32_t rc = count > 1 ? remove_at_once(buffer, items, count, err) : EDS_ERR_UNSUPPORTED;

    if (rc != EDS_ERR_UNSUPPORTED && rc != EDS_ERR_BUSY) /* a full disk may have room for one */
        return rc;
    rc = EDS_OK;
    for (size_t i = 0; rc == EDS_OK && i < count; i++)
        rc = eds_buffer_settle(buffer, items[i], EDS_SETTLE_REMOVE, NULL, err);
    return rc;
}

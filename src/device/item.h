/* item.h - making items: one block of memory each, the payload behind. */
#ifndef EDS_DEVICE_ITEM_H
#define EDS_DEVICE_ITEM_H

#include "edgesentry/buffer_store.h"

/* eds_item_make gives a zeroed item with room for a payload, which *payload
 * then points to and the item as well.  NULL without memory.  Freed with free. */
struct eds_buffer_item *eds_item_make(size_t payload_size, uint8_t **payload);

/* eds_item_copy makes one with the same content.  NULL without memory. */
struct eds_buffer_item *eds_item_copy(const struct eds_buffer_item *item);

/* eds_item_device is the id of the device whose record it is. */
static inline const char *eds_item_device(const struct eds_buffer_item *item)
{
    return (const char *)item->entry.record.device_id;
}

/* eds_item_set_reason copies a reason, cut at a character's border, without
 * control characters; never empty. */
void eds_item_set_reason(struct eds_buffer_item *item, const char *reason);

#endif

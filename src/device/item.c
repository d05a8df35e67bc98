/* item.c - see item.h. */
#include "device/item.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

struct eds_buffer_item *eds_item_make(size_t payload_size, uint8_t **payload)
{
    struct eds_buffer_item *item;

    if (payload_size > SIZE_MAX - sizeof *item - 1)
        return NULL;
    item = malloc(sizeof *item + payload_size + 1); /* a payload of 0 bytes has a place, too */
    if (item == NULL)
        return NULL;
    memset(item, 0, sizeof *item);
    *payload = (uint8_t *)(item + 1);
    item->payload = *payload;
    item->payload_size = payload_size;
    return item;
}

struct eds_buffer_item *eds_item_copy(const struct eds_buffer_item *item)
{
    uint8_t *payload;
    struct eds_buffer_item *copy = eds_item_make(item->payload_size, &payload);

    if (copy == NULL)
        return NULL;
    *copy = *item;
    copy->payload = payload;
    if (item->payload_size > 0)
        memcpy(payload, item->payload, item->payload_size);
    return copy;
}

void eds_item_set_reason(struct eds_buffer_item *item, const char *reason)
{
    size_t size = reason != NULL ? strlen(reason) : 0;

    if (size == 0) {
        memcpy(item->reason, "refused", sizeof "refused");
        return;
    }
    size = eds_utf8_valid_size(reason, size < EDS_REASON_SIZE ? size : EDS_REASON_SIZE - 1);
    for (size_t i = 0; i < size; i++)
        item->reason[i] = (uint8_t)reason[i] < 0x20 || reason[i] == 0x7f ? ' ' : reason[i];
    item->reason[size] = '\0';
    if (size == 0) /* it begins with a byte that is no text */
        memcpy(item->reason, "refused", sizeof "refused");
}

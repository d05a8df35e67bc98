/* log_item.c - an item as bytes of the log. */
#include <stdlib.h>

#include "device/crc32c.h"
#include "device/item.h"
#include "device/store_log.h"

static size_t compact_size(const struct eds_buffer_item *item)
{
    uint8_t bytes[EDS_COMPACT_SIZE_MAX];
    size_t size = 0;

    (void)eds_compact_encode(bytes, &size, &item->entry);
    return size;
}

size_t eds_ring_item_size(const struct eds_buffer_item *item)
{
    return LOG_ITEM_FIXED + compact_size(item) + strlen(item->reason) + item->payload_size;
}

int32_t eds_ring_item_encode(uint8_t *body, const struct eds_buffer_item *item,
                             struct eds_error *err)
{
    uint8_t bytes[EDS_COMPACT_SIZE_MAX];
    size_t size, reason_size = strlen(item->reason);
    int32_t rc = eds_compact_encode(bytes, &size, &item->entry);

    if (rc != EDS_OK)
        return eds_error_set(err, rc, "this is no record");
    log_put(body, item->id, 8);
    body[8] = (uint8_t)item->priority;
    body[9] = (uint8_t)reason_size;
    log_put(body + 10, size, 2);
    body += LOG_ITEM_FIXED;
    memcpy(body, bytes, size);
    memcpy(body + size, item->reason, reason_size);
    if (item->payload_size > 0)
        memcpy(body + size + reason_size, item->payload, item->payload_size);
    return EDS_OK;
}

int32_t eds_ring_item_decode(struct eds_buffer_item **out, unsigned flags, const uint8_t *body,
                             size_t size)
{
    size_t entry_size, reason_size, used, payload_size;
    struct eds_buffer_item *item;
    uint8_t *payload;
    char reason[EDS_REASON_SIZE];

    if (size < LOG_ITEM_FIXED)
        return EDS_ERR_MALFORMED;
    reason_size = body[9];
    entry_size = (size_t)log_get(body + 10, 2);
    if (entry_size + reason_size > size - LOG_ITEM_FIXED || body[8] >= EDS_PRIORITY_COUNT ||
        log_get(body, 8) == 0 || log_get(body, 8) > LOG_ID_MAX)
        return EDS_ERR_MALFORMED;
    payload_size = size - LOG_ITEM_FIXED - entry_size - reason_size;
    item = eds_item_make(payload_size, &payload);
    if (item == NULL)
        return EDS_ERR_NO_MEMORY;
    item->id = log_get(body, 8);
    item->priority = (enum eds_priority)body[8];
    item->is_dead = (flags & LOG_ITEM_DEAD) != 0;
    body += LOG_ITEM_FIXED;
    if (eds_compact_decode(&item->entry, body, entry_size, &used, NULL) != EDS_OK ||
        used != entry_size) {
        free(item);
        return EDS_ERR_MALFORMED;
    }
    if (item->is_dead) {
        memcpy(reason, body + entry_size, reason_size);
        reason[reason_size] = '\0';
        eds_item_set_reason(item, reason);
    }
    memcpy(payload, body + entry_size + reason_size, payload_size);
    *out = item;
    return EDS_OK;
}

/* Reads size bytes of a transaction from a place on, over the frames' borders. */
static int32_t read_across(struct log_store *log, uint64_t place, uint8_t *out, size_t size,
                           struct eds_error *err)
{
    uint64_t frame = log_place_frame(place);
    uint32_t skip = log_place_offset(place);

    for (size_t done = 0; done < size;) {
        uint8_t header[LOG_FRAME_HEADER_SIZE];
        uint32_t offset = (uint32_t)(frame % log->sector_size), body, take;
        int32_t rc = log->io->read(log->io, frame, header, sizeof header, err);

        if (rc != EDS_OK)
            return rc;
        body = eds_ring_frame_size(header, offset, log->sector_size);
        if (body <= skip)
            return EDS_ERR_MALFORMED;
        take = size - done < body - skip ? (uint32_t)(size - done) : body - skip;
        rc = log->io->read(log->io, frame + LOG_FRAME_HEADER_SIZE + skip, out + done, take, err);
        if (rc != EDS_OK)
            return rc;
        done += take;
        skip = 0;
        offset += log_aligned(LOG_FRAME_HEADER_SIZE + body);
        if (log->sector_size - offset < LOG_FRAME_MIN) /* it goes on in the next sector */
            frame = (frame / log->sector_size + 1) % log->sector_count * log->sector_size +
                    LOG_HEADER_SIZE;
        else
            frame = frame - frame % log->sector_size + offset;
    }
    return EDS_OK;
}

int32_t eds_ring_item_read(struct log_store *log, const struct eds_item_node *node,
                           struct eds_buffer_item **out, struct eds_error *err)
{
    uint8_t *entry = malloc(node->size), *body;
    size_t body_size = node->size - LOG_ENTRY_HEADER_SIZE;
    int32_t rc;

    if (entry == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the offline buffer");
    body = entry + LOG_ENTRY_HEADER_SIZE;
    rc = read_across(log, node->place, entry, node->size, err);
    if (rc == EDS_OK && (entry[0] != LOG_ITEM || log_get(entry + 4, 4) != body_size ||
                         log_get(entry + 8, 4) != eds_crc32c(0, body, body_size)))
        rc = EDS_ERR_MALFORMED;
    if (rc == EDS_OK)
        rc = eds_ring_item_decode(out, entry[1], body, body_size);
    free(entry);
    if (rc == EDS_ERR_MALFORMED)
        eds_error_set(err, rc,
                      "the offline buffer %s is damaged: record %llu of device %s can't be read",
                      log->io->name, (unsigned long long)node->sequence, node->device->id);
    if (rc == EDS_ERR_NO_MEMORY)
        eds_error_set(err, rc, "out of memory for the offline buffer");
    if (rc != EDS_OK)
        return rc;
    if (node->is_dead) { /* what happened since it was written */
        (*out)->is_dead = true;
        eds_item_set_reason(*out, node->block);
    } else {
        (*out)->is_dead = false;
        (*out)->reason[0] = '\0';
    }
    return EDS_OK;
}

/* log_clean.c - the oldest sector becomes free: what still counts there is
 * written once more, at the log's end.
 *
 * The ring is written round and round whatever happens, which spreads the wear
 * evenly.  What counts has at most five eighths of the file, so a round always
 * frees something. */
#include <stdlib.h>

#include "base/log.h"
#include "device/item.h"
#include "device/store_log.h"

uint32_t eds_ring_free_sectors(const struct log_store *log)
{
    return log->sector_count - (uint32_t)(log->current.serial - log->oldest) - 1;
}

/* Things of the oldest sector that are copied together. */
struct copying {
    struct log_store *log;
    struct log_txn txn;
    struct log_frames frames;
    struct copied {
        struct eds_item_node *node; /* or */
        struct eds_item_device *device;
        enum log_kind kind; /* of a device: LOG_HEAD or LOG_COMMAND */
        size_t offset;      /* of the entry in the transaction */
        uint32_t size;      /* of a node's entry */
    } * list;
    size_t count, room;
};

static int32_t no_memory(struct eds_error *err)
{
    return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the offline buffer");
}

static bool note(struct copying *copying, struct eds_item_node *node,
                 struct eds_item_device *device, enum log_kind kind, size_t body_size)
{
    if (copying->count == copying->room) {
        size_t room = copying->room > 0 ? 2 * copying->room : 16;
        struct copied *list = realloc(copying->list, room * sizeof *list);

        if (list == NULL)
            return false;
        copying->list = list;
        copying->room = room;
    }
    copying->list[copying->count++] = (struct copied){
        node, device, kind, copying->txn.size, (uint32_t)(LOG_ENTRY_HEADER_SIZE + body_size)};
    return true;
}

/* Writes what is collected; once that is durable the copies are what counts. */
static int32_t write_copies(struct copying *copying, struct eds_error *err)
{
    int32_t rc = EDS_OK;

    if (copying->count == 0)
        return EDS_OK;
    copying->frames.count = 0;
    rc = eds_ring_append(copying->log, &copying->txn, true, &copying->frames, err);
    for (size_t i = 0; rc == EDS_OK && i < copying->count; i++) {
        const struct copied *one = &copying->list[i];
        uint64_t place =
            log_place(eds_ring_frames_find(&copying->frames, one->offset), one->offset);

        if (one->node != NULL) {
            copying->log->live_size += one->size;
            copying->log->live_size -= one->node->size;
            one->node->size = one->size; /* a reason may be in it by now, or no more */
            one->node->place = place;
            one->node->home = log_home(copying->log, &copying->frames);
        } else if (one->kind == LOG_HEAD) {
            one->device->head_place = place;
            one->device->head_home = log_home(copying->log, &copying->frames);
        } else {
            one->device->command_place = place;
            one->device->command_home = log_home(copying->log, &copying->frames);
        }
    }
    copying->txn.size = 0;
    copying->count = 0;
    return rc;
}

static int32_t copy_item(struct copying *copying, struct eds_item_node *node, struct eds_error *err)
{
    struct eds_buffer_item *item;
    uint8_t *body;
    int32_t rc = eds_ring_item_read(copying->log, node, &item, err);

    if (rc == EDS_ERR_MALFORMED) { /* the medium has lost it; say so, and do not stop all else */
        EDS_LOG(EDS_LOG_ERROR, "buffer_item_lost", EDS_LOG_STRING("device_id", node->device->id),
                EDS_LOG_NUMBER("sequence", node->sequence));
        copying->log->live_size -= node->size;
        free(node->block);
        eds_item_index_remove(&copying->log->index, node);
        return EDS_OK;
    }
    if (rc != EDS_OK)
        return rc;
    if (copying->txn.size + eds_ring_item_size(item) > log_txn_max(copying->log) / 2)
        rc = write_copies(copying, err);
    if (rc == EDS_OK && !note(copying, node, NULL, LOG_ITEM, eds_ring_item_size(item)))
        rc = no_memory(err);
    if (rc == EDS_OK) {
        body = eds_ring_txn_add(&copying->txn, LOG_ITEM, item->is_dead ? LOG_ITEM_DEAD : 0,
                                eds_ring_item_size(item));
        rc = body != NULL ? eds_ring_item_encode(body, item, err) : no_memory(err);
        if (rc == EDS_OK)
            eds_ring_txn_seal(&copying->txn, body, eds_ring_item_size(item));
    }
    free(item);
    return rc;
}

/* Of a device what the kind says: its head, or the last order that it answered. */
static int32_t copy_state(struct copying *copying, struct eds_item_device *device,
                          enum log_kind kind, struct eds_error *err)
{
    size_t fixed = kind == LOG_HEAD ? LOG_HEAD_FIXED : LOG_COMMAND_FIXED;
    size_t id_size = strlen(device->id);
    uint8_t *body;
    int32_t rc = EDS_OK;

    if (copying->txn.size + fixed + id_size > log_txn_max(copying->log) / 2)
        rc = write_copies(copying, err);
    if (rc != EDS_OK)
        return rc;
    if (!note(copying, NULL, device, kind, 0) ||
        (body = eds_ring_txn_add(&copying->txn, kind, 0, fixed + id_size)) == NULL)
        return no_memory(err);
    if (kind == LOG_HEAD) {
        log_put(body, device->head.sequence, 8);
        log_put(body + 8, device->head.timestamp_ms, 8);
        memcpy(body + 16, device->head.record_hash, EDS_HASH_SIZE);
    } else {
        log_put(body, device->head.command_counter, 8);
    }
    memcpy(body + fixed, device->id, id_size);
    eds_ring_txn_seal(&copying->txn, body, fixed + id_size);
    return EDS_OK;
}

static int32_t copy_all(struct copying *copying, uint32_t sector, struct eds_error *err)
{
    const struct log_store *log = copying->log;
    const struct eds_id_table *devices = &log->index.devices;
    struct eds_item_node *firsts[] = {log->index.waiting.first, log->index.dead.first}, *next;
    int32_t rc = EDS_OK;

    for (size_t i = 0; i < devices->count && rc == EDS_OK; i++) {
        struct eds_item_device *device = devices->values[i];

        if (log_head_in(device, sector))
            rc = copy_state(copying, device, LOG_HEAD, err);
        if (rc == EDS_OK && log_command_in(device, sector))
            rc = copy_state(copying, device, LOG_COMMAND, err);
    }
    for (size_t i = 0; i < 2; i++)
        for (struct eds_item_node *node = firsts[i]; node != NULL && rc == EDS_OK; node = next) {
            next = node->next;
            if (log_node_in(node, sector))
                rc = copy_item(copying, node, err);
        }
    return rc == EDS_OK ? write_copies(copying, err) : rc;
}

/* What is delivered is in no index any more and is not copied: the log must say
 * so before its sector goes, or it would come back after a power cut and need
 * the room that others have by then. */
static int32_t write_gone(struct copying *copying, struct eds_error *err)
{
    struct log_store *log = copying->log;
    int32_t rc = EDS_OK;

    if (log->pending_count == 0)
        return EDS_OK;
    if (!eds_ring_txn_gone(log, &copying->txn))
        rc = no_memory(err);
    if (rc == EDS_OK)
        rc = eds_ring_append(log, &copying->txn, true, &copying->frames, err);
    if (rc == EDS_OK)
        log->pending_count = 0;
    copying->txn.size = 0;
    return rc;
}

/* Frees the oldest sector. */
static int32_t clean_one(struct log_store *log, struct eds_error *err)
{
    struct copying copying = {.log = log};
    int32_t rc = write_gone(&copying, err);

    if (rc == EDS_OK)
        rc = copy_all(&copying, log_sector_of(log, log->oldest), err);
    eds_ring_txn_free(&copying.txn);
    free(copying.frames.list);
    free(copying.list);
    if (rc == EDS_OK)
        log->oldest++;
    return rc;
}

int32_t eds_ring_make_room(struct log_store *log, uint32_t sectors, struct eds_error *err)
{
    int32_t rc = EDS_OK;

    for (uint32_t tries = 0; rc == EDS_OK && eds_ring_free_sectors(log) < sectors; tries++) {
        if (log->oldest >= log->current.serial || tries > 2 * log->sector_count)
            return eds_error_set(err, EDS_ERR_BUSY, "the offline buffer %s is full", log->io->name);
        rc = clean_one(log, err);
    }
    return rc;
}

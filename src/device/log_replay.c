/* log_replay.c - what a log holds, found again at the start.
 *
 * All sectors of the last round are read in the order of their serials, and
 * their transactions are applied.  What is torn or damaged is left out: a frame
 * that is not whole, and with it its transaction.  Behind such a place the next
 * whole frame is looked for, so that one bad block does not hide the others. */
#include <stdlib.h>

#include "base/log.h"
#include "device/crc32c.h"
#include "device/item.h"
#include "device/store_log.h"
#include "edgesentry/command.h"

struct replay {
    struct log_store *log;
    struct log_header header; /* of the sector being read */
    struct log_txn txn;       /* the transaction being put together */
    struct log_frames frames; /* where it comes from */
    bool open;                /* its first frame was there */
    uint64_t applied;         /* transactions so far, and the one being applied */
};

static int32_t no_memory(struct eds_error *err)
{
    return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the offline buffer");
}

static void drop(struct log_store *log, struct eds_item_node *node)
{
    log->live_size -= node->size;
    free(node->block);
    eds_item_index_remove(&log->index, node);
}

/* A head that another one replaces is the same size: its device's. */
static void set_head(const struct replay *replay, struct eds_item_device *device,
                     const struct eds_buffer_head *head, uint64_t place)
{
    struct log_store *log = replay->log;

    if (device->head_place == 0)
        log->live_size += log_head_size(device);
    device->head = *head;
    device->head_place = place;
    device->head_home = log_home(log, &replay->frames);
}

/* The last order that a device has answered. */
static void set_command(const struct replay *replay, struct eds_item_device *device,
                        uint64_t counter, uint64_t place)
{
    struct log_store *log = replay->log;

    if (device->command_place == 0)
        log->live_size += log_command_size(device);
    device->head.command_counter = counter;
    device->command_place = place;
    device->command_home = log_home(log, &replay->frames);
}

/* Remembers where a device's head was before this transaction. */
static void remember_head(const struct replay *replay, struct eds_item_device *device, uint64_t id)
{
    if (device->before.push == replay->applied)
        return;
    device->before.push = replay->applied;
    device->before.first_id = id;
    device->before.head = device->head;
    device->before.head_place = device->head_place;
    device->before.head_home = device->head_home;
    device->before.command_place = device->command_place;
    device->before.command_home = device->command_home;
}

static void restore_heads(struct log_store *log, uint64_t first, uint64_t count)
{
    for (size_t i = 0; i < log->index.devices.count; i++) {
        struct eds_item_device *device = log->index.devices.values[i];

        if (device->before.push == 0 || device->before.first_id < first ||
            device->before.first_id - first >= count)
            continue;
        device->before.push = 0;
        device->head = device->before.head;
        device->head_home = device->before.head_home;
        if (device->head_place != 0 && device->before.head_place == 0)
            log->live_size -= log_head_size(device);
        device->head_place = device->before.head_place;
        if (device->command_place != 0 && device->before.command_place == 0)
            log->live_size -= log_command_size(device);
        device->command_place = device->before.command_place;
        device->command_home = device->before.command_home;
    }
}

static int32_t apply_item(const struct replay *replay, unsigned flags, const uint8_t *body,
                          size_t size, uint64_t place)
{
    struct log_store *log = replay->log;
    struct eds_buffer_item *item = NULL;
    struct eds_item_device *device;
    struct eds_item_node *node;
    struct eds_buffer_head head;
    struct eds_order_answer answer;
    int32_t rc = eds_ring_item_decode(&item, flags, body, size);

    if (rc != EDS_OK)
        return rc;
    rc = EDS_ERR_NO_MEMORY;
    device = eds_item_index_device(&log->index, eds_item_device(item));
    if (device == NULL)
        goto out;
    node = eds_item_index_find(&log->index, item->id);
    if (node != NULL)
        log->live_size -= node->size;
    else if ((node = eds_item_index_add(&log->index, item->id, device)) == NULL)
        goto out;
    node->place = place;
    node->home = log_home(log, &replay->frames);
    node->size = (uint32_t)(LOG_ENTRY_HEADER_SIZE + size);
    node->payload_size = (uint32_t)item->payload_size;
    node->sequence = item->entry.record.sequence;
    node->priority = item->priority;
    log->live_size += node->size;
    if (item->id > log->id_last)
        log->id_last = item->id;
    if (!eds_ring_set_reason(log, node, item->is_dead ? item->reason : NULL))
        goto out;
    rc = EDS_OK;
    if ((flags & LOG_ITEM_MOVES_HEAD) == 0)
        goto out;
    remember_head(replay, device, item->id);
    head.sequence = item->entry.record.sequence;
    head.timestamp_ms = item->entry.record.timestamp_ms;
    head.command_counter = device->head.command_counter;
    (void)eds_record_digest(head.record_hash, &item->entry.record); /* it was decoded */
    set_head(replay, device, &head, place);
    if (eds_order_answer_read(&answer, &item->entry.record) &&
        answer.counter >= head.command_counter)
        set_command(replay, device, answer.counter, place);
out:
    free(item);
    return rc;
}

/* Finds or makes the device whose id is the rest of a body. */
static int32_t find_device(const struct replay *replay, const uint8_t *body, size_t size,
                           size_t fixed, struct eds_item_device **out)
{
    char id[EDS_DEVICE_ID_SIZE];
    size_t id_size = size - fixed;

    if (size < fixed || id_size >= sizeof id || memchr(body + fixed, '\0', id_size) != NULL)
        return EDS_ERR_MALFORMED;
    memcpy(id, body + fixed, id_size);
    id[id_size] = '\0';
    *out = eds_item_index_device(&replay->log->index, id);
    return *out != NULL ? EDS_OK : EDS_ERR_NO_MEMORY;
}

static int32_t apply_command(const struct replay *replay, const uint8_t *body, size_t size,
                             uint64_t place)
{
    struct eds_item_device *device;
    int32_t rc = find_device(replay, body, size, LOG_COMMAND_FIXED, &device);

    if (rc == EDS_OK && log_get(body, 8) >= device->head.command_counter)
        set_command(replay, device, log_get(body, 8), place);
    return rc;
}

static int32_t apply_head(const struct replay *replay, const uint8_t *body, size_t size,
                          uint64_t place)
{
    struct eds_item_device *device;
    struct eds_buffer_head head;
    int32_t rc = find_device(replay, body, size, LOG_HEAD_FIXED, &device);

    if (rc != EDS_OK)
        return rc;
    head.sequence = log_get(body, 8);
    head.timestamp_ms = log_get(body + 8, 8);
    memcpy(head.record_hash, body + 16, EDS_HASH_SIZE);
    head.command_counter = device->head.command_counter;
    set_head(replay, device, &head, place);
    return EDS_OK;
}

/* A push that failed: nothing of it counts. */
static void apply_void(struct log_store *log, uint64_t first, uint64_t count)
{
    uint64_t last = first + count - 1;

    restore_heads(log, first, count);
    if (last > log->id_last)
        log->id_last = last;
    for (uint64_t id = first; id <= last && log->index.count > 0; id++) {
        struct eds_item_node *node = eds_item_index_find(&log->index, id);

        if (node != NULL)
            drop(log, node);
    }
}

static int32_t apply_fate(struct log_store *log, enum log_kind kind, const uint8_t *body,
                          size_t size)
{
    uint64_t id = size >= 8 ? log_get(body, 8) : 0;
    struct eds_item_node *node = eds_item_index_find(&log->index, id);
    char reason[EDS_REASON_SIZE];

    if (id == 0 || id > LOG_ID_MAX || size - 8 >= sizeof reason || (kind == LOG_VOID && size != 12))
        return EDS_ERR_MALFORMED;
    if (kind == LOG_VOID) {
        if (log_get(body + 8, 4) > log_txn_max(log) / LOG_ENTRY_HEADER_SIZE)
            return EDS_ERR_MALFORMED; /* more than any push has */
        apply_void(log, id, log_get(body + 8, 4));
        return EDS_OK;
    }
    if (node == NULL)
        return EDS_OK;
    if (kind == LOG_GONE) {
        drop(log, node);
        return EDS_OK;
    }
    memcpy(reason, body + 8, size - 8);
    reason[size - 8] = '\0';
    return eds_ring_set_reason(log, node, kind == LOG_BURIED ? reason : NULL) ? EDS_OK
                                                                              : EDS_ERR_NO_MEMORY;
}

/* Applies a whole transaction.  Its entries were good when they were written: one
 * that is not means that the file is not ours to trust, and ends it. */
static int32_t apply(struct replay *replay)
{
    const struct log_txn *txn = &replay->txn;
    int32_t rc = EDS_OK;

    replay->applied++;
    for (size_t at = 0; at < txn->size && rc == EDS_OK;) {
        const uint8_t *entry = txn->bytes + at, *body = entry + LOG_ENTRY_HEADER_SIZE;
        size_t left = txn->size - at, size;
        uint64_t place = log_place(eds_ring_frames_find(&replay->frames, at), at);

        if (left < LOG_ENTRY_HEADER_SIZE)
            return EDS_ERR_MALFORMED;
        size = (size_t)log_get(entry + 4, 4);
        if (size > left - LOG_ENTRY_HEADER_SIZE ||
            log_get(entry + 8, 4) != eds_crc32c(0, body, size))
            return EDS_ERR_MALFORMED;
        if (entry[0] == LOG_ITEM)
            rc = apply_item(replay, entry[1], body, size, place);
        else if (entry[0] == LOG_HEAD)
            rc = apply_head(replay, body, size, place);
        else if (entry[0] == LOG_COMMAND)
            rc = apply_command(replay, body, size, place);
        else if (entry[0] == LOG_GONE || entry[0] == LOG_VOID || entry[0] == LOG_BURIED ||
                 entry[0] == LOG_REVIVED)
            rc = apply_fate(replay->log, (enum log_kind)entry[0], body, size);
        else
            rc = EDS_ERR_MALFORMED;
        at += LOG_ENTRY_HEADER_SIZE + size;
    }
    return rc;
}

/* Takes a whole frame: goes on with its transaction, and applies it at its end. */
static int32_t take_frame(struct replay *replay, const uint8_t *frame, uint32_t size,
                          uint64_t position)
{
    unsigned flags = log_frame_flags(frame);
    int32_t rc;

    if ((flags & LOG_FRAME_FIRST) != 0) {
        replay->open = true;
        replay->txn.size = 0;
        replay->frames.count = 0;
    }
    if (!replay->open) /* its beginning is gone: so is all of it */
        return EDS_OK;
    if (replay->txn.size + size > 2 * log_txn_max(replay->log)) {
        replay->open = false;
        return EDS_ERR_MALFORMED;
    }
    if (replay->txn.size + size > replay->txn.room) {
        size_t room = 2 * (replay->txn.size + size);
        uint8_t *bytes = realloc(replay->txn.bytes, room);

        if (bytes == NULL)
            return EDS_ERR_NO_MEMORY;
        replay->txn.bytes = bytes;
        replay->txn.room = room;
    }
    if (!eds_ring_frames_add(&replay->frames, replay->txn.size, position))
        return EDS_ERR_NO_MEMORY;
    memcpy(replay->txn.bytes + replay->txn.size, frame + LOG_FRAME_HEADER_SIZE, size);
    replay->txn.size += size;
    if ((flags & LOG_FRAME_LAST) == 0)
        return EDS_OK;
    replay->open = false;
    rc = apply(replay);
    return rc;
}

/* Reads all frames of the image.  What is no frame is passed over; looking for
 * the next one costs at most a few times the sector's size in work. */
static int32_t read_frames(struct replay *replay, uint32_t sector)
{
    struct log_store *log = replay->log;
    uint64_t budget = 8ull * log->sector_size;
    bool lost = false;
    int32_t rc = EDS_OK;

    for (uint32_t offset = LOG_HEADER_SIZE;
         log->sector_size - offset >= LOG_FRAME_MIN && rc != EDS_ERR_NO_MEMORY;) {
        const uint8_t *frame = log->sector + offset;
        uint32_t size = eds_ring_frame_size(frame, offset, log->sector_size);

        if (size > 0 && budget < size)
            break;
        budget -= size;
        if (size == 0 || !eds_ring_frame_good(frame, size, &replay->header, offset)) {
            replay->open = false;
            lost = true;
            offset += LOG_ALIGN;
            continue;
        }
        if (lost)
            log->damaged++;
        lost = false;
        rc = take_frame(replay, frame, size, (uint64_t)sector * log->sector_size + offset);
        if (rc == EDS_ERR_MALFORMED)
            log->damaged++;
        offset += log_aligned(LOG_FRAME_HEADER_SIZE + size);
    }
    return rc == EDS_ERR_NO_MEMORY ? rc : EDS_OK;
}

static int32_t read_header(struct log_store *log, uint32_t sector, struct log_header *out,
                           bool *good, struct eds_error *err)
{
    uint8_t bytes[LOG_HEADER_SIZE];
    int32_t rc =
        log->io->read(log->io, (uint64_t)sector * log->sector_size, bytes, sizeof bytes, err);

    *good = rc == EDS_OK && eds_ring_header_decode(out, bytes) && out->serial > 0 &&
            out->id_last <= LOG_ID_MAX && log_sector_of(log, out->serial) == sector;
    return rc;
}

/* The last sector that was begun. */
static int32_t find_last(struct log_store *log, struct eds_error *err)
{
    bool found = false;

    for (uint32_t sector = 0; sector < log->sector_count; sector++) {
        struct log_header header;
        bool good;
        int32_t rc = read_header(log, sector, &header, &good, err);

        if (rc != EDS_OK)
            return rc;
        if (good && (!found || header.serial > log->current.serial)) {
            log->current = header;
            found = true;
        }
    }
    if (!found)
        return eds_error_set(err, EDS_ERR_EXISTS, "%s is there and is no offline buffer",
                             log->io->name);
    if (log->current.serial > LOG_ID_MAX)
        return eds_error_set(err, EDS_ERR_MALFORMED,
                             "the offline buffer %s is damaged: a sector "
                             "has a serial that no log comes to",
                             log->io->name);
    return EDS_OK;
}

static bool in_use(const struct log_store *log, uint32_t sector)
{
    const struct eds_item_node *firsts[] = {log->index.waiting.first, log->index.dead.first};

    for (size_t i = 0; i < log->index.devices.count; i++) {
        const struct eds_item_device *device = log->index.devices.values[i];

        if (log_head_in(device, sector) || log_command_in(device, sector))
            return true;
    }
    for (size_t i = 0; i < 2; i++)
        for (const struct eds_item_node *node = firsts[i]; node != NULL; node = node->next)
            if (log_node_in(node, sector))
                return true;
    return false;
}

int32_t eds_ring_replay(struct log_store *log, struct eds_error *err)
{
    struct replay replay = {.log = log};
    uint64_t first, count = log->sector_count;
    int32_t rc = find_last(log, err);

    first = log->current.serial >= count ? log->current.serial - count + 1 : 1;
    for (uint64_t serial = first; rc == EDS_OK && serial <= log->current.serial; serial++) {
        uint32_t sector = log_sector_of(log, serial);
        bool good;

        rc = read_header(log, sector, &replay.header, &good, err);
        if (rc == EDS_OK && good && replay.header.serial == serial) {
            if (replay.header.id_last > log->id_last)
                log->id_last = replay.header.id_last;
            rc = log->io->read(log->io, (uint64_t)sector * log->sector_size, log->sector,
                               log->sector_size, err);
            if (rc == EDS_OK)
                rc = read_frames(&replay, sector);
            if (rc == EDS_ERR_NO_MEMORY)
                rc = no_memory(err);
        } else {
            replay.open = false;
        }
    }
    eds_ring_txn_free(&replay.txn);
    free(replay.frames.list);
    if (rc != EDS_OK)
        return rc;
    log->oldest = first;
    while (log->oldest < log->current.serial && !in_use(log, log_sector_of(log, log->oldest)))
        log->oldest++;
    log->sealed = true; /* what is behind its last frame is not known to be nothing */
    if (log->damaged > 0)
        EDS_LOG(EDS_LOG_WARN, "buffer_damaged", EDS_LOG_STRING("file", log->io->name),
                EDS_LOG_NUMBER("pieces", log->damaged));
    return EDS_OK;
}

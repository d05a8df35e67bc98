/* log_write.c - putting transactions at the log's end.
 *
 * Frames of a sector are written one after the other, by one process, and never
 * twice.  After any failure the sector is sealed: what a failed write has left
 * there is never written over, and so never joined to something else.  A sector
 * in which nothing but a failed write stands is begun again: its nonce makes what
 * is left there worthless. */
#include <assert.h>
#include <stdlib.h>

#include "base/port.h"
#include "device/crc32c.h"
#include "device/store_log.h"

static int32_t no_memory(struct eds_error *err)
{
    return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the offline buffer");
}

uint8_t *eds_ring_txn_add(struct log_txn *txn, enum log_kind kind, unsigned flags, size_t body_size)
{
    size_t needed = txn->size + LOG_ENTRY_HEADER_SIZE + body_size;
    uint8_t *entry;

    if (needed > txn->room) {
        size_t room = needed + needed / 2;
        uint8_t *bytes = realloc(txn->bytes, room);

        if (bytes == NULL)
            return NULL;
        txn->bytes = bytes;
        txn->room = room;
    }
    entry = txn->bytes + txn->size;
    txn->size = needed;
    entry[0] = (uint8_t)kind;
    entry[1] = (uint8_t)flags;
    entry[2] = entry[3] = 0;
    log_put(entry + 4, body_size, 4);
    return entry + LOG_ENTRY_HEADER_SIZE;
}

void eds_ring_txn_seal(struct log_txn *txn, const uint8_t *body, size_t body_size)
{
    uint8_t *entry = txn->bytes + (body - txn->bytes) - LOG_ENTRY_HEADER_SIZE;

    log_put(entry + 8, eds_crc32c(0, body, body_size), 4);
}

void eds_ring_txn_free(struct log_txn *txn)
{
    free(txn->bytes);
    *txn = (struct log_txn){.bytes = NULL};
}

bool eds_ring_frames_add(struct log_frames *frames, size_t begin, uint64_t position)
{
    if (frames->count == frames->room) {
        size_t room = frames->room > 0 ? 2 * frames->room : 8;
        struct log_frame_place *list = realloc(frames->list, room * sizeof *list);

        if (list == NULL)
            return false;
        frames->list = list;
        frames->room = room;
    }
    frames->list[frames->count++] = (struct log_frame_place){begin, position};
    return true;
}

const struct log_frame_place *eds_ring_frames_find(const struct log_frames *frames, size_t offset)
{
    size_t i = frames->count;

    while (i > 1 && frames->list[i - 1].begin > offset)
        i--;
    return &frames->list[i - 1];
}

bool eds_ring_txn_gone(const struct log_store *log, struct log_txn *txn)
{
    for (size_t i = 0; i < log->pending_count; i++) {
        bool is_void = log->pending[i].count > 0;
        size_t size = is_void ? 12 : 8;
        uint8_t *body = eds_ring_txn_add(txn, is_void ? LOG_VOID : LOG_GONE, 0, size);

        if (body == NULL)
            return false;
        log_put(body, log->pending[i].id, 8);
        if (is_void)
            log_put(body + 8, log->pending[i].count, 4);
        eds_ring_txn_seal(txn, body, size);
    }
    return true;
}

static int32_t next_sector(struct log_store *log, struct eds_error *err)
{
    if (eds_ring_free_sectors(log) == 0)
        return eds_error_set(err, EDS_ERR_BUSY, "the offline buffer %s is full", log->io->name);
    if (eds_port_random(&log->current.nonce, sizeof log->current.nonce) != 0)
        return eds_error_set(err, EDS_ERR_PANIC, "the system gives no random bytes");
    log->current.serial++;
    log->current.id_last = log->id_last;
    log->offset = LOG_HEADER_SIZE;
    log->sealed = false;
    eds_ring_header_encode(log->sector, &log->current);
    return EDS_OK;
}

/* Writes what of the image is new: [from, log->offset). */
static int32_t write_out(struct log_store *log, uint32_t from, struct eds_error *err)
{
    uint64_t start = (uint64_t)log_sector_of(log, log->current.serial) * log->sector_size;

    if (from >= log->offset)
        return EDS_OK;
    return log->io->write(log->io, start + from, log->sector + from, log->offset - from, err);
}

static int32_t append(struct log_store *log, const struct log_txn *txn, struct log_frames *frames,
                      struct eds_error *err)
{
    uint32_t from = log->offset; /* where what is not written yet begins */
    int32_t rc = EDS_OK;

    for (size_t done = 0; done < txn->size && rc == EDS_OK;) {
        uint32_t room, chunk;
        unsigned flags;
        uint8_t *frame;

        if (log->sealed || log->sector_size - log->offset < LOG_FRAME_MIN) {
            rc = log->sealed ? EDS_OK : write_out(log, from, err);
            if (rc == EDS_OK)
                rc = next_sector(log, err);
            if (rc != EDS_OK)
                return rc;
            from = 0;
        }
        room = log->sector_size - log->offset - LOG_FRAME_HEADER_SIZE;
        chunk = txn->size - done < room ? (uint32_t)(txn->size - done) : room;
        flags =
            (done == 0 ? LOG_FRAME_FIRST : 0) | (done + chunk == txn->size ? LOG_FRAME_LAST : 0);
        if (!eds_ring_frames_add(
                frames, done,
                (uint64_t)log_sector_of(log, log->current.serial) * log->sector_size + log->offset))
            return no_memory(err);
        frame = log->sector + log->offset;
        memcpy(frame + LOG_FRAME_HEADER_SIZE, txn->bytes + done, chunk);
        eds_ring_frame_encode(frame, chunk, flags, &log->current, log->offset);
        log->offset += log_aligned(LOG_FRAME_HEADER_SIZE + chunk);
        done += chunk;
    }
    return rc == EDS_OK ? write_out(log, from, err) : rc;
}

int32_t eds_ring_append(struct log_store *log, const struct log_txn *txn, bool sync,
                        struct log_frames *frames, struct eds_error *err)
{
    uint64_t serial = log->current.serial;
    int32_t rc = append(log, txn, frames, err);

    if (rc == EDS_OK && sync)
        rc = log->io->sync(log->io, err);
    if (rc != EDS_OK) {
        log->sealed = true;
        log->current.serial = serial; /* what was begun may be begun again, by another nonce */
    }
    return rc;
}

int32_t eds_ring_write(struct log_store *log, const struct log_txn *txn, bool sync,
                       struct log_frames *frames, struct eds_error *err)
{
    uint32_t per_sector = log->sector_size - LOG_HEADER_SIZE - LOG_FRAME_HEADER_SIZE;
    int32_t rc;

    if (txn->size > log_txn_max(log))
        return eds_error_set(err, EDS_ERR_TOO_LARGE,
                             "%zu bytes do not go at once into the offline buffer %s, which takes "
                             "%zu",
                             txn->size, log->io->name, log_txn_max(log));
    /* Always leave what the cleaner needs to go on: two more transactions. */
    rc = eds_ring_make_room(log, (uint32_t)(txn->size / per_sector + 2 + log->sector_count / 8),
                            err);
    if (rc == EDS_OK)
        rc = eds_ring_append(log, txn, sync, frames, err);
    return rc;
}

int32_t eds_ring_write_pending(struct log_store *log, struct eds_error *err)
{
    struct log_txn txn = {.bytes = NULL};
    struct log_frames frames = {.list = NULL};
    int32_t rc = EDS_OK;

    if (log->pending_count == 0)
        return EDS_OK;
    if (!eds_ring_txn_gone(log, &txn))
        rc = no_memory(err);
    if (rc == EDS_OK)
        rc = eds_ring_write(log, &txn, false, &frames, err);
    if (rc == EDS_OK)
        log->pending_count = 0;
    free(frames.list);
    eds_ring_txn_free(&txn);
    return rc;
}

/* store_log.h - the log store from inside: for its own files. */
#ifndef EDS_DEVICE_STORE_LOG_H
#define EDS_DEVICE_STORE_LOG_H

#include "device/item_index.h"
#include "device/log_format.h"
#include "device/log_io.h"

#define LOG_PENDING_MAX 64u

/* Ids whose end the log does not tell yet: an item that was delivered, or those
 * of a push that failed and that may be on the medium all the same. */
struct log_gone {
    uint64_t id;
    uint32_t count; /* of a push that failed; 0: delivered */
};

/* A node's block is its reason, if it is dead; its place is where its entry
 * stands: the frame's position and the entry's offset in the frame's body; 0: it
 * is not in the log yet.  Its home is the sector where its transaction begins:
 * without its beginning a transaction is worth nothing. */
struct log_store {
    struct eds_buffer_store store; /* first */
    struct eds_log_io *io;
    struct eds_item_index index;
    uint32_t sector_size, sector_count;
    uint8_t *sector; /* an image of the one being written, or read at the start */

    struct log_header current; /* the sector being written */
    uint32_t offset;           /* of the next frame in it */
    bool sealed;               /* nothing more goes into it */
    uint64_t oldest;           /* serial: what is older holds nothing that counts */

    uint64_t id_last;
    uint64_t live_size; /* bytes of entries that count */
    uint64_t damaged;   /* pieces that could not be read at the start */
    struct log_gone pending[LOG_PENDING_MAX];
    size_t pending_count;
};

/* A transaction being put together. */
struct log_txn {
    uint8_t *bytes;
    size_t size, room;
};

/* Where a transaction's bytes went, or came from. */
struct log_frames {
    struct log_frame_place {
        size_t begin;      /* of the body in the transaction */
        uint64_t position; /* of the frame in the file */
    } * list;
    size_t count, room;
};

static inline uint32_t log_sector_of(const struct log_store *log, uint64_t serial)
{
    return (uint32_t)(serial % log->sector_count);
}

/* The most that a transaction has, and that all entries that count have. */
static inline size_t log_txn_max(const struct log_store *log)
{
    return (size_t)(log->io->size / 16);
}

static inline uint64_t log_live_max(const struct log_store *log)
{
    return log->io->size / 8 * 5;
}

/* What an item or a device's head takes of the live size. */
static inline uint32_t log_head_size(const struct eds_item_device *device)
{
    return LOG_ENTRY_HEADER_SIZE + LOG_HEAD_FIXED + (uint32_t)strlen(device->id);
}

static inline uint32_t log_command_size(const struct eds_item_device *device)
{
    return LOG_ENTRY_HEADER_SIZE + LOG_COMMAND_FIXED + (uint32_t)strlen(device->id);
}

static inline uint64_t log_place(const struct log_frame_place *frame, size_t offset)
{
    return frame->position << 20 | (offset - frame->begin);
}

static inline uint64_t log_place_frame(uint64_t place)
{
    return place >> 20;
}

static inline uint32_t log_place_offset(uint64_t place)
{
    return (uint32_t)(place & 0xfffff);
}

/* log_home tells the home of what is in a transaction. */
static inline uint32_t log_home(const struct log_store *log, const struct log_frames *frames)
{
    return (uint32_t)(frames->list[0].position / log->sector_size);
}

/* log_node_in, log_head_in and log_command_in tell what has its home in a sector. */
static inline bool log_node_in(const struct eds_item_node *node, uint32_t sector)
{
    return node->place != 0 && node->home == sector;
}

static inline bool log_head_in(const struct eds_item_device *device, uint32_t sector)
{
    return device->head_place != 0 && device->head_home == sector;
}

static inline bool log_command_in(const struct eds_item_device *device, uint32_t sector)
{
    return device->command_place != 0 && device->command_home == sector;
}

/* log_write.c.  eds_ring_txn_add appends an entry with room for a body, which it
 * returns: the caller fills it and calls eds_ring_txn_seal, which puts the entry's
 * crc in.  NULL without memory. */
uint8_t *eds_ring_txn_add(struct log_txn *txn, enum log_kind kind, unsigned flags,
                          size_t body_size);
void eds_ring_txn_seal(struct log_txn *txn, const uint8_t *body, size_t body_size);
void eds_ring_txn_free(struct log_txn *txn);

bool eds_ring_frames_add(struct log_frames *frames, size_t begin, uint64_t position);
/* eds_ring_frames_find gives the frame that the transaction's byte at offset is in. */
const struct log_frame_place *eds_ring_frames_find(const struct log_frames *frames, size_t offset);

/* eds_ring_txn_gone appends what is pending. */
bool eds_ring_txn_gone(const struct log_store *log, struct log_txn *txn);

/* eds_ring_write puts a transaction at the log's end, making room first.  frames: out,
 * to be freed by the caller.  EDS_ERR_BUSY: the log is full.  After a failure
 * nothing of it counts as long as this process lives; what must not count later
 * either is the caller's to add to pending. */
int32_t eds_ring_write(struct log_store *log, const struct log_txn *txn, bool sync,
                       struct log_frames *frames, struct eds_error *err);

/* eds_ring_write_pending writes what is pending, if anything is. */
int32_t eds_ring_write_pending(struct log_store *log, struct eds_error *err);

/* eds_ring_append writes without making room: for the cleaner. */
int32_t eds_ring_append(struct log_store *log, const struct log_txn *txn, bool sync,
                        struct log_frames *frames, struct eds_error *err);

/* log_clean.c: free until so many sectors are. */
int32_t eds_ring_make_room(struct log_store *log, uint32_t sectors, struct eds_error *err);
uint32_t eds_ring_free_sectors(const struct log_store *log);

/* log_item.c: an item as the body of an entry, and back. */
size_t eds_ring_item_size(const struct eds_buffer_item *item);
int32_t eds_ring_item_encode(uint8_t *body, const struct eds_buffer_item *item,
                             struct eds_error *err);
/* EDS_OK with *out for the caller to free, EDS_ERR_MALFORMED, EDS_ERR_NO_MEMORY. */
int32_t eds_ring_item_decode(struct eds_buffer_item **out, unsigned flags, const uint8_t *body,
                             size_t size);
/* eds_ring_item_read reads a node's item from the medium. */
int32_t eds_ring_item_read(struct log_store *log, const struct eds_item_node *node,
                           struct eds_buffer_item **out, struct eds_error *err);

/* log_replay.c: what the medium holds, into the index. */
int32_t eds_ring_replay(struct log_store *log, struct eds_error *err);

/* eds_ring_set_reason keeps why a node is dead; NULL: it is not.  False without
 * memory. */
bool eds_ring_set_reason(struct log_store *log, struct eds_item_node *node, const char *reason);

/* store_log.c: the store on any medium.  io is the store's from then on, and
 * closed if this fails. */
int32_t eds_buffer_log_open_io(struct eds_buffer_store **out, struct eds_log_io *io,
                               struct eds_error *err);

#endif

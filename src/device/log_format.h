/* log_format.h - the bytes of a log (docs/SPEC.md 17).
 *
 * The file is a ring of sectors.  A sector has a header and then frames; a
 * frame has a piece of a transaction, or all of it; a transaction is a list of
 * entries that count together or not at all.
 *
 *   header  magic (8), serial (8), id_last (8), nonce (4), crc (4)
 *   frame   crc (4), size of the body (3), flags (1), body, zeros up to 8 bytes
 *   entry   kind (1), flags (1), 0 (2), size of the body (4), crc (4), body
 *
 * Numbers are little-endian.  Sector n of the file holds the serials that are n
 * modulo the number of sectors.  A frame's crc also covers serial, nonce and
 * place, so that no remainder of earlier times is taken for a frame. */
#ifndef EDS_DEVICE_LOG_FORMAT_H
#define EDS_DEVICE_LOG_FORMAT_H

#include <stdbool.h>
#include <string.h>

#include "edgesentry/record.h"

#define LOG_HEADER_SIZE       32u
#define LOG_FRAME_HEADER_SIZE 8u
#define LOG_FRAME_MIN         16u /* less is not begun at a sector's end */
#define LOG_ENTRY_HEADER_SIZE 12u
#define LOG_ALIGN             8u

#define LOG_FRAME_FIRST 1u /* a transaction begins */
#define LOG_FRAME_LAST  2u /* and ends */

enum log_kind {
    LOG_ITEM = 1, /* id, priority, size of reason, size of entry (2), entry, reason, payload */
    LOG_GONE,     /* id: delivered */
    LOG_VOID,     /* first id, count (4): a push that failed; heads are as before it */
    LOG_BURIED,   /* id, reason */
    LOG_REVIVED,  /* id */
    LOG_HEAD,     /* sequence, timestamp, record hash, device id */
    LOG_COMMAND,  /* counter of the last order that was answered, device id */
};

#define LOG_ITEM_MOVES_HEAD 1u /* flags of LOG_ITEM: it was pushed just now */
#define LOG_ITEM_DEAD       2u

#define LOG_ITEM_FIXED    (8u + 1u + 1u + 2u)       /* before the entry */
#define LOG_HEAD_FIXED    (8u + 8u + EDS_HASH_SIZE) /* before the device id */
#define LOG_COMMAND_FIXED 8u

#define LOG_ID_MAX (UINT64_MAX / 2) /* no log comes to so many ids or serials */

struct log_header {
    uint64_t serial;
    uint64_t id_last; /* ids up to here were used before this sector */
    uint32_t nonce;
};

static inline void log_put(uint8_t *out, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(number >> (8 * i));
}

static inline uint64_t log_get(const uint8_t *bytes, size_t size)
{
    uint64_t number = 0;

    for (size_t i = size; i-- > 0;)
        number = number << 8 | bytes[i];
    return number;
}

static inline uint32_t log_aligned(uint32_t size)
{
    return (size + LOG_ALIGN - 1) & ~(LOG_ALIGN - 1);
}

/* eds_ring_sector_size tells the sectors' size of a file: about 64 of them, 4 KiB to 1
 * MiB each.  0: no log has this size. */
uint32_t eds_ring_sector_size(uint64_t file_size);

void eds_ring_header_encode(uint8_t out[LOG_HEADER_SIZE], const struct log_header *header);
bool eds_ring_header_decode(struct log_header *out, const uint8_t bytes[LOG_HEADER_SIZE]);

/* eds_ring_frame_encode writes the header of a frame whose body is in its place
 * behind it, and the zeros. */
void eds_ring_frame_encode(uint8_t *frame, uint32_t size, unsigned flags,
                           const struct log_header *header, uint32_t offset);

/* eds_ring_frame_size gives the size of the body of a frame at offset of a sector, as
 * its header says, if that can be; else 0. */
uint32_t eds_ring_frame_size(const uint8_t *frame, uint32_t offset, uint32_t sector_size);
bool eds_ring_frame_good(const uint8_t *frame, uint32_t size, const struct log_header *header,
                         uint32_t offset);

static inline unsigned log_frame_flags(const uint8_t *frame)
{
    return frame[7];
}

#endif

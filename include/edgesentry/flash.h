/* flash.h - the offline buffer in raw flash memory, without a file system: for
 * firmware.
 *
 * It is the log store of buffer.h with its bytes (docs/SPEC.md 17), in a part of a
 * flash chip that belongs to it alone.  The part is written round and round, so all
 * of it wears alike.  The caller brings four functions; everything that a power cut
 * can do between and inside of them is the buffer's to bear. */
#ifndef EDGESENTRY_FLASH_H
#define EDGESENTRY_FLASH_H

#include "edgesentry/buffer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Each function returns EDS_OK or an error (EDS_ERR_IO).  Places are in bytes from the
 * beginning of the part.  Called by one thread at a time. */
struct eds_flash {
    uint64_t size;       /* of the part: from 256 KiB on, a multiple of the log's sectors */
    uint32_t erase_size; /* bytes that are erased together; a log's sector has one or several */

    int32_t (*read)(struct eds_flash *, uint64_t at, void *out, size_t size);

    /* Writes to bytes that are erased, each once: at and size are multiples of 8.
     * May return before the bytes are durable if sync waits for them. */
    int32_t (*program)(struct eds_flash *, uint64_t at, const void *bytes, size_t size);

    /* Makes the erase_size bytes at at 0xff. */
    int32_t (*erase)(struct eds_flash *, uint64_t at);

    int32_t (*sync)(struct eds_flash *); /* NULL: nothing is ever waited for */
    void *context;                       /* the caller's */
};

/* eds_buffer_open_flash opens the buffer in a part of a flash chip, and makes one
 * where the part is erased.
 *
 *   flash   outlives the buffer, and belongs to it meanwhile
 *   limits  NULL: none
 *
 * Errors as eds_buffer_open; EDS_ERR_EXISTS where something else is in there, and
 * EDS_ERR_USAGE where sizes do not fit: a log has 64 to 128 sectors of a power of 2 bytes,
 * 4 KiB (256 KiB in all) or more, and erase_size has to divide them. */
int32_t eds_buffer_open_flash(struct eds_buffer **out, struct eds_flash *flash,
                              const struct eds_buffer_limits *limits, struct eds_error *err);

/* eds_flash_format erases all of the part and makes an empty buffer: whatever was in
 * there is gone.  EDS_OK, EDS_ERR_USAGE, EDS_ERR_IO, EDS_ERR_PANIC without random bytes. */
int32_t eds_flash_format(struct eds_flash *flash, struct eds_error *err);

#ifdef __cplusplus
}
#endif

#endif

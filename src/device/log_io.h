/* log_io.h - the medium under the log store: a file of fixed size, or what a
 * test or a firmware puts in its place. */
#ifndef EDS_DEVICE_LOG_IO_H
#define EDS_DEVICE_LOG_IO_H

#include <stddef.h>

#include "edgesentry/error.h"

/* Embed it as the first member.  A write that failed may have written any part. */
struct eds_log_io {
    uint64_t size;    /* bytes; never changes */
    const char *name; /* for errors */
    int32_t (*read)(struct eds_log_io *, uint64_t at, void *out, size_t size, struct eds_error *);
    int32_t (*write)(struct eds_log_io *, uint64_t at, const void *bytes, size_t size,
                     struct eds_error *);
    int32_t (*sync)(struct eds_log_io *, struct eds_error *);
    void (*close)(struct eds_log_io *); /* frees it */
};

/* The sizes that a log can have. */
#define EDS_LOG_SIZE_MIN     (256u * 1024u)
#define EDS_LOG_SIZE_DEFAULT (16u * 1024u * 1024u)
#define EDS_LOG_SIZE_MAX     (64ull * 1024u * 1024u * 1024u)

/* eds_log_io_file opens a log's file, alone (EDS_ERR_BUSY), or makes one of
 * about size bytes: allocated in full, so that a full disk does not matter later,
 * with a first sector, and there under its name whole or not at all. */
int32_t eds_log_io_file(struct eds_log_io **out, const char *path, uint64_t size,
                        struct eds_error *err);

#endif

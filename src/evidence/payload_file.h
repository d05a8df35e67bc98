/* payload_file.h - a file of payloads: a JSON array of hex strings, the k-th
 * belonging to the k-th record.  Read as it comes, one payload in memory. */
#ifndef EDS_EVIDENCE_PAYLOAD_FILE_H
#define EDS_EVIDENCE_PAYLOAD_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edgesentry/error.h"

#define EDS_PAYLOAD_SIZE_MAX (64u * 1024u * 1024u) /* bytes of one payload */

struct eds_payload_reader {
    /* Fills up to size bytes and returns how many; 0 at the end; -1 on error
     * with errno set. */
    ptrdiff_t (*read)(void *context, void *buf, size_t size);
    void *context;
    uint64_t count;    /* payloads returned */
    uint64_t position; /* of the next byte in the file, from 0 */
    size_t start, end; /* bytes not consumed yet: [start, end) of buf */
    bool begun, finished;
    char buf[16384];
};

/* eds_payload_reader_init prepares a reader. */
void eds_payload_reader_init(struct eds_payload_reader *reader,
                             ptrdiff_t (*read)(void *context, void *buf, size_t size),
                             void *context);

/* eds_payload_reader_next gives the next payload; the caller frees *out, which
 * is never NULL on EDS_OK.  EDS_ERR_NOT_FOUND at the proper end;
 * EDS_ERR_MALFORMED, EDS_ERR_TRUNCATED, EDS_ERR_TOO_LARGE, EDS_ERR_IO or
 * EDS_ERR_NO_MEMORY with *err naming the payload and the byte. */
int32_t eds_payload_reader_next(struct eds_payload_reader *reader, void **out, size_t *out_size,
                                struct eds_error *err);

#endif

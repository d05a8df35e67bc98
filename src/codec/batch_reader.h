/* batch_reader.h - many records with their payloads, one after the other.
 *
 *   lines   one envelope a line (NDJSON); empty lines mean nothing
 *   bytes   the compact form: entry (docs/SPEC.md 5), the payload's size as a
 *           varint, the payload; the size 2^64 - 1 says that it is not here
 *
 * The bytes may come in any pieces: what is given for a batch does not depend on
 * them.  A line that is no envelope is one fault and the next line goes on; in
 * bytes nothing tells where the next record would begin, so a fault ends them.
 *
 * No heap; any thread. */
#ifndef EDS_CODEC_BATCH_READER_H
#define EDS_CODEC_BATCH_READER_H

#include "edgesentry/json.h"

enum eds_batch_format { EDS_BATCH_LINES, EDS_BATCH_BYTES };

/* Bytes around a payload in the compact form, at most. */
#define EDS_BATCH_AROUND_MAX (EDS_COMPACT_SIZE_MAX + 10u)

struct eds_batch_reader {
    enum eds_batch_format format;
    uint64_t line;     /* of what comes next, from 1; lines */
    uint64_t count;    /* records and faults so far */
    uint64_t consumed; /* bytes so far */
    bool broken;       /* a fault has ended them */
};

/* eds_batch_reader_init prepares a reader. */
void eds_batch_reader_init(struct eds_batch_reader *reader, enum eds_batch_format format);

/* eds_batch_reader_next takes the next record from the front of what is there.
 *
 *   text, size  bytes not consumed yet; used up, and out->payload points into them
 *   at_end      nothing comes after them
 *   used        how many were consumed, for every result
 *
 * EDS_OK; EDS_ERR_NOT_FOUND when nothing is left over; EDS_ERR_TRUNCATED when more
 * bytes have to come (never at the end); anything else is a fault of one record,
 * with *err naming line, or record and byte. */
int32_t eds_batch_reader_next(struct eds_batch_reader *reader, char *text, size_t size, bool at_end,
                              size_t *used, struct eds_envelope *out, struct eds_error *err);

/* eds_batch_write_bytes writes one record in the compact form; out has room for
 * EDS_BATCH_AROUND_MAX + payload_size.  EDS_OK and *out_size, or as
 * eds_compact_encode.  eds_batch_write_bare writes one without its payload, for
 * which EDS_BATCH_AROUND_MAX bytes do. */
int32_t eds_batch_write_bare(uint8_t *out, size_t *out_size, const struct eds_entry *entry);
int32_t eds_batch_write_bytes(uint8_t *out, size_t *out_size, const struct eds_entry *entry,
                              const void *payload, size_t payload_size);

#endif

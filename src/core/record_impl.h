/* record_impl.h - the canonical bytes from inside: shared by the record, the
 * compact entry and the bridge's lenient hash. */
#ifndef EDS_CORE_RECORD_IMPL_H
#define EDS_CORE_RECORD_IMPL_H

#include "edgesentry/record.h"

/* A place in untrusted bytes.  The first fault sticks: later takes do nothing
 * and give zeros, so that a decoder reads like the format's table. */
struct eds_cursor {
    const uint8_t *start;
    const uint8_t *at;
    size_t left;
    const char *field;     /* being read */
    const uint8_t *whence; /* where it begins */
    const char *fault;     /* NULL: none so far */
    bool truncated;        /* the fault is that the bytes end */
};

void eds_cursor_begin(struct eds_cursor *cursor, const uint8_t *buf, size_t size);

/* eds_cursor_fail notes a fault of the field being read, if it is the first. */
void eds_cursor_fail(struct eds_cursor *cursor, const char *fault);

/* eds_cursor_bytes copies size bytes to out, the field of that name. */
void eds_cursor_bytes(struct eds_cursor *cursor, const char *field, void *out, size_t size);

/* eds_cursor_u64 reads a varint. */
uint64_t eds_cursor_u64(struct eds_cursor *cursor, const char *field);

/* eds_cursor_string reads a string of at most out_size - 1 bytes into out, which is all
 * zero: 256, 512 or 1025 bytes. */
void eds_cursor_string(struct eds_cursor *cursor, const char *field, void *out, size_t out_size);

/* eds_cursor_record reads one record's canonical bytes. */
void eds_cursor_record(struct eds_cursor *cursor, EdsAuditRecord *out);

/* eds_cursor_say puts field, position and fault into *err (may be NULL) and
 * returns code. */
int32_t eds_cursor_say(const struct eds_cursor *cursor, int32_t code, struct eds_error *err);

/* eds_record_digest_lossy hashes a record as the original's bridge does: a
 * string without NUL takes its whole buffer, and what is not UTF-8 in it
 * counts as U+FFFD.  Equal to eds_record_digest where that succeeds. */
void eds_record_digest_lossy(uint8_t out[EDS_HASH_SIZE], const EdsAuditRecord *record);

#endif

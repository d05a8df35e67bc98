/* json.h - records, chain files, envelopes and answers as JSON.
 *
 * Strict: one walk over the text; any white space and any order of fields, but
 * no unknown, repeated or missing field, no wrong length, no number out of
 * range or spelled otherwise than as a plain integer, no invalid UTF-8, no NUL
 * in a string, nothing after the value.  An error names the field, line,
 * column and byte position, and what was expected.  Form: docs/SPEC.md.
 *
 * No heap; any thread. */
#ifndef EDGESENTRY_JSON_H
#define EDGESENTRY_JSON_H

#include "edgesentry/command.h"
#include "edgesentry/record.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes that hold any entry's JSON and a NUL, compact, or pretty with an indent
 * of up to 8. */
#define EDS_JSON_ENTRY_SIZE_MAX 8192u

/* The longest text of one record that a chain reader takes, white space
 * included.  Longer ones are EDS_ERR_TOO_LARGE. */
#define EDS_JSON_ENTRY_TEXT_MAX (64u * 1024u) /* bytes */

enum eds_json_style {
    EDS_JSON_COMPACT, /* no white space, as serde_json's to_string */
    EDS_JSON_PRETTY,  /* two spaces, one array number a line, as to_string_pretty */
};

/* eds_json_entry_decode reads one record object, with or without "attest".
 *
 *   out         filled on EDS_OK, untouched otherwise
 *   text, size  read only, no terminator needed
 *
 * EDS_OK; EDS_ERR_MALFORMED; or EDS_ERR_TRUNCATED when nothing is wrong but
 * that the text ends before the record does. */
int32_t eds_json_entry_decode(struct eds_entry *out, const char *text, size_t size,
                              struct eds_error *err);

/* eds_json_entry_encode writes an entry, the attestation only if present.
 *
 *   out, out_size  out_size bytes at out; EDS_JSON_ENTRY_SIZE_MAX always do
 *   indent         spaces before every line but the first (pretty only)
 *
 * Returns the length without the final NUL, or 0 if out_size is too small or
 * a string of the record is not valid. */
size_t eds_json_entry_encode(char *out, size_t out_size, const struct eds_entry *entry,
                             enum eds_json_style style, unsigned indent);

/* An ingest request: {"record": {...}, "raw_payload_hex": "..."}, or null instead of
 * the string where the payload was brought before. */
struct eds_envelope {
    struct eds_entry entry;
    const uint8_t *payload; /* inside the decoded text; NULL only if payload_absent */
    size_t payload_size;    /* bytes */
    bool payload_absent;    /* it is not here: kept already, under its hash */
};

/* eds_json_envelope_decode reads one envelope and turns the payload's hex into
 * bytes in place: text is used up, and out->payload points into it.
 *
 * EDS_OK, EDS_ERR_MALFORMED or EDS_ERR_TRUNCATED.  A wrong hex digit says
 * "invalid hex payload: Invalid character 'z' at position 0" or
 * "invalid hex payload: Odd number of digits", as the original. */
int32_t eds_json_envelope_decode(struct eds_envelope *out, char *text, size_t size,
                                 struct eds_error *err);

/* eds_json_envelope_size tells the bytes that eds_json_envelope_encode needs
 * at most, NUL included, for a payload of that size; SIZE_MAX if no memory can
 * have as many. */
size_t eds_json_envelope_size(size_t payload_size);

/* eds_json_envelope_encode writes an envelope, compact, in lower-case hex.
 * Returns the length without the NUL, or 0 as eds_json_entry_encode. */
size_t eds_json_envelope_encode(char *out, size_t out_size, const struct eds_entry *entry,
                                const void *payload, size_t payload_size);

/* eds_json_envelope_encode_bare writes an envelope without the payload, which the
 * server has already; EDS_JSON_ENTRY_SIZE_MAX + 64 bytes always do. */
size_t eds_json_envelope_encode_bare(char *out, size_t out_size, const struct eds_entry *entry);

/* eds_json_string_encode writes text as a JSON string with its quotes, escaped
 * as serde_json does; bytes that are not UTF-8 become U+FFFD.  Returns the
 * length without the NUL, or 0 if it does not fit. */
size_t eds_json_string_encode(char *out, size_t out_size, const char *text, size_t text_size);

/* An answer of the ingest endpoint. */
struct eds_answer {
    bool accepted;                   /* durable there: the sender may forget the record */
    bool quarantined;                /* accepted is true, but kept apart from the device's chain */
    char error[EDS_ERROR_TEXT_SIZE]; /* "" if accepted */
};

/* eds_json_answer_encode writes {"status":"accepted"}, {"status":"quarantined"} or
 * {"status":"rejected","error":"..."}; as above. */
size_t eds_json_answer_encode(char *out, size_t out_size, const struct eds_answer *answer);

/* eds_json_answer_encode_for writes the same with the record that it is about in
 * front: {"device_id":"...","sequence":1,"status":"accepted"}, for answers that
 * are read by many.  EDS_JSON_ANSWER_SIZE_MAX bytes always do. */
#define EDS_JSON_ANSWER_SIZE_MAX (6u * (EDS_ERROR_TEXT_SIZE + EDS_DEVICE_ID_SIZE) + 128u)
size_t eds_json_answer_encode_for(char *out, size_t out_size, const char *device_id,
                                  uint64_t sequence, const struct eds_answer *answer);

/* eds_json_answer_decode reads one, for clients.  Unknown fields are skipped:
 * servers may say more than we know.  EDS_OK, EDS_ERR_MALFORMED,
 * EDS_ERR_TRUNCATED. */
int32_t eds_json_answer_decode(struct eds_answer *out, const char *text, size_t size,
                               struct eds_error *err);

/* eds_json_answer_decode_for reads one that says which record it is about, as
 * eds_json_answer_encode_for writes it; device_id and sequence may be written even if
 * it fails.  As above. */
int32_t eds_json_answer_decode_for(char device_id[EDS_DEVICE_ID_SIZE], uint64_t *sequence,
                                   struct eds_answer *out, const char *text, size_t size,
                                   struct eds_error *err);

/* What a batch endpoint says of one record. */
struct eds_result {
    struct eds_answer answer;
    bool retry; /* it was not decided: send it again */
};

/* eds_json_results_decode reads the answer to a batch and calls take for each of
 * its results, in their order (index from 0), also for those before a fault.
 * Unknown fields are skipped.  EDS_OK, EDS_ERR_MALFORMED, EDS_ERR_TRUNCATED. */
int32_t eds_json_results_decode(const char *text, size_t size,
                                void (*take)(void *context, size_t index,
                                             const struct eds_result *result),
                                void *context, struct eds_error *err);

/* The shape of a file of records. */
enum eds_chain_format {
    EDS_CHAIN_ARRAY,   /* a JSON array of record objects: the original's form */
    EDS_CHAIN_NDJSON,  /* one record object a line */
    EDS_CHAIN_COMPACT, /* compact binary entries, one after the other */
};

/* Reads a file of records as it comes, one entry a call, in constant memory.
 * The caller gives the buffer and a function that reads more bytes. */
struct eds_chain_reader {
    enum eds_chain_format format;
    /* Fills up to size bytes and returns how many; 0 at the end; -1 on error
     * with errno set. */
    ptrdiff_t (*read)(void *context, void *buf, size_t size);
    void *context;
    char *buf; /* the caller's, at least 2 * EDS_JSON_ENTRY_TEXT_MAX bytes */
    size_t buf_size;
    size_t start, end;     /* bytes not consumed yet: [start, end) of buf */
    uint64_t consumed;     /* bytes of the file before start: for progress */
    uint64_t line, column; /* of start, for errors */
    uint64_t count;        /* entries returned */
    bool at_end;           /* read has said 0 */
    bool begun;            /* the array's '[' is read */
    int32_t rc;            /* what the last call returned; all but EDS_OK stay */
};

/* eds_chain_reader_init prepares a reader; buf_size in bytes. */
void eds_chain_reader_init(struct eds_chain_reader *reader, enum eds_chain_format format,
                           ptrdiff_t (*read)(void *context, void *buf, size_t size), void *context,
                           char *buf, size_t buf_size);

/* eds_chain_reader_next gives the next entry.  EDS_OK; EDS_ERR_NOT_FOUND at
 * the proper end; EDS_ERR_MALFORMED, EDS_ERR_TRUNCATED, EDS_ERR_TOO_LARGE or
 * EDS_ERR_IO with *err naming line, column and position in the file.  *out may
 * be partly written then.  After anything but EDS_OK it gives the same again.
 * How the bytes came in makes no difference to entries and errors. */
int32_t eds_chain_reader_next(struct eds_chain_reader *reader, struct eds_entry *out,
                              struct eds_error *err);

/* Bytes that hold any signed order's JSON and a NUL, compact. */
#define EDS_JSON_SIGNED_ORDER_SIZE_MAX 10240u

/* eds_json_signed_order_encode writes a signed order that eds_order_check takes; out,
 * out_size and the result as for eds_json_entry_encode. */
size_t eds_json_signed_order_encode(char *out, size_t out_size,
                                    const struct eds_signed_order *signed_order);

/* eds_json_signed_order_decode reads one.  EDS_OK, EDS_ERR_MALFORMED (also for what
 * eds_order_check refuses), EDS_ERR_TRUNCATED; out is untouched then. */
int32_t eds_json_signed_order_decode(struct eds_signed_order *out, const char *text, size_t size,
                                     struct eds_error *err);

#ifdef __cplusplus
}
#endif

#endif

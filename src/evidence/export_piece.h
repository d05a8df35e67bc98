/* export_piece.h - some records of a chain in a row, and the text that they are in
 * a file. */
#ifndef EDS_EVIDENCE_EXPORT_PIECE_H
#define EDS_EVIDENCE_EXPORT_PIECE_H

#include "edgesentry/json.h"
#include "store/ledger.h"

#define EDS_EXPORT_PIECE_MAX   128u            /* records */
#define EDS_EXPORT_PIECE_BYTES (1024u * 1024u) /* of payloads: with more a piece is full */

/* Bytes one behind the other; they move when they grow. */
struct eds_export_bytes {
    uint8_t *bytes;
    size_t size, capacity;
};

struct eds_export_item {
    struct eds_entry entry;
    uint8_t record_hash[EDS_HASH_SIZE]; /* as stored */
    bool is_kept;                       /* the payload is in the piece */
    size_t payload_at, payload_size;    /* in payloads */
    size_t text_end;                    /* of its text in records; 0: it cannot be encoded */
    size_t digits_end;                  /* of its digits, with all around them, in digits */
};

struct eds_export_piece {
    struct eds_export_item items[EDS_EXPORT_PIECE_MAX];
    size_t count;
    bool is_first;   /* of the file */
    bool has_failed; /* without memory */
    struct eds_export_bytes payloads, records, digits;
};

/* eds_export_piece_add puts a record, and its payload if it comes with one, at the
 * end of a piece that is not full.  EDS_OK or EDS_ERR_NO_MEMORY. */
int32_t eds_export_piece_add(struct eds_export_piece *piece, const struct eds_stored *stored,
                             struct eds_error *err);
bool eds_export_piece_is_full(const struct eds_export_piece *piece);
void eds_export_piece_clear(struct eds_export_piece *piece);
void eds_export_piece_free(void *piece); /* what it holds */

/* eds_export_piece_write makes the text.  Any thread. */
void eds_export_piece_write(struct eds_export_piece *piece, enum eds_chain_format format);

/* What stands before a payload's digits, by whether it is the file's first. */
const char *eds_export_before_digits(bool is_first);
#define EDS_EXPORT_AFTER_DIGITS "\""

#endif

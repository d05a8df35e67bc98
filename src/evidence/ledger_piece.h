/* ledger_piece.h - some records of a ledger in a row, and what one thread finds in
 * them without the records before: hashes, signatures, payloads.
 *
 * What needs their order, links and heads, comes afterwards (ledger_chains.h). */
#ifndef EDS_EVIDENCE_LEDGER_PIECE_H
#define EDS_EVIDENCE_LEDGER_PIECE_H

#include "evidence/fetcher.h"
#include "evidence/key_cache.h"
#include "evidence/ledger_check.h"

#define EDS_LEDGER_PIECE_MAX   256u            /* records */
#define EDS_LEDGER_PIECE_BYTES (1024u * 1024u) /* of payloads: with more a piece is full */

/* A device whose records are in pieces: the walking thread's, read by all. */
struct eds_ledger_device {
    struct eds_ledger_device *next; /* whose records come next */
    size_t key_count;               /* 0: signatures cannot be checked */
    struct eds_ledger_key {
        struct eds_enrolled_key enrolled;
        uint8_t key_id[EDS_KEY_ID_SIZE];
    } keys[];
};

enum eds_ledger_payload {
    EDS_LEDGER_PAYLOAD_UNNAMED,  /* the reference stands for nothing */
    EDS_LEDGER_PAYLOAD_KEPT,     /* it is in the piece */
    EDS_LEDGER_PAYLOAD_ELSEWHERE /* not in the ledger */
};

struct eds_ledger_item {
    /* As the ledger gave it. */
    struct eds_entry entry;
    uint8_t stored_hash[EDS_HASH_SIZE];
    uint64_t ingested_ms;
    const struct eds_ledger_device *device;
    enum eds_ledger_payload payload;
    uint8_t object_hash[EDS_HASH_SIZE]; /* of what the reference stands for */
    size_t payload_at, payload_size;    /* in the piece's payloads */

    /* What was found. */
    bool has_hash; /* it can be encoded */
    uint8_t record_hash[EDS_HASH_SIZE];
    bool is_signed;                   /* under keys that were valid then */
    bool is_signed_at_all;            /* else: under any the device ever had */
    struct eds_chain_finding finding; /* else: what is wrong */
    int32_t payload_rc;               /* EDS_OK: there, and its hash is: */
    uint8_t payload_hash[EDS_HASH_SIZE];
};

struct eds_ledger_piece {
    struct eds_ledger_item items[EDS_LEDGER_PIECE_MAX];
    size_t count;
    uint8_t *payloads; /* one behind the other */
    size_t payloads_size, payloads_capacity;
    struct eds_error err; /* of the first payload that could not be read */
};

/* eds_ledger_piece_add puts a record (of a scan_whole) at the end of a piece that is
 * not full.  EDS_OK or EDS_ERR_NO_MEMORY. */
int32_t eds_ledger_piece_add(struct eds_ledger_piece *piece, const struct eds_stored *stored,
                             const struct eds_ledger_device *device, struct eds_error *err);
bool eds_ledger_piece_is_full(const struct eds_ledger_piece *piece);
void eds_ledger_piece_clear(struct eds_ledger_piece *piece);
void eds_ledger_piece_free(void *piece); /* what it holds */

/* What a thread needs to inspect pieces. */
struct eds_ledger_desk;
/* One of the users of keys; NULL without memory. */
struct eds_ledger_desk *eds_ledger_desk_create(struct eds_key_cache *keys);
void eds_ledger_desk_destroy(struct eds_ledger_desk *desk);

/* eds_ledger_piece_inspect finds what can be found.
 *
 *   fetcher  of payloads that are kept elsewhere; NULL: they are not looked at */
void eds_ledger_piece_inspect(struct eds_ledger_piece *piece, struct eds_ledger_desk *desk,
                              struct eds_fetcher *fetcher);

#endif

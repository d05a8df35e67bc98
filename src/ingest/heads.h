/* heads.h - the chain heads met last, so that the ledger need not be asked for
 * each record.
 *
 * Only a cache: it may forget a head at any time, and a head in it may be out
 * of date where several nodes share a ledger; the ledger's commit finds out.
 * Its conflict_count is that of when it was read: only the ledger counts on.
 * Fixed size, no allocation after init.  One thread. */
#ifndef EDS_INGEST_HEADS_H
#define EDS_INGEST_HEADS_H

#include "store/ledger.h"

/* A device id as a 128-bit keyed hash.  Nobody without the key can find two
 * ids that share one, and by chance it does not happen. */
struct eds_head_key {
    uint64_t words[2]; /* both zero: none */
};

struct eds_heads {
    struct eds_heads_entry *entries;
    size_t set_count; /* a power of two */
    uint64_t now;     /* counts uses */
    uint8_t secret[16];
};

/* eds_heads_init makes an empty cache for about max heads (96 bytes each, not
 * touched before they are used; max is at most 2^24).  EDS_OK, EDS_ERR_NO_MEMORY, EDS_ERR_PANIC
 * (no randomness). */
int32_t eds_heads_init(struct eds_heads *heads, size_t max);
void eds_heads_free(struct eds_heads *heads);

struct eds_head_key eds_heads_key(const struct eds_heads *heads, const char *device_id);

/* eds_heads_get copies a head out; false if it is not there. */
bool eds_heads_get(struct eds_heads *heads, struct eds_head_key key, struct eds_head *out);

/* eds_heads_put keeps a head, in place of an older one if it must. */
void eds_heads_put(struct eds_heads *heads, struct eds_head_key key, const struct eds_head *head);

/* eds_heads_drop forgets a head. */
void eds_heads_drop(struct eds_heads *heads, struct eds_head_key key);

#endif

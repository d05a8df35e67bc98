/* shares.h - what each source may hold of the memory of all bodies.
 *
 * Somebody who sends most of many bodies and then dawdles would hold all of it, and
 * everybody else be answered 503.  So large bodies that are coming in are counted for each
 * source as well.  The counts are a fixed table that sources fall into by a keyed hash:
 * two that share a place share what there is of it, which does no harm while neither
 * holds much. */
#ifndef EDS_INGEST_SHARES_H
#define EDS_INGEST_SHARES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edgesentry/error.h"

#define EDS_SHARE_COUNT 4096u
#define EDS_SHARE_PART  4u /* a source may hold one of so many parts of the memory */

struct eds_shares {
    size_t share_max; /* bytes */
    uint8_t secret[16];
    atomic_size_t held[EDS_SHARE_COUNT];
};

/* eds_shares_init: each may hold a part of memory_max, but never less than two bodies.
 * EDS_OK, EDS_ERR_PANIC (no randomness). */
int32_t eds_shares_init(struct eds_shares *shares, size_t memory_max, size_t body_size_max,
                        struct eds_error *err);

/* eds_shares_of finds a source's place; an IPv6 address stands for its /64. */
atomic_size_t *eds_shares_of(struct eds_shares *shares, const char *source);

/* eds_shares_reserve takes size bytes; false past the share.  eds_shares_give_back
 * gives bytes back; share may be NULL if there are none. */
bool eds_shares_reserve(const struct eds_shares *shares, atomic_size_t *share, size_t size);
void eds_shares_give_back(atomic_size_t *share, size_t size);

#endif

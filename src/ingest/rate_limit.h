/* rate_limit.h - so many a second for each name, in memory that does not grow
 * with the number of names.
 *
 * A token bucket for each name.  Of a bucket only the moment is kept at which it
 * will be full again: one number says how full it is now.  A bucket that is full
 * is as good as none, so a fixed table is enough; where more names than it holds
 * are busy at once, a new one takes over the fullest bucket of its set as it is,
 * so that inventing names wins nobody more than the table holds.  Any thread. */
#ifndef EDS_INGEST_RATE_LIMIT_H
#define EDS_INGEST_RATE_LIMIT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "edgesentry/error.h"

struct eds_rate {
    uint64_t per_second; /* 0: no limit */
    uint64_t burst;      /* so many at once after a pause; 0: as many as a second brings */
};

#define EDS_RATE_MAX         1000000000u /* of either */
#define EDS_RATE_LIMIT_LOCKS 16u

struct eds_rate_limit {
    _Atomic uint64_t per_second; /* 0: no limit */
    _Atomic uint64_t bucket_ns;  /* from empty to full */
    struct bucket *buckets;      /* NULL while there was never a limit */
    size_t set_count;            /* a power of two */
    uint8_t secret[16];
    pthread_mutex_t locks[EDS_RATE_LIMIT_LOCKS]; /* of the sets, in turn */
};

/* eds_rate_limit_init prepares buckets for about name_max names (16 bytes each,
 * not touched before they are used).  EDS_OK, EDS_ERR_NO_MEMORY, EDS_ERR_PANIC
 * (no randomness), EDS_ERR_USAGE for a rate above EDS_RATE_MAX; call
 * eds_rate_limit_free in any case. */
int32_t eds_rate_limit_init(struct eds_rate_limit *limit, struct eds_rate rate, size_t name_max);
void eds_rate_limit_free(struct eds_rate_limit *limit);

/* eds_rate_limit_set changes the rate while others take: what a name has used up of a
 * bucket stays used.  Errors as init, and then nothing has changed; one thread at a
 * time. */
int32_t eds_rate_limit_set(struct eds_rate_limit *limit, struct eds_rate rate);

/* eds_rate_limit_take takes count tokens out of a name's bucket; more than fit
 * into a full one are taken as a full one.  0 if they were there; else nothing
 * was taken, and the result is how long (ns) they will be wanting.
 *
 *   now_ns  of a clock that never jumps */
uint64_t eds_rate_limit_take(struct eds_rate_limit *limit, const void *name, size_t name_size,
                             uint64_t count, uint64_t now_ns);

/* eds_rate_limit_holds says whether a full bucket has so many tokens. */
bool eds_rate_limit_holds(const struct eds_rate_limit *limit, uint64_t count);

/* eds_rate_limit_reserve takes count tokens that are there, or will be within
 * patience_ns.  True: they are taken, and *wait_ns is how long to wait before they are
 * used (0: not at all).  False: nothing was taken, and *wait_ns is how long until they
 * could be.  Count and now_ns as for take. */
bool eds_rate_limit_reserve(struct eds_rate_limit *limit, const void *name, size_t name_size,
                            uint64_t count, uint64_t patience_ns, uint64_t now_ns,
                            uint64_t *wait_ns);

/* eds_rate_parse reads "RATE", "RATE:BURST" or "0".  EDS_OK or EDS_ERR_USAGE. */
int32_t eds_rate_parse(struct eds_rate *out, const char *text, struct eds_error *err);

#endif

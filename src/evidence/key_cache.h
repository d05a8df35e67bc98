/* key_cache.h - tables of the keys that one thread is verifying under.
 *
 * A ledger has any number of devices, and a table takes 86 KiB and as long as two
 * verifications without one.  Its records come device by device, so a few tables
 * are enough: the one that was used longest ago makes room. */
#ifndef EDS_EVIDENCE_KEY_CACHE_H
#define EDS_EVIDENCE_KEY_CACHE_H

#include "edgesentry/verifier.h"

struct eds_key_cache;

struct eds_key_cache *eds_key_cache_create(void); /* NULL without memory */
void eds_key_cache_destroy(struct eds_key_cache *cache);

/* eds_key_cache_find gives a key's table, or NULL: it is no good key, it is not
 * there and not worth_making, or tables are of no use.  *is_full is set, and nothing
 * made, if the tables that were given since the last eds_key_cache_release take all
 * the room. */
const struct eds_verifier_table *eds_key_cache_find(struct eds_key_cache *cache,
                                                    const uint8_t public_key[EDS_PUBLIC_KEY_SIZE],
                                                    bool worth_making, bool *is_full);

/* eds_key_cache_release says that no table given so far is used any more. */
void eds_key_cache_release(struct eds_key_cache *cache);

#endif

/* key_cache.h - tables of the keys that threads are verifying under.
 *
 * A ledger has any number of devices, and a table takes 86 KiB and as long as five
 * verifications without one.  Its records come device by device, so a few tables are
 * enough: the one that was used longest ago makes room.  All threads share them, since
 * each would need the table of the same device at about the same time: one makes it, and
 * the others wait for it. */
#ifndef EDS_EVIDENCE_KEY_CACHE_H
#define EDS_EVIDENCE_KEY_CACHE_H

#include "edgesentry/verifier.h"

struct eds_key_cache;

/* eds_key_cache_create makes a cache for so many users, with 24 tables for each: what a
 * core has near by.  They are allocated when they are needed.  NULL without memory. */
struct eds_key_cache *eds_key_cache_create(unsigned user_count);
void eds_key_cache_destroy(struct eds_key_cache *cache); /* its users are gone */

/* One who holds tables: one thread at a time.  There are at most as many as was said. */
struct eds_key_user;
struct eds_key_user *eds_key_user_create(struct eds_key_cache *cache); /* NULL without memory */
void eds_key_user_destroy(struct eds_key_user *user);                  /* releases all */

/* eds_key_user_find gives a key's table, or NULL: it is no good key, there is no memory,
 * it is not there and not worth_making, or tables are of no use.  *is_full is set, and
 * nothing given, if the user already holds as many as one may. */
const struct eds_verifier_table *eds_key_user_find(struct eds_key_user *user,
                                                   const uint8_t public_key[EDS_PUBLIC_KEY_SIZE],
                                                   bool worth_making, bool *is_full);

/* eds_key_user_release says that no table given so far is used any more. */
void eds_key_user_release(struct eds_key_user *user);

#endif

/* key_table.h - numbers for strings: the n-th key added has index n.
 *
 * Keys come from outside (device ids, references), so the hash is keyed with a
 * secret drawn at init: nobody can choose ids that collide.  The last key added
 * can be taken back, which is how a store undoes half a commit. */
#ifndef EDS_STORE_KEY_TABLE_H
#define EDS_STORE_KEY_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "edgesentry/error.h"

#define EDS_KEY_ABSENT SIZE_MAX

struct eds_key_table_item {
    const char *key; /* the caller's; alive and unchanged while it is in here */
    uint64_t hash;
};

/* Part of the hash is here, so that a look-up seldom has to see an item that is not its
 * own: in a large table that is a cache line for each. */
struct eds_key_table_slot {
    uint32_t number; /* index + 1, or 0 where free */
    uint32_t tag;
};

struct eds_key_table {
    struct eds_key_table_item *items; /* by index */
    size_t count;
    size_t capacity;                  /* of items */
    struct eds_key_table_slot *slots; /* linear probing */
    size_t slot_mask;                 /* slots is slot_mask + 1 long, a power of two */
    uint8_t secret[16];
};

/* eds_key_hash is a hash that nobody without the secret can foresee. */
uint64_t eds_key_hash(const uint8_t secret[16], const void *bytes, size_t size);

/* eds_key_table_init makes an empty table.  EDS_OK, EDS_ERR_NO_MEMORY, or
 * EDS_ERR_IO when the system has no randomness. */
int32_t eds_key_table_init(struct eds_key_table *table, struct eds_error *err);

/* eds_key_table_free releases a table; a zeroed one may be freed too. */
void eds_key_table_free(struct eds_key_table *table);

/* eds_key_table_find returns a key's index or EDS_KEY_ABSENT. */
size_t eds_key_table_find(const struct eds_key_table *table, const char *key);

/* eds_key_table_add adds a key that is absent; its index is the count before.
 * EDS_OK, or EDS_ERR_NO_MEMORY with nothing changed. */
int32_t eds_key_table_add(struct eds_key_table *table, const char *key);

/* The same for who looks for a key first and then adds it: hash is
 * eds_key_table_hash of the key. */
uint64_t eds_key_table_hash(const struct eds_key_table *table, const char *key);
size_t eds_key_table_find_hashed(const struct eds_key_table *table, const char *key, uint64_t hash);
int32_t eds_key_table_add_hashed(struct eds_key_table *table, const char *key, uint64_t hash);

/* eds_key_table_pop takes back the key that was added last. */
void eds_key_table_pop(struct eds_key_table *table);

/* eds_key_table_clear takes back all keys and keeps the memory. */
void eds_key_table_clear(struct eds_key_table *table);

#endif

/* index.h - a hash table of devices, found by a keyed hash of their id or of
 * one of their public keys.
 *
 * The index knows nothing of what it points to: callers walk the devices whose
 * hash fits and compare for themselves.  The hash is keyed with a secret drawn
 * at start (SipHash), so nobody can choose ids that collide.  The caller's lock
 * protects it. */
#ifndef EDS_REGISTRY_INDEX_H
#define EDS_REGISTRY_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct eds_index_slot {
    uint64_t hash;
    void *item; /* NULL: free */
};

struct eds_index {
    struct eds_index_slot *slots;
    size_t slot_count; /* 0 or a power of two */
    size_t used;
};

/* Where a walk through the items of one hash stands. */
struct eds_index_walk {
    const struct eds_index *index;
    uint64_t hash;
    size_t at;
};

/* eds_index_reserve makes room for more items.  False without memory; the index
 * is then as it was. */
bool eds_index_reserve(struct eds_index *index, size_t more);

/* eds_index_put adds an item; room was reserved before. */
void eds_index_put(struct eds_index *index, uint64_t hash, void *item);

/* eds_index_move lets the entry of hash that pointed to old point to item. */
void eds_index_move(struct eds_index *index, uint64_t hash, const void *old, void *item);

/* eds_index_remove takes out the entry of hash that points to item. */
void eds_index_remove(struct eds_index *index, uint64_t hash, const void *item);

/* eds_index_begin starts a walk, eds_index_next gives the next item with that
 * hash, or NULL when there is none left. */
void eds_index_begin(struct eds_index_walk *walk, const struct eds_index *index, uint64_t hash);
void *eds_index_next(struct eds_index_walk *walk);

/* eds_index_free gives the slots back; the items are the caller's. */
void eds_index_free(struct eds_index *index);

#endif

/* index.c - see index.h.  Open addressing with linear steps: two cache lines
 * settle nearly every look-up, and an item costs 16 bytes at 3/4 full. */
#include "registry/index.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_SLOT_COUNT 16u

static size_t free_slot(const struct eds_index_slot *slots, size_t slot_count, uint64_t hash)
{
    size_t at = (size_t)hash & (slot_count - 1);

    while (slots[at].item != NULL)
        at = (at + 1) & (slot_count - 1);
    return at;
}

bool eds_index_reserve(struct eds_index *index, size_t more)
{
    struct eds_index_slot *slots;
    size_t slot_count;

    if (index->used + more <= index->slot_count / 4 * 3)
        return true;
    slot_count = index->slot_count == 0 ? FIRST_SLOT_COUNT : index->slot_count * 2;
    while (index->used + more > slot_count / 4 * 3)
        slot_count *= 2;
    slots = calloc(slot_count, sizeof *slots); /* also refuses a product that overflows */
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < index->slot_count; i++)
        if (index->slots[i].item != NULL)
            slots[free_slot(slots, slot_count, index->slots[i].hash)] = index->slots[i];
    free(index->slots);
    index->slots = slots;
    index->slot_count = slot_count;
    return true;
}

void eds_index_put(struct eds_index *index, uint64_t hash, void *item)
{
    struct eds_index_slot *slot;

    assert(index->used + 1 <= index->slot_count / 4 * 3); /* reserved: one slot stays free */
    slot = &index->slots[free_slot(index->slots, index->slot_count, hash)];
    slot->hash = hash;
    slot->item = item;
    index->used++;
}

static size_t slot_of(const struct eds_index *index, uint64_t hash, const void *item)
{
    size_t at = (size_t)hash & (index->slot_count - 1);

    while (index->slots[at].item != item || index->slots[at].hash != hash) {
        assert(index->slots[at].item != NULL); /* it was put there */
        at = (at + 1) & (index->slot_count - 1);
    }
    return at;
}

void eds_index_move(struct eds_index *index, uint64_t hash, const void *old, void *item)
{
    index->slots[slot_of(index, hash, old)].item = item;
}

/* The gap is filled by the next item that would be found from before it, and so
 * on up to a free slot: no walk meets a gap that was not there before. */
void eds_index_remove(struct eds_index *index, uint64_t hash, const void *item)
{
    const size_t mask = index->slot_count - 1;
    size_t gap = slot_of(index, hash, item);

    for (size_t at = (gap + 1) & mask; index->slots[at].item != NULL; at = (at + 1) & mask) {
        size_t home = (size_t)index->slots[at].hash & mask;

        if (((at - home) & mask) < ((at - gap) & mask))
            continue; /* its walk begins behind the gap */
        index->slots[gap] = index->slots[at];
        gap = at;
    }
    index->slots[gap].item = NULL;
    index->used--;
}

void eds_index_begin(struct eds_index_walk *walk, const struct eds_index *index, uint64_t hash)
{
    walk->index = index;
    walk->hash = hash;
    walk->at = index->slot_count == 0 ? 0 : (size_t)hash & (index->slot_count - 1);
}

void *eds_index_next(struct eds_index_walk *walk)
{
    const struct eds_index *index = walk->index;

    if (index->slot_count == 0)
        return NULL;
    for (;;) { /* ends at a free slot; at most 3/4 are taken */
        const struct eds_index_slot *slot = &index->slots[walk->at];

        if (slot->item == NULL)
            return NULL;
        walk->at = (walk->at + 1) & (index->slot_count - 1);
        if (slot->hash == walk->hash)
            return slot->item;
    }
}

void eds_index_free(struct eds_index *index)
{
    free(index->slots);
    *index = (struct eds_index){0};
}

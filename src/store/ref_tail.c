/* ref_tail.c - see ref_tail.h. */
#include "store/ref_tail.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE 65536u /* bytes; any reference fits */

int32_t eds_ref_tail_init(struct eds_ref_tail *tail, struct eds_error *err)
{
    memset(tail, 0, sizeof *tail);
    return eds_key_table_init(&tail->refs, err);
}

void eds_ref_tail_free(struct eds_ref_tail *tail)
{
    for (size_t i = 0; i < tail->block_count; i++)
        free(tail->blocks[i]);
    free(tail->blocks);
    free(tail->items);
    free(tail->sorted);
    eds_key_table_free(&tail->refs);
    memset(tail, 0, sizeof *tail);
}

uint64_t eds_ref_tail_hash(const struct eds_ref_tail *tail, const char *ref)
{
    return eds_key_table_hash(&tail->refs, ref);
}

bool eds_ref_tail_find(const struct eds_ref_tail *tail, const char *ref, uint64_t hash, int64_t *id)
{
    size_t index = eds_key_table_find_hashed(&tail->refs, ref, hash);

    if (index == EDS_KEY_ABSENT)
        return false;
    *id = tail->items[index].id;
    return true;
}

static bool grow_items(struct eds_ref_tail *tail)
{
    size_t capacity = tail->capacity == 0 ? 1024 : 2 * tail->capacity;
    void *items, *sorted;

    if (tail->refs.count < tail->capacity)
        return true;
    items = realloc(tail->items, capacity * sizeof *tail->items);
    if (items == NULL)
        return false;
    tail->items = items;
    sorted = realloc(tail->sorted, capacity * sizeof *tail->sorted);
    if (sorted == NULL)
        return false;
    tail->sorted = sorted;
    tail->capacity = capacity;
    return true;
}

/* Room for size bytes in blocks[*block], from *used on; a new block if need be. */
static bool find_room(struct eds_ref_tail *tail, size_t size, size_t *block, size_t *used)
{
    char **blocks;

    assert(size <= BLOCK_SIZE);
    *block = tail->block;
    *used = tail->used;
    if (tail->block_count > 0 && size > BLOCK_SIZE - tail->used) {
        *block = tail->block + 1;
        *used = 0;
    }
    if (*block < tail->block_count)
        return true;
    blocks = realloc(tail->blocks, (tail->block_count + 1) * sizeof *blocks);
    if (blocks == NULL)
        return false;
    tail->blocks = blocks;
    blocks[tail->block_count] = malloc(BLOCK_SIZE);
    if (blocks[tail->block_count] == NULL)
        return false;
    tail->block_count++;
    return true;
}

int32_t eds_ref_tail_add(struct eds_ref_tail *tail, const char *ref, uint64_t hash, int64_t id)
{
    size_t size = strlen(ref) + 1, block, used, index = tail->refs.count;
    char *copy;

    if (!grow_items(tail) || !find_room(tail, size, &block, &used))
        return EDS_ERR_NO_MEMORY;
    copy = tail->blocks[block] + used;
    memcpy(copy, ref, size);
    if (eds_key_table_add_hashed(&tail->refs, copy, hash) != EDS_OK)
        return EDS_ERR_NO_MEMORY;
    tail->items[index] = (struct eds_ref_tail_item){copy, id, tail->block, tail->used};
    tail->block = block;
    tail->used = used + size;
    return EDS_OK;
}

void eds_ref_tail_cut(struct eds_ref_tail *tail, size_t count)
{
    while (tail->refs.count > count) {
        const struct eds_ref_tail_item *last = &tail->items[tail->refs.count - 1];

        eds_key_table_pop(&tail->refs);
        tail->block = last->block;
        tail->used = last->used;
    }
}

static int compare(const void *a, const void *b)
{
    const struct eds_ref_tail_sorted *left = a, *right = b;

    if (left->order != right->order)
        return left->order < right->order ? -1 : 1;
    return strcmp(left->item->ref, right->item->ref);
}

/* How many bytes all references begin with alike. */
static size_t common_size(const struct eds_ref_tail *tail)
{
    const char *first = tail->items[0].ref;
    size_t common = strlen(first);

    for (size_t i = 1; i < tail->refs.count; i++) {
        const char *ref = tail->items[i].ref;
        size_t size = 0;

        while (size < common && ref[size] == first[size])
            size++;
        common = size;
    }
    return common;
}

/* Eight bytes as a number that is ordered as they are; fewer are followed by zeros. */
static uint64_t order_of(const char *text)
{
    uint64_t order = 0;

    for (unsigned i = 0; i < 8; i++) {
        order = order << 8 | (uint8_t)*text;
        text += *text != '\0';
    }
    return order;
}

/* References begin alike, so that comparing them takes time and misses the cache; what
 * tells most of them apart stands beside the pointer. */
const struct eds_ref_tail_sorted *eds_ref_tail_sort(struct eds_ref_tail *tail)
{
    size_t common = tail->refs.count > 0 ? common_size(tail) : 0;

    for (size_t i = 0; i < tail->refs.count; i++)
        tail->sorted[i] =
            (struct eds_ref_tail_sorted){order_of(tail->items[i].ref + common), &tail->items[i]};
    if (tail->refs.count > 1)
        qsort(tail->sorted, tail->refs.count, sizeof *tail->sorted, compare);
    return tail->sorted;
}

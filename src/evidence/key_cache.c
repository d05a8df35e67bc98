/* key_cache.c - see key_cache.h. */
#include "evidence/key_cache.h"

#include <stdlib.h>
#include <string.h>

#include "edgesentry/error.h"

#define TABLES_MAX 24u /* 2 MiB: what a core has near by */
#define ALIGNMENT  64u

struct place {
    uint64_t used; /* when, in finds; 0: never */
    bool is_held;  /* given since the last release */
    bool is_bad;   /* no table can be made of this key */
};

struct eds_key_cache {
    struct eds_verifier_table tables[TABLES_MAX]; /* first: they must be aligned */
    uint8_t keys[TABLES_MAX][EDS_PUBLIC_KEY_SIZE];
    struct place places[TABLES_MAX];
    size_t count; /* places in use */
    size_t last;  /* found last */
    uint64_t now;
};

struct eds_key_cache *eds_key_cache_create(void)
{
    size_t size = (sizeof(struct eds_key_cache) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct eds_key_cache *cache = aligned_alloc(ALIGNMENT, size);

    if (cache == NULL)
        return NULL;
    memset(cache->places, 0, sizeof cache->places);
    cache->count = cache->last = 0;
    cache->now = 0;
    return cache;
}

void eds_key_cache_destroy(struct eds_key_cache *cache)
{
    free(cache);
}

static const struct eds_verifier_table *give(struct eds_key_cache *cache, size_t at)
{
    struct place *place = &cache->places[at];

    place->used = ++cache->now;
    place->is_held = true;
    cache->last = at;
    return place->is_bad ? NULL : &cache->tables[at];
}

/* Where a new table goes: a place never used, else the one used longest ago that
 * nobody holds; or TABLES_MAX. */
static size_t make_room(struct eds_key_cache *cache)
{
    size_t oldest = TABLES_MAX;

    if (cache->count < TABLES_MAX)
        return cache->count++;
    for (size_t i = 0; i < TABLES_MAX; i++)
        if (!cache->places[i].is_held &&
            (oldest == TABLES_MAX || cache->places[i].used < cache->places[oldest].used))
            oldest = i;
    return oldest;
}

const struct eds_verifier_table *eds_key_cache_find(struct eds_key_cache *cache,
                                                    const uint8_t public_key[EDS_PUBLIC_KEY_SIZE],
                                                    bool worth_making, bool *is_full)
{
    size_t at = cache->last;

    *is_full = false;
    if (cache->count > 0 && memcmp(cache->keys[at], public_key, EDS_PUBLIC_KEY_SIZE) == 0)
        return give(cache, at);
    for (at = 0; at < cache->count; at++)
        if (memcmp(cache->keys[at], public_key, EDS_PUBLIC_KEY_SIZE) == 0)
            return give(cache, at);
    if (!worth_making || eds_verifier_get_level() == EDS_VERIFIER_LIBSODIUM)
        return NULL;
    at = make_room(cache);
    *is_full = at == TABLES_MAX;
    if (*is_full)
        return NULL;
    memcpy(cache->keys[at], public_key, EDS_PUBLIC_KEY_SIZE);
    cache->places[at].is_bad = eds_verifier_table_build(&cache->tables[at], public_key) != EDS_OK;
    return give(cache, at);
}

void eds_key_cache_release(struct eds_key_cache *cache)
{
    for (size_t i = 0; i < cache->count; i++)
        cache->places[i].is_held = false;
}

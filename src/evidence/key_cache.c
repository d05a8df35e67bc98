/* key_cache.c - see key_cache.h.
 *
 * A place that somebody holds keeps its key and, once it is made, its table; so these are
 * read without the lock.  The users hold less than all places together as long as one of
 * them may take one more, so that he always finds one that is free. */
#include "evidence/key_cache.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "edgesentry/error.h"

#define HELD_MAX  24u /* tables of one user: 2 MiB */
#define ALIGNMENT 64u

struct place {
    uint8_t key[EDS_PUBLIC_KEY_SIZE];
    uint64_t used;                    /* when, in finds; 0: never */
    unsigned holders;                 /* users */
    bool is_being_made;               /* by one of them */
    bool is_bad;                      /* no table can be made of this key */
    struct eds_verifier_table *table; /* NULL: none was ever needed here */
};

struct eds_key_cache {
    pthread_mutex_t lock; /* over the places, as the head comment says */
    pthread_cond_t made;
    uint64_t now;
    size_t count;
    struct place places[];
};

struct eds_key_user {
    struct eds_key_cache *cache;
    struct place *held[HELD_MAX]; /* the newest last */
    size_t count;
};

struct eds_key_cache *eds_key_cache_create(unsigned user_count)
{
    size_t count = (size_t)user_count * HELD_MAX;
    struct eds_key_cache *cache = calloc(1, sizeof *cache + count * sizeof cache->places[0]);

    if (cache == NULL)
        return NULL;
    pthread_mutex_init(&cache->lock, NULL);
    pthread_cond_init(&cache->made, NULL);
    cache->count = count;
    return cache;
}

void eds_key_cache_destroy(struct eds_key_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < cache->count; i++) {
        assert(cache->places[i].holders == 0);
        free(cache->places[i].table);
    }
    pthread_cond_destroy(&cache->made);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

struct eds_key_user *eds_key_user_create(struct eds_key_cache *cache)
{
    struct eds_key_user *user = calloc(1, sizeof *user);

    if (user != NULL)
        user->cache = cache;
    return user;
}

void eds_key_user_destroy(struct eds_key_user *user)
{
    eds_key_user_release(user);
    free(user);
}

static const struct eds_verifier_table *table_of(const struct place *place)
{
    return place->is_bad ? NULL : place->table;
}

/* The place of a key that the user holds already, or NULL. */
static const struct place *find_held(const struct eds_key_user *user, const uint8_t *public_key)
{
    for (size_t i = user->count; i-- > 0;)
        if (memcmp(user->held[i]->key, public_key, EDS_PUBLIC_KEY_SIZE) == 0)
            return user->held[i];
    return NULL;
}

/* The place of a key, or NULL.  With the lock, as all that follows. */
static struct place *find(struct eds_key_cache *cache, const uint8_t *public_key)
{
    for (size_t i = 0; i < cache->count; i++)
        if (cache->places[i].used > 0 &&
            memcmp(cache->places[i].key, public_key, EDS_PUBLIC_KEY_SIZE) == 0)
            return &cache->places[i];
    return NULL;
}

/* Where a new table goes: of the places that nobody holds, the one used longest ago. */
static struct place *make_room(struct eds_key_cache *cache)
{
    struct place *oldest = NULL;

    for (size_t i = 0; i < cache->count; i++)
        if (cache->places[i].holders == 0 &&
            (oldest == NULL || cache->places[i].used < oldest->used))
            oldest = &cache->places[i];
    assert(oldest != NULL);
    return oldest;
}

static void hold(struct eds_key_user *user, struct place *place)
{
    place->used = ++user->cache->now;
    place->holders++;
    user->held[user->count++] = place;
}

/* Makes a key's table in a place that the user holds; the lock is let go meanwhile. */
static void make(struct eds_key_cache *cache, struct place *place, const uint8_t *public_key)
{
    size_t size = (sizeof *place->table + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

    memcpy(place->key, public_key, EDS_PUBLIC_KEY_SIZE);
    place->is_being_made = true;
    pthread_mutex_unlock(&cache->lock);
    if (place->table == NULL)
        place->table = aligned_alloc(ALIGNMENT, size);
    place->is_bad =
        place->table == NULL || eds_verifier_table_build(place->table, public_key) != EDS_OK;
    pthread_mutex_lock(&cache->lock);
    place->is_being_made = false;
    pthread_cond_broadcast(&cache->made);
}

const struct eds_verifier_table *eds_key_user_find(struct eds_key_user *user,
                                                   const uint8_t public_key[EDS_PUBLIC_KEY_SIZE],
                                                   bool worth_making, bool *is_full)
{
    struct eds_key_cache *cache = user->cache;
    const struct place *held = find_held(user, public_key);
    struct place *place;

    *is_full = false;
    if (held != NULL)
        return table_of(held);
    if (eds_verifier_get_level() == EDS_VERIFIER_LIBSODIUM)
        return NULL;
    pthread_mutex_lock(&cache->lock);
    place = find(cache, public_key);
    *is_full = (place != NULL || worth_making) && user->count == HELD_MAX;
    if (!*is_full && place != NULL) {
        hold(user, place);
        while (place->is_being_made)
            pthread_cond_wait(&cache->made, &cache->lock);
    } else if (!*is_full && worth_making) {
        place = make_room(cache);
        hold(user, place);
        make(cache, place, public_key);
    }
    pthread_mutex_unlock(&cache->lock);
    return *is_full || place == NULL ? NULL : table_of(place);
}

void eds_key_user_release(struct eds_key_user *user)
{
    struct eds_key_cache *cache = user->cache;

    pthread_mutex_lock(&cache->lock);
    while (user->count > 0)
        user->held[--user->count]->holders--;
    pthread_mutex_unlock(&cache->lock);
}

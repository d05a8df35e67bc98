/* key_tables.c - see key_tables.h.
 *
 * A key may be in one of the four places of its set, which has a lock of its
 * own.  A place has a heat: a hit adds to it, every so many misses of the set
 * take from all, and a new key gets a place that is cold.  So when more keys
 * are in use than there is room for, some keep their tables, instead of all
 * losing theirs in turn.  While a thread uses a table, its place is held. */
#include "registry/key_tables.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/port.h"
#include "edgesentry/error.h"
#include "registry/table_slabs.h"

#define PLACES_PER_SET 4u
#define HEAT_MAX       8u
#define HITS_TO_TABLE  3u   /* a key that comes once or twice is not worth one */
#define MISSES_TO_COOL 128u /* of a set */
#define WORK_ALIGNMENT 64u  /* bytes */
#define HELD_MAX       256u /* places held at once by one batch */

struct place {
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
    struct eds_verifier_table *table; /* NULL: no memory yet */
    bool ready;                       /* table is public_key's */
    bool dropped;                     /* nobody finds it any more; some still hold it */
    unsigned heat, hits, holders;
};

struct set {
    pthread_mutex_t lock;
    unsigned miss_count;
    struct place places[PLACES_PER_SET];
};

struct eds_key_tables {
    uint8_t hash_key[crypto_shorthash_KEYBYTES]; /* nobody can choose keys for one set */
    struct eds_table_slabs slabs;
    size_t set_count;
    struct set sets[];
};

struct eds_key_tables *eds_key_tables_create(size_t table_max)
{
    size_t set_count = table_max / PLACES_PER_SET + (table_max % PLACES_PER_SET != 0);
    struct eds_key_tables *tables;

    if (set_count == 0)
        set_count = 1;
    tables = calloc(1, sizeof *tables + set_count * sizeof tables->sets[0]);
    if (tables == NULL)
        return NULL;
    if (eds_port_random(tables->hash_key, sizeof tables->hash_key) != 0 ||
        !eds_table_slabs_init(&tables->slabs, set_count * PLACES_PER_SET)) {
        free(tables);
        return NULL;
    }
    tables->set_count = set_count;
    for (size_t i = 0; i < set_count; i++)
        pthread_mutex_init(&tables->sets[i].lock, NULL);
    (void)eds_verifier_init();
    return tables;
}

struct eds_verifier_work *eds_verifier_work_create(void)
{
    _Static_assert(EDS_VERIFIER_WORK_SIZE % WORK_ALIGNMENT == 0, "as aligned_alloc wants it");
    return aligned_alloc(WORK_ALIGNMENT, EDS_VERIFIER_WORK_SIZE);
}

void eds_verifier_work_destroy(struct eds_verifier_work *work)
{
    free(work);
}

void eds_key_tables_destroy(struct eds_key_tables *tables)
{
    if (tables == NULL)
        return;
    for (size_t i = 0; i < tables->set_count; i++)
        pthread_mutex_destroy(&tables->sets[i].lock);
    eds_table_slabs_free(&tables->slabs);
    free(tables);
}

static struct set *set_of(struct eds_key_tables *tables, const uint8_t *public_key)
{
    uint8_t bytes[crypto_shorthash_BYTES];
    uint64_t hash;

    crypto_shorthash(bytes, public_key, EDS_PUBLIC_KEY_SIZE, tables->hash_key);
    memcpy(&hash, bytes, sizeof hash);
    return &tables->sets[hash % tables->set_count];
}

/* Gives a cold place that nobody holds to a new key, if there is one. */
static void admit(struct set *set, const uint8_t *public_key)
{
    bool cool = ++set->miss_count % MISSES_TO_COOL == 0;
    struct place *cold = NULL;

    for (size_t i = 0; i < PLACES_PER_SET; i++) {
        struct place *place = &set->places[i];

        if (cool && place->heat > 0)
            place->heat--;
        if (place->heat == 0 && place->holders == 0)
            cold = place;
    }
    if (cold == NULL)
        return;
    memcpy(cold->public_key, public_key, sizeof cold->public_key);
    cold->ready = false;
    cold->heat = 1;
    cold->hits = 0;
}

/* The place that a key has in its set, or NULL.  Under the set's lock. */
static struct place *find(struct set *set, const uint8_t *public_key)
{
    for (size_t i = 0; i < PLACES_PER_SET; i++) {
        struct place *place = &set->places[i];

        if ((place->heat > 0 || place->ready) && !place->dropped &&
            memcmp(place->public_key, public_key, EDS_PUBLIC_KEY_SIZE) == 0)
            return place;
    }
    return NULL;
}

/* Finds and holds the key's place; NULL if it has none worth holding.  With
 * *must_build the table is still to be made, by this thread alone. */
static struct place *hold(struct set *set, const uint8_t *public_key, bool *must_build)
{
    struct place *found;

    *must_build = false;
    pthread_mutex_lock(&set->lock);
    found = find(set, public_key);
    if (found == NULL) {
        admit(set, public_key);
    } else {
        if (found->heat < HEAT_MAX)
            found->heat++;
        *must_build = !found->ready && found->holders == 0 && ++found->hits >= HITS_TO_TABLE;
        if (found->ready || *must_build)
            found->holders++;
        else
            found = NULL;
    }
    pthread_mutex_unlock(&set->lock);
    return found;
}

/* Makes the table of a place that this thread holds alone. */
static bool build(struct eds_key_tables *tables, struct set *set, struct place *place)
{
    bool ready;

    if (place->table == NULL)
        place->table = eds_table_slabs_take(&tables->slabs);
    ready =
        place->table != NULL && eds_verifier_table_build(place->table, place->public_key) == EDS_OK;
    pthread_mutex_lock(&set->lock);
    place->ready = ready;
    pthread_mutex_unlock(&set->lock);
    return ready;
}

/* Empties a dropped place that nobody holds; returns its memory, which may be NULL.
 * Under the set's lock. */
static struct eds_verifier_table *clear(struct place *place)
{
    struct eds_verifier_table *table = place->table;

    memset(place, 0, sizeof *place);
    return table;
}

static void release(struct eds_key_tables *tables, struct set *set, struct place *place)
{
    struct eds_verifier_table *unused = NULL;

    pthread_mutex_lock(&set->lock);
    if (--place->holders == 0 && place->dropped)
        unused = clear(place);
    pthread_mutex_unlock(&set->lock);
    if (unused != NULL)
        eds_table_slabs_give(&tables->slabs, unused);
}

/* A table that is held until it is released. */
struct held {
    struct set *set;
    struct place *place;
};

/* Holds the table of a key, made here if it is time for it; NULL if it has none. */
static const struct eds_verifier_table *hold_table(struct eds_key_tables *tables,
                                                   const uint8_t *public_key, struct held *out)
{
    bool must_build;

    out->set = set_of(tables, public_key);
    out->place = hold(out->set, public_key, &must_build);
    if (out->place == NULL)
        return NULL;
    if (!must_build || build(tables, out->set, out->place))
        return out->place->table;
    release(tables, out->set, out->place);
    return NULL;
}

bool eds_key_tables_verify(struct eds_key_tables *tables,
                           const uint8_t signature[EDS_SIGNATURE_SIZE], const void *message,
                           size_t size, const uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    struct eds_verify_job job = {
        .public_key = public_key, .message = message, .message_size = size, .signature = signature};
    struct held held;
    bool good;

    if (eds_verifier_get_level() != EDS_VERIFIER_LIBSODIUM)
        job.table = hold_table(tables, public_key, &held);
    good = eds_verify_one(&job);
    if (job.table != NULL)
        release(tables, held.set, held.place);
    return good;
}

/* Gives each job its table; those that follow each other under one key share one
 * hold.  Returns how many are held. */
static size_t hold_tables(struct eds_key_tables *tables, struct held *held,
                          struct eds_verify_job *jobs, size_t count)
{
    size_t held_count = 0;

    for (size_t i = 0; i < count; i++) {
        if (i > 0 && jobs[i - 1].table != NULL &&
            memcmp(jobs[i - 1].public_key, jobs[i].public_key, EDS_PUBLIC_KEY_SIZE) == 0) {
            jobs[i].table = jobs[i - 1].table;
            continue;
        }
        jobs[i].table = hold_table(tables, jobs[i].public_key, &held[held_count]);
        held_count += jobs[i].table != NULL;
    }
    return held_count;
}

void eds_key_tables_verify_many(struct eds_key_tables *tables, struct eds_verifier_work *work,
                                struct eds_verify_job *jobs, size_t count, bool *verdicts)
{
    const bool by_table = eds_verifier_get_level() != EDS_VERIFIER_LIBSODIUM;
    struct held held[HELD_MAX];

    while (count > 0) {
        size_t some = count < HELD_MAX ? count : HELD_MAX, held_count = 0;

        for (size_t i = 0; i < some; i++)
            jobs[i].table = NULL;
        if (by_table)
            held_count = hold_tables(tables, held, jobs, some);
        eds_verify_many(work, jobs, some, verdicts);
        for (size_t i = 0; i < some; i++)
            jobs[i].table = NULL;
        while (held_count > 0) {
            held_count--;
            release(tables, held[held_count].set, held[held_count].place);
        }
        jobs += some;
        verdicts += some;
        count -= some;
    }
}

void eds_key_tables_drop(struct eds_key_tables *tables,
                         const uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    struct set *set = set_of(tables, public_key);
    struct eds_verifier_table *unused = NULL;
    struct place *place;

    pthread_mutex_lock(&set->lock);
    place = find(set, public_key);
    if (place != NULL && place->holders == 0)
        unused = clear(place);
    else if (place != NULL)
        place->dropped = true;
    pthread_mutex_unlock(&set->lock);
    if (unused != NULL)
        eds_table_slabs_give(&tables->slabs, unused);
}

size_t eds_key_tables_count(struct eds_key_tables *tables)
{
    size_t count = 0;

    for (size_t i = 0; i < tables->set_count; i++) {
        struct set *set = &tables->sets[i];

        pthread_mutex_lock(&set->lock);
        for (size_t k = 0; k < PLACES_PER_SET; k++)
            count += set->places[k].ready && !set->places[k].dropped;
        pthread_mutex_unlock(&set->lock);
    }
    return count;
}

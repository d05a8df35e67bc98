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
#include "edgesentry/verifier.h"

#define PLACES_PER_SET  4u
#define HEAT_MAX        8u
#define HITS_TO_TABLE   3u   /* a key that comes once or twice is not worth one */
#define MISSES_TO_COOL  128u /* of a set */
#define TABLE_ALIGNMENT 64u  /* bytes */

struct place {
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
    struct eds_verifier_table *table; /* NULL: no memory yet */
    bool ready;                       /* table is public_key's */
    unsigned heat, hits, holders;
};

struct set {
    pthread_mutex_t lock;
    unsigned miss_count;
    struct place places[PLACES_PER_SET];
};

struct eds_key_tables {
    uint8_t hash_key[crypto_shorthash_KEYBYTES]; /* nobody can choose keys for one set */
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
    if (eds_port_random(tables->hash_key, sizeof tables->hash_key) != 0) {
        free(tables);
        return NULL;
    }
    tables->set_count = set_count;
    for (size_t i = 0; i < set_count; i++)
        pthread_mutex_init(&tables->sets[i].lock, NULL);
    (void)eds_verifier_init();
    return tables;
}

void eds_key_tables_destroy(struct eds_key_tables *tables)
{
    if (tables == NULL)
        return;
    for (size_t i = 0; i < tables->set_count; i++) {
        for (size_t k = 0; k < PLACES_PER_SET; k++)
            free(tables->sets[i].places[k].table);
        pthread_mutex_destroy(&tables->sets[i].lock);
    }
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

/* Finds and holds the key's place; NULL if it has none worth holding.  With
 * *must_build the table is still to be made, by this thread alone. */
static struct place *hold(struct set *set, const uint8_t *public_key, bool *must_build)
{
    struct place *found = NULL;

    *must_build = false;
    pthread_mutex_lock(&set->lock);
    for (size_t i = 0; i < PLACES_PER_SET && found == NULL; i++)
        if ((set->places[i].heat > 0 || set->places[i].ready) &&
            memcmp(set->places[i].public_key, public_key, EDS_PUBLIC_KEY_SIZE) == 0)
            found = &set->places[i];
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

static void release(struct set *set, struct place *place, bool ready)
{
    pthread_mutex_lock(&set->lock);
    place->ready = ready;
    place->holders--;
    pthread_mutex_unlock(&set->lock);
}

static bool build(struct place *place)
{
    const size_t size =
        (sizeof *place->table + TABLE_ALIGNMENT - 1) & ~(size_t)(TABLE_ALIGNMENT - 1);

    if (place->table == NULL)
        place->table = aligned_alloc(TABLE_ALIGNMENT, size);
    return place->table != NULL &&
           eds_verifier_table_build(place->table, place->public_key) == EDS_OK;
}

bool eds_key_tables_verify(struct eds_key_tables *tables,
                           const uint8_t signature[EDS_SIGNATURE_SIZE], const void *message,
                           size_t size, const uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    struct set *set = set_of(tables, public_key);
    struct place *place;
    bool must_build, good, ready = true;

    if (eds_verifier_get_level() == EDS_VERIFIER_LIBSODIUM)
        return eds_ed25519_verify(signature, message, size, public_key);
    place = hold(set, public_key, &must_build);
    if (place == NULL)
        return eds_ed25519_verify(signature, message, size, public_key);
    if (must_build)
        ready = build(place);
    if (ready) {
        struct eds_verify_job job = {.table = place->table,
                                     .message = message,
                                     .message_size = size,
                                     .signature = signature};

        good = eds_verify_one(&job);
    } else {
        good = eds_ed25519_verify(signature, message, size, public_key);
    }
    release(set, place, ready);
    return good;
}

size_t eds_key_tables_count(struct eds_key_tables *tables)
{
    size_t count = 0;

    for (size_t i = 0; i < tables->set_count; i++) {
        struct set *set = &tables->sets[i];

        pthread_mutex_lock(&set->lock);
        for (size_t k = 0; k < PLACES_PER_SET; k++)
            count += set->places[k].ready;
        pthread_mutex_unlock(&set->lock);
    }
    return count;
}

/* rate_limit.c - see rate_limit.h.  Names are known by a keyed hash: nobody can
 * choose one that falls into another's bucket. */
#include "ingest/rate_limit.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/port.h"
#include "base/wipe.h"

#define NS_PER_S 1000000000u
#define SET_SIZE 8u

/* All zero: nobody's, and full. */
struct bucket {
    uint64_t name; /* its hash */
    uint64_t full_at_ns;
};

int32_t eds_rate_limit_set(struct eds_rate_limit *limit, struct eds_rate rate)
{
    uint64_t burst = rate.burst != 0 ? rate.burst : rate.per_second;

    if (rate.per_second > EDS_RATE_MAX || burst > EDS_RATE_MAX)
        return EDS_ERR_USAGE;
    if (rate.per_second > 0 && limit->buckets == NULL) {
        limit->buckets = calloc(limit->set_count, SET_SIZE * sizeof *limit->buckets);
        if (limit->buckets == NULL)
            return EDS_ERR_NO_MEMORY;
    }
    /* Whoever takes meanwhile goes by the old bucket or the new one: both are good. */
    if (rate.per_second > 0)
        atomic_store(&limit->bucket_ns, burst * NS_PER_S / rate.per_second);
    atomic_store(&limit->per_second, rate.per_second);
    return EDS_OK;
}

int32_t eds_rate_limit_init(struct eds_rate_limit *limit, struct eds_rate rate, size_t name_max)
{
    *limit = (struct eds_rate_limit){.set_count = 1};
    for (unsigned i = 0; i < EDS_RATE_LIMIT_LOCKS; i++)
        limit->locks[i] = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    while (limit->set_count * SET_SIZE < name_max)
        limit->set_count *= 2;
    if (eds_port_random(limit->secret, sizeof limit->secret) != 0)
        return EDS_ERR_PANIC;
    return eds_rate_limit_set(limit, rate);
}

void eds_rate_limit_free(struct eds_rate_limit *limit)
{
    free(limit->buckets);
    limit->buckets = NULL;
    eds_wipe(limit->secret, sizeof limit->secret);
}

static uint64_t hash_of(const struct eds_rate_limit *limit, const void *name, size_t name_size)
{
    uint64_t hash;

    static_assert(sizeof limit->secret == crypto_shorthash_KEYBYTES, "a SipHash key");
    static_assert(sizeof hash == crypto_shorthash_BYTES, "a hash is a name");
    crypto_shorthash((uint8_t *)&hash, name, name_size, limit->secret);
    return hash != 0 ? hash : 1; /* 0 is nobody's */
}

/* The name's bucket, or the fullest of its set, taken over. */
static struct bucket *find(struct bucket *set, uint64_t name)
{
    struct bucket *fullest = &set[0];

    for (unsigned i = 0; i < SET_SIZE; i++) {
        if (set[i].name == name)
            return &set[i];
        if (set[i].full_at_ns < fullest->full_at_ns)
            fullest = &set[i];
    }
    fullest->name = name;
    return fullest;
}

/* How long count tokens take to come; a full bucket's time at most. */
static uint64_t cost_of(uint64_t count, uint64_t per_second, uint64_t bucket_ns)
{
    if (count > EDS_RATE_MAX) /* so does no bucket hold */
        return bucket_ns;
    count = count * NS_PER_S / per_second;
    return count < bucket_ns ? count : bucket_ns;
}

bool eds_rate_limit_holds(const struct eds_rate_limit *limit, uint64_t count)
{
    uint64_t per_second = atomic_load(&limit->per_second);

    if (per_second == 0)
        return true;
    return count <= EDS_RATE_MAX && count * NS_PER_S / per_second <= atomic_load(&limit->bucket_ns);
}

bool eds_rate_limit_reserve(struct eds_rate_limit *limit, const void *name, size_t name_size,
                            uint64_t count, uint64_t patience_ns, uint64_t now_ns,
                            uint64_t *wait_ns)
{
    uint64_t per_second = atomic_load(&limit->per_second), bucket_ns;
    uint64_t hash, set, full_at_ns;
    struct bucket *bucket;
    pthread_mutex_t *lock;

    *wait_ns = 0;
    if (per_second == 0)
        return true;
    bucket_ns = atomic_load(&limit->bucket_ns);
    hash = hash_of(limit, name, name_size);
    set = hash & (limit->set_count - 1);
    lock = &limit->locks[set % EDS_RATE_LIMIT_LOCKS];
    pthread_mutex_lock(lock);
    bucket = find(limit->buckets + set * SET_SIZE, hash);
    full_at_ns = bucket->full_at_ns > now_ns ? bucket->full_at_ns : now_ns;
    full_at_ns += cost_of(count, per_second, bucket_ns);
    if (full_at_ns - now_ns > bucket_ns)
        *wait_ns = full_at_ns - now_ns - bucket_ns;
    if (*wait_ns <= patience_ns)
        bucket->full_at_ns = full_at_ns;
    pthread_mutex_unlock(lock);
    if (*wait_ns <= patience_ns)
        return true;
    *wait_ns -= patience_ns;
    return false;
}

uint64_t eds_rate_limit_take(struct eds_rate_limit *limit, const void *name, size_t name_size,
                             uint64_t count, uint64_t now_ns)
{
    uint64_t missing_ns;

    (void)eds_rate_limit_reserve(limit, name, name_size, count, 0, now_ns, &missing_ns);
    return missing_ns;
}

/* Reads digits up to a character that is none; false if they are none, or too
 * much. */
static bool read_number(const char **at, uint64_t *out)
{
    const char *first = *at;

    for (*out = 0; **at >= '0' && **at <= '9'; (*at)++) {
        *out = *out * 10 + (uint64_t)(**at - '0');
        if (*out > EDS_RATE_MAX)
            return false;
    }
    return *at > first;
}

int32_t eds_rate_parse(struct eds_rate *out, const char *text, struct eds_error *err)
{
    struct eds_rate rate = {0, 0};
    const char *at = text;
    bool good = read_number(&at, &rate.per_second);

    if (good && *at == ':') {
        at++;
        good = read_number(&at, &rate.burst) && rate.burst > 0;
    }
    if (!good || *at != '\0')
        return eds_error_set(err, EDS_ERR_USAGE,
                             "invalid rate '%s': expected RATE or RATE:BURST, both up to %u, or 0 "
                             "for no limit",
                             text, EDS_RATE_MAX);
    *out = rate;
    return EDS_OK;
}

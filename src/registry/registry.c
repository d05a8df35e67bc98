/* registry.c - see registry.h.
 *
 * A device is one block of memory, cut to its id and keys (about 96 bytes with
 * one key), found through two indexes: by id, and by each of its keys, because
 * a key serves one device.  A device that changes moves to a new block, under
 * the write lock; readers copy out under the read lock, so nobody holds a
 * pointer to the old one. */
#include "registry/registry.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/port.h"
#include "base/utf8.h"
#include "base/wipe.h"
#include "registry/index.h"

struct device {
    uint8_t state; /* enum eds_device_state */
    bool attest_required;
    bool is_put; /* as the store has it */
    uint8_t key_count;
    uint8_t id_size;                /* without a NUL; none is stored */
    struct eds_enrolled_key keys[]; /* then the id */
};

struct eds_registry {
    pthread_rwlock_t lock;
    struct eds_index by_id, by_key;
    size_t state_counts[EDS_DEVICE_STATE_COUNT];
    atomic_uint_fast64_t generation;
    uint8_t hash_key[crypto_shorthash_KEYBYTES];
};

static char *id_of(struct device *device)
{
    return (char *)&device->keys[device->key_count];
}

static size_t device_size(size_t key_count, size_t id_size)
{
    return sizeof(struct device) + key_count * sizeof(struct eds_enrolled_key) + id_size;
}

static uint64_t hash(const struct eds_registry *registry, const void *bytes, size_t size)
{
    uint64_t out;

    static_assert(sizeof out == crypto_shorthash_BYTES, "one hash is one word");
    crypto_shorthash((uint8_t *)&out, bytes, size, registry->hash_key);
    return out;
}

static struct device *find_id(const struct eds_registry *registry, const char *id, size_t id_size)
{
    struct eds_index_walk walk;
    struct device *device;

    eds_index_begin(&walk, &registry->by_id, hash(registry, id, id_size));
    while ((device = eds_index_next(&walk)) != NULL)
        if (device->id_size == id_size && memcmp(id_of(device), id, id_size) == 0)
            return device;
    return NULL;
}

/* The place of a key, or key_count. */
static unsigned key_place(const struct device *device, const uint8_t *public_key)
{
    unsigned at = 0;

    while (at < device->key_count &&
           memcmp(device->keys[at].public_key, public_key, EDS_PUBLIC_KEY_SIZE) != 0)
        at++;
    return at;
}

static struct device *find_key(const struct eds_registry *registry, const uint8_t *public_key)
{
    struct eds_index_walk walk;
    struct device *device;

    eds_index_begin(&walk, &registry->by_key, hash(registry, public_key, EDS_PUBLIC_KEY_SIZE));
    while ((device = eds_index_next(&walk)) != NULL)
        if (key_place(device, public_key) < device->key_count)
            return device;
    return NULL;
}

struct eds_registry *eds_registry_create(void)
{
    struct eds_registry *registry = calloc(1, sizeof *registry);
    pthread_rwlockattr_t attributes;
    bool locked = false;

    if (registry == NULL || eds_port_random(registry->hash_key, sizeof registry->hash_key) != 0)
        goto out;
    if (pthread_rwlockattr_init(&attributes) != 0)
        goto out;
#if defined(__GLIBC__)
    /* Without this a stream of look-ups could keep a new device out for ever.
     * Other libcs do not let us choose. */
    (void)pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
    locked = pthread_rwlock_init(&registry->lock, &attributes) == 0;
    pthread_rwlockattr_destroy(&attributes);
out:
    if (!locked) {
        free(registry);
        return NULL;
    }
    return registry;
}

void eds_registry_destroy(struct eds_registry *registry)
{
    if (registry == NULL)
        return;
    for (size_t i = 0; i < registry->by_id.slot_count; i++)
        free(registry->by_id.slots[i].item);
    eds_index_free(&registry->by_id);
    eds_index_free(&registry->by_key);
    pthread_rwlock_destroy(&registry->lock);
    eds_wipe(registry->hash_key, sizeof registry->hash_key);
    free(registry);
}

static int32_t check_id(const char *device_id, size_t id_size, struct eds_error *err)
{
    if (id_size == 0)
        return eds_error_set(err, EDS_ERR_USAGE, "a device id must not be empty");
    if (id_size >= EDS_DEVICE_ID_SIZE)
        return eds_error_set(err, EDS_ERR_STRING_TOO_LONG,
                             "device id of %zu bytes is too long: at most %u bytes", id_size,
                             EDS_DEVICE_ID_SIZE - 1);
    if (!eds_utf8_valid(device_id, id_size))
        return eds_error_set(err, EDS_ERR_INVALID_UTF8, "device id is not valid UTF-8 at byte %zu",
                             eds_utf8_valid_size(device_id, id_size));
    return EDS_OK;
}

static uint64_t hash_key(const struct eds_registry *registry, const struct eds_enrolled_key *key)
{
    return hash(registry, key->public_key, EDS_PUBLIC_KEY_SIZE);
}

/* A block for a device; id and keys are copied, the rest is zero. */
static struct device *make_device(const char *id, size_t id_size,
                                  const struct eds_enrolled_key *keys, size_t key_count)
{
    struct device *device = malloc(device_size(key_count, id_size));

    if (device == NULL)
        return NULL;
    memset(device, 0, sizeof *device);
    device->key_count = (uint8_t)key_count;
    device->id_size = (uint8_t)id_size;
    memcpy(device->keys, keys, key_count * sizeof keys[0]);
    memcpy(id_of(device), id, id_size);
    return device;
}

/* Puts a device where old was (NULL: nowhere), whose keys may be others; room
 * was reserved. */
static void replace(struct eds_registry *registry, struct device *old, struct device *device)
{
    uint64_t id_hash = hash(registry, id_of(device), device->id_size);

    if (old == NULL)
        eds_index_put(&registry->by_id, id_hash, device);
    else
        eds_index_move(&registry->by_id, id_hash, old, device);
    for (unsigned i = 0; old != NULL && i < old->key_count; i++)
        eds_index_remove(&registry->by_key, hash_key(registry, &old->keys[i]), old);
    for (unsigned i = 0; i < device->key_count; i++)
        eds_index_put(&registry->by_key, hash_key(registry, &device->keys[i]), device);
    if (old != NULL)
        registry->state_counts[old->state]--;
    registry->state_counts[device->state]++;
    free(old);
}

/* Both indexes get their room before anything changes, so that running out of
 * memory leaves the registry as it was. */
static bool reserve(struct eds_registry *registry, size_t key_count)
{
    return eds_index_reserve(&registry->by_id, 1) &&
           eds_index_reserve(&registry->by_key, key_count);
}

static int32_t add_key(struct eds_registry *registry, struct device *old, const char *id,
                       size_t id_size, const uint8_t *public_key)
{
    struct eds_enrolled_key keys[EDS_DEVICE_KEYS_MAX] = {{.not_before_ms = 0}};
    unsigned count = old != NULL ? old->key_count : 0;
    struct device *device;

    if (old != NULL)
        memcpy(keys, old->keys, count * sizeof keys[0]);
    memcpy(keys[count].public_key, public_key, EDS_PUBLIC_KEY_SIZE);
    keys[count].not_after_ms = EDS_KEY_NO_END;
    keys[count].not_after_sequence = EDS_KEY_NO_END;
    device = make_device(id, id_size, keys, count + 1);
    if (device == NULL || !reserve(registry, count + 1)) {
        free(device);
        return EDS_ERR_NO_MEMORY;
    }
    device->state = old != NULL ? old->state : (uint8_t)EDS_DEVICE_ACTIVE;
    device->attest_required = old != NULL && old->attest_required;
    replace(registry, old, device);
    return EDS_OK;
}

static int32_t add_key_locked(struct eds_registry *registry, const char *id, size_t id_size,
                              const uint8_t *public_key, bool attest_required,
                              struct eds_error *err)
{
    struct device *device = find_id(registry, id, id_size);
    struct device *owner = find_key(registry, public_key);
    int32_t rc = EDS_OK;

    if (owner != NULL && owner != device)
        return eds_error_set(err, EDS_ERR_EXISTS,
                             "public key for %s belongs to %.*s: a key serves one device", id,
                             (int)owner->id_size, id_of(owner));
    if (owner == NULL && device != NULL && device->key_count == EDS_DEVICE_KEYS_MAX)
        return eds_error_set(err, EDS_ERR_TOO_LARGE, "device %s has %u public keys: no more fit",
                             id, EDS_DEVICE_KEYS_MAX);
    if (owner == NULL)
        rc = add_key(registry, device, id, id_size, public_key);
    if (rc != EDS_OK)
        return eds_error_set(err, rc, "no memory for device %s", id);
    if (attest_required) /* the block may be a new one: find it again */
        find_id(registry, id, id_size)->attest_required = true;
    return EDS_OK;
}

static int32_t check_key(const char *id, const uint8_t *public_key, struct eds_error *err)
{
    enum eds_key_fault fault = eds_ed25519_check_key(public_key);

    if (fault == EDS_KEY_GOOD)
        return EDS_OK;
    return eds_error_set(err, EDS_ERR_INVALID_KEY, "invalid public key for %s: %s", id,
                         eds_key_fault_text(fault));
}

int32_t eds_registry_add_key(struct eds_registry *registry, const char *device_id,
                             const uint8_t public_key[EDS_PUBLIC_KEY_SIZE], bool attest_required,
                             struct eds_error *err)
{
    size_t id_size = strlen(device_id);
    int32_t rc = check_id(device_id, id_size, err);

    if (rc == EDS_OK)
        rc = check_key(device_id, public_key, err);
    if (rc != EDS_OK)
        return rc;
    pthread_rwlock_wrlock(&registry->lock);
    rc = add_key_locked(registry, device_id, id_size, public_key, attest_required, err);
    atomic_fetch_add(&registry->generation, 1);
    pthread_rwlock_unlock(&registry->lock);
    return rc;
}

/* Takes a key away from a device; its block stays, with the id moved down. */
static void take_key(struct eds_registry *registry, struct device *device,
                     const struct eds_enrolled_key *key)
{
    unsigned at = key_place(device, key->public_key);
    char id[EDS_DEVICE_ID_SIZE];

    eds_index_remove(&registry->by_key, hash_key(registry, key), device);
    memcpy(id, id_of(device), device->id_size);
    device->key_count--;
    memmove(&device->keys[at], &device->keys[at + 1],
            (device->key_count - at) * sizeof device->keys[0]);
    memcpy(id_of(device), id, device->id_size);
}

/* The keys of an enrolment that fit here: the newest. */
static const struct eds_enrolled_key *newest(const struct eds_enrolment *it, size_t *count)
{
    *count = it->key_count < EDS_DEVICE_KEYS_MAX ? it->key_count : EDS_DEVICE_KEYS_MAX;
    return &it->keys[it->key_count - *count];
}

static int32_t put_locked(struct eds_registry *registry, const struct eds_enrolment *it,
                          size_t id_size, struct eds_error *err)
{
    struct device *old = find_id(registry, it->id, id_size), *device;
    size_t key_count;
    const struct eds_enrolled_key *keys = newest(it, &key_count);

    for (size_t i = 0; i < key_count; i++) {
        struct device *owner = find_key(registry, keys[i].public_key);

        if (owner != NULL && owner != old && owner->is_put)
            return eds_error_set(err, EDS_ERR_EXISTS,
                                 "public key for %s belongs to %.*s: a key serves one device",
                                 it->id, (int)owner->id_size, id_of(owner));
    }
    device = make_device(it->id, id_size, keys, key_count);
    if (device == NULL || !reserve(registry, key_count)) {
        free(device);
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for device %s", it->id);
    }
    device->state = (uint8_t)it->state;
    device->attest_required = it->attest_required;
    device->is_put = true;
    for (size_t i = 0; i < key_count; i++) {
        struct device *owner = find_key(registry, keys[i].public_key);

        if (owner != NULL && owner != old)
            take_key(registry, owner, &keys[i]);
    }
    replace(registry, old, device);
    return EDS_OK;
}

int32_t eds_registry_put(struct eds_registry *registry, const struct eds_enrolment *enrolment,
                         struct eds_error *err)
{
    size_t id_size = strlen(enrolment->id), key_count;
    const struct eds_enrolled_key *keys = newest(enrolment, &key_count);
    int32_t rc = check_id(enrolment->id, id_size, err);

    for (size_t i = 0; rc == EDS_OK && i < key_count; i++)
        rc = check_key(enrolment->id, keys[i].public_key, err);
    if (rc != EDS_OK)
        return rc;
    pthread_rwlock_wrlock(&registry->lock);
    rc = put_locked(registry, enrolment, id_size, err);
    atomic_fetch_add(&registry->generation, 1);
    pthread_rwlock_unlock(&registry->lock);
    return rc;
}

uint64_t eds_registry_generation(const struct eds_registry *registry)
{
    return atomic_load(&registry->generation);
}

int32_t eds_registry_set_state(struct eds_registry *registry, const char *device_id,
                               enum eds_device_state state)
{
    struct device *device;

    pthread_rwlock_wrlock(&registry->lock);
    device = find_id(registry, device_id, strlen(device_id));
    if (device != NULL) {
        registry->state_counts[device->state]--;
        registry->state_counts[state]++;
        device->state = (uint8_t)state;
    }
    atomic_fetch_add(&registry->generation, 1);
    pthread_rwlock_unlock(&registry->lock);
    return device != NULL ? EDS_OK : EDS_ERR_NOT_FOUND;
}

/* The lock is no part of what a reader sees: finding changes nothing else. */
static pthread_rwlock_t *lock_of(const struct eds_registry *registry)
{
    return (pthread_rwlock_t *)(uintptr_t)&registry->lock;
}

int32_t eds_registry_find(const struct eds_registry *registry, const char *device_id,
                          struct eds_device *out)
{
    struct device *device;
    size_t id_size = strlen(device_id);

    pthread_rwlock_rdlock(lock_of(registry));
    device = find_id(registry, device_id, id_size);
    if (device != NULL) {
        memset(out, 0, sizeof *out);
        memcpy(out->device_id, device_id, id_size);
        out->state = (enum eds_device_state)device->state;
        out->attest_required = device->attest_required;
        out->key_count = device->key_count;
        memcpy(out->keys, device->keys, device->key_count * sizeof device->keys[0]);
    }
    pthread_rwlock_unlock(lock_of(registry));
    return device != NULL ? EDS_OK : EDS_ERR_NOT_FOUND;
}

size_t eds_registry_count(const struct eds_registry *registry)
{
    size_t count;

    pthread_rwlock_rdlock(lock_of(registry));
    count = registry->by_id.used;
    pthread_rwlock_unlock(lock_of(registry));
    return count;
}

void eds_registry_count_states(const struct eds_registry *registry,
                               size_t out[EDS_DEVICE_STATE_COUNT])
{
    pthread_rwlock_rdlock(lock_of(registry));
    memcpy(out, registry->state_counts, sizeof registry->state_counts);
    pthread_rwlock_unlock(lock_of(registry));
}

/* registry.c - see registry.h.
 *
 * A device is one block of memory, cut to its id and keys (about 64 bytes with
 * one key), found through two indexes: by id, and by each of its keys, because
 * a key serves one device.  A device that gets another key moves to a larger
 * block, under the write lock; readers copy out under the read lock, so nobody
 * holds a pointer to the old one. */
#include "registry/registry.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/port.h"
#include "base/utf8.h"
#include "base/wipe.h"
#include "registry/index.h"

struct device {
    uint8_t state; /* enum eds_device_state */
    bool attest_required;
    uint8_t key_count;
    uint8_t id_size;                            /* without a NUL; none is stored */
    uint8_t public_keys[][EDS_PUBLIC_KEY_SIZE]; /* then the id */
};

struct eds_registry {
    pthread_rwlock_t lock;
    struct eds_index by_id, by_key;
    uint8_t hash_key[crypto_shorthash_KEYBYTES];
};

static char *id_of(struct device *device)
{
    return (char *)device->public_keys[device->key_count];
}

static size_t device_size(size_t key_count, size_t id_size)
{
    return sizeof(struct device) + key_count * EDS_PUBLIC_KEY_SIZE + id_size;
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

static bool has_key(const struct device *device, const uint8_t *public_key)
{
    for (unsigned i = 0; i < device->key_count; i++)
        if (memcmp(device->public_keys[i], public_key, EDS_PUBLIC_KEY_SIZE) == 0)
            return true;
    return false;
}

static struct device *find_key(const struct eds_registry *registry, const uint8_t *public_key)
{
    struct eds_index_walk walk;
    struct device *device;

    eds_index_begin(&walk, &registry->by_key, hash(registry, public_key, EDS_PUBLIC_KEY_SIZE));
    while ((device = eds_index_next(&walk)) != NULL)
        if (has_key(device, public_key))
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

/* Both indexes get their room before anything changes, so that running out of
 * memory leaves the registry as it was. */
static int32_t add_device(struct eds_registry *registry, const char *id, size_t id_size,
                          const uint8_t *public_key, bool attest_required)
{
    struct device *device;

    if (!eds_index_reserve(&registry->by_id) || !eds_index_reserve(&registry->by_key))
        return EDS_ERR_NO_MEMORY;
    device = malloc(device_size(1, id_size));
    if (device == NULL)
        return EDS_ERR_NO_MEMORY;
    device->state = EDS_DEVICE_ACTIVE;
    device->attest_required = attest_required;
    device->key_count = 1;
    device->id_size = (uint8_t)id_size;
    memcpy(device->public_keys[0], public_key, EDS_PUBLIC_KEY_SIZE);
    memcpy(id_of(device), id, id_size);
    eds_index_put(&registry->by_id, hash(registry, id, id_size), device);
    eds_index_put(&registry->by_key, hash(registry, public_key, EDS_PUBLIC_KEY_SIZE), device);
    return EDS_OK;
}

static int32_t add_another_key(struct eds_registry *registry, struct device *old,
                               const uint8_t *public_key)
{
    struct device *device;

    if (!eds_index_reserve(&registry->by_key))
        return EDS_ERR_NO_MEMORY;
    device = malloc(device_size(old->key_count + 1u, old->id_size));
    if (device == NULL)
        return EDS_ERR_NO_MEMORY;
    memcpy(device, old, device_size(old->key_count, 0));
    memcpy(device->public_keys[old->key_count], public_key, EDS_PUBLIC_KEY_SIZE);
    device->key_count++;
    memcpy(id_of(device), id_of(old), old->id_size);
    eds_index_move(&registry->by_id, hash(registry, id_of(old), old->id_size), old, device);
    for (unsigned i = 0; i < old->key_count; i++)
        eds_index_move(&registry->by_key, hash(registry, old->public_keys[i], EDS_PUBLIC_KEY_SIZE),
                       old, device);
    eds_index_put(&registry->by_key, hash(registry, public_key, EDS_PUBLIC_KEY_SIZE), device);
    free(old);
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
    if (device == NULL)
        rc = add_device(registry, id, id_size, public_key, attest_required);
    else if (owner == NULL && device->key_count == EDS_DEVICE_KEYS_MAX)
        return eds_error_set(err, EDS_ERR_TOO_LARGE, "device %s has %u public keys: no more fit",
                             id, EDS_DEVICE_KEYS_MAX);
    else if (owner == NULL)
        rc = add_another_key(registry, device, public_key);
    if (rc != EDS_OK)
        return eds_error_set(err, rc, "no memory for device %s", id);
    if (attest_required) /* the block may be a new one: find it again */
        find_id(registry, id, id_size)->attest_required = true;
    return EDS_OK;
}

int32_t eds_registry_add_key(struct eds_registry *registry, const char *device_id,
                             const uint8_t public_key[EDS_PUBLIC_KEY_SIZE], bool attest_required,
                             struct eds_error *err)
{
    size_t id_size = strlen(device_id);
    enum eds_key_fault fault;
    int32_t rc = check_id(device_id, id_size, err);

    if (rc != EDS_OK)
        return rc;
    fault = eds_ed25519_check_key(public_key);
    if (fault != EDS_KEY_GOOD)
        return eds_error_set(err, EDS_ERR_INVALID_KEY, "invalid public key for %s: %s", device_id,
                             eds_key_fault_text(fault));
    pthread_rwlock_wrlock(&registry->lock);
    rc = add_key_locked(registry, device_id, id_size, public_key, attest_required, err);
    pthread_rwlock_unlock(&registry->lock);
    return rc;
}

int32_t eds_registry_set_state(struct eds_registry *registry, const char *device_id,
                               enum eds_device_state state)
{
    struct device *device;

    pthread_rwlock_wrlock(&registry->lock);
    device = find_id(registry, device_id, strlen(device_id));
    if (device != NULL)
        device->state = (uint8_t)state;
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
        memcpy(out->public_keys, device->public_keys, device->key_count * EDS_PUBLIC_KEY_SIZE);
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

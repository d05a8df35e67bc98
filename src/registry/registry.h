/* registry.h - which devices there are, and by which keys they sign.
 *
 * Look-ups are O(1) and may run on any number of threads while devices are
 * added.  What is found is copied out: nothing points into the registry. */
#ifndef EDS_REGISTRY_REGISTRY_H
#define EDS_REGISTRY_REGISTRY_H

#include <stdbool.h>

#include "core/enrolment.h"

#define EDS_DEVICE_KEYS_MAX 8u /* keys of one device, here */

struct eds_device {
    char device_id[EDS_DEVICE_ID_SIZE];
    enum eds_device_state state;
    bool attest_required; /* records without attestation are refused */
    unsigned key_count;
    struct eds_enrolled_key keys[EDS_DEVICE_KEYS_MAX]; /* oldest first */
};

struct eds_registry;

/* eds_registry_create returns an empty registry, or NULL without memory.
 * The caller destroys it. */
struct eds_registry *eds_registry_create(void);
void eds_registry_destroy(struct eds_registry *registry);

/* eds_registry_add_key registers a key of a device, without borders in time, and
 * the device with its first key (state active; attestation as given, later calls
 * keep the stricter).
 *
 * EDS_OK; EDS_ERR_INVALID_KEY for a key that eds_ed25519_check_key refuses;
 * EDS_ERR_EXISTS if another device has this key (a key serves one device);
 * EDS_ERR_STRING_TOO_LONG, EDS_ERR_INVALID_UTF8 or EDS_ERR_USAGE (empty) for a
 * bad id; EDS_ERR_TOO_LARGE past EDS_DEVICE_KEYS_MAX; EDS_ERR_NO_MEMORY.
 * The same key of the same device again is EDS_OK.  *err names id and reason. */
int32_t eds_registry_add_key(struct eds_registry *registry, const char *device_id,
                             const uint8_t public_key[EDS_PUBLIC_KEY_SIZE], bool attest_required,
                             struct eds_error *err);

/* eds_registry_put makes a device what its enrolment in the store says, whatever
 * it was before: the newest EDS_DEVICE_KEYS_MAX of its keys.  A key that
 * eds_registry_add_key gave to another device is taken away there.
 *
 * EDS_OK; EDS_ERR_INVALID_KEY, EDS_ERR_USAGE and the others for a bad key or id,
 * EDS_ERR_EXISTS for a key that was put for another device, EDS_ERR_NO_MEMORY;
 * the device is then as it was. */
int32_t eds_registry_put(struct eds_registry *registry, const struct eds_enrolment *enrolment,
                         struct eds_error *err);

/* eds_registry_generation counts the changes: while it stays, what was found is
 * still so. */
uint64_t eds_registry_generation(const struct eds_registry *registry);

/* eds_registry_set_state changes a device's state.  EDS_OK or
 * EDS_ERR_NOT_FOUND. */
int32_t eds_registry_set_state(struct eds_registry *registry, const char *device_id,
                               enum eds_device_state state);

/* eds_registry_find copies a device out.  EDS_OK or EDS_ERR_NOT_FOUND. */
int32_t eds_registry_find(const struct eds_registry *registry, const char *device_id,
                          struct eds_device *out);

/* eds_registry_count tells how many devices there are. */
size_t eds_registry_count(const struct eds_registry *registry);

/* eds_registry_count_states tells how many there are in each state. */
void eds_registry_count_states(const struct eds_registry *registry,
                               size_t out[EDS_DEVICE_STATE_COUNT]);

#endif

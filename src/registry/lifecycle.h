/* lifecycle.h - what may become of an enrolment: the steps of a device's life
 * and of its keys.
 *
 *   active <-> quarantined      back and forth
 *   active, quarantined -> revoked, retired      for good
 *
 * Pure functions on an enrolment in memory; the store keeps what comes out.
 * Each returns EDS_OK, EDS_ERR_EXISTS if it is so already (nothing changed), or
 * EDS_ERR_UNSUPPORTED if there is no way there, with *err saying why. */
#ifndef EDS_REGISTRY_LIFECYCLE_H
#define EDS_REGISTRY_LIFECYCLE_H

#include "core/enrolment.h"
#include "edgesentry/error.h"

/* eds_lifecycle_check_text checks an id or label: valid UTF-8 without control
 * characters, shorter than size bytes; an id must not be empty.
 * EDS_OK, EDS_ERR_USAGE, EDS_ERR_STRING_TOO_LONG or EDS_ERR_INVALID_UTF8; what
 * names it in *err ("device id", "site"). */
int32_t eds_lifecycle_check_text(const char *text, size_t size, const char *what,
                                 struct eds_error *err);

/* eds_lifecycle_add_key appends a key without borders.  Also EDS_ERR_INVALID_KEY
 * for a key that eds_ed25519_check_key refuses, EDS_ERR_TOO_LARGE when there are
 * EDS_ENROLMENT_KEYS_MAX.  Then *out is the key in the enrolment. */
int32_t eds_lifecycle_add_key(struct eds_enrolment *it, const uint8_t key[EDS_PUBLIC_KEY_SIZE],
                              struct eds_enrolled_key **out, struct eds_error *err);

/* When the keys that there are end: at the earlier of both. */
struct eds_lifecycle_end {
    uint64_t at_ms;    /* EDS_KEY_NO_END: not by time */
    uint64_t sequence; /* the last they may sign; EDS_KEY_NO_END: not by sequence */
};

/* eds_lifecycle_rotate ends the keys that there are and adds a new one, valid
 * from not_before_ms on; until the end, both sign. */
int32_t eds_lifecycle_rotate(struct eds_enrolment *it, const uint8_t key[EDS_PUBLIC_KEY_SIZE],
                             uint64_t not_before_ms, const struct eds_lifecycle_end *end,
                             struct eds_error *err);

/* eds_lifecycle_revoke_key ends one key now and for good; the id names it.  Also
 * EDS_ERR_NOT_FOUND. */
int32_t eds_lifecycle_revoke_key(struct eds_enrolment *it, const uint8_t key_id[EDS_KEY_ID_SIZE],
                                 uint64_t now_ms, struct eds_error *err);

/* eds_lifecycle_move brings it into another state.  Revoked and retired end all
 * keys now; revoked also marks them. */
int32_t eds_lifecycle_move(struct eds_enrolment *it, enum eds_device_state state, uint64_t now_ms,
                           struct eds_error *err);

#endif

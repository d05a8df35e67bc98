/* enrolment.h - what is registered of a device: its state, its labels, and its
 * keys with the time and the sequences for which they may sign.
 *
 * Plain data, shared by the look-up table in memory (registry), the database
 * (store) and the gate (ingest).  No heap, no OS. */
#ifndef EDS_CORE_ENROLMENT_H
#define EDS_CORE_ENROLMENT_H

#include <stdbool.h>

#include "edgesentry/record.h"

enum eds_device_state {
    EDS_DEVICE_ACTIVE,
    EDS_DEVICE_QUARANTINED, /* its records are verified and kept apart */
    EDS_DEVICE_REVOKED,     /* no longer trusted, for good */
    EDS_DEVICE_RETIRED      /* out of service, for good */
};
#define EDS_DEVICE_STATE_COUNT 4u

/* Who has a key.  A key serves one role, and there one name. */
enum eds_role { EDS_ROLE_DEVICE, EDS_ROLE_OPERATOR };
#define EDS_ROLE_COUNT 2u

#define EDS_KEY_NO_END UINT64_MAX

/* A key and its window.  What it signed is good if it was taken in from
 * not_before_ms on and before not_after_ms (by the server's clock), with a
 * sequence of at most not_after_sequence.  A revoked key's window ends where it
 * was revoked: what it signed before stays good. */
struct eds_enrolled_key {
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
    uint64_t not_before_ms;      /* 0: always has been */
    uint64_t not_after_ms;       /* EDS_KEY_NO_END: no end is set */
    uint64_t not_after_sequence; /* EDS_KEY_NO_END: no end is set */
    bool revoked;
};

#define EDS_ENROLMENT_KEYS_MAX   64u        /* of one device, ended ones included */
#define EDS_ENROLMENT_LABEL_SIZE 64u        /* bytes, NUL included */
#define EDS_ARRIVED_ANY          UINT64_MAX /* of quarantine_arrived in a change */

struct eds_enrolment {
    enum eds_role role;
    char id[EDS_DEVICE_ID_SIZE];
    enum eds_device_state state;
    bool attest_required; /* records without attestation are refused */
    char site[EDS_ENROLMENT_LABEL_SIZE];
    char cohort[EDS_ENROLMENT_LABEL_SIZE];
    char firmware[EDS_ENROLMENT_LABEL_SIZE]; /* version last seen */
    uint64_t quarantine_arrived;             /* records ever kept apart, and those that left; */
    uint64_t quarantine_left;                /* the store counts them, no change does */
    uint64_t revision; /* the registry's version at its last change; 0: not stored yet */
    uint32_t key_count;
    struct eds_enrolled_key keys[EDS_ENROLMENT_KEYS_MAX]; /* oldest first */
};

/* eds_enrolment_size is the bytes of an enrolment up to its last key: what need be
 * kept of it.  eds_enrolment_copy copies just these. */
size_t eds_enrolment_size(const struct eds_enrolment *it);
void eds_enrolment_copy(struct eds_enrolment *out, const struct eds_enrolment *it);

/* What a key's window says of one record. */
enum eds_key_standing { EDS_KEY_VALID, EDS_KEY_EARLY, EDS_KEY_ENDED, EDS_KEY_REVOKED };

/* eds_key_standing says whether a key may sign the record of that sequence,
 * taken in at now_ms. */
enum eds_key_standing eds_key_standing(const struct eds_enrolled_key *key, uint64_t now_ms,
                                       uint64_t sequence);

/* How far after a window's end a record may have been taken in and still be
 * found good: servers hear of a change within a second, and a record that was
 * checked in time may wait for the store. */
#define EDS_KEY_GRACE_MS 30000u

/* eds_key_was_valid says whether a record that was taken in at ingested_ms was
 * rightly taken under a key, whatever became of the key since. */
bool eds_key_was_valid(const struct eds_enrolled_key *key, uint64_t ingested_ms, uint64_t sequence);

/* The words for states and roles ("active", "device").  parse returns false for
 * any other word. */
const char *eds_device_state_name(enum eds_device_state state);
bool eds_device_state_parse(enum eds_device_state *out, const char *word);
const char *eds_role_name(enum eds_role role);
bool eds_role_parse(enum eds_role *out, const char *word);

#endif

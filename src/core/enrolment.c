/* enrolment.c - see enrolment.h. */
#include "core/enrolment.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

size_t eds_enrolment_size(const struct eds_enrolment *it)
{
    assert(it->key_count <= EDS_ENROLMENT_KEYS_MAX);
    return offsetof(struct eds_enrolment, keys) + it->key_count * sizeof it->keys[0];
}

void eds_enrolment_copy(struct eds_enrolment *out, const struct eds_enrolment *it)
{
    memcpy(out, it, eds_enrolment_size(it));
}

enum eds_key_standing eds_key_standing(const struct eds_enrolled_key *key, uint64_t now_ms,
                                       uint64_t sequence)
{
    if (key->revoked)
        return EDS_KEY_REVOKED;
    if (now_ms < key->not_before_ms)
        return EDS_KEY_EARLY;
    /* A window without an end also holds the last millisecond there is. */
    if ((key->not_after_ms != EDS_KEY_NO_END && now_ms >= key->not_after_ms) ||
        sequence > key->not_after_sequence)
        return EDS_KEY_ENDED;
    return EDS_KEY_VALID;
}

bool eds_key_was_valid(const struct eds_enrolled_key *key, uint64_t ingested_ms, uint64_t sequence)
{
    struct eds_enrolled_key then = *key;

    then.revoked = false; /* its window ends where it was revoked */
    if (then.not_after_ms < EDS_KEY_NO_END - EDS_KEY_GRACE_MS)
        then.not_after_ms += EDS_KEY_GRACE_MS;
    return eds_key_standing(&then, ingested_ms, sequence) == EDS_KEY_VALID;
}

static const char *const state_names[EDS_DEVICE_STATE_COUNT] = {
    [EDS_DEVICE_ACTIVE] = "active",
    [EDS_DEVICE_QUARANTINED] = "quarantined",
    [EDS_DEVICE_REVOKED] = "revoked",
    [EDS_DEVICE_RETIRED] = "retired",
};

static const char *const role_names[EDS_ROLE_COUNT] = {
    [EDS_ROLE_DEVICE] = "device",
    [EDS_ROLE_OPERATOR] = "operator",
};

/* The place of a word in a list, or count. */
static unsigned place_of(const char *const *words, unsigned count, const char *word)
{
    unsigned at = 0;

    while (at < count && strcmp(words[at], word) != 0)
        at++;
    return at;
}

const char *eds_device_state_name(enum eds_device_state state)
{
    assert((unsigned)state < EDS_DEVICE_STATE_COUNT);
    return state_names[state];
}

bool eds_device_state_parse(enum eds_device_state *out, const char *word)
{
    unsigned at = place_of(state_names, EDS_DEVICE_STATE_COUNT, word);

    if (at == EDS_DEVICE_STATE_COUNT)
        return false;
    *out = (enum eds_device_state)at;
    return true;
}

const char *eds_role_name(enum eds_role role)
{
    assert((unsigned)role < EDS_ROLE_COUNT);
    return role_names[role];
}

bool eds_role_parse(enum eds_role *out, const char *word)
{
    unsigned at = place_of(role_names, EDS_ROLE_COUNT, word);

    if (at == EDS_ROLE_COUNT)
        return false;
    *out = (enum eds_role)at;
    return true;
}

/* lifecycle.c - see lifecycle.h. */
#include "registry/lifecycle.h"

#include <string.h>

#include "base/utf8.h"
#include "edgesentry/ed25519.h"

int32_t eds_lifecycle_check_text(const char *text, size_t size, const char *what,
                                 struct eds_error *err)
{
    size_t length = strlen(text);

    if (length >= size)
        return eds_error_set(err, EDS_ERR_STRING_TOO_LONG,
                             "%s of %zu bytes is too long: at most %zu bytes", what, length,
                             size - 1);
    if (!eds_utf8_valid(text, length))
        return eds_error_set(err, EDS_ERR_INVALID_UTF8, "%s is not valid UTF-8 at byte %zu", what,
                             eds_utf8_valid_size(text, length));
    for (size_t i = 0; i < length; i++)
        if ((uint8_t)text[i] < 0x20 || (uint8_t)text[i] == 0x7f)
            return eds_error_set(err, EDS_ERR_USAGE, "%s has a control character at byte %zu", what,
                                 i);
    return EDS_OK;
}

static bool has_ended(const struct eds_enrolment *it)
{
    return it->state == EDS_DEVICE_REVOKED || it->state == EDS_DEVICE_RETIRED;
}

static int32_t no_way(const struct eds_enrolment *it, struct eds_error *err)
{
    return eds_error_set(err, EDS_ERR_UNSUPPORTED, "%s %s is %s, and that is for good",
                         eds_role_name(it->role), it->id, eds_device_state_name(it->state));
}

int32_t eds_lifecycle_add_key(struct eds_enrolment *it, const uint8_t key[EDS_PUBLIC_KEY_SIZE],
                              struct eds_enrolled_key **out, struct eds_error *err)
{
    enum eds_key_fault fault = eds_ed25519_check_key(key);
    struct eds_enrolled_key *added;

    if (has_ended(it))
        return no_way(it, err);
    if (fault != EDS_KEY_GOOD)
        return eds_error_set(err, EDS_ERR_INVALID_KEY, "invalid public key for %s: %s", it->id,
                             eds_key_fault_text(fault));
    for (uint32_t i = 0; i < it->key_count; i++)
        if (memcmp(it->keys[i].public_key, key, EDS_PUBLIC_KEY_SIZE) == 0)
            return eds_error_set(err, EDS_ERR_EXISTS, "%s has this key already", it->id);
    if (it->key_count == EDS_ENROLMENT_KEYS_MAX)
        return eds_error_set(err, EDS_ERR_TOO_LARGE,
                             "%s has had %u keys, and no more are kept: enrol it under a new id",
                             it->id, EDS_ENROLMENT_KEYS_MAX);
    added = &it->keys[it->key_count++];
    memset(added, 0, sizeof *added);
    memcpy(added->public_key, key, EDS_PUBLIC_KEY_SIZE);
    added->not_after_ms = EDS_KEY_NO_END;
    added->not_after_sequence = EDS_KEY_NO_END;
    if (out != NULL)
        *out = added;
    return EDS_OK;
}

static void end_key(struct eds_enrolled_key *key, uint64_t at_ms, uint64_t sequence)
{
    if (at_ms < key->not_after_ms)
        key->not_after_ms = at_ms;
    if (sequence < key->not_after_sequence)
        key->not_after_sequence = sequence;
}

int32_t eds_lifecycle_rotate(struct eds_enrolment *it, const uint8_t key[EDS_PUBLIC_KEY_SIZE],
                             uint64_t not_before_ms, const struct eds_lifecycle_end *end,
                             struct eds_error *err)
{
    struct eds_enrolled_key *added;
    int32_t rc = eds_lifecycle_add_key(it, key, &added, err);

    if (rc != EDS_OK)
        return rc;
    added->not_before_ms = not_before_ms;
    for (uint32_t i = 0; i + 1 < it->key_count; i++)
        end_key(&it->keys[i], end->at_ms, end->sequence);
    return EDS_OK;
}

int32_t eds_lifecycle_revoke_key(struct eds_enrolment *it, const uint8_t key_id[EDS_KEY_ID_SIZE],
                                 uint64_t now_ms, struct eds_error *err)
{
    for (uint32_t i = 0; i < it->key_count; i++) {
        struct eds_enrolled_key *key = &it->keys[i];
        uint8_t id[EDS_KEY_ID_SIZE];

        eds_key_id(id, key->public_key);
        if (memcmp(id, key_id, sizeof id) != 0)
            continue;
        if (key->revoked)
            return eds_error_set(err, EDS_ERR_EXISTS, "this key of %s is revoked already", it->id);
        end_key(key, now_ms, EDS_KEY_NO_END);
        key->revoked = true;
        return EDS_OK;
    }
    return eds_error_set(err, EDS_ERR_NOT_FOUND, "%s has no key of that id", it->id);
}

int32_t eds_lifecycle_move(struct eds_enrolment *it, enum eds_device_state state, uint64_t now_ms,
                           struct eds_error *err)
{
    if (it->state == state)
        return eds_error_set(err, EDS_ERR_EXISTS, "%s %s is %s already", eds_role_name(it->role),
                             it->id, eds_device_state_name(state));
    if (has_ended(it))
        return no_way(it, err);
    it->state = state;
    for (uint32_t i = 0; has_ended(it) && i < it->key_count; i++) {
        end_key(&it->keys[i], now_ms, EDS_KEY_NO_END);
        it->keys[i].revoked = it->keys[i].revoked || state == EDS_DEVICE_REVOKED;
    }
    return EDS_OK;
}

/* entry.c - see entry.h. */
#include "fleet/entry.h"

#include <string.h>

#include "base/hex.h"
#include "edgesentry/ed25519.h"
#include "registry/lifecycle.h"
#include "store/instant.h"

const char *const eds_fleet_field_names[EDS_FLEET_FIELD_COUNT] = {
    [EDS_FLEET_DEVICE_ID] = "device_id", [EDS_FLEET_PUBLIC_KEY] = "public_key",
    [EDS_FLEET_SITE] = "site",           [EDS_FLEET_COHORT] = "cohort",
    [EDS_FLEET_FIRMWARE] = "firmware",   [EDS_FLEET_ATTEST] = "attest",
    [EDS_FLEET_STATE] = "state",         [EDS_FLEET_NOT_BEFORE] = "not_before",
    [EDS_FLEET_NOT_AFTER] = "not_after", [EDS_FLEET_NOT_AFTER_SEQUENCE] = "not_after_sequence",
    [EDS_FLEET_REVOKED] = "revoked",
};

void eds_fleet_entry_begin(struct eds_fleet_entry *entry, uint64_t line)
{
    memset(entry, 0, sizeof *entry);
    entry->it.role = EDS_ROLE_DEVICE;
    entry->it.state = EDS_DEVICE_ACTIVE;
    entry->it.attest_required = true; /* as of "device add" */
    entry->line = line;
}

int32_t eds_fleet_key_begin(struct eds_fleet_entry *entry, struct eds_error *err)
{
    struct eds_enrolled_key *key;

    if (entry->it.key_count == EDS_ENROLMENT_KEYS_MAX)
        return eds_error_set(err, EDS_ERR_TOO_LARGE, "a device has at most %u keys",
                             EDS_ENROLMENT_KEYS_MAX);
    entry->key_given[entry->it.key_count] = 0;
    key = &entry->it.keys[entry->it.key_count++];
    memset(key, 0, sizeof *key);
    key->not_after_ms = EDS_KEY_NO_END;
    key->not_after_sequence = EDS_KEY_NO_END;
    return EDS_OK;
}

int32_t eds_fleet_key_end(const struct eds_fleet_entry *entry, struct eds_error *err)
{
    uint32_t last = entry->it.key_count - 1;

    if (!eds_fleet_is_given(entry->key_given[last], EDS_FLEET_PUBLIC_KEY))
        return eds_error_set(err, EDS_ERR_MALFORMED, "a key without public_key");
    for (uint32_t i = 0; i < last; i++)
        if (memcmp(entry->it.keys[i].public_key, entry->it.keys[last].public_key,
                   EDS_PUBLIC_KEY_SIZE) == 0)
            return eds_error_set(err, EDS_ERR_MALFORMED, "%s has this key twice", entry->it.id);
    return EDS_OK;
}

static int32_t set_text(char *out, size_t size, const char *text, struct eds_error *err)
{
    int32_t rc = eds_lifecycle_check_text(text, size, "the text", err);

    if (rc == EDS_OK)
        strcpy(out, text);
    return rc;
}

static int32_t set_id(struct eds_enrolment *it, const char *text, struct eds_error *err)
{
    if (text[0] == '\0')
        return eds_error_set(err, EDS_ERR_MALFORMED, "the id must not be empty");
    return set_text(it->id, sizeof it->id, text, err);
}

static int32_t set_state(struct eds_enrolment *it, const char *text, struct eds_error *err)
{
    if (eds_device_state_parse(&it->state, text))
        return EDS_OK;
    return eds_error_set(err, EDS_ERR_MALFORMED,
                         "expected active, quarantined, revoked or retired");
}

/* One of two words. */
static int32_t set_bool(bool *out, const char *text, const char *yes, const char *no,
                        struct eds_error *err)
{
    *out = strcmp(text, yes) == 0;
    if (*out || strcmp(text, no) == 0)
        return EDS_OK;
    return eds_error_set(err, EDS_ERR_MALFORMED, "expected %s or %s", yes, no);
}

static int32_t set_key(struct eds_enrolled_key *key, const char *text, struct eds_error *err)
{
    int32_t rc;
    enum eds_key_fault fault;

    if (text[0] == '\0')
        return eds_error_set(err, EDS_ERR_MALFORMED, "the key must not be empty");
    rc = eds_hex_decode_exactly(key->public_key, EDS_PUBLIC_KEY_SIZE, text, strlen(text), err);
    if (rc != EDS_OK)
        return rc;
    fault = eds_ed25519_check_key(key->public_key);
    if (fault != EDS_KEY_GOOD)
        return eds_error_set(err, EDS_ERR_INVALID_KEY, "the key %s", eds_key_fault_text(fault));
    return EDS_OK;
}

static int32_t set_instant(uint64_t *out, const char *text, struct eds_error *err)
{
    if (eds_instant_parse_any(out, text) && *out != EDS_KEY_NO_END)
        return EDS_OK;
    return eds_error_set(err, EDS_ERR_MALFORMED, "expected a time like 2026-11-22T00:00:00Z");
}

static int32_t set_number(uint64_t *out, const char *text, struct eds_error *err)
{
    uint64_t number = 0;

    for (const char *at = text; *at != '\0'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');

        if (*at < '0' || *at > '9' || number > (EDS_KEY_NO_END - 1 - digit) / 10)
            return eds_error_set(err, EDS_ERR_MALFORMED,
                                 "expected a whole number from 0 to 18446744073709551614");
        number = number * 10 + digit;
    }
    *out = number;
    return EDS_OK;
}

static int32_t set_device_field(struct eds_enrolment *it, enum eds_fleet_field field,
                                const char *text, struct eds_error *err)
{
    switch (field) {
    case EDS_FLEET_DEVICE_ID:
        return set_id(it, text, err);
    case EDS_FLEET_SITE:
        return set_text(it->site, sizeof it->site, text, err);
    case EDS_FLEET_COHORT:
        return set_text(it->cohort, sizeof it->cohort, text, err);
    case EDS_FLEET_FIRMWARE:
        return set_text(it->firmware, sizeof it->firmware, text, err);
    case EDS_FLEET_ATTEST:
        return set_bool(&it->attest_required, text, "required", "optional", err);
    default:
        return set_state(it, text, err);
    }
}

static int32_t set_key_field(struct eds_enrolled_key *key, enum eds_fleet_field field,
                             const char *text, struct eds_error *err)
{
    switch (field) {
    case EDS_FLEET_PUBLIC_KEY:
        return set_key(key, text, err);
    case EDS_FLEET_NOT_BEFORE:
        return set_instant(&key->not_before_ms, text, err);
    case EDS_FLEET_NOT_AFTER:
        return set_instant(&key->not_after_ms, text, err);
    case EDS_FLEET_NOT_AFTER_SEQUENCE:
        return set_number(&key->not_after_sequence, text, err);
    default:
        return set_bool(&key->revoked, text, "true", "false", err);
    }
}

/* Which fields an empty text says something about. */
static bool may_be_empty(enum eds_fleet_field field)
{
    return field == EDS_FLEET_DEVICE_ID || field == EDS_FLEET_PUBLIC_KEY ||
           field == EDS_FLEET_SITE || field == EDS_FLEET_COHORT || field == EDS_FLEET_FIRMWARE;
}

int32_t eds_fleet_set(struct eds_fleet_entry *entry, enum eds_fleet_field field, const char *text,
                      struct eds_error *err)
{
    uint32_t key = entry->it.key_count - 1;
    int32_t rc;

    if (text[0] == '\0' && !may_be_empty(field))
        return EDS_OK;
    if (eds_fleet_is_key_field(field)) {
        rc = set_key_field(&entry->it.keys[key], field, text, err);
        entry->key_given[key] |= (uint32_t)1 << field;
    } else {
        rc = set_device_field(&entry->it, field, text, err);
        entry->given |= (uint32_t)1 << field;
    }
    return rc;
}

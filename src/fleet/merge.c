/* merge.c - see merge.h. */
#include "fleet/merge.h"

#include <string.h>

#include "base/hex.h"
#include "base/text.h"
#include "registry/lifecycle.h"

/* One merge under way. */
struct merging {
    struct eds_enrolment *out;
    const struct eds_fleet_entry *entry;
    uint64_t now_ms;
    unsigned added, ended; /* keys */
    struct eds_text changes;
    struct eds_error *err;
};

static void note(struct merging *m, const char *what)
{
    if (m->changes.used > 0)
        eds_text_string(&m->changes, ", ");
    eds_text_string(&m->changes, what);
}

static void note_keys(struct merging *m, unsigned count, const char *what)
{
    if (count == 0)
        return;
    if (m->changes.used > 0)
        eds_text_string(&m->changes, ", ");
    eds_text_u64(&m->changes, count);
    eds_text_string(&m->changes, count == 1 ? " key " : " keys ");
    eds_text_string(&m->changes, what);
}

/* What has no end although it is over ends now. */
static void end_keys(struct eds_enrolment *it, uint64_t now_ms)
{
    for (uint32_t i = 0; i < it->key_count; i++) {
        struct eds_enrolled_key *key = &it->keys[i];

        key->revoked = key->revoked || it->state == EDS_DEVICE_REVOKED;
        if ((key->revoked || it->state == EDS_DEVICE_RETIRED) &&
            key->not_after_ms == EDS_KEY_NO_END)
            key->not_after_ms = now_ms;
    }
}

static struct eds_enrolled_key *find_key(struct eds_enrolment *it, const uint8_t *public_key)
{
    for (uint32_t i = 0; i < it->key_count; i++)
        if (memcmp(it->keys[i].public_key, public_key, EDS_PUBLIC_KEY_SIZE) == 0)
            return &it->keys[i];
    return NULL;
}

static int32_t refuse_key(const struct merging *m, const struct eds_enrolled_key *key,
                          const char *what)
{
    uint8_t id[EDS_KEY_ID_SIZE];
    char digits[2 * EDS_KEY_ID_SIZE + 1];

    eds_key_id(id, key->public_key);
    eds_hex_encode(digits, id, sizeof id);
    return eds_error_set(m->err, EDS_ERR_UNSUPPORTED, "%s: key %s %s", m->out->id, digits, what);
}

/* A key that the device has. */
static int32_t merge_known(struct merging *m, struct eds_enrolled_key *key, uint32_t at)
{
    const struct eds_enrolled_key *wanted = &m->entry->it.keys[at], was = *key;
    uint32_t given = m->entry->key_given[at];

    if (eds_fleet_is_given(given, EDS_FLEET_NOT_BEFORE) &&
        wanted->not_before_ms != key->not_before_ms)
        return refuse_key(m, key, "has another not_before, which stays as it was registered");
    if (eds_fleet_is_given(given, EDS_FLEET_REVOKED) && key->revoked && !wanted->revoked)
        return refuse_key(m, key, "is revoked, and that is for good");
    if ((eds_fleet_is_given(given, EDS_FLEET_NOT_AFTER) &&
         wanted->not_after_ms > key->not_after_ms) ||
        (eds_fleet_is_given(given, EDS_FLEET_NOT_AFTER_SEQUENCE) &&
         wanted->not_after_sequence > key->not_after_sequence))
        return refuse_key(m, key, "ends earlier than that, and an end is only brought forward");
    if (eds_fleet_is_given(given, EDS_FLEET_NOT_AFTER))
        key->not_after_ms = wanted->not_after_ms;
    if (eds_fleet_is_given(given, EDS_FLEET_NOT_AFTER_SEQUENCE))
        key->not_after_sequence = wanted->not_after_sequence;
    if (wanted->revoked && !key->revoked) {
        key->revoked = true;
        if (key->not_after_ms > m->now_ms)
            key->not_after_ms = m->now_ms;
    }
    if (key->not_after_ms != was.not_after_ms ||
        key->not_after_sequence != was.not_after_sequence || key->revoked != was.revoked)
        m->ended++;
    return EDS_OK;
}

static int32_t merge_keys(struct merging *m)
{
    int32_t rc = EDS_OK;

    for (uint32_t i = 0; rc == EDS_OK && i < m->entry->it.key_count; i++) {
        const struct eds_enrolled_key *wanted = &m->entry->it.keys[i];
        struct eds_enrolled_key *key = find_key(m->out, wanted->public_key);

        if (key != NULL) {
            rc = merge_known(m, key, i);
            continue;
        }
        rc = eds_lifecycle_add_key(m->out, wanted->public_key, &key, m->err);
        if (rc == EDS_OK) {
            *key = *wanted;
            m->added++;
        }
    }
    return rc;
}

static void merge_label(struct merging *m, enum eds_fleet_field field, char *out,
                        const char *wanted)
{
    if (!eds_fleet_is_given(m->entry->given, field) || strcmp(out, wanted) == 0)
        return;
    strcpy(out, wanted);
    note(m, eds_fleet_field_names[field]);
}

static int32_t merge_state(struct merging *m)
{
    enum eds_device_state state = m->entry->it.state;

    if (!eds_fleet_is_given(m->entry->given, EDS_FLEET_STATE) || m->out->state == state)
        return EDS_OK;
    if (m->out->state == EDS_DEVICE_QUARANTINED && state == EDS_DEVICE_ACTIVE)
        return eds_error_set(m->err, EDS_ERR_UNSUPPORTED,
                             "%s is quarantined, and no import ends that: 'eds audit device "
                             "release' lets its records into its chain",
                             m->out->id);
    note(m, "state");
    return eds_lifecycle_move(m->out, state, m->now_ms, m->err);
}

int32_t eds_fleet_merge(struct eds_enrolment *out, char changes[EDS_FLEET_CHANGES_SIZE],
                        const struct eds_fleet_entry *entry, const struct eds_enrolment *stored,
                        uint64_t now_ms, struct eds_error *err)
{
    struct merging m = {.out = out, .entry = entry, .now_ms = now_ms, .err = err};
    int32_t rc;

    changes[0] = '\0';
    if (stored == NULL) {
        eds_enrolment_copy(out, &entry->it);
        end_keys(out, now_ms);
        return EDS_OK;
    }
    eds_enrolment_copy(out, stored);
    eds_text_begin(&m.changes, changes, EDS_FLEET_CHANGES_SIZE);
    merge_label(&m, EDS_FLEET_SITE, out->site, entry->it.site);
    merge_label(&m, EDS_FLEET_COHORT, out->cohort, entry->it.cohort);
    merge_label(&m, EDS_FLEET_FIRMWARE, out->firmware, entry->it.firmware);
    if (eds_fleet_is_given(entry->given, EDS_FLEET_ATTEST) &&
        out->attest_required != entry->it.attest_required) {
        out->attest_required = entry->it.attest_required;
        note(&m, "attest");
    }
    rc = merge_keys(&m); /* before the state: its last keys may come with its end */
    if (rc == EDS_OK)
        rc = merge_state(&m);
    if (rc == EDS_OK)
        end_keys(out, now_ms);
    note_keys(&m, m.added, "added");
    note_keys(&m, m.ended, "ended");
    return rc;
}

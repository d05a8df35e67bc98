/* roster_sample.c - see roster_sample.h. */
#include "store/roster_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#define NOW_MS UINT64_C(1795305600123)

struct eds_enrolled_key *sample_key(struct eds_enrolment *it, uint32_t key)
{
    struct eds_enrolled_key *at = &it->keys[it->key_count++];

    memset(at, 0, sizeof *at);
    memset(at->public_key, 0x5a, sizeof at->public_key);
    memcpy(at->public_key, &key, sizeof key);
    at->not_after_ms = EDS_KEY_NO_END;
    at->not_after_sequence = EDS_KEY_NO_END;
    return at;
}

struct eds_enrolment sample_device(const char *id, uint32_t key)
{
    struct eds_enrolment it = {.role = EDS_ROLE_DEVICE};

    assert_true(strlen(id) < sizeof it.id);
    strcpy(it.id, id);
    sample_key(&it, key);
    return it;
}

int32_t sample_put(struct eds_ledger *ledger, const struct eds_enrolment *it, const char *message)
{
    struct eds_roster_change change = {it, message, "alice", "a test"};
    struct eds_error err = {0};
    int32_t rc = ledger->roster->change(ledger, &change, 1, NOW_MS, &err);

    assert_int_equal(err.code, rc);
    return rc;
}

void sample_must_put(struct eds_ledger *ledger, struct eds_enrolment *it, const char *message)
{
    struct eds_roster_change change = {it, message, "alice", "a test"};
    struct eds_enrolment found;
    struct eds_error err;

    if (ledger->roster->change(ledger, &change, 1, NOW_MS, &err) != EDS_OK)
        fail_msg("%s", err.text);
    if (ledger->roster->find(ledger, it->role, it->id, &found, &err) != EDS_OK)
        fail_msg("%s", err.text);
    sample_same(&found, it);
    assert_int_equal(found.revision, sample_version(ledger));
    *it = found;
}

uint64_t sample_version(struct eds_ledger *ledger)
{
    uint64_t version = UINT64_MAX;
    struct eds_error err;

    if (ledger->roster->version(ledger, &version, &err) != EDS_OK)
        fail_msg("%s", err.text);
    return version;
}

void sample_same(const struct eds_enrolment *a, const struct eds_enrolment *b)
{
    assert_int_equal(a->role, b->role);
    assert_string_equal(a->id, b->id);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->attest_required, b->attest_required);
    assert_string_equal(a->site, b->site);
    assert_string_equal(a->cohort, b->cohort);
    assert_string_equal(a->firmware, b->firmware);
    assert_int_equal(a->key_count, b->key_count);
    for (uint32_t k = 0; k < a->key_count; k++) {
        assert_memory_equal(a->keys[k].public_key, b->keys[k].public_key, EDS_PUBLIC_KEY_SIZE);
        assert_int_equal(a->keys[k].not_before_ms, b->keys[k].not_before_ms);
        assert_int_equal(a->keys[k].not_after_ms, b->keys[k].not_after_ms);
        assert_int_equal(a->keys[k].not_after_sequence, b->keys[k].not_after_sequence);
        assert_int_equal(a->keys[k].revoked, b->keys[k].revoked);
    }
}

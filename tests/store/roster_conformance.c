/* roster_conformance.c - see roster_conformance.h.  Written from store/roster.h
 * alone: no test knows how a store works. */
#include "store/roster_conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/ledger_dump.h"
#include "store/ledger_fixture.h"
#include "store/roster_sample.h"
#include "support/enrolment.h"

/* What a walk gave, as ids in one text. */
struct seen {
    char text[4096];
    size_t count, end_at; /* end_at: the visit that ends the walk; 0: none */
    uint64_t last_revision;
};

static int32_t note(void *context, const struct eds_enrolment *it)
{
    struct seen *seen = context;
    size_t size = strlen(seen->text);

    snprintf(seen->text + size, sizeof seen->text - size, "%s ", it->id);
    seen->last_revision = it->revision;
    return ++seen->count == seen->end_at ? SAMPLE_FAILED : EDS_OK;
}

static void expect_scan(struct eds_ledger *ledger, enum eds_role role, const char *ids)
{
    struct seen seen = {.text = ""};
    struct eds_error err;

    assert_int_equal(ledger->roster->scan(ledger, role, note, &seen, &err), EDS_OK);
    assert_string_equal(seen.text, ids);
}

static void expect_changed(struct eds_ledger *ledger, uint64_t since, const char *ids)
{
    struct seen seen = {.text = ""};
    struct eds_error err;

    assert_int_equal(ledger->roster->changed(ledger, since, note, &seen, &err), EDS_OK);
    assert_string_equal(seen.text, ids);
}

static void test_empty(void **state)
{
    struct eds_ledger *ledger = *state;
    const uint8_t key[EDS_PUBLIC_KEY_SIZE] = {1};
    struct eds_enrolment out;
    struct eds_key_owner owner;
    struct eds_error err;

    assert_int_equal(sample_version(ledger), 0);
    assert_int_equal(ledger->roster->find(ledger, EDS_ROLE_DEVICE, "lift-01", &out, &err),
                     EDS_ERR_NOT_FOUND);
    assert_string_equal(err.text, "no device lift-01 is registered");
    assert_int_equal(ledger->roster->find(ledger, EDS_ROLE_DEVICE, "\xff", &out, &err),
                     EDS_ERR_NOT_FOUND);
    assert_int_equal(ledger->roster->owner(ledger, key, &owner, &err), EDS_ERR_NOT_FOUND);
    expect_scan(ledger, EDS_ROLE_DEVICE, "");
    expect_changed(ledger, 0, "");
    assert_int_equal(ledger->roster->change(ledger, NULL, 0, 1, &err), EDS_OK);
    assert_int_equal(sample_version(ledger), 0);
}

static void test_everything_comes_back(void **state)
{
    struct eds_ledger *ledger = *state;
    struct eds_enrolment it = sample_device("g\"er\xc3\xa4t '1'", 1);
    struct eds_enrolled_key *key;
    struct eds_key_owner owner;
    struct eds_error err;

    it.state = EDS_DEVICE_QUARANTINED;
    it.attest_required = true;
    memset(it.site, 'S', sizeof it.site - 1);
    strcpy(it.cohort, "pilot; DROP TABLE registry");
    strcpy(it.firmware, "1.2.3-r\xc3\xa9");
    key = sample_key(&it, 2);
    key->not_before_ms = 1;
    key->not_after_ms = 2;
    key->not_after_sequence = 0;
    key->revoked = true;
    key = sample_key(&it, 3);
    key->not_before_ms = EDS_KEY_NO_END - 1;
    key->not_after_ms = EDS_KEY_NO_END - 1;
    key->not_after_sequence = UINT64_C(1) << 63;
    sample_must_put(ledger, &it, "device added");
    for (uint32_t k = 0; k < it.key_count; k++) {
        assert_int_equal(ledger->roster->owner(ledger, it.keys[k].public_key, &owner, &err),
                         EDS_OK);
        assert_int_equal(owner.role, EDS_ROLE_DEVICE);
        assert_string_equal(owner.id, it.id);
    }
    for (unsigned s = 0; s < EDS_DEVICE_STATE_COUNT; s++) {
        it.state = (enum eds_device_state)s;
        it.attest_required = !it.attest_required;
        it.keys[1].not_after_ms += 5;
        strcpy(it.site, "");
        sample_must_put(ledger, &it, "device changed");
    }
    while (it.key_count < EDS_ENROLMENT_KEYS_MAX)
        sample_key(&it, 100 + it.key_count);
    sample_must_put(ledger, &it, "as many keys as there may be");
}

static int32_t count_line(void *context, const struct eds_operation *line, uint64_t created_ms)
{
    char *text = context;

    assert_int_equal(line->decision, EDS_DECISION_CHANGED);
    assert_int_equal(line->sequence, 0);
    assert_true(created_ms > 0);
    sprintf(text + strlen(text), "%s|%s|%s|%s\n", line->device_id, line->message, line->who,
            line->why);
    return EDS_OK;
}

static void test_log_says_who_and_why(void **state)
{
    struct eds_ledger *ledger = *state;
    struct eds_enrolment it = sample_device("lift-01", 1), other = sample_device("lift-02", 2);
    struct eds_roster_change changes[] = {{&it, "device revoked",
                                           "b\xc3\xb6"
                                           "b",
                                           ""},
                                          {&other, "device added", "carol", "new site"}};
    struct eds_ledger_counts counts;
    struct eds_error err;
    char text[1024] = "";

    sample_must_put(ledger, &it, "device added");
    assert_int_equal(ledger->roster->change(ledger, changes, 2, 1, &err), EDS_OK);
    assert_int_equal(ledger->ops->operations(ledger, count_line, text, &err), EDS_OK);
    assert_string_equal(text, "lift-01|device added|alice|a test\n"
                              "lift-01|device revoked|b\xc3\xb6"
                              "b|\n"
                              "lift-02|device added|carol|new site\n");
    assert_int_equal(ledger->ops->counts(ledger, &counts, &err), EDS_OK);
    assert_int_equal(counts.operations, 3);
    assert_int_equal(counts.changed, 3);
    assert_int_equal(counts.accepted, 0);
    assert_int_equal(counts.rejected, 0);
}

/* Puts changes that must be refused, and sees that nothing of them is left. */
static void expect_refusal(struct eds_ledger *ledger, const struct eds_roster_change *changes,
                           size_t count, int32_t code, const char *words)
{
    uint64_t version = sample_version(ledger);
    struct eds_error err = {0};
    char *before = ledger_dump(ledger, &err), *after;
    struct seen seen = {.text = ""}, again = {.text = ""};

    assert_int_equal(ledger->roster->changed(ledger, 0, note, &seen, &err), EDS_OK);
    assert_int_equal(ledger->roster->change(ledger, changes, count, 1, &err), code);
    assert_int_equal(err.code, code);
    if (strstr(err.text, words) == NULL)
        fail_msg("'%s' is not in '%s'", words, err.text);
    assert_int_equal(sample_version(ledger), version);
    after = ledger_dump(ledger, &err);
    assert_string_equal(before, after);
    assert_int_equal(ledger->roster->changed(ledger, 0, note, &again, &err), EDS_OK);
    assert_string_equal(seen.text, again.text);
    assert_int_equal(seen.last_revision, again.last_revision);
    free(before);
    free(after);
}

#define CHANGE(it)                                                                                 \
    {                                                                                              \
        (it), "device changed", "alice", ""                                                        \
    }

static void test_somebody_was_faster(void **state)
{
    struct eds_ledger *ledger = *state;
    struct eds_enrolment it = sample_device("lift-01", 1), stale, fresh, unknown;
    struct eds_roster_change both[2] = {CHANGE(&fresh), CHANGE(&stale)};

    sample_must_put(ledger, &it, "device added");
    stale = it;
    it.state = EDS_DEVICE_REVOKED;
    sample_must_put(ledger, &it, "device revoked");
    fresh = sample_device("lift-00", 9);
    expect_refusal(ledger, &both[1], 1, EDS_ERR_HEAD_MOVED, "changed meanwhile");
    expect_refusal(ledger, both, 2, EDS_ERR_HEAD_MOVED, "changed meanwhile");
    stale.revision = 0; /* it thinks that there is none */
    expect_refusal(ledger, &both[1], 1, EDS_ERR_HEAD_MOVED, "registered already");
    expect_refusal(ledger, both, 2, EDS_ERR_HEAD_MOVED, "registered");
    unknown = sample_device("nobody", 77);
    unknown.revision = 1; /* it thinks that there is one */
    both[1].enrolment = &unknown;
    expect_refusal(ledger, both, 2, EDS_ERR_HEAD_MOVED, "changed meanwhile");
    sample_must_put(ledger, &fresh, "device added"); /* the key of the refused one is free */
}

static void test_a_key_serves_one_only(void **state)
{
    struct eds_ledger *ledger = *state;
    struct eds_enrolment it = sample_device("lift-01", 1), other = sample_device("lift-02", 1),
                         alice = sample_device("alice", 1), twin = sample_device("twin", 5),
                         twice = sample_device("twice", 5);
    struct eds_roster_change changes[2] = {CHANGE(&twin), CHANGE(&other)};

    alice.role = EDS_ROLE_OPERATOR;
    sample_key(&it, 2)->revoked = true;
    sample_must_put(ledger, &it, "device added");
    expect_refusal(ledger, &changes[1], 1, EDS_ERR_EXISTS, "belongs to device lift-01");
    expect_refusal(ledger, changes, 2, EDS_ERR_EXISTS, "belongs to device lift-01");
    other.keys[0] = it.keys[1]; /* an ended one is not free either */
    expect_refusal(ledger, changes, 2, EDS_ERR_EXISTS, "belongs to device lift-01");
    changes[1].enrolment = &alice;
    expect_refusal(ledger, changes, 2, EDS_ERR_EXISTS, "belongs to device lift-01");
    changes[1].enrolment = &twice;
    expect_refusal(ledger, changes, 2, EDS_ERR_EXISTS, "key");
    alice.keys[0].public_key[9] ^= 1;
    sample_must_put(ledger, &alice, "operator added");
    other.keys[0] = alice.keys[0];
    changes[1].enrolment = &other;
    expect_refusal(ledger, changes, 2, EDS_ERR_EXISTS, "belongs to operator alice");
}

static void test_one_name_in_two_roles_is_two(void **state)
{
    struct eds_ledger *ledger = *state;
    struct eds_enrolment device = sample_device("x", 1), operator= sample_device("x", 2), out;
    struct eds_error err;

    operator.role = EDS_ROLE_OPERATOR;
    sample_must_put(ledger, &device, "device added");
    sample_must_put(ledger, &operator, "operator added");
    device.state = EDS_DEVICE_RETIRED;
    sample_must_put(ledger, &device, "device retired");
    assert_int_equal(ledger->roster->find(ledger, EDS_ROLE_OPERATOR, "x", &out, &err), EDS_OK);
    assert_int_equal(out.state, EDS_DEVICE_ACTIVE);
    expect_scan(ledger, EDS_ROLE_DEVICE, "x ");
    expect_scan(ledger, EDS_ROLE_OPERATOR, "x ");
    expect_changed(ledger, 0, "x x ");
    expect_changed(ledger, 2, "x ");
}

static void test_misuse(void **state)
{
    struct eds_ledger *ledger = *state;
    struct eds_enrolment it = sample_device("lift-01", 1), bad = sample_device("lift-02", 2);
    struct eds_roster_change changes[2] = {CHANGE(&it), CHANGE(&bad)};

    strcpy(bad.id, "lift-01");
    expect_refusal(ledger, changes, 2, EDS_ERR_USAGE, "twice");
    strcpy(bad.id, "");
    expect_refusal(ledger, changes, 2, EDS_ERR_USAGE, "without an id");
    strcpy(bad.id, "lift-02");
    bad.key_count = 0;
    expect_refusal(ledger, changes, 2, EDS_ERR_USAGE, "0 keys");
    bad.key_count = EDS_ENROLMENT_KEYS_MAX + 1;
    expect_refusal(ledger, changes, 2, EDS_ERR_USAGE, "65 keys");
    bad = sample_device("lift-02", 2);
    sample_key(&bad, 2);
    expect_refusal(ledger, changes, 2, EDS_ERR_USAGE, "one key twice");
    bad.key_count = 1;
    memset(bad.cohort, 'x', sizeof bad.cohort);
    expect_refusal(ledger, changes, 2, EDS_ERR_USAGE, "no end");
    strcpy(bad.cohort, "");
    changes[1].who = "";
    expect_refusal(ledger, changes, 2, EDS_ERR_USAGE, "who and why");
    changes[1].who = "alice";
    changes[1].why = NULL;
    expect_refusal(ledger, changes, 2, EDS_ERR_USAGE, "who and why");
    sample_must_put(ledger, &bad, "device added");
    sample_key(&bad, 3);
    sample_must_put(ledger, &bad, "key added");
    bad.keys[0] = bad.keys[1]; /* a key taken away, in a way */
    bad.key_count = 1;
    changes[1] = (struct eds_roster_change)CHANGE(&bad);
    expect_refusal(ledger, changes, 2, EDS_ERR_USAGE, "out of order");
}

#define MANY 700u /* more than a slice of any store */

static void test_many(void **state)
{
    struct eds_ledger *ledger = *state;
    struct eds_enrolment *all = calloc(MANY, sizeof *all);
    struct eds_roster_change *changes = calloc(MANY, sizeof *changes);
    struct seen seen = {.text = ""};
    struct eds_error err;

    assert_true(all != NULL && changes != NULL);
    for (uint32_t i = 0; i < MANY; i++) {
        char id[32];

        snprintf(id, sizeof id, "d%03u", (i * 37) % MANY); /* not in their order */
        all[i] = sample_device(id, i + 1);
        for (uint32_t k = 0; k < i % 4; k++)
            sample_key(&all[i], MANY * (k + 1) + i + 1);
        changes[i] = (struct eds_roster_change)CHANGE(&all[i]);
    }
    if (ledger->roster->change(ledger, changes, MANY, 1, &err) != EDS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(sample_version(ledger), 1);
    assert_int_equal(ledger->roster->scan(ledger, EDS_ROLE_DEVICE, note, &seen, &err), EDS_OK);
    assert_int_equal(seen.count, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        char word[32];

        snprintf(word, sizeof word, "d%03u ", i);
        assert_memory_equal(seen.text + (size_t)5 * i, word, 5);
    }
    seen = (struct seen){.text = ""};
    assert_int_equal(ledger->roster->changed(ledger, 0, note, &seen, &err), EDS_OK);
    assert_int_equal(seen.count, MANY);
    assert_int_equal(seen.last_revision, 1);
    expect_changed(ledger, 1, "");
    for (uint32_t i = 0; i < MANY; i += 97) {
        struct eds_enrolment out;

        assert_int_equal(ledger->roster->find(ledger, EDS_ROLE_DEVICE, all[i].id, &out, &err),
                         EDS_OK);
        enrolment_same(&out, &all[i]);
        out.state = EDS_DEVICE_RETIRED;
        sample_must_put(ledger, &out, "device retired");
    }
    seen = (struct seen){.text = "", .end_at = 3};
    assert_int_equal(ledger->roster->changed(ledger, 1, note, &seen, &err), SAMPLE_FAILED);
    assert_int_equal(seen.count, 3);
    seen = (struct seen){.text = "", .end_at = 300};
    assert_int_equal(ledger->roster->scan(ledger, EDS_ROLE_DEVICE, note, &seen, &err),
                     SAMPLE_FAILED);
    assert_int_equal(seen.count, 300);
    free(all);
    free(changes);
}

static void test_order_of_bytes_and_of_changes(void **state)
{
    struct eds_ledger *ledger = *state;
    static const char *const ids[] = {"b", "a", "B", "\xc3\xa4", "a\x01", "Z", "aa"};
    char longest[EDS_DEVICE_ID_SIZE];

    for (uint32_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        struct eds_enrolment it = sample_device(ids[i], i + 1);

        sample_must_put(ledger, &it, "device added");
    }
    expect_scan(ledger, EDS_ROLE_DEVICE, "B Z a a\x01 aa b \xc3\xa4 ");
    expect_changed(ledger, 0, "b a B \xc3\xa4 a\x01 Z aa ");
    expect_changed(ledger, 5, "Z aa ");
    expect_changed(ledger, 7, "");
    expect_changed(ledger, UINT64_C(1) << 62, "");
    memset(longest, 'z', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    struct eds_enrolment it = sample_device(longest, 99);
    sample_must_put(ledger, &it, "device added");
}

#define ROSTER_TEST(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, ledger_fixture_set_up, ledger_fixture_tear_down)

int roster_conformance_run(const char *name, struct eds_ledger *(*open)(void), void (*clean)(void))
{
    const struct CMUnitTest tests[] = {
        ROSTER_TEST(test_empty),
        ROSTER_TEST(test_everything_comes_back),
        ROSTER_TEST(test_log_says_who_and_why),
        ROSTER_TEST(test_somebody_was_faster),
        ROSTER_TEST(test_a_key_serves_one_only),
        ROSTER_TEST(test_one_name_in_two_roles_is_two),
        ROSTER_TEST(test_misuse),
        ROSTER_TEST(test_many),
        ROSTER_TEST(test_order_of_bytes_and_of_changes),
    };

    ledger_fixture_use(open, clean);
    return cmocka_run_group_tests_name(name, tests, NULL, NULL) + roster_conformance_many_run(name);
}

/* roster_conformance_many.c - many devices changed in one transaction, or looked up
 * at once; see roster_conformance.h. */
#include "store/roster_conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/ledger_fixture.h"
#include "store/roster_sample.h"
#include "support/enrolment.h"

/* Counts visits; end_at: the one that ends the walk, 0: none. */
struct seen {
    size_t count, end_at;
};

static int32_t count_one(void *context, const struct eds_enrolment *it)
{
    struct seen *seen = context;

    (void)it;
    return ++seen->count == seen->end_at ? SAMPLE_FAILED : EDS_OK;
}

#define FLEET_COUNT 700u

/* Devices "fleet-000" and up, of which every third has two keys. */
static struct eds_enrolment *make_fleet(struct eds_roster_change *changes)
{
    struct eds_enrolment *fleet = calloc(FLEET_COUNT, sizeof *fleet);

    assert_non_null(fleet);
    for (size_t i = 0; i < FLEET_COUNT; i++) {
        char id[32];

        snprintf(id, sizeof id, "fleet-%03zu", i);
        fleet[i] = sample_device(id, (uint32_t)(1000 + 2 * i));
        if (i % 3 == 0)
            sample_key(&fleet[i], (uint32_t)(1001 + 2 * i))->not_before_ms = 1000 + i;
        changes[i] = (struct eds_roster_change){&fleet[i], "device added", "alice", "a fleet"};
    }
    return fleet;
}

static int32_t change_all(struct eds_ledger *ledger, struct eds_roster_change *changes,
                          size_t batch_size, size_t fail_at)
{
    struct sample_source source = sample_source(changes, FLEET_COUNT, batch_size, fail_at);
    struct eds_error err = {0};
    int32_t rc = ledger->roster->change_all(ledger, &source.source, 5, &err);

    assert_int_equal(err.code, rc);
    return rc;
}

/* Many in one transaction: all there, under one revision, each with its line. */
static void test_change_all(void **state)
{
    struct eds_ledger *ledger = *state;
    struct eds_roster_change changes[FLEET_COUNT];
    struct eds_enrolment *fleet = make_fleet(changes), found;
    struct eds_ledger_counts counts;
    struct eds_error err;

    assert_int_equal(change_all(ledger, changes, 128, 0), EDS_OK);
    assert_int_equal(sample_version(ledger), 1);
    for (size_t i = 0; i < FLEET_COUNT; i += 99) {
        assert_int_equal(ledger->roster->find(ledger, EDS_ROLE_DEVICE, fleet[i].id, &found, &err),
                         EDS_OK);
        enrolment_same(&found, &fleet[i]);
        assert_int_equal(found.revision, 1);
    }
    assert_int_equal(ledger->ops->counts(ledger, &counts, &err), EDS_OK);
    assert_int_equal(counts.changed, FLEET_COUNT);
    free(fleet);
}

static void expect_nothing(struct eds_ledger *ledger)
{
    struct eds_ledger_counts counts;
    struct seen seen = {.count = 0};
    struct eds_error err;

    assert_int_equal(ledger->roster->scan(ledger, EDS_ROLE_DEVICE, count_one, &seen, &err), EDS_OK);
    assert_int_equal(seen.count, 0);
    assert_int_equal(sample_version(ledger), 0);
    assert_int_equal(ledger->ops->counts(ledger, &counts, &err), EDS_OK);
    assert_int_equal(counts.changed, 0);
}

/* What ends early leaves no trace, and the ledger is as good as before. */
static void test_change_all_or_nothing(void **state)
{
    struct eds_ledger *ledger = *state;
    struct eds_roster_change changes[FLEET_COUNT];
    struct eds_enrolment *fleet = make_fleet(changes);
    uint8_t key[EDS_PUBLIC_KEY_SIZE];

    assert_int_equal(change_all(ledger, changes, 100, 1), SAMPLE_FAILED);
    expect_nothing(ledger);
    assert_int_equal(change_all(ledger, changes, 100, 4), SAMPLE_FAILED);
    expect_nothing(ledger);

    /* The same device in two batches, the same key, and what check refuses. */
    changes[600].enrolment = &fleet[0];
    assert_int_not_equal(change_all(ledger, changes, 100, 0), EDS_OK);
    expect_nothing(ledger);
    changes[600].enrolment = &fleet[600];
    memcpy(key, fleet[600].keys[0].public_key, sizeof key);
    memcpy(fleet[600].keys[0].public_key, fleet[0].keys[0].public_key, sizeof key);
    assert_int_equal(change_all(ledger, changes, 100, 0), EDS_ERR_EXISTS);
    expect_nothing(ledger);
    memcpy(fleet[600].keys[0].public_key, key, sizeof key);
    changes[699].who = "";
    assert_int_equal(change_all(ledger, changes, 100, 0), EDS_ERR_USAGE);
    expect_nothing(ledger);
    changes[699].who = "alice";
    assert_int_equal(change_all(ledger, changes, 100, 0), EDS_OK);
    assert_int_equal(sample_version(ledger), 1);
    free(fleet);
}

/* New ones and changed ones side by side; one that somebody changed stops all. */
static void test_change_all_mixed(void **state)
{
    struct eds_ledger *ledger = *state;
    struct eds_roster_change changes[FLEET_COUNT];
    struct eds_enrolment *fleet = make_fleet(changes), found;
    struct eds_error err;

    for (size_t i = 0; i < FLEET_COUNT; i += 70)
        sample_must_put(ledger, &fleet[i], "device added");
    for (size_t i = 0; i < FLEET_COUNT; i += 70) {
        strcpy(fleet[i].site, "harbour");
        sample_key(&fleet[i], (uint32_t)(5000 + i));
    }
    fleet[350].revision--; /* as if it had been changed since it was read */
    assert_int_equal(change_all(ledger, changes, 100, 0), EDS_ERR_HEAD_MOVED);
    assert_int_equal(ledger->roster->find(ledger, EDS_ROLE_DEVICE, "fleet-000", &found, &err),
                     EDS_OK);
    assert_string_equal(found.site, "");
    fleet[350].revision++;
    assert_int_equal(change_all(ledger, changes, 100, 0), EDS_OK);
    for (size_t i = 0; i < FLEET_COUNT; i += 35) {
        assert_int_equal(ledger->roster->find(ledger, EDS_ROLE_DEVICE, fleet[i].id, &found, &err),
                         EDS_OK);
        enrolment_same(&found, &fleet[i]);
    }
    free(fleet);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int32_t note_sorted(void *context, const struct eds_enrolment *it)
{
    char(*ids)[16] = context;

    for (size_t i = 0;; i++)
        if (ids[i][0] == '\0') {
            snprintf(ids[i], sizeof ids[i], "%.9s %u", it->id, it->key_count);
            return EDS_OK;
        }
}

/* Many at once, wherever they are; what is not there is left out. */
static void test_find_many_and_owners(void **state)
{
    struct eds_ledger *ledger = *state;
    struct eds_roster_change changes[FLEET_COUNT];
    struct eds_enrolment *fleet = make_fleet(changes);
    struct eds_enrolment alice = {.role = EDS_ROLE_OPERATOR, .id = "alice"};
    const char *ids[FLEET_COUNT + 3];
    const uint8_t *keys[] = {fleet[3].keys[1].public_key,
                             (const uint8_t *)"no key of anybody's, 32 bytes...",
                             fleet[699].keys[0].public_key, alice.keys[0].public_key};
    struct eds_key_owner owners[4];
    static char found[FLEET_COUNT + 1][16];
    struct seen seen = {.end_at = 2};
    struct eds_error err;

    sample_key(&alice, 7);
    sample_must_put(ledger, &alice, "operator added");
    assert_int_equal(change_all(ledger, changes, 300, 0), EDS_OK);
    ids[0] = "nobody";
    ids[1] = "fleet-699";
    ids[2] = "alice"; /* of another role */
    ids[3] = "bad \xff";
    ids[4] = "fleet-000";
    memset(found, 0, sizeof found);
    assert_int_equal(
        ledger->roster->find_many(ledger, EDS_ROLE_DEVICE, ids, 5, note_sorted, found, &err),
        EDS_OK);
    qsort(found, 2, sizeof found[0], by_text);
    assert_string_equal(found[0], "fleet-000 2");
    assert_string_equal(found[1], "fleet-699 2");
    assert_string_equal(found[2], "");

    for (size_t i = 0; i < FLEET_COUNT; i++)
        ids[i] = fleet[FLEET_COUNT - 1 - i].id;
    memset(found, 0, sizeof found);
    assert_int_equal(ledger->roster->find_many(ledger, EDS_ROLE_DEVICE, ids, FLEET_COUNT,
                                               note_sorted, found, &err),
                     EDS_OK);
    qsort(found, FLEET_COUNT, sizeof found[0], by_text);
    for (size_t i = 0; i < FLEET_COUNT; i++) {
        char expected[48];

        snprintf(expected, sizeof expected, "%s %u", fleet[i].id, fleet[i].key_count);
        assert_string_equal(found[i], expected);
    }
    assert_int_equal(ledger->roster->find_many(ledger, EDS_ROLE_DEVICE, ids, FLEET_COUNT, count_one,
                                               &seen, &err),
                     SAMPLE_FAILED);
    assert_int_equal(seen.count, 2);
    assert_int_equal(
        ledger->roster->find_many(ledger, EDS_ROLE_DEVICE, NULL, 0, count_one, &seen, &err),
        EDS_OK);

    assert_int_equal(ledger->roster->owners(ledger, keys, 4, owners, &err), EDS_OK);
    assert_string_equal(owners[0].id, "fleet-003");
    assert_int_equal(owners[0].role, EDS_ROLE_DEVICE);
    assert_string_equal(owners[1].id, "");
    assert_string_equal(owners[2].id, "fleet-699");
    assert_string_equal(owners[3].id, "alice");
    assert_int_equal(owners[3].role, EDS_ROLE_OPERATOR);
    free(fleet);
}

#define ROSTER_TEST(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, ledger_fixture_set_up, ledger_fixture_tear_down)

int roster_conformance_many_run(const char *name)
{
    const struct CMUnitTest tests[] = {
        ROSTER_TEST(test_change_all),
        ROSTER_TEST(test_change_all_or_nothing),
        ROSTER_TEST(test_change_all_mixed),
        ROSTER_TEST(test_find_many_and_owners),
    };

    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

/* quarantine_conformance.c - see quarantine_conformance.h. */
#include "store/quarantine_conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "store/ledger_batch.h"
#include "store/ledger_dump.h"
#include "store/ledger_fixture.h"
#include "store/quarantine.h"
#include "store/roster_sample.h"

#define NOW_MS UINT64_C(1795305600123)

struct ward {
    struct eds_ledger *ledger;
    struct batch *batch;
    struct eds_enrolment device; /* "lift-01", quarantined */
    struct eds_error err;
};

static int set_up(void **state)
{
    struct ward *ward = calloc(1, sizeof *ward);

    assert_non_null(ward);
    ward->ledger = ledger_fixture_open();
    ward->batch = batch_new(NOW_MS);
    ward->device = sample_device("lift-01", 1);
    ward->device.state = EDS_DEVICE_QUARANTINED;
    sample_must_put(ward->ledger, &ward->device, "device added");
    *state = ward;
    return 0;
}

static int tear_down(void **state)
{
    struct ward *ward = *state;

    ledger_fixture_close(ward->ledger);
    batch_free(ward->batch);
    free(ward);
    return 0;
}

/* Commits the batch's appends as records to be kept apart. */
static int32_t keep(struct ward *ward, uint64_t now_ms)
{
    struct eds_commit commit = {.quarantined = ward->batch->appends,
                                .quarantined_count = ward->batch->commit.append_count,
                                .now_ms = now_ms};

    ward->err.text[0] = '\0';
    return ward->ledger->ops->commit(ward->ledger, &commit, &ward->err);
}

static void must_keep(struct ward *ward, uint64_t now_ms)
{
    if (keep(ward, now_ms) != EDS_OK)
        fail_msg("%s", ward->err.text);
}

static struct eds_enrolment read_device(struct ward *ward)
{
    struct eds_enrolment it;

    assert_int_equal(
        ward->ledger->roster->find(ward->ledger, EDS_ROLE_DEVICE, "lift-01", &it, &ward->err),
        EDS_OK);
    return it;
}

static void expect_counts(struct ward *ward, uint64_t arrived, uint64_t left)
{
    struct eds_enrolment it = read_device(ward);

    assert_int_equal(it.quarantine_arrived, arrived);
    assert_int_equal(it.quarantine_left, left);
}

/* Reads the next one, which must be that append. */
static uint64_t expect_next(struct ward *ward, struct eds_quarantine_place *place,
                            const struct eds_append *append, uint64_t ingested_ms)
{
    struct eds_quarantined it;

    if (ward->ledger->quarantine->next(ward->ledger, "lift-01", place, &it, &ward->err) != EDS_OK)
        fail_msg("%s", ward->err.text);
    assert_memory_equal(&it.entry.record, &append->entry->record, sizeof it.entry.record);
    assert_memory_equal(&it.entry.attestation, &append->entry->attestation,
                        sizeof it.entry.attestation);
    assert_memory_equal(it.record_hash, append->record_hash, EDS_HASH_SIZE);
    assert_int_equal(it.ingested_ms, ingested_ms);
    assert_int_equal(it.payload_size, append->payload_size);
    if (it.payload_size > 0)
        assert_memory_equal(it.payload, append->payload, it.payload_size);
    assert_int_equal(place->id, it.id);
    assert_int_equal(place->sequence, it.entry.record.sequence);
    free(it.payload);
    return it.id;
}

static void expect_end(struct ward *ward, struct eds_quarantine_place *place)
{
    struct eds_quarantined it;

    assert_int_equal(
        ward->ledger->quarantine->next(ward->ledger, "lift-01", place, &it, &ward->err),
        EDS_ERR_NOT_FOUND);
}

static void test_comes_back_in_order(void **state)
{
    struct ward *ward = *state;
    struct chain chain = chain_of("lift-01");
    struct eds_quarantine_place place = {0, 0};
    struct eds_append *appends = ward->batch->appends;
    struct eds_ledger_counts counts;

    for (int i = 0; i < 4; i++)
        batch_append(ward->batch, &chain);
    ward->batch->entries[0].record.sequence = 9; /* came first, goes last */
    ward->batch->entries[2].record.sequence = 2; /* another record under a sequence */
    batch_attest(&ward->batch->entries[1]);
    appends[3].payload_size = 0;
    must_keep(ward, NOW_MS);
    expect_next(ward, &place, &appends[1], NOW_MS);
    expect_next(ward, &place, &appends[2], NOW_MS);
    expect_next(ward, &place, &appends[3], NOW_MS);
    expect_next(ward, &place, &appends[0], NOW_MS);
    expect_end(ward, &place);
    expect_counts(ward, 4, 0);
    assert_int_equal(ward->ledger->ops->counts(ward->ledger, &counts, &ward->err), EDS_OK);
    assert_int_equal(counts.records, 0);
    assert_int_equal(counts.objects, 0);
}

static void test_once(void **state)
{
    struct ward *ward = *state;
    struct chain chain = chain_of("lift-01");
    struct eds_quarantine_place place = {0, 0};

    batch_append(ward->batch, &chain);
    batch_append(ward->batch, &chain);
    ward->batch->commit.append_count = 1;
    must_keep(ward, NOW_MS);
    ward->batch->commit.append_count = 2;
    must_keep(ward, NOW_MS + 1);
    expect_next(ward, &place, &ward->batch->appends[0], NOW_MS);
    expect_next(ward, &place, &ward->batch->appends[1], NOW_MS + 1);
    expect_end(ward, &place);
    expect_counts(ward, 2, 0);
}

/* A device that is not quarantined, or not known, has nothing kept apart; and
 * where one is refused, all are. */
static void test_only_of_quarantined(void **state)
{
    static const enum eds_device_state others[] = {EDS_DEVICE_ACTIVE, EDS_DEVICE_RETIRED};
    struct ward *ward = *state;
    struct chain chain = chain_of("lift-01"), stranger = chain_of("nobody");
    struct eds_quarantine_place place = {0, 0};

    batch_append(ward->batch, &chain);
    batch_append(ward->batch, &stranger);
    assert_int_equal(keep(ward, NOW_MS), EDS_ERR_HEAD_MOVED);
    expect_counts(ward, 0, 0);
    ward->batch->commit.append_count = 1;
    for (int i = 0; i < 2; i++) {
        ward->device.state = others[i];
        sample_must_put(ward->ledger, &ward->device, "device changed");
        assert_int_equal(keep(ward, NOW_MS), EDS_ERR_HEAD_MOVED);
    }
    expect_end(ward, &place);
    expect_counts(ward, 0, 0);
}

/* Beside rows of other kinds: all or nothing. */
static void test_all_or_nothing(void **state)
{
    struct ward *ward = *state;
    struct chain chain = chain_of("lift-01"), other = chain_of("lift-02");
    struct eds_quarantine_place place = {0, 0};
    struct eds_commit commit = {.now_ms = NOW_MS};

    batch_append(ward->batch, &chain);
    batch_append(ward->batch, &other);
    batch_append(ward->batch, &other);
    commit.quarantined = &ward->batch->appends[0];
    commit.appends = &ward->batch->appends[2]; /* without the one before it */
    commit.quarantined_count = commit.append_count = 1;
    assert_int_equal(ward->ledger->ops->commit(ward->ledger, &commit, &ward->err),
                     EDS_ERR_HEAD_MOVED);
    expect_end(ward, &place);
    expect_counts(ward, 0, 0);
    commit.appends = &ward->batch->appends[1];
    commit.append_count = 2;
    assert_int_equal(ward->ledger->ops->commit(ward->ledger, &commit, &ward->err), EDS_OK);
    expect_next(ward, &place, &ward->batch->appends[0], NOW_MS);
}

static void test_taken_out(void **state)
{
    struct ward *ward = *state;
    struct chain chain = chain_of("lift-01");
    struct eds_quarantine_place place = {0, 0};
    uint64_t ids[4] = {0, 0, 12345, 0};

    for (int i = 0; i < 3; i++)
        batch_append(ward->batch, &chain);
    must_keep(ward, NOW_MS);
    ids[0] = expect_next(ward, &place, &ward->batch->appends[0], NOW_MS);
    ids[1] = expect_next(ward, &place, &ward->batch->appends[1], NOW_MS);
    assert_int_equal(ward->ledger->quarantine->remove(ward->ledger, "lift-02", ids, 2, &ward->err),
                     EDS_OK);
    expect_counts(ward, 3, 0); /* they are another device's */
    assert_int_equal(ward->ledger->quarantine->remove(ward->ledger, "lift-01", ids, 4, &ward->err),
                     EDS_OK);
    assert_int_equal(ward->ledger->quarantine->remove(ward->ledger, "lift-01", ids, 4, &ward->err),
                     EDS_OK);
    expect_counts(ward, 3, 2);
    place = (struct eds_quarantine_place){0, 0};
    expect_next(ward, &place, &ward->batch->appends[2], NOW_MS);
    expect_end(ward, &place);
    must_keep(ward, NOW_MS + 5); /* the first two again */
    expect_counts(ward, 5, 2);
}

/* A device leaves quarantine only as it was when it was read. */
static void test_release_meets_arrival(void **state)
{
    struct ward *ward = *state;
    struct chain chain = chain_of("lift-01");
    struct eds_enrolment before = read_device(ward);

    batch_append(ward->batch, &chain);
    must_keep(ward, NOW_MS);
    before.state = EDS_DEVICE_ACTIVE;
    assert_int_equal(sample_put(ward->ledger, &before, "device released"), EDS_ERR_HEAD_MOVED);
    strcpy(before.site, "harbour");
    before.state = EDS_DEVICE_QUARANTINED;
    sample_must_put(ward->ledger, &before, "device set"); /* other changes do not mind */
    assert_int_equal(before.quarantine_arrived, 1);
    before.state = EDS_DEVICE_ACTIVE;
    sample_must_put(ward->ledger, &before, "device released");
    expect_counts(ward, 1, 0);
}

/* A record that is released keeps the time at which it came. */
static void test_appends_with_their_time(void **state)
{
    struct ward *ward = *state;
    struct chain chain = chain_of("lift-01");
    const uint64_t came_ms[] = {NOW_MS - 777, NOW_MS - 5};
    struct eds_commit commit = {.now_ms = NOW_MS, .ingested_ms = came_ms};

    batch_append(ward->batch, &chain);
    batch_append(ward->batch, &chain);
    batch_operation(ward->batch, EDS_DECISION_QUARANTINED, "lift-01", 1, "as it came");
    commit.appends = ward->batch->appends;
    commit.operations = ward->batch->operations;
    commit.append_count = 2;
    commit.operation_count = 1;
    assert_int_equal(ward->ledger->ops->commit(ward->ledger, &commit, &ward->err), EDS_OK);

    struct eds_ledger_counts counts;
    char *text = ledger_dump(ward->ledger, &ward->err);

    assert_non_null(text);
    assert_non_null(strstr(text, "1795305599346"));
    assert_non_null(strstr(text, "1795305600118"));
    assert_non_null(strstr(text, "operation quarantined lift-01 1 1795305600123 as it came"));
    free(text);
    assert_int_equal(ward->ledger->ops->counts(ward->ledger, &counts, &ward->err), EDS_OK);
    assert_int_equal(counts.quarantined, 1);
    assert_int_equal(counts.rejected, 0);
    assert_int_equal(counts.operations, 2);
}

#define WARD_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int quarantine_conformance_run(const char *name, struct eds_ledger *(*open)(void),
                               void (*clean)(void))
{
    const struct CMUnitTest tests[] = {
        WARD_TEST(test_comes_back_in_order),
        WARD_TEST(test_once),
        WARD_TEST(test_only_of_quarantined),
        WARD_TEST(test_all_or_nothing),
        WARD_TEST(test_taken_out),
        WARD_TEST(test_release_meets_arrival),
        WARD_TEST(test_appends_with_their_time),
    };

    ledger_fixture_use(open, clean);
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

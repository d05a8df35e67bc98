/* ledger_conformance_scan.c - the conformance suite: the log, and everything from end to end. */
#include "store/ledger_bench.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void test_operation_log(void **state)
{
    struct bench *bench = *state;
    struct chain chain = chain_of("lift-01");
    struct seen seen = {.count = 0};

    batch_append(bench->batch, &chain);
    batch_operation(bench->batch, EDS_DECISION_ACCEPTED, "lift-01", 1, "one");
    batch_operation(bench->batch, EDS_DECISION_REJECTED, "nobody", 77, "two\n'\"\xe2\x82\xac");
    bench_commit(bench);
    bench->batch->commit.now_ms = NOW_MS - 1000; /* the clock was set back */
    batch_operation(bench->batch, EDS_DECISION_REJECTED, "lift-01", 1, "three");
    bench_commit(bench);
    assert_int_equal(bench->ops->operations(bench->ledger, see_operation, &seen, NULL), EDS_OK);
    assert_int_equal(seen.count, 3);
    assert_string_equal(seen.ids[0], "one");
    assert_string_equal(seen.ids[1], "two\n'\"\xe2\x82\xac");
    assert_string_equal(seen.ids[2], "three");
    assert_int_equal(seen.decisions[0], EDS_DECISION_ACCEPTED);
    assert_int_equal(seen.decisions[1], EDS_DECISION_REJECTED);
    assert_int_equal(seen.sequences[1], 77);
    assert_int_equal(seen.times[0], NOW_MS);
    assert_int_equal(seen.times[2], NOW_MS - 1000);
    assert_int_equal(bench_counts(bench).operations, 3);
    assert_int_equal(bench_counts(bench).accepted, 1);
    assert_int_equal(bench_counts(bench).rejected, 2);
}

void test_visit_ends_scan(void **state)
{
    struct bench *bench = *state;
    struct chain lift = chain_of("lift-01"), crane = chain_of("crane-7");

    for (unsigned i = 0; i < 4; i++) {
        batch_append(bench->batch, &lift);
        batch_append(bench->batch, &crane);
        batch_conflict(bench->batch, "lift-01", 1, 1 + i);
        batch_operation(bench->batch, EDS_DECISION_ACCEPTED, "lift-01", 1 + i, "x");
    }
    bench_commit(bench);
    for (unsigned which = 0; which < 6; which++) {
        struct seen seen = {.stop_at = 2, .stop_with = which % 2 == 0 ? 42 : EDS_ERR_BUSY};
        int32_t rc = EDS_OK;

        if (which == 0)
            rc = bench->ops->scan(bench->ledger, NULL, see_stored, &seen, &bench->err);
        else if (which == 1)
            rc = bench->ops->scan(bench->ledger, "lift-01", see_stored, &seen, &bench->err);
        else if (which == 2)
            rc = bench->ops->heads(bench->ledger, see_head, &seen, &bench->err);
        else if (which == 3)
            rc = bench->ops->operations(bench->ledger, see_operation, &seen, &bench->err);
        else if (which == 4)
            rc = bench->ops->scan_whole(bench->ledger, "lift-01", see_stored, &seen, &bench->err);
        else
            rc = bench->ops->conflicts(bench->ledger, see_stored, &seen, &bench->err);
        assert_int_equal(rc, seen.stop_with);
        assert_int_equal(seen.count, 2);
    }
    batch_append(bench->batch, &lift); /* and nothing is left locked */
    bench_commit(bench);
}

/* A visit that looks up and scans what it is being shown. */
static int32_t see_and_scan(void *context, const char *device_id, const struct eds_head *head)
{
    struct bench *bench = context;
    struct seen seen = {.count = 0};

    assert_int_equal(bench->ops->scan(bench->ledger, device_id, see_stored, &seen, NULL), EDS_OK);
    assert_int_equal(seen.count, head->sequence);
    assert_int_equal(bench_head(bench, device_id).sequence, head->sequence);
    seen.count = 0;
    assert_int_equal(bench->ops->heads(bench->ledger, see_head, &seen, NULL), EDS_OK);
    assert_int_equal(seen.count, 3);
    bench->err.code++;
    return EDS_OK;
}

void test_visit_may_read(void **state)
{
    struct bench *bench = *state;
    struct chain chains[] = {chain_of("a"), chain_of("b"), chain_of("c")};

    for (unsigned i = 0; i < 9; i++)
        batch_append(bench->batch, &chains[i % 4 % 3]);
    bench_commit(bench);
    bench->err.code = 0;
    assert_int_equal(bench->ops->heads(bench->ledger, see_and_scan, bench, NULL), EDS_OK);
    assert_int_equal(bench->err.code, 3);
}

/* More rows than any store reads or writes at once. */
struct tally {
    char device_id[EDS_DEVICE_ID_SIZE];
    uint64_t sequence, record_count, device_count;
};

static int32_t tally_record(void *context, const struct eds_stored *stored)
{
    struct tally *tally = context;
    const char *device_id = (const char *)stored->entry->record.device_id;

    if (strcmp(tally->device_id, device_id) != 0) {
        assert_true(strcmp(tally->device_id, device_id) < 0);
        snprintf(tally->device_id, sizeof tally->device_id, "%s", device_id);
        tally->sequence = 0;
        tally->device_count++;
    }
    assert_int_equal(stored->entry->record.sequence, tally->sequence + 1);
    tally->sequence++;
    tally->record_count++;
    return EDS_OK;
}

static int32_t tally_head(void *context, const char *device_id, const struct eds_head *head)
{
    struct tally *tally = context;

    assert_true(tally->device_count == 0 || strcmp(tally->device_id, device_id) < 0);
    snprintf(tally->device_id, sizeof tally->device_id, "%s", device_id);
    tally->device_count++;
    tally->record_count += head->sequence;
    return EDS_OK;
}

static int32_t tally_operation(void *context, const struct eds_operation *operation,
                               uint64_t created_ms)
{
    struct tally *tally = context;

    (void)created_ms;
    assert_int_equal(operation->sequence, tally->record_count);
    tally->record_count++;
    return EDS_OK;
}

void test_many_rows(void **state)
{
    struct bench *bench = *state;
    struct chain *chains = calloc(1100, sizeof *chains), big = chain_of("m");
    struct tally tally = {.sequence = 0};
    char id[16];

    assert_non_null(chains);
    for (unsigned i = 0; i < 1100; i++) {
        snprintf(id, sizeof id, "%c%u", i % 2 == 0 ? 'a' : 'z', i);
        chains[i] = chain_of(id);
        batch_append(bench->batch, &chains[i]);
        batch_operation(bench->batch, EDS_DECISION_ACCEPTED, id, i, "accepted");
    }
    bench_commit(bench);
    for (unsigned i = 0; i < 2200; i++) {
        batch_append(bench->batch, &big);
        if (i % 1100 == 1099)
            bench_commit(bench);
    }
    assert_int_equal(bench->ops->scan(bench->ledger, NULL, tally_record, &tally, NULL), EDS_OK);
    assert_int_equal(tally.record_count, 3300);
    assert_int_equal(tally.device_count, 1101);
    memset(&tally, 0, sizeof tally);
    assert_int_equal(bench->ops->scan(bench->ledger, "m", tally_record, &tally, NULL), EDS_OK);
    assert_int_equal(tally.record_count, 2200);
    memset(&tally, 0, sizeof tally);
    assert_int_equal(bench->ops->heads(bench->ledger, tally_head, &tally, NULL), EDS_OK);
    assert_int_equal(tally.record_count, 3300);
    assert_int_equal(tally.device_count, 1101);
    memset(&tally, 0, sizeof tally);
    assert_int_equal(bench->ops->operations(bench->ledger, tally_operation, &tally, NULL), EDS_OK);
    assert_int_equal(tally.record_count, 1100);
    free(chains);
}

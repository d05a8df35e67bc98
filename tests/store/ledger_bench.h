/* ledger_bench.h - what each test of the conformance suite starts with, and the
 * visitors that remember what they were shown. */
#ifndef EDS_TESTS_STORE_LEDGER_BENCH_H
#define EDS_TESTS_STORE_LEDGER_BENCH_H

#include "store/ledger_batch.h"

#define NOW_MS 1795305600123u /* 2026-11-22 */

/* An empty ledger and an empty batch. */
struct bench {
    struct eds_ledger *ledger;
    const struct eds_ledger_ops *ops;
    struct batch *batch;
    struct eds_error err;
};

/* bench_commit commits the batch, which must work, and empties it. */
void bench_commit(struct bench *bench);

/* bench_refuse commits the batch, which must be refused so, and leave no trace;
 * then empties it. */
void bench_refuse(struct bench *bench, const char *why, int32_t expected);

/* What the ledger says; a failure ends the test. */
struct eds_head bench_head(struct bench *bench, const char *device_id);
struct eds_ledger_counts bench_counts(struct bench *bench);

/* A visitor that remembers the first of what it is shown, and at its stop_at-th
 * visit (0: never) answers stop_with. */
struct seen {
    size_t count, stop_at;
    int32_t stop_with;
    struct eds_entry entries[8];
    struct eds_stored stored[8];      /* entry: not to be used */
    char ids[16][EDS_DEVICE_ID_SIZE]; /* of a line of the log, its message */
    struct eds_head heads[8];
    uint64_t sequences[16], times[16];
    enum eds_decision decisions[16];
};

int32_t see_stored(void *context, const struct eds_stored *stored);
int32_t see_head(void *context, const char *device_id, const struct eds_head *head);
int32_t see_operation(void *context, const struct eds_operation *operation, uint64_t created_ms);

/* The tests, each for a struct bench. */
void test_empty(void **state);
void test_record_comes_back(void **state);
void test_head_follows(void **state);
void test_attested_stays(void **state);
void test_stale_heads(void **state);
void test_misuse(void **state);
void test_conflict_of_new_device(void **state);
void test_forks(void **state);
void test_forks_are_bounded(void **state);
void test_extreme_numbers(void **state);
void test_odd_ids_in_byte_order(void **state);
void test_longest_strings(void **state);
void test_payload_sizes(void **state);
void test_shared_references(void **state);
void test_taken_references(void **state);
void test_operation_log(void **state);
void test_visit_ends_scan(void **state);
void test_visit_may_read(void **state);
void test_many_rows(void **state);
void test_scan_whole(void **state);

#endif

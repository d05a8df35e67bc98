/* ledger_conformance.c - see ledger_conformance.h.
 *
 * "Nothing was written" is seen by dumping all that a ledger holds before and
 * after.  Written from store/ledger.h alone: no test knows how a store works. */
#include "store/ledger_conformance.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "store/ledger_bench.h"
#include "store/ledger_fixture.h"

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);

    assert_non_null(bench);
    bench->ledger = ledger_fixture_open();
    bench->ops = bench->ledger->ops;
    bench->batch = batch_new(NOW_MS);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    ledger_fixture_close(bench->ledger);
    batch_free(bench->batch);
    free(bench);
    return 0;
}

#define BENCH_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int ledger_conformance_run(const char *name, struct eds_ledger *(*open)(void), void (*clean)(void))
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_empty),
        BENCH_TEST(test_record_comes_back),
        BENCH_TEST(test_head_follows),
        BENCH_TEST(test_attested_stays),
        BENCH_TEST(test_stale_heads),
        BENCH_TEST(test_misuse),
        BENCH_TEST(test_conflict_of_new_device),
        BENCH_TEST(test_extreme_numbers),
        BENCH_TEST(test_odd_ids_in_byte_order),
        BENCH_TEST(test_longest_strings),
        BENCH_TEST(test_payload_sizes),
        BENCH_TEST(test_shared_references),
        BENCH_TEST(test_taken_references),
        BENCH_TEST(test_forks),
        BENCH_TEST(test_forks_are_bounded),
        BENCH_TEST(test_operation_log),
        BENCH_TEST(test_visit_ends_scan),
        BENCH_TEST(test_visit_may_read),
        BENCH_TEST(test_many_rows),
        BENCH_TEST(test_scan_whole),
    };

    ledger_fixture_use(open, clean);
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

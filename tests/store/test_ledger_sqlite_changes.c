/* test_ledger_sqlite_changes.c - what operators change, in SQLite, while memory runs out,
 * the disk fails, or a statement is broken off: each change is made whole or not at
 * all, and works at the second try. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "store/change_script.h"
#include "store/ledger_sqlite.h"
#include "store/ledger_sqlite_bench.h"
#include "store/ledger_sqlite_faulty_vfs.h"
#include "store/ledger_workload.h"
#include "support/alloc.h"

static uint64_t next(uint64_t n)
{
    return workload_next(n) + n / 32;
}

static void begin(struct sqlite_bench *bench)
{
    (void)remove(bench->path);
    sqlite_bench_open(bench);
}

static void test_no_memory(void **state)
{
    struct sqlite_bench *bench = *state;
    bool did_fail = true;
    unsigned failed = 0, runs = 0;
    uint64_t n;

    for (n = 1; did_fail; n = next(n), runs++) {
        begin(bench);
        did_fail = change_script_fail(bench->ledger, alloc_fail_at, alloc_count, n, &failed);
        sqlite_bench_close(bench);
    }
    print_message("fewer than %llu allocations\n", (unsigned long long)n);
    assert_int_equal(failed, runs - 1); /* by each but the last, which was none any more */
    assert_true(n > 8);
}

/* Where the disk fails; a failure may also strike when the file is closed. */
static void test_disk(void **state)
{
    struct sqlite_bench *bench = *state;
    bool did_fail = true;
    unsigned failed = 0, runs = 0;
    uint64_t n;

    for (n = 1; did_fail; n = next(n), runs++) {
        unsigned failed_count;

        begin(bench);
        faulty_vfs_fail(FAULTY_WRITE | FAULTY_SYNC, n, false);
        failed_count = change_script_run(bench->ledger, NULL, NULL, NULL);
        did_fail = faulty_vfs_failures() > 0;
        faulty_vfs_fail(0, 0, false);
        assert_in_range(failed_count, 0, did_fail ? 1 : 0);
        failed += failed_count;
        sqlite_bench_close(bench);
    }
    print_message("fewer than %llu operations, %u of %u steps failed\n", (unsigned long long)n,
                  failed, runs);
    assert_true(failed > runs / 2);
    assert_true(n > 20);
}

/* SQLite asks at each of its own steps whether to go on; the n-th time, not. */
static uint64_t counted, stop_at;
static struct sqlite_bench *interrupted;

static int ask(void *context)
{
    (void)context;
    return ++counted == stop_at;
}

static void stop(uint64_t n)
{
    struct sqlite_ledger *sqlite = (struct sqlite_ledger *)interrupted->ledger;

    counted = 0;
    stop_at = n;
    if (sqlite->db != NULL) /* made anew where a step has given it up */
        sqlite3_progress_handler(sqlite->db, n != 0 ? 1 : 0, ask, NULL);
}

static uint64_t count_asked(void)
{
    return counted;
}

static void test_statements(void **state)
{
    struct sqlite_bench *bench = interrupted = *state;
    bool did_fail = true;
    unsigned failed = 0, runs = 0;
    uint64_t n;

    for (n = 1; did_fail; n = next(n), runs++) {
        begin(bench);
        did_fail = change_script_fail(bench->ledger, stop, count_asked, n, &failed);
        sqlite_bench_close(bench);
    }
    print_message("fewer than %llu steps of SQLite, %u of %u failed\n", (unsigned long long)n,
                  failed, runs);
    assert_true(failed > runs / 2);
    assert_true(n > 500);
}

#define CHANGE_TEST(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, sqlite_bench_set_up_faulty, sqlite_bench_tear_down_faulty)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHANGE_TEST(test_no_memory),
        CHANGE_TEST(test_disk),
        CHANGE_TEST(test_statements),
    };

    return cmocka_run_group_tests_name("sqlite changes", tests, NULL, NULL);
}

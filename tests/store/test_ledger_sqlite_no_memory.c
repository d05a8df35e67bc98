/* test_ledger_sqlite_no_memory.c - memory runs out at every single allocation,
 * ours and SQLite's.  Ours fail through support/alloc.h, SQLite's through the
 * allocator that it is given here. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/log.h"
#include "store/ledger_sqlite_faulty_vfs.h"
#include "store/ledger_exhaust.h"
#include "store/ledger_sqlite.h"
#include "store/ledger_workload.h"
#include "store/ledger_sqlite_bench.h"
#include "support/alloc.h"

static sqlite3_mem_methods real_memory;
static uint64_t sqlite_counted, sqlite_failing;

static bool sqlite_fails(void)
{
    return ++sqlite_counted == sqlite_failing;
}

static void *failing_malloc(int size)
{
    return sqlite_fails() ? NULL : real_memory.xMalloc(size);
}

static void *failing_realloc(void *old, int size)
{
    return sqlite_fails() ? NULL : real_memory.xRealloc(old, size);
}

static void sqlite_fail_at(uint64_t n)
{
    sqlite_failing = n;
    sqlite_counted = 0;
}

static uint64_t sqlite_count(void)
{
    return sqlite_counted;
}

static int32_t open_writer(struct eds_ledger **out, void *context, struct eds_error *err)
{
    char url[EDS_TEMP_DIR_SIZE + 64];
    int32_t rc;

    snprintf(url, sizeof url, "sqlite:%s", ((struct sqlite_bench *)context)->path);
    rc = eds_ledger_open(out, url, err);
    if (rc == EDS_OK) {
        ((struct sqlite_ledger *)*out)->wal_pages_soft = 12; /* checkpoints, too */
        ((struct sqlite_ledger *)*out)->tail_max = 5;        /* and references to their index */
    }
    return rc;
}

static int32_t open_reader(struct eds_ledger **out, void *context, struct eds_error *err)
{
    char url[EDS_TEMP_DIR_SIZE + 64];

    snprintf(url, sizeof url, "sqlite:%s?mode=ro", ((struct sqlite_bench *)context)->path);
    return eds_ledger_open(out, url, err);
}

static void clean(void *context)
{
    (void)remove(((struct sqlite_bench *)context)->path);
}

static void sweep(struct sqlite_bench *bench, struct exhaust exhaust, uint64_t least)
{
    struct workload workload;
    uint64_t n;

    exhaust.open = open_writer;
    exhaust.clean = clean;
    exhaust.context = bench;
    n = exhaust_commits(&exhaust);
    printf("fewer than %llu allocations in committing\n", (unsigned long long)n);
    assert_true(n > least);

    sqlite_bench_open(bench); /* something to be read */
    workload_begin(&workload);
    workload_run(&workload, bench->ledger);
    workload_end(&workload);
    sqlite_bench_close(bench);
    exhaust.open = open_reader;
    n = exhaust_reads(&exhaust);
    printf("fewer than %llu allocations in reading\n", (unsigned long long)n);
    assert_true(n > least);
}

static void test_ours(void **state)
{
    sweep(*state, (struct exhaust){.fail_at = alloc_fail_at, .count = alloc_count}, 5);
}

static void test_sqlites(void **state)
{
    sweep(*state, (struct exhaust){.fail_at = sqlite_fail_at, .count = sqlite_count}, 1000);
}

static int give_memory(void **state)
{
    sqlite3_mem_methods methods;

    (void)state;
    eds_log_configure(EDS_LOG_ERROR, EDS_LOG_LOGFMT); /* checkpoints will fail, and say so */
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory), SQLITE_OK);
    methods = real_memory;
    methods.xMalloc = failing_malloc;
    methods.xRealloc = failing_realloc;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods), SQLITE_OK);
    faulty_vfs_install(); /* it does not sync, which makes the sweep fast */
    return 0;
}

#define BENCH_TEST(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, sqlite_bench_set_up, sqlite_bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_ours),
        BENCH_TEST(test_sqlites),
    };

    return cmocka_run_group_tests_name("no memory", tests, give_memory, NULL);
}

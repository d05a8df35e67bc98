/* test_ledger_no_memory.c - memory runs out at every single allocation, ours
 * and SQLite's: no crash, no leak, nothing kept in part.
 *
 * Ours fail through support/alloc.h, SQLite's through the allocator that it is
 * given here.  Each failure comes once; what is tried again then works. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/faulty_vfs.h"
#include "store/ledger_dump.h"
#include "store/ledger_sqlite.h"
#include "store/ledger_workload.h"
#include "store/sqlite_bench.h"
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

/* The n-th allocation from now fails; 0: none. */
static void fail_ours(uint64_t n)
{
    alloc_fail_at(n);
}

static void fail_sqlite(uint64_t n)
{
    sqlite_failing = n;
    sqlite_counted = 0;
}

static uint64_t count_sqlite(void)
{
    return sqlite_counted;
}

/* Who fails. */
struct memory {
    void (*fail_at)(uint64_t n);
    uint64_t (*count)(void);
};

static const struct memory ours = {fail_ours, alloc_count};
static const struct memory sqlites = {fail_sqlite, count_sqlite};

static int32_t open_memory(struct sqlite_bench *bench)
{
    return eds_ledger_open(&bench->ledger, "memory:", &bench->err);
}

static int32_t open_sqlite(struct sqlite_bench *bench)
{
    int32_t rc = sqlite_bench_try_open(bench, "");

    if (rc == EDS_OK)
        ((struct sqlite_ledger *)bench->ledger)->wal_pages_soft = 12;
    return rc;
}

static int32_t open_reader(struct sqlite_bench *bench)
{
    return sqlite_bench_try_open(bench, "?mode=ro");
}

/* Opens the ledger, at the second try at the latest. */
static void open_at_last(struct sqlite_bench *bench, int32_t (*open)(struct sqlite_bench *))
{
    int32_t rc = open(bench);

    if (rc != EDS_OK) {
        assert_int_equal(rc, EDS_ERR_NO_MEMORY);
        assert_null(bench->ledger);
        rc = open(bench);
    }
    if (rc != EDS_OK)
        fail_msg("%s", bench->err.text);
}

/* The n-th allocation of opening and committing fails.  False if there were
 * fewer. */
static bool commit_once(struct sqlite_bench *bench, int32_t (*open)(struct sqlite_bench *),
                        const struct memory *memory, uint64_t n)
{
    struct workload workload;
    bool did_fail;

    workload_begin(&workload);
    memory->fail_at(n);
    open_at_last(bench, open);
    workload_run(&workload, bench->ledger);
    did_fail = memory->count() >= n;
    memory->fail_at(0);
    assert_int_equal(workload.done_count, WORKLOAD_STEPS);
    assert_in_range(workload.failed_count, 0, 1);
    workload_check(&workload, bench->ledger);
    sqlite_bench_close(bench);
    (void)remove(bench->path);
    workload_end(&workload);
    return did_fail;
}

/* The n-th allocation of reading all there is fails. */
static bool read_once(struct sqlite_bench *bench, int32_t (*open)(struct sqlite_bench *),
                      const struct memory *memory, const char *expected, uint64_t n)
{
    char *text;
    bool did_fail;

    memory->fail_at(n);
    if (open != NULL)
        open_at_last(bench, open);
    bench->err.code = 0;
    text = ledger_dump(bench->ledger, &bench->err);
    did_fail = memory->count() >= n;
    memory->fail_at(0);
    if (text == NULL) {
        assert_int_equal(bench->err.code, EDS_ERR_NO_MEMORY);
        text = ledger_dump(bench->ledger, &bench->err);
    }
    assert_string_equal(text, expected);
    free(text);
    if (open != NULL)
        sqlite_bench_close(bench);
    return did_fail;
}

/* What there is to be read. */
static char *fill(struct sqlite_bench *bench)
{
    struct workload workload;
    char *text;

    workload_begin(&workload);
    workload_run(&workload, bench->ledger);
    workload_end(&workload);
    text = ledger_dump(bench->ledger, &bench->err);
    assert_non_null(text);
    return text;
}

static void test_memory_ledger(void **state)
{
    struct sqlite_bench *bench = *state;
    uint64_t n = 1;
    char *expected;

    while (commit_once(bench, open_memory, &ours, n))
        n++;
    printf("%llu allocations in committing\n", (unsigned long long)(n - 1));
    assert_true(n > 100);
    assert_int_equal(open_memory(bench), EDS_OK);
    expected = fill(bench);
    for (n = 1; read_once(bench, NULL, &ours, expected, n);)
        n++;
    assert_true(n > 20);
    free(expected);
}

static void sweep_sqlite(struct sqlite_bench *bench, const struct memory *memory, uint64_t least)
{
    uint64_t n = 1;
    char *expected;

    while (commit_once(bench, open_sqlite, memory, n))
        n = workload_next(n);
    printf("fewer than %llu allocations in committing\n", (unsigned long long)n);
    assert_true(n > least);
    sqlite_bench_open(bench);
    expected = fill(bench);
    sqlite_bench_close(bench);
    for (n = 1; read_once(bench, open_reader, memory, expected, n);)
        n = workload_next(n);
    printf("fewer than %llu allocations in reading\n", (unsigned long long)n);
    assert_true(n > least);
    free(expected);
}

static void test_sqlite_ledger_ours(void **state)
{
    sweep_sqlite(*state, &ours, 4);
}

static void test_sqlite_ledger_sqlites(void **state)
{
    sweep_sqlite(*state, &sqlites, 100);
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
        BENCH_TEST(test_memory_ledger),
        BENCH_TEST(test_sqlite_ledger_ours),
        BENCH_TEST(test_sqlite_ledger_sqlites),
    };

    return cmocka_run_group_tests_name("no memory", tests, give_memory, NULL);
}

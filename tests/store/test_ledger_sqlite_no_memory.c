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

#define GROUP_RECORDS (EDS_PLACES_MAX * EDS_PLACE_ROWS_MAX)

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

/* A commit that makes a group of a device's rows of places; and then a look-up that leads
 * through it, and a scan. */
static int32_t make_group(struct sqlite_bench *bench, uint64_t failing)
{
    int32_t rc;

    sqlite_fail_at(failing);
    rc = bench->ledger->ops->commit(bench->ledger, &bench->batch->commit, &bench->err);
    sqlite_fail_at(0);
    return rc;
}

static int32_t visit(void *context, const struct eds_stored *stored)
{
    *(uint64_t *)context = stored->entry->record.sequence;
    return EDS_OK;
}

static int32_t read_through_group(struct sqlite_bench *bench, uint64_t failing, bool is_scan)
{
    const struct eds_ledger_ops *ops = bench->ledger->ops;
    uint8_t hash[EDS_HASH_SIZE];
    uint64_t last = 0;
    int32_t rc;

    sqlite_fail_at(failing);
    rc = is_scan ? ops->scan(bench->ledger, NULL, visit, &last, &bench->err)
                 : ops->record_hash(bench->ledger, "lift-01", 77, hash, &bench->err);
    sqlite_failing = 0; /* what was counted stays */
    assert_true(!is_scan || rc != EDS_OK || last == GROUP_RECORDS + EDS_PLACES_MAX + 1);
    return rc;
}

static void test_group_made(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain chain = chain_of("lift-01");
    int32_t rc = EDS_ERR_NO_MEMORY;
    uint64_t n = 0;
    bool is_complete = false;

    sqlite_bench_open(bench);
    while (chain.sequence < GROUP_RECORDS + EDS_PLACES_MAX)
        batch_append(bench->batch, &chain);
    sqlite_bench_commit(bench);
    batch_append(bench->batch, &chain);
    while (rc == EDS_ERR_NO_MEMORY) {
        sqlite_bench_close(bench); /* so that nothing is at hand */
        sqlite_bench_open(bench);
        rc = make_group(bench, ++n);
    }
    if (rc != EDS_OK)
        fail_msg("%s", bench->err.text);
    printf("%llu allocations in making a group\n", (unsigned long long)n);
    assert_true(n > 5);
    assert_int_equal(
        eds_sqlite_count_places((struct sqlite_ledger *)bench->ledger, &is_complete, &bench->err),
        EDS_OK);
    assert_true(is_complete);
    for (unsigned is_scan = 0; is_scan < 2; is_scan++) {
        for (n = 1, rc = EDS_ERR_NO_MEMORY; rc == EDS_ERR_NO_MEMORY; n += 1 + n / 8) {
            sqlite_bench_close(bench);
            sqlite_bench_open(bench);
            rc = read_through_group(bench, n, is_scan != 0);
        }
        if (rc != EDS_OK)
            fail_msg("%s", bench->err.text);
        printf("fewer than %llu allocations in reading\n", (unsigned long long)n);
        assert_true(n > 5);
    }
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
        BENCH_TEST(test_group_made),
    };

    return cmocka_run_group_tests_name("no memory", tests, give_memory, NULL);
}

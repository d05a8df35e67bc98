/* test_ledger_sqlite_faults.c - a disk that fails at every single operation.
 *
 * The n-th operation of a kind fails, once or with all that follow, for n = 1
 * and on until the workload comes through without a failure.  Then the file is
 * opened on a good disk: what was acknowledged is there, nothing is there in
 * part, and SQLite finds nothing wrong. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/ledger_sqlite_faulty_vfs.h"
#include "store/ledger_sqlite.h"
#include "store/ledger_workload.h"
#include "store/ledger_sqlite_bench.h"

/* Small enough that the workload passes it several times. */
#define WAL_PAGES 12

static struct eds_ledger *open_ledger(struct sqlite_bench *bench)
{
    int32_t rc = sqlite_bench_try_open(bench, "");
    struct sqlite_ledger *sqlite = (struct sqlite_ledger *)bench->ledger;

    if (rc != EDS_OK) {
        assert_null(bench->ledger);
        if (rc != EDS_ERR_IO && rc != EDS_ERR_NO_MEMORY && rc != EDS_ERR_BUSY)
            fail_msg("open: %s %s", eds_error_name(rc), bench->err.text);
        assert_true(bench->err.text[0] != '\0');
        return NULL;
    }
    sqlite->wal_pages_soft = WAL_PAGES;
    sqlite->wal_pages_hard = sqlite->wal_pages_wait = 3 * WAL_PAGES;
    return bench->ledger;
}

static void remove_files(struct sqlite_bench *bench)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    char path[sizeof bench->path + 16];

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        snprintf(path, sizeof path, "%s%s", bench->path, suffixes[i]);
        (void)remove(path);
    }
}

/* On a good disk, all is well and the rest can be done. */
static void check_afterwards(struct sqlite_bench *bench, struct workload *workload)
{
    char *integrity;

    faulty_vfs_fail(0, 0, false);
    workload->failed_count = 0;
    if (open_ledger(bench) == NULL)
        fail_msg("%s", bench->err.text);
    workload_check(workload, bench->ledger);
    integrity = sqlite_bench_query(bench, "PRAGMA integrity_check");
    assert_string_equal(integrity, "ok");
    free(integrity);
    workload_run(workload, bench->ledger);
    assert_int_equal(workload->failed_count, 0);
    assert_int_equal(workload->done_count, WORKLOAD_STEPS);
    sqlite_bench_close(bench);
}

/* One run with the n-th operation failing.  False if none did. */
static bool run_once(struct sqlite_bench *bench, unsigned kinds, uint64_t n, bool for_ever)
{
    struct workload workload;
    unsigned failed_count;
    bool did_fail;

    remove_files(bench);
    faulty_vfs_begin(NULL);
    workload_begin(&workload);
    faulty_vfs_fail(kinds, n, for_ever);
    if (open_ledger(bench) != NULL) {
        workload_run(&workload, bench->ledger);
        if (!for_ever) /* the second try of a step works, and so do all that follow */
            assert_int_equal(workload.done_count, WORKLOAD_STEPS);
    }
    sqlite_bench_close(bench);
    did_fail = faulty_vfs_failures() > 0;
    failed_count = workload.failed_count;
    check_afterwards(bench, &workload);
    if (!did_fail)
        assert_int_equal(failed_count, 0);
    workload_end(&workload);
    return did_fail;
}

static void sweep(void **state, unsigned kinds, uint64_t least)
{
    struct sqlite_bench *bench = *state;

    for (unsigned for_ever = 0; for_ever < 2; for_ever++) {
        uint64_t n = 1;

        while (run_once(bench, kinds, n, for_ever != 0))
            n = workload_next(n);
        printf("up to %llu operations, each %s\n", (unsigned long long)n,
               for_ever ? "failed with all after it" : "failed once");
        assert_true(n > least); /* the sweep is one */
    }
}

static void test_open(void **state)
{
    sweep(state, FAULTY_OPEN, 2);
}

static void test_read(void **state)
{
    sweep(state, FAULTY_READ, 2);
}

static void test_write(void **state)
{
    sweep(state, FAULTY_WRITE, 25);
}

static void test_sync(void **state)
{
    sweep(state, FAULTY_SYNC, 10);
}

static void test_truncate(void **state)
{
    sweep(state, FAULTY_TRUNCATE, 1);
}

static void test_shared_memory(void **state)
{
    sweep(state, FAULTY_SHM, 20);
}

static void test_lock(void **state)
{
    sweep(state, FAULTY_LOCK, 5);
}

static void test_delete_and_size(void **state)
{
    sweep(state, FAULTY_DELETE | FAULTY_SIZE, 5);
}

#define FAULT_TEST(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, sqlite_bench_set_up_faulty, sqlite_bench_tear_down_faulty)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(test_open),     FAULT_TEST(test_read),
        FAULT_TEST(test_write),    FAULT_TEST(test_sync),
        FAULT_TEST(test_truncate), FAULT_TEST(test_shared_memory),
        FAULT_TEST(test_lock),     FAULT_TEST(test_delete_and_size),
    };

    return cmocka_run_group_tests_name("sqlite faults", tests, NULL, NULL);
}

/* test_ledger_sqlite_fleet.c - a fleet is registered on a disk that fails: all of it is
 * there or nothing, and the same again works.
 *
 * As in test_ledger_sqlite_faults.c the n-th operation of a kind fails, once or with
 * all that follow.  SQLite has memory for few pages, so that most are written, and
 * fail, long before the transaction's end. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/ledger_sqlite.h"
#include "store/ledger_sqlite_bench.h"
#include "store/ledger_sqlite_faulty_vfs.h"
#include "store/ledger_workload.h"
#include "store/roster_sample.h"

#define DEVICES 400u
#define BATCH   64u
#define NOW_MS  UINT64_C(1795305600123)

/* The fleet, a batch at a time. */
struct fleet {
    struct eds_roster_source source;
    unsigned next;
    struct eds_roster_change changes[BATCH];
    struct eds_enrolment devices[BATCH];
};

static int32_t next_batch(struct eds_roster_source *base, const struct eds_roster_change **changes,
                          size_t *count, struct eds_error *err)
{
    struct fleet *fleet = (struct fleet *)base;

    (void)err;
    for (*count = 0; *count < BATCH && fleet->next < DEVICES; ++*count, fleet->next++) {
        char id[32];

        snprintf(id, sizeof id, "fleet-%05u", fleet->next);
        fleet->devices[*count] = sample_device(id, 2 * fleet->next);
        sample_key(&fleet->devices[*count], 2 * fleet->next + 1);
        fleet->changes[*count] =
            (struct eds_roster_change){&fleet->devices[*count], "device added", "alice", "a test"};
    }
    *changes = fleet->changes;
    return EDS_OK;
}

static int32_t register_fleet(struct eds_ledger *ledger, struct eds_error *err)
{
    struct fleet *fleet = calloc(1, sizeof *fleet);
    int32_t rc;

    assert_non_null(fleet);
    fleet->source.next = next_batch;
    rc = ledger->roster->change_all(ledger, &fleet->source, NOW_MS, err);
    free(fleet);
    return rc;
}

static int32_t count_one(void *context, const struct eds_enrolment *it)
{
    assert_int_equal(it->key_count, 2);
    assert_int_equal(it->revision, 1);
    ++*(unsigned *)context;
    return EDS_OK;
}

/* How many devices there are; lines and version fit to them. */
static unsigned check_whole(struct eds_ledger *ledger)
{
    struct eds_ledger_counts counts;
    struct eds_error err;
    unsigned count = 0;

    assert_int_equal(ledger->roster->scan(ledger, EDS_ROLE_DEVICE, count_one, &count, &err),
                     EDS_OK);
    assert_int_equal(ledger->ops->counts(ledger, &counts, &err), EDS_OK);
    assert_true(count == 0 || count == DEVICES);
    assert_int_equal(counts.changed, count);
    assert_int_equal(sample_version(ledger), count == 0 ? 0 : 1);
    return count;
}

/* A new file with a ledger, on a disk that is still good. */
static void open_small(struct sqlite_bench *bench)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    char path[sizeof bench->path + 16];
    struct sqlite_ledger *sqlite;

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        snprintf(path, sizeof path, "%s%s", bench->path, suffixes[i]);
        (void)remove(path);
    }
    sqlite_bench_open(bench);
    sqlite = (struct sqlite_ledger *)bench->ledger;
    sqlite_bench_execute(sqlite->db, "PRAGMA cache_size = 8");
}

/* One run with the n-th operation failing.  False if none did. */
static bool run_once(struct sqlite_bench *bench, unsigned kinds, uint64_t n, bool for_ever)
{
    bool did_fail;
    unsigned count;
    int32_t rc;

    faulty_vfs_begin(NULL);
    open_small(bench);
    faulty_vfs_fail(kinds, n, for_ever);
    rc = register_fleet(bench->ledger, &bench->err);
    did_fail = faulty_vfs_failures() > 0;
    faulty_vfs_fail(0, 0, false);
    sqlite_bench_close(bench);

    sqlite_bench_open(bench);
    count = check_whole(bench->ledger);
    if (rc == EDS_OK)
        assert_int_equal(count, DEVICES);
    else if (!for_ever) /* what became of it was asked, and the disk answered */
        assert_int_equal(count, 0);
    if (count == 0) {
        assert_int_equal(register_fleet(bench->ledger, &bench->err), EDS_OK);
        assert_int_equal(check_whole(bench->ledger), DEVICES);
    }
    sqlite_bench_close(bench);
    return did_fail;
}

static void sweep(void **state, unsigned kinds, uint64_t least)
{
    for (unsigned for_ever = 0; for_ever < 2; for_ever++) {
        uint64_t n = 1;

        while (run_once(*state, kinds, n, for_ever != 0))
            n = n < 8 ? n + 1 : workload_next(n) + n / 4;
        printf("up to %llu operations, each %s\n", (unsigned long long)n,
               for_ever ? "failed with all after it" : "failed once");
        assert_true(n > least);
    }
}

static void test_write(void **state)
{
    sweep(state, FAULTY_WRITE, 100);
}

static void test_sync(void **state)
{
    sweep(state, FAULTY_SYNC, 1);
}

static void test_read(void **state)
{
    sweep(state, FAULTY_READ, 10);
}

#define FAULT_TEST(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, sqlite_bench_set_up_faulty, sqlite_bench_tear_down_faulty)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(test_write),
        FAULT_TEST(test_sync),
        FAULT_TEST(test_read),
    };

    return cmocka_run_group_tests_name("a fleet on a failing disk", tests, NULL, NULL);
}

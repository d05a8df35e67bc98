/* test_ledger_sqlite_power.c - the power is cut at every single operation, and
 * the server is killed at any time.
 *
 * What a power cut leaves is computed: all that was synced, and any pieces of
 * what was written since.  From that, with a second cut while it is being
 * repaired, everything that was acknowledged must come back. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "store/ledger_sqlite_faulty_vfs.h"
#include "store/ledger_dump.h"
#include "store/ledger_sqlite.h"
#include "store/ledger_workload.h"
#include "store/ledger_sqlite_bench.h"

#define WAL_PAGES 12
#define CHANGING  (FAULTY_OPEN | FAULTY_WRITE | FAULTY_SYNC | FAULTY_TRUNCATE | FAULTY_DELETE)

static bool open_ledger(struct sqlite_bench *bench)
{
    if (sqlite_bench_try_open(bench, "") != EDS_OK)
        return false;
    ((struct sqlite_ledger *)bench->ledger)->wal_pages_soft = WAL_PAGES;
    return true;
}

/* Makes the bench stand in a new directory with what the power cut left. */
static void cut_power(struct sqlite_bench *bench, struct dice *dice)
{
    char directory[EDS_TEMP_DIR_SIZE];

    temp_dir_make(directory);
    faulty_vfs_leave(directory, dice);
    sqlite_bench_close(bench); /* the dead process's: nothing it does counts any more */
    temp_dir_remove(bench->directory);
    strcpy(bench->directory, directory);
    faulty_vfs_begin(directory);
    snprintf(bench->path, sizeof bench->path, "%s/ledger.db", bench->directory);
}

/* False if the workload was through before the n-th operation. */
static bool run_once(struct sqlite_bench *bench, struct dice *dice, uint64_t n)
{
    struct workload workload;
    char *integrity;
    bool was_cut;

    workload_begin(&workload);
    faulty_vfs_fail(CHANGING, n, true);
    if (open_ledger(bench))
        workload_run(&workload, bench->ledger);
    was_cut = faulty_vfs_failures() > 0;
    cut_power(bench, dice);
    if (dice_below(dice, 2) == 0) { /* and once more, while it is opened */
        faulty_vfs_fail(CHANGING, 1 + dice_below(dice, 12), true);
        (void)open_ledger(bench);
        cut_power(bench, dice);
    }
    faulty_vfs_fail(0, 0, false);
    if (!open_ledger(bench))
        fail_msg("%s", bench->err.text);
    workload_check(&workload, bench->ledger);
    integrity = sqlite_bench_query(bench, "PRAGMA integrity_check");
    assert_string_equal(integrity, "ok");
    free(integrity);
    workload.failed_count = 0;
    workload_run(&workload, bench->ledger);
    assert_int_equal(workload.failed_count, 0);
    workload_end(&workload);
    sqlite_bench_close(bench);
    temp_dir_remove(bench->directory); /* and from the beginning */
    temp_dir_make(bench->directory);
    snprintf(bench->path, sizeof bench->path, "%s/ledger.db", bench->directory);
    faulty_vfs_begin(NULL);
    return was_cut;
}

static void test_power_cut(void **state)
{
    struct sqlite_bench *bench = *state;
    struct dice dice;
    uint64_t n = 1;

    eds_log_configure(EDS_LOG_ERROR, EDS_LOG_LOGFMT); /* checkpoints will fail, and say so */
    dice_seed(&dice);
    faulty_vfs_install();
    while (run_once(bench, &dice, n))
        n = workload_next(n);
    faulty_vfs_uninstall();
    printf("power cuts at up to %llu operations\n", (unsigned long long)n);
    assert_true(n > 50);
}

/* A child commits, one record after the other, and tells after each. */
static void commit_until_killed(const struct sqlite_bench *bench, volatile uint64_t *acknowledged)
{
    struct sqlite_bench own = *bench;
    struct chain chain = chain_of("lift-01");
    struct eds_head head;

    if (!open_ledger(&own) || own.ledger->ops->head(own.ledger, "lift-01", &head, NULL) != EDS_OK)
        _exit(1);
    chain.sequence = head.sequence;
    memcpy(chain.record_hash, head.record_hash, EDS_HASH_SIZE);
    for (;;) {
        batch_clear(own.batch);
        batch_append(own.batch, &chain);
        batch_operation(own.batch, EDS_DECISION_ACCEPTED, "lift-01", chain.sequence, "accepted");
        if (own.ledger->ops->commit(own.ledger, &own.batch->commit, NULL) != EDS_OK)
            _exit(2);
        *acknowledged = chain.sequence;
    }
}

static void test_killed(void **state)
{
    struct sqlite_bench *bench = *state;
    volatile uint64_t *acknowledged =
        mmap(NULL, sizeof *acknowledged, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct dice dice;

    assert_true(acknowledged != MAP_FAILED);
    dice_seed(&dice);
    for (unsigned round = 0; round < 15; round++) {
        struct eds_ledger_counts counts;
        struct eds_head head;
        char *dump;
        int status;
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0)
            commit_until_killed(bench, acknowledged);
        usleep((useconds_t)(1000 + dice_below(&dice, 30000)));
        if (round == 0) /* a slow machine gets to its first commit, too */
            for (unsigned ms = 0; *acknowledged == 0 && ms < 120000; ms++)
                usleep(1000);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        sqlite_bench_open(bench);
        dump = ledger_dump(bench->ledger, &bench->err); /* chain, objects and hashes agree */
        assert_non_null(dump);
        free(dump);
        assert_int_equal(bench->ledger->ops->head(bench->ledger, "lift-01", &head, NULL), EDS_OK);
        assert_int_equal(bench->ledger->ops->counts(bench->ledger, &counts, NULL), EDS_OK);
        assert_in_range(head.sequence, *acknowledged, *acknowledged + 1);
        assert_int_equal(counts.records, head.sequence);
        assert_int_equal(counts.operations, head.sequence);
        *acknowledged = head.sequence; /* what is seen stays, too */
        sqlite_bench_close(bench);
    }
    assert_true(*acknowledged > 0);
    munmap((void *)(uintptr_t)acknowledged, sizeof *acknowledged);
}

#define BENCH_TEST(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, sqlite_bench_set_up, sqlite_bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_killed), /* before the other disk is there */
        BENCH_TEST(test_power_cut),
    };

    return cmocka_run_group_tests_name("sqlite power", tests, NULL, NULL);
}

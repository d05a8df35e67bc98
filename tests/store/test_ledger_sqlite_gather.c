/* test_ledger_sqlite_gather.c - a commit's writes are one, and nothing is missed of
 * what has not been written yet. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "store/ledger_sqlite.h"
#include "store/ledger_sqlite_bench.h"
#include "store/ledger_sqlite_faulty_vfs.h"

#define RECORD_COUNT 40u /* whose rows fill several pages of each table */

static void append_some(struct sqlite_bench *bench, struct chain *chain)
{
    for (unsigned i = 0; i < RECORD_COUNT; i++)
        batch_append(bench->batch, chain);
}

static int32_t commit(struct sqlite_bench *bench)
{
    return bench->ledger->ops->commit(bench->ledger, &bench->batch->commit, &bench->err);
}

/* The first commit also writes the head of the log. */
static void begin(struct sqlite_bench *bench, struct chain *chain)
{
    faulty_vfs_begin(NULL);
    sqlite_bench_open(bench);
    append_some(bench, chain);
    sqlite_bench_commit(bench);
}

static void test_one_write(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain chain = chain_of("lift-01");

    begin(bench, &chain);
    append_some(bench, &chain);
    faulty_vfs_fail(FAULTY_WRITE, 2, true); /* there is no second one */
    assert_int_equal(commit(bench), EDS_OK);
    assert_int_equal(faulty_vfs_failures(), 0);
    faulty_vfs_fail(0, 0, false);
}

/* The one write fails half done, in the sync that it was put off to: the commit is
 * refused, and the same one is taken when the disk is well again. */
static void test_failed_write(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain chain = chain_of("lift-01");
    struct eds_head head;

    begin(bench, &chain);
    append_some(bench, &chain);
    faulty_vfs_fail(FAULTY_WRITE, 1, true);
    assert_int_equal(commit(bench), EDS_ERR_IO);
    assert_non_null(strstr(bench->err.text, "SQLITE_FULL"));
    faulty_vfs_fail(0, 0, false);
    assert_int_equal(bench->ledger->ops->head(bench->ledger, "lift-01", &head, &bench->err),
                     EDS_OK);
    assert_int_equal(head.sequence, RECORD_COUNT);
    sqlite_bench_commit(bench);
    sqlite_bench_close(bench);
    faulty_vfs_begin(NULL);
}

static int32_t count_record(void *context, const struct eds_stored *stored)
{
    uint64_t *count = context;

    assert_int_equal(stored->entry->record.sequence, ++*count);
    return EDS_OK;
}

/* With a cache of a few pages a commit's first ones go to the log and are read back
 * from there while its last ones are made. */
static void test_small_cache(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain chain = chain_of("lift-01");
    uint64_t count = 0;
    char *answer;

    sqlite_bench_open(bench);
    sqlite_bench_execute(((struct sqlite_ledger *)bench->ledger)->db,
                         "PRAGMA cache_size=4;PRAGMA cache_spill=1");
    ((struct sqlite_ledger *)bench->ledger)->tail_max = 100; /* blocks are read and changed */
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned n = 0; n < BATCH_MAX; n++)
            batch_append(bench->batch, &chain);
        sqlite_bench_commit(bench);
    }
    assert_int_equal(
        bench->ledger->ops->scan(bench->ledger, NULL, count_record, &count, &bench->err), EDS_OK);
    assert_int_equal(count, 3 * BATCH_MAX);
    answer = sqlite_bench_query(bench, "PRAGMA integrity_check"); /* of another connection */
    assert_string_equal(answer, "ok");
    free(answer);
}

/* What a commit has written is there for others without a sync, too. */
static void test_without_sync(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain chain = chain_of("lift-01");
    char *answer;

    sqlite_bench_open(bench);
    sqlite_bench_execute(((struct sqlite_ledger *)bench->ledger)->db, "PRAGMA synchronous=OFF");
    ((struct sqlite_ledger *)bench->ledger)->wal_pages_soft = 40; /* the file, too */
    for (unsigned i = 1; i <= 10; i++) {
        append_some(bench, &chain);
        sqlite_bench_commit(bench);
        answer = sqlite_bench_query(bench, "SELECT count(*) FROM audit_records"
                                           " WHERE length(signature) = 64");
        assert_int_equal(strtoul(answer, NULL, 10), i * RECORD_COUNT);
        free(answer);
    }
}

#define GATHER_TEST(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, sqlite_bench_set_up_faulty, sqlite_bench_tear_down_faulty)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATHER_TEST(test_one_write),
        GATHER_TEST(test_failed_write),
        GATHER_TEST(test_small_cache),
        GATHER_TEST(test_without_sync),
    };

    return cmocka_run_group_tests_name("sqlite gather", tests, NULL, NULL);
}

/* test_ledger_sqlite_gather.c - a commit's writes are one, nothing is missed of what has
 * not been written yet, and few of them make the log's file longer. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

static uint64_t sequence_of(struct sqlite_bench *bench, const char *device_id)
{
    struct eds_head head;

    assert_int_equal(bench->ledger->ops->head(bench->ledger, device_id, &head, &bench->err),
                     EDS_OK);
    return head.sequence;
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

    begin(bench, &chain);
    append_some(bench, &chain);
    faulty_vfs_fail(FAULTY_WRITE, 1, true);
    assert_int_equal(commit(bench), EDS_ERR_IO);
    assert_non_null(strstr(bench->err.text, "SQLITE_FULL"));
    faulty_vfs_fail(0, 0, false);
    assert_int_equal(sequence_of(bench, "lift-01"), RECORD_COUNT);
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

static off_t log_length(const struct sqlite_bench *bench)
{
    char path[sizeof bench->path + 8];
    struct stat status;

    snprintf(path, sizeof path, "%s-wal", bench->path);
    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

/* A sync is dearer when the file has become longer. */
static void test_few_lengths(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain chain = chain_of("lift-01");
    unsigned change_count = 0;
    off_t length;

    begin(bench, &chain);
    length = log_length(bench);
    for (unsigned i = 0; i < 400; i++) { /* of a dozen kilobytes and more */
        batch_append(bench->batch, &chain);
        sqlite_bench_commit(bench);
        change_count += log_length(bench) != length;
        length = log_length(bench);
    }
    assert_in_range(change_count, 1, 12);
}

/* Without room for more than the commit itself there is a commit, and no more is used. */
static void test_no_room(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain chain = chain_of("lift-01");
    off_t lengths[3];

    begin(bench, &chain);
    sqlite_bench_execute(((struct sqlite_ledger *)bench->ledger)->db,
                         "PRAGMA wal_checkpoint(TRUNCATE)");
    assert_int_equal(log_length(bench), 0);
    for (unsigned i = 0; i < 3; i++) {
        append_some(bench, &chain);
        append_some(bench, &chain);
        faulty_vfs_fail(FAULTY_WRITE, i == 0 ? 3 : 2, true); /* the log's head is the first */
        sqlite_bench_commit(bench);
        assert_true(faulty_vfs_failures() > 0);
        faulty_vfs_fail(0, 0, false);
        lengths[i] = log_length(bench);
        assert_int_equal((lengths[i] - 32) % (4096 + 24), 0); /* frames, and nothing else */
    }
    assert_true(lengths[0] < lengths[1] && lengths[1] < lengths[2]);
    sqlite_bench_close(bench);
    sqlite_bench_open(bench);
    assert_int_equal(sequence_of(bench, "lift-01"), 7 * RECORD_COUNT);
}

static void copy(const char *from, const char *to, const char *suffix)
{
    char paths[2][512];
    size_t size;
    char *bytes;

    snprintf(paths[0], sizeof paths[0], "%s%s", from, suffix);
    snprintf(paths[1], sizeof paths[1], "%s%s", to, suffix);
    bytes = file_read(paths[0], &size);
    assert_non_null(bytes);
    file_write(paths[1], bytes, size);
    free(bytes);
}

/* What one has made longer, the other writes to; and whoever has nothing but the files
 * finds what is in a log like that. */
static void test_two_writers(void **state)
{
    struct sqlite_bench *bench = *state;
    struct sqlite_bench other = *bench, later = *bench;
    struct chain chain = chain_of("lift-01"), others = chain_of("lift-02");

    begin(bench, &chain);
    sqlite_bench_open(&other);
    for (unsigned i = 0; i < 60; i++) {
        batch_append(bench->batch, i % 2 == 0 ? &chain : &others);
        sqlite_bench_commit(i % 2 == 0 ? bench : &other);
    }
    snprintf(later.path, sizeof later.path, "%s/later.db", bench->directory);
    copy(bench->path, later.path, "");
    copy(bench->path, later.path, "-wal");
    sqlite_bench_close(&other);
    sqlite_bench_open(&later);
    assert_int_equal(sequence_of(&later, "lift-01"), RECORD_COUNT + 30);
    assert_int_equal(sequence_of(&later, "lift-02"), 30);
    sqlite_bench_close(&later);
}

#define GATHER_TEST(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, sqlite_bench_set_up_faulty, sqlite_bench_tear_down_faulty)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATHER_TEST(test_one_write),   GATHER_TEST(test_failed_write),
        GATHER_TEST(test_small_cache), GATHER_TEST(test_without_sync),
        GATHER_TEST(test_few_lengths), GATHER_TEST(test_no_room),
        GATHER_TEST(test_two_writers),
    };

    return cmocka_run_group_tests_name("sqlite gather", tests, NULL, NULL);
}

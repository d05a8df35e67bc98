/* test_ledger_sqlite_backup.c - a copy is one whole state of the ledger, whatever its
 * server or its disk does meanwhile. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/backup.h"
#include "store/ledger_dump.h"
#include "store/ledger_sqlite_bench.h"
#include "store/ledger_sqlite_faulty_vfs.h"

#define LARGE_SIZE ((size_t)9 << 20) /* bytes: several steps of the copying */

static char *dump_of(struct eds_ledger *ledger)
{
    struct eds_error err;
    char *text = ledger_dump(ledger, &err);

    if (text == NULL)
        fail_msg("%s", err.text);
    return text;
}

/* The empty file for a copy, which may be there from before. */
static void make_place(char path[EDS_TEMP_DIR_SIZE + 32], const struct sqlite_bench *bench)
{
    snprintf(path, EDS_TEMP_DIR_SIZE + 32, "%s/copy.db", bench->directory);
    file_write(path, "", 0);
}

/* The copy's dump; it is one file, also after it was read. */
static char *dump_copy(const char *path)
{
    static const char *const beside[] = {"-wal", "-shm", "-journal"};
    char url[EDS_TEMP_DIR_SIZE + 64];
    struct eds_ledger *copy;
    struct eds_error err;
    char *text;

    snprintf(url, sizeof url, "sqlite:%s?mode=ro", path);
    if (eds_ledger_open(&copy, url, &err) != EDS_OK)
        fail_msg("%s", err.text);
    text = dump_of(copy);
    copy->ops->close(copy);
    for (size_t i = 0; i < sizeof beside / sizeof beside[0]; i++) {
        snprintf(url, sizeof url, "%s%s", path, beside[i]);
        assert_int_not_equal(access(url, F_OK), 0);
    }
    return text;
}

static void fill(struct sqlite_bench *bench, struct chain *lift)
{
    batch_attest(batch_append(bench->batch, lift));
    batch_append(bench->batch, lift);
    batch_conflict(bench->batch, "lift-01", 1, 1);
    batch_operation(bench->batch, EDS_DECISION_ACCEPTED, "lift-01", 1, "accepted");
    sqlite_bench_commit(bench);
}

static void test_copy(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain lift = chain_of("lift-01");
    char path[EDS_TEMP_DIR_SIZE + 32], *before, *copied;

    sqlite_bench_open(bench);
    fill(bench, &lift);
    before = dump_of(bench->ledger);
    make_place(path, bench);
    assert_int_equal(eds_ledger_backup(bench->ledger, path, NULL, NULL, &bench->err), EDS_OK);
    batch_append(bench->batch, &lift); /* the ledger goes on */
    sqlite_bench_commit(bench);
    copied = dump_copy(path);
    assert_string_equal(copied, before);
    free(before);
    free(copied);
}

/* What is committed while the copying goes on. */
struct meanwhile {
    struct sqlite_bench *bench; /* with a ledger of its own */
    struct chain *lift;
    uint64_t bytes;
    unsigned calls;
};

static void commit_meanwhile(void *context, uint64_t bytes)
{
    struct meanwhile *meanwhile = context;

    assert_true(bytes > meanwhile->bytes); /* it never begins anew */
    meanwhile->bytes = bytes;
    meanwhile->calls++;
    batch_append(meanwhile->bench->batch, meanwhile->lift);
    sqlite_bench_commit(meanwhile->bench);
}

static void test_beside_a_writer(void **state)
{
    struct sqlite_bench *bench = *state;
    struct sqlite_bench reader = *bench;
    struct chain lift = chain_of("lift-01");
    struct meanwhile meanwhile = {.bench = bench, .lift = &lift};
    char path[EDS_TEMP_DIR_SIZE + 32], *before, *copied;
    void *large = calloc(1, LARGE_SIZE);
    struct eds_append *append;

    assert_non_null(large);
    sqlite_bench_open(bench);
    fill(bench, &lift);
    batch_append(bench->batch, &lift);
    append = batch_last_append(bench->batch);
    append->payload = large; /* its hash does not matter to the store */
    append->payload_size = LARGE_SIZE;
    sqlite_bench_commit(bench);
    before = dump_of(bench->ledger);
    make_place(path, bench);
    assert_int_equal(sqlite_bench_try_open(&reader, "?mode=ro"), EDS_OK);
    assert_int_equal(
        eds_ledger_backup(reader.ledger, path, commit_meanwhile, &meanwhile, &bench->err), EDS_OK);
    assert_true(meanwhile.calls >= 2);
    copied = dump_copy(path);
    assert_string_equal(copied, before);
    sqlite_bench_close(&reader);
    free(large);
    free(before);
    free(copied);
}

/* Each operation of the disk fails once: the copy fails or is whole, and the ledger is
 * what it was, and can be used. */
static void test_faults(void **state)
{
    static const unsigned kinds[] = {FAULTY_WRITE, FAULTY_READ, FAULTY_OPEN,
                                     FAULTY_SIZE,  FAULTY_LOCK, FAULTY_TRUNCATE};
    struct sqlite_bench *bench = *state;
    struct chain lift = chain_of("lift-01");
    char path[EDS_TEMP_DIR_SIZE + 32], *before, *now;
    uint64_t failed_count = 0;

    faulty_vfs_install();
    sqlite_bench_open(bench);
    fill(bench, &lift);
    before = dump_of(bench->ledger);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        for (uint64_t n = 1, failures = 1; failures > 0; n++) {
            int32_t rc;

            make_place(path, bench);
            faulty_vfs_fail(kinds[i], n, false);
            rc = eds_ledger_backup(bench->ledger, path, NULL, NULL, &bench->err);
            failures = faulty_vfs_failures();
            failed_count += rc != EDS_OK;
            faulty_vfs_fail(0, 0, false);
            if (rc == EDS_OK) {
                now = dump_copy(path);
                assert_string_equal(now, before);
                free(now);
            } else {
                assert_true(failures > 0 && bench->err.text[0] != '\0');
            }
            now = dump_of(bench->ledger);
            assert_string_equal(now, before);
            free(now);
        }
    assert_true(failed_count > 10);
    batch_append(bench->batch, &lift);
    sqlite_bench_commit(bench);
    sqlite_bench_close(bench);
    faulty_vfs_uninstall();
    free(before);
}

static void test_impossible(void **state)
{
    struct sqlite_bench *bench = *state;
    char path[EDS_TEMP_DIR_SIZE + 32];
    struct eds_ledger *memory;

    sqlite_bench_open(bench);
    snprintf(path, sizeof path, "%s/none/copy.db", bench->directory);
    assert_int_equal(eds_ledger_backup(bench->ledger, path, NULL, NULL, &bench->err), EDS_ERR_IO);
    assert_non_null(strstr(bench->err.text, path));
    assert_int_equal(eds_ledger_open(&memory, "memory:", NULL), EDS_OK);
    assert_int_equal(eds_ledger_backup(memory, path, NULL, NULL, &bench->err), EDS_ERR_UNSUPPORTED);
    memory->ops->close(memory);
}

#define BENCH_TEST(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, sqlite_bench_set_up, sqlite_bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_copy),
        BENCH_TEST(test_beside_a_writer),
        BENCH_TEST(test_faults),
        BENCH_TEST(test_impossible),
    };

    return cmocka_run_group_tests_name("sqlite backup", tests, NULL, NULL);
}

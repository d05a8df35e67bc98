/* test_ledger_sqlite_damage.c - a file that somebody, or a disk, has been at.
 *
 * Rows changed by hand are named; bytes changed at random may be noticed or
 * not, but lead to an error or an answer, never further. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/ledger_sqlite_faulty_vfs.h"
#include "store/ledger_dump.h"
#include "store/ledger_workload.h"
#include "store/ledger_sqlite_bench.h"
#include "support/dice.h"

static void fill(struct sqlite_bench *bench)
{
    struct workload workload;

    sqlite_bench_open(bench);
    workload_begin(&workload);
    workload_run(&workload, bench->ledger);
    assert_int_equal(workload.done_count, WORKLOAD_STEPS);
    workload_end(&workload);
    sqlite_bench_close(bench);
}

/* Each row changes one column of one good row. */
static const struct {
    const char *sql;
    const char *said; /* NULL: the change is to good values, nothing is said */
} edits[] = {
    {"UPDATE audit_records SET device_id = device_id WHERE id = 5", NULL},
    {"UPDATE audit_records SET device_id = printf('%0256d', 1) WHERE id = 5", "device_id"},
    {"UPDATE audit_records SET device_id = 'a' || char(0) || 'b' WHERE id = 5", "device_id"},
    {"UPDATE audit_records SET payload_hash = x'00' WHERE id = 5", "payload_hash"},
    {"UPDATE audit_records SET payload_hash = zeroblob(33) WHERE id = 5", "payload_hash"},
    {"UPDATE audit_records SET signature = zeroblob(63) WHERE id = 5", "signature"},
    {"UPDATE audit_records SET prev_record_hash = x'' WHERE id = 5", "prev_record_hash"},
    {"UPDATE audit_records SET object_ref = printf('%0512d', 1) WHERE id = 5", "object_ref"},
    {"UPDATE audit_records SET ingested_at = '2026-11-22' WHERE id = 5", "ingested_at"},
    {"UPDATE audit_records SET record_hash = zeroblob(31) WHERE id = 5", "record_hash"},
    {"UPDATE audit_records SET attest_key_id = zeroblob(8) WHERE id = 5", "attestation"},
    {"UPDATE audit_records SET attest_signature = NULL WHERE id = 1", "attestation"},
    {"UPDATE audit_records SET attest_key_id = zeroblob(9) WHERE id = 1", "attestation"},
    {"UPDATE chain_heads SET record_hash = x'00' WHERE device_id = 'lift-01'", "record_hash"},
    {"UPDATE chain_heads SET attested = 2 WHERE device_id = 'lift-01'", "attested"},
    {"UPDATE chain_heads SET device_id = printf('%0256d', 1) WHERE device_id = 'lift-01'",
     "device_id"},
    {"UPDATE raw_objects SET payload_hash = x'00' WHERE rowid = 3", "payload_hash"},
    {"UPDATE operation_logs SET decision = 'accepted' WHERE id = 2", "decision"},
    {"UPDATE operation_logs SET message = 'a' || char(0) WHERE id = 2", "message"},
    {"UPDATE operation_logs SET device_id = 'a' || char(0) WHERE id = 2", "device_id"},
    {"UPDATE operation_logs SET created_at = 'yesterday' WHERE id = 2", "created_at"},
    {"UPDATE conflicts SET signature = x'00' WHERE id = 1", "signature"},
};

static void test_edited_rows(void **state)
{
    struct sqlite_bench *bench = *state;
    size_t size;
    char *good;

    fill(bench);
    good = file_read(bench->path, &size);
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        struct eds_error err = {.text = ""};
        char *dump;

        file_write(bench->path, good, size);
        sqlite_bench_sql(bench, edits[i].sql);
        sqlite_bench_open(bench);
        dump = ledger_dump(bench->ledger, &err);
        if (edits[i].said == NULL) {
            assert_non_null(dump);
        } else {
            if (dump != NULL)
                fail_msg("%s: not noticed", edits[i].sql);
            assert_int_equal(err.code, EDS_ERR_MALFORMED);
            if (strstr(err.text, edits[i].said) == NULL || strstr(err.text, "row ") == NULL)
                fail_msg("%s: %s", edits[i].sql, err.text);
        }
        free(dump);
        sqlite_bench_close(bench);
    }
    free(good);
}

/* A trigger or a view in the file must not run. */
static void test_hostile_schema(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain chain = chain_of("lift-01");
    struct eds_ledger_counts counts;

    sqlite_bench_open(bench);
    sqlite_bench_close(bench);
    sqlite_bench_sql(bench, "CREATE TRIGGER eraser AFTER INSERT ON audit_records BEGIN"
                            " DELETE FROM audit_records; END");
    sqlite_bench_open(bench);
    batch_append(bench->batch, &chain);
    sqlite_bench_commit(bench);
    assert_int_equal(bench->ledger->ops->counts(bench->ledger, &counts, NULL), EDS_OK);
    assert_int_equal(counts.records, 1);
    sqlite_bench_close(bench);
    sqlite_bench_sql(bench, "DROP TABLE conflicts; CREATE VIEW conflicts AS SELECT * FROM"
                            " audit_records");
    assert_int_equal(sqlite_bench_try_open(bench, ""), EDS_ERR_IO);
}

/* Tries everything on a file that may be broken in any way. */
static void use(struct sqlite_bench *bench, unsigned *error_count)
{
    struct eds_error err = {.text = ""};
    struct chain chain = chain_of("lift-02");
    char *dump;
    int32_t rc = sqlite_bench_try_open(bench, "");

    if (rc != EDS_OK) {
        assert_true(bench->err.text[0] != '\0');
        ++*error_count;
        return;
    }
    dump = ledger_dump(bench->ledger, &err);
    if (dump == NULL) {
        assert_true(err.text[0] != '\0');
        ++*error_count;
    }
    free(dump);
    batch_clear(bench->batch);
    batch_append(bench->batch, &chain);
    batch_conflict(bench->batch, "lift-01", 1, 9);
    batch_operation(bench->batch, EDS_DECISION_ACCEPTED, "lift-02", 1, "accepted");
    (void)bench->ledger->ops->commit(bench->ledger, &bench->batch->commit, &err);
    sqlite_bench_close(bench);
}

static void test_random_damage(void **state)
{
    struct sqlite_bench *bench = *state;
    struct dice dice;
    unsigned error_count = 0;
    size_t size;
    char *good;

    dice_seed(&dice);
    eds_log_configure(EDS_LOG_ERROR, EDS_LOG_LOGFMT);
    fill(bench);
    good = file_read(bench->path, &size);
    for (unsigned round = 0; round < 150; round++) {
        char *bad = malloc(size), path[sizeof bench->path + 8];
        size_t bad_size = dice_below(&dice, 8) == 0 ? dice_below(&dice, size) : size;

        assert_non_null(bad);
        memcpy(bad, good, size);
        for (size_t i = 1 + dice_below(&dice, 40); i > 0; i--) {
            /* Page headers and cells decide more than payloads do. */
            size_t page = dice_below(&dice, size / 4096) * 4096;
            size_t at = page + dice_below(&dice, dice_below(&dice, 2) == 0 ? 100 : 4096);

            bad[at] = (char)dice_u64(&dice);
        }
        file_write(bench->path, bad, bad_size);
        snprintf(path, sizeof path, "%s-wal", bench->path);
        (void)remove(path);
        free(bad);
        use(bench, &error_count);
    }
    assert_true(error_count > 20);
    free(good);
}

#define BENCH_TEST(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, sqlite_bench_set_up, sqlite_bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_edited_rows),
        BENCH_TEST(test_hostile_schema),
        BENCH_TEST(test_random_damage),
    };

    faulty_vfs_install(); /* it does not sync, which makes this fast */
    return cmocka_run_group_tests_name("sqlite damage", tests, NULL, NULL);
}

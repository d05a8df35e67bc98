/* test_ledger_sqlite_walk.c - the order of a scan where SQLite has another one, from 2^63 on;
 * and files made so that a scan or a migration would lose its way, which end with an answer. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "store/ledger_sqlite.h"
#include "store/ledger_sqlite_bench.h"

#define GROUP_RECORDS (EDS_PLACES_MAX * EDS_PLACE_ROWS_MAX)

struct seen {
    char device_id[EDS_DEVICE_ID_SIZE];
    uint64_t sequence; /* the last one of this device */
    size_t count;
    size_t count_max; /* then it goes round in circles */
};

static int32_t see(void *context, const struct eds_stored *stored)
{
    const EdsAuditRecord *record = &stored->entry->record;
    const char *device_id = (const char *)record->device_id;
    struct seen *seen = context;

    if (seen->count++ == seen->count_max)
        return EDS_ERR_TOO_LARGE;
    if (strcmp(seen->device_id, device_id) == 0 && record->sequence <= seen->sequence)
        return EDS_ERR_USAGE;
    strcpy(seen->device_id, device_id);
    seen->sequence = record->sequence;
    return EDS_OK;
}

static void append(struct sqlite_bench *bench, struct chain *chain, size_t count)
{
    for (size_t i = 0; i < count; i++)
        batch_append(bench->batch, chain);
    sqlite_bench_commit(bench);
}

static void expect_scan(struct sqlite_bench *bench, const char *device_id, size_t count)
{
    struct seen seen = {.count_max = count};

    if (bench->ledger->ops->scan(bench->ledger, device_id, see, &seen, &bench->err) != EDS_OK)
        fail_msg("%s", bench->err.text);
    assert_int_equal(seen.count, count);
}

static void expect_found(struct sqlite_bench *bench, uint64_t from, uint64_t count)
{
    uint8_t hash[EDS_HASH_SIZE];

    for (uint64_t n = 0; n < count; n++)
        if (bench->ledger->ops->record_hash(bench->ledger, "lift-02", from + n, hash,
                                            &bench->err) != EDS_OK)
            fail_msg("%s", bench->err.text);
    assert_int_equal(
        bench->ledger->ops->record_hash(bench->ledger, "lift-02", from + count, hash, NULL),
        EDS_ERR_NOT_FOUND);
}

/* A device comes past 2^63 within the records of a group, which more groups follow. */
static void test_past_the_middle(void **state)
{
    static const uint64_t later = INT64_MAX - 19;
    struct sqlite_bench *bench = *state;
    struct chain chain = chain_of("lift-02"), before = chain_of("lift-01"),
                 behind = chain_of("lift-03");

    sqlite_bench_open(bench);
    append(bench, &before, 40);
    append(bench, &behind, 40);
    append(bench, &chain, 100);
    sqlite_bench_close(bench);
    sqlite_bench_sql(bench, "UPDATE chain_heads SET sequence = 9223372036854775787"
                            " WHERE device_id = 'lift-02'"); /* as a gap that was closed does */
    chain.sequence = later - 1;
    sqlite_bench_open(bench);
    for (size_t count = 0; count < 3 * GROUP_RECORDS;) {
        append(bench, &chain, GROUP_RECORDS);
        count += GROUP_RECORDS;
        expect_found(bench, 1, 100);
        expect_found(bench, later, count);
        expect_scan(bench, "lift-02", 100 + count);
        expect_scan(bench, "lift-01", 40);
        expect_scan(bench, NULL, 40 + 100 + count + 40);
    }
}

/* What somebody could do to a file in which lift-01 has one group and a row, and what a scan
 * says then. */
static const struct edit {
    const char *sql;
    int32_t rc;
    const char *said;
    size_t count; /* of records shown */
} edits[] = {
    {"SELECT 1", EDS_OK, NULL, GROUP_RECORDS + EDS_PLACES_MAX + 1},
    /* An id that two rows have. */
    {"CREATE TABLE t AS SELECT * FROM audit_records; DROP TABLE audit_records;"
     "ALTER TABLE t RENAME TO audit_records;"
     "INSERT INTO audit_records SELECT * FROM audit_records WHERE id = 5",
     EDS_ERR_MALFORMED, "row 5 of audit_records has no valid id", 5},
    /* The least there is: as a number of rows it has no opposite. */
    {"DELETE FROM audit_records WHERE id > 1;"
     "UPDATE audit_records SET id = -9223372036854775807 - 1",
     EDS_OK, NULL, 1},
    /* The last record of a group leads back to before its first one. */
    {"UPDATE audit_records SET sequence = -9223372036854775807 WHERE id = 512;"
     "UPDATE record_places SET places = CAST(substr(places, 1, length(places) - 2) ||"
     " x'82fcffffffffffff7f01' AS BLOB) WHERE first_sequence = 481",
     EDS_ERR_MALFORMED, "row 512 of audit_records has no valid sequence", 480},
    /* Tables in which 'lift' comes before 'Z'. */
    {"CREATE TABLE g AS SELECT * FROM place_groups; DROP TABLE place_groups;"
     "CREATE TABLE place_groups(device_id TEXT COLLATE NOCASE, first_sequence, place_rows);"
     "INSERT INTO place_groups SELECT * FROM g;"
     "CREATE TABLE h AS SELECT * FROM chain_heads; DROP TABLE chain_heads;"
     "CREATE TABLE chain_heads(device_id TEXT COLLATE NOCASE, sequence, record_hash, attested,"
     " conflict_count, places, place_rows);"
     "INSERT INTO chain_heads SELECT * FROM h; INSERT INTO chain_heads SELECT 'Z', sequence,"
     " record_hash, attested, conflict_count, x'', x'' FROM h",
     EDS_ERR_MALFORMED, "row 2 of chain_heads has no valid device_id",
     GROUP_RECORDS + EDS_PLACES_MAX + 1},
};

static void test_edits(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain chain = chain_of("lift-01");
    char *good;
    size_t size;

    sqlite_bench_open(bench);
    append(bench, &chain, GROUP_RECORDS + EDS_PLACES_MAX + 1);
    sqlite_bench_close(bench);
    good = file_read(bench->path, &size);
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        struct seen seen = {.count_max = GROUP_RECORDS + EDS_PLACES_MAX + 1};
        int32_t rc;

        file_write(bench->path, good, size);
        sqlite_bench_sql(bench, edits[i].sql);
        sqlite_bench_open(bench);
        rc = bench->ledger->ops->scan(bench->ledger, NULL, see, &seen, &bench->err);
        if (rc != edits[i].rc || seen.count != edits[i].count)
            fail_msg("%s: %s after %zu: %s", edits[i].sql, eds_error_name(rc), seen.count,
                     bench->err.text);
        if (edits[i].said != NULL)
            assert_non_null(strstr(bench->err.text, edits[i].said));
        sqlite_bench_close(bench);
    }
    free(good);
}

/* An index of an older version that names a reference twice: it is not brought up to date. */
static void test_older_index(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain chain = chain_of("lift-01");

    sqlite_bench_open(bench);
    append(bench, &chain, 3);
    sqlite_bench_close(bench);
    sqlite_bench_age(bench);
    sqlite_bench_sql(bench, "CREATE TABLE t AS SELECT * FROM object_index;"
                            "DROP TABLE object_index; ALTER TABLE t RENAME TO object_index;"
                            "INSERT INTO object_index VALUES('s3://z', 1), ('s3://z', 2)");
    assert_int_equal(sqlite_bench_try_open(bench, ""), EDS_ERR_MALFORMED);
    assert_non_null(strstr(bench->err.text, "object_index has s3://z twice or out of order"));
}

static int32_t see_line(void *context, const struct eds_operation *operation, uint64_t created_ms)
{
    size_t *left = context;

    (void)operation, (void)created_ms;
    return (*left)-- == 0 ? EDS_ERR_TOO_LARGE : EDS_OK;
}

/* Lines whose ids are no numbers, so that none is behind the one that was read last. */
static void test_lines(void **state)
{
    struct sqlite_bench *bench = *state;
    size_t left = 1000;

    sqlite_bench_open(bench);
    for (unsigned i = 0; i < 300; i++)
        batch_operation(bench->batch, EDS_DECISION_REJECTED, "lift-01", 1, "no");
    sqlite_bench_commit(bench);
    sqlite_bench_close(bench);
    sqlite_bench_sql(bench, "CREATE TABLE t AS SELECT 'line ' || id AS id, decision, device_id,"
                            " sequence, message, created_at, who, why FROM operation_logs;"
                            "DROP TABLE operation_logs; ALTER TABLE t RENAME TO operation_logs");
    sqlite_bench_open(bench);
    assert_int_equal(bench->ledger->ops->operations(bench->ledger, see_line, &left, &bench->err),
                     EDS_ERR_MALFORMED);
    assert_non_null(strstr(bench->err.text, "of operation_logs has no valid id"));
    assert_int_equal(left, 999);
}

#define BENCH_TEST(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, sqlite_bench_set_up, sqlite_bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_past_the_middle),
        BENCH_TEST(test_edits),
        BENCH_TEST(test_older_index),
        BENCH_TEST(test_lines),
    };

    return cmocka_run_group_tests_name("sqlite walk", tests, NULL, NULL);
}

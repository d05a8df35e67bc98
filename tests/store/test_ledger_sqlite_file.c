/* test_ledger_sqlite_file.c - the SQLite ledger as a file: made, found again,
 * refused when it is another's, shared with other programs. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/ledger_dump.h"
#include "store/ledger_sqlite.h"
#include "store/ledger_sqlite_bench.h"

static char *dump(struct sqlite_bench *bench)
{
    char *text = ledger_dump(bench->ledger, &bench->err);

    if (text == NULL)
        fail_msg("%s", bench->err.text);
    return text;
}

/* A bit of everything. */
static void fill(struct sqlite_bench *bench, struct chain *lift, struct chain *crane)
{
    batch_attest(batch_append(bench->batch, lift));
    batch_append(bench->batch, crane);
    batch_append(bench->batch, lift);
    batch_last_append(bench->batch)->payload = NULL;
    batch_conflict(bench->batch, "lift-01", 1, 1);
    batch_operation(bench->batch, EDS_DECISION_ACCEPTED, "lift-01", 1, "accepted");
    batch_operation(bench->batch, EDS_DECISION_REJECTED, "ghost", UINT64_MAX,
                    "unknown device: ghost");
    sqlite_bench_commit(bench);
}

static void assert_mode(const char *path, unsigned expected)
{
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, expected);
}

static void test_outlives_closing(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain lift = chain_of("lift-01"), crane = chain_of("crane-7");
    char *before, *after;
    struct eds_head head;

    sqlite_bench_open(bench);
    fill(bench, &lift, &crane);
    before = dump(bench);
    sqlite_bench_close(bench);
    sqlite_bench_open(bench);
    after = dump(bench);
    assert_string_equal(before, after);
    batch_append(bench->batch, &lift); /* the chain goes on */
    sqlite_bench_commit(bench);
    assert_int_equal(bench->ledger->ops->head(bench->ledger, "lift-01", &head, NULL), EDS_OK);
    assert_int_equal(head.sequence, 3);
    assert_true(head.attested);
    assert_int_equal(head.conflict_count, 1);
    free(before);
    free(after);
}

static void test_makes_its_place(void **state)
{
    struct sqlite_bench *bench = *state;
    char directory[sizeof bench->path];

    umask(0);
    chmod(bench->directory, 0755);
    snprintf(bench->path, sizeof bench->path, "%s/a//b/c/l.db", bench->directory);
    sqlite_bench_open(bench);
    assert_mode(bench->path, 0600);
    assert_mode(bench->directory, 0755); /* it was there */
    snprintf(directory, sizeof directory, "%s/a", bench->directory);
    assert_mode(directory, 0700);
    snprintf(directory, sizeof directory, "%s/a/b/c", bench->directory);
    assert_mode(directory, 0700);
    snprintf(directory, sizeof directory, "%s/a/b/c/l.db-wal", bench->directory);
    assert_mode(directory, 0600);
    umask(022);
}

static void test_names_from_here(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain chain = chain_of("lift-01");
    char home[1024];

    assert_non_null(getcwd(home, sizeof home));
    assert_int_equal(chdir(bench->directory), 0);
    snprintf(bench->path, sizeof bench->path, ":memory:"); /* to SQLite, no file at all */
    sqlite_bench_open(bench);
    assert_int_equal(chdir("/"), 0);
    batch_append(bench->batch, &chain);
    sqlite_bench_commit(bench);
    sqlite_bench_close(bench);
    snprintf(bench->path, sizeof bench->path, "%s/:memory:", bench->directory);
    assert_mode(bench->path, 0600);
    sqlite_bench_open(bench);
    sqlite_bench_close(bench);
    assert_int_equal(chdir(home), 0);
}

/* Places where there can be no ledger; from each, one edit leads to one. */
static void test_impossible_places(void **state)
{
    struct sqlite_bench *bench = *state;
    static const struct {
        const char *format;
        int32_t code;
    } rows[] = {
        {"sqlite:", EDS_ERR_USAGE},
        {"sqlite:%s/", EDS_ERR_USAGE},
        {"sqlite:%s", EDS_ERR_IO}, /* a directory */
        {"sqlite:%s/file/ledger.db", EDS_ERR_IO},
        {"sqlite:%s/ledger.db?mode=ro", EDS_ERR_NOT_FOUND},
        {"sqlite:%s/none/ledger.db?mode=ro", EDS_ERR_NOT_FOUND},
        {"SQLITE:%s/ledger.db", EDS_ERR_USAGE},
        {"sqlite%s/ledger.db", EDS_ERR_USAGE},
        {"%s/ledger.db", EDS_ERR_USAGE},
        {"memory:%s", EDS_ERR_USAGE},
        {"", EDS_ERR_USAGE},
        {"sqlite:%s/ledger.db", EDS_OK},
    };
    char path[sizeof bench->path];

    snprintf(path, sizeof path, "%s/file", bench->directory);
    file_write(path, "x", 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char url[512];
        int32_t rc;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(url, sizeof url, rows[i].format, bench->directory);
#pragma GCC diagnostic pop
        bench->err.text[0] = '\0';
        rc = eds_ledger_open(&bench->ledger, url, &bench->err);
        if (rc != rows[i].code)
            fail_msg("%s: %s %s", url, eds_error_name(rc), bench->err.text);
        assert_true(rc == EDS_OK || bench->err.text[0] != '\0');
        assert_true(rc == EDS_OK || bench->ledger == NULL);
        assert_int_equal(rc == EDS_OK, access(bench->path, F_OK) == 0);
    }
}

/* Root may write everywhere: somebody else tries. */
static void become_nobody(bool nobody)
{
    if (getuid() == 0)
        assert_int_equal(seteuid(nobody ? 65534 : 0), 0);
}

static void test_read_only_directory(void **state)
{
    struct sqlite_bench *bench = *state;

    chmod(bench->directory, 0555);
    become_nobody(true);
    assert_int_equal(sqlite_bench_try_open(bench, ""), EDS_ERR_IO);
    become_nobody(false);
    assert_non_null(strstr(bench->err.text, "ermission denied"));
    assert_non_null(strstr(bench->err.text, bench->path));
    chmod(bench->directory, 0700);
}

/* A ledger as an auditor gets it on a medium that nobody can write to; the name
 * has what means something in a URI. */
static void test_read_only_medium(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain lift = chain_of("lift-01"), crane = chain_of("crane-7");
    char log[sizeof bench->path + 8], *written, *read;

    snprintf(bench->path, sizeof bench->path, "%s/a 100%% #1?.db", bench->directory);
    sqlite_bench_open(bench);
    fill(bench, &lift, &crane);
    written = dump(bench);
    sqlite_bench_close(bench);
    chmod(bench->path, 0444);
    chmod(bench->directory, 0555);

    become_nobody(true);
    assert_int_equal(sqlite_bench_try_open(bench, ""), EDS_ERR_IO);
    assert_non_null(strstr(bench->err.text, "permission denied"));
    if (sqlite_bench_try_open(bench, "?mode=ro") != EDS_OK)
        fail_msg("%s", bench->err.text);
    read = dump(bench);
    assert_string_equal(written, read);
    sqlite_bench_close(bench);
    become_nobody(false);

    /* A log beside it holds what the file does not: not to be left out. */
    snprintf(log, sizeof log, "%s-wal", bench->path);
    file_write(log, "not empty", 9);
    become_nobody(true);
    assert_int_equal(sqlite_bench_try_open(bench, "?mode=ro"), EDS_ERR_IO);
    become_nobody(false);
    assert_non_null(strstr(bench->err.text, log));
    chmod(bench->directory, 0700);
    free(written);
    free(read);
}

/* Opens the file, which must be refused so, and left as it is. */
static void refuse(struct sqlite_bench *bench, int32_t expected, const char *said)
{
    size_t before_size, after_size;
    char *before = file_read(bench->path, &before_size), *after, beside[sizeof bench->path + 8];
    struct stat status;

    assert_non_null(before);
    for (unsigned i = 0; i < 2; i++) {
        int32_t rc = sqlite_bench_try_open(bench, i == 0 ? "" : "?mode=ro");

        if (rc != expected)
            fail_msg("%s: %s", eds_error_name(rc), bench->err.text);
        if (strstr(bench->err.text, said) == NULL || strstr(bench->err.text, bench->path) == NULL)
            fail_msg("%s", bench->err.text);
    }
    after = file_read(bench->path, &after_size);
    assert_int_equal(before_size, after_size);
    assert_memory_equal(before, after, before_size);
    snprintf(beside, sizeof beside, "%s-wal", bench->path);
    assert_true(stat(beside, &status) != 0 || status.st_size == 0);
    free(before);
    free(after);
}

static void test_other_files(void **state)
{
    struct sqlite_bench *bench = *state;

    file_write(bench->path, "Dear diary,\n", 12);
    refuse(bench, EDS_ERR_EXISTS, "not a database");
    unlink(bench->path);
    sqlite_bench_sql(bench, "CREATE TABLE notes(text)");
    refuse(bench, EDS_ERR_EXISTS, "another program");
    unlink(bench->path);
    sqlite_bench_sql(bench, "PRAGMA application_id=252006675"); /* a GeoPackage's, still empty */
    refuse(bench, EDS_ERR_EXISTS, "another program");
    unlink(bench->path);
    sqlite_bench_sql(bench, "PRAGMA user_version=1");
    refuse(bench, EDS_ERR_EXISTS, "another program");
}

static void test_other_versions(void **state)
{
    struct sqlite_bench *bench = *state;

    sqlite_bench_open(bench);
    sqlite_bench_close(bench);
    sqlite_bench_sql(bench, "PRAGMA user_version=99");
    refuse(bench, EDS_ERR_UNSUPPORTED, "version 99");
    sqlite_bench_sql(bench, "PRAGMA user_version=-1");
    refuse(bench, EDS_ERR_UNSUPPORTED, "version -1");
}

/* A file as the first version left it, with a record in it. */
static void test_first_version(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain chain = chain_of("lift-01");
    char *answer;

    sqlite_bench_open(bench);
    batch_append(bench->batch, &chain);
    batch_operation(bench->batch, EDS_DECISION_ACCEPTED, "lift-01", 1, "accepted");
    sqlite_bench_commit(bench);
    sqlite_bench_close(bench);
    sqlite_bench_age(bench);
    sqlite_bench_sql(bench, "DROP TABLE registry; DROP TABLE registry_keys;"
                            "DROP TABLE registry_version; DROP TABLE quarantined_records;"
                            "DROP TABLE chain_gaps;"
                            "ALTER TABLE operation_logs DROP COLUMN who;"
                            "ALTER TABLE operation_logs DROP COLUMN why;"
                            "CREATE TABLE old(object_ref TEXT NOT NULL PRIMARY KEY,"
                            " payload_hash BLOB NOT NULL, payload BLOB) STRICT;"
                            "INSERT INTO old SELECT object_ref, payload_hash, payload"
                            " FROM raw_objects;"
                            "DROP TABLE raw_objects; ALTER TABLE old RENAME TO raw_objects;"
                            "DROP TABLE object_index; DROP TABLE object_index_end;"
                            "PRAGMA user_version=1");
    assert_int_equal(sqlite_bench_try_open(bench, "?mode=ro"), EDS_ERR_UNSUPPORTED);
    assert_non_null(strstr(bench->err.text, "open it once for writing"));
    sqlite_bench_open(bench);
    sqlite_bench_close(bench);
    assert_int_equal(sqlite_bench_try_open(bench, "?mode=ro"), EDS_OK);
    answer = sqlite_bench_query(bench, "SELECT (SELECT count(*) FROM audit_records)||"
                                       "(SELECT count(*) FROM operation_logs WHERE who IS NULL)||"
                                       "(SELECT version FROM registry_version)");
    assert_string_equal(answer, "110");
    free(answer);
}

/* What is left when making a ledger was cut short: it is made to the end. */
static void test_begun_files(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain chain = chain_of("lift-01");

    file_write(bench->path, "", 0);
    assert_int_equal(sqlite_bench_try_open(bench, "?mode=ro"), EDS_ERR_NOT_FOUND);
    sqlite_bench_open(bench);
    batch_append(bench->batch, &chain);
    sqlite_bench_commit(bench);
    sqlite_bench_close(bench);
    unlink(bench->path);
    sqlite_bench_sql(bench, "PRAGMA journal_mode=WAL");
    assert_int_equal(sqlite_bench_try_open(bench, "?mode=ro"), EDS_ERR_NOT_FOUND);
    sqlite_bench_open(bench);
    batch_append(bench->batch, &chain);
    chain = chain_of("lift-01");
    batch_clear(bench->batch);
    batch_append(bench->batch, &chain);
    sqlite_bench_commit(bench);
}

static void test_missing_table(void **state)
{
    struct sqlite_bench *bench = *state;

    sqlite_bench_open(bench);
    sqlite_bench_close(bench);
    sqlite_bench_sql(bench, "DROP TABLE raw_objects");
    assert_int_equal(sqlite_bench_try_open(bench, ""), EDS_ERR_IO);
    assert_non_null(strstr(bench->err.text, "raw_objects"));
}

static void test_reading_only(void **state)
{
    struct sqlite_bench *bench = *state, reader = *bench;
    struct chain lift = chain_of("lift-01"), crane = chain_of("crane-7");
    char *written, *read;

    sqlite_bench_open(bench);
    assert_int_equal(sqlite_bench_try_open(&reader, "?mode=ro"), EDS_OK);
    fill(bench, &lift, &crane); /* seen by those who read meanwhile */
    written = dump(bench);
    read = dump(&reader);
    assert_string_equal(written, read);
    free(read);
    batch_append(bench->batch, &lift);
    assert_int_equal(reader.ledger->ops->commit(reader.ledger, &bench->batch->commit, &reader.err),
                     EDS_ERR_USAGE);
    sqlite_bench_close(bench);
    read = dump(&reader);
    assert_string_equal(written, read);
    sqlite_bench_close(&reader);
    free(written);
    free(read);
}

static void test_two_writers(void **state)
{
    struct sqlite_bench *bench = *state, other = *bench;
    struct chain chain = chain_of("lift-01"), stale;

    sqlite_bench_open(bench);
    sqlite_bench_open(&other);
    batch_append(bench->batch, &chain);
    sqlite_bench_commit(bench);
    stale = chain;
    batch_append(other.batch, &chain);
    sqlite_bench_commit(&other);
    batch_append(bench->batch, &stale);
    assert_int_equal(bench->ledger->ops->commit(bench->ledger, &bench->batch->commit, &bench->err),
                     EDS_ERR_HEAD_MOVED);
    batch_clear(bench->batch);
    batch_append(bench->batch, &chain);
    sqlite_bench_commit(bench);
    sqlite_bench_close(&other);
}

/* Tries to take a reference for another payload. */
static int32_t take_ref(struct sqlite_bench *bench, struct chain *chain, const char *ref)
{
    struct chain before = *chain;
    struct eds_entry *entry = batch_append(bench->batch, chain);
    int32_t rc;

    memset(entry->record.object_ref, 0, sizeof entry->record.object_ref);
    strcpy((char *)entry->record.object_ref, ref);
    rc = bench->ledger->ops->commit(bench->ledger, &bench->batch->commit, &bench->err);
    batch_clear(bench->batch);
    if (rc != EDS_OK)
        *chain = before;
    return rc;
}

/* References are indexed every five or so; whichever of two processes took one,
 * and wherever it is by now, it is taken, and who only reads finds it. */
static void test_references_of_two_writers(void **state)
{
    struct sqlite_bench *bench = *state, other = *bench, reader = *bench;
    struct sqlite_bench *writers[] = {bench, &other};
    struct chain chains[] = {chain_of("lift-01"), chain_of("lift-02")};
    char refs[60][EDS_OBJECT_REF_SIZE], *answer;
    uint8_t hash[EDS_HASH_SIZE];

    sqlite_bench_open(bench);
    sqlite_bench_open(&other);
    assert_int_equal(sqlite_bench_try_open(&reader, "?mode=ro"), EDS_OK);
    for (unsigned i = 0; i < 60; i++) {
        unsigned turn = i % 7 < 3 ? 0 : 1; /* several in a row */
        unsigned old = i / 2;
        void *payload;
        size_t size;

        memcpy(refs[i], batch_append(writers[turn]->batch, &chains[turn])->record.object_ref,
               sizeof refs[i]);
        sqlite_bench_commit(writers[turn]);
        assert_int_equal(take_ref(writers[1 - turn], &chains[1 - turn], refs[i]),
                         EDS_ERR_HEAD_MOVED);
        assert_int_equal(take_ref(writers[turn], &chains[turn], refs[old]), EDS_ERR_HEAD_MOVED);
        for (unsigned j = old; j <= i; j++)
            assert_int_equal(reader.ledger->ops->object(reader.ledger, refs[j], hash, NULL),
                             EDS_OK);
        assert_int_equal(reader.ledger->ops->payload(reader.ledger, refs[i], &payload, &size, NULL),
                         EDS_OK);
        free(payload);
    }
    assert_int_equal(reader.ledger->ops->object(reader.ledger, "free", hash, NULL),
                     EDS_ERR_NOT_FOUND);
    sqlite_bench_close(&other);
    sqlite_bench_close(&reader);
    answer = sqlite_bench_query(
        bench, "SELECT indexed_id BETWEEN 55 AND 60 AND (SELECT count(*) FROM object_refs) > 0"
               " FROM object_index_end");
    assert_string_equal(answer, "1");
    free(answer);
}

static void test_locked_by_another(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain chain = chain_of("lift-01");
    sqlite3 *other;
    struct eds_head head;

    sqlite_bench_open(bench);
    other = sqlite_bench_connect(bench);
    sqlite_bench_execute(other, "BEGIN IMMEDIATE");
    sqlite3_busy_timeout(((struct sqlite_ledger *)bench->ledger)->db, 30); /* not 5 s in a test */
    batch_append(bench->batch, &chain);
    assert_int_equal(bench->ledger->ops->commit(bench->ledger, &bench->batch->commit, &bench->err),
                     EDS_ERR_BUSY);
    assert_int_equal(bench->ledger->ops->head(bench->ledger, "lift-01", &head, NULL), EDS_OK);
    assert_int_equal(head.sequence, 0); /* reading goes on */
    sqlite_bench_execute(other, "ROLLBACK");
    sqlite_bench_commit(bench);
    sqlite3_close(other);
}

/* What people who know SQL, and docs/SPEC.md, will ask for. */
static void test_tables_in_sql(void **state)
{
    struct sqlite_bench *bench = *state;
    static const struct {
        const char *query, *answer;
    } rows[] = {
        {"SELECT group_concat(name) FROM pragma_table_info('audit_records')",
         "id,device_id,sequence,timestamp_ms,payload_hash,signature,prev_record_hash,object_ref,"
         "ingested_at,record_hash,attest_key_id,attest_signature,object_id"},
        {"SELECT group_concat(name) FROM pragma_table_info('operation_logs')",
         "id,decision,device_id,sequence,message,created_at,who,why"},
        {"SELECT ingested_at FROM audit_records", "2026-11-22T00:00:00.123Z"},
        {"SELECT strftime('%Y %H:%M:%f', ingested_at) FROM audit_records", "2026 00:00:00.123"},
        {"SELECT group_concat(decision) FROM operation_logs", "Accepted,Rejected"},
        {"SELECT sequence FROM operation_logs WHERE device_id = 'ghost'", "-1"},
        {"SELECT length(payload_hash)||length(signature)||length(record_hash)||"
         "length(attest_key_id) FROM audit_records WHERE device_id = 'lift-01' AND sequence = 1",
         "3264328"},
        {"SELECT count(*) FROM audit_records WHERE attest_signature IS NULL", "2"},
        {"SELECT payload FROM raw_objects WHERE object_ref = 'obj/crane-7/1.0'",
         "payload 1 of crane-7"},
        {"SELECT count(*) FROM raw_objects WHERE payload IS NULL", "1"},
        {"PRAGMA journal_mode", "wal"},
        {"PRAGMA integrity_check", "ok"},
    };
    struct chain lift = chain_of("lift-01"), crane = chain_of("crane-7");

    sqlite_bench_open(bench);
    fill(bench, &lift, &crane);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *answer = sqlite_bench_query(bench, rows[i].query);

        assert_string_equal(answer, rows[i].answer);
        free(answer);
    }
}

/* A visit that commits one more record through another ledger while the scan
 * goes on. */
#define RECORDS_BEFORE 2400u
#define RECORDS_AFTER  (2 * RECORDS_BEFORE)

struct commuter {
    struct sqlite_bench *writer;
    struct chain chain;
    uint64_t last_sequence, wal_size_max;
};

static int32_t commit_meanwhile(void *context, const struct eds_stored *stored)
{
    struct commuter *commuter = context;
    char path[sizeof commuter->writer->path + 8];
    struct stat status;

    assert_int_equal(stored->entry->record.sequence, commuter->last_sequence + 1);
    commuter->last_sequence++;
    if (commuter->chain.sequence < RECORDS_AFTER) {
        batch_append(commuter->writer->batch, &commuter->chain);
        sqlite_bench_commit(commuter->writer);
    }
    snprintf(path, sizeof path, "%s-wal", commuter->writer->path);
    assert_int_equal(stat(path, &status), 0);
    if ((uint64_t)status.st_size > commuter->wal_size_max)
        commuter->wal_size_max = (uint64_t)status.st_size;
    return EDS_OK;
}

static void test_log_stays_short(void **state)
{
    struct sqlite_bench *bench = *state, reader = *bench;
    struct commuter commuter = {.writer = bench, .chain = chain_of("lift-01")};
    struct sqlite_ledger *writer;

    sqlite_bench_open(bench);
    writer = (struct sqlite_ledger *)bench->ledger;
    sqlite_bench_execute(writer->db, "PRAGMA synchronous=OFF"); /* many commits, a short test */
    writer->wal_pages_soft = 400;
    while (commuter.chain.sequence < RECORDS_BEFORE) {
        batch_append(bench->batch, &commuter.chain);
        if (commuter.chain.sequence % 1200 == 0)
            sqlite_bench_commit(bench);
    }
    assert_int_equal(sqlite_bench_try_open(&reader, "?mode=ro"), EDS_OK);
    assert_int_equal(
        reader.ledger->ops->scan(reader.ledger, "lift-01", commit_meanwhile, &commuter, NULL),
        EDS_OK);
    assert_true(commuter.last_sequence >= RECORDS_BEFORE);
    assert_int_equal(commuter.chain.sequence, RECORDS_AFTER);
    /* All commits together write ten times that. */
    assert_in_range(commuter.wal_size_max, 400u * 4096, 1200u * 4096);
    sqlite_bench_close(&reader);
}

#define BENCH_TEST(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, sqlite_bench_set_up, sqlite_bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_outlives_closing),    BENCH_TEST(test_makes_its_place),
        BENCH_TEST(test_names_from_here),     BENCH_TEST(test_impossible_places),
        BENCH_TEST(test_read_only_directory), BENCH_TEST(test_read_only_medium),
        BENCH_TEST(test_other_files),         BENCH_TEST(test_other_versions),
        BENCH_TEST(test_first_version),       BENCH_TEST(test_begun_files),
        BENCH_TEST(test_missing_table),       BENCH_TEST(test_reading_only),
        BENCH_TEST(test_two_writers),         BENCH_TEST(test_references_of_two_writers),
        BENCH_TEST(test_locked_by_another),   BENCH_TEST(test_tables_in_sql),
        BENCH_TEST(test_log_stays_short),
    };

    return cmocka_run_group_tests_name("sqlite file", tests, NULL, NULL);
}

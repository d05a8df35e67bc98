/* ledger_sqlite_bench.c - see ledger_sqlite_bench.h. */
#include "store/ledger_sqlite_bench.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/ledger_sqlite.h"
#include "store/ledger_sqlite_faulty_vfs.h"

int sqlite_bench_set_up(void **state)
{
    struct sqlite_bench *bench = calloc(1, sizeof *bench);

    assert_non_null(bench);
    temp_dir_make(bench->directory);
    snprintf(bench->path, sizeof bench->path, "%s/ledger.db", bench->directory);
    bench->batch = batch_new(1795305600123u);
    *state = bench;
    return 0;
}

int sqlite_bench_tear_down(void **state)
{
    struct sqlite_bench *bench = *state;

    sqlite_bench_close(bench);
    batch_free(bench->batch);
    temp_dir_remove(bench->directory);
    free(bench);
    return 0;
}

int sqlite_bench_set_up_faulty(void **state)
{
    eds_log_configure(EDS_LOG_ERROR, EDS_LOG_LOGFMT);
    faulty_vfs_install();
    faulty_vfs_begin(NULL);
    return sqlite_bench_set_up(state);
}

int sqlite_bench_tear_down_faulty(void **state)
{
    int rc = sqlite_bench_tear_down(state);

    faulty_vfs_uninstall();
    return rc;
}

int32_t sqlite_bench_try_open(struct sqlite_bench *bench, const char *options)
{
    char url[sizeof bench->path + 64];

    memset(&bench->err, 0, sizeof bench->err);
    snprintf(url, sizeof url, "sqlite:%s%s", bench->path, options);
    if (eds_ledger_open(&bench->ledger, url, &bench->err) != EDS_OK)
        return bench->err.code;
    /* References go to their index often: every few commits instead of thousands. */
    ((struct sqlite_ledger *)bench->ledger)->tail_max = 5;
    return EDS_OK;
}

void sqlite_bench_open(struct sqlite_bench *bench)
{
    if (sqlite_bench_try_open(bench, "") != EDS_OK)
        fail_msg("%s", bench->err.text);
}

void sqlite_bench_close(struct sqlite_bench *bench)
{
    if (bench->ledger != NULL)
        bench->ledger->ops->close(bench->ledger);
    bench->ledger = NULL;
}

void sqlite_bench_commit(struct sqlite_bench *bench)
{
    if (bench->ledger->ops->commit(bench->ledger, &bench->batch->commit, &bench->err) != EDS_OK)
        fail_msg("%s", bench->err.text);
    batch_clear(bench->batch);
}

sqlite3 *sqlite_bench_connect(struct sqlite_bench *bench)
{
    sqlite3 *db = NULL;

    if (sqlite3_open(bench->path, &db) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(db));
    sqlite3_busy_timeout(db, 1000);
    return db;
}

void sqlite_bench_execute(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

void sqlite_bench_sql(struct sqlite_bench *bench, const char *sql)
{
    sqlite3 *db = sqlite_bench_connect(bench);

    sqlite_bench_execute(db, sql);
    sqlite3_close(db);
}

void sqlite_bench_age_to_10(struct sqlite_bench *bench)
{
    sqlite_bench_sql(bench, "CREATE TABLE old(device_id TEXT NOT NULL,"
                            " first_sequence INTEGER NOT NULL, places BLOB NOT NULL,"
                            " PRIMARY KEY(device_id, first_sequence)) STRICT, WITHOUT ROWID;"
                            "INSERT INTO old SELECT device_id, first_sequence, places"
                            " FROM record_places;"
                            "DROP TABLE record_places; ALTER TABLE old RENAME TO record_places;"
                            "DROP TABLE place_groups;"
                            "ALTER TABLE chain_heads DROP COLUMN place_rows;"
                            "CREATE TABLE old(first_ref TEXT NOT NULL PRIMARY KEY,"
                            " refs BLOB NOT NULL) STRICT, WITHOUT ROWID;"
                            "INSERT INTO old SELECT first_ref, refs FROM object_refs;"
                            "DROP TABLE object_refs; ALTER TABLE old RENAME TO object_refs;"
                            "PRAGMA user_version=10");
}

void sqlite_bench_age(struct sqlite_bench *bench)
{
    sqlite_bench_age_to_10(bench);
    sqlite_bench_sql(bench, "CREATE TABLE old(id INTEGER PRIMARY KEY, device_id TEXT NOT NULL,"
                            " sequence INTEGER NOT NULL, timestamp_ms INTEGER NOT NULL,"
                            " payload_hash BLOB NOT NULL, signature BLOB NOT NULL,"
                            " prev_record_hash BLOB NOT NULL, object_ref TEXT NOT NULL,"
                            " ingested_at TEXT NOT NULL, record_hash BLOB NOT NULL,"
                            " attest_key_id BLOB, attest_signature BLOB,"
                            " UNIQUE(device_id, sequence)) STRICT;"
                            "INSERT INTO old SELECT id, device_id, sequence, timestamp_ms,"
                            " payload_hash, signature, prev_record_hash, object_ref, ingested_at,"
                            " record_hash, attest_key_id, attest_signature FROM audit_records;"
                            "CREATE TABLE object_index(object_ref TEXT NOT NULL PRIMARY KEY,"
                            " object_id INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
                            "INSERT INTO object_index SELECT object_ref, id FROM raw_objects"
                            " WHERE id <= (SELECT indexed_id FROM object_index_end);"
                            "DROP TABLE object_refs;"
                            "DROP TABLE audit_records; ALTER TABLE old RENAME TO audit_records;"
                            "DROP TABLE record_places;"
                            "ALTER TABLE chain_heads DROP COLUMN places;"
                            "DROP TABLE device_commands;"
                            "PRAGMA user_version=5");
}

char *sqlite_bench_query(struct sqlite_bench *bench, const char *sql)
{
    sqlite3 *db = sqlite_bench_connect(bench);
    sqlite3_stmt *statement = NULL;
    const char *text = NULL;
    char *copy;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    if (sqlite3_step(statement) == SQLITE_ROW)
        text = (const char *)sqlite3_column_text(statement, 0);
    copy = strdup(text != NULL ? text : "");
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return copy;
}

char *file_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *bytes;
    long end;

    if (file == NULL)
        return NULL;
    fseek(file, 0, SEEK_END);
    end = ftell(file);
    rewind(file);
    bytes = malloc((size_t)end + 1);
    if (bytes == NULL || fread(bytes, 1, (size_t)end, file) != (size_t)end)
        abort();
    bytes[end] = '\0';
    fclose(file);
    *size = (size_t)end;
    return bytes;
}

void file_write(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");

    if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
        abort();
}

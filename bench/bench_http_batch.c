/* bench_http_batch.c - durable records a second over HTTP in batches of 1000,
 * client on the same cores, against bare prepared inserts in transactions of
 * 1000: one row and one log line a record, nothing checked. */
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch_load.h"
#include "bench.h"

#define BATCH_COUNT  30u /* of each connection */
#define ROUND_COUNT  3u
#define BARE_BATCHES 60u

static void die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static void execute(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db));
}

static void insert(sqlite3_stmt *record, sqlite3_stmt *line, sqlite3_int64 sequence)
{
    uint8_t bytes[64];

    randombytes_buf(bytes, sizeof bytes);
    sqlite3_bind_int64(record, 1, sequence);
    sqlite3_bind_int64(line, 1, sequence);
    for (int i = 2; i <= 5; i++)
        sqlite3_bind_blob(record, i, bytes, i == 3 ? 64 : 32, SQLITE_STATIC);
    if (sqlite3_step(record) != SQLITE_DONE || sqlite3_step(line) != SQLITE_DONE)
        die("insert");
    sqlite3_reset(record);
    sqlite3_reset(line);
}

static double bare_rate(void)
{
    char directory[BENCH_PATH_SIZE], path[BENCH_PATH_SIZE + 16];
    sqlite3_stmt *record, *line;
    sqlite3 *db;
    uint64_t start;
    double rate;

    bench_temporary(directory);
    snprintf(path, sizeof path, "%s/bare.db", directory);
    if (sqlite3_open(path, &db) != SQLITE_OK)
        die(path);
    execute(db,
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            "CREATE TABLE audit_records(id INTEGER PRIMARY KEY, device_id TEXT, sequence INTEGER,"
            " timestamp_ms INTEGER, payload_hash BLOB, signature BLOB, prev_record_hash BLOB,"
            " object_ref TEXT, ingested_at TEXT, record_hash BLOB, UNIQUE(device_id, sequence));"
            "CREATE TABLE operation_logs(id INTEGER PRIMARY KEY, decision TEXT, device_id TEXT,"
            " sequence INTEGER, message TEXT, created_at TEXT)");
    if (sqlite3_prepare_v2(db,
                           "INSERT INTO audit_records(device_id, sequence, timestamp_ms,"
                           " payload_hash, signature, prev_record_hash, record_hash, object_ref,"
                           " ingested_at) VALUES('bench-0', ?1, 1700000000000, ?2, ?3, ?4, ?5,"
                           " 's3://bucket/bench-0/' || ?1, '2026-11-22T00:07:55.123Z')",
                           -1, &record, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db,
                           "INSERT INTO operation_logs(decision, device_id, sequence, message,"
                           " created_at) VALUES('Accepted', 'bench-0', ?1, 'ingest accepted',"
                           " '2026-11-22T00:07:55.123Z')",
                           -1, &line, NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db));
    start = bench_now_ns();
    for (unsigned i = 0; i < BARE_BATCHES; i++) {
        execute(db, "BEGIN");
        for (unsigned k = 0; k < BATCH_LOAD_SIZE; k++)
            insert(record, line, (sqlite3_int64)i * BATCH_LOAD_SIZE + k);
        execute(db, "COMMIT");
    }
    rate = (double)BARE_BATCHES * BATCH_LOAD_SIZE * 1e9 / (double)(bench_now_ns() - start);
    sqlite3_finalize(record);
    sqlite3_finalize(line);
    sqlite3_close(db);
    bench_remove(directory);
    return rate;
}

int main(void)
{
    static const char *const names[] = {"http_batch_sqlite", "http_batch_sqlite_compact"};
    double rates[2][ROUND_COUNT], bare[ROUND_COUNT], cpu[2];
    char name[64];

    if (getenv("EDS") == NULL) {
        fprintf(stderr, "EDS must name the eds command\n");
        return 64;
    }
    if (sodium_init() < 0)
        return 1;
    bench_begin("ingest over HTTP in batches of 1000 into SQLite (durable)");
    for (unsigned i = 0; i < ROUND_COUNT; i++) {
        for (unsigned form = 0; form < 2; form++)
            rates[form][i] = batch_load_rate(NULL, BATCH_COUNT, form == 1, &cpu[form]);
        bare[i] = bare_rate();
    }
    for (unsigned form = 0; form < 2; form++) {
        bench_report(names[form], bench_median(rates[form], ROUND_COUNT), "records/s",
                     "bare prepared inserts, 1000 a transaction", bench_median(bare, ROUND_COUNT),
                     true);
        snprintf(name, sizeof name, "%s_cpu", names[form]);
        bench_report(name, cpu[form], "us/record", NULL, 0, false);
    }
    return 0;
}

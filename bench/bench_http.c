/* bench_http.c - durable records a second over HTTP, client on the same cores.
 *
 * The server is the real command, SQLite with synchronous=FULL or PostgreSQL
 * with fsync behind it.  In the same run the same client drives a bare
 * libmicrohttpd that answers 202 to the same bodies, and bare loops store like
 * rows: one by one, and by prepared inserts, 1000 in a transaction.
 *
 * EDS_BENCH_HTTP=N sends N records at each number of connections (60,000). */
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bare_http.h"
#include "bench.h"
#include "edgesentry/record.h"
#include "http_load.h"
#include "postgres_server.h"
#include "served.h"

#define RECORD_COUNT 60000u

/* What the server keeps its records in, and what a bare loop does with it. */
struct target {
    const char *name;
    const struct bench_postgres *postgres; /* NULL: SQLite */
    size_t record_count;                   /* of all connections together */
    double single_rate;                    /* commits of one row a second; 0: not known */
    double insert_rate;                    /* records a second, 1000 in a transaction */
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* Returns requests a second; *cpu_s, of client and server, for one. */
static double bare_rate(const struct http_requests *requests, size_t connection_count,
                        double *cpu_s)
{
    static const char body[] = "{\"status\":\"accepted\"}";
    struct MHD_Response *response = MHD_create_response_from_buffer(
        sizeof body - 1, (void *)(uintptr_t)body, MHD_RESPMEM_PERSISTENT);
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, bare_http_answer, response,
                         MHD_OPTION_THREAD_POOL_SIZE, 2u, MHD_OPTION_END);
    struct http_load_result result;

    if (daemon == NULL)
        die("MHD_start_daemon");
    *cpu_s = bench_cpu_seconds();
    if (http_load_run(&result, MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port, 202,
                      requests, connection_count) != 0)
        exit(1);
    *cpu_s = (bench_cpu_seconds() - *cpu_s) / (double)result.answered;
    free(result.latency_ns);
    MHD_stop_daemon(daemon);
    MHD_destroy_response(response);
    return (double)result.answered * 1e9 / (double)result.elapsed_ns;
}

/* What the disk allows: one row and one log line a commit, nothing else. */
static double disk_rate(void)
{
    char directory[BENCH_PATH_SIZE], path[BENCH_PATH_SIZE + 16];
    uint8_t row[300] = {0};
    sqlite3 *db;
    sqlite3_stmt *insert;
    size_t count = 0;

    bench_temporary(directory);
    snprintf(path, sizeof path, "%s/bare.db", directory);
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_exec(db,
                     "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                     "CREATE TABLE t(n INTEGER PRIMARY KEY, b BLOB)",
                     NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "INSERT INTO t(b) VALUES(?)", -1, &insert, NULL) != SQLITE_OK)
        die("sqlite3");
    sqlite3_bind_blob(insert, 1, row, sizeof row, SQLITE_STATIC);
    uint64_t start = bench_now_ns(), now = start;
    for (; now - start < 1500000000u; now = bench_now_ns(), count++) {
        if (sqlite3_step(insert) != SQLITE_DONE)
            die("insert");
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    sqlite3_close(db);
    bench_remove(directory);
    return (double)count * 1e9 / (double)(now - start);
}

/* The rates of a run beside those of the bare ones. */
static void report_rate(const struct target *target, size_t connection_count, double rate,
                        double bare)
{
    char name[64];

    snprintf(name, sizeof name, "http_single_%s_%zu", target->name, connection_count);
    if (connection_count == 1 && target->single_rate > 0) /* of just before, and of now */
        bench_report(name, rate, "records/s", "the disk's single commits",
                     (target->single_rate + disk_rate()) / 2, true);
    else
        bench_report(name, rate, "records/s", "bare libmicrohttpd 202, no store", bare, true);
    snprintf(name, sizeof name, "http_single_%s_%zu_to_inserts", target->name, connection_count);
    bench_report(name, rate, "records/s", "bare inserts, 1000 in a transaction",
                 target->insert_rate, true);
}

static void bench_connections(const struct target *target, size_t connection_count)
{
    struct http_requests *requests = calloc(connection_count, sizeof *requests);
    struct http_load_result result;
    struct served server;
    char name[64], url[512];

    for (size_t i = 0; i < connection_count; i++) {
        uint8_t seed[32];
        char device_id[SERVED_ID_SIZE];

        served_device(device_id, seed, i);
        http_requests_make(
            &requests[i], device_id, seed,
            (connection_count == 1 ? target->record_count / 4 : target->record_count) /
                connection_count);
    }
    if (target->postgres != NULL) {
        snprintf(name, sizeof name, "bench_http_%zu", connection_count);
        bench_postgres_schema(target->postgres, name, url);
    }
    served_start(&server, connection_count, target->postgres != NULL ? url : NULL);
    double memory_before = served_memory(&server, "VmRSS:");
    double cpu_before = served_cpu_seconds(&server), client_cpu = bench_cpu_seconds();
    if (http_load_run(&result, server.port, 202, requests, connection_count) != 0 ||
        result.refused > 0) {
        fprintf(stderr, "%zu of the records were refused\n", result.refused);
        exit(1);
    }
    double count = (double)result.answered;
    double rate = count * 1e9 / (double)result.elapsed_ns;
    double cpu = served_cpu_seconds(&server) - cpu_before;
    client_cpu = bench_cpu_seconds() - client_cpu;
    double memory = served_memory(&server, "VmRSS:") - memory_before;
    double peak = served_memory(&server, "VmHWM:");
    served_stop(&server);

    double bare_cpu, bare = bare_rate(requests, connection_count, &bare_cpu);
    report_rate(target, connection_count, rate, bare);
    /* A busy machine changes the rate, and this much less. */
    snprintf(name, sizeof name, "http_single_%s_%zu_two_cores", target->name, connection_count);
    bench_report(name, 2 * count / (cpu + client_cpu), "records/s",
                 "what two cores' time would do of 202s", 2 / bare_cpu, true);
    snprintf(name, sizeof name, "http_single_%s_%zu_p50", target->name, connection_count);
    bench_report(name, (double)bench_percentile(result.latency_ns, result.answered, 0.5) / 1e3,
                 "us", NULL, 0, false);
    snprintf(name, sizeof name, "http_single_%s_%zu_p99", target->name, connection_count);
    bench_report(name, (double)bench_percentile(result.latency_ns, result.answered, 0.99) / 1e3,
                 "us", NULL, 0, false);
    snprintf(name, sizeof name, "http_single_%s_%zu_cpu", target->name, connection_count);
    bench_report(name, cpu * 1e6 / count, "us/record", NULL, 0, false);
    snprintf(name, sizeof name, "http_single_%s_%zu_memory", target->name, connection_count);
    bench_report(name, memory / count, "B/record", NULL, 0, false);
    snprintf(name, sizeof name, "http_single_%s_%zu_peak", target->name, connection_count);
    bench_report(name, peak, "B", NULL, 0, false);
    free(result.latency_ns);
    for (size_t i = 0; i < connection_count; i++)
        http_requests_free(&requests[i]);
    free(requests);
}

/* What SQLite does with rows and log lines and nothing else, 1000 in a
 * transaction. */
static double bench_inserts(void)
{
    char directory[BENCH_PATH_SIZE], path[BENCH_PATH_SIZE + 16];
    uint8_t hash[32] = {1}, signature[64] = {2};
    sqlite3_stmt *inserts[2];
    sqlite3_int64 count = 0;
    sqlite3 *db;

    bench_temporary(directory);
    snprintf(path, sizeof path, "%s/bare.db", directory);
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_exec(db,
                     "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                     "CREATE TABLE audit_records(id INTEGER PRIMARY KEY, device_id TEXT,"
                     " sequence INTEGER, timestamp_ms INTEGER, payload_hash BLOB, signature BLOB,"
                     " prev_record_hash BLOB, object_ref TEXT, ingested_at TEXT,"
                     " UNIQUE(device_id, sequence));"
                     "CREATE TABLE operation_logs(id INTEGER PRIMARY KEY, decision TEXT,"
                     " device_id TEXT, sequence INTEGER, message TEXT, created_at TEXT)",
                     NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db,
                           "INSERT INTO audit_records(device_id, sequence, timestamp_ms,"
                           " payload_hash, signature, prev_record_hash, object_ref, ingested_at)"
                           " VALUES('lift-' || (?1 % 64), ?1, 1, ?2, ?3, ?2,"
                           " 's3://bucket/lift/' || ?1, '2026-11-22T00:00:00.123Z')",
                           -1, &inserts[0], NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db,
                           "INSERT INTO operation_logs(decision, device_id, sequence, message,"
                           " created_at) VALUES('Accepted', 'lift-' || (?1 % 64), ?1,"
                           " 'ingest accepted', '2026-11-22T00:00:00.123Z')",
                           -1, &inserts[1], NULL) != SQLITE_OK)
        die("sqlite3");
    sqlite3_bind_blob(inserts[0], 2, hash, sizeof hash, SQLITE_STATIC);
    sqlite3_bind_blob(inserts[0], 3, signature, sizeof signature, SQLITE_STATIC);
    uint64_t start = bench_now_ns(), now = start;
    for (; now - start < 1500000000u; now = bench_now_ns()) {
        (void)sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
        for (unsigned i = 0; i < 2000; i++) {
            sqlite3_bind_int64(inserts[i % 2], 1, i % 2 == 0 ? ++count : count);
            if (sqlite3_step(inserts[i % 2]) != SQLITE_DONE)
                die("insert");
            sqlite3_reset(inserts[i % 2]);
        }
        if (sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
            die("commit");
    }
    sqlite3_finalize(inserts[0]);
    sqlite3_finalize(inserts[1]);
    sqlite3_close(db);
    bench_remove(directory);
    return (double)count * 1e9 / (double)(now - start);
}

static void bench_target(const struct target *target, int argc, char **argv)
{
    static const size_t usual[] = {1, 16, 64, 256};

    for (int i = 1; i < argc; i++)
        bench_connections(target, strtoul(argv[i], NULL, 10));
    for (size_t i = 0; argc == 1 && i < sizeof usual / sizeof usual[0]; i++)
        bench_connections(target, usual[i]);
}

int main(int argc, char **argv)
{
    struct target sqlite = {.name = "sqlite", .record_count = RECORD_COUNT};
    struct target postgresql = {.name = "postgresql", .record_count = RECORD_COUNT / 4};
    const char *wanted = getenv("EDS_BENCH_HTTP");
    struct bench_postgres server;

    if (wanted != NULL) {
        sqlite.record_count = strtoul(wanted, NULL, 10);
        postgresql.record_count = sqlite.record_count / 4;
    }
    if (getenv("EDS") == NULL) {
        fprintf(stderr, "EDS must name the eds command\n");
        return 64;
    }
    if (sodium_init() < 0)
        return 1;
    bench_begin("ingest over HTTP into SQLite (durable)");
    sqlite.insert_rate = bench_inserts();
    sqlite.single_rate = disk_rate();
    bench_report("disk_single_commits", sqlite.single_rate, "commits/s", NULL, 0, true);
    bench_target(&sqlite, argc, argv);
    if (!bench_postgres_start(&server))
        return 0;
    bench_begin("ingest over HTTP into PostgreSQL (durable)");
    postgresql.postgres = &server;
    postgresql.insert_rate = bench_postgres_inserts(&server);
    bench_target(&postgresql, argc, argv);
    bench_postgres_stop(&server);
    return 0;
}

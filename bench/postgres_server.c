/* postgres_server.c - see postgres_server.h. */
#include "postgres_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/features.h"
#include "bench.h"

#define SCRIPT "tests/support/postgres.sh"

/* Those of docs/OPERATIONS.md. */
#define SETTINGS "'shared_buffers = 1GB' 'max_wal_size = 8GB' 'checkpoint_timeout = 15min'"

#if EDS_POSTGRES
#include <libpq-fe.h>

static void die(const char *what)
{
    fprintf(stderr, "PostgreSQL: %s\n", what);
    exit(1);
}

bool bench_postgres_start(struct bench_postgres *server)
{
    const char *given = getenv("EDS_BENCH_POSTGRES");
    char line[256] = "";
    int port = 0;
    FILE *pipe;

    *server = (struct bench_postgres){.url = ""};
    if (given != NULL && strcmp(given, "none") == 0)
        return false;
    if (given != NULL) {
        snprintf(server->url, sizeof server->url, "%s", given);
        return true;
    }
    strcpy(server->directory, P_tmpdir "/eds-bench-XXXXXX");
    if (mkdtemp(server->directory) == NULL)
        die(server->directory);
    snprintf(line, sizeof line, SCRIPT " start %s %ld " SETTINGS, server->directory,
             (long)getpid());
    pipe = popen(line, "r");
    if (pipe == NULL)
        die(line);
    if (fgets(line, sizeof line, pipe) != NULL)
        port = atoi(line);
    (void)pclose(pipe);
    if (port == 0) {
        printf("PostgreSQL skipped: %s", line);
        bench_remove(server->directory);
        return false;
    }
    snprintf(server->url, sizeof server->url, "postgresql://eds@127.0.0.1:%d/postgres", port);
    return true;
}

void bench_postgres_stop(const struct bench_postgres *server)
{
    char line[128];

    snprintf(line, sizeof line, SCRIPT " remove %s", server->directory);
    if (server->directory[0] != '\0' && system(line) != 0)
        die(line);
}

static void run(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);

    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        die(PQerrorMessage(connection));
    PQclear(result);
}

static PGconn *connect_to(const char *url)
{
    PGconn *connection = PQconnectdb(url);

    if (PQstatus(connection) != CONNECTION_OK)
        die(PQerrorMessage(connection));
    run(connection, "SET client_min_messages = warning");
    return connection;
}

void bench_postgres_schema(const struct bench_postgres *server, const char *name, char url[512])
{
    PGconn *connection = connect_to(server->url);
    char sql[256];

    snprintf(sql, sizeof sql, "DROP SCHEMA IF EXISTS %s CASCADE; CREATE SCHEMA %s", name, name);
    run(connection, sql);
    snprintf(url, 512, "%s?options=-csearch_path%%3D%s", server->url, name);
    PQfinish(connection);
}

static void insert(PGconn *connection, const char *statement, const char *sequence)
{
    PGresult *result = PQexecPrepared(connection, statement, 1, &sequence, NULL, NULL, 0);

    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        die(PQerrorMessage(connection));
    PQclear(result);
}

static void prepare(PGconn *connection, const char *name, const char *sql)
{
    PGresult *result = PQprepare(connection, name, sql, 0, NULL);

    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        die(PQerrorMessage(connection));
    PQclear(result);
}

double bench_postgres_inserts(const struct bench_postgres *server)
{
    uint64_t start = 0, now = 0, count = 0;
    char url[512], sequence[24];
    PGconn *connection;

    bench_postgres_schema(server, "bench_inserts", url);
    connection = connect_to(url);
    run(connection, "CREATE TABLE audit_records(id BIGSERIAL PRIMARY KEY, device_id TEXT,"
                    " sequence BIGINT, timestamp_ms BIGINT, payload_hash BYTEA, signature BYTEA,"
                    " prev_record_hash BYTEA, object_ref TEXT, ingested_at TIMESTAMPTZ DEFAULT"
                    " now(), UNIQUE(device_id, sequence));"
                    "CREATE TABLE operation_logs(id BIGSERIAL PRIMARY KEY, decision TEXT,"
                    " device_id TEXT, sequence BIGINT, message TEXT, created_at TIMESTAMPTZ"
                    " DEFAULT now())");
    prepare(connection, "record",
            "INSERT INTO audit_records(device_id, sequence, timestamp_ms, payload_hash, signature,"
            " prev_record_hash, object_ref) VALUES('lift-' || ($1::bigint % 64), $1::bigint, 1,"
            " decode(repeat('01', 32), 'hex'), decode(repeat('02', 64), 'hex'),"
            " decode(repeat('03', 32), 'hex'), 's3://bucket/lift/' || $1::bigint)");
    prepare(connection, "line",
            "INSERT INTO operation_logs(decision, device_id, sequence, message)"
            " VALUES('Accepted', 'lift-' || ($1::bigint % 64), $1::bigint, 'ingest accepted')");
    for (start = now = bench_now_ns(); now - start < 1500000000u; now = bench_now_ns()) {
        run(connection, "BEGIN");
        for (unsigned i = 0; i < 1000; i++) {
            snprintf(sequence, sizeof sequence, "%llu", (unsigned long long)++count);
            insert(connection, "record", sequence);
            insert(connection, "line", sequence);
        }
        run(connection, "COMMIT");
    }
    PQfinish(connection);
    return (double)count * 1e9 / (double)(now - start);
}
#else
bool bench_postgres_start(struct bench_postgres *server)
{
    (void)server;
    return false;
}

void bench_postgres_stop(const struct bench_postgres *server)
{
    (void)server;
}

void bench_postgres_schema(const struct bench_postgres *server, const char *name, char url[512])
{
    (void)server, (void)name, (void)url;
}

double bench_postgres_inserts(const struct bench_postgres *server)
{
    (void)server;
    return 0;
}
#endif

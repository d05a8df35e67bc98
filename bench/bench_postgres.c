/* bench_postgres.c - commits of 1000 records to PostgreSQL, next to a bare loop
 * that copies the same rows into the same tables over a like connection.
 *
 * EDS_BENCH_POSTGRES=URL names a server; its schemas bench_ours and bench_bare
 * are made anew.  Without it a server of our own is started, with fsync on. */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch_load.h"
#include "bench.h"
#include "feed.h"
#include "postgres_server.h"
#include "store/ledger.h"

#define HTTP_BATCH_COUNT 15u /* of each connection */
#define BATCH            1000u
#define DEVICE_COUNT     50u
#define ROUND_COUNT      41u

static void demand(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "bench_postgres: %s\n", what);
        exit(1);
    }
}

/* Rows of COPY BINARY. */
struct rows {
    uint8_t bytes[1 << 20];
    size_t size;
};

static void put(struct rows *rows, const void *bytes, size_t size)
{
    demand(size <= sizeof rows->bytes - rows->size, "rows too long");
    memcpy(rows->bytes + rows->size, bytes, size);
    rows->size += size;
}

static void put_number(struct rows *rows, uint64_t number, unsigned size)
{
    uint8_t bytes[8];

    for (unsigned i = 0; i < size; i++)
        bytes[i] = (uint8_t)(number >> (8 * (size - 1 - i)));
    put(rows, bytes, size);
}

static void field(struct rows *rows, const void *bytes, size_t size)
{
    put_number(rows, size, 4);
    put(rows, bytes, size);
}

static void text(struct rows *rows, const void *string)
{
    field(rows, string, strlen(string));
}

static void number(struct rows *rows, uint64_t value)
{
    put_number(rows, 8, 4);
    put_number(rows, value, 8);
}

static void run(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);

    demand(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, PQerrorMessage(connection));
    PQclear(result);
}

static void begin_copy(struct rows *rows)
{
    rows->size = 0;
    put(rows, "PGCOPY\n\377\r\n\0", 11);
    put_number(rows, 0, 8);
}

static void copy(PGconn *connection, const char *sql, struct rows *rows)
{
    PGresult *result = PQexec(connection, sql);

    demand(PQresultStatus(result) == PGRES_COPY_IN, PQerrorMessage(connection));
    PQclear(result);
    put_number(rows, 0xffff, 2);
    demand(PQputCopyData(connection, (const char *)rows->bytes, (int)rows->size) == 1 &&
               PQputCopyEnd(connection, NULL) == 1,
           "COPY");
    while ((result = PQgetResult(connection)) != NULL) {
        demand(PQresultStatus(result) == PGRES_COMMAND_OK, PQerrorMessage(connection));
        PQclear(result);
    }
}

static void copy_records(PGconn *connection, const struct feed *feed, struct rows *rows)
{
    begin_copy(rows);
    for (unsigned i = 0; i < BATCH; i++) {
        const EdsAuditRecord *record = &feed->entries[i].record;

        put_number(rows, 8, 2);
        text(rows, record->device_id);
        number(rows, record->sequence);
        number(rows, record->timestamp_ms);
        field(rows, record->payload_hash, EDS_HASH_SIZE);
        field(rows, record->signature, EDS_SIGNATURE_SIZE);
        field(rows, record->prev_record_hash, EDS_HASH_SIZE);
        text(rows, record->object_ref);
        field(rows, feed->appends[i].record_hash, EDS_HASH_SIZE);
    }
    copy(connection,
         "COPY audit_records(device_id, sequence, timestamp_ms, payload_hash, signature,"
         " prev_record_hash, object_ref, record_hash) FROM STDIN BINARY",
         rows);
}

/* What somebody would write who needs no heads compared and no reference
 * checked: COPY of the rows, one UPDATE, COMMIT. */
static void bare_commit(PGconn *connection, const struct feed *feed, struct rows *rows)
{
    run(connection, "BEGIN");
    copy_records(connection, feed, rows);
    begin_copy(rows);
    for (unsigned i = 0; i < BATCH; i++) {
        put_number(rows, 3, 2);
        text(rows, feed->entries[i].record.object_ref);
        field(rows, feed->entries[i].record.payload_hash, EDS_HASH_SIZE);
        field(rows, feed->payload, FEED_PAYLOAD_SIZE);
    }
    copy(connection, "COPY raw_objects(object_ref, payload_hash, payload) FROM STDIN BINARY", rows);
    begin_copy(rows);
    for (unsigned i = 0; i < BATCH; i++) {
        put_number(rows, 4, 2);
        text(rows, "Accepted");
        text(rows, feed->operations[i].device_id);
        number(rows, feed->operations[i].sequence);
        text(rows, feed->operations[i].message);
    }
    copy(connection,
         "COPY operation_logs(decision, device_id, sequence, message) FROM STDIN BINARY", rows);
    run(connection, "UPDATE chain_heads SET sequence = sequence + 20");
    run(connection, "COMMIT");
}

/* A new ledger in a schema of its own. */
static struct eds_ledger *open_schema(const struct bench_postgres *server, const char *schema)
{
    struct eds_ledger *ledger = NULL;
    struct eds_error err = {0};
    char url[512];

    bench_postgres_schema(server, schema, url);
    demand(eds_ledger_open(&ledger, url, &err) == EDS_OK, err.text);
    return ledger;
}

static double rate(uint64_t start_ns)
{
    return BATCH * 1e9 / (double)(bench_now_ns() - start_ns);
}

/* The same through the server: HTTP, JSON, signatures, chains. */
static void measure_http(const struct bench_postgres *server, double bare)
{
    char store[512];
    double ours, cpu_us;

    if (getenv("EDS") == NULL)
        return;
    bench_postgres_schema(server, "bench_http", store);
    ours = batch_load_rate(store, HTTP_BATCH_COUNT, false, &cpu_us);
    bench_report("http_batch_postgres", ours, "records/s", "bare COPY of the same rows", bare,
                 true);
    bench_report("http_batch_postgres_cpu", cpu_us, "us/record", NULL, 0, false);
}

static void measure(const struct bench_postgres *server)
{
    struct feed *feed = calloc(1, sizeof *feed);
    struct rows *rows = calloc(1, sizeof *rows);
    PGconn *connection = PQconnectdb(server->url);
    double ours[ROUND_COUNT], bare[ROUND_COUNT];
    struct eds_ledger *ledger, *other;
    struct eds_error err = {0};

    demand(feed != NULL && rows != NULL, "no memory");
    demand(PQstatus(connection) == CONNECTION_OK, PQerrorMessage(connection));
    run(connection, "SET client_min_messages = warning");
    ledger = open_schema(server, "bench_ours");
    other = open_schema(server, "bench_bare");
    other->ops->close(other);
    run(connection, "SET search_path = bench_bare");
    run(connection, "INSERT INTO chain_heads SELECT 'lift-00' || lpad(g::text, 2, '0'), 0,"
                    " '', false, 0 FROM generate_series(0, 49) AS g");
    feed->device_count = DEVICE_COUNT;
    for (unsigned i = 0; i < ROUND_COUNT; i++) {
        uint64_t start_ns;

        feed_next(feed, BATCH, 1);
        start_ns = bench_now_ns();
        demand(ledger->ops->commit(ledger, &feed->commit, &err) == EDS_OK, err.text);
        ours[i] = rate(start_ns);
        start_ns = bench_now_ns();
        bare_commit(connection, feed, rows);
        bare[i] = rate(start_ns);
    }
    bench_report("postgres_commit_1000", bench_median(ours, ROUND_COUNT), "records/s",
                 "bare COPY of the same rows", bench_median(bare, ROUND_COUNT), true);
    ledger->ops->close(ledger);
    measure_http(server, bench_median(bare, ROUND_COUNT));
    PQfinish(connection);
    free(rows);
    free(feed);
}

int main(void)
{
    struct bench_postgres server;

    bench_begin("PostgreSQL (one connection)");
    if (!bench_postgres_start(&server))
        return 0;
    measure(&server);
    bench_postgres_stop(&server);
    return 0;
}

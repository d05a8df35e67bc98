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
#include "postgres_server.h"
#include "store/ledger.h"

#define HTTP_BATCH_COUNT 15u /* of each connection */
#define BATCH            1000u
#define DEVICE_COUNT     50u
#define PAYLOAD_SIZE     96u /* bytes */
#define ROUND_COUNT      41u

struct load {
    struct eds_entry entries[BATCH];
    struct eds_append appends[BATCH];
    struct eds_operation operations[BATCH];
    uint8_t payload[PAYLOAD_SIZE];
    struct eds_head heads[DEVICE_COUNT];
    struct eds_commit commit;
};

static void demand(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "bench_postgres: %s\n", what);
        exit(1);
    }
}

/* The next records of all devices; a ledger stores bytes and checks none. */
static void next_batch(struct load *load)
{
    for (unsigned i = 0; i < BATCH; i++) {
        struct eds_head *head = &load->heads[i % DEVICE_COUNT];
        EdsAuditRecord *record = &load->entries[i].record;

        memset(record, 0, sizeof *record);
        snprintf((char *)record->device_id, sizeof record->device_id, "lift-%02u",
                 i % DEVICE_COUNT);
        record->sequence = ++head->sequence;
        record->timestamp_ms = 1700000000000u + record->sequence;
        memset(record->payload_hash, (int)i, sizeof record->payload_hash);
        memset(record->signature, (int)i, sizeof record->signature);
        memcpy(record->prev_record_hash, head->record_hash, EDS_HASH_SIZE);
        snprintf((char *)record->object_ref, sizeof record->object_ref, "s3://bucket/%s/%llu.bin",
                 (const char *)record->device_id, (unsigned long long)record->sequence);
        memcpy(head->record_hash, &record->sequence, sizeof record->sequence);
        load->appends[i] = (struct eds_append){
            .entry = &load->entries[i], .payload = load->payload, .payload_size = PAYLOAD_SIZE};
        memcpy(load->appends[i].record_hash, head->record_hash, EDS_HASH_SIZE);
        load->operations[i] = (struct eds_operation){.device_id = (const char *)record->device_id,
                                                     .sequence = record->sequence,
                                                     .message = "accepted"};
    }
    load->commit = (struct eds_commit){
        .appends = load->appends,
        .append_count = BATCH,
        .operations = load->operations,
        .operation_count = BATCH,
        .now_ms = 1795305600123u,
    };
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

static void copy_records(PGconn *connection, const struct load *load, struct rows *rows)
{
    begin_copy(rows);
    for (unsigned i = 0; i < BATCH; i++) {
        const EdsAuditRecord *record = &load->entries[i].record;

        put_number(rows, 8, 2);
        text(rows, record->device_id);
        number(rows, record->sequence);
        number(rows, record->timestamp_ms);
        field(rows, record->payload_hash, EDS_HASH_SIZE);
        field(rows, record->signature, EDS_SIGNATURE_SIZE);
        field(rows, record->prev_record_hash, EDS_HASH_SIZE);
        text(rows, record->object_ref);
        field(rows, load->appends[i].record_hash, EDS_HASH_SIZE);
    }
    copy(connection,
         "COPY audit_records(device_id, sequence, timestamp_ms, payload_hash, signature,"
         " prev_record_hash, object_ref, record_hash) FROM STDIN BINARY",
         rows);
}

/* What somebody would write who needs no heads compared and no reference
 * checked: COPY of the rows, one UPDATE, COMMIT. */
static void bare_commit(PGconn *connection, const struct load *load, struct rows *rows)
{
    run(connection, "BEGIN");
    copy_records(connection, load, rows);
    begin_copy(rows);
    for (unsigned i = 0; i < BATCH; i++) {
        put_number(rows, 3, 2);
        text(rows, load->entries[i].record.object_ref);
        field(rows, load->entries[i].record.payload_hash, EDS_HASH_SIZE);
        field(rows, load->payload, PAYLOAD_SIZE);
    }
    copy(connection, "COPY raw_objects(object_ref, payload_hash, payload) FROM STDIN BINARY", rows);
    begin_copy(rows);
    for (unsigned i = 0; i < BATCH; i++) {
        put_number(rows, 4, 2);
        text(rows, "Accepted");
        text(rows, load->operations[i].device_id);
        number(rows, load->operations[i].sequence);
        text(rows, load->operations[i].message);
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
    struct load *load = calloc(1, sizeof *load);
    struct rows *rows = calloc(1, sizeof *rows);
    PGconn *connection = PQconnectdb(server->url);
    double ours[ROUND_COUNT], bare[ROUND_COUNT];
    struct eds_ledger *ledger, *other;
    struct eds_error err = {0};

    demand(load != NULL && rows != NULL, "no memory");
    demand(PQstatus(connection) == CONNECTION_OK, PQerrorMessage(connection));
    run(connection, "SET client_min_messages = warning");
    ledger = open_schema(server, "bench_ours");
    other = open_schema(server, "bench_bare");
    other->ops->close(other);
    run(connection, "SET search_path = bench_bare");
    run(connection, "INSERT INTO chain_heads SELECT 'lift-' || g, 0, '', false, 0"
                    " FROM generate_series(10, 59) AS g");
    for (unsigned i = 0; i < ROUND_COUNT; i++) {
        uint64_t start_ns;

        next_batch(load);
        start_ns = bench_now_ns();
        demand(ledger->ops->commit(ledger, &load->commit, &err) == EDS_OK, err.text);
        ours[i] = rate(start_ns);
        start_ns = bench_now_ns();
        bare_commit(connection, load, rows);
        bare[i] = rate(start_ns);
    }
    bench_report("postgres_commit_1000", bench_median(ours, ROUND_COUNT), "records/s",
                 "bare COPY of the same rows", bench_median(bare, ROUND_COUNT), true);
    ledger->ops->close(ledger);
    measure_http(server, bench_median(bare, ROUND_COUNT));
    PQfinish(connection);
    free(rows);
    free(load);
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

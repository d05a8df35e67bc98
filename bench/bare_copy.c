/* bare_copy.c - see bare_copy.h. */
#include "bare_copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/features.h"

#if EDS_POSTGRES
#include <libpq-fe.h>

#define DEVICE_ID_MAX 32u /* bytes, of the feed's */

/* Rows of COPY BINARY. */
struct bare_copy {
    PGconn *connection;
    uint8_t bytes[1 << 20];
    size_t size;
    char ids[FEED_DEVICE_MAX * DEVICE_ID_MAX];
    char sequences[FEED_DEVICE_MAX * 24];
    char hashes[FEED_DEVICE_MAX * (2 * EDS_HASH_SIZE + 8)];
};

static void demand(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "bare COPY: %s\n", what);
        exit(1);
    }
}

static void finish(const struct bare_copy *copy, PGresult *result)
{
    demand(PQresultStatus(result) == PGRES_COMMAND_OK, PQerrorMessage(copy->connection));
    PQclear(result);
}

static void run(const struct bare_copy *copy, const char *sql)
{
    finish(copy, PQexec(copy->connection, sql));
}

static void put(struct bare_copy *copy, const void *bytes, size_t size)
{
    demand(size <= sizeof copy->bytes - copy->size, "rows too long");
    memcpy(copy->bytes + copy->size, bytes, size);
    copy->size += size;
}

static void put_number(struct bare_copy *copy, uint64_t number, unsigned size)
{
    uint8_t bytes[8];

    for (unsigned i = 0; i < size; i++)
        bytes[i] = (uint8_t)(number >> (8 * (size - 1 - i)));
    put(copy, bytes, size);
}

static void field(struct bare_copy *copy, const void *bytes, size_t size)
{
    put_number(copy, size, 4);
    put(copy, bytes, size);
}

static void text(struct bare_copy *copy, const void *string)
{
    field(copy, string, strlen(string));
}

static void number(struct bare_copy *copy, uint64_t value)
{
    put_number(copy, 8, 4);
    put_number(copy, value, 8);
}

static void begin_rows(struct bare_copy *copy)
{
    copy->size = 0;
    put(copy, "PGCOPY\n\377\r\n\0", 11);
    put_number(copy, 0, 8);
}

static void send_rows(struct bare_copy *copy, const char *sql)
{
    PGresult *result = PQexec(copy->connection, sql);

    demand(PQresultStatus(result) == PGRES_COPY_IN, PQerrorMessage(copy->connection));
    PQclear(result);
    put_number(copy, 0xffff, 2);
    demand(PQputCopyData(copy->connection, (const char *)copy->bytes, (int)copy->size) == 1 &&
               PQputCopyEnd(copy->connection, NULL) == 1,
           "COPY");
    while ((result = PQgetResult(copy->connection)) != NULL)
        finish(copy, result);
}

static void copy_records(struct bare_copy *copy, const struct feed *feed)
{
    begin_rows(copy);
    for (size_t i = 0; i < feed->commit.append_count; i++) {
        const EdsAuditRecord *record = &feed->entries[i].record;

        put_number(copy, 8, 2);
        text(copy, record->device_id);
        number(copy, record->sequence);
        number(copy, record->timestamp_ms);
        field(copy, record->payload_hash, EDS_HASH_SIZE);
        field(copy, record->signature, EDS_SIGNATURE_SIZE);
        field(copy, record->prev_record_hash, EDS_HASH_SIZE);
        text(copy, record->object_ref);
        field(copy, feed->appends[i].record_hash, EDS_HASH_SIZE);
    }
    send_rows(copy, "COPY audit_records(device_id, sequence, timestamp_ms, payload_hash, signature,"
                    " prev_record_hash, object_ref, record_hash) FROM STDIN BINARY");
}

static void copy_objects(struct bare_copy *copy, const struct feed *feed)
{
    begin_rows(copy);
    for (size_t i = 0; i < feed->commit.append_count; i++) {
        put_number(copy, 3, 2);
        text(copy, feed->entries[i].record.object_ref);
        field(copy, feed->entries[i].record.payload_hash, EDS_HASH_SIZE);
        field(copy, feed->payload, FEED_PAYLOAD_SIZE);
    }
    send_rows(copy, "COPY raw_objects(object_ref, payload_hash, payload) FROM STDIN BINARY");
}

static void copy_operations(struct bare_copy *copy, const struct feed *feed)
{
    begin_rows(copy);
    for (size_t i = 0; i < feed->commit.operation_count; i++) {
        put_number(copy, 4, 2);
        text(copy, "Accepted");
        text(copy, feed->operations[i].device_id);
        number(copy, feed->operations[i].sequence);
        text(copy, feed->operations[i].message);
    }
    send_rows(copy, "COPY operation_logs(decision, device_id, sequence, message)"
                    " FROM STDIN BINARY");
}

/* The last record of each device, as arrays in text. */
static void move_heads(struct bare_copy *copy, const struct feed *feed)
{
    const char *values[] = {copy->ids, copy->sequences, copy->hashes};
    char *id = copy->ids, *sequence = copy->sequences, *hash = copy->hashes;
    size_t count = feed->commit.append_count;

    for (size_t i = 0; i < count; i++) {
        const EdsAuditRecord *record = &feed->entries[i].record;
        char before = id == copy->ids ? '{' : ',';

        if (i + 1 < count && strcmp((const char *)record->device_id,
                                    (const char *)feed->entries[i + 1].record.device_id) == 0)
            continue;
        id += sprintf(id, "%c%s", before, (const char *)record->device_id);
        sequence += sprintf(sequence, "%c%llu", before, (unsigned long long)record->sequence);
        hash += sprintf(hash, "%c\\\\x", before);
        for (size_t k = 0; k < EDS_HASH_SIZE; k++)
            hash += sprintf(hash, "%02x", feed->appends[i].record_hash[k]);
    }
    *id++ = *sequence++ = *hash++ = '}';
    *id = *sequence = *hash = '\0';
    finish(copy, PQexecPrepared(copy->connection, "bare_heads", 3, values, NULL, NULL, 0));
}

struct bare_copy *bare_copy_open(const char *url)
{
    struct bare_copy *copy = calloc(1, sizeof *copy);

    demand(copy != NULL, "no memory");
    copy->connection = PQconnectdb(url);
    demand(PQstatus(copy->connection) == CONNECTION_OK, PQerrorMessage(copy->connection));
    finish(copy, PQprepare(copy->connection, "bare_heads",
                           "UPDATE chain_heads AS h SET sequence = m.sequence, record_hash = m.hash"
                           " FROM unnest($1::text[], $2::bigint[], $3::bytea[])"
                           " AS m(device_id, sequence, hash) WHERE h.device_id = m.device_id",
                           0, NULL));
    return copy;
}

int bare_copy_backend(const struct bare_copy *copy)
{
    return PQbackendPID(copy->connection);
}

void bare_copy_close(struct bare_copy *copy)
{
    PQfinish(copy->connection);
    free(copy);
}

void bare_copy_commit(struct bare_copy *copy, const struct feed *feed)
{
    run(copy, "BEGIN");
    copy_records(copy, feed);
    copy_objects(copy, feed);
    copy_operations(copy, feed);
    move_heads(copy, feed);
    run(copy, "COMMIT");
}
#endif

/* ledger_postgres_read.c - columns back into fields.
 *
 * The tables are read as they are, not as they were written: somebody may have
 * been at them.  A column of another size is an error that names the row. */
#include "store/ledger_postgres.h"

#include <string.h>

#include "store/ledger_postgres_time.h"

uint64_t eds_postgres_get_u64(const uint8_t bytes[8])
{
    uint64_t number = 0;

    for (int i = 0; i < 8; i++)
        number = number << 8 | bytes[i];
    return number;
}

void eds_postgres_put_u64(uint8_t bytes[8], uint64_t number)
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(number >> (56 - 8 * i));
}

bool eds_postgres_column_bytes(void *out, size_t size, const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column) || (size_t)PQgetlength(result, row, column) != size)
        return false;
    memcpy(out, PQgetvalue(result, row, column), size);
    return true;
}

bool eds_postgres_column_u64(uint64_t *out, const PGresult *result, int row, int column)
{
    uint8_t bytes[8];

    if (!eds_postgres_column_bytes(bytes, sizeof bytes, result, row, column))
        return false;
    *out = eds_postgres_get_u64(bytes); /* the same 64 bits, past 2^63 too */
    return true;
}

/* The text of a column, or NULL if it is none or is longer than size_max with
 * its NUL.  PostgreSQL's text has no NUL inside. */
const char *eds_postgres_column_text(const PGresult *result, int row, int column, size_t size_max)
{
    const char *text = PQgetvalue(result, row, column); /* ends with NUL, in binary too */

    if (PQgetisnull(result, row, column) || (size_t)PQgetlength(result, row, column) >= size_max ||
        strlen(text) != (size_t)PQgetlength(result, row, column))
        return NULL;
    return text;
}

static bool read_text(uint8_t *out, size_t size_max, const PGresult *result, int row, int column)
{
    const char *text = eds_postgres_column_text(result, row, column, size_max);

    if (text == NULL)
        return false;
    memset(out, 0, size_max);
    memcpy(out, text, strlen(text));
    return true;
}

/* The TIMESTAMPTZ in a column and, in the next, what it cannot hold. */
bool eds_postgres_column_instant(uint64_t *out, const PGresult *result, int row, int column)
{
    uint64_t time;

    if (!eds_postgres_column_u64(&time, result, row, column))
        return false;
    if (PQgetisnull(result, row, column + 1))
        return eds_postgres_time_parse(out, time);
    return time == POSTGRES_TIME_INFINITY &&
           eds_postgres_column_u64(out, result, row, column + 1) && !eds_postgres_time_fits(*out);
}

static bool read_attestation(struct eds_attestation *out, const PGresult *result, int row,
                             int column)
{
    memset(out, 0, sizeof *out);
    if (PQgetisnull(result, row, column) && PQgetisnull(result, row, column + 1))
        return true;
    out->present = true;
    return eds_postgres_column_bytes(out->key_id, sizeof out->key_id, result, row, column) &&
           eds_postgres_column_bytes(out->signature, sizeof out->signature, result, row,
                                     column + 1);
}

int32_t eds_postgres_read_record(struct postgres_row *out, const PGresult *result, int row,
                                 const struct postgres_ledger *postgres, const char *table,
                                 struct eds_error *err)
{
    EdsAuditRecord *record = &out->entry.record;
    struct eds_stored *stored = &out->stored;
    const char *bad = NULL;
    uint64_t id = 0;

    /* In the order of EDS_POSTGRES_RECORD_COLUMNS. */
    if (!eds_postgres_column_u64(&id, result, row, 0))
        bad = "id";
    else if (!read_text(record->device_id, sizeof record->device_id, result, row, 1))
        bad = "device_id";
    else if (!eds_postgres_column_u64(&record->sequence, result, row, 2))
        bad = "sequence";
    else if (!eds_postgres_column_u64(&record->timestamp_ms, result, row, 3))
        bad = "timestamp_ms";
    else if (!eds_postgres_column_bytes(record->payload_hash, EDS_HASH_SIZE, result, row, 4))
        bad = "payload_hash";
    else if (!eds_postgres_column_bytes(record->signature, EDS_SIGNATURE_SIZE, result, row, 5))
        bad = "signature";
    else if (!eds_postgres_column_bytes(record->prev_record_hash, EDS_HASH_SIZE, result, row, 6))
        bad = "prev_record_hash";
    else if (!read_text(record->object_ref, sizeof record->object_ref, result, row, 7))
        bad = "object_ref";
    else if (!eds_postgres_column_instant(&stored->ingested_ms, result, row, 8))
        bad = "ingested_at";
    else if (!eds_postgres_column_bytes(stored->record_hash, EDS_HASH_SIZE, result, row, 10))
        bad = "record_hash";
    else if (!read_attestation(&out->entry.attestation, result, row, 11))
        bad = "attestation";
    if (bad != NULL)
        return eds_postgres_damaged(postgres, err, table, id, bad);
    stored->entry = &out->entry;
    stored->object = NULL;
    return EDS_OK;
}

/* The four columns of a head, from column on. */
int32_t eds_postgres_read_head(struct eds_head *out, const PGresult *result, int row, int column,
                               const struct postgres_ledger *postgres, const char *device_id,
                               struct eds_error *err)
{
    uint8_t attested;

    if (!eds_postgres_column_u64(&out->sequence, result, row, column) ||
        !eds_postgres_column_bytes(out->record_hash, EDS_HASH_SIZE, result, row, column + 1) ||
        !eds_postgres_column_bytes(&attested, 1, result, row, column + 2) ||
        !eds_postgres_column_u64(&out->conflict_count, result, row, column + 3))
        return eds_error_set(err, EDS_ERR_MALFORMED,
                             "damaged ledger in PostgreSQL %s: chain_heads of device %s is no head",
                             postgres->place, device_id);
    out->attested = attested != 0;
    return EDS_OK;
}

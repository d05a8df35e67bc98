/* ledger_sqlite_read.c - columns back into fields.
 *
 * The file is read as it is, not as it was written: somebody may have been at
 * it.  A column of another type or size is an error that names the row. */
#include "store/ledger_sqlite.h"

#include "store/instant.h"

/* A column's value, to be asked more than once: each question to the statement costs as
 * much as the bytes that it is about.  What SQLite leaves unprotected here is the value
 * against another thread, and a connection is one thread's (SQLITE_OPEN_NOMUTEX). */
static sqlite3_value *value_of(sqlite3_stmt *statement, int column)
{
    return sqlite3_column_value(statement, column);
}

bool eds_sqlite_column_bytes(void *out, size_t size, sqlite3_stmt *statement, int column)
{
    sqlite3_value *value = value_of(statement, column);
    const void *bytes;

    if (sqlite3_value_type(value) != SQLITE_BLOB)
        return false;
    bytes = sqlite3_value_blob(value);
    if (bytes == NULL || (size_t)sqlite3_value_bytes(value) != size)
        return false;
    memcpy(out, bytes, size);
    return true;
}

/* The text of a column and its length, or NULL if it is none, holds a NUL or is longer
 * than size_max with its NUL. */
const char *eds_sqlite_column_string(sqlite3_stmt *statement, int column, size_t size_max,
                                     size_t *size)
{
    sqlite3_value *value = value_of(statement, column);
    const char *text;

    if (sqlite3_value_type(value) != SQLITE_TEXT)
        return NULL;
    text = (const char *)sqlite3_value_text(value);
    *size = (size_t)sqlite3_value_bytes(value);
    if (text == NULL || *size >= size_max || memchr(text, '\0', *size) != NULL)
        return NULL;
    return text;
}

const char *eds_sqlite_column_text(sqlite3_stmt *statement, int column, size_t size_max)
{
    size_t size;

    return eds_sqlite_column_string(statement, column, size_max, &size);
}

/* Behind the text out is zero, and is so again with the next one: there are up to half a
 * KiB, in each of many rows, of which a text has a few bytes. */
static bool read_text(uint8_t *out, size_t size_max, sqlite3_stmt *statement, int column)
{
    size_t size, before = strnlen((const char *)out, size_max);
    const char *text = eds_sqlite_column_string(statement, column, size_max, &size);

    if (text == NULL)
        return false;
    memcpy(out, text, size);
    if (size < before)
        memset(out + size, 0, before - size);
    return true;
}

static bool read_integer(uint64_t *out, sqlite3_stmt *statement, int column)
{
    sqlite3_value *value = value_of(statement, column);

    if (sqlite3_value_type(value) != SQLITE_INTEGER)
        return false;
    *out = eds_sqlite_to_u64(sqlite3_value_int64(value));
    return true;
}

static bool read_instant(uint64_t *out, sqlite3_stmt *statement, int column)
{
    const char *text = eds_sqlite_column_text(statement, column, EDS_INSTANT_SIZE);

    return text != NULL && eds_instant_parse(out, text);
}

static bool read_attestation(struct eds_attestation *out, sqlite3_stmt *statement, int column)
{
    memset(out, 0, sizeof *out);
    if (sqlite3_column_type(statement, column) == SQLITE_NULL &&
        sqlite3_column_type(statement, column + 1) == SQLITE_NULL)
        return true;
    out->present = true;
    return eds_sqlite_column_bytes(out->key_id, sizeof out->key_id, statement, column) &&
           eds_sqlite_column_bytes(out->signature, sizeof out->signature, statement, column + 1);
}

int32_t eds_sqlite_read_record(struct sqlite_row *out, sqlite3_stmt *statement,
                               const struct sqlite_ledger *sqlite, const char *table,
                               struct eds_error *err)
{
    EdsAuditRecord *record = &out->entry.record;
    struct eds_stored *stored = &out->stored;
    const char *bad = NULL;

    /* In the order of EDS_SQLITE_RECORD_COLUMNS. */
    if (!read_text(record->device_id, sizeof record->device_id, statement, 1))
        bad = "device_id";
    else if (!read_integer(&record->sequence, statement, 2))
        bad = "sequence";
    else if (!read_integer(&record->timestamp_ms, statement, 3))
        bad = "timestamp_ms";
    else if (!eds_sqlite_column_bytes(record->payload_hash, EDS_HASH_SIZE, statement, 4))
        bad = "payload_hash";
    else if (!eds_sqlite_column_bytes(record->signature, EDS_SIGNATURE_SIZE, statement, 5))
        bad = "signature";
    else if (!eds_sqlite_column_bytes(record->prev_record_hash, EDS_HASH_SIZE, statement, 6))
        bad = "prev_record_hash";
    else if (!read_text(record->object_ref, sizeof record->object_ref, statement, 7))
        bad = "object_ref";
    else if (!read_instant(&stored->ingested_ms, statement, 8))
        bad = "ingested_at";
    else if (!eds_sqlite_column_bytes(stored->record_hash, EDS_HASH_SIZE, statement, 9))
        bad = "record_hash";
    else if (!read_attestation(&out->entry.attestation, statement, 10))
        bad = "attestation";
    if (bad != NULL)
        return eds_sqlite_damaged(sqlite, err, table, sqlite3_column_int64(statement, 0), bad);
    stored->entry = &out->entry;
    stored->object = NULL;
    return EDS_OK;
}

/* EDS_SQLITE_HEAD_COLUMNS, from column on. */
int32_t eds_sqlite_read_head(struct eds_head *out, sqlite3_stmt *statement, int column,
                             const struct sqlite_ledger *sqlite, struct eds_error *err)
{
    uint64_t attested = 0;
    const char *bad = NULL;

    if (!read_integer(&out->sequence, statement, column))
        bad = "sequence";
    else if (!eds_sqlite_column_bytes(out->record_hash, EDS_HASH_SIZE, statement, column + 1))
        bad = "record_hash";
    else if (!read_integer(&attested, statement, column + 2) || attested > 1)
        bad = "attested";
    else if (!read_integer(&out->conflict_count, statement, column + 3))
        bad = "conflict_count";
    if (bad != NULL)
        return eds_sqlite_damaged(sqlite, err, "chain_heads",
                                  sqlite3_column_int64(statement, column + 4), bad);
    out->attested = attested == 1;
    return EDS_OK;
}

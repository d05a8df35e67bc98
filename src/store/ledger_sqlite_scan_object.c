/* ledger_sqlite_scan_object.c - what a scanned record's reference stands for.
 *
 * Nearly all references are in the index by which a scan joins the two tables.
 * The newest are not yet (ledger_sqlite_object.c), and are looked up one by one. */
#include "store/ledger_sqlite.h"

#include <stdlib.h>

/* Copies a payload behind the others. */
static int32_t keep(struct sqlite_object_row *out, struct sqlite_payloads *payloads,
                    const void *bytes, size_t size, struct eds_error *err)
{
    size_t capacity = payloads->capacity > 0 ? payloads->capacity : 65536;

    while (capacity - payloads->size < size)
        capacity *= 2;
    if (capacity > payloads->capacity) {
        uint8_t *grown = realloc(payloads->bytes, capacity);

        if (grown == NULL)
            return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for the %zu bytes of a payload",
                                 size);
        payloads->bytes = grown;
        payloads->capacity = capacity;
    }
    if (size > 0)
        memcpy(payloads->bytes + payloads->size, bytes, size);
    out->is_kept = true;
    out->payload_at = payloads->size;
    out->object.payload_size = size;
    payloads->size += size;
    return EDS_OK;
}

static int32_t look_up(struct sqlite_object_row *out, struct sqlite_payloads *payloads,
                       const char *object_ref, struct sqlite_ledger *sqlite, struct eds_error *err)
{
    void *payload = NULL;
    size_t size = 0;
    int32_t rc = eds_sqlite_object(&sqlite->ledger, object_ref, out->object.payload_hash, err);

    if (rc != EDS_OK)
        return rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
    out->object.is_there = true;
    rc = eds_sqlite_payload(&sqlite->ledger, object_ref, &payload, &size, err);
    if (rc != EDS_OK)
        return rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
    rc = keep(out, payloads, payload, size, err);
    free(payload);
    return rc;
}

int32_t eds_sqlite_read_object(struct sqlite_object_row *out, struct sqlite_payloads *payloads,
                               sqlite3_stmt *statement, int column, const char *object_ref,
                               struct sqlite_ledger *sqlite, struct eds_error *err)
{
    const void *bytes;
    size_t size;

    memset(out, 0, sizeof *out);
    if (sqlite3_column_type(statement, column) == SQLITE_NULL)
        return look_up(out, payloads, object_ref, sqlite, err);
    if (!eds_sqlite_column_bytes(out->object.payload_hash, EDS_HASH_SIZE, statement, column + 1))
        return eds_sqlite_damaged(sqlite, err, "raw_objects",
                                  sqlite3_column_int64(statement, column), "payload_hash");
    out->object.is_there = true;
    if (sqlite3_column_type(statement, column + 2) == SQLITE_NULL)
        return EDS_OK;
    if (sqlite3_column_type(statement, column + 2) != SQLITE_BLOB)
        return eds_sqlite_damaged(sqlite, err, "raw_objects",
                                  sqlite3_column_int64(statement, column), "payload");
    bytes = sqlite3_column_blob(statement, column + 2); /* NULL if empty, or without memory */
    size = (size_t)sqlite3_column_bytes(statement, column + 2);
    if (bytes == NULL && size > 0)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for the %zu bytes of a payload",
                             size);
    return keep(out, payloads, bytes, size, err);
}

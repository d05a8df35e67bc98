/* ledger_sqlite_quarantine.c - records kept apart, in the SQLite file. */
#include <stdlib.h>

#include "store/ledger_sqlite_roster.h"

static int32_t copy_row(const struct sqlite_ledger *sqlite, sqlite3_stmt *statement,
                        struct eds_quarantined *out, struct eds_error *err)
{
    struct sqlite_row row = {0};
    const void *payload;
    int32_t rc = eds_sqlite_read_record(&row, statement, sqlite, "quarantined_records", err);

    if (rc != EDS_OK)
        return rc;
    payload = sqlite3_column_blob(statement, 12); /* NULL for an empty one, or without memory */
    out->payload_size = (size_t)sqlite3_column_bytes(statement, 12);
    out->payload = payload == NULL && out->payload_size > 0 ? NULL : malloc(out->payload_size + 1);
    if (out->payload == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for the %zu bytes of a payload",
                             out->payload_size);
    if (out->payload_size > 0)
        memcpy(out->payload, payload, out->payload_size);
    out->id = eds_sqlite_to_u64(sqlite3_column_int64(statement, 0));
    out->entry = row.entry;
    out->ingested_ms = row.stored.ingested_ms;
    memcpy(out->record_hash, row.stored.record_hash, EDS_HASH_SIZE);
    return EDS_OK;
}

static int32_t sqlite_next(struct eds_ledger *ledger, const char *device_id,
                           struct eds_quarantine_place *place, struct eds_quarantined *out,
                           struct eds_error *err)
{
    struct sqlite_ledger *sqlite = (struct sqlite_ledger *)ledger;
    sqlite3_stmt *statement = NULL;
    int code = SQLITE_ERROR;
    int32_t rc = eds_sqlite_ready(sqlite, err);

    if (rc == EDS_OK)
        rc = eds_sqlite_prepare(sqlite,
                                "SELECT " EDS_SQLITE_RECORD_COLUMNS ", payload"
                                " FROM quarantined_records"
                                " WHERE device_id = ?1 AND (sequence, id) > (?2, ?3)"
                                " ORDER BY sequence, id LIMIT 1",
                                &statement, err);
    if (rc != EDS_OK)
        return rc;
    if (sqlite3_bind_text(statement, 1, device_id, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_bind_int64(statement, 2, eds_sqlite_from_u64(place->sequence)) == SQLITE_OK &&
        sqlite3_bind_int64(statement, 3, eds_sqlite_from_u64(place->id)) == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        rc = copy_row(sqlite, statement, out, err);
    else if (code == SQLITE_DONE)
        rc = eds_error_set(err, EDS_ERR_NOT_FOUND, "no more records of %s are kept apart",
                           device_id);
    else
        rc = eds_sqlite_fail(sqlite, err, "read");
    sqlite3_finalize(statement);
    if (rc == EDS_OK)
        *place = (struct eds_quarantine_place){out->entry.record.sequence, out->id};
    return rc;
}

static int32_t step(const struct sqlite_ledger *sqlite, sqlite3_stmt *statement,
                    const char *device_id, int64_t number, struct eds_error *err)
{
    int32_t rc = EDS_OK;

    if (sqlite3_bind_text(statement, 1, device_id, -1, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_bind_int64(statement, 2, number) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_DONE)
        rc = eds_sqlite_fail(sqlite, err, "write to");
    sqlite3_reset(statement);
    return rc;
}

/* Inside a transaction. */
static int32_t remove_rows(struct sqlite_ledger *sqlite, const char *device_id, const uint64_t *ids,
                           size_t count, struct eds_error *err)
{
    sqlite3_stmt *take = NULL, *leave = NULL;
    int64_t taken = 0;
    int32_t rc = eds_sqlite_prepare(
        sqlite, "DELETE FROM quarantined_records WHERE device_id = ?1 AND id = ?2", &take, err);

    if (rc == EDS_OK)
        rc = eds_sqlite_prepare(sqlite,
                                "UPDATE registry SET quarantine_left = quarantine_left + ?2"
                                " WHERE role = 'device' AND id = ?1",
                                &leave, err);
    for (size_t i = 0; rc == EDS_OK && i < count; i++) {
        rc = step(sqlite, take, device_id, eds_sqlite_from_u64(ids[i]), err);
        taken += rc == EDS_OK ? sqlite3_changes(sqlite->db) : 0;
    }
    if (rc == EDS_OK)
        rc = step(sqlite, leave, device_id, taken, err);
    sqlite3_finalize(take);
    sqlite3_finalize(leave);
    return rc;
}

static int32_t sqlite_remove(struct eds_ledger *ledger, const char *device_id, const uint64_t *ids,
                             size_t count, struct eds_error *err)
{
    struct sqlite_ledger *sqlite = (struct sqlite_ledger *)ledger;
    int32_t rc = eds_sqlite_ready(sqlite, err);

    if (rc == EDS_OK)
        rc = eds_sqlite_begin(sqlite, err);
    if (rc != EDS_OK)
        return rc;
    rc = remove_rows(sqlite, device_id, ids, count, err);
    if (rc == EDS_OK)
        rc = eds_sqlite_end(sqlite, err);
    if (rc != EDS_OK)
        eds_sqlite_roll_back(sqlite);
    return rc;
}

const struct eds_quarantine_ops eds_sqlite_quarantine_ops = {
    .next = sqlite_next,
    .remove = sqlite_remove,
};

/* ledger_sqlite_bind.c - see ledger_sqlite_bind.h.
 *
 * A row that is alone in its commit is added by a statement of its own: to begin one that
 * selects from a virtual table costs more than it saves for one row (3,400 instructions). */
#include "store/ledger_sqlite_bind.h"

int eds_sqlite_bind_text(sqlite3_stmt *statement, int at, const void *text)
{
    return sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

int eds_sqlite_bind_bytes(sqlite3_stmt *statement, int at, const void *bytes, size_t size)
{
    if (size == 0) /* SQLite takes an empty blob at some address for NULL */
        return sqlite3_bind_zeroblob(statement, at, 0);
    return sqlite3_bind_blob64(statement, at, bytes, size, SQLITE_STATIC);
}

int eds_sqlite_bind_u64(sqlite3_stmt *statement, int at, uint64_t number)
{
    return sqlite3_bind_int64(statement, at, eds_sqlite_from_u64(number));
}

int eds_sqlite_bind_payload(sqlite3_stmt *statement, int at, const struct eds_append *append)
{
    if (append->payload == NULL)
        return sqlite3_bind_null(statement, at);
    return eds_sqlite_bind_bytes(statement, at, append->payload, append->payload_size);
}

int eds_sqlite_bind_record(sqlite3_stmt *statement, const struct eds_entry *entry,
                           const uint8_t *record_hash, const char *ingested_at)
{
    const EdsAuditRecord *record = &entry->record;
    const struct eds_attestation *attestation = &entry->attestation;
    int bound = eds_sqlite_bind_text(statement, 1, record->device_id);

    bound |= eds_sqlite_bind_u64(statement, 2, record->sequence);
    bound |= eds_sqlite_bind_u64(statement, 3, record->timestamp_ms);
    bound |= eds_sqlite_bind_bytes(statement, 4, record->payload_hash, EDS_HASH_SIZE);
    bound |= eds_sqlite_bind_bytes(statement, 5, record->signature, EDS_SIGNATURE_SIZE);
    bound |= eds_sqlite_bind_bytes(statement, 6, record->prev_record_hash, EDS_HASH_SIZE);
    bound |= eds_sqlite_bind_text(statement, 7, record->object_ref);
    bound |= eds_sqlite_bind_text(statement, 8, ingested_at);
    bound |= eds_sqlite_bind_bytes(statement, 9, record_hash, EDS_HASH_SIZE);
    if (!attestation->present) {
        bound |= sqlite3_bind_null(statement, 10);
        return bound | sqlite3_bind_null(statement, 11);
    }
    bound |= eds_sqlite_bind_bytes(statement, 10, attestation->key_id, EDS_KEY_ID_SIZE);
    return bound | eds_sqlite_bind_bytes(statement, 11, attestation->signature, EDS_SIGNATURE_SIZE);
}

int eds_sqlite_bind_one_record(struct sqlite_ledger *sqlite)
{
    sqlite3_stmt *statement = sqlite->statements[SQLITE_STATEMENT_ADD_RECORD];
    struct sqlite_rows *rows = &sqlite->rows;
    const struct eds_append *append = &rows->commit->appends[0];
    int bound;

    eds_instant_format(rows->ingested, eds_commit_ingested_ms(rows->commit, 0));
    bound = eds_sqlite_bind_record(statement, append->entry, append->record_hash, rows->ingested);
    bound |= sqlite3_bind_int64(statement, 12, rows->first_record_id);
    return bound | sqlite3_bind_int64(statement, 13, rows->object_ids[0]);
}

int eds_sqlite_bind_one_object(struct sqlite_ledger *sqlite)
{
    sqlite3_stmt *statement = sqlite->statements[SQLITE_STATEMENT_ADD_OBJECT];
    const struct sqlite_rows *rows = &sqlite->rows;
    const struct eds_append *append = &rows->commit->appends[rows->new_objects[0]];
    const EdsAuditRecord *record = &append->entry->record;
    int bound = sqlite3_bind_int64(statement, 1, rows->first_object_id);

    bound |= eds_sqlite_bind_text(statement, 2, record->object_ref);
    bound |= eds_sqlite_bind_bytes(statement, 3, record->payload_hash, EDS_HASH_SIZE);
    return bound | eds_sqlite_bind_payload(statement, 4, append);
}

int eds_sqlite_bind_one_operation(struct sqlite_ledger *sqlite)
{
    sqlite3_stmt *statement = sqlite->statements[SQLITE_STATEMENT_ADD_OPERATION];
    const struct eds_operation *operation = &sqlite->rows.commit->operations[0];
    int bound = eds_sqlite_bind_text(statement, 1, eds_decision_name(operation->decision));

    bound |= eds_sqlite_bind_text(statement, 2, operation->device_id);
    bound |= eds_sqlite_bind_u64(statement, 3, operation->sequence);
    bound |= eds_sqlite_bind_text(statement, 4, operation->message);
    return bound | eds_sqlite_bind_text(statement, 5, sqlite->rows.now);
}

/* ledger_sqlite_lookup.c - one row by its key.
 *
 * Every look-up resets its statement before it returns: a statement left in
 * the middle would hold a snapshot, and the log could not be emptied. */
#include "store/ledger_sqlite.h"

/* Steps a look-up to its row.  EDS_OK, EDS_ERR_NOT_FOUND, or a failure. */
static int32_t find(struct sqlite_ledger *sqlite, sqlite3_stmt *statement, struct eds_error *err)
{
    switch (sqlite3_step(statement)) {
    case SQLITE_ROW:
        return EDS_OK;
    case SQLITE_DONE:
        return EDS_ERR_NOT_FOUND;
    default:
        return eds_sqlite_fail(sqlite, err, "read");
    }
}

static int32_t bind_key(struct sqlite_ledger *sqlite, enum sqlite_statement which, const char *key,
                        sqlite3_stmt **statement, struct eds_error *err)
{
    int32_t rc = eds_sqlite_ready(sqlite, err);

    if (rc != EDS_OK)
        return rc;
    *statement = sqlite->statements[which];
    if (sqlite3_bind_text(*statement, 1, key, -1, SQLITE_STATIC) != SQLITE_OK)
        return eds_sqlite_fail(sqlite, err, "read");
    return EDS_OK;
}

int32_t eds_sqlite_head(struct eds_ledger *ledger, const char *device_id, struct eds_head *out,
                        struct eds_error *err)
{
    struct sqlite_ledger *sqlite = (struct sqlite_ledger *)ledger;
    struct eds_head head = {0};
    sqlite3_stmt *statement;
    int32_t rc = bind_key(sqlite, SQLITE_STATEMENT_HEAD, device_id, &statement, err);

    if (rc != EDS_OK)
        return rc;
    rc = find(sqlite, statement, err);
    if (rc == EDS_OK)
        rc = eds_sqlite_read_head(&head, statement, 0, sqlite, err);
    sqlite3_reset(statement);
    if (rc == EDS_ERR_NOT_FOUND)
        rc = EDS_OK; /* a device never seen has the zero head */
    if (rc == EDS_OK)
        *out = head;
    return rc;
}

int32_t eds_sqlite_record_hash(struct eds_ledger *ledger, const char *device_id, uint64_t sequence,
                               uint8_t out[EDS_HASH_SIZE], struct eds_error *err)
{
    struct sqlite_ledger *sqlite = (struct sqlite_ledger *)ledger;
    sqlite3_stmt *statement;
    int64_t row = 0;
    int32_t rc = eds_sqlite_find_place(sqlite, device_id, sequence, &row, err);

    if (rc == EDS_OK)
        rc = bind_key(sqlite, SQLITE_STATEMENT_RECORD_HASH, device_id, &statement, err);
    if (rc == EDS_OK) {
        (void)sqlite3_bind_int64(statement, 2, eds_sqlite_from_u64(sequence));
        (void)sqlite3_bind_int64(statement, 3, row);
        rc = find(sqlite, statement, err);
        if (rc == EDS_OK && !eds_sqlite_column_bytes(out, EDS_HASH_SIZE, statement, 0))
            rc = eds_sqlite_damaged(sqlite, err, "audit_records",
                                    sqlite3_column_int64(statement, 1), "record_hash");
        sqlite3_reset(statement);
    }
    if (rc == EDS_ERR_NOT_FOUND)
        return eds_error_set(err, rc, "device %s has no record %llu", device_id,
                             (unsigned long long)sequence);
    return rc;
}

int32_t eds_sqlite_counts(struct eds_ledger *ledger, struct eds_ledger_counts *out,
                          struct eds_error *err)
{
    struct sqlite_ledger *sqlite = (struct sqlite_ledger *)ledger;
    int32_t rc = eds_sqlite_ready(sqlite, err);
    sqlite3_stmt *statement;
    uint64_t numbers[8];

    if (rc != EDS_OK)
        return rc;
    statement = sqlite->statements[SQLITE_STATEMENT_COUNTS];
    rc = find(sqlite, statement, err);
    for (int i = 0; i < 8; i++)
        numbers[i] = eds_sqlite_to_u64(sqlite3_column_int64(statement, i));
    sqlite3_reset(statement);
    if (rc != EDS_OK)
        return rc;
    *out = (struct eds_ledger_counts){
        .records = numbers[0],
        .devices = numbers[1],
        .operations = numbers[2],
        .accepted = numbers[3],
        .rejected = numbers[2] - numbers[3] - numbers[6] - numbers[7],
        .quarantined = numbers[7],
        .changed = numbers[6],
        .conflicts = numbers[4],
        .objects = numbers[5],
    };
    return EDS_OK;
}

/* ledger_sqlite_scan.c - the SQLite ledger, read from end to end.
 *
 * A scan is cut into slices, each a read of its own that starts behind the last
 * row of the one before.  While a read runs, the write-ahead log cannot be
 * emptied; so a long scan in one piece would let the log grow as long as it
 * takes.  Nothing is ever deleted and records are added behind those that are
 * there, so that a scan in slices still sees every row that was there when it
 * began, and each device's records without a gap. */
#include "store/ledger_sqlite.h"

#include "store/instant.h"

#define SLICE_ROWS  1024
#define BEFORE_ALL  INT64_MIN
#define RECORD_FROM "SELECT " EDS_SQLITE_RECORD_COLUMNS " FROM "

struct scan {
    struct sqlite_ledger *sqlite;
    struct eds_error *err;
    const char *table; /* for errors */

    /* The last row visited.  Queries name them ?1 and ?2, and the most rows of
     * a slice ?3. */
    char device_id[EDS_DEVICE_ID_SIZE];
    sqlite3_int64 number; /* its sequence, its id, or that there was one */

    int32_t (*visit_row)(struct scan *, sqlite3_stmt *);
    int32_t (*visit_stored)(void *context, const struct eds_stored *);
    int32_t (*visit_head)(void *context, const char *device_id, const struct eds_head *);
    int32_t (*visit_operation)(void *context, const struct eds_operation *, uint64_t created_ms);
    void *context;
};

/* Visits one slice; *row_count is the number of its rows. */
static int32_t run_slice(struct scan *scan, sqlite3_stmt *statement, int *row_count)
{
    int32_t rc = EDS_OK;

    /* A copy, because visiting a row changes scan->device_id. */
    if (sqlite3_bind_text(statement, 1, scan->device_id, -1, SQLITE_TRANSIENT) != SQLITE_OK ||
        sqlite3_bind_int64(statement, 2, scan->number) != SQLITE_OK ||
        sqlite3_bind_int(statement, 3, SLICE_ROWS) != SQLITE_OK)
        return eds_sqlite_fail(scan->sqlite, scan->err, "read");
    for (*row_count = 0; rc == EDS_OK; (*row_count)++) {
        int code = sqlite3_step(statement);

        if (code == SQLITE_DONE)
            break;
        rc = code == SQLITE_ROW ? scan->visit_row(scan, statement)
                                : eds_sqlite_fail(scan->sqlite, scan->err, "read");
    }
    sqlite3_reset(statement);
    return rc;
}

/* The statement is this scan's own, so that a visit may start another scan. */
static int32_t run(struct scan *scan, const char *query)
{
    sqlite3_stmt *statement = NULL;
    int row_count = SLICE_ROWS;
    int32_t rc = eds_sqlite_ready(scan->sqlite, scan->err);

    if (rc != EDS_OK)
        return rc;
    if (sqlite3_prepare_v2(scan->sqlite->db, query, -1, &statement, NULL) != SQLITE_OK)
        rc = eds_sqlite_fail(scan->sqlite, scan->err, "read");
    while (rc == EDS_OK && row_count == SLICE_ROWS)
        rc = run_slice(scan, statement, &row_count);
    sqlite3_finalize(statement);
    return rc;
}

static int32_t visit_record(struct scan *scan, sqlite3_stmt *statement)
{
    struct sqlite_row row;
    int32_t rc = eds_sqlite_read_record(&row, statement, scan->sqlite, scan->table, scan->err);

    if (rc != EDS_OK)
        return rc;
    memcpy(scan->device_id, row.entry.record.device_id, sizeof scan->device_id);
    scan->number = eds_sqlite_from_u64(row.entry.record.sequence);
    return scan->visit_stored(scan->context, &row.stored);
}

static int32_t visit_conflict(struct scan *scan, sqlite3_stmt *statement)
{
    struct sqlite_row row;
    int32_t rc = eds_sqlite_read_record(&row, statement, scan->sqlite, scan->table, scan->err);

    if (rc != EDS_OK)
        return rc;
    scan->number = sqlite3_column_int64(statement, 0);
    return scan->visit_stored(scan->context, &row.stored);
}

static int32_t visit_head(struct scan *scan, sqlite3_stmt *statement)
{
    const char *device_id = eds_sqlite_column_text(statement, 0, EDS_DEVICE_ID_SIZE);
    struct eds_head head = {0};
    int32_t rc;

    if (device_id == NULL)
        return eds_sqlite_damaged(scan->sqlite, scan->err, scan->table,
                                  sqlite3_column_int64(statement, 5), "device_id");
    strcpy(scan->device_id, device_id);
    scan->number = 1;
    rc = eds_sqlite_read_head(&head, statement, 1, scan->sqlite, scan->device_id, scan->err);
    return rc != EDS_OK ? rc : scan->visit_head(scan->context, scan->device_id, &head);
}

static int32_t visit_operation(struct scan *scan, sqlite3_stmt *statement)
{
    const char *decision = eds_sqlite_column_text(statement, 1, sizeof "Accepted");
    const char *created_at = eds_sqlite_column_text(statement, 5, EDS_INSTANT_SIZE);
    struct eds_operation operation = {
        .device_id = eds_sqlite_column_text(statement, 2, SIZE_MAX),
        .sequence = eds_sqlite_to_u64(sqlite3_column_int64(statement, 3)),
        .message = eds_sqlite_column_text(statement, 4, SIZE_MAX),
    };
    uint64_t created_ms = 0;
    const char *bad = NULL;

    scan->number = sqlite3_column_int64(statement, 0);
    if (decision != NULL && strcmp(decision, "Accepted") == 0)
        operation.decision = EDS_DECISION_ACCEPTED;
    else if (decision != NULL && strcmp(decision, "Rejected") == 0)
        operation.decision = EDS_DECISION_REJECTED;
    else
        bad = "decision";
    if (operation.device_id == NULL)
        bad = "device_id";
    if (operation.message == NULL)
        bad = "message";
    if (created_at == NULL || !eds_instant_parse(&created_ms, created_at))
        bad = "created_at";
    if (bad != NULL)
        return eds_sqlite_damaged(scan->sqlite, scan->err, scan->table, scan->number, bad);
    return scan->visit_operation(scan->context, &operation, created_ms);
}

int32_t eds_sqlite_scan(struct eds_ledger *ledger, const char *device_id,
                        int32_t (*visit)(void *context, const struct eds_stored *), void *context,
                        struct eds_error *err)
{
    struct scan scan = {
        .sqlite = (struct sqlite_ledger *)ledger,
        .err = err,
        .table = "audit_records",
        .number = BEFORE_ALL,
        .visit_row = visit_record,
        .visit_stored = visit,
        .context = context,
    };

    if (device_id == NULL)
        return run(&scan, RECORD_FROM "audit_records WHERE (device_id, sequence) > (?1, ?2)"
                                      " ORDER BY device_id, sequence LIMIT ?3");
    if (strlen(device_id) >= sizeof scan.device_id)
        return EDS_OK; /* no record can have it */
    strcpy(scan.device_id, device_id);
    return run(&scan, RECORD_FROM "audit_records WHERE device_id = ?1 AND sequence > ?2"
                                  " ORDER BY sequence LIMIT ?3");
}

int32_t eds_sqlite_heads(struct eds_ledger *ledger,
                         int32_t (*visit)(void *context, const char *device_id,
                                          const struct eds_head *),
                         void *context, struct eds_error *err)
{
    struct scan scan = {
        .sqlite = (struct sqlite_ledger *)ledger,
        .err = err,
        .table = "chain_heads",
        .number = 0,
        .visit_row = visit_head,
        .visit_head = visit,
        .context = context,
    };

    return run(&scan, "SELECT device_id, sequence, record_hash, attested, conflict_count, rowid"
                      " FROM chain_heads WHERE device_id >= ?1 AND (device_id > ?1 OR ?2 = 0)"
                      " ORDER BY device_id LIMIT ?3");
}

int32_t eds_sqlite_operations(struct eds_ledger *ledger,
                              int32_t (*visit)(void *context, const struct eds_operation *,
                                               uint64_t created_ms),
                              void *context, struct eds_error *err)
{
    struct scan scan = {
        .sqlite = (struct sqlite_ledger *)ledger,
        .err = err,
        .table = "operation_logs",
        .number = BEFORE_ALL,
        .visit_row = visit_operation,
        .visit_operation = visit,
        .context = context,
    };

    return run(&scan, "SELECT id, decision, device_id, sequence, message, created_at"
                      " FROM operation_logs WHERE id > ?2 ORDER BY id LIMIT ?3");
}

int32_t eds_sqlite_conflicts(struct eds_ledger *ledger,
                             int32_t (*visit)(void *context, const struct eds_stored *),
                             void *context, struct eds_error *err)
{
    struct scan scan = {
        .sqlite = (struct sqlite_ledger *)ledger,
        .err = err,
        .table = "conflicts",
        .number = BEFORE_ALL,
        .visit_row = visit_conflict,
        .visit_stored = visit,
        .context = context,
    };

    return run(&scan, RECORD_FROM "conflicts WHERE id > ?2 ORDER BY id LIMIT ?3");
}

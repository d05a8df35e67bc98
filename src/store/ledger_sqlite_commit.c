/* ledger_sqlite_commit.c - one commit, one transaction.
 *
 * The heads are compared first: if another process was faster, that shows before
 * anything is written.  Whatever fails, the transaction is rolled back
 * and the connection is fit for the next commit, or is given up and made anew
 * by then. */
#include "base/log.h"
#include "store/ledger_sqlite_bind.h"
#include "store/instant.h"

#define READERS_WAIT_MS 100

/* What all rows of one commit share. */
struct writing {
    struct sqlite_ledger *sqlite;
    const struct eds_commit *commit;
    sqlite3_int64 operation_id; /* of the last line logged; 0 if there is none */
    struct eds_error *err;
};

/* Runs a statement whose parameters are bound; bound is OR of what binding
 * returned.  EDS_ERR_HEAD_MOVED for a key that is taken. */
static int32_t run(const struct writing *writing, enum sqlite_statement which, int bound)
{
    sqlite3_stmt *statement = writing->sqlite->statements[which];
    int code = bound == SQLITE_OK ? sqlite3_step(statement) : SQLITE_ERROR;
    int32_t rc = EDS_OK;

    if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY)
        rc = eds_error_set(writing->err, EDS_ERR_HEAD_MOVED, "%s",
                           sqlite3_errmsg(writing->sqlite->db));
    else if (code != SQLITE_DONE)
        rc = eds_sqlite_fail(writing->sqlite, writing->err, "write to");
    sqlite3_reset(statement);
    return rc;
}

static bool changed_a_row(const struct writing *writing)
{
    return sqlite3_changes(writing->sqlite->db) == 1;
}

static int32_t add_record(const struct writing *writing, enum sqlite_statement which,
                          const struct eds_entry *entry, const uint8_t *record_hash)
{
    struct sqlite_ledger *sqlite = writing->sqlite;

    return run(
        writing, which,
        eds_sqlite_bind_record(sqlite->statements[which], entry, record_hash, sqlite->rows.now));
}

static int32_t read_last_id(struct sqlite_ledger *sqlite, enum sqlite_statement last,
                            sqlite3_int64 *out, struct eds_error *err)
{
    sqlite3_stmt *statement = sqlite->statements[last];
    int32_t rc = EDS_OK;

    if (sqlite3_step(statement) == SQLITE_ROW)
        *out = sqlite3_column_int64(statement, 0); /* 0 if there is none */
    else
        rc = eds_sqlite_fail(sqlite, err, "read");
    sqlite3_reset(statement);
    return rc;
}

int32_t eds_sqlite_next_id(struct sqlite_ledger *sqlite, enum sqlite_statement last,
                           const char *table, const sqlite3_int64 *known, size_t count,
                           sqlite3_int64 *out, struct eds_error *err)
{
    sqlite3_int64 last_id = *known;
    int32_t rc = *known < 0 ? read_last_id(sqlite, last, &last_id, err) : EDS_OK;

    if (rc == EDS_OK && (last_id < 0 || (uint64_t)last_id >= (uint64_t)INT64_MAX - count))
        rc = eds_sqlite_damaged(sqlite, err, table, last_id, "id");
    *out = last_id + 1;
    return rc;
}

static int32_t add_records(const struct writing *writing)
{
    const struct eds_commit *commit = writing->commit;
    struct sqlite_ledger *sqlite = writing->sqlite;
    struct sqlite_rows *rows = &sqlite->rows;
    int32_t rc = eds_sqlite_next_id(sqlite, SQLITE_STATEMENT_LAST_RECORD, "audit_records",
                                    &sqlite->record_id, commit->append_count,
                                    &rows->first_record_id, writing->err);

    if (rc == EDS_OK)
        rc = commit->append_count == 1
                 ? run(writing, SQLITE_STATEMENT_ADD_RECORD, eds_sqlite_bind_one_record(sqlite))
                 : run(writing, SQLITE_STATEMENT_ADD_RECORDS, SQLITE_OK);
    for (size_t i = 0; rc == EDS_OK && i < commit->append_count; i++)
        rc = eds_sqlite_heads_place(sqlite, i, commit->appends[i].entry->record.sequence,
                                    rows->first_record_id + (sqlite3_int64)i, writing->err);
    return rc;
}

static int32_t add_appends(const struct writing *writing)
{
    struct sqlite_ledger *sqlite = writing->sqlite;
    int32_t rc;

    if (writing->commit->append_count == 0)
        return EDS_OK;
    rc = eds_sqlite_objects_begin(sqlite, writing->err);
    if (rc == EDS_OK)
        rc = eds_sqlite_heads_check(sqlite, writing->err);
    for (size_t i = 0; rc == EDS_OK && i < writing->commit->append_count; i++)
        rc = eds_sqlite_objects_add(sqlite, i, writing->err);
    if (rc == EDS_OK)
        rc = eds_sqlite_objects_write(sqlite, writing->err);
    if (rc == EDS_OK)
        rc = add_records(writing);
    if (rc == EDS_OK)
        rc = eds_sqlite_heads_write(sqlite, writing->err);
    return rc == EDS_OK ? eds_sqlite_objects_merge(sqlite, writing->err) : rc;
}

static int32_t add_conflict(const struct writing *writing, const struct eds_conflict *conflict)
{
    struct sqlite_ledger *sqlite = writing->sqlite;
    const char *device_id = (const char *)conflict->entry->record.device_id;
    struct eds_head head;
    int32_t rc = eds_sqlite_head(&sqlite->ledger, device_id, &head, writing->err);

    if (rc != EDS_OK)
        return rc;
    if (head.sequence == 0)
        return eds_error_set(writing->err, EDS_ERR_USAGE,
                             "a conflict on device %s, which has no record", device_id);
    if (head.conflict_count >= EDS_CONFLICTS_KEPT_MAX)
        return EDS_OK;
    rc = add_record(writing, SQLITE_STATEMENT_ADD_CONFLICT, conflict->entry, conflict->record_hash);
    if (rc != EDS_OK || !changed_a_row(writing))
        return rc;
    return run(
        writing, SQLITE_STATEMENT_COUNT_CONFLICT,
        eds_sqlite_bind_text(sqlite->statements[SQLITE_STATEMENT_COUNT_CONFLICT], 1, device_id));
}

/* The device's state and room are seen by counting the record. */
static int32_t add_quarantined(const struct writing *writing, const struct eds_append *append)
{
    struct sqlite_ledger *sqlite = writing->sqlite;
    const char *device_id = (const char *)append->entry->record.device_id;
    sqlite3_stmt *statement = sqlite->statements[SQLITE_STATEMENT_COUNT_QUARANTINED];
    int bound = eds_sqlite_bind_bytes(sqlite->statements[SQLITE_STATEMENT_ADD_QUARANTINED], 12,
                                      append->payload, append->payload_size);
    int32_t rc = bound == SQLITE_OK ? add_record(writing, SQLITE_STATEMENT_ADD_QUARANTINED,
                                                 append->entry, append->record_hash)
                                    : eds_sqlite_fail(sqlite, writing->err, "write to");

    if (rc != EDS_OK || !changed_a_row(writing))
        return rc; /* it is there already */
    bound = eds_sqlite_bind_text(statement, 1, device_id);
    bound |= sqlite3_bind_int64(statement, 2, EDS_QUARANTINED_MAX);
    rc = run(writing, SQLITE_STATEMENT_COUNT_QUARANTINED, bound);
    if (rc == EDS_OK && !changed_a_row(writing))
        return eds_error_set(writing->err, EDS_ERR_HEAD_MOVED,
                             "device %s is not quarantined, or has %u records there", device_id,
                             EDS_QUARANTINED_MAX);
    return rc;
}

static int32_t add_operations(struct writing *writing)
{
    size_t count = writing->commit->operation_count;
    int32_t rc = EDS_OK;

    if (count == 1)
        rc = run(writing, SQLITE_STATEMENT_ADD_OPERATION,
                 eds_sqlite_bind_one_operation(writing->sqlite));
    else if (count > 0)
        rc = run(writing, SQLITE_STATEMENT_ADD_OPERATIONS, SQLITE_OK);
    writing->operation_id = sqlite3_last_insert_rowid(writing->sqlite->db);
    return rc;
}

static int32_t add_all(struct writing *writing)
{
    const struct eds_commit *commit = writing->commit;
    int32_t rc = add_appends(writing);

    for (size_t i = 0; rc == EDS_OK && i < commit->conflict_count; i++)
        rc = add_conflict(writing, &commit->conflicts[i]);
    for (size_t i = 0; rc == EDS_OK && i < commit->quarantined_count; i++)
        rc = add_quarantined(writing, &commit->quarantined[i]);
    return rc == EDS_OK ? add_operations(writing) : rc;
}

/* Ends the transaction without a trace.  SQLite may have done so itself. */
void eds_sqlite_roll_back(struct sqlite_ledger *sqlite)
{
    sqlite3_stmt *statement = sqlite->statements[SQLITE_STATEMENT_ROLLBACK];

    if (sqlite3_get_autocommit(sqlite->db) != 0)
        return;
    (void)sqlite3_step(statement);
    sqlite3_reset(statement);
    if (sqlite3_get_autocommit(sqlite->db) == 0)
        eds_sqlite_disconnect(sqlite); /* closing rolls back; the next call connects again */
}

static int32_t step(struct sqlite_ledger *sqlite, enum sqlite_statement which,
                    struct eds_error *err)
{
    sqlite3_stmt *statement = sqlite->statements[which];
    int32_t rc = EDS_OK;

    if (sqlite3_step(statement) != SQLITE_DONE)
        rc = eds_sqlite_fail(sqlite, err, "write to");
    sqlite3_reset(statement);
    return rc;
}

int32_t eds_sqlite_begin(struct sqlite_ledger *sqlite, struct eds_error *err)
{
    eds_sqlite_forget(sqlite); /* heads may be moved */
    return step(sqlite, SQLITE_STATEMENT_BEGIN, err);
}

int32_t eds_sqlite_end(struct sqlite_ledger *sqlite, struct eds_error *err)
{
    return step(sqlite, SQLITE_STATEMENT_COMMIT, err);
}

/* After a COMMIT that failed: is what it wrote there all the same?  One row
 * tells for all, the last record or, without records, the last line. */
static bool is_there(const struct writing *writing)
{
    struct sqlite_ledger *sqlite = writing->sqlite;
    const struct eds_commit *commit = writing->commit;
    sqlite3_stmt *statement;
    bool found;

    if (commit->append_count > 0) {
        const struct eds_append *last = &commit->appends[commit->append_count - 1];
        const EdsAuditRecord *record = &last->entry->record;
        uint8_t hash[EDS_HASH_SIZE];

        return eds_sqlite_record_hash(&sqlite->ledger, (const char *)record->device_id,
                                      record->sequence, hash, NULL) == EDS_OK &&
               memcmp(hash, last->record_hash, EDS_HASH_SIZE) == 0;
    }
    if (commit->operation_count == 0 || eds_sqlite_ready(sqlite, NULL) != EDS_OK)
        return false; /* sent again, conflicts are kept once all the same */
    statement = sqlite->statements[SQLITE_STATEMENT_FIND_OPERATION];
    found = sqlite3_bind_int64(statement, 1, writing->operation_id) == SQLITE_OK;
    const struct eds_operation *last = &commit->operations[commit->operation_count - 1];
    found = found && eds_sqlite_bind_text(statement, 2, last->device_id) == SQLITE_OK &&
            eds_sqlite_bind_u64(statement, 3, last->sequence) == SQLITE_OK &&
            eds_sqlite_bind_text(statement, 4, last->message) == SQLITE_OK &&
            eds_sqlite_bind_text(statement, 5, writing->sqlite->rows.now) == SQLITE_OK &&
            sqlite3_step(statement) == SQLITE_ROW;
    sqlite3_reset(statement);
    return found;
}

/* Keeps the write-ahead log short.  That it could not be done does no harm to
 * what was committed, and the next commit tries again. */
static void check_point(struct sqlite_ledger *sqlite)
{
    bool waits = sqlite->wal_pages >= sqlite->wal_pages_wait;
    int mode = waits ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE;
    int code;

    if (sqlite->wal_pages < sqlite->wal_pages_soft)
        return;
    if (waits)
        (void)sqlite3_busy_timeout(sqlite->db, READERS_WAIT_MS);
    code = sqlite3_wal_checkpoint_v2(sqlite->db, NULL, mode, NULL, NULL);
    if (waits) {
        (void)sqlite3_busy_timeout(sqlite->db, EDS_SQLITE_BUSY_MS);
        sqlite->wal_pages_wait =
            code == SQLITE_OK ? sqlite->wal_pages_hard : sqlite->wal_pages + sqlite->wal_pages_soft;
    }
    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY)
        EDS_LOG(EDS_LOG_WARN, "checkpoint_failed", EDS_LOG_STRING("file", sqlite->path),
                EDS_LOG_STRING("error", sqlite3_errmsg(sqlite->db)),
                EDS_LOG_NUMBER("wal_pages", (uint64_t)sqlite->wal_pages));
}

/* Appends are committed: what the next commit need not read. */
static void keep(struct sqlite_ledger *sqlite)
{
    const struct sqlite_rows *rows = &sqlite->rows;

    eds_sqlite_objects_keep(sqlite);
    eds_sqlite_heads_keep(sqlite);
    sqlite->record_id = rows->first_record_id + (sqlite3_int64)rows->commit->append_count - 1;
}

/* Writes a commit whose rows are prepared. */
static int32_t write_commit(struct writing *writing)
{
    struct sqlite_ledger *sqlite = writing->sqlite;
    bool was_committing = false;
    int32_t rc = run(writing, SQLITE_STATEMENT_BEGIN, SQLITE_OK);

    if (rc == EDS_OK) {
        rc = add_all(writing);
        if (rc == EDS_OK) {
            was_committing = true;
            rc = run(writing, SQLITE_STATEMENT_COMMIT, SQLITE_OK);
        }
        if (rc != EDS_OK && writing->commit->append_count > 0)
            eds_sqlite_objects_undo(sqlite, was_committing);
    }
    if (rc == EDS_OK) {
        if (writing->commit->append_count > 0)
            keep(sqlite);
        check_point(sqlite);
        return EDS_OK;
    }
    eds_sqlite_roll_back(sqlite);
    return was_committing && is_there(writing) ? EDS_OK : rc;
}

int32_t eds_sqlite_commit(struct eds_ledger *ledger, const struct eds_commit *commit,
                          struct eds_error *err)
{
    struct writing writing = {
        .sqlite = (struct sqlite_ledger *)ledger,
        .commit = commit,
        .err = err,
    };
    int32_t rc;

    if (writing.sqlite->read_only)
        return eds_error_set(err, EDS_ERR_USAGE, "%s is open for reading only",
                             writing.sqlite->path);
    rc = eds_commit_plan_make(&writing.sqlite->plan, commit, err);
    if (rc == EDS_OK)
        rc = eds_sqlite_ready(writing.sqlite, err);
    if (rc == EDS_OK)
        rc = eds_sqlite_rows_begin(writing.sqlite, commit, err);
    if (rc == EDS_OK)
        rc = write_commit(&writing);
    writing.sqlite->rows.commit = NULL;
    return rc;
}

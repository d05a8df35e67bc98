/* ledger_sqlite_connect.c - a connection, with what we want of it. */
#include "store/ledger_sqlite.h"

#include <assert.h>

#define PAGE_SIZE    8192 /* of a new file; batches gain by it, single records lose nothing */
#define CACHE_KIB    16384
#define WAL_SIZE_MAX 67108864 /* bytes that the log's file keeps once it is empty again */

static const char *const statement_texts[SQLITE_STATEMENT_COUNT] = {
    [SQLITE_STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [SQLITE_STATEMENT_COMMIT] = "COMMIT",
    [SQLITE_STATEMENT_ROLLBACK] = "ROLLBACK",
    [SQLITE_STATEMENT_ADD_HEAD] =
        "INSERT INTO chain_heads(device_id, sequence, record_hash, attested, conflict_count)"
        " VALUES(?1, ?2, ?3, ?4, 0) ON CONFLICT DO NOTHING",
    [SQLITE_STATEMENT_MOVE_HEAD] =
        "UPDATE chain_heads SET sequence = ?2, record_hash = ?3, attested = attested | ?4"
        " WHERE device_id = ?1 AND sequence = ?5 AND record_hash = ?6",
    [SQLITE_STATEMENT_ADD_RECORD] =
        "INSERT INTO audit_records(device_id, sequence, timestamp_ms, payload_hash, signature,"
        " prev_record_hash, object_ref, ingested_at, record_hash, attest_key_id, attest_signature)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [SQLITE_STATEMENT_ADD_OBJECT] = "INSERT INTO raw_objects(object_ref, payload_hash, payload)"
                                    " VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING",
    [SQLITE_STATEMENT_FILL_OBJECT] =
        "UPDATE raw_objects SET payload = ?2 WHERE object_ref = ?1 AND payload IS NULL",
    [SQLITE_STATEMENT_ADD_CONFLICT] =
        "INSERT INTO conflicts(device_id, sequence, timestamp_ms, payload_hash, signature,"
        " prev_record_hash, object_ref, ingested_at, record_hash, attest_key_id, attest_signature)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING",
    [SQLITE_STATEMENT_COUNT_CONFLICT] =
        "UPDATE chain_heads SET conflict_count = conflict_count + 1 WHERE device_id = ?1",
    [SQLITE_STATEMENT_ADD_OPERATION] =
        "INSERT INTO operation_logs(decision, device_id, sequence, message, created_at)"
        " VALUES(?1, ?2, ?3, ?4, ?5)",
    [SQLITE_STATEMENT_FIND_OPERATION] =
        "SELECT 1 FROM operation_logs WHERE id = ?1 AND device_id = ?2 AND sequence = ?3"
        " AND message = ?4 AND created_at = ?5",
    [SQLITE_STATEMENT_HEAD] =
        "SELECT " EDS_SQLITE_HEAD_COLUMNS " FROM chain_heads WHERE device_id = ?1",
    [SQLITE_STATEMENT_RECORD_HASH] =
        "SELECT record_hash, id FROM audit_records WHERE device_id = ?1 AND sequence = ?2",
    [SQLITE_STATEMENT_OBJECT] = "SELECT payload_hash, rowid FROM raw_objects WHERE object_ref = ?1",
    [SQLITE_STATEMENT_PAYLOAD] = "SELECT payload FROM raw_objects WHERE object_ref = ?1",
    [SQLITE_STATEMENT_COUNTS] =
        "SELECT (SELECT count(*) FROM audit_records), (SELECT count(*) FROM chain_heads),"
        " count(*), coalesce(sum(decision = 'Accepted'), 0), (SELECT count(*) FROM conflicts),"
        " (SELECT count(*) FROM raw_objects) FROM operation_logs",
};

static int remember_wal_pages(void *context, sqlite3 *db, const char *name, int pages)
{
    struct sqlite_ledger *sqlite = context;

    (void)db;
    (void)name;
    sqlite->wal_pages = pages;
    return SQLITE_OK;
}

/* The file may come from anywhere: nothing in it may run or reach out. */
static void harden(sqlite3 *db)
{
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
}

/* Switches to the write-ahead log.  SQLite does not wait for its lock here, so
 * that two programs that make the same file at once need this loop. */
static int32_t use_wal(struct sqlite_ledger *sqlite, struct eds_error *err)
{
    char page_size[32];

    sqlite3_snprintf(sizeof page_size, page_size, "PRAGMA page_size=%d", PAGE_SIZE);
    if (sqlite3_exec(sqlite->db, page_size, NULL, NULL, NULL) != SQLITE_OK)
        return eds_sqlite_fail(sqlite, err, "configure");
    for (int waited_ms = 0;; waited_ms += 10) {
        sqlite3_stmt *statement = NULL;
        bool is_wal = false;
        int code = sqlite3_prepare_v2(sqlite->db, "PRAGMA journal_mode=WAL", -1, &statement, NULL);
        int32_t rc = EDS_OK;

        if (code == SQLITE_OK)
            code = sqlite3_step(statement);
        if (code == SQLITE_ROW)
            is_wal = strcmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;
        else
            rc = eds_sqlite_fail(sqlite, err, "switch to a write-ahead log in");
        sqlite3_finalize(statement);
        if (rc == EDS_OK && !is_wal)
            rc = eds_error_set(err, EDS_ERR_IO,
                               "the file system of %s has no shared memory or locks, which a "
                               "write-ahead log needs",
                               sqlite->path);
        if (rc != EDS_ERR_BUSY || waited_ms >= EDS_SQLITE_BUSY_MS)
            return rc;
        sqlite3_sleep(10);
    }
}

static int32_t configure(struct sqlite_ledger *sqlite, struct eds_error *err)
{
    char settings[160];
    int32_t rc = EDS_OK;

    if (!sqlite->read_only)
        rc = use_wal(sqlite, err);
    if (rc != EDS_OK)
        return rc;
    sqlite3_snprintf(sizeof settings, settings,
                     "PRAGMA synchronous=FULL;PRAGMA cache_size=-%d;PRAGMA cell_size_check=ON;"
                     "PRAGMA journal_size_limit=%d",
                     CACHE_KIB, WAL_SIZE_MAX);
    if (sqlite3_exec(sqlite->db, settings, NULL, NULL, NULL) != SQLITE_OK)
        return eds_sqlite_fail(sqlite, err, "configure");
    sqlite3_wal_hook(sqlite->db, remember_wal_pages, sqlite); /* we checkpoint ourselves */
    return EDS_OK;
}

static int32_t prepare(struct sqlite_ledger *sqlite, struct eds_error *err)
{
    for (int i = 0; i < SQLITE_STATEMENT_COUNT; i++)
        if (sqlite3_prepare_v3(sqlite->db, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &sqlite->statements[i], NULL) != SQLITE_OK)
            return eds_sqlite_fail(sqlite, err, "use the tables of");
    return EDS_OK;
}

int32_t eds_sqlite_connect(struct sqlite_ledger *sqlite, struct eds_error *err)
{
    /* The file is there: a ledger that was moved away must not come back empty. */
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                (sqlite->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
    int version;
    int32_t rc = EDS_OK;

    assert(sqlite->db == NULL);
    sqlite->wal_pages = 0;
    if (sqlite3_open_v2(sqlite->path, &sqlite->db, flags, NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(sqlite->db, EDS_SQLITE_BUSY_MS) != SQLITE_OK)
        rc = eds_sqlite_fail(sqlite, err, "open");
    else
        harden(sqlite->db);
    if (rc == EDS_OK)
        rc = eds_sqlite_identify(sqlite, &version, err);
    if (rc == EDS_OK)
        rc = configure(sqlite, err);
    if (rc == EDS_OK)
        rc = eds_sqlite_migrate(sqlite, version, err);
    if (rc == EDS_OK)
        rc = prepare(sqlite, err);
    if (rc != EDS_OK)
        eds_sqlite_disconnect(sqlite);
    return rc;
}

void eds_sqlite_disconnect(struct sqlite_ledger *sqlite)
{
    int code;

    for (int i = 0; i < SQLITE_STATEMENT_COUNT; i++) {
        sqlite3_finalize(sqlite->statements[i]);
        sqlite->statements[i] = NULL;
    }
    code = sqlite3_close(sqlite->db);
    assert(code == SQLITE_OK); /* no statement is left that could keep it open */
    (void)code;
    sqlite->db = NULL;
}

int32_t eds_sqlite_ready(struct sqlite_ledger *sqlite, struct eds_error *err)
{
    return sqlite->db != NULL ? EDS_OK : eds_sqlite_connect(sqlite, err);
}

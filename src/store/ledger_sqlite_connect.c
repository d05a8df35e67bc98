/* ledger_sqlite_connect.c - a connection, with what we want of it. */
#include "store/ledger_sqlite.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE_KIB 16384
/* One who only reads goes through the file, and seldom comes back to a page before many
 * others: a page that the system has costs less to copy, to where a core has it near by,
 * than a large cache's memory costs to fetch. */
#define READER_CACHE_KIB 512
/* Bytes that the log's file keeps once it is empty again: what it has when it is emptied as a
 * rule (ledger_sqlite.c) and half as much again. */
#define WAL_SIZE_MAX 100663296

static const char *const statement_texts[SQLITE_STATEMENT_COUNT] = {
    [SQLITE_STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [SQLITE_STATEMENT_COMMIT] = "COMMIT",
    [SQLITE_STATEMENT_ROLLBACK] = "ROLLBACK",
    [SQLITE_STATEMENT_HEAD_PLACES] =
        "SELECT " EDS_SQLITE_HEAD_COLUMNS ", places, place_rows FROM chain_heads"
        " WHERE device_id = ?1",
    [SQLITE_STATEMENT_ADD_HEAD] =
        "INSERT INTO chain_heads(device_id, sequence, record_hash, attested, conflict_count,"
        " places, place_rows) VALUES(?1, ?2, ?3, ?4, 0, ?5, ?6)",
    [SQLITE_STATEMENT_MOVE_HEAD] =
        "UPDATE chain_heads SET sequence = ?2, record_hash = ?3, attested = attested | ?4,"
        " places = ?5, place_rows = ?6 WHERE rowid = ?1",
    [SQLITE_STATEMENT_ADD_PLACES] =
        "INSERT INTO record_places(device_id, first_sequence, places) VALUES(?1, ?2, ?3)",
    [SQLITE_STATEMENT_ADD_GROUP] =
        "INSERT INTO place_groups(device_id, first_sequence, place_rows) VALUES(?1, ?2, ?3)",
    [SQLITE_STATEMENT_LAST_RECORD] = "SELECT max(id) FROM audit_records",
    [SQLITE_STATEMENT_LAST_OBJECT] = "SELECT max(id) FROM raw_objects",
    [SQLITE_STATEMENT_ADD_RECORD] =
        "INSERT INTO audit_records(device_id, sequence, timestamp_ms, payload_hash, signature,"
        " prev_record_hash, object_ref, ingested_at, record_hash, attest_key_id, attest_signature,"
        " id, object_id) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    [SQLITE_STATEMENT_ADD_RECORDS] =
        "INSERT INTO main.audit_records(id, device_id, sequence, timestamp_ms, payload_hash,"
        " signature, prev_record_hash, object_ref, ingested_at, record_hash, attest_key_id,"
        " attest_signature, object_id) SELECT * FROM temp.commit_records",
    [SQLITE_STATEMENT_ADD_OBJECT] = "INSERT INTO raw_objects(id, object_ref, payload_hash, payload)"
                                    " VALUES(?1, ?2, ?3, ?4)",
    [SQLITE_STATEMENT_ADD_OBJECTS] =
        "INSERT INTO main.raw_objects(id, object_ref, payload_hash, payload)"
        " SELECT * FROM temp.commit_objects",
    [SQLITE_STATEMENT_FILL_OBJECT] =
        "UPDATE raw_objects SET payload = ?2 WHERE id = ?1 AND payload IS NULL",
    [SQLITE_STATEMENT_ADD_CONFLICT] =
        "INSERT INTO conflicts(device_id, sequence, timestamp_ms, payload_hash, signature,"
        " prev_record_hash, object_ref, ingested_at, record_hash, attest_key_id, attest_signature)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING",
    [SQLITE_STATEMENT_COUNT_CONFLICT] =
        "UPDATE chain_heads SET conflict_count = conflict_count + 1 WHERE device_id = ?1",
    [SQLITE_STATEMENT_ADD_QUARANTINED] =
        "INSERT INTO quarantined_records(device_id, sequence, timestamp_ms, payload_hash, "
        "signature,"
        " prev_record_hash, object_ref, ingested_at, record_hash, attest_key_id, attest_signature,"
        " payload)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO NOTHING",
    [SQLITE_STATEMENT_COUNT_QUARANTINED] =
        "UPDATE registry SET quarantine_arrived = quarantine_arrived + 1 WHERE role = 'device'"
        " AND id = ?1 AND state = 'quarantined' AND quarantine_arrived - quarantine_left < ?2",
    [SQLITE_STATEMENT_ADD_OPERATION] =
        "INSERT INTO operation_logs(decision, device_id, sequence, message, created_at)"
        " VALUES(?1, ?2, ?3, ?4, ?5)",
    [SQLITE_STATEMENT_ADD_OPERATIONS] =
        "INSERT INTO main.operation_logs(decision, device_id, sequence, message, created_at)"
        " SELECT * FROM temp.commit_operations",
    [SQLITE_STATEMENT_FIND_OPERATION] =
        "SELECT 1 FROM operation_logs WHERE id = ?1 AND device_id = ?2 AND sequence = ?3"
        " AND message = ?4 AND created_at = ?5",
    [SQLITE_STATEMENT_HEAD] =
        "SELECT " EDS_SQLITE_HEAD_COLUMNS " FROM chain_heads WHERE device_id = ?1",
    [SQLITE_STATEMENT_PLACES] =
        "SELECT device_id, first_sequence, places FROM record_places WHERE id = ?1",
    [SQLITE_STATEMENT_FIND_GROUP] =
        "SELECT first_sequence, place_rows FROM place_groups"
        " WHERE device_id = ?1 AND first_sequence <= ?2 ORDER BY first_sequence DESC LIMIT 1",
    [SQLITE_STATEMENT_RECORD_HASH] = "SELECT record_hash, id FROM audit_records WHERE id = ?3"
                                     " AND device_id = ?1 AND sequence = ?2",
    [SQLITE_STATEMENT_DATA_VERSION] = "PRAGMA data_version",
    [SQLITE_STATEMENT_INDEX_END] = "SELECT indexed_id FROM object_index_end",
    [SQLITE_STATEMENT_MOVE_INDEX_END] = "UPDATE object_index_end SET indexed_id = ?1",
    [SQLITE_STATEMENT_FIND_REFS] = "SELECT first_ref, refs FROM object_refs"
                                   " WHERE first_ref <= ?1 ORDER BY first_ref DESC LIMIT 1",
    [SQLITE_STATEMENT_NEXT_REFS] = "SELECT first_ref FROM object_refs"
                                   " WHERE first_ref > ?1 ORDER BY first_ref LIMIT 1",
    [SQLITE_STATEMENT_SET_REFS] = "INSERT INTO object_refs(first_ref, refs) VALUES(?1, ?2)"
                                  " ON CONFLICT(first_ref) DO UPDATE SET refs = excluded.refs",
    [SQLITE_STATEMENT_TAIL] = "SELECT id, object_ref FROM raw_objects WHERE id > ?1 ORDER BY id",
    [SQLITE_STATEMENT_OBJECT] =
        "SELECT payload_hash FROM raw_objects WHERE id = ?1 AND object_ref = ?2",
    [SQLITE_STATEMENT_PAYLOAD] =
        "SELECT payload, id FROM raw_objects WHERE id = ?1 AND object_ref = ?2",
    [SQLITE_STATEMENT_COUNTS] =
        "SELECT (SELECT count(*) FROM audit_records), (SELECT count(*) FROM chain_heads),"
        " count(*), coalesce(sum(decision = 'Accepted'), 0), (SELECT count(*) FROM conflicts),"
        " (SELECT count(*) FROM raw_objects), coalesce(sum(decision = "
        "'Changed'), 0),"
        " coalesce(sum(decision = 'Quarantined'), 0)"
        " FROM operation_logs",
    [SQLITE_STATEMENT_ROSTER_VERSION] = "SELECT version FROM registry_version",
};

static int remember_wal_pages(void *context, sqlite3 *db, const char *name, int pages)
{
    struct sqlite_ledger *sqlite = context;

    (void)db;
    (void)name;
    sqlite->wal_pages = pages;
    return SQLITE_OK;
}

/* SQLite adds up the memory that it uses, under one lock for all threads, and nobody
 * here asks for the sum.  In a program that has begun to use SQLite already it stays
 * as it is. */
static void configure_program(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
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
                     sqlite->read_only ? READER_CACHE_KIB : CACHE_KIB, WAL_SIZE_MAX);
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

/* Opens the file under a name and asks what it is. */
static int32_t open_file(struct sqlite_ledger *sqlite, const char *name, int more_flags,
                         int *version, struct eds_error *err)
{
    /* The file is there: a ledger that was moved away must not come back empty. */
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | more_flags |
                (sqlite->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
    const char *layer = sqlite->read_only ? NULL : eds_sqlite_gather();

    if (sqlite3_open_v2(name, &sqlite->db, flags, layer) != SQLITE_OK ||
        sqlite3_busy_timeout(sqlite->db, EDS_SQLITE_BUSY_MS) != SQLITE_OK)
        return eds_sqlite_fail(sqlite, err, "open");
    harden(sqlite->db);
    if (!sqlite->read_only && sqlite3_db_readonly(sqlite->db, "main") == 1)
        return eds_error_set(err, EDS_ERR_IO, "cannot write to %s: permission denied",
                             sqlite->path);
    return eds_sqlite_identify(sqlite, version, err);
}

/* The URI by which SQLite takes a file for one that nobody changes. */
static char *immutable_uri(const char *path)
{
    static const char digits[] = "0123456789abcdef";
    static const char prefix[] = "file://", suffix[] = "?immutable=1";
    char *uri = malloc(sizeof prefix + 3 * strlen(path) + sizeof suffix), *at = uri;

    if (uri == NULL)
        return NULL;
    at = stpcpy(at, prefix);
    for (; *path != '\0'; path++) {
        if (strchr("%?#", *path) == NULL) {
            *at++ = *path;
            continue;
        }
        *at++ = '%';
        *at++ = digits[(uint8_t)*path >> 4];
        *at++ = digits[(uint8_t)*path & 15];
    }
    strcpy(at, suffix);
    return uri;
}

/* Whether opening failed for want of a place to write to: reading tells. */
static bool lacks_shared_memory(const struct sqlite_ledger *sqlite)
{
    int code = sqlite->db == NULL
                   ? SQLITE_NOMEM
                   : sqlite3_exec(sqlite->db, "PRAGMA user_version", NULL, NULL, NULL) & 0xff;

    return (code == SQLITE_CANTOPEN || code == SQLITE_READONLY) && access(sqlite->path, R_OK) == 0;
}

/* A ledger on a medium that nobody can write to: there is no place for the
 * shared memory that readers of a write-ahead log need.  Without a log, which
 * is how a closed ledger is left, none is needed. */
static int32_t open_immutable(struct sqlite_ledger *sqlite, int *version, struct eds_error *err)
{
    char *log = sqlite3_mprintf("%s-wal", sqlite->path), *uri = immutable_uri(sqlite->path);
    struct stat status;
    int32_t rc;

    eds_sqlite_disconnect(sqlite);
    if (log == NULL || uri == NULL)
        rc = eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for a path");
    else if (stat(log, &status) == 0 && status.st_size > 0)
        rc = eds_error_set(err, EDS_ERR_IO,
                           "cannot read the log %s: its directory must be writable; copy both "
                           "files to one that is",
                           log);
    else
        rc = open_file(sqlite, uri, SQLITE_OPEN_URI, version, err);
    sqlite3_free(log);
    free(uri);
    return rc;
}

int32_t eds_sqlite_connect(struct sqlite_ledger *sqlite, struct eds_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int version = 0;
    int32_t rc;

    assert(sqlite->db == NULL);
    pthread_once(&once, configure_program);
    sqlite->wal_pages = 0;
    rc = open_file(sqlite, sqlite->path, 0, &version, err);
    if (rc == EDS_ERR_IO && sqlite->read_only && lacks_shared_memory(sqlite))
        rc = open_immutable(sqlite, &version, err);
    if (rc == EDS_OK)
        rc = configure(sqlite, err);
    if (rc == EDS_OK)
        rc = eds_sqlite_migrate(sqlite, version, err);
    if (rc == EDS_OK)
        rc = eds_sqlite_rows_make(sqlite, err);
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
    sqlite->has_tail = false;  /* data_version means something within a connection only */
    assert(code == SQLITE_OK); /* no statement is left that could keep it open */
    (void)code;
    sqlite->db = NULL;
}

int32_t eds_sqlite_ready(struct sqlite_ledger *sqlite, struct eds_error *err)
{
    return sqlite->db != NULL ? EDS_OK : eds_sqlite_connect(sqlite, err);
}

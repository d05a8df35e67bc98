/* store_sqlite_connect.c - a connection to a buffer's file, with what we want
 * of it.
 *
 *   table    one row for                          found by
 *   items    each record that waits or is dead    id
 *   heads    each device                          device_id
 *
 * The file is one process's alone (locking_mode=EXCLUSIVE): two agents with one
 * chain would fork it, and without other readers the write-ahead log needs no
 * shared memory, which some file systems of small devices don't have. */
#include <stdio.h>
#include <string.h>

#include "device/store_sqlite.h"

#define APPLICATION_ID 0x45444231 /* "EDB1", in the file's header */
#define VERSION        1
#define CACHE_KIB      1024
#define WAL_PAGES      128 /* written back into the file from there on: half a mebibyte */

#define ITEM_COLUMNS "id, entry, payload, priority, reason"
#define WAITING      "SELECT " ITEM_COLUMNS " FROM items WHERE reason IS NULL AND id > ?1"
#define DEAD         "SELECT " ITEM_COLUMNS " FROM items WHERE reason IS NOT NULL AND id > ?1"
#define FIRST        " ORDER BY id LIMIT 1"

static const char *const statement_texts[BUFFER_STATEMENT_COUNT] = {
    [BUFFER_BEGIN] = "BEGIN IMMEDIATE",
    [BUFFER_COMMIT] = "COMMIT",
    [BUFFER_ROLLBACK] = "ROLLBACK",
    [BUFFER_ADD] = "INSERT INTO items(device_id, entry, payload, priority) VALUES(?1, ?2, ?3, ?4)",
    [BUFFER_MOVE_HEAD] = "INSERT INTO heads(device_id, sequence, timestamp_ms, record_hash)"
                         " VALUES(?1, ?2, ?3, ?4) ON CONFLICT(device_id) DO UPDATE SET"
                         " sequence = ?2, timestamp_ms = ?3, record_hash = ?4",
    [BUFFER_MOVE_COMMAND] = "INSERT INTO commands VALUES(?1, ?2) ON CONFLICT(device_id) DO UPDATE"
                            " SET counter = ?2",
    [BUFFER_NEXT] = WAITING FIRST,
    [BUFFER_NEXT_OF_DEVICE] = WAITING " AND device_id = ?2" FIRST,
    [BUFFER_NEXT_DEAD] = DEAD FIRST,
    [BUFFER_NEXT_DEAD_OF_DEVICE] = DEAD " AND device_id = ?2" FIRST,
    [BUFFER_REMOVE] = "DELETE FROM items WHERE id = ?1",
    [BUFFER_BURY] = "UPDATE items SET reason = ?2 WHERE id = ?1",
    [BUFFER_REVIVE] = "UPDATE items SET reason = NULL WHERE id = ?1",
    [BUFFER_ITEMS] = "SELECT id, entry, length(payload), priority, reason FROM items",
    [BUFFER_HEADS] = "SELECT device_id, sequence, timestamp_ms, record_hash, coalesce(counter, 0)"
                     " FROM heads LEFT JOIN commands USING(device_id)",
    [BUFFER_PAGES] = "PRAGMA page_count",
};

static const char tables[] = "CREATE TABLE items("
                             "id INTEGER PRIMARY KEY AUTOINCREMENT,"
                             "device_id TEXT NOT NULL,"
                             "entry BLOB NOT NULL,"
                             "payload BLOB NOT NULL,"
                             "priority INTEGER NOT NULL,"
                             "reason TEXT) STRICT;"
                             "CREATE INDEX items_waiting ON items(device_id, id)"
                             " WHERE reason IS NULL;"
                             "CREATE INDEX items_dead ON items(id) WHERE reason IS NOT NULL;"
                             "CREATE TABLE heads("
                             "device_id TEXT PRIMARY KEY,"
                             "sequence INTEGER NOT NULL,"
                             "timestamp_ms INTEGER NOT NULL,"
                             "record_hash BLOB NOT NULL) STRICT, WITHOUT ROWID;";

/* Came later, and is made in files of before: whoever does not know it loses nothing by
 * it. */
static const char later_tables[] = "CREATE TABLE IF NOT EXISTS commands("
                                   "device_id TEXT PRIMARY KEY,"
                                   "counter INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

static int32_t translate(int code)
{
    if (code == SQLITE_IOERR_NOMEM)
        return EDS_ERR_NO_MEMORY;
    switch (code & 0xff) { /* the primary code */
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
        return EDS_ERR_BUSY;
    case SQLITE_NOMEM:
        return EDS_ERR_NO_MEMORY;
    case SQLITE_TOOBIG:
        return EDS_ERR_TOO_LARGE;
    case SQLITE_NOTADB:
        return EDS_ERR_EXISTS;
    case SQLITE_CORRUPT:
        return EDS_ERR_MALFORMED;
    default:
        return EDS_ERR_IO;
    }
}

int32_t eds_buffer_sqlite_fail(const struct sqlite_buffer *sqlite, struct eds_error *err,
                               const char *doing)
{
    int code = sqlite->db != NULL ? sqlite3_extended_errcode(sqlite->db) : SQLITE_NOMEM;
    const char *text = sqlite->db != NULL ? sqlite3_errmsg(sqlite->db) : "out of memory";

    if ((code & 0xff) == SQLITE_BUSY)
        text = "another process has it open";
    return eds_error_set(err, translate(code), "cannot %s the offline buffer %s: %s (SQLite %d)",
                         doing, sqlite->path, text, code);
}

/* A number that the file says of itself. */
static int32_t ask(struct sqlite_buffer *sqlite, const char *pragma, int *out,
                   struct eds_error *err)
{
    sqlite3_stmt *statement = NULL;
    int32_t rc = EDS_OK;

    if (sqlite3_prepare_v2(sqlite->db, pragma, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        *out = sqlite3_column_int(statement, 0);
    else
        rc = eds_buffer_sqlite_fail(sqlite, err, "open");
    sqlite3_finalize(statement);
    return rc;
}

static int32_t make_later_tables(struct sqlite_buffer *sqlite, struct eds_error *err)
{
    if (sqlite3_exec(sqlite->db, later_tables, NULL, NULL, NULL) != SQLITE_OK)
        return eds_buffer_sqlite_fail(sqlite, err, "make the tables of");
    return EDS_OK;
}

/* Is this file ours?  An empty one becomes so. */
static int32_t identify(struct sqlite_buffer *sqlite, struct eds_error *err)
{
    char mark[96];
    int application = 0, version = 0, schema = 0;
    int32_t rc = ask(sqlite, "PRAGMA application_id", &application, err);

    if (rc == EDS_OK)
        rc = ask(sqlite, "PRAGMA user_version", &version, err);
    if (rc == EDS_OK)
        rc = ask(sqlite, "PRAGMA schema_version", &schema, err);
    if (rc == EDS_OK)
        rc = ask(sqlite, "PRAGMA page_size", &sqlite->page_size, err);
    if (rc != EDS_OK)
        return rc;
    if (application == APPLICATION_ID && version == VERSION)
        return make_later_tables(sqlite, err);
    if (application == APPLICATION_ID && version > VERSION)
        return eds_error_set(err, EDS_ERR_UNSUPPORTED,
                             "the offline buffer %s has version %d; this program reads up to %d",
                             sqlite->path, version, VERSION);
    if (application != 0 || schema != 0 || version != 0)
        return eds_error_set(err, EDS_ERR_EXISTS,
                             "%s is a database of another kind, not an offline buffer",
                             sqlite->path);
    snprintf(mark, sizeof mark, "PRAGMA application_id=%d;PRAGMA user_version=%d;COMMIT",
             APPLICATION_ID, VERSION);
    if (sqlite3_exec(sqlite->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(sqlite->db, tables, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(sqlite->db, later_tables, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(sqlite->db, mark, NULL, NULL, NULL) != SQLITE_OK)
        return eds_buffer_sqlite_fail(sqlite, err, "make the tables of");
    return EDS_OK;
}

static int32_t configure(struct sqlite_buffer *sqlite, struct eds_error *err)
{
    static const char mode[] = "PRAGMA locking_mode=EXCLUSIVE;PRAGMA journal_mode=WAL;";
    char settings[256];

    snprintf(settings, sizeof settings,
             "PRAGMA synchronous=FULL;PRAGMA cache_size=-%d;PRAGMA cell_size_check=ON;"
             "PRAGMA wal_autocheckpoint=%d;PRAGMA journal_size_limit=%d;PRAGMA secure_delete=OFF",
             CACHE_KIB, WAL_PAGES, WAL_PAGES * 4096);
    (void)sqlite3_db_config(sqlite->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(sqlite->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(sqlite->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    (void)sqlite3_db_config(sqlite->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    if (sqlite3_exec(sqlite->db, mode, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(sqlite->db, settings, NULL, NULL, NULL) != SQLITE_OK)
        return eds_buffer_sqlite_fail(sqlite, err, "configure");
    eds_buffer_sqlite_set_chunk(sqlite);
    return EDS_OK;
}

/* The lock is taken with the first write and then kept: take it now, so that a
 * second process learns at once that it is not alone. */
static int32_t take_lock(struct sqlite_buffer *sqlite, struct eds_error *err)
{
    if (sqlite3_exec(sqlite->db, "BEGIN IMMEDIATE;COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        return eds_buffer_sqlite_fail(sqlite, err, "lock");
    return EDS_OK;
}

int32_t eds_buffer_sqlite_connect(struct sqlite_buffer *sqlite, struct eds_error *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int32_t rc = EDS_OK;

    if (sqlite3_open_v2(sqlite->path, &sqlite->db, flags, NULL) != SQLITE_OK)
        rc = eds_buffer_sqlite_fail(sqlite, err, "open");
    if (rc == EDS_OK)
        rc = configure(sqlite, err);
    if (rc == EDS_OK)
        rc = take_lock(sqlite, err);
    if (rc == EDS_OK)
        rc = identify(sqlite, err);
    for (int i = 0; rc == EDS_OK && i < BUFFER_STATEMENT_COUNT; i++)
        if (sqlite3_prepare_v3(sqlite->db, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &sqlite->statements[i], NULL) != SQLITE_OK)
            rc = eds_buffer_sqlite_fail(sqlite, err, "use the tables of");
    if (rc != EDS_OK)
        eds_buffer_sqlite_disconnect(sqlite);
    return rc;
}

void eds_buffer_sqlite_disconnect(struct sqlite_buffer *sqlite)
{
    for (int i = 0; i < BUFFER_STATEMENT_COUNT; i++) {
        sqlite3_finalize(sqlite->statements[i]);
        sqlite->statements[i] = NULL;
    }
    (void)sqlite3_close(sqlite->db); /* no statement is left that could keep it open */
    sqlite->db = NULL;
}

int32_t eds_buffer_sqlite_ready(struct sqlite_buffer *sqlite, struct eds_error *err)
{
    return sqlite->db != NULL ? EDS_OK : eds_buffer_sqlite_connect(sqlite, err);
}

/* ledger_sqlite_backup.c - a copy of the file as it is at one moment.
 *
 * One read transaction spans all of it: so it is one state of the ledger, and a server
 * that goes on writing cannot make the copying begin anew, as it would without. */
#include <stdio.h>

#include "store/ledger_sqlite.h"

#define STEP_PAGES 1024

static int32_t fail(struct eds_error *err, sqlite3 *copy, const char *path, int code)
{
    return eds_error_set(err, (code & 0xff) == SQLITE_NOMEM ? EDS_ERR_NO_MEMORY : EDS_ERR_IO,
                         "cannot copy the ledger to %s: %s", path,
                         copy != NULL && sqlite3_errcode(copy) != SQLITE_OK ? sqlite3_errmsg(copy)
                                                                            : sqlite3_errstr(code));
}

static int page_size_of(sqlite3 *db, int *out)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, "PRAGMA page_size", -1, &statement, NULL);

    if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        *out = sqlite3_column_int(statement, 0);
        code = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    return code;
}

static int copy_pages(sqlite3 *copy, sqlite3 *db, void (*progress)(void *context, uint64_t bytes),
                      void *context)
{
    sqlite3_backup *backup;
    int page_size = 0, code = page_size_of(db, &page_size);

    if (code != SQLITE_OK)
        return code;
    backup = sqlite3_backup_init(copy, "main", db, "main");
    if (backup == NULL)
        return sqlite3_extended_errcode(copy);
    while ((code = sqlite3_backup_step(backup, STEP_PAGES)) == SQLITE_OK)
        if (progress != NULL)
            progress(context, (uint64_t)(sqlite3_backup_pagecount(backup) -
                                         sqlite3_backup_remaining(backup)) *
                                  (uint64_t)page_size);
    sqlite3_backup_finish(backup);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* The copy says of itself that it has a write-ahead log; without one it is one file,
 * and can be read where nothing can be written.  A server that opens it turns it on. */
static int leave_wal(sqlite3 *copy)
{
    return sqlite3_exec(copy, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
}

int32_t eds_sqlite_backup(struct eds_ledger *ledger, const char *path,
                          void (*progress)(void *context, uint64_t bytes), void *context,
                          struct eds_error *err)
{
    struct sqlite_ledger *sqlite = (struct sqlite_ledger *)ledger;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    sqlite3 *copy = NULL;
    int code;
    int32_t rc = eds_sqlite_ready(sqlite, err);

    if (rc != EDS_OK)
        return rc;
    /* The second statement takes the lock that the first one only announces. */
    if (sqlite3_exec(sqlite->db, "BEGIN;SELECT count(*) FROM registry_version", NULL, NULL, NULL) !=
        SQLITE_OK) {
        rc = eds_sqlite_fail(sqlite, err, "read");
        (void)sqlite3_exec(sqlite->db, "ROLLBACK", NULL, NULL, NULL);
        return rc;
    }
    code = sqlite3_open_v2(path, &copy, flags, NULL);
    if (code == SQLITE_OK) /* the caller syncs it once, and a crash leaves no copy */
        code = sqlite3_exec(copy, "PRAGMA synchronous=OFF", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = copy_pages(copy, sqlite->db, progress, context);
    if (code == SQLITE_OK)
        code = leave_wal(copy);
    if (code != SQLITE_OK)
        rc = fail(err, copy, path, code);
    (void)sqlite3_close(copy);
    (void)sqlite3_exec(sqlite->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

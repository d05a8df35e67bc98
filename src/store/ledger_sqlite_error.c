/* ledger_sqlite_error.c - what SQLite reports, as our code and a sentence. */
#include "store/ledger_sqlite.h"

#include <errno.h>
#include <stdio.h>

static const char *code_name(int code)
{
    switch (code & 0xff) { /* the primary code */
    case SQLITE_FULL:
        return "SQLITE_FULL";
    case SQLITE_IOERR:
        return "SQLITE_IOERR";
    case SQLITE_CORRUPT:
        return "SQLITE_CORRUPT";
    case SQLITE_NOTADB:
        return "SQLITE_NOTADB";
    case SQLITE_CANTOPEN:
        return "SQLITE_CANTOPEN";
    case SQLITE_READONLY:
        return "SQLITE_READONLY";
    case SQLITE_BUSY:
        return "SQLITE_BUSY";
    case SQLITE_LOCKED:
        return "SQLITE_LOCKED";
    case SQLITE_NOMEM:
        return "SQLITE_NOMEM";
    case SQLITE_TOOBIG:
        return "SQLITE_TOOBIG";
    default:
        return "SQLite code";
    }
}

static int32_t translate(int code)
{
    if (code == SQLITE_IOERR_NOMEM)
        return EDS_ERR_NO_MEMORY;
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return EDS_ERR_BUSY;
    case SQLITE_NOMEM:
        return EDS_ERR_NO_MEMORY;
    case SQLITE_TOOBIG:
        return EDS_ERR_TOO_LARGE;
    case SQLITE_NOTADB:
        return EDS_ERR_EXISTS;
    default:
        return EDS_ERR_IO;
    }
}

int32_t eds_sqlite_fail(const struct sqlite_ledger *sqlite, struct eds_error *err,
                        const char *doing)
{
    int code = SQLITE_NOMEM; /* the one reason not to have a connection at all */
    char system[96] = "";

    if (sqlite->db != NULL)
        code = sqlite3_extended_errcode(sqlite->db);
    if (sqlite->db != NULL && sqlite3_system_errno(sqlite->db) != 0 &&
        ((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN))
        snprintf(system, sizeof system, ", %s", strerror(sqlite3_system_errno(sqlite->db)));
    return eds_error_set(err, translate(code), "cannot %s %s: %s (%s %d%s)", doing, sqlite->path,
                         sqlite->db != NULL ? sqlite3_errmsg(sqlite->db) : "out of memory",
                         code_name(code), code, system);
}

int32_t eds_sqlite_damaged(const struct sqlite_ledger *sqlite, struct eds_error *err,
                           const char *table, sqlite3_int64 id, const char *column)
{
    if (sqlite3_errcode(sqlite->db) == SQLITE_NOMEM) /* SQLite could not hand the column over */
        return eds_sqlite_fail(sqlite, err, "read");
    return eds_error_set(err, EDS_ERR_MALFORMED,
                         "damaged ledger %s: row %lld of %s has no valid %s", sqlite->path,
                         (long long)id, table, column);
}

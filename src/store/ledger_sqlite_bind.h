/* ledger_sqlite_bind.h - parameters of the statements that write rows.
 *
 * Each returns what SQLite says; several may be ORed, as SQLITE_OK is 0.  Texts and bytes
 * are the caller's until the statement has run. */
#ifndef EDS_STORE_LEDGER_SQLITE_BIND_H
#define EDS_STORE_LEDGER_SQLITE_BIND_H

#include "store/ledger_sqlite.h"

int eds_sqlite_bind_text(sqlite3_stmt *statement, int at, const void *text);
int eds_sqlite_bind_bytes(sqlite3_stmt *statement, int at, const void *bytes, size_t size);
int eds_sqlite_bind_u64(sqlite3_stmt *statement, int at, uint64_t number);

/* NULL where it is kept elsewhere. */
int eds_sqlite_bind_payload(sqlite3_stmt *statement, int at, const struct eds_append *append);

/* The columns that all tables of records share, 1 to 11. */
int eds_sqlite_bind_record(sqlite3_stmt *statement, const struct eds_entry *entry,
                           const uint8_t *record_hash, const char *ingested_at);

/* The first record, new object or line of the commit that is being written, for the
 * statement that adds one. */
int eds_sqlite_bind_one_record(struct sqlite_ledger *sqlite);
int eds_sqlite_bind_one_object(struct sqlite_ledger *sqlite);
int eds_sqlite_bind_one_operation(struct sqlite_ledger *sqlite);

#endif

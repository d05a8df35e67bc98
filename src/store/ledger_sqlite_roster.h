/* ledger_sqlite_roster.h - the registry in the SQLite ledger, for its own files. */
#ifndef EDS_STORE_LEDGER_SQLITE_ROSTER_H
#define EDS_STORE_LEDGER_SQLITE_ROSTER_H

#include "store/gaps.h"
#include "store/ledger_sqlite.h"
#include "store/orders.h"
#include "store/quarantine.h"
#include "store/roster.h"

/* A statement of one use; the caller finalizes *out, which is NULL on failure. */
int32_t eds_sqlite_prepare(const struct sqlite_ledger *sqlite, const char *sql, sqlite3_stmt **out,
                           struct eds_error *err);

extern const struct eds_roster_ops eds_sqlite_roster_ops;
extern const struct eds_quarantine_ops eds_sqlite_quarantine_ops;
extern const struct eds_gap_ops eds_sqlite_gap_ops;
extern const struct eds_order_ops eds_sqlite_order_ops;

/* The slots of the table of functions. */
int32_t eds_sqlite_roster_change(struct eds_ledger *ledger, const struct eds_roster_change *changes,
                                 size_t count, uint64_t now_ms, struct eds_error *err);
int32_t eds_sqlite_roster_change_all(struct eds_ledger *ledger, struct eds_roster_source *source,
                                     uint64_t now_ms, struct eds_error *err);
int32_t eds_sqlite_roster_version(struct eds_ledger *ledger, uint64_t *out, struct eds_error *err);
int32_t eds_sqlite_roster_find(struct eds_ledger *ledger, enum eds_role role, const char *id,
                               struct eds_enrolment *out, struct eds_error *err);
int32_t eds_sqlite_roster_owner(struct eds_ledger *ledger,
                                const uint8_t public_key[EDS_PUBLIC_KEY_SIZE],
                                struct eds_key_owner *out, struct eds_error *err);
int32_t eds_sqlite_roster_find_many(struct eds_ledger *ledger, enum eds_role role,
                                    const char *const *ids, size_t count, eds_roster_visit *visit,
                                    void *context, struct eds_error *err);
int32_t eds_sqlite_roster_owners(struct eds_ledger *ledger, const uint8_t *const *public_keys,
                                 size_t count, struct eds_key_owner *out, struct eds_error *err);
int32_t eds_sqlite_roster_scan(struct eds_ledger *ledger, enum eds_role role,
                               eds_roster_visit *visit, void *context, struct eds_error *err);
int32_t eds_sqlite_roster_changed(struct eds_ledger *ledger, uint64_t since,
                                  eds_roster_visit *visit, void *context, struct eds_error *err);

#endif

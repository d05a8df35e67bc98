/* ledger_postgres_roster.h - the registry in the PostgreSQL ledger, for its own
 * files. */
#ifndef EDS_STORE_LEDGER_POSTGRES_ROSTER_H
#define EDS_STORE_LEDGER_POSTGRES_ROSTER_H

#include "store/gaps.h"
#include "store/ledger_postgres.h"
#include "store/orders.h"
#include "store/quarantine.h"
#include "store/roster.h"

extern const struct eds_roster_ops eds_postgres_roster_ops;
extern const struct eds_quarantine_ops eds_postgres_quarantine_ops;
extern const struct eds_gap_ops eds_postgres_gap_ops;
extern const struct eds_order_ops eds_postgres_order_ops;

/* A transaction of its own that ends without a trace. */
void eds_postgres_roll_back(struct postgres_ledger *postgres);

int32_t eds_postgres_roster_change(struct eds_ledger *ledger,
                                   const struct eds_roster_change *changes, size_t count,
                                   uint64_t now_ms, struct eds_error *err);
int32_t eds_postgres_roster_change_all(struct eds_ledger *ledger, struct eds_roster_source *source,
                                       uint64_t now_ms, struct eds_error *err);

#endif

/* ledger_reset.h - emptying a ledger, for demonstrations that begin anew.  No
 * server and no other command does this. */
#ifndef EDS_STORE_LEDGER_RESET_H
#define EDS_STORE_LEDGER_RESET_H

#include "store/ledger.h"

/* eds_postgres_reset removes all records, heads, gaps, forks, payloads, orders and lines
 * of the operation log from a ledger in PostgreSQL, in one transaction; the registry
 * stays.  Asserts that it is one.  EDS_OK, EDS_ERR_IO. */
int32_t eds_postgres_reset(struct eds_ledger *ledger, struct eds_error *err);

#endif

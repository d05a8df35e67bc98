/* ledger_dump.h - all that a ledger holds, as one text.
 *
 * Two ledgers that were told the same give the same dump, whatever keeps them;
 * and a commit that failed leaves the dump as it was. */
#ifndef EDS_TESTS_STORE_LEDGER_DUMP_H
#define EDS_TESTS_STORE_LEDGER_DUMP_H

#include "store/ledger.h"

/* ledger_dump reads everything there is through the ledger's own functions:
 * scans, heads, log, forks, counts, each payload, gaps, the registry.  The text is the caller's to
 * free; NULL if any of it failed (*err says what), or if two of the functions
 * contradict each other. */
char *ledger_dump(struct eds_ledger *ledger, struct eds_error *err);

#endif

/* answers.h - records that answer orders (edgesentry/command.h), told to the store of
 * orders when they are accepted. */
#ifndef EDS_INGEST_ANSWERS_H
#define EDS_INGEST_ANSWERS_H

#include "store/ledger.h"

/* eds_answers_settle looks for answers among records that are durable by now, and has
 * the orders that they answer settled.
 *
 * That comes after the commit and may fail; it is logged then.  The order is still
 * open, so the device is given it again, and answers it again. */
void eds_answers_settle(struct eds_ledger *ledger, const struct eds_append *appends, size_t count,
                        uint64_t now_ms);

#endif

/* ledger_log.h - does the operation log tell of just the records that are there?
 *
 * Log and records lie in different orders, and there is memory for neither.  So each
 * record and each line of an acceptance is a number, by a hash with a secret of this
 * run, and the numbers are summed up in some thousand heaps.  Equal sums are all that
 * is ever seen in a good ledger.  Only for heaps that differ the ledger is read again,
 * to name what is missing. */
#ifndef EDS_EVIDENCE_LEDGER_LOG_H
#define EDS_EVIDENCE_LEDGER_LOG_H

#include "evidence/ledger_check.h"

struct eds_ledger_log;

/* eds_ledger_log_create: EDS_OK, EDS_ERR_NO_MEMORY, or EDS_ERR_IO without randomness. */
int32_t eds_ledger_log_create(struct eds_ledger_log **out, struct eds_error *err);
void eds_ledger_log_destroy(struct eds_ledger_log *log); /* NULL is fine; ends the thread */

/* eds_ledger_log_add takes a record that passed. */
void eds_ledger_log_add(struct eds_ledger_log *log, const EdsAuditRecord *record);

/* eds_ledger_log_read_beside begins to read the log by a thread of its own, while records
 * are taken.  Without a thread to be had check reads it.
 *
 *   ledger  nobody else's until check or destroy have returned */
void eds_ledger_log_read_beside(struct eds_ledger_log *log, struct eds_ledger *ledger);

/* eds_ledger_log_check reads the log, after all records were taken, or waits until it is
 * read, and reports what does not agree.  What a server commits meanwhile is no fault.  EDS_OK, or
 * a store's error. */
int32_t eds_ledger_log_check(struct eds_ledger_log *log, const struct eds_ledger_check *check,
                             struct eds_ledger_summary *summary, struct eds_error *err);

#endif

/* ledger_walk.h - the check of a ledger as plain as can be: record after record on
 * one thread, each question asked when it comes up.  What the fast one is held to. */
#ifndef EDS_TESTS_EVIDENCE_LEDGER_WALK_H
#define EDS_TESTS_EVIDENCE_LEDGER_WALK_H

#include "evidence/ledger_check.h"

/* ledger_walk_run does what eds_ledger_check_run does. */
int32_t ledger_walk_run(const struct eds_ledger_check *check, struct eds_ledger_summary *summary,
                        struct eds_error *err);

#endif

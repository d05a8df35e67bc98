/* pass_ledger.h - a ledger that passes every question on to another one; a test puts
 * its own answers in the places that it bends. */
#ifndef EDS_TESTS_EVIDENCE_PASS_LEDGER_H
#define EDS_TESTS_EVIDENCE_PASS_LEDGER_H

#include "store/ledger.h"

struct pass_ledger {
    struct eds_ledger ledger; /* to be asked; first, so that an answer finds the rest */
    struct eds_ledger *good;  /* the other one; the caller's */
    struct eds_ledger_ops ops;
};

/* pass_ledger_init makes one that bends nothing yet; it must stay where it is.  What
 * changes a ledger is not passed on. */
void pass_ledger_init(struct pass_ledger *pass, struct eds_ledger *good);

#endif

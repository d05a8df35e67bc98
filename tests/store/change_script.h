/* change_script.h - every kind of change that an operator makes, one after the other,
 * under bad conditions: devices and operators added, a fleet imported, keys rotated,
 * quarantine, a gap closed, an order given and answered, revoked, retired, and records in
 * between.
 *
 * A step that fails must have left nothing, or (a COMMIT whose answer was lost) all of
 * it, and the same step taken again must work.  A ledger in memory, where nothing
 * fails, is told the same. */
#ifndef EDS_TESTS_STORE_CHANGE_SCRIPT_H
#define EDS_TESTS_STORE_CHANGE_SCRIPT_H

#include "store/ledger.h"

/* change_script_run takes all steps on an empty ledger, and returns how many of them
 * failed; what is wrong afterwards fails the test.
 *
 *   before  called before each step is taken for the first time; NULL: not
 *   after   called when it is over, so that nothing fails any more; NULL: not */
unsigned change_script_run(struct eds_ledger *ledger, void (*before)(void *context),
                           void (*after)(void *context), void *context);

/* change_script_fail runs it with the n-th of some operations failing, of those alone
 * that the steps make; true if there were as many.
 *
 *   fail_at, count  as those of support/alloc.h
 *   failed          in, out: steps that failed; one by each failure, or none where they
 *                   can do without what failed */
bool change_script_fail(struct eds_ledger *ledger, void (*fail_at)(uint64_t n),
                        uint64_t (*count)(void), uint64_t n, unsigned *failed);

#endif

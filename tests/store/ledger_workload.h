/* ledger_workload.h - a few commits, under bad conditions, and what may be left.
 *
 * The workload commits step after step and keeps account: what was acknowledged
 * must be there afterwards; what failed must be there whole or not at all.  A
 * step that fails is tried once more, as a client would. */
#ifndef EDS_TESTS_STORE_LEDGER_WORKLOAD_H
#define EDS_TESTS_STORE_LEDGER_WORKLOAD_H

#include "store/ledger_batch.h"

#define WORKLOAD_STEPS   6u
#define WORKLOAD_DEVICES 3u

struct workload {
    struct chain chains[WORKLOAD_DEVICES]; /* after the acknowledged steps */
    struct batch *batch;
    unsigned done[WORKLOAD_STEPS], done_count; /* acknowledged, in order */
    /* Failed since the last acknowledged one; each might be there. */
    unsigned open[WORKLOAD_STEPS], open_count;
    unsigned failed_count; /* answers other than EDS_OK */
};

void workload_begin(struct workload *workload);
void workload_end(struct workload *workload);

/* workload_run commits all steps that are not done yet.  ledger may change
 * between runs. */
void workload_run(struct workload *workload, struct eds_ledger *ledger);

/* workload_next gives the n to be tried after this one, for those who let the
 * n-th operation fail: each at first, then ever fewer of them.  With
 * EDS_TEST_THOROUGH in the environment, each. */
uint64_t workload_next(uint64_t n);

/* workload_check fails the test unless the ledger holds what was acknowledged,
 * and besides nothing, or one whole step that might be there.  That one counts
 * as done from then on. */
void workload_check(struct workload *workload, struct eds_ledger *ledger);

#endif

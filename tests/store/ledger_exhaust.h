/* ledger_exhaust.h - memory runs out at the n-th allocation, for every n.
 *
 * A ledger must answer EDS_ERR_NO_MEMORY, keep nothing in part, and do what it
 * is asked to at the second try. */
#ifndef EDS_TESTS_STORE_LEDGER_EXHAUST_H
#define EDS_TESTS_STORE_LEDGER_EXHAUST_H

#include "store/ledger.h"

struct exhaust {
    /* Lets the n-th allocation from now fail, once; 0: none.  And how many
     * there have been since. */
    void (*fail_at)(uint64_t n);
    uint64_t (*count)(void);
    /* Opens the ledger: an empty one for exhaust_commits. */
    int32_t (*open)(struct eds_ledger **out, void *context, struct eds_error *err);
    /* Removes what a closed ledger left. */
    void (*clean)(void *context);
    void *context;
};

/* exhaust_commits opens a ledger and commits a workload; exhaust_reads opens
 * one and reads all there is.  Each with n from 1 on (see workload_next), until
 * there are fewer allocations; the last n is returned.  A fault fails the test. */
uint64_t exhaust_commits(const struct exhaust *exhaust);
uint64_t exhaust_reads(const struct exhaust *exhaust);

#endif

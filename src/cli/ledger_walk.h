/* ledger_walk.h - verifying a whole ledger under the keys of its own registry, for
 * commands that want to know whether it is whole, and the first fault if it is not. */
#ifndef EDS_CLI_LEDGER_WALK_H
#define EDS_CLI_LEDGER_WALK_H

#include "cli/progress.h"
#include "evidence/ledger_check.h"
#include "store/roster.h"

/* What the walk found.  About 10 KiB. */
struct eds_ledger_walk {
    struct eds_ledger_summary summary;
    uint64_t fault_count, payload_fault_count; /* the latter: of payloads alone */
    char fault[EDS_ERROR_TEXT_SIZE], payload_fault[EDS_ERROR_TEXT_SIZE]; /* the first of each */

    /* What follows is the walk's own. */
    struct eds_ledger *ledger;
    struct eds_enrolment device, operator;
    struct eds_error failure;
    struct eds_progress progress;
};

/* eds_ledger_walk_run verifies all of a ledger, with the payloads that are in objects
 * (NULL: not these).  EDS_OK also where there are faults; else a store's error. */
int32_t eds_ledger_walk_run(struct eds_ledger_walk *walk, struct eds_ledger *ledger,
                            struct eds_objects *objects, struct eds_error *err);

#endif

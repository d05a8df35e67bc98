/* drill_compare.h - what a restored ledger has and lacks of the one that it was
 * restored from. */
#ifndef EDS_CLI_DRILL_COMPARE_H
#define EDS_CLI_DRILL_COMPARE_H

#include "store/ledger.h"

#define EDS_DRILL_RANGES_MAX 20u /* listed; the others are counted */

/* Records of one device, one after the other, that the copy lacks. */
struct eds_drill_range {
    char device_id[EDS_DEVICE_ID_SIZE];
    uint64_t first_sequence, last_sequence;
};

struct eds_drill_comparison {
    uint64_t same_count;        /* records that both have */
    uint64_t altered_count;     /* under one sequence, and not the same */
    uint64_t added_count;       /* that the copy alone has */
    uint64_t lost_before_count; /* that the copy lacks, from before its recovery point ... */
    uint64_t lost_after_count;  /* ... and from then on */
    uint64_t oldest_lost_ms;    /* when the first of all these came in; UINT64_MAX: none is lost */
    uint64_t newest_ms;         /* when the other ledger's last record came in */
    struct eds_drill_range ranges[EDS_DRILL_RANGES_MAX];
    size_t range_count;
    uint64_t range_left_count; /* ranges that are not listed */
};

/* eds_drill_compare walks both, the copy first for each device: so the other one may
 * be in use, and the copy follow it.  Takes memory for one device's records at a
 * time.
 *
 *   border_ms  what came in before has to be in the copy
 *
 * Errors of the ledgers, EDS_ERR_NO_MEMORY. */
int32_t eds_drill_compare(struct eds_drill_comparison *out, struct eds_ledger *copy,
                          struct eds_ledger *other, uint64_t border_ms, struct eds_error *err);

#endif

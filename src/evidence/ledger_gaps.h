/* ledger_gaps.h - the gaps in a ledger that is checked.
 *
 * Whether each has its place between the records is seen on the way over them; who
 * signed it, and the gaps of devices that have no record at all, afterwards. */
#ifndef EDS_EVIDENCE_LEDGER_GAPS_H
#define EDS_EVIDENCE_LEDGER_GAPS_H

#include "evidence/ledger_check.h"
#include "store/gaps.h"

/* A walk over one device's gaps, beside the one over its records. */
struct eds_gap_walk {
    struct eds_ledger *ledger;
    struct eds_gap_place place;
    struct eds_gap next;
    bool has_next;
};

/* eds_ledger_has_gaps says whether there is any. */
int32_t eds_ledger_has_gaps(struct eds_ledger *ledger, bool *has, struct eds_error *err);

/* eds_gap_walk_begin reads the device's first gap, or, with is_whole, takes it for
 * certain that there was none when the check began. */
int32_t eds_gap_walk_begin(struct eds_gap_walk *walk, struct eds_ledger *ledger,
                           const char *device_id, bool is_whole, struct eds_error *err);

/* eds_gap_walk_to crosses the gaps up to the record of that sequence and previous
 * hash, which comes next in the chain; so that one that was closed meanwhile is seen,
 * too, it looks for more where the record would not follow.
 *
 *   prev_hash  NULL: the chain ends; all gaps that are left
 *   misplaced  out: where a gap ends that does not begin where the chain stood then;
 *              0: there is none */
int32_t eds_gap_walk_to(struct eds_gap_walk *walk, struct eds_chain *chain, const char *device_id,
                        uint64_t sequence, const uint8_t *prev_hash, uint64_t *misplaced,
                        struct eds_error *err);

/* eds_ledger_gap_ends says whether a head is the end of a gap of its device. */
int32_t eds_ledger_gap_ends(struct eds_ledger *ledger, const char *device_id,
                            const struct eds_head *head, bool *ends, struct eds_error *err);

/* eds_ledger_gaps_check looks at all gaps: who signed them and, where a device has no
 * record, whether they follow each other from the beginning up to the head. */
int32_t eds_ledger_gaps_check(const struct eds_ledger_check *check,
                              struct eds_ledger_summary *summary, struct eds_error *err);

#endif

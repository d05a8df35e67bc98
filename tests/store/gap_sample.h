/* gap_sample.h - gaps for the tests of stores, signed by nobody. */
#ifndef EDS_TESTS_STORE_GAP_SAMPLE_H
#define EDS_TESTS_STORE_GAP_SAMPLE_H

#include "store/gaps.h"
#include "store/ledger_batch.h"

/* gap_sample makes a gap behind a chain, by operator "alice", which ends before
 * resume_sequence; its other end is made of variant. */
struct eds_gap gap_sample(const struct chain *chain, uint64_t resume_sequence, unsigned variant);

/* gap_move_on makes a chain stand behind the gap. */
void gap_move_on(struct chain *chain, const struct eds_gap *gap);

/* gap_add_operator registers "alice"; returns her revision. */
uint64_t gap_add_operator(struct eds_ledger *ledger);

/* gap_close closes one; returns the code, and *err has the words. */
int32_t gap_close(struct eds_ledger *ledger, const struct eds_gap *gap, uint64_t revision,
                  struct eds_error *err);

#endif

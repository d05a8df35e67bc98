/* no_gaps.h - the gaps of ledgers that tests make up and that have none. */
#ifndef EDS_TESTS_EVIDENCE_NO_GAPS_H
#define EDS_TESTS_EVIDENCE_NO_GAPS_H

#include "store/gaps.h"

extern const struct eds_gap_ops no_gap_ops;

#endif

/* gap_conformance.h - what every store promises of gaps that are closed
 * (store/gaps.h), tested.  As roster_conformance.h. */
#ifndef EDS_TESTS_STORE_GAP_CONFORMANCE_H
#define EDS_TESTS_STORE_GAP_CONFORMANCE_H

#include "store/ledger.h"

int gap_conformance_run(const char *name, struct eds_ledger *(*open)(void), void (*clean)(void));

#endif

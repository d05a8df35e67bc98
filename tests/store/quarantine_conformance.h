/* quarantine_conformance.h - what every store promises of records that are kept
 * apart (store/quarantine.h), tested.  As roster_conformance.h. */
#ifndef EDS_TESTS_STORE_QUARANTINE_CONFORMANCE_H
#define EDS_TESTS_STORE_QUARANTINE_CONFORMANCE_H

#include "store/ledger.h"

int quarantine_conformance_run(const char *name, struct eds_ledger *(*open)(void),
                               void (*clean)(void));

#endif

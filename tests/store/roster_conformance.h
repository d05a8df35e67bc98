/* roster_conformance.h - what every store promises of the registry
 * (store/roster.h), tested. */
#ifndef EDS_TESTS_STORE_ROSTER_CONFORMANCE_H
#define EDS_TESTS_STORE_ROSTER_CONFORMANCE_H

#include "store/ledger.h"

/* roster_conformance_run runs the suite; open gives each test an empty ledger,
 * and what it needs is cleaned up by clean.  Returns the failures. */
int roster_conformance_run(const char *name, struct eds_ledger *(*open)(void), void (*clean)(void));

/* Its part for changes and look-ups of many at once, on the same ledgers. */
int roster_conformance_many_run(const char *name);

#endif

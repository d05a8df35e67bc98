/* ledger_conformance.h - what every ledger promises (store/ledger.h), tested.
 *
 * A new store is held to its contract by a test program that calls this. */
#ifndef EDS_TESTS_STORE_LEDGER_CONFORMANCE_H
#define EDS_TESTS_STORE_LEDGER_CONFORMANCE_H

#include "store/ledger.h"

/* ledger_conformance_run runs the suite; open gives each test an empty ledger,
 * and what it needs is cleaned up by clean.  Returns the failures. */
int ledger_conformance_run(const char *name, struct eds_ledger *(*open)(void), void (*clean)(void));

#endif

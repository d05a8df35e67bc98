/* ledger_fixture.h - an empty ledger for each test of a suite that any store passes. */
#ifndef EDS_TESTS_STORE_LEDGER_FIXTURE_H
#define EDS_TESTS_STORE_LEDGER_FIXTURE_H

#include "store/ledger.h"

/* ledger_fixture_use says how a ledger is opened, and what is cleaned up behind it. */
void ledger_fixture_use(struct eds_ledger *(*open)(void), void (*clean)(void));

/* For a test's fixture of its own. */
struct eds_ledger *ledger_fixture_open(void);
void ledger_fixture_close(struct eds_ledger *ledger);

/* As the set-up and tear-down of a test whose state is the ledger. */
int ledger_fixture_set_up(void **state);
int ledger_fixture_tear_down(void **state);

#endif

/* ledger_fixture.c - see ledger_fixture.h. */
#include "store/ledger_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct eds_ledger *(*open_empty)(void);
static void (*clean_up)(void);

void ledger_fixture_use(struct eds_ledger *(*open)(void), void (*clean)(void))
{
    open_empty = open;
    clean_up = clean;
}

struct eds_ledger *ledger_fixture_open(void)
{
    struct eds_ledger *ledger = open_empty();

    assert_non_null(ledger);
    return ledger;
}

void ledger_fixture_close(struct eds_ledger *ledger)
{
    ledger->ops->close(ledger);
    clean_up();
}

int ledger_fixture_set_up(void **state)
{
    *state = ledger_fixture_open();
    return 0;
}

int ledger_fixture_tear_down(void **state)
{
    ledger_fixture_close(*state);
    return 0;
}

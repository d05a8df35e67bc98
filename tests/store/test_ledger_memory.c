/* test_ledger_memory.c - the in-memory ledger keeps every promise of a ledger. */
#include "store/ledger_conformance.h"

#include <stddef.h>

static struct eds_ledger *open_memory(void)
{
    struct eds_ledger *ledger = NULL;

    (void)eds_ledger_open(&ledger, "memory:", NULL);
    return ledger;
}

static void clean(void)
{
}

int main(void)
{
    return ledger_conformance_run("memory", open_memory, clean);
}

/* test_ledger_sqlite.c - the SQLite ledger keeps every promise of a ledger. */
#include "store/gap_conformance.h"
#include "store/order_conformance.h"
#include "store/ledger_conformance.h"

#include <stdio.h>

#include "store/ledger_sqlite.h"
#include "store/quarantine_conformance.h"
#include "store/roster_conformance.h"
#include "support/temp_dir.h"

static char directory[EDS_TEMP_DIR_SIZE];

static struct eds_ledger *open_sqlite(void)
{
    struct eds_ledger *ledger = NULL;
    struct eds_error err;
    char url[EDS_TEMP_DIR_SIZE + 32];

    temp_dir_make(directory);
    snprintf(url, sizeof url, "sqlite:%s/ledger.db", directory);
    if (eds_ledger_open(&ledger, url, &err) != EDS_OK)
        fprintf(stderr, "%s\n", err.text);
    else
        ((struct sqlite_ledger *)ledger)->tail_max = 5; /* references are indexed often */
    return ledger;
}

static void clean(void)
{
    temp_dir_remove(directory);
}

int main(void)
{
    return ledger_conformance_run("sqlite", open_sqlite, clean) +
           roster_conformance_run("sqlite's registry", open_sqlite, clean) +
           quarantine_conformance_run("kept apart", open_sqlite, clean) +
           gap_conformance_run("gaps", open_sqlite, clean) +
           order_conformance_run("commands", open_sqlite, clean);
}

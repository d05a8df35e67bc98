/* test_ledger_postgres.c - the PostgreSQL ledger keeps every promise of a ledger,
 * on a real server. */
#include "store/gap_conformance.h"
#include "store/order_conformance.h"
#include "store/ledger_conformance.h"

#include <stdio.h>

#include "store/quarantine_conformance.h"
#include "store/roster_conformance.h"
#include "support/postgres.h"

static struct postgres_server server;

static struct eds_ledger *open_postgres(void)
{
    struct eds_ledger *ledger = NULL;
    struct eds_error err;
    char url[POSTGRES_URL_SIZE];

    postgres_place(&server, server.port, url);
    if (eds_ledger_open(&ledger, url, &err) != EDS_OK)
        fprintf(stderr, "%s\n", err.text);
    return ledger;
}

static void clean(void)
{
}

int main(void)
{
    int failed;

    if (!postgres_start(&server))
        return 77;
    failed = ledger_conformance_run("postgresql", open_postgres, clean) +
             roster_conformance_run("postgresql's registry", open_postgres, clean) +
             quarantine_conformance_run("kept apart", open_postgres, clean) +
             gap_conformance_run("gaps", open_postgres, clean) +
             order_conformance_run("commands", open_postgres, clean);
    postgres_remove(&server);
    return failed;
}

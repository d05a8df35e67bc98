/* ledger_postgres_reset.c - see ledger_reset.h. */
#include "store/ledger_reset.h"

#include <assert.h>
#include <string.h>

#include "store/ledger_postgres.h"

int32_t eds_postgres_reset(struct eds_ledger *ledger, struct eds_error *err)
{
    static const char sql[] =
        "TRUNCATE audit_records, operation_logs, chain_heads, raw_objects, conflicts, chain_gaps,"
        " device_commands";
    struct postgres_ledger *postgres = (struct postgres_ledger *)ledger;
    struct postgres_params none = {.count = 0};
    PGresult *result = NULL;
    int32_t rc;

    assert(strcmp(ledger->ops->name, "postgresql") == 0);
    rc = eds_postgres_ready(postgres, err);
    if (rc == EDS_OK)
        rc = eds_postgres_once(postgres, sql, &none, &result, err);
    if (rc == EDS_OK)
        PQclear(result);
    return rc;
}

/* ledger_postgres_query.c - one prepared statement: parameters in, answer out. */
#include "store/ledger_postgres.h"

#include <assert.h>
#include <string.h>

#include "store/ledger_postgres_time.h"

static uint8_t *add(struct postgres_params *params, const void *value, size_t size)
{
    assert(params->count < POSTGRES_PARAMS_MAX);
    params->values[params->count] = value;
    params->sizes[params->count] = (int)size;
    params->formats[params->count] = 1; /* binary */
    return params->numbers[params->count++];
}

void eds_postgres_add_text(struct postgres_params *params, const char *text)
{
    add(params, text, strlen(text));
}

void eds_postgres_add_bytes(struct postgres_params *params, const void *bytes, size_t size)
{
    add(params, size > 0 ? bytes : "", size);
}

void eds_postgres_add_u64(struct postgres_params *params, uint64_t number)
{
    uint8_t *bytes = params->numbers[params->count];

    eds_postgres_put_u64(bytes, number);
    add(params, bytes, 8);
}

void eds_postgres_add_null(struct postgres_params *params)
{
    add(params, NULL, 0);
}

/* Two parameters: the TIMESTAMPTZ, and what it cannot hold. */
void eds_postgres_add_instant(struct postgres_params *params, uint64_t unix_ms)
{
    eds_postgres_add_u64(params, eds_postgres_time(unix_ms));
    if (eds_postgres_time_fits(unix_ms))
        eds_postgres_add_null(params);
    else
        eds_postgres_add_u64(params, unix_ms);
}

/* Takes an answer, or makes an error of it. */
static int32_t take(struct postgres_ledger *postgres, PGresult *result, PGresult **out,
                    struct eds_error *err)
{
    ExecStatusType status = PQresultStatus(result);
    int32_t rc;

    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        *out = result;
        return EDS_OK;
    }
    rc = eds_postgres_fail(postgres, result, err, "use");
    if (eds_postgres_lost(postgres, result))
        eds_postgres_disconnect(postgres);
    PQclear(result);
    return rc;
}

int32_t eds_postgres_execute(struct postgres_ledger *postgres, enum postgres_statement which,
                             const struct postgres_params *params, PGresult **out,
                             struct eds_error *err)
{
    return take(postgres,
                PQexecPrepared(postgres->connection, eds_postgres_statement_name(which),
                               params->count, params->values, params->sizes, params->formats, 1),
                out, err);
}

int32_t eds_postgres_once(struct postgres_ledger *postgres, const char *sql,
                          const struct postgres_params *params, PGresult **out,
                          struct eds_error *err)
{
    return take(postgres,
                PQexecParams(postgres->connection, sql, params->count, NULL, params->values,
                             params->sizes, params->formats, 1),
                out, err);
}

int32_t eds_postgres_ask(struct postgres_ledger *postgres, const char *sql,
                         const struct postgres_params *params, PGresult **out,
                         struct eds_error *err)
{
    int32_t rc = eds_postgres_ready(postgres, err);

    if (rc == EDS_OK)
        rc = eds_postgres_once(postgres, sql, params, out, err);
    if (rc == EDS_OK || postgres->connection != NULL)
        return rc;
    rc = eds_postgres_ready(postgres, err);
    return rc == EDS_OK ? eds_postgres_once(postgres, sql, params, out, err) : rc;
}

int32_t eds_postgres_query(struct postgres_ledger *postgres, enum postgres_statement which,
                           const struct postgres_params *params, PGresult **out,
                           struct eds_error *err)
{
    int32_t rc = eds_postgres_ready(postgres, err);

    if (rc == EDS_OK)
        rc = eds_postgres_execute(postgres, which, params, out, err);
    if (rc == EDS_OK || postgres->connection != NULL)
        return rc;
    rc = eds_postgres_ready(postgres, err);
    return rc == EDS_OK ? eds_postgres_execute(postgres, which, params, out, err) : rc;
}

void eds_postgres_send_ahead(struct postgres_ledger *postgres, const void *scan,
                             enum postgres_statement which, const struct postgres_params *params)
{
    if (postgres->ahead.scan != NULL || postgres->connection == NULL ||
        PQsendQueryPrepared(postgres->connection, eds_postgres_statement_name(which), params->count,
                            params->values, params->sizes, params->formats, 1) == 0)
        return;
    postgres->ahead.scan = scan;
    postgres->ahead.is_sent = true;
}

void eds_postgres_read_ahead(struct postgres_ledger *postgres)
{
    PGresult *more;

    if (!postgres->ahead.is_sent)
        return;
    postgres->ahead.is_sent = false;
    postgres->ahead.result = PQgetResult(postgres->connection);
    while ((more = PQgetResult(postgres->connection)) != NULL)
        PQclear(more);
}

PGresult *eds_postgres_take_ahead(struct postgres_ledger *postgres, const void *scan)
{
    PGresult *result;

    if (postgres->ahead.scan != scan)
        return NULL;
    eds_postgres_read_ahead(postgres);
    result = postgres->ahead.result;
    postgres->ahead.scan = NULL;
    postgres->ahead.result = NULL;
    if (PQresultStatus(result) == PGRES_TUPLES_OK)
        return result;
    PQclear(result); /* it is asked again, and fails again or not */
    return NULL;
}

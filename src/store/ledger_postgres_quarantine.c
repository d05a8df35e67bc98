/* ledger_postgres_quarantine.c - records kept apart, in PostgreSQL. */
#include <stdlib.h>
#include <string.h>

#include "store/ledger_postgres_roster.h"

static int32_t copy_row(const struct postgres_ledger *postgres, const PGresult *result,
                        struct eds_quarantined *out, struct eds_error *err)
{
    struct postgres_row row;
    int32_t rc = eds_postgres_read_record(&row, result, 0, postgres, "quarantined_records", err);

    if (rc != EDS_OK)
        return rc;
    (void)eds_postgres_column_u64(&out->id, result, 0, 0); /* read_record has seen it */
    out->payload_size = (size_t)PQgetlength(result, 0, 13);
    out->payload = malloc(out->payload_size + 1);
    if (out->payload == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for the %zu bytes of a payload",
                             out->payload_size);
    if (out->payload_size > 0)
        memcpy(out->payload, PQgetvalue(result, 0, 13), out->payload_size);
    out->entry = row.entry;
    out->ingested_ms = row.stored.ingested_ms;
    memcpy(out->record_hash, row.stored.record_hash, EDS_HASH_SIZE);
    return EDS_OK;
}

static int32_t postgres_next(struct eds_ledger *ledger, const char *device_id,
                             struct eds_quarantine_place *place, struct eds_quarantined *out,
                             struct eds_error *err)
{
    struct postgres_ledger *postgres = (struct postgres_ledger *)ledger;
    struct postgres_params params = {0};
    PGresult *result = NULL;
    int32_t rc;

    eds_postgres_add_text(&params, device_id);
    eds_postgres_add_u64(&params, place->sequence);
    eds_postgres_add_u64(&params, place->id);
    rc =
        eds_postgres_ask(postgres,
                         "SELECT " EDS_POSTGRES_RECORD_COLUMNS ", payload FROM quarantined_records"
                         " WHERE device_id = $1::text AND (sequence, id) > ($2::bigint, $3::bigint)"
                         " ORDER BY sequence, id LIMIT 1",
                         &params, &result, err);
    if (rc == EDS_OK && PQntuples(result) == 0)
        rc = eds_error_set(err, EDS_ERR_NOT_FOUND, "no more records of %s are kept apart",
                           device_id);
    if (rc == EDS_OK)
        rc = copy_row(postgres, result, out, err);
    PQclear(result);
    if (rc == EDS_OK)
        *place = (struct eds_quarantine_place){out->entry.record.sequence, out->id};
    return rc;
}

/* One statement is a transaction of its own.  If its end is not heard, the rows
 * are gone or not, and taking them out again does no harm. */
static int32_t postgres_remove(struct eds_ledger *ledger, const char *device_id,
                               const uint64_t *ids, size_t count, struct eds_error *err)
{
    struct postgres_ledger *postgres = (struct postgres_ledger *)ledger;
    struct postgres_params params = {0};
    PGresult *result = NULL;
    int32_t rc;

    eds_postgres_array_begin(&postgres->columns[0], POSTGRES_TYPE_INT8);
    for (size_t i = 0; i < count; i++)
        eds_postgres_array_add_u64(&postgres->columns[0], ids[i]);
    eds_postgres_add_text(&params, device_id);
    if (!eds_postgres_array_finish(&postgres->columns[0], &params))
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to release records");
    rc =
        eds_postgres_ask(postgres,
                         "WITH taken AS (DELETE FROM quarantined_records WHERE device_id = $1::text"
                         " AND id = ANY($2::bigint[]) RETURNING 1)"
                         " UPDATE registry SET quarantine_left = quarantine_left"
                         " + (SELECT count(*) FROM taken) WHERE role = 'device' AND id = $1::text",
                         &params, &result, err);
    PQclear(result);
    return rc;
}

const struct eds_quarantine_ops eds_postgres_quarantine_ops = {
    .next = postgres_next,
    .remove = postgres_remove,
};

/* ledger_postgres_adopt.c - the tables of edgesentry-rs become a ledger of ours.
 *
 * Its two tables keep their names, rows and indexes.  What it does not keep is
 * computed from the rows, in the migration's own transaction: each record's
 * hash, the head of each device, and what each reference stands for.  Nothing
 * is checked here: "ledger verify" says afterwards what the rows are worth. */
#include "store/ledger_postgres.h"

#include <string.h>

#include "base/log.h"

#define SLICE      "1000" /* records hashed at once */
#define SLICE_ROWS 1000

/* Both tables, column by column; PostgreSQL's own names of the types. */
static const char columns_query[] =
    "SELECT count(*) FROM (VALUES"
    " ('audit_records', 'id', 'int8'), ('audit_records', 'device_id', 'text'),"
    " ('audit_records', 'sequence', 'int8'), ('audit_records', 'timestamp_ms', 'int8'),"
    " ('audit_records', 'payload_hash', 'bytea'), ('audit_records', 'signature', 'bytea'),"
    " ('audit_records', 'prev_record_hash', 'bytea'), ('audit_records', 'object_ref', 'text'),"
    " ('audit_records', 'ingested_at', 'timestamptz'),"
    " ('operation_logs', 'id', 'int8'), ('operation_logs', 'decision', 'text'),"
    " ('operation_logs', 'device_id', 'text'), ('operation_logs', 'sequence', 'int8'),"
    " ('operation_logs', 'message', 'text'), ('operation_logs', 'created_at', 'timestamptz')"
    ") AS w(relation, name, type)"
    " JOIN pg_attribute AS a ON a.attrelid = to_regclass(w.relation) AND a.attname = w.name"
    " AND a.attnum > 0 AND NOT a.attisdropped"
    " JOIN pg_type AS t ON t.oid = a.atttypid AND t.typname = w.type";
#define COLUMN_COUNT 15

static const char alteration[] =
    "ALTER TABLE audit_records"
    " ALTER device_id TYPE TEXT COLLATE \"C\", ALTER object_ref TYPE TEXT COLLATE \"C\","
    " ALTER id SET NOT NULL, ALTER device_id SET NOT NULL, ALTER sequence SET NOT NULL,"
    " ALTER timestamp_ms SET NOT NULL, ALTER payload_hash SET NOT NULL,"
    " ALTER signature SET NOT NULL, ALTER prev_record_hash SET NOT NULL,"
    " ALTER object_ref SET NOT NULL, ALTER ingested_at SET NOT NULL,"
    " ALTER ingested_at SET DEFAULT now(), ADD record_hash BYTEA, ADD attest_key_id BYTEA,"
    " ADD attest_signature BYTEA, ADD ingested_ms BIGINT;"
    "ALTER TABLE operation_logs"
    " ALTER device_id TYPE TEXT COLLATE \"C\","
    " ALTER id SET NOT NULL, ALTER decision SET NOT NULL, ALTER device_id SET NOT NULL,"
    " ALTER sequence SET NOT NULL, ALTER message SET NOT NULL, ALTER created_at SET NOT NULL,"
    " ALTER created_at SET DEFAULT now(), ADD created_ms BIGINT;"
    /* The names that PostgreSQL gives to those of the original. */
    "CREATE UNIQUE INDEX IF NOT EXISTS audit_records_pkey ON audit_records(id);"
    "CREATE UNIQUE INDEX IF NOT EXISTS audit_records_device_id_sequence_key"
    " ON audit_records(device_id, sequence);"
    "CREATE UNIQUE INDEX IF NOT EXISTS operation_logs_pkey ON operation_logs(id);";

/* In the order of EDS_POSTGRES_RECORD_COLUMNS; what is to be found out is zero. */
static const char slice_query[] =
    "SELECT id, device_id, sequence, timestamp_ms, payload_hash, signature, prev_record_hash,"
    " object_ref, ingested_at, ingested_ms, decode(repeat('00', 32), 'hex'), NULL::bytea,"
    " NULL::bytea FROM audit_records WHERE id > $1::bigint ORDER BY id LIMIT " SLICE;

static const char hash_update[] =
    "UPDATE audit_records AS r SET record_hash = n.record_hash"
    " FROM unnest($1::bigint[], $2::bytea[]) AS n(id, record_hash) WHERE r.id = n.id";

/* The last record of a device is the one of the highest sequence; from 2^63 on
 * they look negative.  A reference stands for the first payload it was used for. */
static const char derivation[] =
    "ALTER TABLE audit_records ALTER record_hash SET NOT NULL;"
    "INSERT INTO chain_heads SELECT DISTINCT ON (device_id) device_id, sequence, record_hash,"
    " false, 0 FROM audit_records ORDER BY device_id, sequence < 0 DESC, sequence DESC;"
    "INSERT INTO raw_objects SELECT DISTINCT ON (object_ref) object_ref, payload_hash, NULL"
    " FROM audit_records ORDER BY object_ref, id";

static int32_t run(struct postgres_ledger *postgres, const char *sql, struct eds_error *err)
{
    PGresult *result = PQexec(postgres->connection, sql);
    int32_t rc = EDS_OK;

    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        rc = eds_postgres_fail(postgres, result, err, "take over the tables of edgesentry-rs in");
    PQclear(result);
    return rc;
}

int32_t eds_postgres_adopt_tables(struct postgres_ledger *postgres, struct eds_error *err)
{
    const struct postgres_params none = {0};
    PGresult *result = NULL;
    uint64_t found = 0;
    int32_t rc = eds_postgres_once(postgres, columns_query, &none, &result, err);

    if (rc == EDS_OK && !eds_postgres_column_u64(&found, result, 0, 0))
        rc = eds_postgres_fail(postgres, result, err, "read");
    PQclear(result);
    if (rc == EDS_OK && found != COLUMN_COUNT)
        rc = eds_error_set(err, EDS_ERR_EXISTS,
                           "PostgreSQL %s has tables audit_records or operation_logs that are not "
                           "those of edgesentry-rs; name another database or, with "
                           "options=-csearch_path=NAME, another schema",
                           postgres->place);
    return rc == EDS_OK ? run(postgres, alteration, err) : rc;
}

/* Hashes the records of a slice; *last_id is that of the last one. */
static int32_t hash_slice(struct postgres_ledger *postgres, const PGresult *slice,
                          uint64_t *last_id, struct eds_error *err)
{
    struct postgres_array *ids = &postgres->columns[0], *hashes = &postgres->columns[1];
    struct postgres_params params = {0};
    PGresult *result = NULL;
    int32_t rc = EDS_OK;

    eds_postgres_array_begin(ids, POSTGRES_TYPE_INT8);
    eds_postgres_array_begin(hashes, POSTGRES_TYPE_BYTEA);
    for (int row = 0; rc == EDS_OK && row < PQntuples(slice); row++) {
        struct postgres_row record;
        uint8_t hash[EDS_HASH_SIZE];

        rc = eds_postgres_read_record(&record, slice, row, postgres, "audit_records", err);
        if (rc == EDS_OK)
            rc = eds_record_digest(hash, &record.entry.record);
        if (rc == EDS_OK) {
            (void)eds_postgres_column_u64(last_id, slice, row, 0);
            eds_postgres_array_add_u64(ids, *last_id);
            eds_postgres_array_add(hashes, hash, sizeof hash);
        }
    }
    if (rc != EDS_OK)
        return rc;
    if (!eds_postgres_array_finish(ids, &params) || !eds_postgres_array_finish(hashes, &params))
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for record hashes");
    rc = eds_postgres_once(postgres, hash_update, &params, &result, err);
    PQclear(result);
    return rc;
}

int32_t eds_postgres_adopt_rows(struct postgres_ledger *postgres, struct eds_error *err)
{
    uint64_t last_id = UINT64_C(0x8000000000000000); /* the lowest BIGINT */
    uint64_t record_count = 0;
    int slice_count = SLICE_ROWS;
    int32_t rc = EDS_OK;

    while (rc == EDS_OK && slice_count == SLICE_ROWS) {
        struct postgres_params params = {0};
        PGresult *slice = NULL;

        eds_postgres_add_u64(&params, last_id);
        rc = eds_postgres_once(postgres, slice_query, &params, &slice, err);
        slice_count = PQntuples(slice);
        if (rc == EDS_OK && slice_count > 0)
            rc = hash_slice(postgres, slice, &last_id, err);
        record_count += (uint64_t)slice_count;
        PQclear(slice);
    }
    if (rc == EDS_OK)
        rc = run(postgres, derivation, err);
    if (rc == EDS_OK)
        EDS_LOG(EDS_LOG_INFO, "postgres_adopted", EDS_LOG_STRING("store", postgres->place),
                EDS_LOG_NUMBER("records", record_count));
    return rc;
}

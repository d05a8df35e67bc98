/* ledger_postgres_statements.c - the statements, prepared once a connection. */
#include "store/ledger_postgres.h"

#include <stdio.h>

/* SLICE is the most rows that a scan reads at once. */
#define SLICE  "512"
#define RECORD "SELECT " EDS_POSTGRES_RECORD_COLUMNS " FROM "

/* Large payloads are asked for one by one, so that a slice has a bounded size. */
#define WHOLE                                                                                      \
    "SELECT r.*, o.payload_hash, CASE WHEN octet_length(o.payload) <= 32768 THEN o.payload END,"   \
    " octet_length(o.payload) IS NOT NULL FROM ("
#define WITH_OBJECTS                                                                               \
    ") AS r LEFT JOIN raw_objects AS o ON o.object_ref = r.object_ref"                             \
    " ORDER BY r.device_id, r.sequence"

static const struct {
    const char *name, *text;
} statements[POSTGRES_STATEMENT_COUNT] = {
    [POSTGRES_STATEMENT_BEGIN] = {"begin", "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE"},
    [POSTGRES_STATEMENT_COMMIT] = {"commit", "COMMIT"},
    /* Heads are locked in one order everywhere, so that nodes do not wait for each
     * other crosswise. */
    [POSTGRES_STATEMENT_LOCK_HEADS] =
        {"lock_heads", "SELECT count(*) FROM (SELECT 1 FROM chain_heads"
                       " WHERE device_id = ANY($1::text[]) ORDER BY device_id FOR UPDATE) AS h"},
    /* Also these are locked in order, that of the arrays: by the connection's settings
     * PostgreSQL may look each up by the index, but not go through the table, where the rows
     * of a few devices lie in any order. */
    [POSTGRES_STATEMENT_MOVE_HEADS] =
        {"move_heads",
         "UPDATE chain_heads AS h SET sequence = m.to_sequence, record_hash = m.to_hash,"
         " attested = h.attested OR m.attested"
         " FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bytea[],"
         " $6::boolean[]) AS m(device_id, from_sequence, from_hash, to_sequence, to_hash,"
         " attested)"
         " WHERE h.device_id = m.device_id AND h.sequence = m.from_sequence"
         " AND h.record_hash = m.from_hash"},
    [POSTGRES_STATEMENT_ADD_HEADS] =
        {"add_heads",
         "INSERT INTO chain_heads(device_id, sequence, record_hash, attested, conflict_count)"
         " SELECT unnest($1::text[]), unnest($2::bigint[]), unnest($3::bytea[]),"
         " unnest($4::boolean[]), 0 ON CONFLICT DO NOTHING"},
    [POSTGRES_STATEMENT_ADD_RECORDS] =
        {"add_records",
         "INSERT INTO audit_records(device_id, sequence, timestamp_ms, payload_hash, signature,"
         " prev_record_hash, object_ref, record_hash, attest_key_id, attest_signature,"
         " ingested_at, ingested_ms)"
         " SELECT unnest($1::text[]), unnest($2::bigint[]), unnest($3::bigint[]),"
         " unnest($4::bytea[]), unnest($5::bytea[]), unnest($6::bytea[]), unnest($7::text[]),"
         " unnest($8::bytea[]), unnest($9::bytea[]), unnest($10::bytea[]),"
         " $11::timestamptz, $12::bigint"},
    [POSTGRES_STATEMENT_DATE_RECORDS] =
        {"date_records", "UPDATE audit_records AS r SET ingested_at = n.ingested_at"
                         " FROM unnest($1::text[], $2::bigint[], $3::timestamptz[])"
                         " AS n(device_id, sequence, ingested_at)"
                         " WHERE r.device_id = n.device_id AND r.sequence = n.sequence"},
    [POSTGRES_STATEMENT_ADD_NEW_OBJECTS] =
        {"add_new_objects", "INSERT INTO raw_objects(object_ref, payload_hash, payload)"
                            " SELECT unnest($1::text[]), unnest($2::bytea[]), unnest($3::bytea[])"},
    [POSTGRES_STATEMENT_ADD_OBJECTS] =
        {"add_objects", "INSERT INTO raw_objects(object_ref, payload_hash, payload)"
                        " SELECT unnest($1::text[]), unnest($2::bytea[]), unnest($3::bytea[])"
                        " ON CONFLICT DO NOTHING"},
    [POSTGRES_STATEMENT_TAKEN_OBJECTS] =
        {"taken_objects", "SELECT o.object_ref FROM raw_objects AS o,"
                          " unnest($1::text[], $2::bytea[]) AS n(object_ref, payload_hash)"
                          " WHERE o.object_ref = n.object_ref"
                          " AND o.payload_hash <> n.payload_hash LIMIT 1"},
    [POSTGRES_STATEMENT_FILL_OBJECTS] =
        {"fill_objects", "UPDATE raw_objects AS o SET payload = n.payload"
                         " FROM unnest($1::text[], $2::bytea[]) AS n(object_ref, payload)"
                         " WHERE o.object_ref = n.object_ref AND o.payload IS NULL"
                         " AND n.payload IS NOT NULL"},
    [POSTGRES_STATEMENT_ADD_CONFLICT] =
        {"add_conflict",
         "WITH head AS (SELECT conflict_count FROM chain_heads WHERE device_id = $1::text),"
         " added AS (INSERT INTO conflicts(device_id, sequence, timestamp_ms, payload_hash,"
         " signature, prev_record_hash, object_ref, record_hash, attest_key_id,"
         " attest_signature, ingested_at, ingested_ms)"
         " SELECT $1::text, $2::bigint, $3::bigint, $4::bytea, $5::bytea, $6::bytea, $7::text,"
         " $8::bytea, $9::bytea, $10::bytea, $11::timestamptz, $12::bigint"
         " FROM head WHERE conflict_count < $13::bigint ON CONFLICT DO NOTHING RETURNING 1),"
         " counted AS (UPDATE chain_heads SET conflict_count = conflict_count + 1"
         " WHERE device_id = $1::text AND EXISTS (SELECT 1 FROM added))"
         " SELECT conflict_count FROM head"},
    /* Device's state and room are seen by counting the record; true: kept, or it was
     * there already. */
    [POSTGRES_STATEMENT_ADD_QUARANTINED] =
        {"add_quarantined",
         "WITH added AS (INSERT INTO quarantined_records(device_id, sequence, timestamp_ms,"
         " payload_hash, signature, prev_record_hash, object_ref, record_hash, attest_key_id,"
         " attest_signature, ingested_at, ingested_ms, payload)"
         " VALUES($1::text, $2::bigint, $3::bigint, $4::bytea, $5::bytea, $6::bytea, $7::text,"
         " $8::bytea, $9::bytea, $10::bytea, $11::timestamptz, $12::bigint, $13::bytea)"
         " ON CONFLICT DO NOTHING RETURNING 1),"
         " counted AS (UPDATE registry SET quarantine_arrived = quarantine_arrived + 1"
         " WHERE role = 'device' AND id = $1::text AND state = 'quarantined'"
         " AND quarantine_arrived - quarantine_left < $14::bigint"
         " AND EXISTS (SELECT 1 FROM added) RETURNING 1)"
         " SELECT (SELECT count(*) FROM added) = (SELECT count(*) FROM counted)"},
    [POSTGRES_STATEMENT_ADD_OPERATIONS] =
        {"add_operations",
         "INSERT INTO operation_logs(decision, device_id, sequence, message, created_at,"
         " created_ms)"
         " SELECT unnest($1::text[]), unnest($2::text[]), unnest($3::bigint[]), "
         "unnest($4::text[]), $5::timestamptz,"
         " $6::bigint"},
    [POSTGRES_STATEMENT_SIGN_COMMIT] =
        {"sign_commit",
         "INSERT INTO ledger_writers AS w(writer_id, commit_number) VALUES($1::bytea, $2::bigint)"
         " ON CONFLICT (writer_id) DO UPDATE SET commit_number = excluded.commit_number,"
         " written_at = now()"},
    [POSTGRES_STATEMENT_END_BACKEND] =
        {"end_backend", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE pid = $1::bigint AND backend_start = $2::timestamptz"
                        " AND pid <> pg_backend_pid()"},
    [POSTGRES_STATEMENT_LAST_COMMIT] =
        {"last_commit",
         "INSERT INTO ledger_writers AS w(writer_id, commit_number) VALUES($1::bytea, 0)"
         " ON CONFLICT (writer_id) DO UPDATE SET written_at = now() RETURNING w.commit_number"},
    [POSTGRES_STATEMENT_FORGET_WRITER] = {"forget_writer",
                                          "DELETE FROM ledger_writers WHERE writer_id = $1::bytea"},
    [POSTGRES_STATEMENT_FORGET_OLD_WRITERS] =
        {"forget_old_writers",
         "DELETE FROM ledger_writers WHERE written_at < now() - interval '30 days'"},
    [POSTGRES_STATEMENT_HEAD] =
        {"head", "SELECT sequence, record_hash, attested, conflict_count FROM chain_heads"
                 " WHERE device_id = $1::text"},
    [POSTGRES_STATEMENT_RECORD_HASH] = {"record_hash",
                                        "SELECT record_hash, id FROM audit_records"
                                        " WHERE device_id = $1::text AND sequence = $2::bigint"},
    [POSTGRES_STATEMENT_OBJECT] =
        {"object", "SELECT payload_hash FROM raw_objects WHERE object_ref = $1::text"},
    [POSTGRES_STATEMENT_PAYLOAD] = {"payload",
                                    "SELECT payload FROM raw_objects WHERE object_ref = $1::text"},
    [POSTGRES_STATEMENT_COUNTS] =
        {"counts",
         "SELECT (SELECT count(*) FROM audit_records), (SELECT count(*) FROM chain_heads),"
         " count(*), count(*) FILTER (WHERE decision = 'Accepted'),"
         " (SELECT count(*) FROM conflicts), (SELECT count(*) FROM raw_objects),"
         " count(*) FILTER (WHERE decision = 'Changed'),"
         " count(*) FILTER (WHERE decision = 'Quarantined') FROM operation_logs"},
    [POSTGRES_STATEMENT_ROSTER_VERSION] = {"roster_version",
                                           "SELECT version FROM registry_version"},
    /* A scan's last row: $1 and $2. */
    [POSTGRES_STATEMENT_SCAN_ALL] =
        {"scan_all", RECORD "audit_records WHERE (device_id, sequence) > ($1::text, $2::bigint)"
                            " ORDER BY device_id, sequence LIMIT " SLICE},
    [POSTGRES_STATEMENT_SCAN_DEVICE] =
        {"scan_device", RECORD "audit_records WHERE device_id = $1::text AND sequence > $2::bigint"
                               " ORDER BY sequence LIMIT " SLICE},
    [POSTGRES_STATEMENT_SCAN_WHOLE_ALL] =
        {"scan_whole_all",
         WHOLE RECORD "audit_records WHERE (device_id, sequence) > ($1::text, $2::bigint)"
                      " ORDER BY device_id, sequence LIMIT " SLICE WITH_OBJECTS},
    [POSTGRES_STATEMENT_SCAN_WHOLE_DEVICE] =
        {"scan_whole_device",
         WHOLE RECORD "audit_records WHERE device_id = $1::text AND sequence > $2::bigint"
                      " ORDER BY sequence LIMIT " SLICE WITH_OBJECTS},
    [POSTGRES_STATEMENT_SCAN_HEADS] =
        {"scan_heads",
         "SELECT device_id, sequence, record_hash, attested, conflict_count FROM chain_heads"
         " WHERE device_id >= $1::text AND (device_id > $1::text OR $2::bigint = 0)"
         " ORDER BY device_id LIMIT " SLICE},
    [POSTGRES_STATEMENT_SCAN_OPERATIONS] =
        {"scan_operations",
         "SELECT id, decision, device_id, sequence, message, created_at, created_ms, who, why"
         " FROM operation_logs WHERE $1::text = '' AND id > $2::bigint ORDER BY id LIMIT " SLICE},
    [POSTGRES_STATEMENT_SCAN_CONFLICTS] =
        {"scan_conflicts",
         RECORD "conflicts WHERE $1::text = '' AND id > $2::bigint ORDER BY id LIMIT " SLICE},
};

const char *eds_postgres_statement_name(enum postgres_statement which)
{
    return statements[which].name;
}

/* Reads the answers up to the one of the last message. */
static int32_t read_answers(struct postgres_ledger *postgres, struct eds_error *err)
{
    int32_t rc = EDS_OK;

    for (int i = 0; i < 2 * POSTGRES_STATEMENT_COUNT + 1; i++) {
        PGresult *result = PQgetResult(postgres->connection);
        ExecStatusType status = PQresultStatus(result);

        if (status == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            return rc;
        }
        if (result != NULL && status != PGRES_COMMAND_OK && rc == EDS_OK)
            rc = eds_postgres_fail(postgres, result, err, "use the tables of");
        PQclear(result);
    }
    return rc == EDS_OK ? eds_postgres_fail(postgres, NULL, err, "use the tables of") : rc;
}

int32_t eds_postgres_prepare(struct postgres_ledger *postgres, struct eds_error *err)
{
    PGconn *connection = postgres->connection;
    bool sent = PQenterPipelineMode(connection) == 1;
    int32_t rc;

    for (int i = 0; sent && i < POSTGRES_STATEMENT_COUNT; i++)
        sent = PQsendPrepare(connection, statements[i].name, statements[i].text, 0, NULL) == 1;
    if (!sent || PQpipelineSync(connection) != 1)
        return eds_postgres_fail(postgres, NULL, err, "use the tables of");
    rc = read_answers(postgres, err);
    if (rc == EDS_OK && PQexitPipelineMode(connection) != 1)
        rc = eds_postgres_fail(postgres, NULL, err, "use the tables of");
    return rc;
}

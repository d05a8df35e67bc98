/* ledger_postgres_schema.c - the tables, and how older ones get there.
 *
 *   table              one row for                 found by
 *   audit_records      each accepted record        id, (device_id, sequence)
 *   operation_logs     each line of the log        id
 *   chain_heads        each device                 device_id
 *   raw_objects        each reference in use       object_ref
 *   conflicts          each fork that was kept     id, (device_id, record_hash)
 *   registry           each device and operator    (role, id), revision
 *   registry_keys      each of their keys          public_key, (role, id, key_number)
 *   registry_version   one: its last change        -
 *   quarantined_records  each record kept apart    id, (device_id, record_hash)
 *   chain_gaps         each gap that was closed    (device_id, id)
 *   device_commands    each order to a device      (device_id, counter)
 *   ledger_writers     each ledger open to write   writer_id
 *   edgesentry_schema  each step taken             version
 *
 * Names and columns are those of docs/SPEC.md.  Ids and references compare byte
 * by byte (COLLATE "C"), whatever the database's language.  Payloads are not
 * compressed: most that matter are already, and trying costs a core. */
#include "store/ledger_postgres.h"

#include <string.h>

/* Of the migration, in the database: "eds" and a number of ours. */
#define ADVISORY_LOCK "7306342251437051905"

#define RECORD_COLUMNS                                                                             \
    "id BIGSERIAL PRIMARY KEY,"                                                                    \
    "device_id TEXT COLLATE \"C\" NOT NULL,"                                                       \
    "sequence BIGINT NOT NULL,"                                                                    \
    "timestamp_ms BIGINT NOT NULL,"                                                                \
    "payload_hash BYTEA NOT NULL,"                                                                 \
    "signature BYTEA NOT NULL,"                                                                    \
    "prev_record_hash BYTEA NOT NULL,"                                                             \
    "object_ref TEXT COLLATE \"C\" NOT NULL,"                                                      \
    "ingested_at TIMESTAMPTZ NOT NULL DEFAULT now(),"                                              \
    "record_hash BYTEA NOT NULL,"                                                                  \
    "attest_key_id BYTEA,"                                                                         \
    "attest_signature BYTEA,"                                                                      \
    "ingested_ms BIGINT,"

/* What edgesentry-rs has as well comes before the first step: it is made, or
 * taken over (ledger_postgres_adopt.c). */
static const char common_tables[] =
    "CREATE TABLE audit_records(" RECORD_COLUMNS "UNIQUE(device_id, sequence));"
    "CREATE TABLE operation_logs("
    "id BIGSERIAL PRIMARY KEY,"
    "decision TEXT NOT NULL,"
    "device_id TEXT COLLATE \"C\" NOT NULL,"
    "sequence BIGINT NOT NULL,"
    "message TEXT NOT NULL,"
    "created_at TIMESTAMPTZ NOT NULL DEFAULT now(),"
    "created_ms BIGINT);";

/* step n leads from version n to version n + 1 */
static const char *const steps[] = {
    "CREATE TABLE chain_heads("
    "device_id TEXT COLLATE \"C\" PRIMARY KEY,"
    "sequence BIGINT NOT NULL,"
    "record_hash BYTEA NOT NULL,"
    "attested BOOLEAN NOT NULL,"
    "conflict_count BIGINT NOT NULL) WITH (fillfactor = 50);"
    "CREATE TABLE raw_objects("
    "object_ref TEXT COLLATE \"C\" PRIMARY KEY,"
    "payload_hash BYTEA NOT NULL,"
    "payload BYTEA);"
    "ALTER TABLE raw_objects ALTER COLUMN payload SET STORAGE EXTERNAL;"
    "CREATE TABLE conflicts(" RECORD_COLUMNS "UNIQUE(device_id, record_hash));"
    "CREATE TABLE ledger_writers("
    "writer_id BYTEA PRIMARY KEY,"
    "commit_number BIGINT NOT NULL,"
    "written_at TIMESTAMPTZ NOT NULL DEFAULT now()) WITH (fillfactor = 10);",
    "ALTER TABLE operation_logs ADD COLUMN who TEXT, ADD COLUMN why TEXT;"
    "CREATE TABLE registry("
    "role TEXT COLLATE \"C\" NOT NULL,"
    "id TEXT COLLATE \"C\" NOT NULL,"
    "state TEXT NOT NULL,"
    "attest_required BOOLEAN NOT NULL,"
    "site TEXT NOT NULL,"
    "cohort TEXT NOT NULL,"
    "firmware TEXT NOT NULL,"
    "revision BIGINT NOT NULL,"
    "PRIMARY KEY(role, id));"
    "CREATE INDEX registry_revision ON registry(revision, role, id);"
    "CREATE TABLE registry_keys("
    "role TEXT COLLATE \"C\" NOT NULL,"
    "id TEXT COLLATE \"C\" NOT NULL,"
    "key_number BIGINT NOT NULL,"
    "public_key BYTEA NOT NULL UNIQUE,"
    "not_before_ms BIGINT,"
    "not_after_ms BIGINT,"
    "not_after_sequence BIGINT,"
    "revoked BOOLEAN NOT NULL,"
    "PRIMARY KEY(role, id, key_number));"
    "CREATE TABLE registry_version(version BIGINT NOT NULL) WITH (fillfactor = 10);"
    "INSERT INTO registry_version VALUES(0);",
    "ALTER TABLE registry ADD COLUMN quarantine_arrived BIGINT NOT NULL DEFAULT 0,"
    " ADD COLUMN quarantine_left BIGINT NOT NULL DEFAULT 0;"
    "CREATE TABLE quarantined_records(" RECORD_COLUMNS "payload BYTEA NOT NULL,"
    "UNIQUE(device_id, record_hash));"
    "ALTER TABLE quarantined_records ALTER COLUMN payload SET STORAGE EXTERNAL;"
    "CREATE INDEX quarantined_order ON quarantined_records(device_id, sequence, id);",
    "CREATE TABLE chain_gaps("
    "id BIGSERIAL PRIMARY KEY,"
    "device_id TEXT COLLATE \"C\" NOT NULL,"
    "last_sequence BIGINT NOT NULL,"
    "last_record_hash BYTEA NOT NULL,"
    "resume_sequence BIGINT NOT NULL,"
    "resume_hash BYTEA NOT NULL,"
    "closed_ms BIGINT NOT NULL,"
    "operator TEXT COLLATE \"C\" NOT NULL,"
    "reason TEXT NOT NULL,"
    "key_id BYTEA NOT NULL,"
    "signature BYTEA NOT NULL);"
    "CREATE INDEX chain_gaps_order ON chain_gaps(device_id, id);",
    "CREATE TABLE device_commands("
    "device_id TEXT COLLATE \"C\" NOT NULL,"
    "counter BIGINT NOT NULL,"
    "kind BIGINT NOT NULL,"
    "issued_ms BIGINT NOT NULL,"
    "not_after_ms BIGINT NOT NULL,"
    "operator TEXT COLLATE \"C\" NOT NULL,"
    "body TEXT NOT NULL,"
    "key_id BYTEA NOT NULL,"
    "signature BYTEA NOT NULL,"
    "taken_ms BIGINT,"
    "result TEXT,"
    "result_ms BIGINT,"
    "result_sequence BIGINT,"
    "PRIMARY KEY(device_id, counter));",
};
#define VERSION ((int)(sizeof steps / sizeof steps[0]))

static int32_t run(struct postgres_ledger *postgres, const char *sql, struct eds_error *err)
{
    PGresult *result = PQexec(postgres->connection, sql);
    ExecStatusType status = PQresultStatus(result);
    int32_t rc = EDS_OK;

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        rc = eds_postgres_fail(postgres, result, err, "bring up to date");
    PQclear(result);
    return rc;
}

/* Runs a query that answers with one number. */
static int32_t read_number(struct postgres_ledger *postgres, const char *query, uint64_t *out,
                           struct eds_error *err)
{
    PGresult *result = PQexecParams(postgres->connection, query, 0, NULL, NULL, NULL, NULL, 1);
    int32_t rc = EDS_OK;

    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1 ||
        !eds_postgres_column_u64(out, result, 0, 0))
        rc = eds_postgres_fail(postgres, result, err, "read");
    PQclear(result);
    return rc;
}

/* The version of the ledger in the search path; 0 if there is none. */
static int32_t identify(struct postgres_ledger *postgres, int *version, struct eds_error *err)
{
    uint64_t found = 0;
    int32_t rc =
        read_number(postgres, "SELECT (to_regclass('edgesentry_schema') IS NOT NULL)::int::bigint",
                    &found, err);

    *version = 0;
    if (rc != EDS_OK || found == 0)
        return rc;
    rc = read_number(postgres, "SELECT coalesce(max(version), 0)::bigint FROM edgesentry_schema",
                     &found, err);
    if (rc != EDS_OK)
        return rc;
    if (found < 1 || found > (uint64_t)VERSION)
        return eds_error_set(err, EDS_ERR_UNSUPPORTED,
                             "the ledger in PostgreSQL %s has schema version %llu, this program "
                             "knows 1 to %d; use a newer program",
                             postgres->place, (unsigned long long)found, VERSION);
    *version = (int)found;
    return EDS_OK;
}

/* Tables of the same names and without a version are not ours to change, unless
 * we are told to.  *adopting: they were there. */
static int32_t begin_schema(struct postgres_ledger *postgres, bool *adopting, struct eds_error *err)
{
    uint64_t found = 0;
    int32_t rc = read_number(postgres,
                             "SELECT (to_regclass('audit_records') IS NOT NULL"
                             " OR to_regclass('operation_logs') IS NOT NULL)::int::bigint",
                             &found, err);

    if (rc != EDS_OK)
        return rc;
    *adopting = found != 0;
    if (*adopting && postgres->mode != POSTGRES_MODE_ADOPT)
        return eds_error_set(err, EDS_ERR_EXISTS,
                             "PostgreSQL %s has tables audit_records or operation_logs of another "
                             "program; eds audit db migrate takes those of edgesentry-rs over, "
                             "or name another database or, with options=-csearch_path=NAME, "
                             "another schema",
                             postgres->place);
    rc = *adopting ? eds_postgres_adopt_tables(postgres, err) : run(postgres, common_tables, err);
    return rc != EDS_OK ? rc
                        : run(postgres,
                              "CREATE TABLE edgesentry_schema(version INTEGER PRIMARY KEY,"
                              " taken_at TIMESTAMPTZ NOT NULL DEFAULT now())",
                              err);
}

static int32_t take_steps(struct postgres_ledger *postgres, struct eds_error *err)
{
    bool adopting = false;
    int version = 0;
    int32_t rc = identify(postgres, &version, err); /* another node may have been faster */

    if (rc == EDS_OK && version == 0)
        rc = begin_schema(postgres, &adopting, err);
    for (; rc == EDS_OK && version < VERSION; version++) {
        rc = run(postgres, steps[version], err);
        if (rc == EDS_OK)
            rc = run(postgres,
                     "INSERT INTO edgesentry_schema SELECT coalesce(max(version), 0) + 1"
                     " FROM edgesentry_schema",
                     err);
    }
    if (rc == EDS_OK && adopting)
        rc = eds_postgres_adopt_rows(postgres, err);
    return rc;
}

int32_t eds_postgres_migrate(struct postgres_ledger *postgres, struct eds_error *err)
{
    int version = 0;
    int32_t rc = identify(postgres, &version, err);

    postgres->ledger.schema_version = VERSION; /* if this succeeds */
    if (rc != EDS_OK || version == VERSION)
        return rc;
    if (postgres->mode == POSTGRES_MODE_READ)
        return eds_error_set(err, version == 0 ? EDS_ERR_NOT_FOUND : EDS_ERR_UNSUPPORTED,
                             "PostgreSQL %s has a ledger of schema version %d, this program reads "
                             "%d; open it once for writing",
                             postgres->place, version, VERSION);
    /* The lock comes before the transaction: what others made while we waited
     * for it is only certain to be seen by one that begins afterwards. */
    rc = run(postgres,
             "BEGIN; SET LOCAL lock_timeout = '60s';"
             "SELECT pg_advisory_lock(" ADVISORY_LOCK "); COMMIT; BEGIN",
             err);
    if (rc == EDS_OK)
        rc = take_steps(postgres, err);
    if (rc == EDS_OK)
        rc = run(postgres, "COMMIT; SELECT pg_advisory_unlock(" ADVISORY_LOCK ")", err);
    return rc; /* after a failure the caller closes the connection, which undoes all */
}

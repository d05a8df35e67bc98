/* ledger_sqlite_schema.c - what is in the file, and how older files get there.
 *
 *   table           one row for                 found by
 *   audit_records   each accepted record        id
 *   operation_logs  each line of the log        id
 *   chain_heads     each device                 device_id
 *   record_places   32 records of a device      id
 *   place_groups    16 rows of record_places    (device_id, first_sequence)
 *   raw_objects     each reference in use       id
 *   object_refs     some dozen references       first_ref
 *   object_index_end  one: how far they go      -
 *   conflicts       each fork that was kept     id, (device_id, record_hash)
 *   registry        each device and operator    (role, id), revision
 *   registry_keys   each of their keys          public_key, (role, id, key_number)
 *   registry_version  one: its last change      -
 *   quarantined_records  each record kept apart   id, (device_id, record_hash)
 *   chain_gaps      each gap that was closed    (device_id, id)
 *   device_commands  each order to a device     (device_id, counter)
 *
 * Names and columns of audit_records and operation_logs are those of
 * docs/SPEC.md, so that a query written for the one store works on the other.
 * Times are text in UTC, ISO 8601 with milliseconds; the device's own
 * timestamp_ms, a claim, stays the number that it sent.  A u64 is stored as the
 * same 64 bits (ledger_sqlite.h).
 *
 *   device_id, object_ref      TEXT, as in the record
 *   sequence, timestamp_ms     INTEGER
 *   *_hash                     BLOB of 32 bytes
 *   signature                  BLOB of 64 bytes
 *   attest_key_id, _signature  BLOB of 8 and of 64 bytes, or both NULL
 *   decision                   'Accepted', 'Rejected' or 'Changed'
 *   who, why                   NULL, or who changed the registry and why
 *   not_before_ms and such     Unix milliseconds; NULL where there is no border
 *   attested                   0 or 1
 *   taken_ms, result_ms        Unix milliseconds; NULL: not yet
 *   result                     'done' or 'refused'; NULL: not yet
 *   payload                    BLOB; NULL where it is kept elsewhere
 *   places                     BLOB: the sequence and id of records (places.h)
 *   place_rows                 BLOB: first_sequence and id of rows of record_places, likewise
 *   refs                       BLOB: object_ref and id of objects (ref_block.h)
 *   object_id                  the id of object_ref's row, or NULL
 *
 * Tables with payloads or records have a rowid: WITHOUT ROWID was measured and is
 * slower for them. */
#include "store/ledger_sqlite.h"

#define APPLICATION_ID 0x45445331 /* "EDS1", in the file's header */

#define RECORD_COLUMNS                                                                             \
    "id INTEGER PRIMARY KEY,"                                                                      \
    "device_id TEXT NOT NULL,"                                                                     \
    "sequence INTEGER NOT NULL,"                                                                   \
    "timestamp_ms INTEGER NOT NULL,"                                                               \
    "payload_hash BLOB NOT NULL,"                                                                  \
    "signature BLOB NOT NULL,"                                                                     \
    "prev_record_hash BLOB NOT NULL,"                                                              \
    "object_ref TEXT NOT NULL,"                                                                    \
    "ingested_at TEXT NOT NULL,"                                                                   \
    "record_hash BLOB NOT NULL,"                                                                   \
    "attest_key_id BLOB,"                                                                          \
    "attest_signature BLOB"

/* step n leads from version n to version n + 1 */
static const char *const steps[] = {
    "CREATE TABLE audit_records(" RECORD_COLUMNS ",UNIQUE(device_id, sequence)) STRICT;"
    "CREATE TABLE operation_logs("
    "id INTEGER PRIMARY KEY,"
    "decision TEXT NOT NULL,"
    "device_id TEXT NOT NULL,"
    "sequence INTEGER NOT NULL,"
    "message TEXT NOT NULL,"
    "created_at TEXT NOT NULL) STRICT;"
    "CREATE TABLE chain_heads("
    "device_id TEXT NOT NULL PRIMARY KEY,"
    "sequence INTEGER NOT NULL,"
    "record_hash BLOB NOT NULL,"
    "attested INTEGER NOT NULL,"
    "conflict_count INTEGER NOT NULL) STRICT;"
    "CREATE TABLE raw_objects("
    "object_ref TEXT NOT NULL PRIMARY KEY,"
    "payload_hash BLOB NOT NULL,"
    "payload BLOB) STRICT;"
    "CREATE TABLE conflicts(" RECORD_COLUMNS ",UNIQUE(device_id, record_hash)) STRICT;",
    "ALTER TABLE operation_logs ADD COLUMN who TEXT;"
    "ALTER TABLE operation_logs ADD COLUMN why TEXT;"
    "CREATE TABLE registry("
    "role TEXT NOT NULL,"
    "id TEXT NOT NULL,"
    "state TEXT NOT NULL,"
    "attest_required INTEGER NOT NULL,"
    "site TEXT NOT NULL,"
    "cohort TEXT NOT NULL,"
    "firmware TEXT NOT NULL,"
    "revision INTEGER NOT NULL,"
    "PRIMARY KEY(role, id)) STRICT;"
    "CREATE INDEX registry_revision ON registry(revision, role, id);"
    "CREATE TABLE registry_keys("
    "role TEXT NOT NULL,"
    "id TEXT NOT NULL,"
    "key_number INTEGER NOT NULL,"
    "public_key BLOB NOT NULL UNIQUE,"
    "not_before_ms INTEGER,"
    "not_after_ms INTEGER,"
    "not_after_sequence INTEGER,"
    "revoked INTEGER NOT NULL,"
    "PRIMARY KEY(role, id, key_number)) STRICT;"
    "CREATE TABLE registry_version(version INTEGER NOT NULL) STRICT;"
    "INSERT INTO registry_version VALUES(0);",
    /* References are indexed later and in order, see ledger_sqlite_object.c. */
    "CREATE TABLE new_objects("
    "id INTEGER PRIMARY KEY,"
    "object_ref TEXT NOT NULL,"
    "payload_hash BLOB NOT NULL,"
    "payload BLOB) STRICT;"
    "INSERT INTO new_objects SELECT rowid, object_ref, payload_hash, payload FROM raw_objects;"
    "DROP TABLE raw_objects;"
    "ALTER TABLE new_objects RENAME TO raw_objects;"
    "CREATE TABLE object_index("
    "object_ref TEXT NOT NULL PRIMARY KEY,"
    "object_id INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "INSERT INTO object_index SELECT object_ref, id FROM raw_objects ORDER BY object_ref;"
    "CREATE TABLE object_index_end(indexed_id INTEGER NOT NULL) STRICT;"
    "INSERT INTO object_index_end SELECT coalesce(max(id), 0) FROM raw_objects;",
    "ALTER TABLE registry ADD COLUMN quarantine_arrived INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE registry ADD COLUMN quarantine_left INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE quarantined_records(" RECORD_COLUMNS ",payload BLOB NOT NULL,"
    "UNIQUE(device_id, record_hash)) STRICT;"
    "CREATE INDEX quarantined_order ON quarantined_records(device_id, sequence, id);",
    "CREATE TABLE chain_gaps("
    "id INTEGER PRIMARY KEY,"
    "device_id TEXT NOT NULL,"
    "last_sequence INTEGER NOT NULL,"
    "last_record_hash BLOB NOT NULL,"
    "resume_sequence INTEGER NOT NULL,"
    "resume_hash BLOB NOT NULL,"
    "closed_ms INTEGER NOT NULL,"
    "operator TEXT NOT NULL,"
    "reason TEXT NOT NULL,"
    "key_id BLOB NOT NULL,"
    "signature BLOB NOT NULL) STRICT;"
    "CREATE INDEX chain_gaps_order ON chain_gaps(device_id, id);",
    /* Records are found by their places, see ledger_sqlite_places.c.  This step is
     * completed by eds_sqlite_fill_places; the next one can then do without the
     * index. */
    "ALTER TABLE chain_heads ADD COLUMN places BLOB NOT NULL DEFAULT x'';"
    "CREATE TABLE record_places("
    "device_id TEXT NOT NULL,"
    "first_sequence INTEGER NOT NULL,"
    "places BLOB NOT NULL,"
    "PRIMARY KEY(device_id, first_sequence)) STRICT, WITHOUT ROWID;",
    "CREATE TABLE new_records(" RECORD_COLUMNS ",object_id INTEGER) STRICT;"
    "INSERT INTO new_records SELECT r.*, i.object_id FROM audit_records AS r"
    " LEFT JOIN object_index AS i ON i.object_ref = r.object_ref;"
    "DROP TABLE audit_records;"
    "ALTER TABLE new_records RENAME TO audit_records;",
    /* Completed by eds_sqlite_refs_fill. */
    "CREATE TABLE object_refs("
    "first_ref TEXT NOT NULL PRIMARY KEY,"
    "refs BLOB NOT NULL) STRICT, WITHOUT ROWID;",
    "DROP TABLE object_index;",
    "CREATE TABLE device_commands("
    "device_id TEXT NOT NULL,"
    "counter INTEGER NOT NULL,"
    "kind INTEGER NOT NULL,"
    "issued_ms INTEGER NOT NULL,"
    "not_after_ms INTEGER NOT NULL,"
    "operator TEXT NOT NULL,"
    "body TEXT NOT NULL,"
    "key_id BLOB NOT NULL,"
    "signature BLOB NOT NULL,"
    "taken_ms INTEGER,"
    "result TEXT,"
    "result_ms INTEGER,"
    "result_sequence INTEGER,"
    "PRIMARY KEY(device_id, counter)) STRICT, WITHOUT ROWID;",
    /* Without a rowid a table's whole rows are the keys that lead down its tree: with
     * blocks of references one page has five of them.  So these rows are only appended,
     * and what is written here and there is an index of their keys; of places, sixteen
     * at a time.  Completed by eds_sqlite_fill_groups. */
    "CREATE TABLE new_places("
    "id INTEGER PRIMARY KEY,"
    "device_id TEXT NOT NULL,"
    "first_sequence INTEGER NOT NULL,"
    "places BLOB NOT NULL) STRICT;"
    "INSERT INTO new_places(device_id, first_sequence, places)"
    " SELECT device_id, first_sequence, places FROM record_places"
    " ORDER BY device_id, first_sequence;"
    "DROP TABLE record_places;"
    "ALTER TABLE new_places RENAME TO record_places;"
    "CREATE TABLE place_groups("
    "device_id TEXT NOT NULL,"
    "first_sequence INTEGER NOT NULL,"
    "place_rows BLOB NOT NULL,"
    "PRIMARY KEY(device_id, first_sequence)) STRICT, WITHOUT ROWID;"
    "ALTER TABLE chain_heads ADD COLUMN place_rows BLOB NOT NULL DEFAULT x'';"
    "CREATE TABLE new_refs("
    "first_ref TEXT NOT NULL PRIMARY KEY,"
    "refs BLOB NOT NULL) STRICT;"
    "INSERT INTO new_refs SELECT first_ref, refs FROM object_refs ORDER BY first_ref;"
    "DROP TABLE object_refs;"
    "ALTER TABLE new_refs RENAME TO object_refs;",
};
#define PLACES_STEP 5
#define REFS_STEP   7
#define GROUPS_STEP 10
#define VERSION     ((int)(sizeof steps / sizeof steps[0]))

/* Runs a query that answers with one number. */
static int32_t read_number(struct sqlite_ledger *sqlite, const char *query, sqlite3_int64 *out,
                           struct eds_error *err)
{
    sqlite3_stmt *statement = NULL;
    int32_t rc = EDS_OK;

    if (sqlite3_prepare_v2(sqlite->db, query, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        rc = eds_sqlite_fail(sqlite, err, "read");
    else
        *out = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return rc;
}

static int32_t execute(struct sqlite_ledger *sqlite, const char *sql, struct eds_error *err)
{
    if (sqlite3_exec(sqlite->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return eds_sqlite_fail(sqlite, err, "bring up to date");
    return EDS_OK;
}

/* What the file says of itself. */
struct identity {
    sqlite3_int64 application_id, user_version, object_count;
};

/* All three from one state of the file: it may be in the making by another. */
static int32_t read_identity(struct sqlite_ledger *sqlite, struct identity *out,
                             struct eds_error *err)
{
    bool alone = sqlite3_get_autocommit(sqlite->db) != 0;
    int32_t rc = alone ? execute(sqlite, "BEGIN", err) : EDS_OK, ended;

    if (rc == EDS_OK)
        rc = read_number(sqlite, "PRAGMA application_id", &out->application_id, err);
    if (rc == EDS_OK)
        rc = read_number(sqlite, "PRAGMA user_version", &out->user_version, err);
    if (rc == EDS_OK)
        rc = read_number(sqlite, "SELECT count(*) FROM sqlite_schema", &out->object_count, err);
    if (alone && sqlite3_get_autocommit(sqlite->db) == 0) {
        ended = execute(sqlite, "ROLLBACK", rc == EDS_OK ? err : NULL); /* nothing was written */
        if (rc == EDS_OK)
            rc = ended;
    }
    return rc;
}

int32_t eds_sqlite_identify(struct sqlite_ledger *sqlite, int *version, struct eds_error *err)
{
    struct identity found = {0, 0, 0};
    int32_t rc = read_identity(sqlite, &found, err);

    if (rc != EDS_OK)
        return rc;
    *version = 0;
    if (found.application_id == 0 && found.user_version == 0 && found.object_count == 0)
        return EDS_OK; /* empty */
    if (found.application_id != APPLICATION_ID)
        return eds_error_set(err, EDS_ERR_EXISTS,
                             "%s is a SQLite file of another program; name another path",
                             sqlite->path);
    if (found.user_version > VERSION || found.user_version < 1)
        return eds_error_set(err, EDS_ERR_UNSUPPORTED,
                             "%s has schema version %lld, this program knows 1 to %d; use a newer "
                             "program",
                             sqlite->path, (long long)found.user_version, VERSION);
    *version = (int)found.user_version;
    return EDS_OK;
}

int32_t eds_sqlite_migrate(struct sqlite_ledger *sqlite, int version, struct eds_error *err)
{
    char stamp[96];
    int32_t rc;

    sqlite->ledger.schema_version = VERSION; /* if this succeeds */
    if (version == VERSION)
        return EDS_OK;
    if (sqlite->read_only)
        return eds_error_set(err, version == 0 ? EDS_ERR_NOT_FOUND : EDS_ERR_UNSUPPORTED,
                             "%s has schema version %d, this program reads %d; open it once for "
                             "writing",
                             sqlite->path, version, VERSION);
    rc = execute(sqlite, "BEGIN IMMEDIATE", err);
    if (rc != EDS_OK)
        return rc;
    rc = eds_sqlite_identify(sqlite, &version, err); /* another process may have been faster */
    for (; rc == EDS_OK && version < VERSION; version++) {
        rc = execute(sqlite, steps[version], err);
        if (rc == EDS_OK && version == PLACES_STEP)
            rc = eds_sqlite_fill_places(sqlite, err);
        if (rc == EDS_OK && version == REFS_STEP)
            rc = eds_sqlite_refs_fill(sqlite, err);
        if (rc == EDS_OK && version == GROUPS_STEP)
            rc = eds_sqlite_fill_groups(sqlite, err);
    }
    sqlite3_snprintf(sizeof stamp, stamp, "PRAGMA application_id=%d;PRAGMA user_version=%d",
                     APPLICATION_ID, VERSION);
    if (rc == EDS_OK)
        rc = execute(sqlite, stamp, err);
    if (rc == EDS_OK)
        rc = execute(sqlite, "COMMIT", err);
    if (rc != EDS_OK && sqlite3_get_autocommit(sqlite->db) == 0)
        (void)sqlite3_exec(sqlite->db, "ROLLBACK", NULL, NULL, NULL); /* else close does it */
    return rc;
}

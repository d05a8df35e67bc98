/* ledger_sqlite_roster.c - the registry in the SQLite file, read.
 *
 * Many are read in slices, as in ledger_sqlite_scan.c: no read lasts while a
 * visitor works. */
#include "store/ledger_sqlite_roster.h"

#include <stdlib.h>

#define SLICE_ROWS 64
#define COLUMNS                                                                                    \
    "rowid, revision, role, id, state, attest_required, site, cohort, firmware,"                   \
    " quarantine_arrived, quarantine_left FROM registry "

int32_t eds_sqlite_prepare(const struct sqlite_ledger *sqlite, const char *sql, sqlite3_stmt **out,
                           struct eds_error *err)
{
    *out = NULL;
    if (sqlite3_prepare_v2(sqlite->db, sql, -1, out, NULL) != SQLITE_OK)
        return eds_sqlite_fail(sqlite, err, "use the registry of");
    return EDS_OK;
}

static bool take_text(char *out, size_t out_size, sqlite3_stmt *statement, int column)
{
    const char *text = eds_sqlite_column_text(statement, column, out_size);

    if (text == NULL)
        return false;
    strcpy(out, text);
    return true;
}

static bool take_role(enum eds_role *out, sqlite3_stmt *statement, int column)
{
    const char *word = eds_sqlite_column_text(statement, column, 16);

    return word != NULL && eds_role_parse(out, word);
}

static int32_t read_row(const struct sqlite_ledger *sqlite, sqlite3_stmt *statement,
                        struct eds_enrolment *out, struct eds_error *err)
{
    const char *state = eds_sqlite_column_text(statement, 4, 16), *bad = NULL;

    memset(out, 0, sizeof *out);
    out->revision = eds_sqlite_to_u64(sqlite3_column_int64(statement, 1));
    out->attest_required = sqlite3_column_int(statement, 5) != 0;
    out->quarantine_arrived = eds_sqlite_to_u64(sqlite3_column_int64(statement, 9));
    out->quarantine_left = eds_sqlite_to_u64(sqlite3_column_int64(statement, 10));
    if (!take_role(&out->role, statement, 2))
        bad = "role";
    else if (!take_text(out->id, sizeof out->id, statement, 3))
        bad = "id";
    else if (state == NULL || !eds_device_state_parse(&out->state, state))
        bad = "state";
    else if (!take_text(out->site, sizeof out->site, statement, 6))
        bad = "site";
    else if (!take_text(out->cohort, sizeof out->cohort, statement, 7))
        bad = "cohort";
    else if (!take_text(out->firmware, sizeof out->firmware, statement, 8))
        bad = "firmware";
    if (bad != NULL)
        return eds_sqlite_damaged(sqlite, err, "registry", sqlite3_column_int64(statement, 0), bad);
    return EDS_OK;
}

static uint64_t number_or(sqlite3_stmt *statement, int column, uint64_t otherwise)
{
    if (sqlite3_column_type(statement, column) == SQLITE_NULL)
        return otherwise;
    return eds_sqlite_to_u64(sqlite3_column_int64(statement, column));
}

static int32_t read_key(const struct sqlite_ledger *sqlite, sqlite3_stmt *statement,
                        struct eds_enrolment *out, struct eds_error *err)
{
    struct eds_enrolled_key *key = &out->keys[out->key_count];

    if (out->key_count == EDS_ENROLMENT_KEYS_MAX ||
        !eds_sqlite_column_bytes(key->public_key, sizeof key->public_key, statement, 1))
        return eds_sqlite_damaged(sqlite, err, "registry_keys", sqlite3_column_int64(statement, 0),
                                  "public_key");
    key->not_before_ms = number_or(statement, 2, 0);
    key->not_after_ms = number_or(statement, 3, EDS_KEY_NO_END);
    key->not_after_sequence = number_or(statement, 4, EDS_KEY_NO_END);
    key->revoked = sqlite3_column_int(statement, 5) != 0;
    out->key_count++;
    return EDS_OK;
}

/* Reads the keys of an enrolment with a statement that is used for many. */
static int32_t read_keys(const struct sqlite_ledger *sqlite, sqlite3_stmt *statement,
                         struct eds_enrolment *out, struct eds_error *err)
{
    int32_t rc = EDS_OK;
    int code = sqlite3_bind_text(statement, 1, eds_role_name(out->role), -1, SQLITE_STATIC);

    code |= sqlite3_bind_text(statement, 2, out->id, -1, SQLITE_STATIC);
    if (code != SQLITE_OK)
        return eds_sqlite_fail(sqlite, err, "read");
    while (rc == EDS_OK && (code = sqlite3_step(statement)) == SQLITE_ROW)
        rc = read_key(sqlite, statement, out, err);
    if (rc == EDS_OK && code != SQLITE_DONE)
        rc = eds_sqlite_fail(sqlite, err, "read");
    sqlite3_reset(statement);
    return rc;
}

/* What is read, and how far it is. */
struct reading {
    struct sqlite_ledger *sqlite;
    sqlite3_stmt *rows, *keys;
    struct eds_enrolment *slice;
    size_t count;
    struct eds_error failure; /* see struct scan in ledger_sqlite_scan.c */
};

static int32_t prepare(struct reading *reading, const char *query, struct eds_error *err)
{
    int32_t rc = eds_sqlite_ready(reading->sqlite, err);

    if (rc == EDS_OK)
        rc = eds_sqlite_prepare(reading->sqlite, query, &reading->rows, err);
    if (rc == EDS_OK)
        rc = eds_sqlite_prepare(
            reading->sqlite,
            "SELECT rowid, public_key, not_before_ms, not_after_ms, not_after_sequence, revoked"
            " FROM registry_keys WHERE role = ?1 AND id = ?2 ORDER BY key_number",
            &reading->keys, err);
    return rc;
}

static void finish(struct reading *reading)
{
    sqlite3_finalize(reading->rows);
    sqlite3_finalize(reading->keys);
    free(reading->slice);
}

/* Reads rows into the slice, each with its keys, as of one moment. */
static int32_t read_slice(struct reading *reading, size_t count_max)
{
    struct sqlite_ledger *sqlite = reading->sqlite;
    int code = SQLITE_ROW;
    int32_t rc = EDS_OK;

    reading->count = 0;
    while (rc == EDS_OK && reading->count < count_max &&
           (code = sqlite3_step(reading->rows)) == SQLITE_ROW) {
        struct eds_enrolment *out = &reading->slice[reading->count];

        rc = read_row(sqlite, reading->rows, out, &reading->failure);
        if (rc == EDS_OK)
            rc = read_keys(sqlite, reading->keys, out, &reading->failure);
        if (rc == EDS_OK)
            reading->count++;
    }
    if (rc == EDS_OK && code != SQLITE_ROW && code != SQLITE_DONE)
        rc = eds_sqlite_fail(sqlite, &reading->failure, "read");
    sqlite3_reset(reading->rows);
    return rc;
}

/* Shows a slice; a row that could not be read ends it after those before. */
static int32_t show(const struct reading *reading, int32_t rc, eds_roster_visit *visit,
                    void *context, struct eds_error *err)
{
    int32_t visit_rc = EDS_OK;

    for (size_t i = 0; i < reading->count && visit_rc == EDS_OK; i++)
        visit_rc = visit(context, &reading->slice[i]);
    if (visit_rc != EDS_OK)
        return visit_rc;
    if (rc != EDS_OK && err != NULL)
        *err = reading->failure;
    return rc;
}

/* Walks from after a place: ?1 a role, ?2 an id and, if asked for, ?3 a revision. */
static int32_t walk(struct eds_ledger *ledger, const char *query, struct eds_enrolment *place,
                    eds_roster_visit *visit, void *context, struct eds_error *err)
{
    struct reading reading = {.sqlite = (struct sqlite_ledger *)ledger};
    int32_t rc = prepare(&reading, query, err);
    const char *role =
        place->id[0] == '\0' && place->revision > 0 ? "" : eds_role_name(place->role);

    reading.slice = calloc(SLICE_ROWS, sizeof *reading.slice);
    if (rc == EDS_OK && reading.slice == NULL)
        rc = eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to read the registry");
    do {
        if (rc != EDS_OK)
            break;
        if (sqlite3_bind_text(reading.rows, 1, role, -1, SQLITE_STATIC) != SQLITE_OK ||
            sqlite3_bind_text(reading.rows, 2, place->id, -1, SQLITE_TRANSIENT) != SQLITE_OK ||
            (sqlite3_bind_parameter_count(reading.rows) == 3 &&
             sqlite3_bind_int64(reading.rows, 3, eds_sqlite_from_u64(place->revision)) !=
                 SQLITE_OK)) {
            rc = eds_sqlite_fail(reading.sqlite, err, "read");
            break;
        }
        rc = show(&reading, read_slice(&reading, SLICE_ROWS), visit, context, err);
        if (reading.count > 0) {
            *place = reading.slice[reading.count - 1];
            role = eds_role_name(place->role);
        }
    } while (reading.count == SLICE_ROWS);
    finish(&reading);
    return rc;
}

int32_t eds_sqlite_roster_scan(struct eds_ledger *ledger, enum eds_role role,
                               eds_roster_visit *visit, void *context, struct eds_error *err)
{
    struct eds_enrolment place = {.role = role};

    return walk(ledger, "SELECT " COLUMNS "WHERE role = ?1 AND id > ?2 ORDER BY id LIMIT 64",
                &place, visit, context, err);
}

int32_t eds_sqlite_roster_changed(struct eds_ledger *ledger, uint64_t since,
                                  eds_roster_visit *visit, void *context, struct eds_error *err)
{
    struct eds_enrolment place = {.revision = since + 1}; /* before its first row */

    return walk(ledger,
                "SELECT " COLUMNS "WHERE (revision, role, id) > (?3, ?1, ?2)"
                " ORDER BY revision, role, id LIMIT 64",
                &place, visit, context, err);
}

#define FIND_ONE "SELECT " COLUMNS "WHERE role = ?1 AND id = ?2"

static int32_t prepare_find(struct reading *reading, struct eds_error *err)
{
    int32_t rc = prepare(reading, FIND_ONE, err);

    reading->slice = calloc(1, sizeof *reading->slice);
    if (rc == EDS_OK && reading->slice == NULL)
        rc = eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to read the registry");
    return rc;
}

/* Looks for one: reading->count says whether it is there. */
static int32_t find_one(struct reading *reading, enum eds_role role, const char *id,
                        struct eds_error *err)
{
    int32_t rc;

    if (sqlite3_bind_text(reading->rows, 1, eds_role_name(role), -1, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_bind_text(reading->rows, 2, id, -1, SQLITE_STATIC) != SQLITE_OK)
        return eds_sqlite_fail(reading->sqlite, err, "read");
    rc = read_slice(reading, 1);
    if (rc != EDS_OK && err != NULL)
        *err = reading->failure;
    return rc;
}

int32_t eds_sqlite_roster_find(struct eds_ledger *ledger, enum eds_role role, const char *id,
                               struct eds_enrolment *out, struct eds_error *err)
{
    struct reading reading = {.sqlite = (struct sqlite_ledger *)ledger};
    int32_t rc = prepare_find(&reading, err);

    if (rc == EDS_OK)
        rc = find_one(&reading, role, id, err);
    if (rc == EDS_OK && reading.count == 0)
        rc = eds_error_set(err, EDS_ERR_NOT_FOUND, "no %s %s is registered", eds_role_name(role),
                           id);
    if (rc == EDS_OK)
        *out = reading.slice[0];
    finish(&reading);
    return rc;
}

int32_t eds_sqlite_roster_find_many(struct eds_ledger *ledger, enum eds_role role,
                                    const char *const *ids, size_t count, eds_roster_visit *visit,
                                    void *context, struct eds_error *err)
{
    struct reading reading = {.sqlite = (struct sqlite_ledger *)ledger};
    int32_t rc = prepare_find(&reading, err);

    for (size_t i = 0; rc == EDS_OK && i < count; i++) {
        rc = find_one(&reading, role, ids[i], err);
        if (rc == EDS_OK && reading.count > 0)
            rc = visit(context, reading.slice);
    }
    finish(&reading);
    return rc;
}

int32_t eds_sqlite_roster_version(struct eds_ledger *ledger, uint64_t *out, struct eds_error *err)
{
    struct sqlite_ledger *sqlite = (struct sqlite_ledger *)ledger;
    sqlite3_stmt *statement;
    int32_t rc = eds_sqlite_ready(sqlite, err);

    if (rc != EDS_OK)
        return rc;
    statement = sqlite->statements[SQLITE_STATEMENT_ROSTER_VERSION];
    if (sqlite3_step(statement) == SQLITE_ROW)
        *out = eds_sqlite_to_u64(sqlite3_column_int64(statement, 0));
    else
        rc = eds_sqlite_fail(sqlite, err, "read");
    sqlite3_reset(statement);
    return rc;
}

/* Looks for a key with a statement of OWNER; EDS_ERR_NOT_FOUND without a text. */
static int32_t find_owner(const struct sqlite_ledger *sqlite, sqlite3_stmt *statement,
                          const uint8_t *public_key, struct eds_key_owner *out,
                          struct eds_error *err)
{
    int code = sqlite3_bind_blob(statement, 1, public_key, EDS_PUBLIC_KEY_SIZE, SQLITE_STATIC);
    int32_t rc = EDS_OK;

    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_DONE)
        rc = EDS_ERR_NOT_FOUND;
    else if (code != SQLITE_ROW)
        rc = eds_sqlite_fail(sqlite, err, "read");
    else if (!take_role(&out->role, statement, 1) ||
             !take_text(out->id, sizeof out->id, statement, 2))
        rc = eds_sqlite_damaged(sqlite, err, "registry_keys", sqlite3_column_int64(statement, 0),
                                "owner");
    sqlite3_reset(statement);
    return rc;
}

static int32_t prepare_owner(struct sqlite_ledger *sqlite, sqlite3_stmt **out,
                             struct eds_error *err)
{
    int32_t rc = eds_sqlite_ready(sqlite, err);

    *out = NULL;
    if (rc != EDS_OK)
        return rc;
    return eds_sqlite_prepare(
        sqlite, "SELECT rowid, role, id FROM registry_keys WHERE public_key = ?1", out, err);
}

int32_t eds_sqlite_roster_owner(struct eds_ledger *ledger,
                                const uint8_t public_key[EDS_PUBLIC_KEY_SIZE],
                                struct eds_key_owner *out, struct eds_error *err)
{
    struct sqlite_ledger *sqlite = (struct sqlite_ledger *)ledger;
    sqlite3_stmt *statement;
    int32_t rc = prepare_owner(sqlite, &statement, err);

    if (rc == EDS_OK)
        rc = find_owner(sqlite, statement, public_key, out, err);
    if (rc == EDS_ERR_NOT_FOUND)
        rc = eds_error_set(err, rc, "the key is not registered");
    sqlite3_finalize(statement);
    return rc;
}

int32_t eds_sqlite_roster_owners(struct eds_ledger *ledger, const uint8_t *const *public_keys,
                                 size_t count, struct eds_key_owner *out, struct eds_error *err)
{
    struct sqlite_ledger *sqlite = (struct sqlite_ledger *)ledger;
    sqlite3_stmt *statement;
    int32_t rc = prepare_owner(sqlite, &statement, err);

    for (size_t i = 0; rc == EDS_OK && i < count; i++) {
        memset(&out[i], 0, sizeof out[i]);
        rc = find_owner(sqlite, statement, public_keys[i], &out[i], err);
        if (rc == EDS_ERR_NOT_FOUND)
            rc = EDS_OK;
    }
    sqlite3_finalize(statement);
    return rc;
}

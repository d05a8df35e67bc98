/* ledger_postgres_roster_change.c - changes to the registry, one transaction.
 *
 * The first statement takes the lock of the one row with the version, so that
 * changes follow each other and their numbers are in the order in which they
 * become visible: whoever asks what has changed since a version misses nothing.
 * Rows go out as arrays, one statement a table. */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "store/ledger_postgres_roster.h"

#define ATTEMPT_MAX 2

struct changing {
    struct postgres_ledger *postgres;
    const struct eds_roster_change *changes; /* the batch at hand */
    size_t count;
    struct eds_roster_source *source; /* NULL: there is no other */
    uint64_t now_ms;
    uint64_t version; /* of this transaction */
    struct eds_error *err;
};

/* Finishes the first columns into parameters and runs a statement; *rows is how
 * many it wrote. */
static int32_t run_columns(struct changing *c, const char *sql, int column_count,
                           struct postgres_params *params, size_t *rows)
{
    PGresult *result = NULL;
    int32_t rc;

    for (int i = 0; i < column_count; i++)
        if (!eds_postgres_array_finish(&c->postgres->columns[i], params))
            return eds_error_set(c->err, EDS_ERR_NO_MEMORY, "no memory to change the registry");
    rc = eds_postgres_once(c->postgres, sql, params, &result, c->err);
    if (rc == EDS_OK)
        *rows = strtoull(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    return rc;
}

static void begin_columns(struct changing *c, const enum postgres_type *types, int count)
{
    for (int i = 0; i < count; i++)
        eds_postgres_array_begin(&c->postgres->columns[i], types[i]);
}

static int32_t take_turn(struct changing *c)
{
    struct postgres_params none = {0};
    PGresult *result = NULL;
    int32_t rc = eds_postgres_once(
        c->postgres, "UPDATE registry_version SET version = version + 1 RETURNING version", &none,
        &result, c->err);

    if (rc == EDS_OK && !eds_postgres_column_u64(&c->version, result, 0, 0))
        rc = eds_postgres_damaged(c->postgres, c->err, "registry_version", 0, "version");
    PQclear(result);
    return rc;
}

static void add_row(struct changing *c, const struct eds_enrolment *it)
{
    struct postgres_array *columns = c->postgres->columns;

    eds_postgres_array_add_text(&columns[0], eds_role_name(it->role));
    eds_postgres_array_add_text(&columns[1], it->id);
    eds_postgres_array_add_text(&columns[2], eds_device_state_name(it->state));
    eds_postgres_array_add_bool(&columns[3], it->attest_required);
    eds_postgres_array_add_text(&columns[4], it->site);
    eds_postgres_array_add_text(&columns[5], it->cohort);
    eds_postgres_array_add_text(&columns[6], it->firmware);
    eds_postgres_array_add_u64(&columns[7], it->revision);
    eds_postgres_array_add_u64(&columns[8], it->quarantine_arrived);
}

/* Those that are new, or those that are not. */
static int32_t put_rows(struct changing *c, bool are_new)
{
    static const enum postgres_type types[] = {
        POSTGRES_TYPE_TEXT, POSTGRES_TYPE_TEXT, POSTGRES_TYPE_TEXT,
        POSTGRES_TYPE_BOOL, POSTGRES_TYPE_TEXT, POSTGRES_TYPE_TEXT,
        POSTGRES_TYPE_TEXT, POSTGRES_TYPE_INT8, POSTGRES_TYPE_INT8};
    static const char add[] =
        "INSERT INTO registry(role, id, state, attest_required, site, cohort, firmware, revision)"
        " SELECT n.role, n.id, n.state, n.attest, n.site, n.cohort, n.firmware, $1::bigint"
        " FROM unnest($2::text[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::text[],"
        " $8::text[], $9::bigint[], $10::bigint[])"
        " AS n(role, id, state, attest, site, cohort, firmware, was, arrived)"
        " ON CONFLICT DO NOTHING";
    static const char replace[] =
        "UPDATE registry AS r SET state = n.state, attest_required = n.attest, site = n.site,"
        " cohort = n.cohort, firmware = n.firmware, revision = $1::bigint"
        " FROM unnest($2::text[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::text[],"
        " $8::text[], $9::bigint[], $10::bigint[])"
        " AS n(role, id, state, attest, site, cohort, firmware, was, arrived)"
        " WHERE r.role = n.role AND r.id = n.id AND r.revision = n.was"
        " AND (r.state <> 'quarantined' OR n.state <> 'active' OR n.arrived = -1"
        " OR r.quarantine_arrived = n.arrived)";
    struct postgres_params params = {0};
    size_t sent = 0, written = 0;
    const char *last = "";
    int32_t rc;

    begin_columns(c, types, 9);
    for (size_t i = 0; i < c->count; i++)
        if ((c->changes[i].enrolment->revision == 0) == are_new) {
            add_row(c, c->changes[i].enrolment);
            last = c->changes[i].enrolment->id;
            sent++;
        }
    if (sent == 0)
        return EDS_OK;
    eds_postgres_add_u64(&params, c->version);
    rc = run_columns(c, are_new ? add : replace, 9, &params, &written);
    if (rc != EDS_OK || written == sent)
        return rc;
    if (sent > 1)
        return eds_error_set(c->err, EDS_ERR_HEAD_MOVED, "%zu of %zu were %s meanwhile",
                             sent - written, sent, are_new ? "registered" : "changed");
    return eds_error_set(c->err, EDS_ERR_HEAD_MOVED,
                         are_new ? "%s is registered already" : "%s was changed meanwhile", last);
}

static void add_number(struct postgres_array *column, uint64_t number, uint64_t none)
{
    if (number == none)
        eds_postgres_array_add_null(column);
    else
        eds_postgres_array_add_u64(column, number);
}

/* Names a key that could not be put: the first that is another's. */
static int32_t say_owner(struct changing *c)
{
    char digits[2 * EDS_PUBLIC_KEY_SIZE + 1];

    for (size_t i = 0; i < c->count; i++) {
        const struct eds_enrolment *it = c->changes[i].enrolment;

        for (uint32_t k = 0; k < it->key_count; k++) {
            struct eds_key_owner owner;
            int32_t rc = c->postgres->ledger.roster->owner(&c->postgres->ledger,
                                                           it->keys[k].public_key, &owner, c->err);

            if (rc != EDS_OK)
                return rc;
            if (owner.role == it->role && strcmp(owner.id, it->id) == 0)
                continue;
            eds_hex_encode(digits, it->keys[k].public_key, EDS_PUBLIC_KEY_SIZE);
            return eds_error_set(c->err, EDS_ERR_EXISTS,
                                 "public key %s for %s belongs to %s %s: a key serves one %s only",
                                 digits, it->id, eds_role_name(owner.role), owner.id,
                                 eds_role_name(owner.role));
        }
    }
    return eds_error_set(c->err, EDS_ERR_USAGE, "the keys of %s are out of order",
                         c->changes[0].enrolment->id);
}

static void add_key(struct changing *c, const struct eds_enrolment *it, uint32_t at)
{
    struct postgres_array *columns = c->postgres->columns;
    const struct eds_enrolled_key *key = &it->keys[at];

    eds_postgres_array_add_text(&columns[0], eds_role_name(it->role));
    eds_postgres_array_add_text(&columns[1], it->id);
    eds_postgres_array_add_u64(&columns[2], at);
    eds_postgres_array_add(&columns[3], key->public_key, EDS_PUBLIC_KEY_SIZE);
    add_number(&columns[4], key->not_before_ms, 0);
    add_number(&columns[5], key->not_after_ms, EDS_KEY_NO_END);
    add_number(&columns[6], key->not_after_sequence, EDS_KEY_NO_END);
    eds_postgres_array_add_bool(&columns[7], key->revoked);
}

/* ON CONFLICT takes no row twice: a key of two enrolments in one change fails
 * there, with SQLSTATE 21000. */
static int32_t put_keys(struct changing *c)
{
    static const enum postgres_type types[] = {
        POSTGRES_TYPE_TEXT, POSTGRES_TYPE_TEXT, POSTGRES_TYPE_INT8, POSTGRES_TYPE_BYTEA,
        POSTGRES_TYPE_INT8, POSTGRES_TYPE_INT8, POSTGRES_TYPE_INT8, POSTGRES_TYPE_BOOL};
    static const char put[] =
        "INSERT INTO registry_keys AS k(role, id, key_number, public_key, not_before_ms,"
        " not_after_ms, not_after_sequence, revoked)"
        " SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[], $5::bigint[],"
        " $6::bigint[], $7::bigint[], $8::boolean[])"
        " ON CONFLICT (public_key) DO UPDATE SET not_before_ms = excluded.not_before_ms,"
        " not_after_ms = excluded.not_after_ms,"
        " not_after_sequence = excluded.not_after_sequence, revoked = excluded.revoked"
        " WHERE k.role = excluded.role AND k.id = excluded.id"
        " AND k.key_number = excluded.key_number";
    struct postgres_params params = {0};
    size_t sent = 0, written = 0;
    int32_t rc;

    begin_columns(c, types, 8);
    for (size_t i = 0; i < c->count; i++)
        for (uint32_t k = 0; k < c->changes[i].enrolment->key_count; k++, sent++)
            add_key(c, c->changes[i].enrolment, k);
    rc = run_columns(c, put, 8, &params, &written);
    if (rc == EDS_ERR_EXISTS)
        return eds_error_set(c->err, rc, "two of the changes have one key: a key serves one only");
    return rc == EDS_OK && written != sent ? say_owner(c) : rc;
}

static int32_t put_lines(struct changing *c)
{
    static const enum postgres_type types[] = {POSTGRES_TYPE_TEXT, POSTGRES_TYPE_TEXT,
                                               POSTGRES_TYPE_TEXT, POSTGRES_TYPE_TEXT};
    static const char put[] =
        "INSERT INTO operation_logs(decision, device_id, sequence, message, who, why, created_at,"
        " created_ms) SELECT 'Changed', n.id, 0, n.message, n.who, n.why, $1::timestamptz,"
        " $2::bigint FROM unnest($3::text[], $4::text[], $5::text[], $6::text[])"
        " AS n(id, message, who, why)";
    struct postgres_array *columns = c->postgres->columns;
    struct postgres_params params = {0};
    size_t written = 0;

    begin_columns(c, types, 4);
    for (size_t i = 0; i < c->count; i++) {
        eds_postgres_array_add_text(&columns[0], c->changes[i].enrolment->id);
        eds_postgres_array_add_text(&columns[1], c->changes[i].message);
        eds_postgres_array_add_text(&columns[2], c->changes[i].who);
        eds_postgres_array_add_text(&columns[3], c->changes[i].why);
    }
    eds_postgres_add_instant(&params, c->now_ms);
    return run_columns(c, put, 4, &params, &written);
}

static int32_t put_batch(struct changing *c)
{
    int32_t rc = put_rows(c, true);

    if (rc == EDS_OK)
        rc = put_rows(c, false);
    if (rc == EDS_OK)
        rc = put_keys(c);
    return rc == EDS_OK ? put_lines(c) : rc;
}

static int32_t put_batches(struct changing *c)
{
    int32_t rc = EDS_OK;

    if (c->source == NULL)
        return put_batch(c);
    do {
        rc = eds_roster_next(c->source, &c->changes, &c->count, c->err);
        if (rc == EDS_OK && c->count > 0)
            rc = put_batch(c);
    } while (rc == EDS_OK && c->count > 0);
    return rc;
}

static int32_t put_all(struct changing *c)
{
    struct postgres_params params = {0};
    PGresult *result = NULL;
    int32_t rc =
        eds_postgres_execute(c->postgres, POSTGRES_STATEMENT_BEGIN, &params, &result, c->err);

    PQclear(result);
    result = NULL;
    if (rc == EDS_OK)
        rc = take_turn(c);
    if (rc == EDS_OK)
        rc = put_batches(c);
    if (rc != EDS_OK)
        return rc;
    eds_postgres_sign_params(c->postgres, &params);
    rc =
        eds_postgres_execute(c->postgres, POSTGRES_STATEMENT_SIGN_COMMIT, &params, &result, c->err);
    PQclear(result);
    return rc;
}

void eds_postgres_roll_back(struct postgres_ledger *postgres)
{
    PGresult *result;

    if (postgres->connection == NULL)
        return;
    result = PQexec(postgres->connection, "ROLLBACK");
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        eds_postgres_disconnect(postgres);
    PQclear(result);
}

static int32_t check_writable(const struct postgres_ledger *postgres, struct eds_error *err)
{
    if (postgres->mode != POSTGRES_MODE_READ)
        return EDS_OK;
    return eds_error_set(err, EDS_ERR_USAGE, "PostgreSQL %s is open for reading only",
                         postgres->place);
}

/* *lost: the connection broke and nothing was done. */
static int32_t write(struct changing *c, bool *lost)
{
    int32_t rc = eds_postgres_ready(c->postgres, c->err);

    *lost = false;
    if (rc != EDS_OK)
        return rc;
    rc = put_all(c);
    if (rc == EDS_OK)
        return eds_postgres_finish(c->postgres, lost, c->err);
    *lost = c->postgres->connection == NULL;
    eds_postgres_roll_back(c->postgres);
    return rc;
}

int32_t eds_postgres_roster_change(struct eds_ledger *ledger,
                                   const struct eds_roster_change *changes, size_t count,
                                   uint64_t now_ms, struct eds_error *err)
{
    struct changing c = {.postgres = (struct postgres_ledger *)ledger,
                         .changes = changes,
                         .count = count,
                         .now_ms = now_ms,
                         .err = err};
    bool lost = true;
    int32_t rc = check_writable(c.postgres, err);

    if (rc == EDS_OK)
        rc = eds_roster_check_changes(changes, count, err);
    if (rc != EDS_OK || count == 0)
        return rc;
    for (int i = 0; lost && i < ATTEMPT_MAX; i++)
        rc = write(&c, &lost);
    return rc;
}

/* Tried once: what came from the source does not come again. */
int32_t eds_postgres_roster_change_all(struct eds_ledger *ledger, struct eds_roster_source *source,
                                       uint64_t now_ms, struct eds_error *err)
{
    struct changing c = {.postgres = (struct postgres_ledger *)ledger,
                         .source = source,
                         .now_ms = now_ms,
                         .err = err};
    bool lost;
    int32_t rc = check_writable(c.postgres, err);

    return rc == EDS_OK ? write(&c, &lost) : rc;
}

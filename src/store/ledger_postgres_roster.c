/* ledger_postgres_roster.c - the registry in PostgreSQL, read.
 *
 * Many are read in slices; each slice is one query, so that an enrolment and its
 * keys are of one moment. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "store/ledger_postgres_roster.h"

#define SLICE_ROWS 256
#define SLICE      "256"

/* One row a key; FROM and ORDER BY are the same for all. */
#define ROWS_OF(where)                                                                             \
    "SELECT r.revision, r.role, r.id, r.state, r.attest_required, r.site, r.cohort, r.firmware,"   \
    " k.public_key, k.not_before_ms, k.not_after_ms, k.not_after_sequence, k.revoked,"             \
    " r.quarantine_arrived, r.quarantine_left"                                                     \
    " FROM (SELECT * FROM registry " where " LIMIT " SLICE ") AS r"                                \
    " LEFT JOIN registry_keys AS k ON k.role = r.role AND k.id = r.id"

static bool take_text(char *out, size_t out_size, const PGresult *result, int row, int column)
{
    const char *text = eds_postgres_column_text(result, row, column, out_size);

    if (text == NULL)
        return false;
    strcpy(out, text);
    return true;
}

static bool take_role(enum eds_role *out, const PGresult *result, int row, int column)
{
    const char *word = eds_postgres_column_text(result, row, column, 16);

    return word != NULL && eds_role_parse(out, word);
}

static bool take_bool(bool *out, const PGresult *result, int row, int column)
{
    uint8_t byte;

    if (!eds_postgres_column_bytes(&byte, 1, result, row, column))
        return false;
    *out = byte != 0;
    return true;
}

static int32_t read_row(const struct postgres_ledger *postgres, const PGresult *result, int row,
                        struct eds_enrolment *out, struct eds_error *err)
{
    const char *state = eds_postgres_column_text(result, row, 3, 16), *bad = NULL;

    memset(out, 0, sizeof *out);
    if (!eds_postgres_column_u64(&out->revision, result, row, 0))
        bad = "revision";
    else if (!take_role(&out->role, result, row, 1))
        bad = "role";
    else if (!take_text(out->id, sizeof out->id, result, row, 2))
        bad = "id";
    else if (state == NULL || !eds_device_state_parse(&out->state, state))
        bad = "state";
    else if (!take_bool(&out->attest_required, result, row, 4))
        bad = "attest_required";
    else if (!take_text(out->site, sizeof out->site, result, row, 5))
        bad = "site";
    else if (!take_text(out->cohort, sizeof out->cohort, result, row, 6))
        bad = "cohort";
    else if (!take_text(out->firmware, sizeof out->firmware, result, row, 7))
        bad = "firmware";
    else if (!eds_postgres_column_u64(&out->quarantine_arrived, result, row, 13) ||
             !eds_postgres_column_u64(&out->quarantine_left, result, row, 14))
        bad = "quarantine";
    if (bad != NULL)
        return eds_postgres_damaged(postgres, err, "registry", out->revision, bad);
    return EDS_OK;
}

static uint64_t number_or(const PGresult *result, int row, int column, uint64_t otherwise)
{
    uint64_t number;

    return eds_postgres_column_u64(&number, result, row, column) ? number : otherwise;
}

static int32_t read_key(const struct postgres_ledger *postgres, const PGresult *result, int row,
                        struct eds_enrolment *out, struct eds_error *err)
{
    struct eds_enrolled_key *key = &out->keys[out->key_count];

    if (out->key_count == EDS_ENROLMENT_KEYS_MAX ||
        !eds_postgres_column_bytes(key->public_key, sizeof key->public_key, result, row, 8) ||
        !take_bool(&key->revoked, result, row, 12))
        return eds_postgres_damaged(postgres, err, "registry_keys", out->revision, "key");
    key->not_before_ms = number_or(result, row, 9, 0);
    key->not_after_ms = number_or(result, row, 10, EDS_KEY_NO_END);
    key->not_after_sequence = number_or(result, row, 11, EDS_KEY_NO_END);
    out->key_count++;
    return EDS_OK;
}

/* Whether a row is another key of the enrolment read before it. */
static bool continues(const PGresult *result, int row)
{
    return row > 0 && strcmp(PQgetvalue(result, row, 1), PQgetvalue(result, row - 1, 1)) == 0 &&
           strcmp(PQgetvalue(result, row, 2), PQgetvalue(result, row - 1, 2)) == 0;
}

/* Reads the enrolment that begins at *row and moves past its rows. */
static int32_t read_one(const struct postgres_ledger *postgres, const PGresult *result, int *row,
                        struct eds_enrolment *out, struct eds_error *err)
{
    int32_t rc = read_row(postgres, result, *row, out, err);

    do {
        if (rc == EDS_OK)
            rc = read_key(postgres, result, *row, out, err);
        ++*row;
    } while (rc == EDS_OK && *row < PQntuples(result) && continues(result, *row));
    return rc;
}

/* Walks from after a place: $1 a role, $2 an id, $3 a revision. */
static int32_t walk(struct eds_ledger *ledger, const char *query, struct eds_enrolment *place,
                    const char *role, eds_roster_visit *visit, void *context, struct eds_error *err)
{
    struct postgres_ledger *postgres = (struct postgres_ledger *)ledger;
    int count = SLICE_ROWS;
    int32_t rc = EDS_OK;

    while (rc == EDS_OK && count == SLICE_ROWS) {
        struct postgres_params params = {0};
        PGresult *result = NULL;

        eds_postgres_add_text(&params, role);
        eds_postgres_add_text(&params, place->id);
        eds_postgres_add_u64(&params, place->revision);
        rc = eds_postgres_ask(postgres, query, &params, &result, err);
        count = 0;
        for (int row = 0; rc == EDS_OK && row < PQntuples(result); count++) {
            rc = read_one(postgres, result, &row, place, err);
            if (rc == EDS_OK)
                rc = visit(context, place);
        }
        PQclear(result);
        role = eds_role_name(place->role);
    }
    return rc;
}

static int32_t walk_from(struct eds_ledger *ledger, const char *query, const char *role,
                         uint64_t revision, eds_roster_visit *visit, void *context,
                         struct eds_error *err)
{
    struct eds_enrolment *place = calloc(1, sizeof *place);
    int32_t rc;

    if (place == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to read the registry");
    place->revision = revision;
    rc = walk(ledger, query, place, role, visit, context, err);
    free(place);
    return rc;
}

static int32_t roster_scan(struct eds_ledger *ledger, enum eds_role role, eds_roster_visit *visit,
                           void *context, struct eds_error *err)
{
    return walk_from(ledger,
                     ROWS_OF("WHERE role = $1::text AND id > $2::text AND $3::bigint IS NOT NULL"
                             " ORDER BY id") " ORDER BY r.id, k.key_number",
                     eds_role_name(role), 0, visit, context, err);
}

static int32_t roster_changed(struct eds_ledger *ledger, uint64_t since, eds_roster_visit *visit,
                              void *context, struct eds_error *err)
{
    return walk_from(
        ledger,
        ROWS_OF("WHERE (revision, role, id) > ($3::bigint, $1::text, $2::text)"
                " ORDER BY revision, role, id") " ORDER BY r.revision, r.role, r.id, k.key_number",
        "", since + 1, visit, context, err);
}

static int32_t roster_find(struct eds_ledger *ledger, enum eds_role role, const char *id,
                           struct eds_enrolment *out, struct eds_error *err)
{
    struct postgres_ledger *postgres = (struct postgres_ledger *)ledger;
    struct postgres_params params = {0};
    PGresult *result = NULL;
    int row = 0;
    int32_t rc = EDS_OK;

    if (eds_utf8_valid(id, strlen(id))) { /* else no enrolment can have it */
        eds_postgres_add_text(&params, eds_role_name(role));
        eds_postgres_add_text(&params, id);
        rc = eds_postgres_ask(
            postgres, ROWS_OF("WHERE role = $1::text AND id = $2::text") " ORDER BY k.key_number",
            &params, &result, err);
    }
    if (rc == EDS_OK && PQntuples(result) > 0)
        rc = read_one(postgres, result, &row, out, err);
    else if (rc == EDS_OK)
        rc = eds_error_set(err, EDS_ERR_NOT_FOUND, "no %s %s is registered", eds_role_name(role),
                           id);
    PQclear(result);
    return rc;
}

/* One slice of the ids, of which each is valid UTF-8 or nobody's. */
static int32_t find_slice(struct postgres_ledger *postgres, enum eds_role role,
                          const char *const *ids, size_t count, struct eds_enrolment *place,
                          eds_roster_visit *visit, void *context, struct eds_error *err)
{
    struct postgres_params params = {0};
    struct postgres_array *column = &postgres->columns[0];
    PGresult *result = NULL;
    int32_t rc = EDS_OK;

    eds_postgres_array_begin(column, POSTGRES_TYPE_TEXT);
    for (size_t i = 0; i < count; i++)
        if (eds_utf8_valid(ids[i], strlen(ids[i])))
            eds_postgres_array_add_text(column, ids[i]);
    eds_postgres_add_text(&params, eds_role_name(role));
    if (!eds_postgres_array_finish(column, &params))
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to read the registry");
    rc =
        eds_postgres_ask(postgres,
                         ROWS_OF("WHERE role = $1::text AND id = ANY($2::text[])") " ORDER BY r.id,"
                                                                                   " k.key_number",
                         &params, &result, err);
    for (int row = 0; rc == EDS_OK && row < PQntuples(result);) {
        rc = read_one(postgres, result, &row, place, err);
        if (rc == EDS_OK)
            rc = visit(context, place);
    }
    PQclear(result);
    return rc;
}

static int32_t roster_find_many(struct eds_ledger *ledger, enum eds_role role,
                                const char *const *ids, size_t count, eds_roster_visit *visit,
                                void *context, struct eds_error *err)
{
    struct eds_enrolment *place = calloc(1, sizeof *place);
    int32_t rc = EDS_OK;

    if (place == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to read the registry");
    for (size_t at = 0; rc == EDS_OK && at < count; at += SLICE_ROWS)
        rc = find_slice((struct postgres_ledger *)ledger, role, ids + at,
                        count - at < SLICE_ROWS ? count - at : SLICE_ROWS, place, visit, context,
                        err);
    free(place);
    return rc;
}

static int32_t roster_owners(struct eds_ledger *ledger, const uint8_t *const *public_keys,
                             size_t count, struct eds_key_owner *out, struct eds_error *err)
{
    static const char query[] =
        "SELECT n.at, k.role, k.id FROM unnest($1::bytea[]) WITH ORDINALITY AS n(key, at)"
        " JOIN registry_keys AS k ON k.public_key = n.key";
    struct postgres_ledger *postgres = (struct postgres_ledger *)ledger;
    struct postgres_params params = {0};
    struct postgres_array *column = &postgres->columns[0];
    PGresult *result = NULL;
    int32_t rc;

    memset(out, 0, count * sizeof *out);
    eds_postgres_array_begin(column, POSTGRES_TYPE_BYTEA);
    for (size_t i = 0; i < count; i++)
        eds_postgres_array_add(column, public_keys[i], EDS_PUBLIC_KEY_SIZE);
    if (!eds_postgres_array_finish(column, &params))
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to read the registry");
    rc = eds_postgres_ask(postgres, query, &params, &result, err);
    for (int row = 0; rc == EDS_OK && row < PQntuples(result); row++) {
        uint64_t at;

        if (!eds_postgres_column_u64(&at, result, row, 0) || at - 1 >= count ||
            !take_role(&out[at - 1].role, result, row, 1) ||
            !take_text(out[at - 1].id, sizeof out[at - 1].id, result, row, 2))
            rc = eds_postgres_damaged(postgres, err, "registry_keys", 0, "owner");
    }
    PQclear(result);
    return rc;
}

static int32_t roster_version(struct eds_ledger *ledger, uint64_t *out, struct eds_error *err)
{
    struct postgres_ledger *postgres = (struct postgres_ledger *)ledger;
    struct postgres_params none = {0};
    PGresult *result = NULL;
    int32_t rc =
        eds_postgres_query(postgres, POSTGRES_STATEMENT_ROSTER_VERSION, &none, &result, err);

    if (rc == EDS_OK && (PQntuples(result) != 1 || !eds_postgres_column_u64(out, result, 0, 0)))
        rc = eds_postgres_damaged(postgres, err, "registry_version", 0, "version");
    PQclear(result);
    return rc;
}

static int32_t roster_owner(struct eds_ledger *ledger,
                            const uint8_t public_key[EDS_PUBLIC_KEY_SIZE],
                            struct eds_key_owner *out, struct eds_error *err)
{
    struct postgres_ledger *postgres = (struct postgres_ledger *)ledger;
    struct postgres_params params = {0};
    PGresult *result = NULL;
    int32_t rc;

    eds_postgres_add_bytes(&params, public_key, EDS_PUBLIC_KEY_SIZE);
    rc = eds_postgres_ask(postgres,
                          "SELECT role, id FROM registry_keys WHERE public_key = $1::bytea",
                          &params, &result, err);
    if (rc == EDS_OK && PQntuples(result) == 0)
        rc = eds_error_set(err, EDS_ERR_NOT_FOUND, "the key is not registered");
    else if (rc == EDS_OK && (!take_role(&out->role, result, 0, 0) ||
                              !take_text(out->id, sizeof out->id, result, 0, 1)))
        rc = eds_postgres_damaged(postgres, err, "registry_keys", 0, "owner");
    PQclear(result);
    return rc;
}

const struct eds_roster_ops eds_postgres_roster_ops = {
    .change = eds_postgres_roster_change,
    .change_all = eds_postgres_roster_change_all,
    .version = roster_version,
    .find = roster_find,
    .owner = roster_owner,
    .find_many = roster_find_many,
    .owners = roster_owners,
    .scan = roster_scan,
    .changed = roster_changed,
};

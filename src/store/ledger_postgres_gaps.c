/* ledger_postgres_gaps.c - gaps that were closed, in PostgreSQL. */
#include "store/gaps.h"

#include <string.h>

#include "store/ledger_postgres_roster.h"

#define ATTEMPT_MAX 2

#define COLUMNS                                                                                    \
    "id, device_id, last_sequence, last_record_hash, resume_sequence, resume_hash, closed_ms,"     \
    " operator, reason, key_id, signature"

#define OF_OPERATOR                                                                                \
    "EXISTS(SELECT 1 FROM registry WHERE role = 'operator' AND id = $4::text"                      \
    " AND revision = $5::bigint)"

struct closing {
    struct postgres_ledger *postgres;
    const struct eds_gap_closing *what;
    struct eds_error *err;
};

/* Runs a statement that must write one row; *wrote says whether it did. */
static int32_t run(const struct closing *closing, const char *sql,
                   const struct postgres_params *params, bool *wrote)
{
    PGresult *result = NULL;
    int32_t rc = eds_postgres_once(closing->postgres, sql, params, &result, closing->err);

    if (rc == EDS_OK)
        *wrote = strcmp(PQcmdTuples(result), "1") == 0;
    PQclear(result);
    return rc;
}

static int32_t move_head(const struct closing *closing)
{
    static const char move[] =
        "UPDATE chain_heads SET sequence = $2::bigint, record_hash = $3::bytea"
        " WHERE device_id = $1::text AND sequence = $6::bigint AND record_hash = $7::bytea"
        " AND " OF_OPERATOR;
    static const char begin[] =
        "INSERT INTO chain_heads(device_id, sequence, record_hash, attested, conflict_count)"
        " SELECT $1::text, $2::bigint, $3::bytea, false, 0 WHERE " OF_OPERATOR
        " ON CONFLICT DO NOTHING";
    const struct eds_gap *gap = closing->what->gap;
    bool is_first = gap->last_sequence == 0, moved = false;
    struct postgres_params params = {0};
    int32_t rc;

    eds_postgres_add_text(&params, gap->device_id);
    eds_postgres_add_u64(&params, gap->resume_sequence - 1);
    eds_postgres_add_bytes(&params, gap->resume_hash, EDS_HASH_SIZE);
    eds_postgres_add_text(&params, gap->operator_name);
    eds_postgres_add_u64(&params, closing->what->operator_revision);
    if (!is_first) {
        eds_postgres_add_u64(&params, gap->last_sequence);
        eds_postgres_add_bytes(&params, gap->last_record_hash, EDS_HASH_SIZE);
    }
    rc = run(closing, is_first ? begin : move, &params, &moved);
    if (rc == EDS_OK && !moved)
        return eds_error_set(closing->err, EDS_ERR_HEAD_MOVED,
                             "the head of device %s is another one by now, or operator %s was "
                             "changed",
                             gap->device_id, gap->operator_name);
    return rc;
}

static int32_t add_gap(const struct closing *closing)
{
    static const char add[] =
        "INSERT INTO chain_gaps(device_id, last_sequence, last_record_hash, resume_sequence,"
        " resume_hash, closed_ms, operator, reason, key_id, signature)"
        " VALUES($1::text, $2::bigint, $3::bytea, $4::bigint, $5::bytea, $6::bigint, $7::text,"
        " $8::text, $9::bytea, $10::bytea)";
    const struct eds_gap *gap = closing->what->gap;
    struct postgres_params params = {0};
    bool added;

    eds_postgres_add_text(&params, gap->device_id);
    eds_postgres_add_u64(&params, gap->last_sequence);
    eds_postgres_add_bytes(&params, gap->last_record_hash, EDS_HASH_SIZE);
    eds_postgres_add_u64(&params, gap->resume_sequence);
    eds_postgres_add_bytes(&params, gap->resume_hash, EDS_HASH_SIZE);
    eds_postgres_add_u64(&params, gap->closed_ms);
    eds_postgres_add_text(&params, gap->operator_name);
    eds_postgres_add_text(&params, gap->reason);
    eds_postgres_add_bytes(&params, gap->key_id, EDS_KEY_ID_SIZE);
    eds_postgres_add_bytes(&params, gap->signature, EDS_SIGNATURE_SIZE);
    return run(closing, add, &params, &added);
}

static int32_t add_line(const struct closing *closing)
{
    static const char add[] =
        "INSERT INTO operation_logs(decision, device_id, sequence, message, who, why, created_at,"
        " created_ms) VALUES('Changed', $1::text, $2::bigint, $3::text, $4::text, $5::text,"
        " $6::timestamptz, $7::bigint)";
    const struct eds_gap *gap = closing->what->gap;
    struct postgres_params params = {0};
    bool added;

    eds_postgres_add_text(&params, gap->device_id);
    eds_postgres_add_u64(&params, gap->resume_sequence);
    eds_postgres_add_text(&params, closing->what->message);
    eds_postgres_add_text(&params, gap->operator_name);
    eds_postgres_add_text(&params, gap->reason);
    eds_postgres_add_instant(&params, closing->what->now_ms);
    return run(closing, add, &params, &added);
}

static int32_t write(const struct closing *closing)
{
    struct postgres_params params = {0};
    PGresult *result = NULL;
    int32_t rc = eds_postgres_execute(closing->postgres, POSTGRES_STATEMENT_BEGIN, &params, &result,
                                      closing->err);

    PQclear(result);
    result = NULL;
    if (rc == EDS_OK)
        rc = move_head(closing);
    if (rc == EDS_OK)
        rc = add_gap(closing);
    if (rc == EDS_OK)
        rc = add_line(closing);
    if (rc != EDS_OK)
        return rc;
    eds_postgres_sign_params(closing->postgres, &params);
    rc = eds_postgres_execute(closing->postgres, POSTGRES_STATEMENT_SIGN_COMMIT, &params, &result,
                              closing->err);
    PQclear(result);
    return rc;
}

static int32_t postgres_close(struct eds_ledger *ledger, const struct eds_gap_closing *what,
                              struct eds_error *err)
{
    struct closing closing = {
        .postgres = (struct postgres_ledger *)ledger, .what = what, .err = err};
    bool lost = true;
    int32_t rc = eds_gap_check(what->gap, err);

    if (rc != EDS_OK)
        return rc;
    if (closing.postgres->mode == POSTGRES_MODE_READ)
        return eds_error_set(err, EDS_ERR_USAGE, "PostgreSQL %s is open for reading only",
                             closing.postgres->place);
    for (int i = 0; lost && i < ATTEMPT_MAX; i++) {
        lost = false;
        rc = eds_postgres_ready(closing.postgres, err);
        if (rc != EDS_OK)
            break;
        rc = write(&closing);
        if (rc == EDS_OK) {
            rc = eds_postgres_finish(closing.postgres, &lost, err);
        } else {
            lost = closing.postgres->connection == NULL; /* before COMMIT: nothing was done */
            eds_postgres_roll_back(closing.postgres);
        }
    }
    return rc;
}

static int32_t read_row(const struct postgres_ledger *postgres, const PGresult *result,
                        struct eds_gap *out, uint64_t *id, struct eds_error *err)
{
    const char *device_id = eds_postgres_column_text(result, 0, 1, sizeof out->device_id);
    const char *operator_name = eds_postgres_column_text(result, 0, 7, sizeof out->operator_name);
    const char *reason = eds_postgres_column_text(result, 0, 8, sizeof out->reason), *bad = NULL;

    memset(out, 0, sizeof *out);
    *id = 0;
    if (!eds_postgres_column_u64(id, result, 0, 0))
        bad = "id";
    else if (device_id == NULL)
        bad = "device_id";
    else if (operator_name == NULL)
        bad = "operator";
    else if (reason == NULL)
        bad = "reason";
    else if (!eds_postgres_column_u64(&out->last_sequence, result, 0, 2))
        bad = "last_sequence";
    else if (!eds_postgres_column_bytes(out->last_record_hash, EDS_HASH_SIZE, result, 0, 3))
        bad = "last_record_hash";
    else if (!eds_postgres_column_u64(&out->resume_sequence, result, 0, 4))
        bad = "resume_sequence";
    else if (!eds_postgres_column_bytes(out->resume_hash, EDS_HASH_SIZE, result, 0, 5))
        bad = "resume_hash";
    else if (!eds_postgres_column_u64(&out->closed_ms, result, 0, 6))
        bad = "closed_ms";
    else if (!eds_postgres_column_bytes(out->key_id, EDS_KEY_ID_SIZE, result, 0, 9))
        bad = "key_id";
    else if (!eds_postgres_column_bytes(out->signature, EDS_SIGNATURE_SIZE, result, 0, 10))
        bad = "signature";
    if (bad != NULL)
        return eds_postgres_damaged(postgres, err, "chain_gaps", *id, bad);
    strcpy(out->device_id, device_id);
    strcpy(out->operator_name, operator_name);
    strcpy(out->reason, reason);
    return EDS_OK;
}

static int32_t postgres_next(struct eds_ledger *ledger, const char *device_id,
                             struct eds_gap_place *place, struct eds_gap *out,
                             struct eds_error *err)
{
    static const char of_one[] = "SELECT " COLUMNS " FROM chain_gaps WHERE device_id = $1::text"
                                 " AND id > $2::bigint ORDER BY id LIMIT 1";
    static const char of_all[] = "SELECT " COLUMNS " FROM chain_gaps WHERE (device_id, id) >"
                                 " ($1::text, $2::bigint) ORDER BY device_id, id LIMIT 1";
    struct postgres_ledger *postgres = (struct postgres_ledger *)ledger;
    struct postgres_params params = {0};
    PGresult *result = NULL;
    uint64_t id = 0;
    int32_t rc;

    eds_postgres_add_text(&params, device_id != NULL ? device_id : place->device_id);
    eds_postgres_add_u64(&params, place->id);
    rc = eds_postgres_ask(postgres, device_id != NULL ? of_one : of_all, &params, &result, err);
    if (rc == EDS_OK && PQntuples(result) == 0)
        rc = eds_error_set(err, EDS_ERR_NOT_FOUND, "no more gaps are closed here");
    else if (rc == EDS_OK)
        rc = read_row(postgres, result, out, &id, err);
    PQclear(result);
    if (rc == EDS_OK) {
        strcpy(place->device_id, out->device_id);
        place->id = id;
    }
    return rc;
}

const struct eds_gap_ops eds_postgres_gap_ops = {
    .close = postgres_close,
    .next = postgres_next,
};

/* ledger_postgres_orders.c - orders to devices, in PostgreSQL. */
#include "store/orders.h"

#include <string.h>

#include "store/ledger_postgres_roster.h"

#define ATTEMPT_MAX 2

#define COLUMNS                                                                                    \
    "counter, kind, issued_ms, not_after_ms, operator, body, key_id, signature,"                   \
    " coalesce(taken_ms, 0), coalesce(result, ''), coalesce(result_ms, 0),"                        \
    " coalesce(result_sequence, 0)"

/* One transaction that may be made again: what is done in it, and to what. */
struct writing {
    struct postgres_ledger *postgres;
    const struct eds_order_giving *giving;     /* or */
    const struct eds_order_settling *settling; /* or, both NULL: */
    const char *device_id;                     /* an order that is taken */
    uint64_t counter, now_ms;
    struct eds_error *err;
};

/* Runs a statement and tells how many rows it wrote: none, or one. */
static int32_t run(const struct writing *writing, const char *sql,
                   const struct postgres_params *params, bool *wrote)
{
    PGresult *result = NULL;
    int32_t rc = eds_postgres_once(writing->postgres, sql, params, &result, writing->err);

    *wrote = rc == EDS_OK && strcmp(PQcmdTuples(result), "1") == 0;
    PQclear(result);
    return rc;
}

static int32_t add_line(const struct writing *writing, const struct eds_operation *line,
                        uint64_t now_ms)
{
    static const char add[] =
        "INSERT INTO operation_logs(decision, device_id, sequence, message, who, why, created_at,"
        " created_ms) VALUES('Changed', $1::text, $2::bigint, $3::text, $4::text, $5::text,"
        " $6::timestamptz, $7::bigint)";
    struct postgres_params params = {0};
    bool added;

    eds_postgres_add_text(&params, line->device_id);
    eds_postgres_add_u64(&params, line->sequence);
    eds_postgres_add_text(&params, line->message);
    eds_postgres_add_text(&params, line->who);
    eds_postgres_add_text(&params, line->why);
    eds_postgres_add_instant(&params, now_ms);
    return run(writing, add, &params, &added);
}

/* Reads one number. */
static int32_t read_number(const PGresult *result, struct postgres_ledger *postgres, uint64_t *out,
                           struct eds_error *err)
{
    if (PQntuples(result) == 1 && eds_postgres_column_u64(out, result, 0, 0))
        return EDS_OK;
    return eds_postgres_damaged(postgres, err, "device_commands", 0, "counter");
}

static int32_t check_room(const struct writing *writing)
{
    static const char count[] = "SELECT count(*) FROM device_commands WHERE device_id = $1::text"
                                " AND result IS NULL AND not_after_ms >= $2::bigint";
    struct postgres_params params = {0};
    PGresult *result = NULL;
    uint64_t open_count = 0;
    int32_t rc;

    eds_postgres_add_text(&params, writing->giving->order->device_id);
    eds_postgres_add_u64(&params, writing->giving->now_ms);
    rc = eds_postgres_once(writing->postgres, count, &params, &result, writing->err);
    if (rc == EDS_OK)
        rc = read_number(result, writing->postgres, &open_count, writing->err);
    PQclear(result);
    if (rc == EDS_OK && open_count >= EDS_ORDERS_OPEN_MAX)
        rc = eds_order_full(writing->giving->order, writing->err);
    return rc;
}

/* Two at the same time have the same counter: one of them finds it taken. */
static int32_t add_order(const struct writing *writing)
{
    static const char add[] =
        "INSERT INTO device_commands(device_id, counter, kind, issued_ms, not_after_ms, operator,"
        " body, key_id, signature) SELECT $1::text, $2::bigint, $3::bigint, $4::bigint,"
        " $5::bigint, $6::text, $7::text, $8::bytea, $9::bytea"
        " WHERE EXISTS(SELECT 1 FROM registry WHERE role = 'operator' AND id = $6::text"
        " AND revision = $10::bigint)"
        " AND $2::bigint > (SELECT coalesce(max(counter), 0) FROM device_commands"
        " WHERE device_id = $1::text) ON CONFLICT DO NOTHING";
    const struct eds_order_giving *giving = writing->giving;
    const struct eds_order *order = giving->order;
    struct postgres_params params = {0};
    bool added;
    int32_t rc;

    eds_postgres_add_text(&params, order->device_id);
    eds_postgres_add_u64(&params, order->counter);
    eds_postgres_add_u64(&params, order->kind);
    eds_postgres_add_u64(&params, order->issued_ms);
    eds_postgres_add_u64(&params, order->not_after_ms);
    eds_postgres_add_text(&params, order->operator_name);
    eds_postgres_add_text(&params, order->body);
    eds_postgres_add_bytes(&params, giving->word->key_id, EDS_KEY_ID_SIZE);
    eds_postgres_add_bytes(&params, giving->word->signature, EDS_SIGNATURE_SIZE);
    eds_postgres_add_u64(&params, giving->operator_revision);
    rc = run(writing, add, &params, &added);
    return rc == EDS_OK && !added ? eds_order_moved(order, writing->err) : rc;
}

static int32_t give(const struct writing *writing)
{
    const struct eds_order_giving *giving = writing->giving;
    struct eds_operation line = {EDS_DECISION_CHANGED, giving->order->device_id,     0,
                                 giving->message,      giving->order->operator_name, giving->why};
    int32_t rc = check_room(writing);

    if (rc == EDS_OK)
        rc = add_order(writing);
    return rc == EDS_OK ? add_line(writing, &line, giving->now_ms) : rc;
}

/* Whether there is such an order at all. */
static int32_t find(const struct writing *writing, const char *device_id, uint64_t counter)
{
    static const char sql[] = "SELECT count(*) FROM device_commands WHERE device_id = $1::text"
                              " AND counter = $2::bigint";
    struct postgres_params params = {0};
    PGresult *result = NULL;
    uint64_t count = 0;
    int32_t rc;

    eds_postgres_add_text(&params, device_id);
    eds_postgres_add_u64(&params, counter);
    rc = eds_postgres_once(writing->postgres, sql, &params, &result, writing->err);
    if (rc == EDS_OK)
        rc = read_number(result, writing->postgres, &count, writing->err);
    PQclear(result);
    return rc == EDS_OK && count == 0 ? eds_order_missing(device_id, counter, writing->err) : rc;
}

static int32_t settle(const struct writing *writing)
{
    static const char sql[] =
        "UPDATE device_commands SET result = $3::text, result_ms = $4::bigint,"
        " result_sequence = $5::bigint"
        " WHERE device_id = $1::text AND counter = $2::bigint AND result IS NULL";
    const struct eds_order_settling *settling = writing->settling;
    struct eds_operation line = {EDS_DECISION_CHANGED, settling->device_id, settling->sequence,
                                 settling->message,    settling->device_id, ""};
    struct postgres_params params = {0};
    bool settled;
    int32_t rc;

    eds_postgres_add_text(&params, settling->device_id);
    eds_postgres_add_u64(&params, settling->counter);
    eds_postgres_add_text(&params, settling->result == EDS_ORDER_DONE ? "done" : "refused");
    eds_postgres_add_u64(&params, settling->now_ms);
    eds_postgres_add_u64(&params, settling->sequence);
    rc = run(writing, sql, &params, &settled);
    if (rc == EDS_OK && !settled)
        return find(writing, settling->device_id, settling->counter);
    return rc == EDS_OK ? add_line(writing, &line, settling->now_ms) : rc;
}

static int32_t take(const struct writing *writing)
{
    static const char sql[] = "UPDATE device_commands SET taken_ms = coalesce(taken_ms, $3::bigint)"
                              " WHERE device_id = $1::text AND counter = $2::bigint";
    struct postgres_params params = {0};
    bool taken;
    int32_t rc;

    eds_postgres_add_text(&params, writing->device_id);
    eds_postgres_add_u64(&params, writing->counter);
    eds_postgres_add_u64(&params, writing->now_ms);
    rc = run(writing, sql, &params, &taken);
    return rc == EDS_OK && !taken
               ? eds_order_missing(writing->device_id, writing->counter, writing->err)
               : rc;
}

static int32_t write_once(const struct writing *writing)
{
    struct postgres_params params = {0};
    PGresult *result = NULL;
    int32_t rc = eds_postgres_execute(writing->postgres, POSTGRES_STATEMENT_BEGIN, &params, &result,
                                      writing->err);

    PQclear(result);
    result = NULL;
    if (rc == EDS_OK)
        rc = writing->giving != NULL     ? give(writing)
             : writing->settling != NULL ? settle(writing)
                                         : take(writing);
    if (rc != EDS_OK)
        return rc;
    eds_postgres_sign_params(writing->postgres, &params);
    rc = eds_postgres_execute(writing->postgres, POSTGRES_STATEMENT_SIGN_COMMIT, &params, &result,
                              writing->err);
    PQclear(result);
    return rc;
}

static int32_t write(const struct writing *writing)
{
    struct postgres_ledger *postgres = writing->postgres;
    bool lost = true;
    int32_t rc = EDS_OK;

    if (postgres->mode == POSTGRES_MODE_READ)
        return eds_error_set(writing->err, EDS_ERR_USAGE, "PostgreSQL %s is open for reading only",
                             postgres->place);
    for (int i = 0; lost && i < ATTEMPT_MAX; i++) {
        lost = false;
        rc = eds_postgres_ready(postgres, writing->err);
        if (rc != EDS_OK)
            break;
        rc = write_once(writing);
        if (rc == EDS_OK) {
            rc = eds_postgres_finish(postgres, &lost, writing->err);
        } else {
            lost = postgres->connection == NULL; /* before COMMIT: nothing was done */
            eds_postgres_roll_back(postgres);
        }
    }
    return rc;
}

static int32_t postgres_give(struct eds_ledger *ledger, const struct eds_order_giving *giving,
                             struct eds_error *err)
{
    struct writing writing = {
        .postgres = (struct postgres_ledger *)ledger, .giving = giving, .err = err};
    int32_t rc = eds_order_check_giving(giving, err);

    return rc == EDS_OK ? write(&writing) : rc;
}

static int32_t postgres_settle(struct eds_ledger *ledger, const struct eds_order_settling *settling,
                               struct eds_error *err)
{
    struct writing writing = {
        .postgres = (struct postgres_ledger *)ledger, .settling = settling, .err = err};

    return write(&writing);
}

static int32_t postgres_take(struct eds_ledger *ledger, const char *device_id, uint64_t counter,
                             uint64_t now_ms, struct eds_error *err)
{
    struct writing writing = {.postgres = (struct postgres_ledger *)ledger,
                              .device_id = device_id,
                              .counter = counter,
                              .now_ms = now_ms,
                              .err = err};

    return write(&writing);
}

static int32_t postgres_last(struct eds_ledger *ledger, const char *device_id, uint64_t *counter,
                             struct eds_error *err)
{
    static const char sql[] = "SELECT coalesce(max(counter), 0) FROM device_commands"
                              " WHERE device_id = $1::text";
    struct postgres_ledger *postgres = (struct postgres_ledger *)ledger;
    struct postgres_params params = {0};
    PGresult *result = NULL;
    int32_t rc;

    eds_postgres_add_text(&params, device_id);
    rc = eds_postgres_ask(postgres, sql, &params, &result, err);
    if (rc == EDS_OK)
        rc = read_number(result, postgres, counter, err);
    PQclear(result);
    return rc;
}

/* Reads what came of it: three columns from 9 on.  False: they are none of ours. */
static bool read_result(struct eds_stored_order *out, const PGresult *result)
{
    const char *word = eds_postgres_column_text(result, 0, 9, 16);

    if (word == NULL || !eds_postgres_column_u64(&out->result_ms, result, 0, 10) ||
        !eds_postgres_column_u64(&out->result_sequence, result, 0, 11))
        return false;
    if (strcmp(word, "done") == 0)
        out->result = EDS_ORDER_DONE;
    else if (strcmp(word, "refused") == 0)
        out->result = EDS_ORDER_REFUSED;
    return word[0] == '\0' || out->result != EDS_ORDER_UNANSWERED;
}

static int32_t read_row(const struct postgres_ledger *postgres, const PGresult *result,
                        const char *device_id, struct eds_stored_order *out, struct eds_error *err)
{
    struct eds_order *order = &out->order;
    const char *operator_name = eds_postgres_column_text(result, 0, 4, sizeof order->operator_name);
    const char *body = eds_postgres_column_text(result, 0, 5, sizeof order->body), *bad = NULL;
    uint64_t kind = 0;

    memset(out, 0, sizeof *out);
    if (!eds_postgres_column_u64(&order->counter, result, 0, 0))
        bad = "counter";
    else if (!eds_postgres_column_u64(&kind, result, 0, 1) || kind == 0 || kind > UINT8_MAX)
        bad = "kind";
    else if (!eds_postgres_column_u64(&order->issued_ms, result, 0, 2))
        bad = "issued_ms";
    else if (!eds_postgres_column_u64(&order->not_after_ms, result, 0, 3))
        bad = "not_after_ms";
    else if (operator_name == NULL)
        bad = "operator";
    else if (body == NULL)
        bad = "body";
    else if (!eds_postgres_column_bytes(out->word.key_id, EDS_KEY_ID_SIZE, result, 0, 6))
        bad = "key_id";
    else if (!eds_postgres_column_bytes(out->word.signature, EDS_SIGNATURE_SIZE, result, 0, 7))
        bad = "signature";
    else if (!eds_postgres_column_u64(&out->taken_ms, result, 0, 8))
        bad = "taken_ms";
    else if (!read_result(out, result))
        bad = "result";
    if (bad != NULL)
        return eds_postgres_damaged(postgres, err, "device_commands", order->counter, bad);
    order->kind = (uint8_t)kind;
    strcpy(order->device_id, device_id);
    strcpy(order->operator_name, operator_name);
    strcpy(order->body, body);
    return EDS_OK;
}

static int32_t postgres_next(struct eds_ledger *ledger, const char *device_id, uint64_t after,
                             uint64_t open_ms, struct eds_stored_order *out, struct eds_error *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM device_commands WHERE device_id = $1::text"
                              " AND counter > $2::bigint AND ($3::bigint = 0 OR (result IS NULL"
                              " AND not_after_ms >= $3::bigint)) ORDER BY counter LIMIT 1";
    struct postgres_ledger *postgres = (struct postgres_ledger *)ledger;
    struct postgres_params params = {0};
    PGresult *result = NULL;
    int32_t rc;

    eds_postgres_add_text(&params, device_id);
    eds_postgres_add_u64(&params, after);
    eds_postgres_add_u64(&params, open_ms);
    rc = eds_postgres_ask(postgres, sql, &params, &result, err);
    if (rc == EDS_OK && PQntuples(result) == 0)
        rc = eds_error_set(err, EDS_ERR_NOT_FOUND, "no more commands are here");
    else if (rc == EDS_OK)
        rc = read_row(postgres, result, device_id, out, err);
    PQclear(result);
    return rc;
}

const struct eds_order_ops eds_postgres_order_ops = {
    .give = postgres_give,
    .last = postgres_last,
    .next = postgres_next,
    .take = postgres_take,
    .settle = postgres_settle,
};

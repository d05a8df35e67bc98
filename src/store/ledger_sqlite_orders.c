/* ledger_sqlite_orders.c - orders to devices, in the SQLite file. */
#include "store/orders.h"

#include "store/instant.h"
#include "store/ledger_sqlite_roster.h"

#define COLUMNS                                                                                    \
    "counter, kind, issued_ms, not_after_ms, operator, body, key_id, signature, taken_ms, result," \
    " result_ms, result_sequence"

static const char count_sql[] = "SELECT count(*) FROM device_commands WHERE device_id = ?1"
                                " AND result IS NULL AND not_after_ms >= ?2";
static const char last_sql[] =
    "SELECT coalesce(max(counter), 0) FROM device_commands WHERE device_id = ?1";
static const char add_sql[] =
    "INSERT INTO device_commands(device_id, counter, kind, issued_ms, not_after_ms, operator, body,"
    " key_id, signature) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9"
    " WHERE EXISTS(SELECT 1 FROM registry WHERE role = 'operator' AND id = ?6 AND revision = ?10)"
    " AND ?2 > (SELECT coalesce(max(counter), 0) FROM device_commands WHERE device_id = ?1)";
static const char log_sql[] =
    "INSERT INTO operation_logs(decision, device_id, sequence, message, created_at, who, why)"
    " VALUES('Changed', ?1, ?2, ?3, ?4, ?5, ?6)";
static const char next_sql[] =
    "SELECT " COLUMNS " FROM device_commands WHERE device_id = ?1 AND counter > ?2"
    " AND (?3 = 0 OR (result IS NULL AND not_after_ms >= ?3)) ORDER BY counter LIMIT 1";
static const char take_sql[] = "UPDATE device_commands SET taken_ms = coalesce(taken_ms, ?3)"
                               " WHERE device_id = ?1 AND counter = ?2";
static const char settle_sql[] =
    "UPDATE device_commands SET result = ?3, result_ms = ?4, result_sequence = ?5"
    " WHERE device_id = ?1 AND counter = ?2 AND result IS NULL";

static int bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    return sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

static int bind_bytes(sqlite3_stmt *statement, int at, const void *bytes, int size)
{
    return sqlite3_bind_blob(statement, at, bytes, size, SQLITE_STATIC);
}

static int bind_u64(sqlite3_stmt *statement, int at, uint64_t number)
{
    return sqlite3_bind_int64(statement, at, eds_sqlite_from_u64(number));
}

/* A statement of a device, ready to be bound further. */
static int32_t prepare(struct sqlite_ledger *sqlite, const char *sql, const char *device_id,
                       sqlite3_stmt **out, struct eds_error *err)
{
    int32_t rc = eds_sqlite_prepare(sqlite, sql, out, err);

    if (rc == EDS_OK && bind_text(*out, 1, device_id) != SQLITE_OK)
        rc = eds_sqlite_fail(sqlite, err, "use");
    return rc;
}

/* Runs a statement that gives no row, and ends it. */
static int32_t run(struct sqlite_ledger *sqlite, sqlite3_stmt *statement, int bound, int *changes,
                   struct eds_error *err)
{
    int32_t rc = EDS_OK;

    if (bound != SQLITE_OK || sqlite3_step(statement) != SQLITE_DONE)
        rc = eds_sqlite_fail(sqlite, err, "write to");
    *changes = sqlite3_changes(sqlite->db);
    sqlite3_finalize(statement);
    return rc;
}

/* Runs one that gives a number, and ends it. */
static int32_t ask(struct sqlite_ledger *sqlite, sqlite3_stmt *statement, int bound, uint64_t *out,
                   struct eds_error *err)
{
    int32_t rc = EDS_OK;

    if (bound != SQLITE_OK || sqlite3_step(statement) != SQLITE_ROW)
        rc = eds_sqlite_fail(sqlite, err, "read");
    else
        *out = eds_sqlite_to_u64(sqlite3_column_int64(statement, 0));
    sqlite3_finalize(statement);
    return rc;
}

static int32_t add_line(struct sqlite_ledger *sqlite, const struct eds_operation *line,
                        uint64_t now_ms, struct eds_error *err)
{
    char now[EDS_INSTANT_SIZE];
    sqlite3_stmt *statement = NULL;
    int32_t rc = prepare(sqlite, log_sql, line->device_id, &statement, err);
    int bound, changes;

    if (rc != EDS_OK) {
        sqlite3_finalize(statement);
        return rc;
    }
    eds_instant_format(now, now_ms);
    bound = bind_u64(statement, 2, line->sequence);
    bound |= bind_text(statement, 3, line->message);
    bound |= bind_text(statement, 4, now);
    bound |= bind_text(statement, 5, line->who);
    bound |= bind_text(statement, 6, line->why);
    return run(sqlite, statement, bound, &changes, err);
}

static int32_t check_room(struct sqlite_ledger *sqlite, const struct eds_order_giving *giving,
                          struct eds_error *err)
{
    sqlite3_stmt *statement = NULL;
    uint64_t open_count = 0;
    int32_t rc = prepare(sqlite, count_sql, giving->order->device_id, &statement, err);

    if (rc != EDS_OK) {
        sqlite3_finalize(statement);
        return rc;
    }
    rc = ask(sqlite, statement, bind_u64(statement, 2, giving->now_ms), &open_count, err);
    if (rc == EDS_OK && open_count >= EDS_ORDERS_OPEN_MAX)
        rc = eds_order_full(giving->order, err);
    return rc;
}

static int32_t add_order(struct sqlite_ledger *sqlite, const struct eds_order_giving *giving,
                         struct eds_error *err)
{
    const struct eds_order *order = giving->order;
    sqlite3_stmt *statement = NULL;
    int32_t rc = prepare(sqlite, add_sql, order->device_id, &statement, err);
    int bound, changes;

    if (rc != EDS_OK) {
        sqlite3_finalize(statement);
        return rc;
    }
    bound = bind_u64(statement, 2, order->counter);
    bound |= bind_u64(statement, 3, order->kind);
    bound |= bind_u64(statement, 4, order->issued_ms);
    bound |= bind_u64(statement, 5, order->not_after_ms);
    bound |= bind_text(statement, 6, order->operator_name);
    bound |= bind_text(statement, 7, order->body);
    bound |= bind_bytes(statement, 8, giving->word->key_id, EDS_KEY_ID_SIZE);
    bound |= bind_bytes(statement, 9, giving->word->signature, EDS_SIGNATURE_SIZE);
    bound |= bind_u64(statement, 10, giving->operator_revision);
    rc = run(sqlite, statement, bound, &changes, err);
    return rc == EDS_OK && changes != 1 ? eds_order_moved(order, err) : rc;
}

static int32_t begin(struct sqlite_ledger *sqlite, struct eds_error *err)
{
    int32_t rc;

    if (sqlite->read_only)
        return eds_error_set(err, EDS_ERR_USAGE, "%s is open for reading only", sqlite->path);
    rc = eds_sqlite_ready(sqlite, err);
    if (rc != EDS_OK)
        return rc;
    rc = eds_sqlite_begin(sqlite, err);
    if (rc != EDS_OK)
        eds_sqlite_roll_back(sqlite);
    return rc;
}

static int32_t sqlite_next(struct eds_ledger *ledger, const char *device_id, uint64_t after,
                           uint64_t open_ms, struct eds_stored_order *out, struct eds_error *err);

/* After a COMMIT that failed: was it done all the same? */
static bool is_there(struct eds_ledger *ledger, const struct eds_order_giving *giving)
{
    const struct eds_order *order = giving->order;
    struct eds_stored_order found;

    return sqlite_next(ledger, order->device_id, order->counter - 1, 0, &found, NULL) == EDS_OK &&
           found.order.counter == order->counter &&
           memcmp(found.word.signature, giving->word->signature, EDS_SIGNATURE_SIZE) == 0;
}

static int32_t sqlite_give(struct eds_ledger *ledger, const struct eds_order_giving *giving,
                           struct eds_error *err)
{
    struct sqlite_ledger *sqlite = (struct sqlite_ledger *)ledger;
    struct eds_operation line = {EDS_DECISION_CHANGED, giving->order->device_id,     0,
                                 giving->message,      giving->order->operator_name, giving->why};
    int32_t rc = eds_order_check_giving(giving, err);

    if (rc == EDS_OK)
        rc = begin(sqlite, err);
    if (rc != EDS_OK)
        return rc;
    rc = check_room(sqlite, giving, err);
    if (rc == EDS_OK)
        rc = add_order(sqlite, giving, err);
    if (rc == EDS_OK)
        rc = add_line(sqlite, &line, giving->now_ms, err);
    if (rc == EDS_OK) {
        rc = eds_sqlite_end(sqlite, err);
        if (rc == EDS_OK)
            return EDS_OK;
        eds_sqlite_roll_back(sqlite);
        return is_there(ledger, giving) ? EDS_OK : rc;
    }
    eds_sqlite_roll_back(sqlite);
    return rc;
}

static int32_t sqlite_last(struct eds_ledger *ledger, const char *device_id, uint64_t *counter,
                           struct eds_error *err)
{
    struct sqlite_ledger *sqlite = (struct sqlite_ledger *)ledger;
    sqlite3_stmt *statement = NULL;
    int32_t rc = eds_sqlite_ready(sqlite, err);

    if (rc == EDS_OK)
        rc = prepare(sqlite, last_sql, device_id, &statement, err);
    if (rc == EDS_OK)
        return ask(sqlite, statement, SQLITE_OK, counter, err);
    sqlite3_finalize(statement);
    return rc;
}

/* Reads what came of it: three columns from 9 on.  False: they are none of ours. */
static bool read_result(struct eds_stored_order *out, sqlite3_stmt *statement)
{
    const char *result = eds_sqlite_column_text(statement, 9, 16);

    if (sqlite3_column_type(statement, 9) == SQLITE_NULL)
        return true;
    if (result == NULL || (strcmp(result, "done") != 0 && strcmp(result, "refused") != 0))
        return false;
    out->result = strcmp(result, "done") == 0 ? EDS_ORDER_DONE : EDS_ORDER_REFUSED;
    out->result_ms = eds_sqlite_to_u64(sqlite3_column_int64(statement, 10));
    out->result_sequence = eds_sqlite_to_u64(sqlite3_column_int64(statement, 11));
    return true;
}

static int32_t read_row(const struct sqlite_ledger *sqlite, sqlite3_stmt *statement,
                        const char *device_id, struct eds_stored_order *out, struct eds_error *err)
{
    struct eds_order *order = &out->order;
    const char *operator_name = eds_sqlite_column_text(statement, 4, sizeof order->operator_name);
    const char *body = eds_sqlite_column_text(statement, 5, sizeof order->body), *bad = NULL;
    uint64_t kind = eds_sqlite_to_u64(sqlite3_column_int64(statement, 1));

    memset(out, 0, sizeof *out);
    if (operator_name == NULL)
        bad = "operator";
    else if (body == NULL)
        bad = "body";
    else if (kind == 0 || kind > UINT8_MAX)
        bad = "kind";
    else if (!eds_sqlite_column_bytes(out->word.key_id, EDS_KEY_ID_SIZE, statement, 6))
        bad = "key_id";
    else if (!eds_sqlite_column_bytes(out->word.signature, EDS_SIGNATURE_SIZE, statement, 7))
        bad = "signature";
    else if (!read_result(out, statement))
        bad = "result";
    if (bad != NULL)
        return eds_sqlite_damaged(sqlite, err, "device_commands",
                                  sqlite3_column_int64(statement, 0), bad);
    strcpy(order->device_id, device_id);
    strcpy(order->operator_name, operator_name);
    strcpy(order->body, body);
    order->counter = eds_sqlite_to_u64(sqlite3_column_int64(statement, 0));
    order->kind = (uint8_t)kind;
    order->issued_ms = eds_sqlite_to_u64(sqlite3_column_int64(statement, 2));
    order->not_after_ms = eds_sqlite_to_u64(sqlite3_column_int64(statement, 3));
    out->taken_ms = eds_sqlite_to_u64(sqlite3_column_int64(statement, 8));
    return EDS_OK;
}

static int32_t sqlite_next(struct eds_ledger *ledger, const char *device_id, uint64_t after,
                           uint64_t open_ms, struct eds_stored_order *out, struct eds_error *err)
{
    struct sqlite_ledger *sqlite = (struct sqlite_ledger *)ledger;
    sqlite3_stmt *statement = NULL;
    int code = SQLITE_ERROR;
    int32_t rc = eds_sqlite_ready(sqlite, err);

    if (rc == EDS_OK)
        rc = prepare(sqlite, next_sql, device_id, &statement, err);
    if (rc == EDS_OK) {
        if ((bind_u64(statement, 2, after) | bind_u64(statement, 3, open_ms)) == SQLITE_OK)
            code = sqlite3_step(statement);
        if (code == SQLITE_DONE)
            rc = eds_error_set(err, EDS_ERR_NOT_FOUND, "no more commands are here");
        else if (code != SQLITE_ROW)
            rc = eds_sqlite_fail(sqlite, err, "read");
        else
            rc = read_row(sqlite, statement, device_id, out, err);
    }
    sqlite3_finalize(statement);
    return rc;
}

static int32_t sqlite_take(struct eds_ledger *ledger, const char *device_id, uint64_t counter,
                           uint64_t now_ms, struct eds_error *err)
{
    struct sqlite_ledger *sqlite = (struct sqlite_ledger *)ledger;
    sqlite3_stmt *statement = NULL;
    int changes = 0;
    int32_t rc = begin(sqlite, err);

    if (rc != EDS_OK)
        return rc;
    rc = prepare(sqlite, take_sql, device_id, &statement, err);
    if (rc == EDS_OK)
        rc = run(sqlite, statement,
                 bind_u64(statement, 2, counter) | bind_u64(statement, 3, now_ms), &changes, err);
    else
        sqlite3_finalize(statement);
    if (rc == EDS_OK)
        rc =
            changes == 1 ? eds_sqlite_end(sqlite, err) : eds_order_missing(device_id, counter, err);
    if (rc != EDS_OK)
        eds_sqlite_roll_back(sqlite);
    return rc;
}

/* In a transaction. */
static int32_t settle(struct sqlite_ledger *sqlite, const struct eds_order_settling *settling,
                      struct eds_error *err)
{
    struct eds_operation line = {EDS_DECISION_CHANGED, settling->device_id, settling->sequence,
                                 settling->message,    settling->device_id, ""};
    struct eds_stored_order found;
    sqlite3_stmt *statement = NULL;
    int bound, changes = 0;
    int32_t rc = prepare(sqlite, settle_sql, settling->device_id, &statement, err);

    if (rc != EDS_OK) {
        sqlite3_finalize(statement);
        return rc;
    }
    bound = bind_u64(statement, 2, settling->counter);
    bound |= bind_text(statement, 3, settling->result == EDS_ORDER_DONE ? "done" : "refused");
    bound |= bind_u64(statement, 4, settling->now_ms);
    bound |= bind_u64(statement, 5, settling->sequence);
    rc = run(sqlite, statement, bound, &changes, err);
    if (rc == EDS_OK && changes == 1)
        return add_line(sqlite, &line, settling->now_ms, err);
    if (rc == EDS_OK)
        rc = sqlite_next(&sqlite->ledger, settling->device_id, settling->counter - 1, 0, &found,
                         err);
    if (rc == EDS_ERR_NOT_FOUND || (rc == EDS_OK && found.order.counter != settling->counter))
        return eds_order_missing(settling->device_id, settling->counter, err);
    return rc;
}

static int32_t sqlite_settle(struct eds_ledger *ledger, const struct eds_order_settling *settling,
                             struct eds_error *err)
{
    struct sqlite_ledger *sqlite = (struct sqlite_ledger *)ledger;
    int32_t rc = begin(sqlite, err);

    if (rc != EDS_OK)
        return rc;
    rc = settle(sqlite, settling, err);
    if (rc == EDS_OK)
        rc = eds_sqlite_end(sqlite, err);
    if (rc != EDS_OK)
        eds_sqlite_roll_back(sqlite);
    return rc;
}

const struct eds_order_ops eds_sqlite_order_ops = {
    .give = sqlite_give,
    .last = sqlite_last,
    .next = sqlite_next,
    .take = sqlite_take,
    .settle = sqlite_settle,
};

/* ledger_sqlite_gaps.c - gaps that were closed, in the SQLite file. */
#include "store/gaps.h"

#include "store/instant.h"
#include "store/ledger_sqlite_roster.h"

#define COLUMNS                                                                                    \
    "id, device_id, last_sequence, last_record_hash, resume_sequence, resume_hash, closed_ms,"     \
    " operator, reason, key_id, signature"

enum statement { MOVE, BEGIN, ADD, LOG, STATEMENT_COUNT };

#define OF_OPERATOR                                                                                \
    "EXISTS(SELECT 1 FROM registry WHERE role = 'operator' AND id = ?4 AND revision = ?5)"

static const char *const texts[STATEMENT_COUNT] = {
    [MOVE] = "UPDATE chain_heads SET sequence = ?2, record_hash = ?3"
             " WHERE device_id = ?1 AND sequence = ?6 AND record_hash = ?7 AND " OF_OPERATOR,
    [BEGIN] = "INSERT INTO chain_heads(device_id, sequence, record_hash, attested, conflict_count)"
              " SELECT ?1, ?2, ?3, 0, 0 WHERE " OF_OPERATOR " ON CONFLICT DO NOTHING",
    [ADD] = "INSERT INTO chain_gaps(device_id, last_sequence, last_record_hash, resume_sequence,"
            " resume_hash, closed_ms, operator, reason, key_id, signature)"
            " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [LOG] = ("INSERT INTO operation_logs(decision, device_id, sequence, message, created_at, who,"
             " why) VALUES('Changed', ?1, ?2, ?3, ?4, ?5, ?6)"),
};

struct closing {
    struct sqlite_ledger *sqlite;
    const struct eds_gap_closing *what;
    struct eds_error *err;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    char now[EDS_INSTANT_SIZE];
    sqlite3_int64 gap_id; /* once it is added */
};

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

static int32_t run(const struct closing *closing, enum statement which, int bound)
{
    sqlite3_stmt *statement = closing->statements[which];
    int32_t rc = EDS_OK;

    if (bound != SQLITE_OK || sqlite3_step(statement) != SQLITE_DONE)
        rc = eds_sqlite_fail(closing->sqlite, closing->err, "write to");
    sqlite3_reset(statement);
    return rc;
}

static int32_t move_head(const struct closing *closing)
{
    const struct eds_gap *gap = closing->what->gap;
    enum statement which = gap->last_sequence == 0 ? BEGIN : MOVE;
    sqlite3_stmt *statement = closing->statements[which];
    int bound = bind_text(statement, 1, gap->device_id);
    int32_t rc;

    bound |= bind_u64(statement, 2, gap->resume_sequence - 1);
    bound |= bind_bytes(statement, 3, gap->resume_hash, EDS_HASH_SIZE);
    bound |= bind_text(statement, 4, gap->operator_name);
    bound |= bind_u64(statement, 5, closing->what->operator_revision);
    if (which == MOVE)
        bound |= bind_u64(statement, 6, gap->last_sequence) |
                 bind_bytes(statement, 7, gap->last_record_hash, EDS_HASH_SIZE);
    rc = run(closing, which, bound);
    if (rc == EDS_OK && sqlite3_changes(closing->sqlite->db) != 1)
        return eds_error_set(closing->err, EDS_ERR_HEAD_MOVED,
                             "the head of device %s is another one by now, or operator %s was "
                             "changed",
                             gap->device_id, gap->operator_name);
    return rc;
}

static int32_t add_gap(struct closing *closing)
{
    const struct eds_gap *gap = closing->what->gap;
    sqlite3_stmt *statement = closing->statements[ADD];
    int bound = bind_text(statement, 1, gap->device_id);
    int32_t rc;

    bound |= bind_u64(statement, 2, gap->last_sequence);
    bound |= bind_bytes(statement, 3, gap->last_record_hash, EDS_HASH_SIZE);
    bound |= bind_u64(statement, 4, gap->resume_sequence);
    bound |= bind_bytes(statement, 5, gap->resume_hash, EDS_HASH_SIZE);
    bound |= bind_u64(statement, 6, gap->closed_ms);
    bound |= bind_text(statement, 7, gap->operator_name);
    bound |= bind_text(statement, 8, gap->reason);
    bound |= bind_bytes(statement, 9, gap->key_id, EDS_KEY_ID_SIZE);
    bound |= bind_bytes(statement, 10, gap->signature, EDS_SIGNATURE_SIZE);
    rc = run(closing, ADD, bound);
    closing->gap_id = sqlite3_last_insert_rowid(closing->sqlite->db);
    return rc;
}

static int32_t add_line(const struct closing *closing)
{
    const struct eds_gap *gap = closing->what->gap;
    sqlite3_stmt *statement = closing->statements[LOG];
    int bound = bind_text(statement, 1, gap->device_id);

    bound |= bind_u64(statement, 2, gap->resume_sequence);
    bound |= bind_text(statement, 3, closing->what->message);
    bound |= bind_text(statement, 4, closing->now);
    bound |= bind_text(statement, 5, gap->operator_name);
    bound |= bind_text(statement, 6, gap->reason);
    return run(closing, LOG, bound);
}

static int32_t read_row(const struct sqlite_ledger *sqlite, sqlite3_stmt *statement,
                        struct eds_gap *out, struct eds_error *err)
{
    const char *device_id = eds_sqlite_column_text(statement, 1, sizeof out->device_id);
    const char *operator_name = eds_sqlite_column_text(statement, 7, sizeof out->operator_name);
    const char *reason = eds_sqlite_column_text(statement, 8, sizeof out->reason), *bad = NULL;

    memset(out, 0, sizeof *out);
    if (device_id == NULL)
        bad = "device_id";
    else if (operator_name == NULL)
        bad = "operator";
    else if (reason == NULL)
        bad = "reason";
    else if (!eds_sqlite_column_bytes(out->last_record_hash, EDS_HASH_SIZE, statement, 3))
        bad = "last_record_hash";
    else if (!eds_sqlite_column_bytes(out->resume_hash, EDS_HASH_SIZE, statement, 5))
        bad = "resume_hash";
    else if (!eds_sqlite_column_bytes(out->key_id, EDS_KEY_ID_SIZE, statement, 9))
        bad = "key_id";
    else if (!eds_sqlite_column_bytes(out->signature, EDS_SIGNATURE_SIZE, statement, 10))
        bad = "signature";
    if (bad != NULL)
        return eds_sqlite_damaged(sqlite, err, "chain_gaps", sqlite3_column_int64(statement, 0),
                                  bad);
    strcpy(out->device_id, device_id);
    strcpy(out->operator_name, operator_name);
    strcpy(out->reason, reason);
    out->last_sequence = eds_sqlite_to_u64(sqlite3_column_int64(statement, 2));
    out->resume_sequence = eds_sqlite_to_u64(sqlite3_column_int64(statement, 4));
    out->closed_ms = eds_sqlite_to_u64(sqlite3_column_int64(statement, 6));
    return EDS_OK;
}

static const char of_one[] =
    "SELECT " COLUMNS " FROM chain_gaps WHERE device_id = ?1 AND id > ?2 ORDER BY id LIMIT 1";
static const char of_all[] = "SELECT " COLUMNS " FROM chain_gaps WHERE (device_id, id) >"
                             " (?1, ?2) ORDER BY device_id, id LIMIT 1";

/* The next one after place, by one of the two. */
static int32_t next_row(struct sqlite_ledger *sqlite, const char *sql, const char *device_id,
                        struct eds_gap_place *place, struct eds_gap *out, struct eds_error *err)
{
    sqlite3_stmt *statement = NULL;
    int code = SQLITE_ERROR;
    int32_t rc = eds_sqlite_ready(sqlite, err);

    if (rc == EDS_OK)
        rc = eds_sqlite_prepare(sqlite, sql, &statement, err);
    if (rc != EDS_OK)
        return rc;
    if ((bind_text(statement, 1, device_id) | bind_u64(statement, 2, place->id)) == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_DONE)
        rc = eds_error_set(err, EDS_ERR_NOT_FOUND, "no more gaps are closed here");
    else if (code != SQLITE_ROW)
        rc = eds_sqlite_fail(sqlite, err, "read");
    else
        rc = read_row(sqlite, statement, out, err);
    if (rc == EDS_OK) {
        strcpy(place->device_id, out->device_id);
        place->id = eds_sqlite_to_u64(sqlite3_column_int64(statement, 0));
    }
    sqlite3_finalize(statement);
    return rc;
}

static int32_t sqlite_next(struct eds_ledger *ledger, const char *device_id,
                           struct eds_gap_place *place, struct eds_gap *out, struct eds_error *err)
{
    struct sqlite_ledger *sqlite = (struct sqlite_ledger *)ledger;

    if (device_id != NULL)
        return next_row(sqlite, of_one, device_id, place, out, err);
    return next_row(sqlite, of_all, place->device_id, place, out, err);
}

/* After a COMMIT that failed: was it done all the same?  A row that was rolled back
 * may have given its id to another one. */
static bool is_there(const struct closing *closing)
{
    const struct eds_gap *gap = closing->what->gap;
    struct eds_gap_place before = {.id = eds_sqlite_to_u64(closing->gap_id) - 1};
    struct eds_gap found;

    return next_row(closing->sqlite, of_one, gap->device_id, &before, &found, NULL) == EDS_OK &&
           before.id == eds_sqlite_to_u64(closing->gap_id) &&
           memcmp(found.signature, gap->signature, sizeof found.signature) == 0;
}

static int32_t write(struct closing *closing)
{
    struct sqlite_ledger *sqlite = closing->sqlite;
    bool was_committing = false;
    int32_t rc = EDS_OK;

    for (int i = 0; rc == EDS_OK && i < STATEMENT_COUNT; i++)
        rc = eds_sqlite_prepare(sqlite, texts[i], &closing->statements[i], closing->err);
    if (rc == EDS_OK)
        rc = eds_sqlite_begin(sqlite, closing->err);
    if (rc == EDS_OK)
        rc = move_head(closing);
    if (rc == EDS_OK)
        rc = add_gap(closing);
    if (rc == EDS_OK)
        rc = add_line(closing);
    for (int i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(closing->statements[i]);
    if (rc == EDS_OK) {
        was_committing = true;
        rc = eds_sqlite_end(sqlite, closing->err);
    }
    if (rc == EDS_OK)
        return EDS_OK;
    eds_sqlite_roll_back(sqlite);
    return was_committing && is_there(closing) ? EDS_OK : rc;
}

static int32_t sqlite_close(struct eds_ledger *ledger, const struct eds_gap_closing *what,
                            struct eds_error *err)
{
    struct closing closing = {.sqlite = (struct sqlite_ledger *)ledger, .what = what, .err = err};
    int32_t rc = eds_gap_check(what->gap, err);

    if (rc != EDS_OK)
        return rc;
    if (closing.sqlite->read_only)
        return eds_error_set(err, EDS_ERR_USAGE, "%s is open for reading only",
                             closing.sqlite->path);
    eds_instant_format(closing.now, what->now_ms);
    rc = eds_sqlite_ready(closing.sqlite, err);
    return rc == EDS_OK ? write(&closing) : rc;
}

const struct eds_gap_ops eds_sqlite_gap_ops = {
    .close = sqlite_close,
    .next = sqlite_next,
};

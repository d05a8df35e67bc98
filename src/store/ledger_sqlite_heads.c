/* ledger_sqlite_heads.c - the heads that a commit moves.
 *
 * A head's row also holds where the device's newest records are
 * (ledger_sqlite_places.c): it is written anyway.
 *
 * Heads are compared first: if another process was faster, that shows before
 * anything is written.  Those that a commit of ours left so are known as long as no
 * other connection has written, and are not read again.  They are written last, when
 * the records have their rows.  The transaction has the write lock from its beginning,
 * so nothing can come in between. */
#include "store/ledger_sqlite.h"

#include <stdlib.h>

static int32_t head_moved(const char *device_id, struct eds_error *err)
{
    return eds_error_set(err, EDS_ERR_HEAD_MOVED, "the head of device %s is another one by now",
                         device_id);
}

static bool grow(struct sqlite_ledger *sqlite, size_t count)
{
    struct sqlite_head *heads;

    if (count <= sqlite->head_capacity)
        return true;
    heads = realloc(sqlite->heads, count * sizeof *heads);
    if (heads == NULL)
        return false;
    sqlite->heads = heads;
    sqlite->head_capacity = count;
    return true;
}

/* Compares the head's row with where the move begins, and keeps its places. */
static int32_t read_row(struct sqlite_ledger *sqlite, const struct eds_head_move *move,
                        struct sqlite_head *out, sqlite3_stmt *statement, struct eds_error *err)
{
    const struct eds_places *newest;
    struct eds_head head;
    int32_t rc = eds_sqlite_read_head(&head, statement, 0, sqlite, err);

    if (rc != EDS_OK)
        return rc;
    out->row = sqlite3_column_int64(statement, 4);
    if (head.sequence != move->from_sequence ||
        memcmp(head.record_hash, move->from_hash, EDS_HASH_SIZE) != 0)
        return head_moved(move->device_id, err);
    rc = eds_sqlite_read_head_places(&out->places, statement, 5, out->row, sqlite, err);
    if (rc != EDS_OK)
        return rc;
    newest = &out->places.newest;
    if (newest->count > 0 && newest->sequences[newest->count - 1] > move->from_sequence)
        return eds_error_set(err, EDS_ERR_HEAD_MOVED, "device %s has a record %llu already",
                             move->device_id, (unsigned long long)move->from_sequence + 1);
    return EDS_OK;
}

/* Whether the head is known to be where the move begins. */
static bool is_known(struct sqlite_ledger *sqlite, uint64_t hash, const struct eds_head_move *move,
                     struct sqlite_head *out)
{
    const struct eds_known_head *known =
        eds_known_heads_find(&sqlite->known, hash, move->device_id);

    if (known == NULL || known->sequence != move->from_sequence ||
        memcmp(known->record_hash, move->from_hash, EDS_HASH_SIZE) != 0)
        return false;
    out->row = known->row;
    eds_head_places_copy(&out->places, &known->places);
    return true;
}

static int32_t check(struct sqlite_ledger *sqlite, const struct eds_head_move *move,
                     struct sqlite_head *out, struct eds_error *err)
{
    static const uint8_t zero[EDS_HASH_SIZE];
    sqlite3_stmt *statement = sqlite->statements[SQLITE_STATEMENT_HEAD_PLACES];
    int32_t rc;
    int code;

    if (sqlite3_bind_text(statement, 1, move->device_id, -1, SQLITE_STATIC) != SQLITE_OK)
        return eds_sqlite_fail(sqlite, err, "read");
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        rc = read_row(sqlite, move, out, statement, err);
    } else if (code != SQLITE_DONE) {
        rc = eds_sqlite_fail(sqlite, err, "read");
    } else {
        out->row = 0;
        out->places.newest.count = out->places.rows.count = 0;
        rc = move->from_sequence == 0 && memcmp(move->from_hash, zero, sizeof zero) == 0
                 ? EDS_OK
                 : head_moved(move->device_id, err);
    }
    sqlite3_reset(statement);
    return rc;
}

int32_t eds_sqlite_heads_check(struct sqlite_ledger *sqlite, struct eds_error *err)
{
    const struct eds_commit_plan *plan = &sqlite->plan;
    int32_t rc = EDS_OK;

    if (!grow(sqlite, plan->devices.count))
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for chain heads");
    for (size_t i = 0; rc == EDS_OK && i < plan->devices.count; i++)
        if (!is_known(sqlite, plan->devices.items[i].hash, &plan->moves[i], &sqlite->heads[i]))
            rc = check(sqlite, &plan->moves[i], &sqlite->heads[i], err);
    return rc;
}

int32_t eds_sqlite_run(struct sqlite_ledger *sqlite, enum sqlite_statement which, bool is_bound,
                       struct eds_error *err)
{
    sqlite3_stmt *statement = sqlite->statements[which];
    int code = is_bound ? sqlite3_step(statement) : SQLITE_ERROR;
    int32_t rc = EDS_OK;

    if ((code & 0xff) == SQLITE_CONSTRAINT)
        rc = eds_error_set(err, EDS_ERR_HEAD_MOVED, "%s", sqlite3_errmsg(sqlite->db));
    else if (code != SQLITE_DONE)
        rc = eds_sqlite_fail(sqlite, err, "write to");
    sqlite3_reset(statement);
    return rc;
}

int32_t eds_sqlite_heads_place(struct sqlite_ledger *sqlite, size_t append, uint64_t sequence,
                               sqlite3_int64 row, struct eds_error *err)
{
    size_t index = sqlite->plan.move_indexes[append];

    return eds_sqlite_place_record(sqlite, sqlite->plan.moves[index].device_id,
                                   &sqlite->heads[index].places, sequence, row, err);
}

static int32_t write_head(struct sqlite_ledger *sqlite, const struct eds_head_move *move,
                          struct sqlite_head *head, struct eds_error *err)
{
    bool is_new = head->row == 0;
    enum sqlite_statement which = is_new ? SQLITE_STATEMENT_ADD_HEAD : SQLITE_STATEMENT_MOVE_HEAD;
    sqlite3_stmt *statement = sqlite->statements[which];
    uint8_t newest[EDS_PLACES_SIZE_MAX], rows[EDS_PLACES_SIZE_MAX];
    int32_t rc;
    int bound = is_new ? sqlite3_bind_text(statement, 1, move->device_id, -1, SQLITE_STATIC)
                       : sqlite3_bind_int64(statement, 1, head->row);

    bound |= sqlite3_bind_int64(statement, 2, eds_sqlite_from_u64(move->to_sequence));
    bound |= sqlite3_bind_blob(statement, 3, move->to_hash, EDS_HASH_SIZE, SQLITE_STATIC);
    bound |= sqlite3_bind_int(statement, 4, move->attested ? 1 : 0);
    rc = eds_sqlite_run(sqlite, which,
                        bound == SQLITE_OK &&
                            eds_sqlite_bind_places(statement, 5, &head->places.newest, newest) &&
                            eds_sqlite_bind_places(statement, 6, &head->places.rows, rows),
                        err);
    if (rc == EDS_OK && is_new)
        head->row = sqlite3_last_insert_rowid(sqlite->db);
    return rc;
}

int32_t eds_sqlite_heads_write(struct sqlite_ledger *sqlite, struct eds_error *err)
{
    const struct eds_commit_plan *plan = &sqlite->plan;
    int32_t rc = EDS_OK;

    for (size_t i = 0; rc == EDS_OK && i < plan->devices.count; i++)
        rc = write_head(sqlite, &plan->moves[i], &sqlite->heads[i], err);
    return rc;
}

void eds_sqlite_heads_keep(struct sqlite_ledger *sqlite)
{
    const struct eds_commit_plan *plan = &sqlite->plan;

    for (size_t i = 0; i < plan->devices.count; i++) {
        const struct eds_head_move *move = &plan->moves[i];
        struct eds_known_head *known =
            eds_known_heads_place(&sqlite->known, plan->devices.items[i].hash, move->device_id);

        known->sequence = move->to_sequence;
        memcpy(known->record_hash, move->to_hash, EDS_HASH_SIZE);
        known->row = sqlite->heads[i].row;
        eds_head_places_copy(&known->places, &sqlite->heads[i].places);
    }
}

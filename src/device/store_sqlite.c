/* store_sqlite.c - the offline buffer in a SQLite file.
 *
 * A push is one transaction with synchronous=FULL.  What a delivery changes
 * need not be synced: if a power cut brings a delivered item back, it is sent
 * again, and the server knows it.  The next push syncs all of it. */
#include "device/store_sqlite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/place.h"
#include "device/item.h"
#include "device/store.h"
#include "edgesentry/command.h"

static struct sqlite_buffer *of(struct eds_buffer_store *store)
{
    return (struct sqlite_buffer *)store;
}

static int bind_bytes(sqlite3_stmt *statement, int at, const void *bytes, size_t size)
{
    if (size == 0) /* SQLite takes an empty blob at some address for NULL */
        return sqlite3_bind_zeroblob(statement, at, 0);
    return sqlite3_bind_blob64(statement, at, bytes, size, SQLITE_STATIC);
}

static int bind_u64(sqlite3_stmt *statement, int at, uint64_t number)
{
    int64_t same_bits;

    memcpy(&same_bits, &number, sizeof same_bits);
    return sqlite3_bind_int64(statement, at, same_bits);
}

static uint64_t column_u64(sqlite3_stmt *statement, int at)
{
    return (uint64_t)sqlite3_column_int64(statement, at);
}

/* Runs a statement that gives no row; bound is OR of what binding returned. */
static int32_t run(struct sqlite_buffer *sqlite, enum buffer_statement which, int bound,
                   const char *doing, struct eds_error *err)
{
    sqlite3_stmt *statement = sqlite->statements[which];
    int code = bound == SQLITE_OK ? sqlite3_step(statement) : SQLITE_ERROR;
    int32_t rc = code == SQLITE_DONE ? EDS_OK : eds_buffer_sqlite_fail(sqlite, err, doing);

    sqlite3_reset(statement);
    return rc;
}

/* Ends a transaction that failed.  Where even that fails, the connection goes,
 * and the next call makes a new one and finds what the file says. */
static void roll_back(struct sqlite_buffer *sqlite)
{
    if (sqlite3_get_autocommit(sqlite->db) != 0)
        return;
    if (run(sqlite, BUFFER_ROLLBACK, SQLITE_OK, "undo a write to", NULL) != EDS_OK ||
        sqlite3_get_autocommit(sqlite->db) == 0)
        eds_buffer_sqlite_disconnect(sqlite);
}

static int32_t move_command(struct sqlite_buffer *sqlite, const struct eds_buffer_item *item,
                            const struct eds_buffer_head *head, struct eds_error *err)
{
    sqlite3_stmt *move = sqlite->statements[BUFFER_MOVE_COMMAND];
    int bound = sqlite3_bind_text(move, 1, eds_item_device(item), -1, SQLITE_STATIC);

    bound |= bind_u64(move, 2, head->command_counter);
    return run(sqlite, BUFFER_MOVE_COMMAND, bound, "write to", err);
}

static int32_t add_item(struct sqlite_buffer *sqlite, struct eds_buffer_item *item,
                        const struct eds_buffer_head *head, struct eds_error *err)
{
    sqlite3_stmt *add = sqlite->statements[BUFFER_ADD];
    sqlite3_stmt *move = sqlite->statements[BUFFER_MOVE_HEAD];
    struct eds_order_answer answer;
    uint8_t bytes[EDS_COMPACT_SIZE_MAX];
    size_t size;
    int bound;
    int32_t rc = eds_compact_encode(bytes, &size, &item->entry);

    if (rc != EDS_OK)
        return eds_error_set(err, rc, "this is no record");
    bound = sqlite3_bind_text(add, 1, eds_item_device(item), -1, SQLITE_STATIC);
    bound |= bind_bytes(add, 2, bytes, size);
    bound |= bind_bytes(add, 3, item->payload, item->payload_size);
    bound |= sqlite3_bind_int(add, 4, (int)item->priority);
    rc = run(sqlite, BUFFER_ADD, bound, "write to", err);
    sqlite3_clear_bindings(add); /* bytes is ours */
    if (rc != EDS_OK)
        return rc;
    item->id = (uint64_t)sqlite3_last_insert_rowid(sqlite->db);
    bound = sqlite3_bind_text(move, 1, eds_item_device(item), -1, SQLITE_STATIC);
    bound |= bind_u64(move, 2, head->sequence);
    bound |= bind_u64(move, 3, head->timestamp_ms);
    bound |= bind_bytes(move, 4, head->record_hash, EDS_HASH_SIZE);
    rc = run(sqlite, BUFFER_MOVE_HEAD, bound, "write to", err);
    return rc == EDS_OK && eds_order_answer_read(&answer, &item->entry.record)
               ? move_command(sqlite, item, head, err)
               : rc;
}

static int32_t push_once(struct sqlite_buffer *sqlite, struct eds_buffer_item *items,
                         const struct eds_buffer_head *heads, size_t count, struct eds_error *err)
{
    int32_t rc = run(sqlite, BUFFER_BEGIN, SQLITE_OK, "write to", err);

    if (rc != EDS_OK)
        return rc;
    for (size_t i = 0; rc == EDS_OK && i < count; i++)
        rc = add_item(sqlite, &items[i], &heads[i], err);
    if (rc == EDS_OK)
        rc = eds_buffer_sqlite_reserve(sqlite, err);
    if (rc == EDS_OK)
        rc = run(sqlite, BUFFER_COMMIT, SQLITE_OK, "write to", err);
    if (rc != EDS_OK)
        roll_back(sqlite);
    return rc;
}

static int32_t sqlite_push(struct eds_buffer_store *store, struct eds_buffer_item *items,
                           const struct eds_buffer_head *heads, size_t count, struct eds_error *err)
{
    struct sqlite_buffer *sqlite = of(store);
    int32_t rc = eds_buffer_sqlite_ready(sqlite, err);

    if (rc == EDS_OK)
        rc = push_once(sqlite, items, heads, count, err);
    if (rc == EDS_ERR_BUSY && eds_buffer_sqlite_make_room(sqlite))
        rc = push_once(sqlite, items, heads, count, err);
    return rc;
}

static int32_t damaged(const struct sqlite_buffer *sqlite, sqlite3_stmt *row, const char *what,
                       struct eds_error *err)
{
    if (sqlite3_errcode(sqlite->db) == SQLITE_NOMEM)
        return eds_buffer_sqlite_fail(sqlite, err, "read");
    return eds_error_set(err, EDS_ERR_MALFORMED,
                         "the offline buffer %s is damaged: item %lld has no valid %s",
                         sqlite->path, (long long)sqlite3_column_int64(row, 0), what);
}

/* What items and next have in common: all but the payload. */
static int32_t read_row(const struct sqlite_buffer *sqlite, sqlite3_stmt *row,
                        struct eds_buffer_item *out, struct eds_error *err)
{
    const void *entry = sqlite3_column_blob(row, 1);
    const char *reason = (const char *)sqlite3_column_text(row, 4);
    int entry_size = sqlite3_column_bytes(row, 1);
    int priority = sqlite3_column_int(row, 3);
    size_t used;

    if (entry == NULL ||
        eds_compact_decode(&out->entry, entry, (size_t)entry_size, &used, NULL) != EDS_OK ||
        used != (size_t)entry_size)
        return damaged(sqlite, row, "record", err);
    if (priority < 0 || priority >= EDS_PRIORITY_COUNT)
        return damaged(sqlite, row, "priority", err);
    out->id = column_u64(row, 0);
    out->priority = (enum eds_priority)priority;
    out->is_dead = sqlite3_column_type(row, 4) != SQLITE_NULL;
    if (out->is_dead)
        eds_item_set_reason(out, reason);
    return EDS_OK;
}

static int32_t read_item(const struct sqlite_buffer *sqlite, sqlite3_stmt *row,
                         struct eds_buffer_item **out, struct eds_error *err)
{
    const void *bytes = sqlite3_column_blob(row, 2);
    size_t size = (size_t)sqlite3_column_bytes(row, 2);
    uint8_t *payload;
    struct eds_buffer_item *item;
    int32_t rc;

    if (bytes == NULL && (size > 0 || sqlite3_errcode(sqlite->db) == SQLITE_NOMEM))
        return damaged(sqlite, row, "payload", err);
    item = eds_item_make(size, &payload);
    if (item == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the offline buffer");
    if (size > 0)
        memcpy(payload, bytes, size);
    rc = read_row(sqlite, row, item, err);
    if (rc == EDS_OK)
        *out = item;
    else
        free(item);
    return rc;
}

static int32_t sqlite_next(struct eds_buffer_store *store, const char *device_id, uint64_t after,
                           bool dead, struct eds_buffer_item **out, struct eds_error *err)
{
    static const enum buffer_statement which[2][2] = {
        {BUFFER_NEXT, BUFFER_NEXT_OF_DEVICE}, {BUFFER_NEXT_DEAD, BUFFER_NEXT_DEAD_OF_DEVICE}};
    struct sqlite_buffer *sqlite = of(store);
    sqlite3_stmt *statement;
    int bound, code;
    int32_t rc = eds_buffer_sqlite_ready(sqlite, err);

    if (rc != EDS_OK)
        return rc;
    statement = sqlite->statements[which[dead][device_id != NULL]];
    bound = bind_u64(statement, 1, after);
    if (device_id != NULL)
        bound |= sqlite3_bind_text(statement, 2, device_id, -1, SQLITE_STATIC);
    code = bound == SQLITE_OK ? sqlite3_step(statement) : SQLITE_ERROR;
    if (code == SQLITE_ROW)
        rc = read_item(sqlite, statement, out, err);
    else if (code == SQLITE_DONE)
        rc = eds_error_set(err, EDS_ERR_NOT_FOUND, "no such item waits");
    else
        rc = eds_buffer_sqlite_fail(sqlite, err, "read");
    sqlite3_reset(statement);
    return rc;
}

static int32_t change(struct sqlite_buffer *sqlite, uint64_t id, enum eds_settlement how,
                      const char *reason, struct eds_error *err)
{
    enum buffer_statement which = how == EDS_SETTLE_REMOVE ? BUFFER_REMOVE
                                  : how == EDS_SETTLE_BURY ? BUFFER_BURY
                                                           : BUFFER_REVIVE;
    sqlite3_stmt *statement = sqlite->statements[which];
    struct eds_buffer_item clean = {.is_dead = true};
    int bound = bind_u64(statement, 1, id);
    int32_t rc;

    if (how == EDS_SETTLE_BURY) {
        eds_item_set_reason(&clean, reason);
        bound |= sqlite3_bind_text(statement, 2, clean.reason, -1, SQLITE_TRANSIENT);
    }
    rc = run(sqlite, which, bound, "write to", err);
    if (rc == EDS_OK && sqlite3_changes(sqlite->db) != 1)
        rc = eds_error_set(err, EDS_ERR_NOT_FOUND, "there is no item %llu", (unsigned long long)id);
    return rc;
}

/* (Not a prepared statement: SQLite obeys this pragma while it reads it.) */
static int32_t set_sync(struct sqlite_buffer *sqlite, const char *pragma, struct eds_error *err)
{
    if (sqlite3_exec(sqlite->db, pragma, NULL, NULL, NULL) != SQLITE_OK)
        return eds_buffer_sqlite_fail(sqlite, err, "configure");
    return EDS_OK;
}

/* What is written until end_unsynced is not synced by itself. */
static int32_t begin_unsynced(struct sqlite_buffer *sqlite, struct eds_error *err)
{
    int32_t rc = eds_buffer_sqlite_ready(sqlite, err);

    return rc == EDS_OK ? set_sync(sqlite, "PRAGMA synchronous=NORMAL", err) : rc;
}

static void end_unsynced(struct sqlite_buffer *sqlite)
{
    if (sqlite->db != NULL && set_sync(sqlite, "PRAGMA synchronous=FULL", NULL) != EDS_OK)
        eds_buffer_sqlite_disconnect(sqlite); /* a push must never go unsynced */
}

static int32_t sqlite_settle(struct eds_buffer_store *store, uint64_t id, enum eds_settlement how,
                             const char *reason, struct eds_error *err)
{
    struct sqlite_buffer *sqlite = of(store);
    bool is_synced = how == EDS_SETTLE_REVIVE;
    int32_t rc = is_synced ? eds_buffer_sqlite_ready(sqlite, err) : begin_unsynced(sqlite, err);

    if (rc != EDS_OK)
        return rc;
    rc = change(sqlite, id, how, reason, err);
    if (rc == EDS_ERR_BUSY && eds_buffer_sqlite_make_room(sqlite))
        rc = change(sqlite, id, how, reason, err);
    if (!is_synced)
        end_unsynced(sqlite);
    return rc;
}

static int32_t remove_once(struct sqlite_buffer *sqlite, const uint64_t *ids, size_t count,
                           struct eds_error *err)
{
    int32_t rc = run(sqlite, BUFFER_BEGIN, SQLITE_OK, "write to", err);

    for (size_t i = 0; rc == EDS_OK && i < count; i++)
        rc = change(sqlite, ids[i], EDS_SETTLE_REMOVE, NULL, err);
    if (rc == EDS_OK)
        rc = run(sqlite, BUFFER_COMMIT, SQLITE_OK, "write to", err);
    if (rc != EDS_OK && sqlite->db != NULL)
        roll_back(sqlite);
    return rc;
}

static int32_t sqlite_remove(struct eds_buffer_store *store, const uint64_t *ids, size_t count,
                             struct eds_error *err)
{
    struct sqlite_buffer *sqlite = of(store);
    int32_t rc = begin_unsynced(sqlite, err);

    if (rc != EDS_OK)
        return rc;
    rc = remove_once(sqlite, ids, count, err);
    if (rc == EDS_ERR_BUSY && eds_buffer_sqlite_make_room(sqlite))
        rc = remove_once(sqlite, ids, count, err);
    end_unsynced(sqlite);
    return rc;
}

static int32_t sqlite_items(struct eds_buffer_store *store,
                            int32_t (*visit)(void *context, const struct eds_buffer_item *),
                            void *context, struct eds_error *err)
{
    struct sqlite_buffer *sqlite = of(store);
    sqlite3_stmt *statement;
    int code;
    int32_t rc = eds_buffer_sqlite_ready(sqlite, err);

    if (rc != EDS_OK)
        return rc;
    statement = sqlite->statements[BUFFER_ITEMS];
    while ((code = sqlite3_step(statement)) == SQLITE_ROW && rc == EDS_OK) {
        struct eds_buffer_item item = {.payload_size = (size_t)column_u64(statement, 2)};

        rc = read_row(sqlite, statement, &item, err);
        if (rc == EDS_OK)
            rc = visit(context, &item);
    }
    if (rc == EDS_OK && code != SQLITE_DONE)
        rc = eds_buffer_sqlite_fail(sqlite, err, "read");
    sqlite3_reset(statement);
    return rc;
}

static int32_t sqlite_heads(struct eds_buffer_store *store,
                            int32_t (*visit)(void *context, const char *device_id,
                                             const struct eds_buffer_head *),
                            void *context, struct eds_error *err)
{
    struct sqlite_buffer *sqlite = of(store);
    sqlite3_stmt *statement;
    int code;
    int32_t rc = eds_buffer_sqlite_ready(sqlite, err);

    if (rc != EDS_OK)
        return rc;
    statement = sqlite->statements[BUFFER_HEADS];
    while ((code = sqlite3_step(statement)) == SQLITE_ROW && rc == EDS_OK) {
        const char *device_id = (const char *)sqlite3_column_text(statement, 0);
        const void *hash = sqlite3_column_blob(statement, 3);
        struct eds_buffer_head head = {.sequence = column_u64(statement, 1),
                                       .timestamp_ms = column_u64(statement, 2),
                                       .command_counter = column_u64(statement, 4)};

        if (device_id == NULL || hash == NULL ||
            sqlite3_column_bytes(statement, 3) != EDS_HASH_SIZE) {
            rc = eds_error_set(err, EDS_ERR_MALFORMED,
                               "the offline buffer %s is damaged: a head is not valid",
                               sqlite->path);
            break;
        }
        memcpy(head.record_hash, hash, EDS_HASH_SIZE);
        rc = visit(context, device_id, &head);
    }
    if (rc == EDS_OK && code != SQLITE_DONE)
        rc = eds_buffer_sqlite_fail(sqlite, err, "read");
    sqlite3_reset(statement);
    return rc;
}

static void sqlite_close(struct eds_buffer_store *store)
{
    struct sqlite_buffer *sqlite = of(store);

    eds_buffer_sqlite_disconnect(sqlite);
    free(sqlite->path);
    free(sqlite);
}

static const struct eds_buffer_store_ops sqlite_ops = {
    .name = "sqlite",
    .is_durable = true,
    .push = sqlite_push,
    .next = sqlite_next,
    .settle = sqlite_settle,
    .items = sqlite_items,
    .heads = sqlite_heads,
    .close = sqlite_close,
    .remove = sqlite_remove,
};

int32_t eds_buffer_sqlite_open(struct eds_buffer_store **out, const char *path,
                               struct eds_error *err)
{
    struct sqlite_buffer *sqlite;
    int32_t rc;

    if (path[0] == '\0' || path[strlen(path) - 1] == '/')
        return eds_error_set(err, EDS_ERR_USAGE, "sqlite:%s names no file", path);
    sqlite = calloc(1, sizeof *sqlite);
    if (sqlite == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the offline buffer");
    sqlite->store.ops = &sqlite_ops;
    rc = eds_place_absolute(&sqlite->path, path, err);
    if (rc == EDS_OK)
        rc = eds_place_make_parents(sqlite->path, err);
    /* SQLite would make the file with the permissions of the umask. */
    if (rc == EDS_OK && mknod(sqlite->path, S_IFREG | 0600, 0) != 0 && errno != EEXIST)
        rc = eds_error_set(err, EDS_ERR_IO, "cannot make the offline buffer %s: %s", sqlite->path,
                           strerror(errno));
    if (rc == EDS_OK)
        rc = eds_buffer_sqlite_connect(sqlite, err);
    if (rc != EDS_OK)
        sqlite_close(&sqlite->store);
    else
        *out = &sqlite->store;
    return rc;
}

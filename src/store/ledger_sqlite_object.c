/* ledger_sqlite_object.c - payloads, and which references are in use.
 *
 * An index on the references would cost most of a commit: with many devices each
 * record's reference has a place of its own in it, and SQLite writes the page of
 * each.  So raw_objects is only appended to, and object_refs takes references by
 * thousands (ledger_sqlite_refs.c): those of the rows up to
 * object_index_end.indexed_id are in it, and the newer ones we keep in memory.
 * Another process that writes is noticed by data_version; then the newer rows are
 * read again, as they are when a file is opened.
 *
 * A look-up asks the tail first and then object_refs, so that a reference that
 * moves from the one to the other meanwhile is not missed. */
#include "store/ledger_sqlite_bind.h"

#include <stdlib.h>

/* Runs a statement that answers with one number. */
static int32_t read_number(struct sqlite_ledger *sqlite, enum sqlite_statement which,
                           sqlite3_int64 *out, struct eds_error *err)
{
    sqlite3_stmt *statement = sqlite->statements[which];
    int code = sqlite3_step(statement);
    int32_t rc = EDS_OK;

    if (code == SQLITE_ROW)
        *out = sqlite3_column_int64(statement, 0);
    else if (code == SQLITE_DONE)
        rc = EDS_ERR_NOT_FOUND;
    else
        rc = eds_sqlite_fail(sqlite, err, "read");
    sqlite3_reset(statement);
    return rc;
}

static int32_t no_memory(struct eds_error *err)
{
    return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for references");
}

/* The row behind which load_tail has to read, with what the tail has kept: its last
 * one, unless the index has grown meanwhile or the tail is of another state. */
static sqlite3_int64 keep_tail(struct sqlite_ledger *sqlite, sqlite3_int64 indexed_id,
                               bool has_tail)
{
    size_t count = sqlite->tail.refs.count;

    if (has_tail && count > 0 && indexed_id == sqlite->tail_indexed_id &&
        sqlite->tail.items[count - 1].id > indexed_id)
        return sqlite->tail.items[count - 1].id;
    eds_ref_tail_cut(&sqlite->tail, 0);
    sqlite->tail_indexed_id = indexed_id;
    return indexed_id;
}

/* Reads the rows whose references are not in object_refs; where another process
 * commits all the time only those that the tail does not have. */
static int32_t load_tail(struct sqlite_ledger *sqlite, bool has_tail, struct eds_error *err)
{
    sqlite3_stmt *statement = sqlite->statements[SQLITE_STATEMENT_TAIL];
    sqlite3_int64 indexed_id = 0;
    int32_t rc = read_number(sqlite, SQLITE_STATEMENT_INDEX_END, &indexed_id, err);
    int code = SQLITE_DONE;

    if (rc == EDS_ERR_NOT_FOUND)
        return eds_sqlite_damaged(sqlite, err, "object_index_end", 1, "indexed_id");
    if (rc == EDS_OK &&
        sqlite3_bind_int64(statement, 1, keep_tail(sqlite, indexed_id, has_tail)) != SQLITE_OK)
        rc = eds_sqlite_fail(sqlite, err, "read");
    while (rc == EDS_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        sqlite3_int64 id = sqlite3_column_int64(statement, 0);
        int64_t other;
        const char *ref = eds_sqlite_column_text(statement, 1, EDS_OBJECT_REF_SIZE);
        uint64_t hash = ref != NULL ? eds_ref_tail_hash(&sqlite->tail, ref) : 0;

        if (ref == NULL)
            rc = eds_sqlite_damaged(sqlite, err, "raw_objects", id, "object_ref");
        else if (!eds_ref_tail_find(&sqlite->tail, ref, hash, &other) &&
                 eds_ref_tail_add(&sqlite->tail, ref, hash, id) != EDS_OK)
            rc = no_memory(err);
    }
    if (rc == EDS_OK && code != SQLITE_DONE)
        rc = eds_sqlite_fail(sqlite, err, "read");
    sqlite3_reset(statement);
    return rc;
}

void eds_sqlite_forget(struct sqlite_ledger *sqlite)
{
    eds_ref_gaps_clear(&sqlite->gaps);
    eds_known_heads_clear(&sqlite->known);
    sqlite->record_id = sqlite->object_id = -1;
}

/* Makes the tail that of what is in the file now. */
static int32_t refresh(struct sqlite_ledger *sqlite, struct eds_error *err)
{
    bool has_tail = sqlite->has_tail;
    sqlite3_int64 data_version = 0;
    int32_t rc = read_number(sqlite, SQLITE_STATEMENT_DATA_VERSION, &data_version, err);

    if (rc != EDS_OK || (has_tail && data_version == sqlite->data_version))
        return rc;
    sqlite->has_tail = false;
    eds_sqlite_forget(sqlite);
    rc = load_tail(sqlite, has_tail, err);
    if (rc == EDS_OK) {
        sqlite->has_tail = true;
        sqlite->data_version = data_version;
    }
    return rc;
}

/* The row of a reference.  EDS_OK, EDS_ERR_NOT_FOUND, or a failure. */
static int32_t find_id(struct sqlite_ledger *sqlite, const char *ref, sqlite3_int64 *id,
                       struct eds_error *err)
{
    int64_t found = 0;
    int32_t rc = EDS_OK;

    if (!eds_ref_tail_find(&sqlite->tail, ref, eds_ref_tail_hash(&sqlite->tail, ref), &found))
        rc = eds_sqlite_refs_find(sqlite, ref, &found, NULL, err);
    *id = found;
    return rc;
}

/* The same within a commit, where a device's references come one after the other. */
static int32_t find_id_of(struct sqlite_ledger *sqlite, size_t append, const char *ref,
                          uint64_t hash, sqlite3_int64 *id, struct eds_error *err)
{
    const struct eds_commit_plan *plan = &sqlite->plan;
    uint64_t device = plan->devices.items[plan->move_indexes[append]].hash;
    struct eds_ref_gap gap;
    bool comes_again;
    int64_t found = 0;
    int32_t rc = EDS_OK;

    if (!eds_ref_tail_find(&sqlite->tail, ref, hash, &found)) {
        if (eds_ref_gaps_hold(&sqlite->gaps, device, ref))
            return EDS_ERR_NOT_FOUND;
        comes_again = eds_ref_gaps_visit(&sqlite->gaps, device);
        rc = eds_sqlite_refs_find(sqlite, ref, &found, comes_again ? &gap : NULL, err);
        if (comes_again && rc == EDS_ERR_NOT_FOUND)
            eds_ref_gaps_note(&sqlite->gaps, device, &gap);
    }
    *id = found;
    return rc;
}

/* Steps a look-up in raw_objects to the row of that number and reference.
 * EDS_ERR_NOT_FOUND if it is not there, though the index says so. */
static int32_t find_row(struct sqlite_ledger *sqlite, enum sqlite_statement which, sqlite3_int64 id,
                        const char *ref, struct eds_error *err)
{
    sqlite3_stmt *statement = sqlite->statements[which];
    int code;

    if (sqlite3_bind_int64(statement, 1, id) != SQLITE_OK ||
        sqlite3_bind_text(statement, 2, ref, -1, SQLITE_STATIC) != SQLITE_OK)
        return eds_sqlite_fail(sqlite, err, "read");
    code = sqlite3_step(statement);
    if (code == SQLITE_DONE)
        return EDS_ERR_NOT_FOUND;
    return code == SQLITE_ROW ? EDS_OK : eds_sqlite_fail(sqlite, err, "read");
}

static int32_t read_hash(struct sqlite_ledger *sqlite, sqlite3_int64 id, const char *ref,
                         uint8_t out[EDS_HASH_SIZE], struct eds_error *err)
{
    sqlite3_stmt *statement = sqlite->statements[SQLITE_STATEMENT_OBJECT];
    int32_t rc = find_row(sqlite, SQLITE_STATEMENT_OBJECT, id, ref, err);

    if (rc == EDS_OK && !eds_sqlite_column_bytes(out, EDS_HASH_SIZE, statement, 0))
        rc = eds_sqlite_damaged(sqlite, err, "raw_objects", id, "payload_hash");
    sqlite3_reset(statement);
    return rc;
}

/* What begins every look-up from outside a commit. */
static int32_t look_up(struct sqlite_ledger *sqlite, const char *ref, sqlite3_int64 *id,
                       struct eds_error *err)
{
    int32_t rc = eds_sqlite_ready(sqlite, err);

    if (rc == EDS_OK)
        rc = refresh(sqlite, err);
    return rc == EDS_OK ? find_id(sqlite, ref, id, err) : rc;
}

int32_t eds_sqlite_object(struct eds_ledger *ledger, const char *object_ref,
                          uint8_t out[EDS_HASH_SIZE], struct eds_error *err)
{
    struct sqlite_ledger *sqlite = (struct sqlite_ledger *)ledger;
    sqlite3_int64 id = 0;
    int32_t rc = look_up(sqlite, object_ref, &id, err);

    if (rc == EDS_OK)
        rc = read_hash(sqlite, id, object_ref, out, err);
    if (rc == EDS_ERR_NOT_FOUND)
        return eds_error_set(err, rc, "no object %s", object_ref);
    return rc;
}

/* Copies the payload in column 0. */
static int32_t copy_payload(void **out, size_t *out_size, sqlite3_stmt *statement,
                            const struct sqlite_ledger *sqlite, struct eds_error *err)
{
    const void *bytes;
    size_t size;
    void *copy;

    if (sqlite3_column_type(statement, 0) == SQLITE_NULL)
        return EDS_ERR_NOT_FOUND;
    if (sqlite3_column_type(statement, 0) != SQLITE_BLOB)
        return eds_sqlite_damaged(sqlite, err, "raw_objects", sqlite3_column_int64(statement, 1),
                                  "payload");
    bytes = sqlite3_column_blob(statement, 0); /* NULL for an empty one, or without memory */
    size = (size_t)sqlite3_column_bytes(statement, 0);
    copy = bytes == NULL && size > 0 ? NULL : malloc(size > 0 ? size : 1);
    if (copy == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for the %zu bytes of a payload",
                             size);
    if (size > 0)
        memcpy(copy, bytes, size);
    *out = copy;
    *out_size = size;
    return EDS_OK;
}

int32_t eds_sqlite_payload(struct eds_ledger *ledger, const char *object_ref, void **out,
                           size_t *out_size, struct eds_error *err)
{
    struct sqlite_ledger *sqlite = (struct sqlite_ledger *)ledger;
    sqlite3_int64 id = 0;
    int32_t rc = look_up(sqlite, object_ref, &id, err);

    if (rc == EDS_OK) {
        sqlite3_stmt *statement = sqlite->statements[SQLITE_STATEMENT_PAYLOAD];

        rc = find_row(sqlite, SQLITE_STATEMENT_PAYLOAD, id, object_ref, err);
        if (rc == EDS_OK)
            rc = copy_payload(out, out_size, statement, sqlite, err);
        sqlite3_reset(statement);
    }
    if (rc == EDS_ERR_NOT_FOUND)
        return eds_error_set(err, rc, "no payload for %s is kept here", object_ref);
    return rc;
}

int32_t eds_sqlite_objects_begin(struct sqlite_ledger *sqlite, struct eds_error *err)
{
    int32_t rc = refresh(sqlite, err);

    sqlite->tail_kept = sqlite->tail.refs.count;
    sqlite->tail_merged = false;
    return rc != EDS_OK ? rc
                        : eds_sqlite_next_id(sqlite, SQLITE_STATEMENT_LAST_OBJECT, "raw_objects",
                                             &sqlite->object_id, sqlite->rows.commit->append_count,
                                             &sqlite->rows.first_object_id, err);
}

static int32_t run(struct sqlite_ledger *sqlite, enum sqlite_statement which, bool is_bound,
                   struct eds_error *err)
{
    sqlite3_stmt *statement = sqlite->statements[which];
    int32_t rc = EDS_OK;

    if (!is_bound || sqlite3_step(statement) != SQLITE_DONE)
        rc = eds_sqlite_fail(sqlite, err, "write to");
    sqlite3_reset(statement);
    return rc;
}

/* The reference is in use: fine if it stands for the same payload, which is
 * then kept if it was not yet. */
static int32_t share(struct sqlite_ledger *sqlite, sqlite3_int64 id,
                     const struct eds_append *append, struct eds_error *err)
{
    sqlite3_stmt *statement = sqlite->statements[SQLITE_STATEMENT_FILL_OBJECT];
    const EdsAuditRecord *record = &append->entry->record;
    const char *ref = (const char *)record->object_ref;
    uint8_t taken_by[EDS_HASH_SIZE];
    int32_t rc = read_hash(sqlite, id, ref, taken_by, err);

    if (rc == EDS_ERR_NOT_FOUND)
        return eds_sqlite_damaged(sqlite, err, "raw_objects", id, "object_ref");
    if (rc == EDS_OK && memcmp(taken_by, record->payload_hash, EDS_HASH_SIZE) != 0)
        return eds_error_set(err, EDS_ERR_HEAD_MOVED, "object_ref %s stands for another payload",
                             ref);
    if (rc != EDS_OK || append->payload == NULL)
        return rc;
    return run(sqlite, SQLITE_STATEMENT_FILL_OBJECT,
               sqlite3_bind_int64(statement, 1, id) == SQLITE_OK &&
                   eds_sqlite_bind_payload(statement, 2, append) == SQLITE_OK,
               err);
}

int32_t eds_sqlite_objects_write(struct sqlite_ledger *sqlite, struct eds_error *err)
{
    struct sqlite_rows *rows = &sqlite->rows;
    int32_t rc;

    if (rows->new_object_count == 0)
        return EDS_OK;
    if (rows->new_object_count == 1)
        rc = run(sqlite, SQLITE_STATEMENT_ADD_OBJECT,
                 eds_sqlite_bind_one_object(sqlite) == SQLITE_OK, err);
    else
        rc = run(sqlite, SQLITE_STATEMENT_ADD_OBJECTS, true, err);
    rows->first_object_id += (sqlite3_int64)rows->new_object_count;
    rows->new_object_count = 0;
    return rc;
}

int32_t eds_sqlite_objects_add(struct sqlite_ledger *sqlite, size_t append, struct eds_error *err)
{
    struct sqlite_rows *rows = &sqlite->rows;
    const struct eds_append *added = &rows->commit->appends[append];
    const char *ref = (const char *)added->entry->record.object_ref;
    sqlite3_int64 *id = &rows->object_ids[append];
    uint64_t hash = eds_ref_tail_hash(&sqlite->tail, ref);
    int32_t rc = find_id_of(sqlite, append, ref, hash, id, err);

    if (rc == EDS_OK && *id >= rows->first_object_id) /* it came with this commit */
        rc = eds_sqlite_objects_write(sqlite, err);
    if (rc != EDS_ERR_NOT_FOUND)
        return rc == EDS_OK ? share(sqlite, *id, added, err) : rc;
    *id = rows->first_object_id + (sqlite3_int64)rows->new_object_count;
    if (eds_ref_tail_add(&sqlite->tail, ref, hash, *id) != EDS_OK)
        return no_memory(err);
    rows->new_objects[rows->new_object_count++] = append;
    return EDS_OK;
}

int32_t eds_sqlite_objects_merge(struct sqlite_ledger *sqlite, struct eds_error *err)
{
    sqlite3_stmt *end = sqlite->statements[SQLITE_STATEMENT_MOVE_INDEX_END];
    const struct eds_ref_tail_sorted *sorted;
    size_t count = sqlite->tail.refs.count;
    int64_t last_id = 0;
    int32_t rc;

    if (count < sqlite->tail_max)
        return EDS_OK;
    for (size_t i = 0; i < count; i++)
        if (sqlite->tail.items[i].id > last_id)
            last_id = sqlite->tail.items[i].id;
    sorted = eds_ref_tail_sort(&sqlite->tail);
    eds_ref_gaps_narrow(&sqlite->gaps, sorted, count);
    rc = eds_sqlite_refs_add(sqlite, sorted, count, err);
    if (rc == EDS_OK)
        rc = run(sqlite, SQLITE_STATEMENT_MOVE_INDEX_END,
                 sqlite3_bind_int64(end, 1, last_id) == SQLITE_OK, err);
    sqlite->tail_merged = rc == EDS_OK;
    return rc;
}

void eds_sqlite_objects_keep(struct sqlite_ledger *sqlite)
{
    if (sqlite->tail_merged)
        eds_ref_tail_cut(&sqlite->tail, 0);
    sqlite->tail_merged = false;
    sqlite->object_id = sqlite->rows.first_object_id - 1;
}

void eds_sqlite_objects_undo(struct sqlite_ledger *sqlite, bool may_be_done)
{
    if (may_be_done)
        sqlite->has_tail = false;
    else
        eds_ref_tail_cut(&sqlite->tail, sqlite->tail_kept);
    sqlite->tail_merged = false;
}

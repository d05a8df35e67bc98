/* ledger_sqlite_rows.c - what is in memory, as tables to select from: the rows of a
 * commit, and the ids of records to be read.
 *
 * A statement for each row spends more on beginning, binding and ending than on the
 * row.  So the commit that is being written shows its records, its new objects and
 * its lines as virtual tables, and one INSERT ... SELECT for each takes them all;
 * and a reader's records come by one statement for all ids that he has places of.
 * They are made in the connection's own temporary schema: no table in the file can
 * stand in for them, and nothing in the file can ask for them (DIRECTONLY). */
#include "store/ledger_sqlite.h"

#include <stdlib.h>

#include "store/instant.h"

/* One of the tables. */
struct table {
    const char *name;
    const char *declaration;
    size_t (*count)(const struct sqlite_rows *);
    void (*column)(sqlite3_context *, struct sqlite_rows *, size_t row, int column);
};

struct rows_table {
    sqlite3_vtab base;
    const struct table *table;
    struct sqlite_rows *rows;
};

struct rows_cursor {
    sqlite3_vtab_cursor base;
    size_t row, count;
};

static void give_text(sqlite3_context *context, const void *text)
{
    sqlite3_result_text(context, text, -1, SQLITE_STATIC);
}

static void give_u64(sqlite3_context *context, uint64_t number)
{
    sqlite3_result_int64(context, eds_sqlite_from_u64(number));
}

static void give_bytes(sqlite3_context *context, const void *bytes, size_t size)
{
    if (bytes == NULL)
        sqlite3_result_null(context);
    else if (size == 0) /* SQLite takes an empty blob at some address for NULL */
        sqlite3_result_zeroblob(context, 0);
    else
        sqlite3_result_blob64(context, bytes, size, SQLITE_STATIC);
}

static size_t count_records(const struct sqlite_rows *rows)
{
    return rows->commit != NULL ? rows->commit->append_count : 0;
}

static void give_attestation(sqlite3_context *context, const struct eds_attestation *attestation,
                             bool is_key_id)
{
    if (!attestation->present)
        sqlite3_result_null(context);
    else if (is_key_id)
        give_bytes(context, attestation->key_id, EDS_KEY_ID_SIZE);
    else
        give_bytes(context, attestation->signature, EDS_SIGNATURE_SIZE);
}

/* The text holds until the row is written, and then the next one has its place. */
static void give_ingested(sqlite3_context *context, struct sqlite_rows *rows, size_t row)
{
    if (rows->commit->ingested_ms == NULL) {
        give_text(context, rows->now);
        return;
    }
    eds_instant_format(rows->ingested, rows->commit->ingested_ms[row]);
    give_text(context, rows->ingested);
}

static void give_record(sqlite3_context *context, struct sqlite_rows *rows, size_t row, int column)
{
    const struct eds_append *append = &rows->commit->appends[row];
    const EdsAuditRecord *record = &append->entry->record;

    switch (column) { /* in the order of the declaration */
    case 0:
        sqlite3_result_int64(context, rows->first_record_id + (sqlite3_int64)row);
        break;
    case 1:
        give_text(context, record->device_id);
        break;
    case 2:
        give_u64(context, record->sequence);
        break;
    case 3:
        give_u64(context, record->timestamp_ms);
        break;
    case 4:
        give_bytes(context, record->payload_hash, EDS_HASH_SIZE);
        break;
    case 5:
        give_bytes(context, record->signature, EDS_SIGNATURE_SIZE);
        break;
    case 6:
        give_bytes(context, record->prev_record_hash, EDS_HASH_SIZE);
        break;
    case 7:
        give_text(context, record->object_ref);
        break;
    case 8:
        give_ingested(context, rows, row);
        break;
    case 9:
        give_bytes(context, append->record_hash, EDS_HASH_SIZE);
        break;
    case 10:
    case 11:
        give_attestation(context, &append->entry->attestation, column == 10);
        break;
    default:
        sqlite3_result_int64(context, rows->object_ids[row]);
        break;
    }
}

static size_t count_objects(const struct sqlite_rows *rows)
{
    return rows->commit != NULL ? rows->new_object_count : 0;
}

static void give_object(sqlite3_context *context, struct sqlite_rows *rows, size_t row, int column)
{
    const struct eds_append *append = &rows->commit->appends[rows->new_objects[row]];

    switch (column) {
    case 0:
        sqlite3_result_int64(context, rows->first_object_id + (sqlite3_int64)row);
        break;
    case 1:
        give_text(context, append->entry->record.object_ref);
        break;
    case 2:
        give_bytes(context, append->entry->record.payload_hash, EDS_HASH_SIZE);
        break;
    default:
        give_bytes(context, append->payload, append->payload_size);
        break;
    }
}

static size_t count_operations(const struct sqlite_rows *rows)
{
    return rows->commit != NULL ? rows->commit->operation_count : 0;
}

static void give_operation(sqlite3_context *context, struct sqlite_rows *rows, size_t row,
                           int column)
{
    const struct eds_operation *operation = &rows->commit->operations[row];

    switch (column) {
    case 0:
        give_text(context, eds_decision_name(operation->decision));
        break;
    case 1:
        give_text(context, operation->device_id);
        break;
    case 2:
        give_u64(context, operation->sequence);
        break;
    case 3:
        give_text(context, operation->message);
        break;
    default:
        give_text(context, rows->now);
        break;
    }
}

static size_t count_wanted(const struct sqlite_rows *rows)
{
    return rows->wanted_count;
}

static void give_wanted(sqlite3_context *context, struct sqlite_rows *rows, size_t row, int column)
{
    (void)column;
    sqlite3_result_int64(context, rows->wanted[row]);
}

static const struct table tables[] = {
    {"commit_records",
     "CREATE TABLE t(id, device_id, sequence, timestamp_ms, payload_hash, signature,"
     " prev_record_hash, object_ref, ingested_at, record_hash, attest_key_id, attest_signature,"
     " object_id)",
     count_records, give_record},
    {"commit_objects", "CREATE TABLE t(id, object_ref, payload_hash, payload)", count_objects,
     give_object},
    {"commit_operations", "CREATE TABLE t(decision, device_id, sequence, message, created_at)",
     count_operations, give_operation},
    {"wanted_rows", "CREATE TABLE t(id)", count_wanted, give_wanted},
};
#define TABLE_COUNT (sizeof tables / sizeof tables[0])

/* argv[2] is the name of the table that is being made. */
static int connect(sqlite3 *db, void *context, int argc, const char *const *argv,
                   sqlite3_vtab **out, char **err)
{
    struct sqlite_ledger *sqlite = context;
    struct rows_table *table = calloc(1, sizeof *table);
    int code = SQLITE_ERROR;

    (void)argc;
    (void)err;
    if (table == NULL)
        return SQLITE_NOMEM;
    table->rows = &sqlite->rows;
    for (size_t i = 0; i < TABLE_COUNT; i++)
        if (strcmp(argv[2], tables[i].name) == 0)
            table->table = &tables[i];
    if (table->table != NULL)
        code = sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
    if (code == SQLITE_OK)
        code = sqlite3_declare_vtab(db, table->table->declaration);
    if (code == SQLITE_OK)
        *out = &table->base;
    else
        free(table);
    return code;
}

static int disconnect(sqlite3_vtab *table)
{
    free(table);
    return SQLITE_OK;
}

static int best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table;
    info->estimatedCost = 1000;
    info->estimatedRows = 1000;
    return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
    struct rows_cursor *cursor = calloc(1, sizeof *cursor);

    (void)table;
    if (cursor == NULL)
        return SQLITE_NOMEM;
    *out = &cursor->base;
    return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *cursor)
{
    free(cursor);
    return SQLITE_OK;
}

static int first_row(sqlite3_vtab_cursor *base, int index, const char *index_name, int argc,
                     sqlite3_value **argv)
{
    struct rows_cursor *cursor = (struct rows_cursor *)base;
    const struct rows_table *table = (const struct rows_table *)base->pVtab;

    (void)index, (void)index_name, (void)argc, (void)argv;
    cursor->row = 0;
    cursor->count = table->table->count(table->rows);
    return SQLITE_OK;
}

static int next_row(sqlite3_vtab_cursor *base)
{
    ((struct rows_cursor *)base)->row++;
    return SQLITE_OK;
}

static int is_at_end(sqlite3_vtab_cursor *base)
{
    const struct rows_cursor *cursor = (const struct rows_cursor *)base;

    return cursor->row >= cursor->count;
}

static int give_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct rows_table *table = (const struct rows_table *)base->pVtab;

    table->table->column(context, table->rows, ((struct rows_cursor *)base)->row, column);
    return SQLITE_OK;
}

static int give_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    *out = (sqlite3_int64)((struct rows_cursor *)base)->row;
    return SQLITE_OK;
}

static const sqlite3_module module = {
    .xCreate = connect,
    .xConnect = connect,
    .xBestIndex = best_index,
    .xDisconnect = disconnect,
    .xDestroy = disconnect,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = first_row,
    .xNext = next_row,
    .xEof = is_at_end,
    .xColumn = give_column,
    .xRowid = give_rowid,
};

int32_t eds_sqlite_rows_make(struct sqlite_ledger *sqlite, struct eds_error *err)
{
    char sql[96];

    if (sqlite3_create_module_v2(sqlite->db, "commit_rows", &module, sqlite, NULL) != SQLITE_OK)
        return eds_sqlite_fail(sqlite, err, "prepare to use");
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        sqlite3_snprintf(sizeof sql, sql, "CREATE VIRTUAL TABLE temp.%s USING commit_rows",
                         tables[i].name);
        if (sqlite3_exec(sqlite->db, sql, NULL, NULL, NULL) != SQLITE_OK)
            return eds_sqlite_fail(sqlite, err, "prepare to use");
    }
    return EDS_OK;
}

int32_t eds_sqlite_rows_begin(struct sqlite_ledger *sqlite, const struct eds_commit *commit,
                              struct eds_error *err)
{
    struct sqlite_rows *rows = &sqlite->rows;
    size_t count = commit->append_count;

    rows->commit = commit;
    rows->new_object_count = 0;
    eds_instant_format(rows->now, commit->now_ms);
    if (count > rows->capacity) {
        sqlite3_int64 *object_ids = realloc(rows->object_ids, count * sizeof *object_ids);
        size_t *new_objects;

        if (object_ids != NULL)
            rows->object_ids = object_ids;
        new_objects = realloc(rows->new_objects, count * sizeof *new_objects);
        if (new_objects != NULL)
            rows->new_objects = new_objects;
        if (object_ids == NULL || new_objects == NULL)
            return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for the rows of a commit");
        rows->capacity = count;
    }
    return EDS_OK;
}

void eds_sqlite_rows_free(struct sqlite_rows *rows)
{
    free(rows->object_ids);
    free(rows->new_objects);
    memset(rows, 0, sizeof *rows);
}

/* ledger_sqlite_scan.c - the SQLite ledger, read from end to end (its records:
 * ledger_sqlite_walk.c).
 *
 * A scan reads a slice of rows into memory, ends that read, and only then shows
 * the rows to the visitor; the next slice starts behind the last row.  While a
 * read lasts, the write-ahead log cannot start over, so that a visitor who
 * takes long (one who writes to a pipe that nobody empties) would let the log
 * grow without end.  Nothing is ever deleted, and rows are added behind those
 * that are there; so a scan in slices still sees every row that was there when it
 * began. */
#include "store/ledger_sqlite.h"

#include <stdlib.h>

#include "store/instant.h"

#define SLICE_ROWS  256
#define BEFORE_ALL  INT64_MIN
#define RECORD_FROM "SELECT " EDS_SQLITE_RECORD_COLUMNS " FROM "

struct head_row {
    char device_id[EDS_DEVICE_ID_SIZE];
    struct eds_head head;
};

#define STRING_COUNT 4
#define NO_STRING    SIZE_MAX

struct operation_row {
    struct eds_operation operation; /* without its strings */
    uint64_t created_ms;
    size_t strings[STRING_COUNT]; /* where they begin in the slice's text, or NO_STRING */
};

struct scan {
    struct sqlite_ledger *sqlite;
    const char *table; /* for errors */
    /* Why reading failed.  Not the caller's own yet: the rows read before are
     * shown first, and a visitor may use the caller's. */
    struct eds_error failure;

    /* The last row read.  Queries name them ?1 and ?2, and the most rows of a
     * slice ?3. */
    char device_id[EDS_DEVICE_ID_SIZE];
    sqlite3_int64 number; /* its sequence, its id, or that there was one */

    /* A slice, and what is done with each row of it. */
    union {
        struct sqlite_row *records;
        struct head_row *heads;
        struct operation_row *operations;
        void *any;
    } rows;
    size_t row_size;
    struct { /* the strings of its rows, if these are operations */
        char *bytes;
        size_t size, capacity;
    } text;
    int32_t (*read)(struct scan *, sqlite3_stmt *, size_t row);
    int32_t (*show)(struct scan *, size_t row);
    int32_t (*visit_stored)(void *context, const struct eds_stored *);
    int32_t (*visit_head)(void *context, const char *device_id, const struct eds_head *);
    int32_t (*visit_operation)(void *context, const struct eds_operation *, uint64_t created_ms);
    void *context;
};

static int32_t read_slice(struct scan *scan, sqlite3_stmt *statement, size_t *row_count)
{
    int32_t rc = EDS_OK;

    /* A copy of device_id, because reading a row changes it. */
    if (sqlite3_bind_text(statement, 1, scan->device_id, -1, SQLITE_TRANSIENT) != SQLITE_OK ||
        sqlite3_bind_int64(statement, 2, scan->number) != SQLITE_OK ||
        sqlite3_bind_int(statement, 3, SLICE_ROWS) != SQLITE_OK)
        return eds_sqlite_fail(scan->sqlite, &scan->failure, "read");
    while (rc == EDS_OK) {
        int code = sqlite3_step(statement);

        if (code == SQLITE_DONE)
            break;
        rc = code == SQLITE_ROW ? scan->read(scan, statement, *row_count)
                                : eds_sqlite_fail(scan->sqlite, &scan->failure, "read");
        if (rc == EDS_OK)
            ++*row_count;
    }
    sqlite3_reset(statement);
    return rc;
}

/* A row that cannot be read ends the scan, after those before it were shown. */
static int32_t run_slices(struct scan *scan, sqlite3_stmt *statement, struct eds_error *err)
{
    size_t row_count;
    int32_t rc, visit_rc = EDS_OK;

    do {
        row_count = 0;
        scan->text.size = 0;
        rc = read_slice(scan, statement, &row_count);
        for (size_t i = 0; i < row_count && visit_rc == EDS_OK; i++)
            visit_rc = scan->show(scan, i);
        if (visit_rc != EDS_OK)
            return visit_rc;
    } while (rc == EDS_OK && row_count == SLICE_ROWS);
    if (rc != EDS_OK && err != NULL)
        *err = scan->failure;
    return rc;
}

/* The statement is this scan's own, so that a visit may start another scan. */
static int32_t run(struct scan *scan, const char *query, struct eds_error *err)
{
    sqlite3_stmt *statement = NULL;
    int32_t rc = eds_sqlite_ready(scan->sqlite, err);

    if (rc != EDS_OK)
        return rc;
    scan->rows.any = calloc(SLICE_ROWS, scan->row_size);
    if (scan->rows.any == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to read %s", scan->table);
    if (sqlite3_prepare_v2(scan->sqlite->db, query, -1, &statement, NULL) != SQLITE_OK)
        rc = eds_sqlite_fail(scan->sqlite, err, "read");
    else
        rc = run_slices(scan, statement, err);
    sqlite3_finalize(statement);
    free(scan->rows.any);
    free(scan->text.bytes);
    return rc;
}

/* Takes a row's id, behind which the next slice begins.  One that is not above the last one,
 * as a table can have that somebody made, would begin the scan again. */
static int32_t take_id(struct scan *scan, sqlite3_stmt *statement)
{
    sqlite3_int64 id = sqlite3_column_int64(statement, 0);

    if (id <= scan->number)
        return eds_sqlite_damaged(scan->sqlite, &scan->failure, scan->table, id, "id");
    scan->number = id;
    return EDS_OK;
}

static int32_t read_conflict(struct scan *scan, sqlite3_stmt *statement, size_t row)
{
    int32_t rc = take_id(scan, statement);

    return rc != EDS_OK ? rc
                        : eds_sqlite_read_record(&scan->rows.records[row], statement, scan->sqlite,
                                                 scan->table, &scan->failure);
}

static int32_t show_record(struct scan *scan, size_t row)
{
    return scan->visit_stored(scan->context, &scan->rows.records[row].stored);
}

static int32_t read_head(struct scan *scan, sqlite3_stmt *statement, size_t row)
{
    struct head_row *out = &scan->rows.heads[row];
    const char *device_id = eds_sqlite_column_text(statement, 0, EDS_DEVICE_ID_SIZE);

    if (device_id == NULL)
        return eds_sqlite_damaged(scan->sqlite, &scan->failure, scan->table,
                                  sqlite3_column_int64(statement, 5), "device_id");
    strcpy(out->device_id, device_id);
    strcpy(scan->device_id, device_id);
    scan->number = 1;
    return eds_sqlite_read_head(&out->head, statement, 1, scan->sqlite, &scan->failure);
}

static int32_t show_head(struct scan *scan, size_t row)
{
    return scan->visit_head(scan->context, scan->rows.heads[row].device_id,
                            &scan->rows.heads[row].head);
}

/* Keeps a string until its slice was shown: behind the others, since memory of its own
 * for each would cost more than reading them. */
static int32_t keep_string(struct scan *scan, size_t *at, const char *string, size_t size)
{
    size_t capacity = scan->text.capacity > 0 ? scan->text.capacity : 16384;

    while (capacity - scan->text.size < size + 1)
        capacity *= 2;
    if (capacity > scan->text.capacity) {
        char *grown = realloc(scan->text.bytes, capacity);

        if (grown == NULL)
            return eds_error_set(&scan->failure, EDS_ERR_NO_MEMORY, "no memory to read %s",
                                 scan->table);
        scan->text.bytes = grown;
        scan->text.capacity = capacity;
    }
    *at = scan->text.size;
    memcpy(scan->text.bytes + *at, string, size);
    scan->text.bytes[*at + size] = '\0';
    scan->text.size += size + 1;
    return EDS_OK;
}

/* Keeps the strings of a line.  who and why may be NULL. */
static int32_t read_strings(struct scan *scan, sqlite3_stmt *statement, struct operation_row *out,
                            const char **bad)
{
    static const struct {
        int column;
        bool may_be_null;
        const char *name;
    } strings[STRING_COUNT] = {
        {2, false, "device_id"}, {4, false, "message"}, {6, true, "who"}, {7, true, "why"}};
    int32_t rc = EDS_OK;

    for (size_t i = 0; i < STRING_COUNT && rc == EDS_OK; i++) {
        size_t size;
        const char *text = eds_sqlite_column_string(statement, strings[i].column, SIZE_MAX, &size);

        out->strings[i] = NO_STRING;
        if (text != NULL)
            rc = keep_string(scan, &out->strings[i], text, size);
        else if (!strings[i].may_be_null ||
                 sqlite3_column_type(statement, strings[i].column) != SQLITE_NULL)
            *bad = strings[i].name;
    }
    return rc;
}

static int32_t read_operation(struct scan *scan, sqlite3_stmt *statement, size_t row)
{
    struct operation_row *out = &scan->rows.operations[row];
    const char *decision = eds_sqlite_column_text(statement, 1, sizeof "Quarantined");
    const char *created_at = eds_sqlite_column_text(statement, 5, EDS_INSTANT_SIZE);
    const char *bad = NULL;
    int32_t rc = take_id(scan, statement);

    if (rc != EDS_OK)
        return rc;
    out->operation.sequence = eds_sqlite_to_u64(sqlite3_column_int64(statement, 3));
    if (decision == NULL || !eds_decision_parse(&out->operation.decision, decision))
        bad = "decision";
    rc = read_strings(scan, statement, out, &bad);
    if (created_at == NULL || !eds_instant_parse(&out->created_ms, created_at))
        bad = "created_at";
    if (rc == EDS_OK && bad != NULL)
        rc = eds_sqlite_damaged(scan->sqlite, &scan->failure, scan->table, scan->number, bad);
    return rc;
}

static int32_t show_operation(struct scan *scan, size_t row)
{
    struct operation_row *found = &scan->rows.operations[row];
    const char **const strings[STRING_COUNT] = {&found->operation.device_id,
                                                &found->operation.message, &found->operation.who,
                                                &found->operation.why};

    for (size_t i = 0; i < STRING_COUNT; i++)
        *strings[i] = found->strings[i] == NO_STRING ? NULL : scan->text.bytes + found->strings[i];
    return scan->visit_operation(scan->context, &found->operation, found->created_ms);
}

int32_t eds_sqlite_heads(struct eds_ledger *ledger,
                         int32_t (*visit)(void *context, const char *device_id,
                                          const struct eds_head *),
                         void *context, struct eds_error *err)
{
    struct scan scan = {
        .sqlite = (struct sqlite_ledger *)ledger,
        .table = "chain_heads",
        .number = 0,
        .row_size = sizeof(struct head_row),
        .read = read_head,
        .show = show_head,
        .visit_head = visit,
        .context = context,
    };

    return run(&scan,
               "SELECT device_id, " EDS_SQLITE_HEAD_COLUMNS
               " FROM chain_heads WHERE device_id >= ?1 AND (device_id > ?1 OR ?2 = 0)"
               " ORDER BY device_id LIMIT ?3",
               err);
}

int32_t eds_sqlite_operations(struct eds_ledger *ledger,
                              int32_t (*visit)(void *context, const struct eds_operation *,
                                               uint64_t created_ms),
                              void *context, struct eds_error *err)
{
    struct scan scan = {
        .sqlite = (struct sqlite_ledger *)ledger,
        .table = "operation_logs",
        .number = BEFORE_ALL,
        .row_size = sizeof(struct operation_row),
        .read = read_operation,
        .show = show_operation,
        .visit_operation = visit,
        .context = context,
    };

    return run(&scan,
               "SELECT id, decision, device_id, sequence, message, created_at, who, why"
               " FROM operation_logs WHERE id > ?2 ORDER BY id LIMIT ?3",
               err);
}

int32_t eds_sqlite_conflicts(struct eds_ledger *ledger,
                             int32_t (*visit)(void *context, const struct eds_stored *),
                             void *context, struct eds_error *err)
{
    struct scan scan = {
        .sqlite = (struct sqlite_ledger *)ledger,
        .table = "conflicts",
        .number = BEFORE_ALL,
        .row_size = sizeof(struct sqlite_row),
        .read = read_conflict,
        .show = show_record,
        .visit_stored = visit,
        .context = context,
    };

    return run(&scan, RECORD_FROM "conflicts WHERE id > ?2 ORDER BY id LIMIT ?3", err);
}

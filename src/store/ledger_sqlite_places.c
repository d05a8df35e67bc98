/* ledger_sqlite_places.c - where the records of a device are.
 *
 * An index on (device, sequence) costs a page for each device of a commit, once
 * the ledger has grown: a third of all that is written.  A head's row is written
 * anyway.  So it holds where the device's newest records are, and what it has no
 * room for goes two steps on:
 *
 *   chain_heads.places      up to 32 records
 *   record_places           a row for 32 records; only ever appended, so that what
 *                           is written of it is its last page
 *   chain_heads.place_rows  up to 16 rows of record_places
 *   place_groups            a row for 16 of them, found by (device, sequence):
 *                           a page here and there, but for 512 records
 *
 * Each of these begins with its first sequence and moves as it is.  So a record is
 * found with three rows besides its own, and who looks first in the head and then
 * in the groups misses none that moves meanwhile. */
#include "store/ledger_sqlite.h"

/* A row of record_places or place_groups, which have the same columns. */
static int32_t write_row(struct sqlite_ledger *sqlite, enum sqlite_statement which,
                         const char *device_id, const struct eds_places *places,
                         struct eds_error *err)
{
    sqlite3_stmt *statement = sqlite->statements[which];
    uint8_t bytes[EDS_PLACES_SIZE_MAX];

    return eds_sqlite_run(
        sqlite, which,
        sqlite3_bind_text(statement, 1, device_id, -1, SQLITE_STATIC) == SQLITE_OK &&
            sqlite3_bind_int64(statement, 2, eds_sqlite_from_u64(places->sequences[0])) ==
                SQLITE_OK &&
            eds_sqlite_bind_places(statement, 3, places, bytes),
        err);
}

/* Moves the newest places to a row of their own, and before that, if there is no room
 * for one more, the rows to a group. */
static int32_t move_newest(struct sqlite_ledger *sqlite, const char *device_id,
                           struct eds_head_places *places, struct eds_error *err)
{
    int32_t rc;

    if (places->rows.count >= EDS_PLACE_ROWS_MAX) {
        rc = write_row(sqlite, SQLITE_STATEMENT_ADD_GROUP, device_id, &places->rows, err);
        if (rc != EDS_OK)
            return rc;
        places->rows.count = 0;
    }
    rc = write_row(sqlite, SQLITE_STATEMENT_ADD_PLACES, device_id, &places->newest, err);
    if (rc != EDS_OK)
        return rc;
    eds_places_add(&places->rows, places->newest.sequences[0],
                   sqlite3_last_insert_rowid(sqlite->db));
    places->newest.count = 0;
    return EDS_OK;
}

int32_t eds_sqlite_place_record(struct sqlite_ledger *sqlite, const char *device_id,
                                struct eds_head_places *places, uint64_t sequence, int64_t row,
                                struct eds_error *err)
{
    /* Not before there is another, so that a head always knows the last one. */
    int32_t rc = places->newest.count == EDS_PLACES_MAX
                     ? move_newest(sqlite, device_id, places, err)
                     : EDS_OK;

    if (rc == EDS_OK)
        eds_places_add(&places->newest, sequence, row);
    return rc;
}

bool eds_sqlite_bind_places(sqlite3_stmt *statement, int at, const struct eds_places *places,
                            uint8_t bytes[EDS_PLACES_SIZE_MAX])
{
    size_t size = eds_places_encode(bytes, places);

    return sqlite3_bind_blob64(statement, at, bytes, size, SQLITE_STATIC) == SQLITE_OK;
}

static bool read_places(struct eds_places *out, sqlite3_stmt *statement, int column)
{
    const void *bytes;
    size_t size;

    out->count = 0;
    if (sqlite3_column_type(statement, column) != SQLITE_BLOB)
        return false;
    bytes = sqlite3_column_blob(statement, column);
    size = (size_t)sqlite3_column_bytes(statement, column);
    return (bytes != NULL || size == 0) && eds_places_decode(out, bytes, size);
}

/* Whether all that the rows lead to lies before the newest places. */
static bool are_in_order(const struct eds_head_places *places)
{
    const struct eds_places *rows = &places->rows, *newest = &places->newest;

    return rows->count == 0 || (rows->count <= EDS_PLACE_ROWS_MAX && newest->count > 0 &&
                                rows->sequences[rows->count - 1] < newest->sequences[0]);
}

int32_t eds_sqlite_read_head_places(struct eds_head_places *out, sqlite3_stmt *statement,
                                    int column, sqlite3_int64 head_row,
                                    const struct sqlite_ledger *sqlite, struct eds_error *err)
{
    const char *bad = NULL;

    if (!read_places(&out->newest, statement, column))
        bad = "places";
    else if (!read_places(&out->rows, statement, column + 1) || !are_in_order(out))
        bad = "place_rows";
    return bad == NULL ? EDS_OK : eds_sqlite_damaged(sqlite, err, "chain_heads", head_row, bad);
}

/* Whether these are all that a row of one of the tables has, from its first sequence on. */
static bool are_full(const struct eds_places *places, size_t count, uint64_t first_sequence)
{
    return places->count == count && places->sequences[0] == first_sequence;
}

int32_t eds_sqlite_read_group(struct eds_places *out, sqlite3_stmt *statement, int column,
                              const struct sqlite_ledger *sqlite, struct eds_error *err)
{
    sqlite3_int64 first_sequence = sqlite3_column_int64(statement, column);

    if (!read_places(out, statement, column + 1) ||
        !are_full(out, EDS_PLACE_ROWS_MAX, eds_sqlite_to_u64(first_sequence)))
        return eds_sqlite_damaged(sqlite, err, "place_groups", first_sequence, "place_rows");
    return EDS_OK;
}

/* Reads the row that the statement has come to; it must be what led there says. */
static int32_t read_row(struct eds_places *out, const struct sqlite_ledger *sqlite,
                        const char *device_id, uint64_t first_sequence, int64_t row,
                        struct eds_error *err)
{
    sqlite3_stmt *statement = sqlite->statements[SQLITE_STATEMENT_PLACES];
    const char *found = eds_sqlite_column_text(statement, 0, EDS_DEVICE_ID_SIZE);
    const char *bad = NULL;

    if (found == NULL || strcmp(found, device_id) != 0)
        bad = "device_id";
    else if (sqlite3_column_int64(statement, 1) != eds_sqlite_from_u64(first_sequence))
        bad = "first_sequence";
    else if (!read_places(out, statement, 2) || !are_full(out, EDS_PLACES_MAX, first_sequence))
        bad = "places";
    return bad == NULL ? EDS_OK : eds_sqlite_damaged(sqlite, err, "record_places", row, bad);
}

int32_t eds_sqlite_read_places(struct eds_places *out, struct sqlite_ledger *sqlite,
                               const char *device_id, uint64_t first_sequence, int64_t row,
                               struct eds_error *err)
{
    sqlite3_stmt *statement = sqlite->statements[SQLITE_STATEMENT_PLACES];
    int code =
        sqlite3_bind_int64(statement, 1, row) == SQLITE_OK ? sqlite3_step(statement) : SQLITE_ERROR;
    int32_t rc;

    if (code == SQLITE_ROW)
        rc = read_row(out, sqlite, device_id, first_sequence, row, err);
    else if (code == SQLITE_DONE)
        rc = eds_error_set(err, EDS_ERR_MALFORMED,
                           "damaged ledger %s: row %lld of record_places, with records of device "
                           "%s from %llu on, is missing",
                           sqlite->path, (long long)row, device_id,
                           (unsigned long long)first_sequence);
    else
        rc = eds_sqlite_fail(sqlite, err, "read");
    sqlite3_reset(statement);
    return rc;
}

/* Steps a look-up by device to its row.  EDS_OK, EDS_ERR_NOT_FOUND, or a failure. */
static int32_t find(struct sqlite_ledger *sqlite, sqlite3_stmt *statement, const char *device_id,
                    struct eds_error *err)
{
    int code = sqlite3_bind_text(statement, 1, device_id, -1, SQLITE_STATIC) == SQLITE_OK
                   ? sqlite3_step(statement)
                   : SQLITE_ERROR;

    if (code == SQLITE_DONE)
        return EDS_ERR_NOT_FOUND;
    return code == SQLITE_ROW ? EDS_OK : eds_sqlite_fail(sqlite, err, "read");
}

/* The places of a device's head; a device that has none knows of no record. */
static int32_t find_head(struct sqlite_ledger *sqlite, const char *device_id,
                         struct eds_head_places *out, struct eds_error *err)
{
    sqlite3_stmt *statement = sqlite->statements[SQLITE_STATEMENT_HEAD_PLACES];
    int32_t rc = find(sqlite, statement, device_id, err);

    if (rc == EDS_OK)
        rc = eds_sqlite_read_head_places(out, statement, 5, sqlite3_column_int64(statement, 4),
                                         sqlite, err);
    else
        out->newest.count = out->rows.count = 0;
    sqlite3_reset(statement);
    return rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
}

/* The group in which a sequence can be. */
static int32_t find_group(struct sqlite_ledger *sqlite, const char *device_id, uint64_t sequence,
                          struct eds_places *out, struct eds_error *err)
{
    sqlite3_stmt *statement = sqlite->statements[SQLITE_STATEMENT_FIND_GROUP];
    int32_t rc;

    (void)sqlite3_bind_int64(statement, 2, eds_sqlite_from_u64(sequence));
    rc = find(sqlite, statement, device_id, err);
    if (rc == EDS_OK)
        rc = eds_sqlite_read_group(out, statement, 0, sqlite, err);
    sqlite3_reset(statement);
    if (rc == EDS_ERR_NOT_FOUND && sequence > INT64_MAX) /* SQLite has it below those before */
        return find_group(sqlite, device_id, INT64_MAX, out, err);
    return rc;
}

int32_t eds_sqlite_find_place(struct sqlite_ledger *sqlite, const char *device_id,
                              uint64_t sequence, int64_t *row, struct eds_error *err)
{
    struct eds_head_places head;
    struct eds_places places;
    size_t i = 0;
    int32_t rc = eds_sqlite_ready(sqlite, err);

    if (rc == EDS_OK)
        rc = find_head(sqlite, device_id, &head, err);
    if (rc != EDS_OK || eds_places_find(&head.newest, sequence, row))
        return rc;
    if (!eds_places_find_last(&head.rows, sequence, &i)) {
        rc = find_group(sqlite, device_id, sequence, &head.rows, err);
        if (rc != EDS_OK)
            return rc;
        if (!eds_places_find_last(&head.rows, sequence, &i))
            return EDS_ERR_NOT_FOUND;
    }
    rc = eds_sqlite_read_places(&places, sqlite, device_id, head.rows.sequences[i],
                                head.rows.rows[i], err);
    if (rc == EDS_OK && !eds_places_find(&places, sequence, row))
        rc = EDS_ERR_NOT_FOUND;
    return rc;
}

/* First how many there are, as negative numbers, then what leads to them.  Rows below 1, which
 * nothing leads to, count as very many. */
#define LISTS                                                                                      \
    "SELECT CASE WHEN max(id) < 1 THEN -9223372036854775807 ELSE -max(id) END,"                    \
    " (SELECT -count(*) FROM record_places), x'', x'' FROM audit_records"                          \
    " UNION ALL SELECT 0, 0, x'', place_rows FROM place_groups"                                    \
    " UNION ALL SELECT 0, 0, places, place_rows FROM chain_heads"

int32_t eds_sqlite_count_places(struct sqlite_ledger *sqlite, bool *is_complete,
                                struct eds_error *err)
{
    sqlite3_int64 record_count = 0, row_count = 0; /* led to, less those that there are */
    sqlite3_stmt *statement = NULL;
    struct eds_places places, rows;
    bool is_high = false;
    int code = SQLITE_ERROR;
    int32_t rc = EDS_OK;

    if (sqlite3_prepare_v2(sqlite->db, LISTS, -1, &statement, NULL) == SQLITE_OK)
        while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
            (void)read_places(&places, statement, 2); /* none, where they are damaged */
            (void)read_places(&rows, statement, 3);
            is_high =
                is_high || (places.count > 0 && places.sequences[places.count - 1] > INT64_MAX);
            record_count += sqlite3_column_int64(statement, 0);
            record_count += (sqlite3_int64)(places.count + rows.count * EDS_PLACES_MAX);
            row_count += sqlite3_column_int64(statement, 1) + (sqlite3_int64)rows.count;
        }
    if (code != SQLITE_DONE)
        rc = eds_sqlite_fail(sqlite, err, "read");
    sqlite3_finalize(statement);
    *is_complete = record_count >= 0 && row_count == 0 && !is_high;
    return rc;
}

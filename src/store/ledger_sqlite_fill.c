/* ledger_sqlite_fill.c - places for the records of an older file, and then groups of these.
 *
 * A table of that file gives its rows in the order of devices and sequences, and each
 * is gathered with those before it: the full ones go to another table, a device's last
 * ones to its head.  In a file that somebody has been at some may get no place: the
 * newest of a device whose head was deleted, or a row that is no record.  A scan
 * notices. */
#include "store/ledger_sqlite.h"

/* What is gathered, and where it goes. */
struct step {
    const char *rows; /* device_id, sequence, id */
    size_t count_max;
    const char *add, *set_head;
};

static const struct step place_step = {
    "SELECT device_id, sequence, id FROM audit_records ORDER BY device_id, sequence",
    EDS_PLACES_MAX,
    "INSERT INTO record_places(device_id, places, first_sequence) VALUES(?1, ?2, ?3)",
    "UPDATE chain_heads SET places = ?2 WHERE device_id = ?1",
};

/* They were copied in that order. */
static const struct step group_step = {
    "SELECT device_id, first_sequence, id FROM record_places ORDER BY id",
    EDS_PLACE_ROWS_MAX,
    "INSERT INTO place_groups(device_id, place_rows, first_sequence) VALUES(?1, ?2, ?3)",
    "UPDATE chain_heads SET place_rows = ?2 WHERE device_id = ?1",
};

struct filling {
    struct sqlite_ledger *sqlite;
    const struct step *step;
    struct eds_error *err;
    sqlite3_stmt *rows, *add, *set_head;
    char device_id[EDS_DEVICE_ID_SIZE];
    struct eds_places places;
};

static int32_t run(struct filling *filling, sqlite3_stmt *statement, bool is_bound)
{
    int32_t rc = EDS_OK;

    if (!is_bound || sqlite3_step(statement) != SQLITE_DONE)
        rc = eds_sqlite_fail(filling->sqlite, filling->err, "bring up to date");
    sqlite3_reset(statement);
    return rc;
}

static int32_t write_places(struct filling *filling, bool is_last)
{
    sqlite3_stmt *statement = is_last ? filling->set_head : filling->add;
    uint8_t bytes[EDS_PLACES_SIZE_MAX];
    bool is_bound;

    if (filling->places.count == 0)
        return EDS_OK;
    is_bound =
        sqlite3_bind_text(statement, 1, filling->device_id, -1, SQLITE_STATIC) == SQLITE_OK &&
        eds_sqlite_bind_places(statement, 2, &filling->places, bytes);
    if (is_bound && !is_last)
        is_bound =
            sqlite3_bind_int64(statement, 3, eds_sqlite_from_u64(filling->places.sequences[0])) ==
            SQLITE_OK;
    filling->places.count = 0;
    return run(filling, statement, is_bound);
}

/* A row that is no record gets no place. */
static int32_t place(struct filling *filling)
{
    struct eds_places *places = &filling->places;
    sqlite3_int64 id = sqlite3_column_int64(filling->rows, 2);
    const char *device_id = eds_sqlite_column_text(filling->rows, 0, EDS_DEVICE_ID_SIZE);
    uint64_t sequence = eds_sqlite_to_u64(sqlite3_column_int64(filling->rows, 1));
    int32_t rc = EDS_OK;

    if (device_id == NULL || id < 1 || sequence == 0)
        return EDS_OK;
    if (strcmp(device_id, filling->device_id) != 0) {
        rc = write_places(filling, true);
        strcpy(filling->device_id, device_id);
    } else if (places->count > 0 && sequence < places->sequences[places->count - 1]) {
        return EDS_OK; /* above 2^63, which SQLite sorts before 1 */
    } else if (places->count == filling->step->count_max) {
        rc = write_places(filling, false);
    }
    eds_places_add(places, sequence, id);
    return rc;
}

static bool prepare(struct filling *filling, const char *sql, sqlite3_stmt **out)
{
    return sqlite3_prepare_v2(filling->sqlite->db, sql, -1, out, NULL) == SQLITE_OK;
}

static int32_t fill(struct sqlite_ledger *sqlite, const struct step *step, struct eds_error *err)
{
    struct filling filling = {.sqlite = sqlite, .step = step, .err = err};
    int code = SQLITE_DONE;
    int32_t rc = EDS_OK;

    if (!prepare(&filling, step->rows, &filling.rows) ||
        !prepare(&filling, step->add, &filling.add) ||
        !prepare(&filling, step->set_head, &filling.set_head))
        rc = eds_sqlite_fail(sqlite, err, "bring up to date");
    while (rc == EDS_OK && (code = sqlite3_step(filling.rows)) == SQLITE_ROW)
        rc = place(&filling);
    if (rc == EDS_OK && code != SQLITE_DONE)
        rc = eds_sqlite_fail(sqlite, err, "bring up to date");
    if (rc == EDS_OK)
        rc = write_places(&filling, true);
    sqlite3_finalize(filling.rows);
    sqlite3_finalize(filling.add);
    sqlite3_finalize(filling.set_head);
    return rc;
}

int32_t eds_sqlite_fill_places(struct sqlite_ledger *sqlite, struct eds_error *err)
{
    return fill(sqlite, &place_step, err);
}

int32_t eds_sqlite_fill_groups(struct sqlite_ledger *sqlite, struct eds_error *err)
{
    return fill(sqlite, &group_step, err);
}

/* ledger_sqlite_walk.c - the records, device by device.
 *
 * As other scans (ledger_sqlite_scan.c) in slices, so that no read lasts while a
 * visitor takes his time.  The way leads through the groups of a device and then its
 * head (ledger_sqlite_places.c).  What a head knows moves on to the tables as it is,
 * so that what was not shown yet is found by its first sequence, here or there.
 *
 * Places are ours to keep in step with the rows, and somebody may have been at
 * the file.  A place whose row is gone is passed over; one that leads to another
 * record is an error.  Rows that no place leads to, and what a deleted head knew,
 * show in the count: ids are given out without a gap.  Then the rows are sorted,
 * which takes longer and keeps one read open, and needs no places.  They are sorted as
 * well where a device's sequence has come to 2^63, from where SQLite has it below 1. */
#include "store/ledger_sqlite.h"

#include <stdlib.h>

#define SLICE_ROWS          256u
#define SLICE_BYTES         (1u << 20) /* of payloads: with as many or more a slice is full */
#define RECORD_COLUMN_COUNT 12

/* A device's head comes behind all its groups. */
#define GROUPS "SELECT device_id, first_sequence, place_rows, 0, 0 FROM place_groups WHERE "
#define HEADS                                                                                      \
    "SELECT device_id, 9223372036854775807, places, place_rows, rowid FROM chain_heads WHERE "

static const char all_devices[] =
    GROUPS "(device_id, first_sequence) > (?1, ?2)"
           " UNION ALL " HEADS "device_id >= ?1 AND (device_id > ?1 OR ?3 = 0) ORDER BY 1, 2";
static const char one_device[] =
    GROUPS "device_id = ?1 AND first_sequence > ?2"
           " UNION ALL " HEADS "device_id = ?1 AND ?3 = 0 ORDER BY 1, 2";
static const char all_sorted[] =
    "SELECT id FROM audit_records ORDER BY device_id, sequence < 0, sequence";
static const char one_sorted[] =
    "SELECT id FROM audit_records WHERE device_id = ?1 ORDER BY sequence < 0, sequence";

/* Records by their ids, in the order of these, which a slice's statement is given as a
 * table (ledger_sqlite_rows.c): SQLite frees a statement's memory for each value when
 * the statement ends, so that one for each record costs twice as much. */
#define WANTED " FROM temp.wanted_rows AS w CROSS JOIN main.audit_records AS r ON r.id = w.id"
#define RECORD_COLUMNS                                                                             \
    "SELECT r.id, r.device_id, r.sequence, r.timestamp_ms, r.payload_hash, r.signature,"           \
    " r.prev_record_hash, r.object_ref, r.ingested_at, r.record_hash, r.attest_key_id,"            \
    " r.attest_signature"

static const char records[] = RECORD_COLUMNS WANTED;
/* The same with their objects. */
static const char whole_records[] =
    RECORD_COLUMNS ", o.id, o.payload_hash, o.payload" WANTED
                   " LEFT JOIN main.raw_objects AS o ON o.id = r.object_id"
                   " AND o.object_ref = r.object_ref";

struct whole_row {
    struct sqlite_row record;
    struct sqlite_object_row object; /* if is_whole */
};

struct walk {
    struct sqlite_ledger *sqlite;
    const char *device_id; /* the only one wanted, or NULL */
    bool is_whole;         /* with objects */
    sqlite3_stmt *ways;    /* to groups and heads, or, if is_sorted, to rows */
    sqlite3_stmt *wanted;  /* records by their ids */
    bool is_sorted;
    struct eds_error failure; /* why reading ended; what was read is shown first */

    /* How far it has come: this device's records up to a sequence; the next ones are in
     * the groups that begin behind another one, or the head's, or there are no more. */
    char at_device[EDS_DEVICE_ID_SIZE];
    sqlite3_int64 at_sequence, from_first;
    bool is_past_head;
    bool is_done;

    struct whole_row rows[SLICE_ROWS];
    size_t row_count;
    struct sqlite_payloads payloads; /* of the slice */
};

static bool is_full(const struct walk *walk)
{
    return walk->row_count == SLICE_ROWS || walk->payloads.size >= SLICE_BYTES;
}

/* Reads the row that the statement has come to behind the others. */
static int32_t read_row(struct walk *walk)
{
    struct whole_row *out = &walk->rows[walk->row_count];
    int32_t rc = eds_sqlite_read_record(&out->record, walk->wanted, walk->sqlite, "audit_records",
                                        &walk->failure);

    if (rc == EDS_OK && walk->is_whole)
        rc = eds_sqlite_read_object(
            &out->object, &walk->payloads, walk->wanted, RECORD_COLUMN_COUNT,
            (const char *)out->record.entry.record.object_ref, walk->sqlite, &walk->failure);
    walk->row_count += rc == EDS_OK;
    return rc;
}

/* Begins to read the rows of some ids, at least one; they are read by next_wanted. */
static void want(struct walk *walk, const int64_t *ids, size_t count)
{
    walk->sqlite->rows.wanted = ids;
    walk->sqlite->rows.wanted_count = count;
}

/* Reads the next of them.  A row that is gone is passed over; EDS_ERR_NOT_FOUND
 * behind the last one. */
static int32_t next_wanted(struct walk *walk)
{
    switch (sqlite3_step(walk->wanted)) {
    case SQLITE_ROW:
        return read_row(walk);
    case SQLITE_DONE:
        return EDS_ERR_NOT_FOUND;
    default:
        return eds_sqlite_fail(walk->sqlite, &walk->failure, "read");
    }
}

static void end_wanted(struct walk *walk)
{
    sqlite3_reset(walk->wanted);
    walk->sqlite->rows.wanted_count = 0;
}

/* One row, by its id. */
static int32_t read_id(struct walk *walk, int64_t id)
{
    int32_t rc;

    want(walk, &id, 1);
    rc = next_wanted(walk);
    end_wanted(walk);
    return rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
}

/* Holds the row that was read last against its place. */
static int32_t check_place(struct walk *walk, uint64_t sequence, int64_t row)
{
    const EdsAuditRecord *found = &walk->rows[walk->row_count - 1].record.entry.record;
    const char *bad = NULL;

    if (found->sequence != sequence)
        bad = "sequence";
    else if (strcmp((const char *)found->device_id, walk->at_device) != 0)
        bad = "device_id";
    if (bad == NULL)
        return EDS_OK;
    walk->row_count--;
    return eds_sqlite_damaged(walk->sqlite, &walk->failure, "audit_records", row, bad);
}

/* Finds the place of the row that was read last, from *i on, and passes it: the statement
 * gives rows in the order of their places, if no two have the same id. */
static int32_t match_place(struct walk *walk, const struct eds_places *places, size_t *i)
{
    sqlite3_int64 row = sqlite3_column_int64(walk->wanted, 0);
    size_t at = *i;

    while (at < places->count && places->rows[at] != row) /* gone */
        at++;
    if (at == places->count) {
        walk->row_count--;
        return eds_sqlite_damaged(walk->sqlite, &walk->failure, "audit_records", row, "id");
    }
    *i = at + 1;
    return check_place(walk, places->sequences[at], row);
}

/* Reads the rows of the places from first on, until the slice is full.  *end is how
 * far it came. */
static int32_t read_from(struct walk *walk, const struct eds_places *places, size_t first,
                         size_t *end)
{
    size_t i = first;
    int32_t rc = EDS_OK;

    want(walk, places->rows + first, places->count - first);
    while (rc == EDS_OK && i < places->count && !is_full(walk)) {
        rc = next_wanted(walk);
        if (rc == EDS_ERR_NOT_FOUND) {
            i = places->count;
            rc = EDS_OK;
            break;
        }
        if (rc != EDS_OK)
            break;
        rc = match_place(walk, places, &i);
    }
    end_wanted(walk);
    if (i > first)
        walk->at_sequence = eds_sqlite_from_u64(places->sequences[i - 1]);
    *end = i;
    return rc;
}

/* Reads the rows of some places, those that were not shown yet, until the slice is
 * full. */
static int32_t read_places(struct walk *walk, const struct eds_places *places, bool *is_through)
{
    int32_t rc = EDS_OK;
    size_t i = 0;

    if (places->count > 0 && places->sequences[places->count - 1] > INT64_MAX)
        return eds_sqlite_damaged(walk->sqlite, &walk->failure, "audit_records",
                                  places->rows[places->count - 1], "sequence");
    while (i < places->count && eds_sqlite_from_u64(places->sequences[i]) <= walk->at_sequence)
        i++;
    if (i < places->count)
        rc = read_from(walk, places, i, &i);
    *is_through = i == places->count;
    return rc;
}

/* The same for rows of record_places. */
static int32_t read_place_rows(struct walk *walk, const struct eds_places *rows, bool *is_through)
{
    struct eds_places places;
    size_t i = 0;
    int32_t rc = EDS_OK;

    *is_through = true;
    while (i + 1 < rows->count && eds_sqlite_from_u64(rows->sequences[i + 1]) <= walk->at_sequence)
        i++; /* all of its records were shown */
    for (; rc == EDS_OK && i < rows->count; i++) {
        *is_through = !is_full(walk);
        if (!*is_through)
            break;
        rc = eds_sqlite_read_places(&places, walk->sqlite, walk->at_device, rows->sequences[i],
                                    rows->rows[i], &walk->failure);
        if (rc == EDS_OK)
            rc = read_places(walk, &places, is_through);
    }
    return rc;
}

/* What a head knows, or a group, which has rows only. */
static int32_t read_all(struct walk *walk, const struct eds_head_places *places, bool is_head)
{
    const struct eds_places *first = places->rows.count > 0 ? &places->rows : &places->newest;
    bool is_through;
    int32_t rc = read_place_rows(walk, &places->rows, &is_through);

    if (rc == EDS_OK && is_through)
        rc = read_places(walk, &places->newest, &is_through);
    if (rc != EDS_OK)
        return rc;
    if (!is_through) /* these again, wherever they are by then */
        walk->from_first = eds_sqlite_from_u64(first->sequences[0] - 1);
    else
        walk->from_first = is_head ? INT64_MAX : walk->at_sequence;
    walk->is_past_head = is_through && is_head;
    return EDS_OK;
}

/* One row of place_groups or chain_heads. */
static int32_t take_way(struct walk *walk)
{
    sqlite3_int64 head_row = sqlite3_column_int64(walk->ways, 4);
    const char *device_id = eds_sqlite_column_text(walk->ways, 0, EDS_DEVICE_ID_SIZE);
    struct eds_head_places places = {.newest = {.count = 0}};
    int32_t rc;
    int order = device_id != NULL ? strcmp(device_id, walk->at_device) : -1;

    if (order < 0) /* or by a table that sorts otherwise, where a slice could begin again */
        return eds_sqlite_damaged(
            walk->sqlite, &walk->failure, head_row != 0 ? "chain_heads" : "place_groups",
            head_row != 0 ? head_row : sqlite3_column_int64(walk->ways, 1), "device_id");
    if (order != 0) {
        strcpy(walk->at_device, device_id);
        walk->at_sequence = INT64_MIN;
        walk->is_past_head = false;
    }
    if (head_row != 0)
        rc = eds_sqlite_read_head_places(&places, walk->ways, 2, head_row, walk->sqlite,
                                         &walk->failure);
    else
        rc = eds_sqlite_read_group(&places.rows, walk->ways, 1, walk->sqlite, &walk->failure);
    return rc == EDS_OK ? read_all(walk, &places, head_row != 0) : rc;
}

/* Reads the next rows, or finds that there are no more. */
static int32_t read_slice(struct walk *walk)
{
    int32_t rc = EDS_OK;
    int code = SQLITE_ROW;

    walk->row_count = 0;
    walk->payloads.size = 0;
    if (!walk->is_sorted &&
        (sqlite3_bind_text(walk->ways, 1, walk->at_device, -1, SQLITE_TRANSIENT) != SQLITE_OK ||
         sqlite3_bind_int64(walk->ways, 2, walk->from_first) != SQLITE_OK ||
         sqlite3_bind_int(walk->ways, 3, walk->is_past_head) != SQLITE_OK))
        return eds_sqlite_fail(walk->sqlite, &walk->failure, "read");
    while (rc == EDS_OK && !is_full(walk)) {
        code = sqlite3_step(walk->ways);
        if (code != SQLITE_ROW)
            break;
        rc = walk->is_sorted ? read_id(walk, sqlite3_column_int64(walk->ways, 0)) : take_way(walk);
    }
    walk->is_done = code == SQLITE_DONE;
    if (rc == EDS_OK && code != SQLITE_ROW && code != SQLITE_DONE)
        rc = eds_sqlite_fail(walk->sqlite, &walk->failure, "read");
    if (!walk->is_sorted)
        sqlite3_reset(walk->ways);
    return rc;
}

static int32_t prepare(struct walk *walk, struct eds_error *err)
{
    sqlite3 *db = walk->sqlite->db;
    bool is_all = walk->device_id == NULL;
    const char *ways =
        walk->is_sorted ? (is_all ? all_sorted : one_sorted) : (is_all ? all_devices : one_device);

    if (sqlite3_prepare_v2(db, ways, -1, &walk->ways, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, walk->is_whole ? whole_records : records, -1, &walk->wanted, NULL) !=
            SQLITE_OK)
        return eds_sqlite_fail(walk->sqlite, err, "read");
    if (walk->is_sorted && !is_all &&
        sqlite3_bind_text(walk->ways, 1, walk->device_id, -1, SQLITE_STATIC) != SQLITE_OK)
        return eds_sqlite_fail(walk->sqlite, err, "read");
    return EDS_OK;
}

/* A row as it is shown; with its payload, now that no more are added. */
static const struct eds_stored *shown(struct walk *walk, size_t row)
{
    struct whole_row *whole = &walk->rows[row];
    struct eds_stored_object *object = &whole->object.object;

    if (!walk->is_whole)
        return &whole->record.stored;
    object->payload =
        whole->object.is_kept ? walk->payloads.bytes + whole->object.payload_at : NULL;
    whole->record.stored.object = object;
    return &whole->record.stored;
}

/* A row that cannot be read ends the walk, after those before it were shown. */
static int32_t run(struct walk *walk, int32_t (*visit)(void *context, const struct eds_stored *),
                   void *context, struct eds_error *err)
{
    int32_t rc;

    do {
        rc = read_slice(walk);
        for (size_t i = 0; i < walk->row_count; i++) {
            int32_t visit_rc = visit(context, shown(walk, i));

            if (visit_rc != EDS_OK)
                return visit_rc;
        }
    } while (rc == EDS_OK && !walk->is_done);
    if (rc != EDS_OK && err != NULL)
        *err = walk->failure;
    return rc;
}

/* Sorting is for a file that somebody has been at, or for sequences from 2^63 on. */
static int32_t choose_way(struct walk *walk, struct eds_error *err)
{
    bool is_complete = true;
    int32_t rc = EDS_OK;
    struct eds_head head;

    if (walk->device_id != NULL) {
        rc = eds_sqlite_head(&walk->sqlite->ledger, walk->device_id, &head, err);
        walk->is_sorted = rc == EDS_OK && head.sequence > INT64_MAX;
        if (rc != EDS_OK || head.sequence > 0)
            return rc;
    }
    rc = eds_sqlite_count_places(walk->sqlite, &is_complete, err);
    walk->is_sorted = !is_complete;
    return rc;
}

static int32_t scan(struct sqlite_ledger *sqlite, const char *device_id, bool is_whole,
                    int32_t (*visit)(void *context, const struct eds_stored *), void *context,
                    struct eds_error *err)
{
    int32_t rc = eds_sqlite_ready(sqlite, err);
    struct walk *walk;

    if (rc != EDS_OK)
        return rc;
    if (device_id != NULL && strlen(device_id) >= EDS_DEVICE_ID_SIZE)
        return EDS_OK; /* no record can have it */
    walk = calloc(1, sizeof *walk);
    if (walk == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to read audit_records");
    walk->sqlite = sqlite;
    walk->device_id = device_id;
    walk->is_whole = is_whole;
    walk->at_sequence = walk->from_first = INT64_MIN;
    if (device_id != NULL)
        strcpy(walk->at_device, device_id);
    rc = choose_way(walk, err);
    if (rc == EDS_OK)
        rc = prepare(walk, err);
    if (rc == EDS_OK)
        rc = run(walk, visit, context, err);
    sqlite3_finalize(walk->ways);
    sqlite3_finalize(walk->wanted);
    free(walk->payloads.bytes);
    free(walk);
    return rc;
}

int32_t eds_sqlite_scan(struct eds_ledger *ledger, const char *device_id,
                        int32_t (*visit)(void *context, const struct eds_stored *), void *context,
                        struct eds_error *err)
{
    return scan((struct sqlite_ledger *)ledger, device_id, false, visit, context, err);
}

int32_t eds_sqlite_scan_whole(struct eds_ledger *ledger, const char *device_id,
                              int32_t (*visit)(void *context, const struct eds_stored *),
                              void *context, struct eds_error *err)
{
    return scan((struct sqlite_ledger *)ledger, device_id, true, visit, context, err);
}

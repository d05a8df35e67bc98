/* ledger_sqlite.h - the parts of the SQLite ledger, for its own files. */
#ifndef EDS_STORE_LEDGER_SQLITE_H
#define EDS_STORE_LEDGER_SQLITE_H

#include <sqlite3.h>
#include <string.h>

#include "store/commit_plan.h"
#include "store/instant.h"
#include "store/known_heads.h"
#include "store/ledger.h"
#include "store/places.h"
#include "store/ref_gaps.h"
#include "store/ref_tail.h"

/* Statements used for every commit and look-up are prepared once. */
enum sqlite_statement {
    SQLITE_STATEMENT_BEGIN,
    SQLITE_STATEMENT_COMMIT,
    SQLITE_STATEMENT_ROLLBACK,
    SQLITE_STATEMENT_HEAD_PLACES,
    SQLITE_STATEMENT_ADD_HEAD,
    SQLITE_STATEMENT_MOVE_HEAD,
    SQLITE_STATEMENT_ADD_PLACES,
    SQLITE_STATEMENT_ADD_GROUP,
    SQLITE_STATEMENT_LAST_RECORD,
    SQLITE_STATEMENT_LAST_OBJECT,
    SQLITE_STATEMENT_ADD_RECORD,
    SQLITE_STATEMENT_ADD_RECORDS,
    SQLITE_STATEMENT_ADD_OBJECT,
    SQLITE_STATEMENT_ADD_OBJECTS,
    SQLITE_STATEMENT_FILL_OBJECT,
    SQLITE_STATEMENT_ADD_CONFLICT,
    SQLITE_STATEMENT_COUNT_CONFLICT,
    SQLITE_STATEMENT_ADD_QUARANTINED,
    SQLITE_STATEMENT_COUNT_QUARANTINED,
    SQLITE_STATEMENT_ADD_OPERATION,
    SQLITE_STATEMENT_ADD_OPERATIONS,
    SQLITE_STATEMENT_FIND_OPERATION,
    SQLITE_STATEMENT_HEAD,
    SQLITE_STATEMENT_PLACES,
    SQLITE_STATEMENT_FIND_GROUP,
    SQLITE_STATEMENT_RECORD_HASH,
    SQLITE_STATEMENT_DATA_VERSION,
    SQLITE_STATEMENT_INDEX_END,
    SQLITE_STATEMENT_MOVE_INDEX_END,
    SQLITE_STATEMENT_FIND_REFS,
    SQLITE_STATEMENT_NEXT_REFS,
    SQLITE_STATEMENT_SET_REFS,
    SQLITE_STATEMENT_TAIL,
    SQLITE_STATEMENT_OBJECT,
    SQLITE_STATEMENT_PAYLOAD,
    SQLITE_STATEMENT_COUNTS,
    SQLITE_STATEMENT_ROSTER_VERSION,
    SQLITE_STATEMENT_COUNT
};

/* How long a commit waits for another writer. */
#define EDS_SQLITE_BUSY_MS 5000

/* A head that is being moved. */
struct sqlite_head {
    sqlite3_int64 row; /* of chain_heads; 0: the device is new */
    struct eds_head_places places;
};

/* The rows of the commit that is being written, or the ids of those that are being
 * read (of temp.wanted_rows, one at least while a statement steps over them). */
struct sqlite_rows {
    const int64_t *wanted;
    size_t wanted_count;
    const struct eds_commit *commit; /* NULL: none is */
    char now[EDS_INSTANT_SIZE], ingested[EDS_INSTANT_SIZE];
    sqlite3_int64 first_record_id; /* the others follow without a gap */
    sqlite3_int64 first_object_id; /* of the new ones, which follow likewise */
    sqlite3_int64 *object_ids;     /* by append */
    size_t *new_objects;           /* their appends */
    size_t new_object_count;
    size_t capacity; /* of both */
};

struct sqlite_ledger {
    struct eds_ledger ledger;
    sqlite3 *db; /* NULL after a failure that only a new connection cures */
    sqlite3_stmt *statements[SQLITE_STATEMENT_COUNT];
    char *path; /* absolute, so that it holds after chdir */
    bool read_only;
    int wal_pages; /* in the write-ahead log after the last commit */

    /* The log is written back into the file from the soft mark on.  Where
     * readers keep it from starting over, a commit waits a little for them at
     * the hard mark, and again each time the log has grown by the soft one. */
    int wal_pages_soft, wal_pages_hard;
    int wal_pages_wait; /* where to wait next */
    struct eds_commit_plan plan;
    struct sqlite_rows rows;
    struct sqlite_head *heads; /* by index of the plan's moves */
    size_t head_capacity;

    /* The references that object_refs does not have yet: ledger_sqlite_object.c. */
    struct eds_ref_tail tail;
    size_t tail_max;         /* as many as this go to the index */
    size_t tail_kept;        /* so many before the commit that is being written */
    bool tail_merged;        /* by it */
    bool has_tail;           /* of the file as it was at data_version */
    int64_t tail_indexed_id; /* and object_index_end, as it was when the tail was begun */
    sqlite3_int64 data_version;
    struct eds_ref_gaps gaps;           /* of object_refs as it was then */
    struct eds_known_heads known;       /* of chain_heads, likewise */
    sqlite3_int64 record_id, object_id; /* the last ones given out; -1: to be read */
};

/* Opens PATH (of sqlite:PATH), making directories and file where they are
 * missing and may be made. */
int32_t eds_sqlite_open(struct eds_ledger **out, const char *path, bool read_only,
                        struct eds_error *err);

/* ledger_sqlite_place.c: the directory and the empty file.  *absolute is the
 * file's path from the root, which the caller frees. */
int32_t eds_sqlite_make_place(char **absolute, const char *path, bool read_only,
                              struct eds_error *err);

/* ledger_sqlite_connect.c: a connection ready for use, or none.  connect also
 * serves to begin again after a failure; ready does so if there is none. */
int32_t eds_sqlite_connect(struct sqlite_ledger *sqlite, struct eds_error *err);
void eds_sqlite_disconnect(struct sqlite_ledger *sqlite);
int32_t eds_sqlite_ready(struct sqlite_ledger *sqlite, struct eds_error *err);

/* ledger_sqlite_gather.c: the name of the layer of files that a connection which writes
 * is opened with; NULL, which stands for the system's, if it can't be had. */
const char *eds_sqlite_gather(void);

/* ledger_sqlite_heads.c, in the order of a commit's transaction: check that all
 * heads are where the plan's moves begin (EDS_ERR_HEAD_MOVED), place each append
 * at the row that it was given, write the heads. */
int32_t eds_sqlite_heads_check(struct sqlite_ledger *sqlite, struct eds_error *err);
int32_t eds_sqlite_heads_place(struct sqlite_ledger *sqlite, size_t append, uint64_t sequence,
                               sqlite3_int64 row, struct eds_error *err);
int32_t eds_sqlite_heads_write(struct sqlite_ledger *sqlite, struct eds_error *err);
void eds_sqlite_heads_keep(struct sqlite_ledger *sqlite); /* when it was committed */
/* Runs a statement of a commit; EDS_ERR_HEAD_MOVED for a key that is taken. */
int32_t eds_sqlite_run(struct sqlite_ledger *sqlite, enum sqlite_statement which, bool is_bound,
                       struct eds_error *err);

/* ledger_sqlite_places.c: adds a record to the places of its device's head, from where others
 * may move to tables within the transaction; gives the row of a record, or
 * EDS_ERR_NOT_FOUND; reads the columns places and place_rows of a head, first_sequence and
 * place_rows of a group, and the row of record_places that one of these leads to; tells
 * whether all of them together lead to as many records as there are, in SQLite's order, which
 * from 2^63 on is another one. */
int32_t eds_sqlite_place_record(struct sqlite_ledger *sqlite, const char *device_id,
                                struct eds_head_places *places, uint64_t sequence, int64_t row,
                                struct eds_error *err);
int32_t eds_sqlite_find_place(struct sqlite_ledger *sqlite, const char *device_id,
                              uint64_t sequence, int64_t *row, struct eds_error *err);
int32_t eds_sqlite_read_head_places(struct eds_head_places *out, sqlite3_stmt *statement,
                                    int column, sqlite3_int64 head_row,
                                    const struct sqlite_ledger *sqlite, struct eds_error *err);
int32_t eds_sqlite_read_group(struct eds_places *out, sqlite3_stmt *statement, int column,
                              const struct sqlite_ledger *sqlite, struct eds_error *err);
int32_t eds_sqlite_read_places(struct eds_places *out, struct sqlite_ledger *sqlite,
                               const char *device_id, uint64_t first_sequence, int64_t row,
                               struct eds_error *err);
int32_t eds_sqlite_count_places(struct sqlite_ledger *sqlite, bool *is_complete,
                                struct eds_error *err);
bool eds_sqlite_bind_places(sqlite3_stmt *statement, int at, const struct eds_places *places,
                            uint8_t bytes[EDS_PLACES_SIZE_MAX]); /* bytes: until it is run */

/* ledger_sqlite_rows.c: makes the tables that show the commit being written, in a
 * new connection; begin fills in all but the ids. */
int32_t eds_sqlite_rows_make(struct sqlite_ledger *sqlite, struct eds_error *err);
int32_t eds_sqlite_rows_begin(struct sqlite_ledger *sqlite, const struct eds_commit *commit,
                              struct eds_error *err);
void eds_sqlite_rows_free(struct sqlite_rows *rows);

/* ledger_sqlite_object.c, in the order of a commit's transaction: begin, add for
 * each append (sets the id of its object), write, merge; then keep if it was committed, else undo
 * (may_be_done: it is not known). */
int32_t eds_sqlite_objects_begin(struct sqlite_ledger *sqlite, struct eds_error *err);
int32_t eds_sqlite_objects_add(struct sqlite_ledger *sqlite, size_t append, struct eds_error *err);
int32_t eds_sqlite_objects_write(struct sqlite_ledger *sqlite, struct eds_error *err);
int32_t eds_sqlite_objects_merge(struct sqlite_ledger *sqlite, struct eds_error *err);
void eds_sqlite_objects_keep(struct sqlite_ledger *sqlite);
void eds_sqlite_objects_undo(struct sqlite_ledger *sqlite, bool may_be_done);

/* Forgets what is known of the file's heads, ids and gaps: they may have changed. */
void eds_sqlite_forget(struct sqlite_ledger *sqlite);

/* ledger_sqlite_refs.c: the row of a reference in object_refs (EDS_ERR_NOT_FOUND, and in
 * which gap it lies, if gap is not NULL); adds references, which are in their order; and, for a
 * file whose version had none, takes all from object_index, within the migration's
 * transaction. */
int32_t eds_sqlite_refs_find(struct sqlite_ledger *sqlite, const char *ref, int64_t *id,
                             struct eds_ref_gap *gap, struct eds_error *err);
int32_t eds_sqlite_refs_add(struct sqlite_ledger *sqlite, const struct eds_ref_tail_sorted *items,
                            size_t count, struct eds_error *err);
int32_t eds_sqlite_refs_fill(struct sqlite_ledger *sqlite, struct eds_error *err);

/* ledger_sqlite_schema.c: is this file ours, and which version; then the steps
 * up to the version of this build. */
int32_t eds_sqlite_identify(struct sqlite_ledger *sqlite, int *version, struct eds_error *err);
int32_t eds_sqlite_migrate(struct sqlite_ledger *sqlite, int version, struct eds_error *err);

/* ledger_sqlite_fill.c: writes the places of the records of a file whose version
 * had none, and the groups of the rows of record_places; within the migration's
 * transaction. */
int32_t eds_sqlite_fill_places(struct sqlite_ledger *sqlite, struct eds_error *err);
int32_t eds_sqlite_fill_groups(struct sqlite_ledger *sqlite, struct eds_error *err);

/* ledger_sqlite_backup.c: eds_ledger_backup of store/backup.h. */
int32_t eds_sqlite_backup(struct eds_ledger *ledger, const char *path,
                          void (*progress)(void *context, uint64_t bytes), void *context,
                          struct eds_error *err);

/* ledger_sqlite_error.c: turns the connection's last failure into a code and a
 * sentence: "cannot <doing> <path>: <what SQLite says> (<its code>)". */
int32_t eds_sqlite_fail(const struct sqlite_ledger *sqlite, struct eds_error *err,
                        const char *doing);

/* ledger_sqlite_read.c: one row of audit_records or conflicts as a record, into a row
 * that is all zero or was read before.  EDS_ERR_MALFORMED when a column does not hold what
 * belongs there. */
struct sqlite_row {
    struct eds_entry entry;
    struct eds_stored stored; /* points to entry */
};
#define EDS_SQLITE_RECORD_COLUMNS                                                                  \
    "id, device_id, sequence, timestamp_ms, payload_hash, signature, prev_record_hash, "           \
    "object_ref, ingested_at, record_hash, attest_key_id, attest_signature"
int32_t eds_sqlite_read_record(struct sqlite_row *out, sqlite3_stmt *statement,
                               const struct sqlite_ledger *sqlite, const char *table,
                               struct eds_error *err);

/* ledger_sqlite_scan_object.c: what the reference of a row stands for, from the
 * columns id, payload_hash and payload of raw_objects from column on, or, where they
 * are NULL, from wherever else it may be.  Payloads lie one behind the other. */
struct sqlite_payloads {
    uint8_t *bytes; /* ours; it moves when it grows */
    size_t size, capacity;
};
struct sqlite_object_row {
    struct eds_stored_object object; /* payload is not set yet, but that it is kept: is_kept */
    bool is_kept;
    size_t payload_at; /* in the payloads' bytes */
};
int32_t eds_sqlite_read_object(struct sqlite_object_row *out, struct sqlite_payloads *payloads,
                               sqlite3_stmt *statement, int column, const char *object_ref,
                               struct sqlite_ledger *sqlite, struct eds_error *err);
#define EDS_SQLITE_HEAD_COLUMNS "sequence, record_hash, attested, conflict_count, rowid"
int32_t eds_sqlite_read_head(struct eds_head *out, sqlite3_stmt *statement, int column,
                             const struct sqlite_ledger *sqlite, struct eds_error *err);
bool eds_sqlite_column_bytes(void *out, size_t size, sqlite3_stmt *statement, int column);
const char *eds_sqlite_column_text(sqlite3_stmt *statement, int column, size_t size_max);
const char *eds_sqlite_column_string(sqlite3_stmt *statement, int column, size_t size_max,
                                     size_t *size);
int32_t eds_sqlite_damaged(const struct sqlite_ledger *sqlite, struct eds_error *err,
                           const char *table, sqlite3_int64 id, const char *column);

/* SQLite's integers are signed.  A u64 is stored as the same 64 bits, so that
 * nothing is lost; from 2^63 on it looks negative in SQL. */
static inline sqlite3_int64 eds_sqlite_from_u64(uint64_t number)
{
    sqlite3_int64 same_bits;

    memcpy(&same_bits, &number, sizeof same_bits);
    return same_bits;
}

static inline uint64_t eds_sqlite_to_u64(sqlite3_int64 number)
{
    return (uint64_t)number; /* defined: modulo 2^64 */
}

/* ledger_sqlite_commit.c: the id of the first of count rows to come, behind the last one
 * if that is known, else behind the one that is read. */
int32_t eds_sqlite_next_id(struct sqlite_ledger *sqlite, enum sqlite_statement last,
                           const char *table, const sqlite3_int64 *known, size_t count,
                           sqlite3_int64 *out, struct eds_error *err);

/* A transaction that writes, its end, and its end
 * without a trace. */
int32_t eds_sqlite_begin(struct sqlite_ledger *sqlite, struct eds_error *err);
int32_t eds_sqlite_end(struct sqlite_ledger *sqlite, struct eds_error *err);
void eds_sqlite_roll_back(struct sqlite_ledger *sqlite);

/* The slots of the table of functions that have files of their own. */
int32_t eds_sqlite_commit(struct eds_ledger *ledger, const struct eds_commit *commit,
                          struct eds_error *err);
int32_t eds_sqlite_head(struct eds_ledger *ledger, const char *device_id, struct eds_head *out,
                        struct eds_error *err);
int32_t eds_sqlite_record_hash(struct eds_ledger *ledger, const char *device_id, uint64_t sequence,
                               uint8_t out[EDS_HASH_SIZE], struct eds_error *err);
int32_t eds_sqlite_object(struct eds_ledger *ledger, const char *object_ref,
                          uint8_t out[EDS_HASH_SIZE], struct eds_error *err);
int32_t eds_sqlite_payload(struct eds_ledger *ledger, const char *object_ref, void **out,
                           size_t *out_size, struct eds_error *err);
int32_t eds_sqlite_counts(struct eds_ledger *ledger, struct eds_ledger_counts *out,
                          struct eds_error *err);
int32_t eds_sqlite_scan(struct eds_ledger *ledger, const char *device_id,
                        int32_t (*visit)(void *context, const struct eds_stored *), void *context,
                        struct eds_error *err);
int32_t eds_sqlite_scan_whole(struct eds_ledger *ledger, const char *device_id,
                              int32_t (*visit)(void *context, const struct eds_stored *),
                              void *context, struct eds_error *err);
int32_t eds_sqlite_heads(struct eds_ledger *ledger,
                         int32_t (*visit)(void *context, const char *device_id,
                                          const struct eds_head *),
                         void *context, struct eds_error *err);
int32_t eds_sqlite_operations(struct eds_ledger *ledger,
                              int32_t (*visit)(void *context, const struct eds_operation *,
                                               uint64_t created_ms),
                              void *context, struct eds_error *err);
int32_t eds_sqlite_conflicts(struct eds_ledger *ledger,
                             int32_t (*visit)(void *context, const struct eds_stored *),
                             void *context, struct eds_error *err);

#endif

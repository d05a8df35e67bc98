/* ledger_postgres.h - the parts of the PostgreSQL ledger, for its own files. */
#ifndef EDS_STORE_LEDGER_POSTGRES_H
#define EDS_STORE_LEDGER_POSTGRES_H

#include <libpq-fe.h>

#include "store/commit_plan.h"
#include "store/ledger.h"

/* Statements used for every commit and look-up are prepared once a connection. */
enum postgres_statement {
    POSTGRES_STATEMENT_BEGIN,
    POSTGRES_STATEMENT_COMMIT,
    POSTGRES_STATEMENT_LOCK_HEADS,
    POSTGRES_STATEMENT_MOVE_HEADS,
    POSTGRES_STATEMENT_ADD_HEADS,
    POSTGRES_STATEMENT_ADD_RECORDS,
    POSTGRES_STATEMENT_DATE_RECORDS,
    POSTGRES_STATEMENT_ADD_NEW_OBJECTS,
    POSTGRES_STATEMENT_ADD_OBJECTS,
    POSTGRES_STATEMENT_TAKEN_OBJECTS,
    POSTGRES_STATEMENT_FILL_OBJECTS,
    POSTGRES_STATEMENT_ADD_CONFLICT,
    POSTGRES_STATEMENT_ADD_QUARANTINED,
    POSTGRES_STATEMENT_ADD_OPERATIONS,
    POSTGRES_STATEMENT_SIGN_COMMIT,
    POSTGRES_STATEMENT_END_BACKEND,
    POSTGRES_STATEMENT_LAST_COMMIT,
    POSTGRES_STATEMENT_FORGET_WRITER,
    POSTGRES_STATEMENT_FORGET_OLD_WRITERS,
    POSTGRES_STATEMENT_HEAD,
    POSTGRES_STATEMENT_RECORD_HASH,
    POSTGRES_STATEMENT_OBJECT,
    POSTGRES_STATEMENT_PAYLOAD,
    POSTGRES_STATEMENT_COUNTS,
    POSTGRES_STATEMENT_ROSTER_VERSION,
    POSTGRES_STATEMENT_SCAN_ALL,
    POSTGRES_STATEMENT_SCAN_DEVICE,
    POSTGRES_STATEMENT_SCAN_WHOLE_ALL,
    POSTGRES_STATEMENT_SCAN_WHOLE_DEVICE,
    POSTGRES_STATEMENT_SCAN_HEADS,
    POSTGRES_STATEMENT_SCAN_OPERATIONS,
    POSTGRES_STATEMENT_SCAN_CONFLICTS,
    POSTGRES_STATEMENT_COUNT
};

#define POSTGRES_PARAMS_MAX  14
#define POSTGRES_WRITER_SIZE 16u /* bytes of a writer's id */

/* The parameters of one statement, all in binary.  Texts and bytes stay the
 * caller's until the statement is sent. */
struct postgres_params {
    int count;
    const char *values[POSTGRES_PARAMS_MAX];
    int sizes[POSTGRES_PARAMS_MAX];
    int formats[POSTGRES_PARAMS_MAX];
    uint8_t numbers[POSTGRES_PARAMS_MAX][8];
};

/* One column of many rows, in PostgreSQL's binary form of an array; its memory
 * is kept from commit to commit. */
struct postgres_array {
    uint8_t *bytes;
    size_t size, capacity; /* bytes */
    uint32_t count;
    bool failed; /* no memory; sticks until begun again */
};
#define POSTGRES_COLUMN_COUNT 10

/* What was sent and is not answered yet, in order. */
enum postgres_step_kind {
    POSTGRES_STEP_PLAIN,       /* it must work, and that is all */
    POSTGRES_STEP_HEADS,       /* must change just `rows` rows */
    POSTGRES_STEP_NEW_OBJECTS, /* a reference that is in use fails it */
    POSTGRES_STEP_OBJECTS,     /* fewer than `rows` rows: references were in use */
    POSTGRES_STEP_QUARANTINED, /* answers whether it was kept, or was there */
    POSTGRES_STEP_CONFLICT,    /* answers whether the device has a head */
    POSTGRES_STEP_TAKEN,       /* answers whether a reference stands for something else */
};
struct postgres_step {
    enum postgres_step_kind kind;
    size_t rows;
};

/* What a ledger is opened for. */
enum postgres_mode {
    POSTGRES_MODE_WRITE,
    POSTGRES_MODE_READ,
    POSTGRES_MODE_ADOPT, /* to write, and to take tables of edgesentry-rs over */
};

struct postgres_ledger {
    struct eds_ledger ledger;
    PGconn *connection; /* NULL: none, the next call makes one */
    char *url;
    char *place; /* "database NAME at HOST", for errors */
    enum postgres_mode mode;
    bool is_down; /* the last wait for a connection was in vain */

    /* A scan's next slice, asked for while its visitor is busy with the last one. */
    struct {
        const void *scan; /* whose it is; NULL: nobody's */
        bool is_sent;     /* the connection is not free before it is read */
        PGresult *result; /* read */
    } ahead;

    /* How a commit is told from others, see ledger_postgres_connect.c. */
    uint8_t writer_id[POSTGRES_WRITER_SIZE];
    uint64_t commit_number; /* of the last attempt */
    int backend_pid;
    uint8_t backend_start[8]; /* as PostgreSQL gave it */

    struct eds_commit_plan plan;
    struct eds_head_move **moves; /* of plan, sorted by device */
    size_t move_capacity;
    unsigned careful_count; /* commits that still expect references in use */
    struct postgres_array columns[POSTGRES_COLUMN_COUNT];
    struct postgres_step *steps;
    size_t step_count, step_capacity;
};

/* Opens the ledger in the database of a URL; our own mode=... is cut off by the
 * caller. */
int32_t eds_postgres_open(struct eds_ledger **out, const char *url, enum postgres_mode mode,
                          struct eds_error *err);

/* ledger_postgres_connect.c: a connection ready for use, or none.  ready makes
 * one where there is none, and waits for the server for a bounded time;
 * lost tells whether a failure was the connection's. */
int32_t eds_postgres_connect(struct postgres_ledger *postgres, struct eds_error *err);
void eds_postgres_disconnect(struct postgres_ledger *postgres);
int32_t eds_postgres_ready(struct postgres_ledger *postgres, struct eds_error *err);
bool eds_postgres_lost(const struct postgres_ledger *postgres, const PGresult *result);

/* ledger_postgres_statements.c: prepares all of them, in one round trip. */
int32_t eds_postgres_prepare(struct postgres_ledger *postgres, struct eds_error *err);
const char *eds_postgres_statement_name(enum postgres_statement which);

/* ledger_postgres_schema.c: is a ledger in this database, in which version, and
 * the steps up to the version of this build. */
int32_t eds_postgres_migrate(struct postgres_ledger *postgres, struct eds_error *err);

/* ledger_postgres_adopt.c: in the migration's transaction, the tables of
 * edgesentry-rs in the form of ours, and, when the other tables are there, what
 * follows from their rows. */
int32_t eds_postgres_adopt_tables(struct postgres_ledger *postgres, struct eds_error *err);
int32_t eds_postgres_adopt_rows(struct postgres_ledger *postgres, struct eds_error *err);

/* ledger_postgres_error.c: turns a failed result (NULL: the connection's last
 * failure) into a code and a sentence, and clears no result. */
int32_t eds_postgres_fail(const struct postgres_ledger *postgres, const PGresult *result,
                          struct eds_error *err, const char *doing);
bool eds_postgres_has_state(const PGresult *result, const char *sqlstate);

/* ledger_postgres_query.c: one prepared statement, its parameters and answer.
 * query is for reading: it is sent again once if the connection is lost.
 * execute sends just once.  EDS_OK and *out, which the caller clears.
 *
 * send_ahead asks without waiting, unless another scan does already; whoever uses
 * the connection before the answer is taken reads it first (ready does it).
 * take_ahead gives the good answer that a scan asked for, or NULL. */
void eds_postgres_add_text(struct postgres_params *params, const char *text);
void eds_postgres_add_bytes(struct postgres_params *params, const void *bytes, size_t size);
void eds_postgres_add_u64(struct postgres_params *params, uint64_t number);
void eds_postgres_add_null(struct postgres_params *params);
void eds_postgres_add_instant(struct postgres_params *params, uint64_t unix_ms);
int32_t eds_postgres_execute(struct postgres_ledger *postgres, enum postgres_statement which,
                             const struct postgres_params *params, PGresult **out,
                             struct eds_error *err);
int32_t eds_postgres_query(struct postgres_ledger *postgres, enum postgres_statement which,
                           const struct postgres_params *params, PGresult **out,
                           struct eds_error *err);

/* The same for statements that are not worth preparing: once sends just once,
 * ask is for reading. */
void eds_postgres_send_ahead(struct postgres_ledger *postgres, const void *scan,
                             enum postgres_statement which, const struct postgres_params *params);
void eds_postgres_read_ahead(struct postgres_ledger *postgres);
PGresult *eds_postgres_take_ahead(struct postgres_ledger *postgres, const void *scan);
int32_t eds_postgres_once(struct postgres_ledger *postgres, const char *sql,
                          const struct postgres_params *params, PGresult **out,
                          struct eds_error *err);
int32_t eds_postgres_ask(struct postgres_ledger *postgres, const char *sql,
                         const struct postgres_params *params, PGresult **out,
                         struct eds_error *err);

/* ledger_postgres_commit.c: what another transaction that must be done for
 * certain begins to end with (one more row, so that it can be found), and
 * COMMIT.  *lost: the connection broke and nothing was done. */
void eds_postgres_sign_params(struct postgres_ledger *postgres, struct postgres_params *params);
int32_t eds_postgres_finish(struct postgres_ledger *postgres, bool *lost, struct eds_error *err);

/* ledger_postgres_array.c: begin for elements of a type, add, and finish into
 * a parameter.  In an array that failed adding does nothing. */
enum postgres_type {
    POSTGRES_TYPE_BOOL = 16,
    POSTGRES_TYPE_BYTEA = 17,
    POSTGRES_TYPE_INT8 = 20,
    POSTGRES_TYPE_TEXT = 25,
    POSTGRES_TYPE_TIMESTAMPTZ = 1184,
};
void eds_postgres_array_begin(struct postgres_array *array, enum postgres_type type);
void eds_postgres_array_add(struct postgres_array *array, const void *bytes, size_t size);
void eds_postgres_array_add_text(struct postgres_array *array, const char *text);
void eds_postgres_array_add_u64(struct postgres_array *array, uint64_t number);
void eds_postgres_array_add_bool(struct postgres_array *array, bool value);
void eds_postgres_array_add_null(struct postgres_array *array);
bool eds_postgres_array_finish(struct postgres_array *array, struct postgres_params *params);

/* ledger_postgres_read.c: columns back into fields. */
struct postgres_row {
    struct eds_entry entry;
    struct eds_stored stored; /* points to entry */
};
#define EDS_POSTGRES_RECORD_COLUMNS                                                                \
    "id, device_id, sequence, timestamp_ms, payload_hash, signature, prev_record_hash, "           \
    "object_ref, ingested_at, ingested_ms, record_hash, attest_key_id, attest_signature"
uint64_t eds_postgres_get_u64(const uint8_t bytes[8]);
void eds_postgres_put_u64(uint8_t bytes[8], uint64_t number);
bool eds_postgres_column_u64(uint64_t *out, const PGresult *result, int row, int column);
bool eds_postgres_column_bytes(void *out, size_t size, const PGresult *result, int row, int column);
const char *eds_postgres_column_text(const PGresult *result, int row, int column, size_t size_max);
bool eds_postgres_column_instant(uint64_t *out, const PGresult *result, int row, int column);
int32_t eds_postgres_read_record(struct postgres_row *out, const PGresult *result, int row,
                                 const struct postgres_ledger *postgres, const char *table,
                                 struct eds_error *err);
int32_t eds_postgres_read_head(struct eds_head *out, const PGresult *result, int row, int column,
                               const struct postgres_ledger *postgres, const char *device_id,
                               struct eds_error *err);
int32_t eds_postgres_damaged(const struct postgres_ledger *postgres, struct eds_error *err,
                             const char *table, uint64_t id, const char *column);

/* ledger_postgres_pipeline.c: statements sent without waiting, then all their
 * answers. */
struct postgres_answers {
    bool has_shared; /* a reference of the commit was in use, or is there twice */
    bool lost;       /* the connection broke */
};
int32_t eds_postgres_send(struct postgres_ledger *postgres, enum postgres_statement which,
                          const struct postgres_params *params, enum postgres_step_kind kind,
                          size_t rows, struct eds_error *err);
int32_t eds_postgres_answers(struct postgres_ledger *postgres, struct postgres_answers *answers,
                             struct eds_error *err);

/* How the payloads of a commit and their references go out. */
enum postgres_references {
    POSTGRES_REFERENCES_NEW,     /* no reference is in use, else the commit fails */
    POSTGRES_REFERENCES_MISSING, /* those that are not in use */
    POSTGRES_REFERENCES_SHARED,  /* the others: compared, and filled where they are empty */
};

/* ledger_postgres_rows.c: the rows of a commit, sent. */
int32_t eds_postgres_send_heads(struct postgres_ledger *postgres, const struct eds_commit *commit,
                                struct eds_error *err);
int32_t eds_postgres_send_records(struct postgres_ledger *postgres, const struct eds_commit *commit,
                                  struct eds_error *err);
int32_t eds_postgres_send_objects(struct postgres_ledger *postgres, const struct eds_commit *commit,
                                  enum postgres_references how, struct eds_error *err);
int32_t eds_postgres_send_conflicts(struct postgres_ledger *postgres,
                                    const struct eds_commit *commit, struct eds_error *err);
int32_t eds_postgres_send_quarantined(struct postgres_ledger *postgres,
                                      const struct eds_commit *commit, struct eds_error *err);
int32_t eds_postgres_send_operations(struct postgres_ledger *postgres,
                                     const struct eds_commit *commit, struct eds_error *err);

/* The slots of the table of functions that have files of their own. */
int32_t eds_postgres_commit(struct eds_ledger *ledger, const struct eds_commit *commit,
                            struct eds_error *err);
int32_t eds_postgres_head(struct eds_ledger *ledger, const char *device_id, struct eds_head *out,
                          struct eds_error *err);
int32_t eds_postgres_record_hash(struct eds_ledger *ledger, const char *device_id,
                                 uint64_t sequence, uint8_t out[EDS_HASH_SIZE],
                                 struct eds_error *err);
int32_t eds_postgres_object(struct eds_ledger *ledger, const char *object_ref,
                            uint8_t out[EDS_HASH_SIZE], struct eds_error *err);
int32_t eds_postgres_payload(struct eds_ledger *ledger, const char *object_ref, void **out,
                             size_t *out_size, struct eds_error *err);
int32_t eds_postgres_counts(struct eds_ledger *ledger, struct eds_ledger_counts *out,
                            struct eds_error *err);
int32_t eds_postgres_scan(struct eds_ledger *ledger, const char *device_id,
                          int32_t (*visit)(void *context, const struct eds_stored *), void *context,
                          struct eds_error *err);
int32_t eds_postgres_scan_whole(struct eds_ledger *ledger, const char *device_id,
                                int32_t (*visit)(void *context, const struct eds_stored *),
                                void *context, struct eds_error *err);
int32_t eds_postgres_heads(struct eds_ledger *ledger,
                           int32_t (*visit)(void *context, const char *device_id,
                                            const struct eds_head *),
                           void *context, struct eds_error *err);
int32_t eds_postgres_operations(struct eds_ledger *ledger,
                                int32_t (*visit)(void *context, const struct eds_operation *,
                                                 uint64_t created_ms),
                                void *context, struct eds_error *err);
int32_t eds_postgres_conflicts(struct eds_ledger *ledger,
                               int32_t (*visit)(void *context, const struct eds_stored *),
                               void *context, struct eds_error *err);

#endif

/* bench_store.c - durable records a second into SQLite, with nothing around it.
 *
 * The reference is a bare loop of prepared inserts with SQLite's own settings
 * (WAL, synchronous=FULL): once into the two tables that edgesentry-rs has, and
 * once into four as here.  The ledger also checks and moves chain heads and
 * keeps each reference unique.  Both take turns, round by round, in one run.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "feed.h"

#define ROUND_COUNT 9u
#define ROUND_ROWS  8000u /* records of a round, where a batch is large */

/* One store under test. */
struct store {
    struct feed feed;
    struct eds_ledger *ledger; /* ours, or NULL and the bare loop's: */
    sqlite3 *db;
    sqlite3_stmt *add_record, *add_line, *add_object, *set_head;
};

struct timing {
    double wall_ns, cpu_ns; /* of one record */
};

static void die(const char *what)
{
    fprintf(stderr, "bench_store: %s\n", what);
    exit(1);
}

static void commit_ours(struct store *store)
{
    struct eds_error err;

    if (store->ledger->ops->commit(store->ledger, &store->feed.commit, &err) != EDS_OK)
        die(err.text);
}

static void execute(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db));
}

static void step(struct store *store, sqlite3_stmt *statement)
{
    if (sqlite3_step(statement) != SQLITE_DONE)
        die(sqlite3_errmsg(store->db));
    sqlite3_reset(statement);
}

static void bind_text(sqlite3_stmt *statement, int at, const void *text)
{
    sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

static void bind_hash(sqlite3_stmt *statement, int at, const uint8_t *hash)
{
    sqlite3_bind_blob(statement, at, hash, EDS_HASH_SIZE, SQLITE_STATIC);
}

static void add_bare(struct store *store, const struct eds_append *append)
{
    const EdsAuditRecord *record = &append->entry->record;

    bind_text(store->add_record, 1, record->device_id);
    sqlite3_bind_int64(store->add_record, 2, (sqlite3_int64)record->sequence);
    sqlite3_bind_int64(store->add_record, 3, (sqlite3_int64)record->timestamp_ms);
    bind_hash(store->add_record, 4, record->payload_hash);
    sqlite3_bind_blob(store->add_record, 5, record->signature, EDS_SIGNATURE_SIZE, SQLITE_STATIC);
    bind_hash(store->add_record, 6, record->prev_record_hash);
    bind_text(store->add_record, 7, record->object_ref);
    bind_text(store->add_record, 8, FEED_NOW);
    step(store, store->add_record);
    bind_text(store->add_line, 1, "Accepted");
    bind_text(store->add_line, 2, record->device_id);
    sqlite3_bind_int64(store->add_line, 3, (sqlite3_int64)record->sequence);
    bind_text(store->add_line, 4, "ingest accepted");
    bind_text(store->add_line, 5, FEED_NOW);
    step(store, store->add_line);
    if (store->add_object == NULL)
        return;
    bind_text(store->add_object, 1, record->object_ref);
    bind_hash(store->add_object, 2, record->payload_hash);
    sqlite3_bind_blob(store->add_object, 3, append->payload, (int)append->payload_size,
                      SQLITE_STATIC);
    step(store, store->add_object);
}

/* The heads are set once a commit and device, as a ledger would. */
static void set_heads(struct store *store, size_t count)
{
    size_t first = count > store->feed.device_count ? count - store->feed.device_count : 0;

    for (size_t i = first; store->set_head != NULL && i < count; i++) {
        bind_text(store->set_head, 1, store->feed.entries[i].record.device_id);
        sqlite3_bind_int64(store->set_head, 2,
                           (sqlite3_int64)store->feed.entries[i].record.sequence);
        bind_hash(store->set_head, 3, store->feed.appends[i].record_hash);
        step(store, store->set_head);
    }
}

static void commit_bare(struct store *store, size_t count)
{
    execute(store->db, "BEGIN");
    for (size_t i = 0; i < count; i++)
        add_bare(store, &store->feed.appends[i]);
    set_heads(store, count);
    execute(store->db, "COMMIT");
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db));
    return statement;
}

static struct store *open_store(const char *folder, const char *kind, size_t device_count)
{
    struct store *store = calloc(1, sizeof *store);
    char url[BENCH_PATH_SIZE + 64];
    struct eds_error err;

    if (store == NULL)
        die("no memory");
    store->feed.device_count = device_count;
    snprintf(url, sizeof url, "sqlite:%s/%s.db", folder, kind);
    if (strcmp(kind, "ours") == 0) {
        if (eds_ledger_open(&store->ledger, url, &err) != EDS_OK)
            die(err.text);
        return store;
    }
    if (sqlite3_open(url + strlen("sqlite:"), &store->db) != SQLITE_OK)
        die("cannot open a database");
    execute(store->db,
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            "CREATE TABLE audit_records(id INTEGER PRIMARY KEY, device_id TEXT, sequence INTEGER,"
            " timestamp_ms INTEGER, payload_hash BLOB, signature BLOB, prev_record_hash BLOB,"
            " object_ref TEXT, ingested_at TEXT, UNIQUE(device_id, sequence));"
            "CREATE TABLE operation_logs(id INTEGER PRIMARY KEY, decision TEXT, device_id TEXT,"
            " sequence INTEGER, message TEXT, created_at TEXT);"
            "CREATE TABLE raw_objects(object_ref TEXT PRIMARY KEY, payload_hash BLOB,"
            " payload BLOB);"
            "CREATE TABLE chain_heads(device_id TEXT PRIMARY KEY, sequence INTEGER,"
            " record_hash BLOB)");
    store->add_record = prepare(
        store->db, "INSERT INTO audit_records(device_id, sequence, timestamp_ms, payload_hash,"
                   " signature, prev_record_hash, object_ref, ingested_at)"
                   " VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
    store->add_line = prepare(store->db, "INSERT INTO operation_logs(decision, device_id, sequence,"
                                         " message, created_at) VALUES(?, ?, ?, ?, ?)");
    if (strcmp(kind, "four") == 0) {
        store->add_object = prepare(store->db, "INSERT INTO raw_objects VALUES(?, ?, ?)");
        store->set_head = prepare(store->db, "REPLACE INTO chain_heads VALUES(?, ?, ?)");
    }
    return store;
}

static void close_store(struct store *store)
{
    if (store->ledger != NULL)
        store->ledger->ops->close(store->ledger);
    sqlite3_finalize(store->add_record);
    sqlite3_finalize(store->add_line);
    sqlite3_finalize(store->add_object);
    sqlite3_finalize(store->set_head);
    sqlite3_close(store->db);
    free(store);
}

static double cpu_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* One round; making the records up is not counted. */
static struct timing run_round(struct store *store, size_t batch)
{
    size_t commit_count = batch == 1 ? 100 : ROUND_ROWS / batch;
    struct timing timing = {0, 0};

    for (size_t i = 0; i < commit_count; i++) {
        double cpu;
        uint64_t start;

        feed_next(&store->feed, batch, 1);
        start = bench_now_ns();
        cpu = cpu_now_ns();
        if (store->ledger != NULL)
            commit_ours(store);
        else
            commit_bare(store, batch);
        timing.cpu_ns += cpu_now_ns() - cpu;
        timing.wall_ns += (double)(bench_now_ns() - start);
    }
    timing.cpu_ns /= (double)(commit_count * batch);
    timing.wall_ns /= (double)(commit_count * batch);
    return timing;
}

/* Takes turns between ours and the two bare loops. */
static void compare(size_t batch, size_t device_count)
{
    static const char *const kinds[] = {"ours", "two", "four"};
    static const char *const reference_names[] = {NULL, "bare inserts into two tables",
                                                  "bare inserts into four tables"};
    double wall[3][ROUND_COUNT], cpu[3][ROUND_COUNT];
    struct store *stores[3];
    char folder[BENCH_PATH_SIZE], name[64];

    bench_temporary(folder);
    for (size_t k = 0; k < 3; k++) {
        stores[k] = open_store(folder, kinds[k], device_count);
        (void)run_round(stores[k], batch); /* the first round makes files grow */
    }
    for (size_t i = 0; i < ROUND_COUNT; i++)
        for (size_t k = 0; k < 3; k++) {
            struct timing timing = run_round(stores[k], batch);

            wall[k][i] = timing.wall_ns;
            cpu[k][i] = timing.cpu_ns;
        }
    for (size_t k = 0; k < 3; k++) {
        close_store(stores[k]);
        (void)bench_median(wall[k], ROUND_COUNT); /* sorts */
        (void)bench_median(cpu[k], ROUND_COUNT);
    }
    bench_remove(folder);
    for (size_t k = 1; k < 3; k++) {
        snprintf(name, sizeof name, "sqlite_commit_%zu_devices_%zu", batch, device_count);
        bench_report(name, 1e9 / wall[0][ROUND_COUNT / 2], "records/s", reference_names[k],
                     1e9 / wall[k][ROUND_COUNT / 2], true);
        snprintf(name, sizeof name, "sqlite_commit_%zu_devices_%zu_cpu", batch, device_count);
        bench_report(name, cpu[0][ROUND_COUNT / 2], "ns", reference_names[k],
                     cpu[k][ROUND_COUNT / 2], false);
    }
}

int main(void)
{
    bench_begin("the SQLite ledger alone (durable)");
    compare(1, 1);
    compare(100, 10);
    compare(1000, 10);
    compare(1000, 1000);
    return 0;
}

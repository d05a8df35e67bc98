/* bench_growth.c - what a record costs as the ledger grows, and what it takes on
 * the disk: SQLite, and PostgreSQL where there is one.
 *
 * Commits of 64 records of 64 among 1,000 devices, as single requests over many
 * connections make them, and of 1,000 records, 20 of each device, as batches make them; at
 * 10,000 rows, ten times that, and so on to EDS_BENCH_ROWS (1,000,000).  The reference is
 * a new ledger of 10,000 rows that is measured in turns with the large one, so that what
 * else the machine does tells of both: flat is 1.  Means and not medians, over more commits
 * than lie between two checkpoints or two merges of an index, because these are what a
 * large ledger pays for.  The small one is too short for a checkpoint, and has one made.
 *
 * With PostgreSQL a bare COPY of the same rows into the same tables goes along, which
 * tells what of the growth is the database's own.
 *
 * Processor time is that of the committing thread, and with PostgreSQL also that of
 * the backend (its write-ahead log is counted in bytes beside it). */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bare_copy.h"
#include "base/features.h"
#include "bench.h"
#include "feed.h"
#include "postgres_server.h"

#define FIRST_ROWS     10000u
#define SMALL_ROWS_MAX 50000u /* with more the small ledger is made anew */
#define RUN_LENGTH     10u    /* records of a device in a row while it grows, which saves time */

/* How records come. */
static const struct load {
    const char *name;
    unsigned batch, run_length; /* records of a commit, and of a device in a row in it */
    unsigned warmup_count;      /* commits before the turns: every device once, or more often */
    unsigned commit_count;      /* of a turn */
} loads[] = {{"", 64, 1, 40, 80}, {"batch_", 1000, 20, 20, 5}};
#define LOAD_COUNT (sizeof loads / sizeof loads[0])

/* A ledger, and whoever else writes into its tables. */
struct site {
    char url[BENCH_PATH_SIZE + 64];
    struct eds_ledger *ledger;
    int backend, copy_backend; /* process ids; 0: nothing works beside this thread */
    struct bare_copy *copy;    /* NULL: none */
    struct feed feed;
    uint64_t row_count;
};

/* A kind of ledger, the one that grows and the one beside it. */
struct growth {
    const char *name;
    struct site large, small;
    void (*open)(struct growth *growth, struct site *site);
    void (*close)(struct growth *growth, struct site *site);
    void (*clear)(struct growth *growth, struct site *site); /* before a new small one */
    void (*settle)(struct site *site); /* does what commits have put off; NULL: nothing */
    double (*written)(void *context);  /* bytes of write-ahead log so far; NULL: not known */
    double (*size)(void *context);     /* bytes on the disk */
    void *context;
    unsigned turn_count; /* of each ledger with each load */
};

enum way { OURS, BARE, WAY_COUNT };

struct cost {
    double cpu_ns[LOAD_COUNT][WAY_COUNT], written; /* of one record */
};

static void die(const char *what)
{
    fprintf(stderr, "bench_growth: %s\n", what);
    exit(1);
}

static void commit(struct site *site, enum way way)
{
    struct eds_error err;

#if EDS_POSTGRES /* else there is no copy */
    if (way == BARE)
        bare_copy_commit(site->copy, &site->feed);
#endif
    if (way == OURS && site->ledger->ops->commit(site->ledger, &site->feed.commit, &err) != EDS_OK)
        die(err.text);
    site->row_count += site->feed.commit.append_count;
}

static void grow(struct site *site, uint64_t goal)
{
    while (site->row_count < goal) {
        feed_next(&site->feed, FEED_BATCH_MAX, RUN_LENGTH);
        commit(site, OURS);
    }
}

static double behind_cpu_ns(int pid)
{
    return pid != 0 ? bench_process_cpu_ns(pid) : 0;
}

static double thread_cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* The cost of one turn; making the records up is not counted. */
static double take_turn(struct site *site, const struct load *load, enum way way)
{
    int pid = way == OURS ? site->backend : site->copy_backend;
    double cpu_ns = 0, behind_ns;

    behind_ns = behind_cpu_ns(pid);
    for (size_t i = 0; i < load->commit_count; i++) {
        double start_ns;

        feed_next(&site->feed, load->batch, load->run_length);
        start_ns = thread_cpu_ns();
        commit(site, way);
        cpu_ns += thread_cpu_ns() - start_ns;
    }
    return cpu_ns + behind_cpu_ns(pid) - behind_ns;
}

static void warm_up(struct site *site, const struct load *load, enum way way)
{
    for (unsigned i = 0; i < load->warmup_count; i++) {
        feed_next(&site->feed, load->batch, load->run_length);
        commit(site, way);
    }
}

/* Ends a small ledger, and says what was left to be done for it. */
static double close_small(struct growth *growth)
{
    double start_ns = thread_cpu_ns(), cpu_ns;

    if (growth->settle != NULL)
        growth->settle(&growth->small);
    cpu_ns = thread_cpu_ns() - start_ns;
    growth->close(growth, &growth->small);
    return cpu_ns;
}

/* A small ledger again: the one before has grown while it was measured. */
static void renew_small(struct growth *growth)
{
    struct site *small = &growth->small;

    growth->clear(growth, small);
    small->row_count = 0;
    memset(&small->feed, 0, sizeof small->feed);
    small->feed.device_count = FEED_DEVICE_MAX;
    growth->open(growth, small);
    grow(small, FIRST_ROWS);
    growth->close(growth, small); /* nothing of these rows is left to be done */
    growth->open(growth, small);
}

static double measure_written(struct growth *growth, struct site *site)
{
    double before;
    uint64_t row_count = site->row_count;

    if (growth->written == NULL)
        return 0;
    before = growth->written(growth->context);
    for (unsigned i = 0; i < 8; i++)
        (void)take_turn(site, &loads[0], OURS);
    return (growth->written(growth->context) - before) / (double)(site->row_count - row_count);
}

/* The mean costs of a record. */
static void measure_load(struct growth *growth, const struct load *load, enum way way,
                         double *large_ns, double *small_ns)
{
    unsigned record_count = growth->turn_count * load->commit_count * load->batch;

    *large_ns = *small_ns = 0;
    warm_up(&growth->large, load, way);
    for (unsigned i = 0; i < growth->turn_count; i++) {
        if (i > 0 && growth->small.row_count > SMALL_ROWS_MAX)
            *small_ns += close_small(growth);
        if (growth->small.ledger == NULL) {
            renew_small(growth);
            warm_up(&growth->small, load, way);
        }
        *small_ns += take_turn(&growth->small, load, way);
        *large_ns += take_turn(&growth->large, load, way);
    }
    *small_ns += close_small(growth);
    *small_ns /= record_count;
    *large_ns /= record_count;
}

static void measure(struct growth *growth, struct cost *large, struct cost *small)
{
    for (size_t load = 0; load < LOAD_COUNT; load++)
        for (enum way way = OURS; way < WAY_COUNT; way++)
            if (way == OURS || growth->large.copy != NULL)
                measure_load(growth, &loads[load], way, &large->cpu_ns[load][way],
                             &small->cpu_ns[load][way]);
    renew_small(growth);
    small->written = measure_written(growth, &growth->small);
    large->written = measure_written(growth, &growth->large);
    growth->close(growth, &growth->small);
}

static void report(const struct growth *growth, const char *load, const char *what, uint64_t rows,
                   double value, const char *unit, double small)
{
    char name[80];

    snprintf(name, sizeof name, "%s_%s%s_at_%llu_rows", growth->name, load, what,
             (unsigned long long)rows);
    bench_report(name, value, unit, small > 0 ? "one of 10,000 rows, in turns" : NULL, small,
                 false);
}

static void compare(struct growth *growth, uint64_t rows)
{
    struct cost large, small;

    measure(growth, &large, &small);
    for (size_t load = 0; load < LOAD_COUNT; load++) {
        report(growth, loads[load].name, "cpu", rows, large.cpu_ns[load][OURS], "ns",
               small.cpu_ns[load][OURS]);
        if (growth->large.copy != NULL)
            report(growth, loads[load].name, "copy_cpu", rows, large.cpu_ns[load][BARE], "ns",
                   small.cpu_ns[load][BARE]);
    }
    if (growth->written != NULL)
        report(growth, "", "wal", rows, large.written, "B/record", small.written);
}

static void run(struct growth *growth, uint64_t most)
{
    struct site *large = &growth->large;
    double empty;

    large->feed.device_count = FEED_DEVICE_MAX;
    growth->open(growth, large);
    empty = growth->size(growth->context);
    for (uint64_t goal = FIRST_ROWS; goal <= most; goal *= 10) {
        grow(large, goal);
        growth->close(growth, large); /* what it left unwritten is not counted */
        report(growth, "", "size", goal,
               (growth->size(growth->context) - empty) / (double)large->row_count, "B/record", 0);
        growth->open(growth, large);
        compare(growth, goal);
    }
    growth->close(growth, large);
}

static void open_ledger(struct growth *growth, struct site *site)
{
    struct eds_error err;

    (void)growth;
    if (eds_ledger_open(&site->ledger, site->url, &err) != EDS_OK)
        die(err.text);
}

static void close_ledger(struct growth *growth, struct site *site)
{
    (void)growth;
    site->ledger->ops->close(site->ledger);
    site->ledger = NULL;
}

static double file_size(void *context)
{
    struct stat status;

    if (stat(context, &status) != 0)
        die(context);
    return (double)status.st_size;
}

static void remove_file(struct growth *growth, struct site *site)
{
    (void)growth;
    (void)unlink(site->url + strlen("sqlite:"));
}

static void check_point(struct site *site)
{
    sqlite3 *db = NULL;

    if (sqlite3_open(site->url + strlen("sqlite:"), &db) != SQLITE_OK ||
        sqlite3_exec(db, "PRAGMA wal_checkpoint(PASSIVE)", NULL, NULL, NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db));
    sqlite3_close(db);
}

static void bench_sqlite(struct growth *growth, uint64_t most)
{
    char folder[BENCH_PATH_SIZE];

    bench_temporary(folder);
    *growth = (struct growth){.name = "sqlite",
                              .open = open_ledger,
                              .close = close_ledger,
                              .clear = remove_file,
                              .settle = check_point,
                              .size = file_size,
                              .turn_count = 52,
                              .context = growth->large.url + strlen("sqlite:")};
    snprintf(growth->large.url, sizeof growth->large.url, "sqlite:%s/ledger.db", folder);
    snprintf(growth->small.url, sizeof growth->small.url, "sqlite:%s/small.db", folder);
    run(growth, most);
    bench_remove(folder);
}

#if EDS_POSTGRES
#include <libpq-fe.h>

#define LARGE "bench_growth" /* schemas */
#define SMALL "bench_growth_small"

struct postgres {
    struct bench_postgres server;
    PGconn *connection;
};

static double ask(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    double value;

    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) == 0)
        die(PQerrorMessage(connection));
    value = strtod(PQgetvalue(result, 0, 0), NULL);
    PQclear(result);
    return value;
}

static double postgres_wal(void *context)
{
    return ask(((struct postgres *)context)->connection,
               "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn");
}

static double postgres_size(void *context)
{
    return ask(((struct postgres *)context)->connection,
               "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class AS c, pg_namespace AS n"
               " WHERE n.oid = c.relnamespace AND n.nspname = '" LARGE "' AND c.relkind = 'r'");
}

static PGconn *connect_to(const char *url)
{
    PGconn *connection = PQconnectdb(url);

    if (PQstatus(connection) != CONNECTION_OK)
        die(PQerrorMessage(connection));
    return connection;
}

static void open_postgres(struct growth *growth, struct site *site)
{
    struct postgres *postgres = growth->context;

    open_ledger(growth, site);
    site->backend =
        (int)ask(postgres->connection, "SELECT pid FROM pg_stat_activity WHERE application_name ="
                                       " 'edgesentry' ORDER BY backend_start DESC LIMIT 1");
    site->copy = bare_copy_open(site->url);
    site->copy_backend = bare_copy_backend(site->copy);
}

static void close_postgres(struct growth *growth, struct site *site)
{
    close_ledger(growth, site);
    bare_copy_close(site->copy);
}

static void make_schema(struct growth *growth, struct site *site)
{
    struct postgres *postgres = growth->context;
    char url[512];

    bench_postgres_schema(&postgres->server, site == &growth->small ? SMALL : LARGE, url);
    snprintf(site->url, sizeof site->url, "%s", url);
}

static void bench_postgres(struct growth *growth, uint64_t most)
{
    struct postgres postgres;

    if (!bench_postgres_start(&postgres.server))
        return;
    if (postgres.server.directory[0] == '\0') {
        printf("PostgreSQL skipped: the processor time of a server elsewhere is not to be had\n");
        return;
    }
    postgres.connection = connect_to(postgres.server.url);
    *growth = (struct growth){.name = "postgres",
                              .open = open_postgres,
                              .close = close_postgres,
                              .clear = make_schema,
                              .written = postgres_wal,
                              .size = postgres_size,
                              .turn_count = 8,
                              .context = &postgres};
    make_schema(growth, &growth->large);
    run(growth, most);
    PQfinish(postgres.connection);
    bench_postgres_stop(&postgres.server);
}
#endif

int main(void)
{
    const char *text = getenv("EDS_BENCH_ROWS");
    uint64_t most = text != NULL ? strtoull(text, NULL, 10) : 1000000;
    struct growth *growth = calloc(1, sizeof *growth);

    if (growth == NULL)
        die("no memory");
    bench_begin("a record's cost as the ledger grows");
    bench_sqlite(growth, most);
#if EDS_POSTGRES
    bench_postgres(growth, most);
#endif
    free(growth);
    return 0;
}

/* bench_growth.c - what a record costs as the ledger grows, and what it takes on
 * the disk: SQLite, and PostgreSQL where there is one.
 *
 * Commits of 64 records of 64 among 1,000 devices, as single requests over many
 * connections make them, at 10,000 rows, ten times that, and so on to EDS_BENCH_ROWS
 * (1,000,000).  The reference is the same ledger at 10,000 rows: flat is 1.
 *
 * Processor time is that of the committing thread, and with PostgreSQL also that of
 * the backend (its write-ahead log is counted in bytes beside it). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/features.h"
#include "bench.h"
#include "feed.h"
#include "postgres_server.h"

#define FIRST_ROWS   10000u
#define BATCH        64u
#define ROUND_COUNT  640u /* commits: enough for what is put off to be paid, too */
#define WARMUP_COUNT 160u /* commits before them, to fill the caches */
#define RUN_LENGTH   10u  /* records of a device in a row while it grows, which saves time */

/* A ledger that grows, and how to look at what is behind it. */
struct growth {
    const char *name, *url;
    struct eds_ledger *ledger;
    struct feed feed;
    uint64_t row_count;
    double (*behind_cpu_ns)(void *context); /* NULL: nothing works beside this thread */
    double (*written)(void *context);       /* bytes of write-ahead log so far; NULL: not known */
    double (*size)(void *context);          /* bytes on the disk */
    void *context;
};

struct cost {
    double cpu_ns, written; /* of one record */
};

static void die(const char *what)
{
    fprintf(stderr, "bench_growth: %s\n", what);
    exit(1);
}

static void open_ledger(struct growth *growth)
{
    struct eds_error err;

    if (eds_ledger_open(&growth->ledger, growth->url, &err) != EDS_OK)
        die(err.text);
}

static void commit(struct growth *growth)
{
    struct eds_error err;

    if (growth->ledger->ops->commit(growth->ledger, &growth->feed.commit, &err) != EDS_OK)
        die(err.text);
    growth->row_count += growth->feed.commit.append_count;
}

static void grow(struct growth *growth, uint64_t goal)
{
    while (growth->row_count < goal) {
        feed_next(&growth->feed, FEED_BATCH_MAX, RUN_LENGTH);
        commit(growth);
    }
}

static double thread_cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double behind_cpu_ns(const struct growth *growth)
{
    return growth->behind_cpu_ns != NULL ? growth->behind_cpu_ns(growth->context) : 0;
}

/* The mean cost of a record; making the records up is not counted. */
static struct cost measure(struct growth *growth)
{
    struct cost cost = {0, 0};
    double behind_ns, written;

    for (size_t i = 0; i < WARMUP_COUNT; i++) {
        feed_next(&growth->feed, BATCH, 1);
        commit(growth);
    }
    behind_ns = behind_cpu_ns(growth);
    written = growth->written != NULL ? growth->written(growth->context) : 0;
    for (size_t i = 0; i < ROUND_COUNT; i++) {
        double start_ns;

        feed_next(&growth->feed, BATCH, 1);
        start_ns = thread_cpu_ns();
        commit(growth);
        cost.cpu_ns += thread_cpu_ns() - start_ns;
    }
    cost.cpu_ns += behind_cpu_ns(growth) - behind_ns;
    if (growth->written != NULL)
        cost.written = growth->written(growth->context) - written;
    cost.cpu_ns /= ROUND_COUNT * BATCH;
    cost.written /= ROUND_COUNT * BATCH;
    return cost;
}

static void report(const struct growth *growth, const char *what, uint64_t rows, double value,
                   const char *unit, double first)
{
    char name[64];

    snprintf(name, sizeof name, "%s_%s_at_%llu_rows", growth->name, what, (unsigned long long)rows);
    bench_report(name, value, unit, first > 0 ? "the same at 10,000 rows" : NULL, first, false);
}

static void run(struct growth *growth, uint64_t most)
{
    struct cost first = {0, 0};
    double empty;

    growth->feed.device_count = FEED_DEVICE_MAX;
    open_ledger(growth);
    empty = growth->size(growth->context);
    for (uint64_t goal = FIRST_ROWS; goal <= most; goal *= 10) {
        struct cost cost;

        grow(growth, goal);
        growth->ledger->ops->close(growth->ledger); /* what it left unwritten is not counted */
        report(growth, "size", goal,
               (growth->size(growth->context) - empty) / (double)growth->row_count, "B/record", 0);
        open_ledger(growth);
        cost = measure(growth);
        report(growth, "cpu", goal, cost.cpu_ns, "ns", first.cpu_ns);
        if (growth->written != NULL)
            report(growth, "wal", goal, cost.written, "B/record", first.written);
        if (goal == FIRST_ROWS)
            first = cost;
    }
    growth->ledger->ops->close(growth->ledger);
}

static double file_size(void *context)
{
    struct stat status;

    if (stat(context, &status) != 0)
        die(context);
    return (double)status.st_size;
}

static void bench_sqlite(struct growth *growth, uint64_t most)
{
    char folder[BENCH_PATH_SIZE], path[BENCH_PATH_SIZE + 16], url[BENCH_PATH_SIZE + 32];

    bench_temporary(folder);
    snprintf(path, sizeof path, "%s/ledger.db", folder);
    snprintf(url, sizeof url, "sqlite:%s", path);
    *growth = (struct growth){.name = "sqlite", .url = url, .size = file_size, .context = path};
    run(growth, most);
    bench_remove(folder);
}

#if EDS_POSTGRES
#include <libpq-fe.h>

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
    return ask(context, "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn");
}

static double postgres_size(void *context)
{
    return ask(context, "SELECT pg_database_size(current_database())");
}

/* Of the ledger's backend, which runs on this machine. */
static double postgres_cpu_ns(void *context)
{
    unsigned long user, system;
    char path[64];
    FILE *file;

    snprintf(path, sizeof path, "/proc/%.0f/stat",
             ask(context, "SELECT pid FROM pg_stat_activity WHERE application_name = 'edgesentry'"
                          " ORDER BY backend_start DESC LIMIT 1"));
    file = fopen(path, "r");
    if (file == NULL ||
        fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system) != 2)
        die(path);
    fclose(file);
    return (double)(user + system) * 1e9 / (double)sysconf(_SC_CLK_TCK);
}

static void bench_postgres(struct growth *growth, uint64_t most)
{
    struct bench_postgres server;
    PGconn *connection;
    char url[512];

    if (!bench_postgres_start(&server))
        return;
    bench_postgres_schema(&server, "bench_growth", url);
    connection = PQconnectdb(server.url);
    if (PQstatus(connection) != CONNECTION_OK)
        die(PQerrorMessage(connection));
    *growth = (struct growth){.name = "postgres",
                              .url = url,
                              .behind_cpu_ns = server.directory[0] != '\0' ? postgres_cpu_ns : NULL,
                              .written = postgres_wal,
                              .size = postgres_size,
                              .context = connection};
    run(growth, most);
    PQfinish(connection);
    bench_postgres_stop(&server);
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

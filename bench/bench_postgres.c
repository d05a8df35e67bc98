/* bench_postgres.c - commits of 1000 records to PostgreSQL, and the same through the server
 * over HTTP, in turns with a bare COPY of the same rows into the same tables over a like
 * connection.
 *
 * EDS_BENCH_POSTGRES=URL names a server; its schemas bench_ours, bench_bare and
 * bench_http are made anew.  Without it a server of our own is started, with fsync on. */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bare_copy.h"
#include "batch_load.h"
#include "bench.h"
#include "feed.h"
#include "postgres_server.h"
#include "store/ledger.h"

#define HTTP_BATCH_COUNT 15u /* of each connection */
#define HTTP_TURN_COUNT  5u
#define BATCH            1000u
#define DEVICE_COUNT     50u
#define ROUND_COUNT      41u

static void demand(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "bench_postgres: %s\n", what);
        exit(1);
    }
}

static struct feed *new_feed(void)
{
    struct feed *feed = calloc(1, sizeof *feed);

    demand(feed != NULL, "no memory");
    feed->device_count = DEVICE_COUNT;
    return feed;
}

static void commit(struct eds_ledger *ledger, const struct feed *feed)
{
    struct eds_error err = {0};

    demand(ledger->ops->commit(ledger, &feed->commit, &err) == EDS_OK, err.text);
}

/* A new ledger in a schema of its own, with one batch in it, so that there are heads. */
static struct eds_ledger *open_schema(const struct bench_postgres *server, const char *schema,
                                      struct feed *feed, char url[512])
{
    struct eds_ledger *ledger = NULL;
    struct eds_error err = {0};

    bench_postgres_schema(server, schema, url);
    demand(eds_ledger_open(&ledger, url, &err) == EDS_OK, err.text);
    feed_next(feed, BATCH, 1);
    commit(ledger, feed);
    return ledger;
}

/* What this process and a backend have used; the backend's is 0 if it is elsewhere. */
static double cpu_us(const struct bench_postgres *server, int backend)
{
    return 1e6 * bench_cpu_seconds() +
           (server->directory[0] != '\0' ? bench_process_cpu_ns(backend) / 1e3 : 0);
}

static int newest_backend(const struct bench_postgres *server)
{
    PGconn *connection = PQconnectdb(server->url);
    PGresult *result =
        PQexec(connection, "SELECT pid FROM pg_stat_activity WHERE application_name = 'edgesentry'"
                           " ORDER BY backend_start DESC LIMIT 1");
    int pid;

    demand(PQntuples(result) == 1, PQerrorMessage(connection));
    pid = atoi(PQgetvalue(result, 0, 0));
    PQclear(result);
    PQfinish(connection);
    return pid;
}

static double rate(uint64_t start_ns)
{
    return BATCH * 1e9 / (double)(bench_now_ns() - start_ns);
}

static double copy_rate(struct bare_copy *copy, struct feed *feed)
{
    uint64_t start_ns;

    feed_next(feed, BATCH, 1);
    start_ns = bench_now_ns();
    bare_copy_commit(copy, feed);
    return rate(start_ns);
}

static void measure_commits(const struct bench_postgres *server, struct bare_copy *copy,
                            struct feed *copy_feed)
{
    double ours[ROUND_COUNT], bare[ROUND_COUNT], ours_us = 0, bare_us = 0;
    struct feed *feed = new_feed();
    char url[512];
    struct eds_ledger *ledger = open_schema(server, "bench_ours", feed, url);
    int backend = newest_backend(server);

    for (unsigned i = 0; i < ROUND_COUNT; i++) {
        uint64_t start_ns;

        feed_next(feed, BATCH, 1);
        ours_us -= cpu_us(server, backend);
        start_ns = bench_now_ns();
        commit(ledger, feed);
        ours[i] = rate(start_ns);
        ours_us += cpu_us(server, backend);
        bare_us -= cpu_us(server, bare_copy_backend(copy));
        bare[i] = copy_rate(copy, copy_feed);
        bare_us += cpu_us(server, bare_copy_backend(copy));
    }
    bench_report("postgres_commit_1000", bench_median(ours, ROUND_COUNT), "records/s",
                 "bare COPY of the same rows", bench_median(bare, ROUND_COUNT), true);
    bench_report("postgres_commit_1000_cpu", ours_us / (ROUND_COUNT * BATCH), "us/record",
                 "bare COPY of the same rows", bare_us / (ROUND_COUNT * BATCH), false);
    ledger->ops->close(ledger);
    free(feed);
}

/* The same through the server: HTTP, JSON, signatures, chains. */
static void measure_http(const struct bench_postgres *server, struct bare_copy *copy,
                         struct feed *copy_feed)
{
    double ours[HTTP_TURN_COUNT], bare[HTTP_TURN_COUNT * HTTP_BATCH_COUNT], server_us = 0;
    char store[512];

    if (getenv("EDS") == NULL)
        return;
    for (unsigned i = 0; i < HTTP_TURN_COUNT; i++) {
        bench_postgres_schema(server, "bench_http", store);
        ours[i] = batch_load_rate(store, HTTP_BATCH_COUNT, false, &server_us);
        for (unsigned k = 0; k < HTTP_BATCH_COUNT; k++)
            bare[i * HTTP_BATCH_COUNT + k] = copy_rate(copy, copy_feed);
    }
    bench_report("http_batch_postgres", bench_median(ours, HTTP_TURN_COUNT), "records/s",
                 "bare COPY of the same rows",
                 bench_median(bare, (size_t)HTTP_TURN_COUNT * HTTP_BATCH_COUNT), true);
    bench_report("http_batch_postgres_cpu", server_us, "us/record", NULL, 0, false);
}

int main(void)
{
    struct bench_postgres server;
    struct bare_copy *copy;
    struct eds_ledger *ledger;
    struct feed *feed;
    char url[512];

    bench_begin("PostgreSQL (one connection)");
    if (!bench_postgres_start(&server))
        return 0;
    feed = new_feed();
    ledger = open_schema(&server, "bench_bare", feed, url);
    ledger->ops->close(ledger);
    copy = bare_copy_open(url);
    measure_commits(&server, copy, feed);
    measure_http(&server, copy, feed);
    bare_copy_close(copy);
    free(feed);
    bench_postgres_stop(&server);
    return 0;
}

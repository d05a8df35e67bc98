/* test_ledger_postgres_order.c - servers that want the same heads wait for each other in
 * one order; where PostgreSQL had to end one of them, nothing of it is left, and it is
 * decided again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/ledger_batch.h"
#include "support/postgres.h"

#define NOW_MS       1795305600123u
#define DEVICE_COUNT 64u
#define MOVED_COUNT  16u /* few enough that PostgreSQL would rather go through the table */
#define TRY_MAX      10
#define WAIT_S       120 /* for what comes at once on a machine that is not busy */

static struct postgres_server server;

/* Devices whose rows do not lie in the order of their ids, and a commit that moves the first
 * ones. */
struct stage {
    char url[POSTGRES_URL_SIZE];
    struct eds_ledger *ledger;
    struct batch *batch;
    struct chain chains[DEVICE_COUNT]; /* "lift-00" first */
    pthread_t thread;
    atomic_bool is_over;
    int32_t rc;
    struct eds_error err;
};

static void commit(struct stage *stage)
{
    struct eds_error err;

    if (stage->ledger->ops->commit(stage->ledger, &stage->batch->commit, &err) != EDS_OK)
        fail_msg("%s", err.text);
}

static void fill(struct stage *stage)
{
    batch_clear(stage->batch);
    for (unsigned i = 0; i < MOVED_COUNT; i++)
        batch_append(stage->batch, &stage->chains[i]);
}

static PGconn *connect_to(const struct stage *stage)
{
    PGconn *connection = PQconnectdb(stage->url);

    if (PQstatus(connection) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(connection));
    return connection;
}

/* The answer's only field, as a number; 0 for a statement that has no answer. */
static int ask(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    int number = 0;

    if (PQresultStatus(result) == PGRES_TUPLES_OK)
        number = PQntuples(result) == 1 ? atoi(PQgetvalue(result, 0, 0)) : 0;
    else if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(connection));
    PQclear(result);
    return number;
}

static int set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof *stage);
    PGconn *connection;
    struct eds_error err;

    assert_non_null(stage);
    postgres_place(&server, server.port, stage->url);
    if (eds_ledger_open(&stage->ledger, stage->url, &err) != EDS_OK)
        fail_msg("%s", err.text);
    stage->batch = batch_new(NOW_MS);
    for (unsigned i = DEVICE_COUNT; i-- > 0;) { /* the last one's row lies first */
        char id[16];

        snprintf(id, sizeof id, "lift-%02u", i);
        stage->chains[i] = chain_of(id);
        batch_clear(stage->batch);
        batch_append(stage->batch, &stage->chains[i]);
        commit(stage);
    }
    connection = connect_to(stage);
    (void)ask(connection, "ANALYZE chain_heads"); /* so that it is known to be small */
    PQfinish(connection);
    fill(stage);
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;

    stage->ledger->ops->close(stage->ledger);
    batch_free(stage->batch);
    free(stage);
    return 0;
}

static void *run_commit(void *context)
{
    struct stage *stage = context;

    stage->rc = stage->ledger->ops->commit(stage->ledger, &stage->batch->commit, &stage->err);
    atomic_store(&stage->is_over, true);
    return NULL;
}

static void start_commit(struct stage *stage)
{
    atomic_store(&stage->is_over, false);
    assert_int_equal(pthread_create(&stage->thread, NULL, run_commit, stage), 0);
}

/* Begins a transaction that holds a device's head. */
static PGconn *hold(const struct stage *stage, const char *device_id)
{
    PGconn *connection = connect_to(stage);
    char sql[128];

    (void)ask(connection, "BEGIN");
    snprintf(sql, sizeof sql, "SELECT 1 FROM chain_heads WHERE device_id = '%s' FOR UPDATE",
             device_id);
    assert_int_equal(ask(connection, sql), 1);
    return connection;
}

/* Waits until so many connections wait for a head, or the commit is over: it gives up after
 * ten seconds, which a busy machine may take. */
static void await_waiting(struct stage *stage, PGconn *watcher, int count)
{
    const struct timespec pause = {0, 5 * 1000 * 1000};
    time_t begun_s = time(NULL);

    while (!atomic_load(&stage->is_over) &&
           ask(watcher, "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted") != count) {
        if (time(NULL) - begun_s > WAIT_S)
            fail_msg("it is not %d who wait for a head", count);
        nanosleep(&pause, NULL);
    }
}

/* How many heads nobody has locked. */
static int free_count(PGconn *watcher)
{
    return ask(watcher, "SELECT count(*) FROM"
                        " (SELECT 1 FROM chain_heads FOR UPDATE SKIP LOCKED) AS h");
}

/* Has the commit wait for a head: how many heads are free then. */
static int free_while_waiting(struct stage *stage, PGconn *watcher, const char *device_id)
{
    PGconn *holder = hold(stage, device_id);
    int count;

    start_commit(stage);
    await_waiting(stage, watcher, 1);
    count = free_count(watcher);
    PQfinish(holder);
    pthread_join(stage->thread, NULL);
    return count;
}

/* A commit that waits for a head holds those before it and none after it. */
static void test_one_order(void **state)
{
    static const char *const held[] = {"lift-00", "lift-05", "lift-15"};
    struct stage *stage = *state;
    PGconn *watcher = connect_to(stage);

    for (size_t i = 0; i < sizeof held / sizeof held[0]; i++) {
        int count, tries = 0;

        do
            count = free_while_waiting(stage, watcher, held[i]);
        while (stage->rc == EDS_ERR_BUSY && ++tries < TRY_MAX);
        if (stage->rc != EDS_OK)
            fail_msg("%s: %s", held[i], stage->err.text);
        assert_int_equal(count, (int)DEVICE_COUNT - 1 - atoi(held[i] + strlen("lift-")));
        fill(stage);
    }
    PQfinish(watcher);
}

/* The commit closes a circle: of two who wait for each other PostgreSQL ends the one that
 * first asks whether they do, and the other one will not for an hour. */
static void cross(struct stage *stage, PGconn *watcher)
{
    PGconn *between = hold(stage, "lift-05"), *crossing = hold(stage, "lift-15");
    PGresult *result;

    start_commit(stage);
    await_waiting(stage, watcher, 1); /* it has 0 to 4 */
    (void)ask(crossing, "SET LOCAL deadlock_timeout = '1h'");
    assert_int_equal(PQsendQuery(crossing, "SELECT 1 FROM chain_heads WHERE device_id = 'lift-00'"
                                           " FOR UPDATE"),
                     1);
    await_waiting(stage, watcher, 2);
    PQfinish(between);
    pthread_join(stage->thread, NULL);
    result = PQgetResult(crossing); /* else it may still be on its way to what it waited for */
    assert_int_equal(PQntuples(result), 1);
    PQclear(result);
    PQfinish(crossing);
}

static void test_deadlock(void **state)
{
    struct stage *stage = *state;
    PGconn *watcher = connect_to(stage);
    struct eds_ledger_counts counts;
    int tries = 0;

    do
        cross(stage, watcher);
    while (stage->rc == EDS_ERR_BUSY && ++tries < TRY_MAX);
    assert_int_equal(stage->rc, EDS_ERR_HEAD_MOVED);
    assert_non_null(strstr(stage->err.text, "deadlock"));
    PQfinish(watcher);

    assert_int_equal(stage->ledger->ops->counts(stage->ledger, &counts, NULL), EDS_OK);
    assert_int_equal(counts.records, DEVICE_COUNT); /* nothing of it is there */
    commit(stage);
    assert_int_equal(stage->ledger->ops->counts(stage->ledger, &counts, NULL), EDS_OK);
    assert_int_equal(counts.records, DEVICE_COUNT + MOVED_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deadlock, set_up, tear_down),
    };
    int failed;

    if (!postgres_start(&server))
        return 77;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    postgres_remove(&server);
    return failed;
}

/* test_ledger_postgres_faults.c - the server is killed, connections break at the
 * worst moments; every commit is there once, and what was acknowledged is.
 *
 * The PostgreSQL ledger and one in memory are told the same; whatever happened
 * on the way, in the end they must give the same dump.
 *
 * EDS_TEST_FAULTS=N: how often each random fault is tried. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/ledger_batch.h"
#include "store/ledger_dump.h"
#include "store/tcp_proxy.h"
#include "support/dice.h"
#include "support/postgres.h"

#define NOW_MS       1795305600123u
#define DEVICE_COUNT 3u

static struct postgres_server server;

struct bench {
    struct tcp_proxy *proxy;
    struct eds_ledger *postgres, *memory;
    struct batch *batch;
    struct chain chains[DEVICE_COUNT];
    unsigned commit_count;
};

static unsigned fault_count(void)
{
    const char *text = getenv("EDS_TEST_FAULTS");

    return text != NULL ? (unsigned)atoi(text) : 12;
}

static struct eds_ledger *open_ledger(const char *url)
{
    struct eds_ledger *ledger = NULL;
    struct eds_error err;

    if (eds_ledger_open(&ledger, url, &err) != EDS_OK)
        fail_msg("%s", err.text);
    return ledger;
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    char url[POSTGRES_URL_SIZE];
    int port;

    assert_non_null(bench);
    bench->proxy = tcp_proxy_start(server.port, &port);
    postgres_place(&server, port, url);
    bench->postgres = open_ledger(url);
    bench->memory = open_ledger("memory:");
    bench->batch = batch_new(NOW_MS);
    for (unsigned i = 0; i < DEVICE_COUNT; i++) {
        char id[16];

        snprintf(id, sizeof id, "lift-%02u", i);
        bench->chains[i] = chain_of(id);
    }
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    bench->postgres->ops->close(bench->postgres);
    bench->memory->ops->close(bench->memory);
    tcp_proxy_stop(bench->proxy);
    batch_free(bench->batch);
    free(bench);
    return 0;
}

/* The next commit: two records of one device, one of another, a fork once there
 * is something to fork from, a payload kept elsewhere, the log. */
static void fill(struct bench *bench)
{
    unsigned n = bench->commit_count++;
    struct chain *chain = &bench->chains[n % DEVICE_COUNT];
    struct chain *other = &bench->chains[(n + 1) % DEVICE_COUNT];

    batch_clear(bench->batch);
    bench->batch->commit.now_ms = NOW_MS + n;
    batch_append(bench->batch, chain);
    batch_append(bench->batch, other);
    batch_last_append(bench->batch)->payload = NULL;
    batch_attest(batch_append(bench->batch, chain));
    batch_conflict(bench->batch, chain->device_id, 1, n + 1);
    batch_operation(bench->batch, EDS_DECISION_ACCEPTED, chain->device_id, n, "accepted");
    batch_operation(bench->batch, EDS_DECISION_REJECTED, other->device_id, n, "a reason");
}

static int32_t commit_to(struct bench *bench, struct eds_ledger *ledger, struct eds_error *err)
{
    return ledger->ops->commit(ledger, &bench->batch->commit, err);
}

/* Commits the batch as a server does that is told to try again: what failed is
 * sent once more, unless the heads say that it is there. */
static void commit_in_the_end(struct bench *bench)
{
    const struct eds_append *first = &bench->batch->appends[0];
    const char *device_id = (const char *)first->entry->record.device_id;
    struct eds_error err = {0};
    struct eds_head head;
    int32_t rc = EDS_ERR_IO;

    for (unsigned i = 0; rc != EDS_OK && i < 20; i++) {
        rc = commit_to(bench, bench->postgres, &err);
        if (rc == EDS_ERR_HEAD_MOVED) {
            assert_int_equal(bench->postgres->ops->head(bench->postgres, device_id, &head, &err),
                             EDS_OK);
            assert_true(head.sequence > first->entry->record.sequence);
            rc = EDS_OK; /* done, though it was not said */
        }
    }
    if (rc != EDS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(commit_to(bench, bench->memory, &err), EDS_OK);
}

static void assert_same(struct bench *bench)
{
    struct eds_error err;
    char *actual = ledger_dump(bench->postgres, &err);
    char *expected = ledger_dump(bench->memory, NULL);

    if (actual == NULL)
        fail_msg("%s", err.text);
    assert_string_equal(actual, expected);
    free(actual);
    free(expected);
}

static void commit_or_fail(struct bench *bench, const char *when)
{
    struct eds_error err;

    fill(bench);
    if (commit_to(bench, bench->postgres, &err) != EDS_OK)
        fail_msg("%s: %s", when, err.text);
    assert_int_equal(commit_to(bench, bench->memory, &err), EDS_OK);
}

/* COMMIT is told by the Bind message that names the statement. */
static void test_cut_around_commit(void **state)
{
    struct bench *bench = *state;
    static const char *const names[] = {[PROXY_BEFORE] = "before",
                                        [PROXY_AFTER] = "after",
                                        [PROXY_ANSWER] = "answer",
                                        [PROXY_HOLD] = "hold"};

    commit_or_fail(bench, "whole");
    for (int round = 0; round < 2; round++)
        for (enum proxy_fault fault = PROXY_BEFORE; fault <= PROXY_HOLD; fault++) {
            unsigned broken = tcp_proxy_broken(bench->proxy);

            tcp_proxy_arm(bench->proxy, fault, "\0commit\0", 8, 0);
            commit_or_fail(bench, names[fault]);
            assert_int_equal(tcp_proxy_broken(bench->proxy), broken + 1);
            assert_same(bench);
        }
}

/* After any number of bytes, in the middle of any message either way. */
static void test_cut_anywhere(void **state)
{
    struct bench *bench = *state;
    struct dice dice;

    dice_seed(&dice);
    commit_or_fail(bench, "whole");
    for (unsigned i = 0; i < fault_count(); i++) {
        tcp_proxy_arm(bench->proxy, PROXY_BYTES, NULL, 0, 1 + dice_below(&dice, 5000));
        fill(bench);
        commit_in_the_end(bench);
    }
    tcp_proxy_arm(bench->proxy, PROXY_NONE, NULL, 0, 0);
    assert_true(tcp_proxy_broken(bench->proxy) > 0);
    assert_same(bench);
}

static void test_backend_terminated(void **state)
{
    struct bench *bench = *state;

    for (unsigned i = 0; i < 3; i++) {
        commit_or_fail(bench, "before");
        postgres_sql(&server, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                              " WHERE application_name = 'edgesentry'");
        if (i == 1) { /* a look-up is the first to notice */
            struct eds_head head;

            assert_int_equal(bench->postgres->ops->head(bench->postgres, "lift-00", &head, NULL),
                             EDS_OK);
            assert_true(head.sequence > 0);
        }
    }
    assert_same(bench);
}

static void test_restart_between_commits(void **state)
{
    struct bench *bench = *state;

    commit_or_fail(bench, "before");
    postgres_stop(&server, "immediate");
    postgres_up(&server);
    commit_or_fail(bench, "after an immediate stop");
    postgres_stop(&server, "fast");
    postgres_up(&server);
    commit_or_fail(bench, "after a fast stop");
    assert_same(bench);
}

static void *kill_server(void *context)
{
    const unsigned *wait_us = context;
    struct timespec pause = {0, (long)*wait_us * 1000};

    nanosleep(&pause, NULL);
    postgres_stop(&server, "immediate");
    postgres_up(&server);
    return NULL;
}

static void test_killed_under_load(void **state)
{
    struct bench *bench = *state;
    struct dice dice;

    dice_seed(&dice);
    for (unsigned i = 0; i < fault_count() / 4; i++) {
        unsigned wait_us = 500 + (unsigned)dice_below(&dice, 30000);
        pthread_t killer;

        assert_int_equal(pthread_create(&killer, NULL, kill_server, &wait_us), 0);
        for (unsigned j = 0; j < 60; j++) {
            fill(bench);
            commit_in_the_end(bench);
        }
        pthread_join(killer, NULL);
    }
    assert_same(bench);
}

static uint64_t seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec;
}

/* A server that stays away: one bounded wait, then calls fail at once. */
static void test_server_away(void **state)
{
    struct bench *bench = *state;
    struct eds_error err;
    uint64_t start_s;

    commit_or_fail(bench, "before");
    postgres_stop(&server, "fast");
    fill(bench);
    start_s = seconds();
    assert_int_equal(commit_to(bench, bench->postgres, &err), EDS_ERR_IO);
    assert_true(seconds() - start_s < 9);
    assert_non_null(strstr(err.text, "127.0.0.1"));
    assert_non_null(strstr(err.text, "database postgres"));
    start_s = seconds();
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(commit_to(bench, bench->postgres, &err), EDS_ERR_IO);
    assert_true(seconds() - start_s < 3);
    postgres_up(&server);
    commit_in_the_end(bench);
    assert_same(bench);
}

#define BENCH_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_cut_around_commit),  BENCH_TEST(test_cut_anywhere),
        BENCH_TEST(test_backend_terminated), BENCH_TEST(test_restart_between_commits),
        BENCH_TEST(test_killed_under_load),  BENCH_TEST(test_server_away),
    };
    int failed;

    if (!postgres_start(&server))
        return 77;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    postgres_remove(&server);
    return failed;
}

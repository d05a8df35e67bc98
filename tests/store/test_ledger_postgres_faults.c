/* test_ledger_postgres_faults.c - the server is killed, connections break at the
 * worst moments; every commit is there once, and what was acknowledged is.
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

#include "store/ledger_postgres_bench.h"
#include "support/dice.h"

static struct postgres_server server;

/* COMMIT is told by the Bind message that names the statement. */
static void test_cut_around_commit(void **state)
{
    struct postgres_bench *bench = *state;
    static const char *const names[] = {[PROXY_BEFORE] = "before",
                                        [PROXY_AFTER] = "after",
                                        [PROXY_ANSWER] = "answer",
                                        [PROXY_HOLD] = "hold"};

    postgres_bench_commit(bench, "whole");
    for (int round = 0; round < 2; round++)
        for (enum proxy_fault fault = PROXY_BEFORE; fault <= PROXY_HOLD; fault++) {
            unsigned broken = tcp_proxy_broken(bench->proxy);

            tcp_proxy_arm(bench->proxy, fault, "\0commit\0", 8, 0);
            postgres_bench_commit(bench, names[fault]);
            assert_int_equal(tcp_proxy_broken(bench->proxy), broken + 1);
            postgres_bench_compare(bench);
        }
}

/* After any number of bytes, in the middle of any message either way. */
static void test_cut_anywhere(void **state)
{
    struct postgres_bench *bench = *state;
    struct dice dice;

    dice_seed(&dice);
    postgres_bench_commit(bench, "whole");
    for (unsigned i = 0; i < postgres_bench_faults(); i++) {
        tcp_proxy_arm(bench->proxy, PROXY_BYTES, NULL, 0, 1 + dice_below(&dice, 5000));
        postgres_bench_fill(bench);
        postgres_bench_insist(bench);
    }
    tcp_proxy_arm(bench->proxy, PROXY_NONE, NULL, 0, 0);
    assert_true(tcp_proxy_broken(bench->proxy) > 0);
    postgres_bench_compare(bench);
}

static void test_backend_terminated(void **state)
{
    struct postgres_bench *bench = *state;

    for (unsigned i = 0; i < 3; i++) {
        postgres_bench_commit(bench, "before");
        postgres_sql(&server, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                              " WHERE application_name = 'edgesentry'");
        if (i == 1) { /* a look-up is the first to notice */
            struct eds_head head;

            assert_int_equal(bench->postgres->ops->head(bench->postgres, "lift-00", &head, NULL),
                             EDS_OK);
            assert_true(head.sequence > 0);
        }
    }
    postgres_bench_compare(bench);
}

static void test_restart_between_commits(void **state)
{
    struct postgres_bench *bench = *state;

    postgres_bench_commit(bench, "before");
    postgres_stop(&server, "immediate");
    postgres_up(&server);
    postgres_bench_commit(bench, "after an immediate stop");
    postgres_stop(&server, "fast");
    postgres_up(&server);
    postgres_bench_commit(bench, "after a fast stop");
    postgres_bench_compare(bench);
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
    struct postgres_bench *bench = *state;
    struct dice dice;

    dice_seed(&dice);
    for (unsigned i = 0; i < postgres_bench_faults() / 4; i++) {
        unsigned wait_us = 500 + (unsigned)dice_below(&dice, 30000);
        pthread_t killer;

        assert_int_equal(pthread_create(&killer, NULL, kill_server, &wait_us), 0);
        for (unsigned j = 0; j < 60; j++) {
            postgres_bench_fill(bench);
            postgres_bench_insist(bench);
        }
        pthread_join(killer, NULL);
    }
    postgres_bench_compare(bench);
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
    struct postgres_bench *bench = *state;
    struct eds_error err;
    uint64_t start_s;

    postgres_bench_commit(bench, "before");
    postgres_stop(&server, "fast");
    postgres_bench_fill(bench);
    start_s = seconds();
    assert_int_equal(postgres_bench_try(bench, &err), EDS_ERR_IO);
    assert_true(seconds() - start_s < 60);
    assert_non_null(strstr(err.text, "127.0.0.1"));
    assert_non_null(strstr(err.text, "database postgres"));
    start_s = seconds();
    for (unsigned i = 0; i < 50; i++) /* each with a wait of its own would take minutes */
        assert_int_equal(postgres_bench_try(bench, &err), EDS_ERR_IO);
    assert_true(seconds() - start_s < 60);
    postgres_up(&server);
    postgres_bench_insist(bench);
    postgres_bench_compare(bench);
}

#define BENCH_TEST(test) POSTGRES_BENCH_TEST(test, &server)

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

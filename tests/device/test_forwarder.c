/* test_forwarder.c - what a forwarder does with each answer, in which order and
 * when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "device/maker.h"
#include "edgesentry/forwarder.h"

#define LANES   4u
#define DEVICES 6u

/* A server that all lanes talk to. */
struct server {
    pthread_mutex_t mutex;
    struct fake_server fake;
    unsigned at_once, at_once_max; /* requests */
    char busy[LANES][64];          /* devices whose requests run */
    bool down;                     /* no answer */
    uint64_t asked_while_down;
    unsigned retry_after_ms;
    const char *held;     /* this device is not taken from */
    const char *rejected; /* nor this one, for good */
    unsigned slow_us;
};

struct lane_sender {
    struct eds_sender sender; /* first */
    struct server *server;
    unsigned number;
};

static void begin_request(struct lane_sender *lane, const char *id)
{
    struct server *server = lane->server;

    pthread_mutex_lock(&server->mutex);
    for (unsigned i = 0; i < LANES; i++) /* one record of a device at a time */
        if (strcmp(server->busy[i], id) == 0)
            abort();
    snprintf(server->busy[lane->number], sizeof server->busy[0], "%.63s", id);
    if (++server->at_once > server->at_once_max)
        server->at_once_max = server->at_once;
    pthread_mutex_unlock(&server->mutex);
    if (server->slow_us > 0)
        usleep(server->slow_us);
    pthread_mutex_lock(&server->mutex);
}

static void send_item(struct eds_sender *sender, const struct eds_buffer_item *item,
                      struct eds_reply *out)
{
    struct lane_sender *lane = (struct lane_sender *)sender;
    struct server *server = lane->server;
    const char *id = (const char *)item->entry.record.device_id;

    begin_request(lane, id);
    memset(out, 0, sizeof *out);
    if (server->down) {
        server->asked_while_down++;
        out->outcome = EDS_OUTCOME_AWAY;
        out->retry_after_ms = server->retry_after_ms;
        strcpy(out->text, "nobody answers");
    } else if (server->held != NULL && strcmp(server->held, id) == 0) {
        out->outcome = EDS_OUTCOME_HELD;
    } else if (server->rejected != NULL && strcmp(server->rejected, id) == 0) {
        out->outcome = EDS_OUTCOME_CONFLICT;
        strcpy(out->text, "another one");
    } else {
        server->fake.sender.send(&server->fake.sender, item, out);
    }
    server->at_once--;
    server->busy[lane->number][0] = '\0';
    pthread_mutex_unlock(&server->mutex);
}

struct bench {
    struct server server;
    struct lane_sender lanes[LANES];
    struct eds_sender *senders[LANES];
    struct eds_buffer *buffer;
    struct maker makers[DEVICES];
    struct eds_forwarder *forwarder;
};

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);

    pthread_mutex_init(&bench->server.mutex, NULL);
    fake_server_init(&bench->server.fake);
    for (unsigned i = 0; i < LANES; i++) {
        bench->lanes[i] = (struct lane_sender){{.send = send_item}, &bench->server, i};
        bench->senders[i] = &bench->lanes[i].sender;
    }
    for (unsigned i = 0; i < DEVICES; i++) {
        char id[16];

        snprintf(id, sizeof id, "device-%u", i);
        maker_init(&bench->makers[i], id);
    }
    assert_int_equal(eds_buffer_open(&bench->buffer, "memory:", NULL, NULL), EDS_OK);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    eds_forwarder_stop(bench->forwarder);
    eds_buffer_close(bench->buffer);
    pthread_mutex_destroy(&bench->server.mutex);
    free(bench);
    return 0;
}

static void start(struct bench *bench, unsigned hold_ms)
{
    struct eds_forwarder_config config = {.buffer = bench->buffer,
                                          .senders = bench->senders,
                                          .sender_count = LANES,
                                          .backoff_ms_first = 5,
                                          .backoff_ms_max = 40,
                                          .hold_ms = hold_ms};

    assert_int_equal(eds_forwarder_start(&bench->forwarder, &config, NULL), EDS_OK);
}

static void fill(struct bench *bench, unsigned records)
{
    for (unsigned n = 0; n < records; n++)
        for (unsigned i = 0; i < DEVICES; i++)
            maker_push(&bench->makers[i], bench->buffer, 20);
}

static void assert_all_delivered(struct bench *bench, uint64_t records)
{
    for (unsigned i = 0; i < DEVICES; i++)
        assert_int_equal(fake_server_head(&bench->server.fake, bench->makers[i].id), records);
    assert_int_equal(bench->server.fake.gaps, 0);
}

static void set_down(struct bench *bench, bool down)
{
    pthread_mutex_lock(&bench->server.mutex);
    bench->server.down = down;
    pthread_mutex_unlock(&bench->server.mutex);
}

static uint64_t asked_while_down(struct bench *bench)
{
    uint64_t count;

    pthread_mutex_lock(&bench->server.mutex);
    count = bench->server.asked_while_down;
    pthread_mutex_unlock(&bench->server.mutex);
    return count;
}

static void await_asked(struct bench *bench, uint64_t count)
{
    for (unsigned ms = 0; asked_while_down(bench) < count; ms++) {
        assert_true(ms < 120000);
        usleep(1000);
    }
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void test_drains(void **state)
{
    struct bench *bench = *state;
    struct eds_forwarder_counts counts;

    bench->server.slow_us = 200;
    fill(bench, 20);
    start(bench, 0);
    fill(bench, 20); /* while it runs */
    assert_true(eds_forwarder_wait(bench->forwarder, 120000));
    assert_all_delivered(bench, 40);
    assert_in_range(bench->server.at_once_max, 2, LANES);
    eds_forwarder_counts(bench->forwarder, &counts);
    assert_int_equal(counts.accepted, 40 * DEVICES);
    assert_int_equal(counts.duplicates + counts.buried + counts.held + counts.away, 0);
    maker_push(&bench->makers[0], bench->buffer, 5); /* a sleeping one is woken */
    assert_true(eds_forwarder_wait(bench->forwarder, 120000));
}

/* While the server is away one lane asks, with pauses; then all is delivered. */
static void test_server_away(void **state)
{
    struct bench *bench = *state;
    struct eds_forwarder_counts counts;
    uint64_t begun_ms;

    set_down(bench, true);
    fill(bench, 10);
    start(bench, 0);
    begun_ms = now_ms();
    await_asked(bench, 4);
    assert_false(eds_forwarder_wait(bench->forwarder, 300));
    eds_forwarder_counts(bench->forwarder, &counts);
    assert_true(counts.server_away);
    /* A crowd at first, then probes with pauses of up to 40 ms. */
    assert_in_range(asked_while_down(bench), 4, 45 + (now_ms() - begun_ms) / 10);
    set_down(bench, false);
    assert_true(eds_forwarder_wait(bench->forwarder, 120000));
    assert_all_delivered(bench, 10);
    eds_forwarder_counts(bench->forwarder, &counts);
    assert_false(counts.server_away);
}

static void test_retry_after(void **state)
{
    struct bench *bench = *state;

    bench->server.retry_after_ms = 5000;
    set_down(bench, true);
    fill(bench, 2);
    start(bench, 0);
    await_asked(bench, 1);
    assert_false(eds_forwarder_wait(bench->forwarder, 400));
    assert_in_range(asked_while_down(bench), 1, LANES); /* and not once more */
}

/* A device that is held does not hold the others, and is asked for later. */
static void test_held(void **state)
{
    struct bench *bench = *state;
    struct eds_forwarder_counts counts;

    bench->server.held = "device-2";
    fill(bench, 5);
    start(bench, 30);
    for (int i = 0; i < 120000 && eds_buffer_len(bench->buffer) > 5; i++)
        usleep(1000);
    assert_int_equal(eds_buffer_len(bench->buffer), 5);
    pthread_mutex_lock(&bench->server.mutex);
    bench->server.held = NULL;
    pthread_mutex_unlock(&bench->server.mutex);
    assert_true(eds_forwarder_wait(bench->forwarder, 120000));
    assert_all_delivered(bench, 5);
    eds_forwarder_counts(bench->forwarder, &counts);
    assert_in_range(counts.held, 1, 1000);
    assert_int_equal(counts.buried, 0);
}

static void test_conflict(void **state)
{
    struct bench *bench = *state;
    struct eds_buffer_item *item;
    struct eds_forwarder_counts counts;

    bench->server.rejected = "device-3";
    fill(bench, 3);
    start(bench, 0);
    assert_true(eds_forwarder_wait(bench->forwarder, 120000));
    eds_forwarder_counts(bench->forwarder, &counts);
    assert_int_equal(counts.buried, 3);
    assert_int_equal(counts.accepted, 3 * (DEVICES - 1));
    assert_int_equal(eds_buffer_next(bench->buffer, NULL, 0, true, &item, NULL), EDS_OK);
    assert_made(item, "device-3", 1);
    assert_string_equal(item->reason, "another one");
    free(item);
}

/* The answer that was lost: the record is sent again, and is a duplicate. */
static void test_lost_answer(void **state)
{
    struct bench *bench = *state;
    struct eds_forwarder_counts counts;
    struct eds_buffer_item *item;
    struct eds_reply reply;

    fill(bench, 3);
    assert_int_equal(eds_buffer_next(bench->buffer, "device-1", 0, false, &item, NULL), EDS_OK);
    bench->server.fake.sender.send(&bench->server.fake.sender, item, &reply);
    free(item);
    start(bench, 0);
    assert_true(eds_forwarder_wait(bench->forwarder, 120000));
    assert_all_delivered(bench, 3);
    eds_forwarder_counts(bench->forwarder, &counts);
    assert_int_equal(counts.duplicates, 1);
}

/* The most urgent device first. */
static void test_priorities(void **state)
{
    struct bench *bench = *state;
    static struct made made;
    struct fake_server *fake = &bench->server.fake;
    struct eds_forwarder_config config = {
        .buffer = bench->buffer, .senders = bench->senders, .sender_count = 1};

    fill(bench, 3);
    maker_next(&bench->makers[4], 10, &made);
    assert_int_equal(
        eds_buffer_push(bench->buffer, &made.entry, made.payload, 10, EDS_PRIORITY_ALARM, NULL),
        EDS_OK);
    assert_int_equal(eds_forwarder_start(&bench->forwarder, &config, NULL), EDS_OK);
    assert_true(eds_forwarder_wait(bench->forwarder, 120000));
    assert_string_equal(fake->heads[0].id, "device-4");
    assert_int_equal(fake->gaps, 0);
}

static void test_usage(void **state)
{
    struct bench *bench = *state;
    struct eds_forwarder_config config = {.buffer = bench->buffer, .senders = bench->senders};

    assert_int_equal(eds_forwarder_start(&bench->forwarder, &config, NULL), EDS_ERR_USAGE);
    config.sender_count = 65;
    assert_int_equal(eds_forwarder_start(&bench->forwarder, &config, NULL), EDS_ERR_USAGE);
    eds_forwarder_stop(NULL);
}

#define BENCH_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_drains),     BENCH_TEST(test_server_away), BENCH_TEST(test_retry_after),
        BENCH_TEST(test_held),       BENCH_TEST(test_conflict),    BENCH_TEST(test_lost_answer),
        BENCH_TEST(test_priorities), BENCH_TEST(test_usage),
    };

    eds_log_configure(EDS_LOG_ERROR, EDS_LOG_LOGFMT);
    return cmocka_run_group_tests_name("forwarder", tests, NULL, NULL);
}

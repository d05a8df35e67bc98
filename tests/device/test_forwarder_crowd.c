/* test_forwarder_crowd.c - many devices, each with a forwarder of its own, that lose one
 * server at once and find it again.
 *
 *   EDS_TEST_CROWD=N  so many devices (default 40), and then it is also asserted that
 *                     the server never sees more than twice its steady rate of requests
 *
 * Steady, each device records once a second.  The server is away for some seconds; what
 * it sees is counted in each second, and printed. */
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

#include "base/log.h"
#include "device/maker.h"
#include "edgesentry/forwarder.h"

#define SECONDS_MAX 600u

/* The server: which records it has, and how often it was asked in each second. */
struct server {
    atomic_bool is_away;
    atomic_uint requests[SECONDS_MAX];
    uint64_t begun_ms;
    atomic_uint gaps;
};

struct device {
    struct eds_sender sender; /* first */
    struct server *server;
    struct maker maker;
    struct eds_buffer *buffer;
    struct eds_forwarder *forwarder;
    uint64_t taken; /* the last sequence that the server has */
    uint64_t due_ms;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static size_t send_many(struct eds_sender *sender, const struct eds_buffer_item *const *items,
                        size_t count, struct eds_reply *out)
{
    struct device *device = (struct device *)sender;
    struct server *server = device->server;
    uint64_t second = (now_ms() - server->begun_ms) / 1000;
    bool is_away = atomic_load(&server->is_away);

    if (!is_away && second < SECONDS_MAX)
        atomic_fetch_add(&server->requests[second], 1);
    for (size_t i = 0; i < count; i++) {
        memset(&out[i], 0, sizeof out[i]);
        out[i].outcome = is_away ? EDS_OUTCOME_AWAY : EDS_OUTCOME_ACCEPTED;
        if (is_away)
            continue;
        if (items[i]->entry.record.sequence != device->taken + 1)
            atomic_fetch_add(&server->gaps, 1);
        device->taken = items[i]->entry.record.sequence;
    }
    return count;
}

static void send_one(struct eds_sender *sender, const struct eds_buffer_item *item,
                     struct eds_reply *out)
{
    (void)send_many(sender, &item, 1, out);
}

static void device_open(struct device *device, struct server *server, size_t number)
{
    struct eds_sender *senders[] = {&device->sender};
    struct eds_forwarder_config config = {.senders = senders, .sender_count = 1};
    char id[32];

    snprintf(id, sizeof id, "device-%zu", number);
    maker_init(&device->maker, id);
    device->sender =
        (struct eds_sender){.send = send_one, .send_many = send_many, .batch_max = 500};
    device->server = server;
    assert_int_equal(eds_buffer_open(&device->buffer, "memory:", NULL, NULL), EDS_OK);
    config.buffer = device->buffer;
    assert_int_equal(eds_forwarder_start(&device->forwarder, &config, NULL), EDS_OK);
}

/* All devices record once a second, at times of their own. */
static void record_for(struct device *devices, size_t count, unsigned seconds)
{
    uint64_t until_ms = now_ms() + seconds * 1000u;

    while (now_ms() < until_ms) {
        struct timespec rest = {.tv_nsec = 2000000};

        for (size_t i = 0; i < count; i++)
            if (devices[i].due_ms <= now_ms()) {
                maker_push(&devices[i].maker, devices[i].buffer, 20);
                devices[i].due_ms = now_ms() + 1000; /* who was late does not catch up */
            }
        nanosleep(&rest, NULL);
    }
}

/* The most requests in one of these seconds. */
static unsigned peak(const struct server *server, uint64_t first, uint64_t end)
{
    unsigned most = 0;

    for (uint64_t i = first; i < end && i < SECONDS_MAX; i++)
        if (atomic_load(&server->requests[i]) > most)
            most = atomic_load(&server->requests[i]);
    return most;
}

static void test_crowd(void **state)
{
    const char *wanted = getenv("EDS_TEST_CROWD");
    size_t count = wanted != NULL ? strtoul(wanted, NULL, 10) : 40;
    unsigned steady_s = wanted != NULL ? 10 : 1, away_s = wanted != NULL ? 20 : 1;
    unsigned after_s = wanted != NULL ? 90 : 1;
    struct device *devices = calloc(count, sizeof *devices);
    static struct server server;
    uint64_t cut_s, back_s, end_s;
    unsigned steady, most;

    (void)state;
    assert_non_null(devices);
    server.begun_ms = now_ms();
    for (size_t i = 0; i < count; i++) {
        device_open(&devices[i], &server, i);
        devices[i].due_ms = now_ms() + i * 1000 / count;
    }
    record_for(devices, count, steady_s);
    cut_s = (now_ms() - server.begun_ms) / 1000;
    atomic_store(&server.is_away, true);
    record_for(devices, count, away_s);
    atomic_store(&server.is_away, false);
    back_s = (now_ms() - server.begun_ms) / 1000;
    record_for(devices, count, after_s);
    end_s = (now_ms() - server.begun_ms) / 1000;
    for (size_t i = 0; i < count; i++) {
        assert_true(eds_forwarder_wait(devices[i].forwarder, 120000));
        assert_int_equal(devices[i].taken, devices[i].maker.sequence);
        eds_forwarder_stop(devices[i].forwarder);
        eds_buffer_close(devices[i].buffer);
    }
    assert_int_equal(server.gaps, 0);
    steady = peak(&server, 0, cut_s);
    most = peak(&server, back_s, end_s + 120);
    print_message("%zu devices, steady at most %u requests in a second, after %u s away at most "
                  "%u\n",
                  count, steady, away_s, most);
    if (wanted != NULL)
        assert_in_range(most, 0, 2 * (steady > count ? steady : count));
    free(devices);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_crowd)};

    eds_log_configure(EDS_LOG_ERROR, EDS_LOG_LOGFMT);
    return cmocka_run_group_tests_name("forwarder_crowd", tests, NULL, NULL);
}

/* test_agent.c - chains made by an agent, whatever the clock, the key and the
 * buffer do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/agent_bench.h"

static void test_chain(void **state)
{
    struct bench *bench = *state;
    struct eds_entry entry;
    EdsAuditRecord last;
    char payload[64];

    bench_record(bench, "one");
    bench_restart(bench);
    bench_record(bench, "two");
    assert_int_equal(
        eds_agent_record(bench->agent, NULL, 0, "file:three", EDS_PRIORITY_ALARM, &entry, NULL),
        EDS_OK);
    assert_int_equal(entry.record.sequence, 3);
    assert_string_equal(entry.record.object_ref, "file:three");
    bench_restart(bench);
    bench_record(bench, "four");
    assert_int_equal(bench_check_chain(bench, payload, &last), 4);
    assert_string_equal(payload, "four");
    assert_string_equal(last.object_ref, "edge:lift-01/4");
    assert_int_equal(last.timestamp_ms, START_MS + 2000);
}

/* The chain goes on when all records have been delivered, too. */
static void test_goes_on_after_delivery(void **state)
{
    struct bench *bench = *state;
    struct eds_buffer_item *item;
    struct eds_agent_state now;

    bench_record(bench, "one");
    assert_int_equal(eds_buffer_next(bench->buffer, NULL, 0, false, &item, NULL), EDS_OK);
    assert_int_equal(eds_buffer_settle(bench->buffer, item, EDS_SETTLE_REMOVE, NULL, NULL), EDS_OK);
    free(item);
    bench_restart(bench);
    bench_record(bench, "two");
    eds_agent_get_state(bench->agent, &now);
    assert_int_equal(now.head.sequence, 2);
    assert_int_equal(now.records, 1);
    assert_int_equal(now.notes, 0);
}

/* What fails uses no sequence. */
static void test_failures(void **state)
{
    struct bench *bench = *state;
    char long_reference[600];
    struct eds_agent_state now;

    bench_record(bench, "one");
    memset(long_reference, 'r', sizeof long_reference);
    long_reference[512] = '\0';
    assert_int_equal(eds_agent_record(bench->agent, "x", 1, long_reference, 0, NULL, NULL),
                     EDS_ERR_STRING_TOO_LONG);
    assert_int_equal(eds_agent_record(bench->agent, "x", 1, "\xff", 0, NULL, NULL),
                     EDS_ERR_INVALID_UTF8);
    for (uint64_t n = 1; n <= 2; n++) { /* the signature, the attestation */
        bench->fail_at = n;
        assert_int_equal(bench_try_record(bench, "two"), EDS_ERR_IO);
    }
    bench->fail_at = 0;
    assert_int_equal(eds_agent_record_many(bench->agent, NULL, 0, NULL, NULL), EDS_ERR_USAGE);
    assert_int_equal(eds_agent_note(bench->agent, "No Word", "x", NULL), EDS_ERR_USAGE);
    bench_record(bench, "two");
    assert_int_equal(bench_check_chain(bench, NULL, NULL), 2);
    eds_agent_get_state(bench->agent, &now);
    assert_int_equal(now.failures, 4);
}

static void test_full_buffer(void **state)
{
    struct bench *bench = *state;
    static char payload[100000];
    uint64_t sequence = 0;
    struct eds_agent_state now;

    memset(payload, 'p', sizeof payload - 1);
    while (bench_try_record(bench, payload) == EDS_OK)
        sequence++;
    assert_int_equal(bench_try_record(bench, payload), EDS_ERR_BUSY);
    assert_true(sequence > 50);
    bench_restart(bench);
    eds_agent_get_state(bench->agent, &now);
    assert_int_equal(now.head.sequence, sequence);
    assert_int_equal(bench_check_chain(bench, NULL, NULL), sequence);
    for (int i = 0; i < 3; i++) {
        struct eds_buffer_item *item;

        assert_int_equal(eds_buffer_next(bench->buffer, NULL, 0, false, &item, NULL), EDS_OK);
        assert_int_equal(eds_buffer_settle(bench->buffer, item, EDS_SETTLE_REMOVE, NULL, NULL),
                         EDS_OK);
        free(item);
    }
    bench_record(bench, payload); /* as soon as there is room */
    eds_agent_get_state(bench->agent, &now);
    assert_int_equal(now.head.sequence, sequence + 1);
}

static void test_config(void **state)
{
    struct bench *bench = *state;
    struct eds_buffer *memory;
    struct eds_agent *agent;
    struct eds_agent_config config = bench->config;
    char long_id[300];
    struct eds_buffer_head ahead = {.sequence = 9};

    memset(long_id, 'i', sizeof long_id);
    long_id[256] = '\0';
    assert_int_equal(eds_buffer_open(&memory, "memory:", NULL, NULL), EDS_OK);
    config.device_id = "";
    assert_int_equal(eds_agent_open(&agent, &config, NULL), EDS_ERR_USAGE);
    config.device_id = long_id;
    assert_int_equal(eds_agent_open(&agent, &config, NULL), EDS_ERR_STRING_TOO_LONG);
    long_id[255] = '\0';
    assert_int_equal(eds_agent_open(&agent, &config, NULL), EDS_OK);
    assert_int_equal(eds_agent_record(agent, "x", 1, NULL, 0, NULL, NULL), EDS_OK);
    eds_agent_close(agent);
    config.device_id = "\xc0";
    assert_int_equal(eds_agent_open(&agent, &config, NULL), EDS_ERR_INVALID_UTF8);
    config = bench->config;
    config.buffer = memory;
    assert_int_equal(eds_agent_open(&agent, &config, NULL), EDS_ERR_USAGE);
    config.volatile_ok = true;
    assert_int_equal(eds_agent_open(&agent, &config, NULL), EDS_OK);
    eds_agent_close(agent);
    config = bench->config;
    config.start = &ahead;
    bench_record(bench, "one");
    assert_int_equal(eds_agent_open(&agent, &config, NULL), EDS_ERR_USAGE);
    eds_buffer_close(memory);
}

/* A device that has lost its buffer goes on from what the server knows. */
static void test_start(void **state)
{
    struct bench *bench = *state;
    struct eds_buffer_head known = {
        .sequence = 41, .timestamp_ms = START_MS + DAY_MS, .record_hash = {7}};
    struct eds_buffer_item *item;
    uint64_t first;

    bench_stop(bench);
    bench->config.start = &known;
    bench_start(bench);
    bench_record(bench, "x");
    assert_int_equal(eds_buffer_next(bench->buffer, NULL, 0, false, &item, NULL), EDS_OK);
    first = item->id; /* the note about the clock, which is a day behind */
    free(item);
    assert_int_equal(eds_buffer_next(bench->buffer, NULL, first, false, &item, NULL), EDS_OK);
    assert_int_equal(item->entry.record.sequence, 43);
    assert_true(item->entry.record.timestamp_ms > known.timestamp_ms);
    free(item);
    bench_restart(bench);     /* known is older than the buffer's head by now */
    bench_record(bench, "y"); /* and its note */
    assert_int_equal(eds_buffer_len(bench->buffer), 4);
}

static void expect_last(struct bench *bench, uint64_t count, uint64_t timestamp_ms,
                        const char *payload)
{
    char last_payload[4096];
    EdsAuditRecord last;

    assert_int_equal(bench_check_chain(bench, last_payload, &last), count);
    assert_int_equal(last.timestamp_ms, timestamp_ms);
    assert_string_equal(last_payload, payload);
}

/* From 1970 until the time comes. */
static void test_clock_1970(void **state)
{
    struct bench *bench = *state;
    struct eds_agent_state now;

    bench->wall_ms = 20000;
    bench->synchronized = false;
    bench_record(bench, "a"); /* with a note in front */
    expect_last(bench, 2, EDS_BUILD_FLOOR_MS, "a");
    eds_agent_get_state(bench->agent, &now);
    assert_int_equal(now.clock, EDS_CLOCK_HELD);
    bench_record(bench, "b"); /* a second later, by the monotonic clock */
    expect_last(bench, 3, EDS_BUILD_FLOOR_MS + 1000, "b");
    bench_restart(bench);
    bench_pass(bench, 60000);
    bench_record(bench, "c"); /* how long it was off nobody knows */
    expect_last(bench, 5, EDS_BUILD_FLOOR_MS + 1000, "c");
    bench->wall_ms = START_MS;
    bench->synchronized = true;
    bench_record(bench, "d");
    expect_last(bench, 7, START_MS, "d");
    eds_agent_get_state(bench->agent, &now);
    assert_int_equal(now.clock, EDS_CLOCK_SYNCHRONIZED);
    assert_int_equal(now.notes, 2);
}

/* 30 days ahead, then right again: time creeps, and catches up. */
static void test_clock_ahead(void **state)
{
    struct bench *bench = *state;

    bench_record(bench, "a");
    bench->wall_ms += 30ull * DAY_MS;
    bench_record(bench, "b");
    expect_last(bench, 3, START_MS + 1000 + 30ull * DAY_MS, "b");
    bench->wall_ms -= 30ull * DAY_MS;
    bench_record(bench, "c");
    expect_last(bench, 5, START_MS + 1000 + 30ull * DAY_MS + 1, "c");
    bench_record(bench, "d");
    expect_last(bench, 6, START_MS + 1000 + 30ull * DAY_MS + 2, "d");
    bench_pass(bench, 31ull * DAY_MS);
    bench_record(bench, "e");
    expect_last(bench, 8, START_MS + 4000 + 31ull * DAY_MS, "e");
}

static void test_clock_notes(void **state)
{
    struct bench *bench = *state;
    char payload[4096];
    struct eds_buffer_item *item;

    bench_record(bench, "a");
    bench->wall_ms += 5000; /* the network's time has come: a step */
    bench_record(bench, "b");
    assert_int_equal(bench_check_chain(bench, payload, NULL), 3);
    assert_int_equal(eds_buffer_next(bench->buffer, NULL, 1, false, &item, NULL), EDS_OK);
    assert_string_equal(item->entry.record.object_ref, "edgesentry:note/lift-01/2");
    assert_int_equal(item->priority, EDS_PRIORITY_HIGH);
    assert_non_null(strstr(item->payload, "{\"note\":\"clock\",\"text\":\"synchronized, reads "));
    assert_non_null(strstr(item->payload, "stepped by 5000 ms\"}"));
    free(item);
    bench->config.without_notes = true;
    bench_restart(bench);
    bench->wall_ms += 5000;
    bench_record(bench, "c");
    bench->synchronized = false;
    bench_record(bench, "d");
    assert_int_equal(bench_check_chain(bench, NULL, NULL), 5);
}

/* A step that could not be told yet is told with the next record. */
static void test_step_is_not_lost(void **state)
{
    struct bench *bench = *state;

    bench_record(bench, "a");
    bench->wall_ms += 5000;
    bench->fail_at = 3;
    assert_int_equal(bench_try_record(bench, "b"), EDS_ERR_IO);
    bench->fail_at = 0;
    bench_record(bench, "b");
    assert_int_equal(bench_check_chain(bench, NULL, NULL), 3);
}

static void test_key_expires(void **state)
{
    struct bench *bench = *state;
    struct eds_agent_state now;

    bench->config.key_not_after_ms = START_MS + 500;
    bench_restart(bench);
    bench_record(bench, "a");
    bench_record(bench, "b"); /* with a note */
    bench_record(bench, "c");
    assert_int_equal(bench_check_chain(bench, NULL, NULL), 4);
    eds_agent_get_state(bench->agent, &now);
    assert_true(now.key_expired);
    bench->config.key_policy = EDS_KEY_STOPS;
    bench_restart(bench);
    assert_int_equal(bench_try_record(bench, "d"), EDS_ERR_INVALID_KEY);
    assert_int_equal(bench_check_chain(bench, NULL, NULL), 4);
}

static void test_notes(void **state)
{
    struct bench *bench = *state;
    char payload[4096];

    assert_int_equal(eds_agent_note(bench->agent, "standing", "revoked: \"lift\"\n", NULL), EDS_OK);
    assert_int_equal(bench_check_chain(bench, payload, NULL), 1);
    assert_string_equal(payload, "{\"note\":\"standing\",\"text\":\"revoked: \\\"lift\\\"\\n\"}");
}

static void test_many(void **state)
{
    struct bench *bench = *state;
    struct eds_event events[3] = {{.payload = "a", .payload_size = 1},
                                  {.payload = "b", .payload_size = 1, .object_ref = "b"},
                                  {.payload = "c", .payload_size = 1, .object_ref = "\xff"}};
    struct eds_entry entries[3];

    assert_int_equal(eds_agent_record_many(bench->agent, events, 3, entries, NULL),
                     EDS_ERR_INVALID_UTF8);
    assert_true(eds_buffer_is_empty(bench->buffer));
    events[2].object_ref = "c";
    bench_record(bench, "first");
    bench->synchronized = false; /* a note comes before the next */
    assert_int_equal(eds_agent_record_many(bench->agent, events, 3, entries, NULL), EDS_OK);
    assert_int_equal(entries[0].record.sequence, 3);
    assert_int_equal(entries[2].record.sequence, 5);
    assert_string_equal(entries[2].record.object_ref, "c");
    assert_int_equal(bench_check_chain(bench, NULL, NULL), 5);
}

static void *record_fifty(void *context)
{
    struct bench *bench = context;

    for (int i = 0; i < 50; i++)
        if (eds_agent_record(bench->agent, &i, sizeof i, NULL, 0, NULL, NULL) != EDS_OK)
            return bench;
    return NULL;
}

static void test_threads(void **state)
{
    struct bench *bench = *state;
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, record_fifty, bench), 0);
    for (int i = 0; i < 4; i++) {
        void *fault;

        assert_int_equal(pthread_join(threads[i], &fault), 0);
        assert_null(fault);
    }
    assert_int_equal(bench_check_chain(bench, NULL, NULL), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_chain),       BENCH_TEST(test_goes_on_after_delivery),
        BENCH_TEST(test_failures),    BENCH_TEST(test_full_buffer),
        BENCH_TEST(test_config),      BENCH_TEST(test_start),
        BENCH_TEST(test_clock_1970),  BENCH_TEST(test_clock_ahead),
        BENCH_TEST(test_clock_notes), BENCH_TEST(test_step_is_not_lost),
        BENCH_TEST(test_key_expires), BENCH_TEST(test_notes),
        BENCH_TEST(test_many),        BENCH_TEST(test_threads),
    };

    return cmocka_run_group_tests_name("agent", tests, NULL, NULL);
}

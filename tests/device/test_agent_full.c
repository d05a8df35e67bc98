/* test_agent_full.c - what an agent does where there is no room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "device/agent_bench.h"

/* Where there is no room, payloads of the lower classes make way for notes with their
 * hashes; those of the higher ones are refused in the end, and nothing is unsaid. */
static void test_payloads_make_way(void **state)
{
    struct bench *bench = *state;
    struct eds_buffer_limits limits = {.reserve_percent = 10};
    static char payload[20001], last[20001];
    uint8_t hash[EDS_HASH_SIZE];
    char hex[2 * EDS_HASH_SIZE + 1];
    struct eds_agent_state now;
    struct eds_entry entry;
    uint64_t whole = 0, total;
    int32_t rc;

    memset(payload, 'p', sizeof payload - 1);
    bench_stop(bench);
    snprintf(bench->url, sizeof bench->url, "log:%s/small.log?size=1048576", bench->directory);
    bench->config.payloads_from = EDS_PRIORITY_HIGH;
    assert_int_equal(eds_buffer_open(&bench->buffer, bench->url, &limits, NULL), EDS_OK);
    bench->config.buffer = bench->buffer;
    assert_int_equal(eds_agent_open(&bench->agent, &bench->config, NULL), EDS_OK);
    do { /* normal ones, until the first payload is given up */
        assert_int_equal(bench_try_record(bench, payload), EDS_OK);
        eds_agent_get_state(bench->agent, &now);
        whole += now.dropped == 0 ? 1 : 0;
    } while (now.dropped == 0);
    assert_int_equal(now.records, whole);
    assert_int_equal(now.notes, 1);
    assert_int_equal(now.head.sequence, whole + 1); /* not one without a trace */
    assert_int_equal(bench_check_chain(bench, last, &entry.record), whole + 1);
    eds_blake3(hash, payload, sizeof payload - 1);
    eds_hex_encode(hex, hash, sizeof hash);
    assert_memory_equal(entry.record.object_ref, "edgesentry:note/lift-01/", 24);
    assert_non_null(strstr(last, "\"note\":\"payload-dropped\""));
    assert_non_null(strstr(last, hex));
    assert_non_null(strstr(last, "20000 bytes, priority normal"));
    /* A high one is kept whole, in its own room. */
    assert_int_equal(eds_agent_record(bench->agent, payload, sizeof payload - 1, "mine",
                                      EDS_PRIORITY_HIGH, &entry, NULL),
                     EDS_OK);
    assert_string_equal(entry.record.object_ref, "mine");
    do /* the notes take the next class's room, up to its end */
        rc = bench_try_record(bench, payload);
    while (rc == EDS_OK);
    assert_int_equal(rc, EDS_ERR_BUSY);
    eds_agent_get_state(bench->agent, &now);
    assert_true(now.dropped > 50);
    assert_int_equal(now.failures, 1);
    assert_int_equal(now.records, whole + 1);
    total = now.head.sequence;
    assert_int_equal(total, now.records + now.notes);
    /* An alarm still goes, and so does the chain. */
    assert_int_equal(eds_agent_record(bench->agent, payload, sizeof payload - 1, NULL,
                                      EDS_PRIORITY_ALARM, NULL, NULL),
                     EDS_OK);
    assert_int_equal(bench_check_chain(bench, NULL, NULL), total + 1);
    bench_restart(bench);
    assert_int_equal(bench_check_chain(bench, NULL, NULL), total + 1);
}

/* Of several events at once each has its own answer. */
static void test_some_make_way(void **state)
{
    struct bench *bench = *state;
    static char payload[60000];
    struct eds_event events[3] = {
        {.payload = payload, .payload_size = sizeof payload, .priority = EDS_PRIORITY_LOW},
        {.payload = "kept", .payload_size = 4, .priority = EDS_PRIORITY_HIGH},
        {.payload = payload, .payload_size = 100, .priority = EDS_PRIORITY_LOW}};
    struct eds_entry entries[3];
    struct eds_agent_state now;

    bench_stop(bench);
    snprintf(bench->url, sizeof bench->url, "log:%s/small.log?size=1048576", bench->directory);
    bench->config.payloads_from = EDS_PRIORITY_NORMAL;
    bench_start(bench);
    do {
        assert_int_equal(eds_agent_record_many(bench->agent, events, 3, entries, NULL), EDS_OK);
        eds_agent_get_state(bench->agent, &now);
    } while (now.dropped == 0);
    assert_int_equal(now.dropped, 2);
    assert_int_equal(now.head.sequence, now.records + now.notes);
    assert_memory_equal(entries[0].record.object_ref, "edgesentry:note/", 16);
    assert_memory_equal(entries[1].record.object_ref, "edge:", 5);
    assert_memory_equal(entries[2].record.object_ref, "edgesentry:note/", 16);
    assert_int_equal(bench_check_chain(bench, NULL, NULL), now.head.sequence);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_payloads_make_way),
        BENCH_TEST(test_some_make_way),
    };

    return cmocka_run_group_tests_name("agent, full", tests, NULL, NULL);
}

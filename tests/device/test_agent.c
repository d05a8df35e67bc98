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

#include "base/hex.h"
#include "device/agent_clock.h"
#include "edgesentry/agent.h"
#include "edgesentry/chain.h"
#include "support/temp_dir.h"

#define START_MS (EDS_BUILD_FLOOR_MS + 86400000u)
#define DAY_MS   86400000u

/* A clock in a test's hand, and a signer that can fail. */
struct bench {
    char directory[EDS_TEMP_DIR_SIZE];
    char url[EDS_TEMP_DIR_SIZE + 32];
    uint64_t wall_ms, monotonic_ms;
    bool synchronized;
    struct eds_clock clock;
    struct eds_signer *key;
    struct {
        struct eds_signer signer; /* first: a signer around the key */
        struct bench *bench;
    } faulty;
    uint64_t fail_at; /* the n-th signature from now; 0: none */
    struct eds_buffer *buffer;
    struct eds_agent *agent;
    struct eds_agent_config config;
};

static uint64_t wall(void *context)
{
    return ((struct bench *)context)->wall_ms;
}

static uint64_t monotonic(void *context)
{
    return ((struct bench *)context)->monotonic_ms;
}

static bool synchronized(void *context)
{
    return ((struct bench *)context)->synchronized;
}

static void pass(struct bench *bench, uint64_t ms)
{
    bench->wall_ms += ms;
    bench->monotonic_ms += ms;
}

static int32_t faulty_sign(struct eds_signer *signer, const void *message, size_t size,
                           uint8_t signature[EDS_SIGNATURE_SIZE], struct eds_error *err)
{
    struct bench *bench;

    memcpy(&bench, (char *)signer + sizeof *signer, sizeof bench);
    if (bench->fail_at > 0 && --bench->fail_at == 0)
        return eds_error_set(err, EDS_ERR_IO, "the token is gone");
    return bench->key->ops->sign(bench->key, message, size, signature, err);
}

static const struct eds_signer_ops faulty_ops = {.name = "faulty", .sign = faulty_sign};

static void start(struct bench *bench)
{
    struct eds_error err;

    if (eds_buffer_open(&bench->buffer, bench->url, NULL, &err) != EDS_OK)
        fail_msg("%s", err.text);
    bench->config.buffer = bench->buffer;
    if (eds_agent_open(&bench->agent, &bench->config, &err) != EDS_OK)
        fail_msg("%s", err.text);
}

static void stop(struct bench *bench)
{
    eds_agent_close(bench->agent);
    eds_buffer_close(bench->buffer);
    bench->agent = NULL;
    bench->buffer = NULL;
}

static void restart(struct bench *bench)
{
    stop(bench);
    start(bench);
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    uint8_t seed[EDS_SEED_SIZE] = {1, 2, 3};

    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
    temp_dir_make(bench->directory);
    snprintf(bench->url, sizeof bench->url, "log:%s/buffer.log", bench->directory);
    assert_int_equal(eds_signer_from_seed(&bench->key, seed, NULL), EDS_OK);
    bench->faulty.signer.ops = &faulty_ops;
    memcpy(bench->faulty.signer.public_key, bench->key->public_key, EDS_PUBLIC_KEY_SIZE);
    bench->faulty.bench = bench;
    bench->wall_ms = START_MS;
    bench->monotonic_ms = 5000;
    bench->synchronized = true;
    bench->clock = (struct eds_clock){.wall_ms = wall,
                                      .monotonic_ms = monotonic,
                                      .is_synchronized = synchronized,
                                      .context = bench};
    bench->config = (struct eds_agent_config){
        .device_id = "lift-01", .signer = &bench->faulty.signer, .clock = &bench->clock};
    start(bench);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    stop(bench);
    eds_signer_close(bench->key);
    temp_dir_remove(bench->directory);
    free(bench);
    return 0;
}

static int32_t try_record(struct bench *bench, const char *text)
{
    int32_t rc =
        eds_agent_record(bench->agent, text, strlen(text), NULL, EDS_PRIORITY_NORMAL, NULL, NULL);

    pass(bench, 1000);
    return rc;
}

static void record(struct bench *bench, const char *text)
{
    assert_int_equal(try_record(bench, text), EDS_OK);
}

/* Walks the whole chain in the buffer at full strength; returns its length, and
 * what is asked for of the last item. */
static uint64_t check_chain(struct bench *bench, char *last_payload, EdsAuditRecord *last)
{
    struct eds_chain chain;
    struct eds_chain_finding finding;
    struct eds_chain_rules rules = {
        .strength = EDS_STRENGTH_FULL,
        .public_keys = (const uint8_t(*)[EDS_PUBLIC_KEY_SIZE])bench->key->public_key,
        .public_key_count = 1};
    struct eds_buffer_item *item;
    uint64_t after = 0, timestamp_ms = 0;

    eds_chain_begin(&chain, EDS_STRENGTH_FULL);
    while (eds_buffer_next(bench->buffer, NULL, after, false, &item, NULL) == EDS_OK) {
        uint8_t hash[EDS_HASH_SIZE];

        assert_int_equal(eds_chain_link(&chain, &item->entry.record, hash, &finding), EDS_OK);
        assert_int_equal(eds_chain_inspect(&rules, &item->entry, hash, item->payload,
                                           item->payload_size, &finding),
                         EDS_OK);
        assert_true(item->entry.record.timestamp_ms >= timestamp_ms);
        assert_true(item->entry.record.timestamp_ms >= EDS_BUILD_FLOOR_MS);
        timestamp_ms = item->entry.record.timestamp_ms;
        after = item->id;
        if (last_payload != NULL) {
            memcpy(last_payload, item->payload, item->payload_size);
            last_payload[item->payload_size] = '\0';
        }
        if (last != NULL)
            *last = item->entry.record;
        free(item);
    }
    return chain.count;
}

static void test_chain(void **state)
{
    struct bench *bench = *state;
    struct eds_entry entry;
    EdsAuditRecord last;
    char payload[64];

    record(bench, "one");
    restart(bench);
    record(bench, "two");
    assert_int_equal(
        eds_agent_record(bench->agent, NULL, 0, "file:three", EDS_PRIORITY_ALARM, &entry, NULL),
        EDS_OK);
    assert_int_equal(entry.record.sequence, 3);
    assert_string_equal(entry.record.object_ref, "file:three");
    restart(bench);
    record(bench, "four");
    assert_int_equal(check_chain(bench, payload, &last), 4);
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

    record(bench, "one");
    assert_int_equal(eds_buffer_next(bench->buffer, NULL, 0, false, &item, NULL), EDS_OK);
    assert_int_equal(eds_buffer_settle(bench->buffer, item, EDS_SETTLE_REMOVE, NULL, NULL), EDS_OK);
    free(item);
    restart(bench);
    record(bench, "two");
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

    record(bench, "one");
    memset(long_reference, 'r', sizeof long_reference);
    long_reference[512] = '\0';
    assert_int_equal(eds_agent_record(bench->agent, "x", 1, long_reference, 0, NULL, NULL),
                     EDS_ERR_STRING_TOO_LONG);
    assert_int_equal(eds_agent_record(bench->agent, "x", 1, "\xff", 0, NULL, NULL),
                     EDS_ERR_INVALID_UTF8);
    for (uint64_t n = 1; n <= 2; n++) { /* the signature, the attestation */
        bench->fail_at = n;
        assert_int_equal(try_record(bench, "two"), EDS_ERR_IO);
    }
    bench->fail_at = 0;
    assert_int_equal(eds_agent_record_many(bench->agent, NULL, 0, NULL, NULL), EDS_ERR_USAGE);
    assert_int_equal(eds_agent_note(bench->agent, "No Word", "x", NULL), EDS_ERR_USAGE);
    record(bench, "two");
    assert_int_equal(check_chain(bench, NULL, NULL), 2);
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
    while (try_record(bench, payload) == EDS_OK)
        sequence++;
    assert_int_equal(try_record(bench, payload), EDS_ERR_BUSY);
    assert_true(sequence > 50);
    restart(bench);
    eds_agent_get_state(bench->agent, &now);
    assert_int_equal(now.head.sequence, sequence);
    assert_int_equal(check_chain(bench, NULL, NULL), sequence);
    for (int i = 0; i < 3; i++) {
        struct eds_buffer_item *item;

        assert_int_equal(eds_buffer_next(bench->buffer, NULL, 0, false, &item, NULL), EDS_OK);
        assert_int_equal(eds_buffer_settle(bench->buffer, item, EDS_SETTLE_REMOVE, NULL, NULL),
                         EDS_OK);
        free(item);
    }
    record(bench, payload); /* as soon as there is room */
    eds_agent_get_state(bench->agent, &now);
    assert_int_equal(now.head.sequence, sequence + 1);
}

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
    stop(bench);
    snprintf(bench->url, sizeof bench->url, "log:%s/small.log?size=1048576", bench->directory);
    bench->config.payloads_from = EDS_PRIORITY_HIGH;
    assert_int_equal(eds_buffer_open(&bench->buffer, bench->url, &limits, NULL), EDS_OK);
    bench->config.buffer = bench->buffer;
    assert_int_equal(eds_agent_open(&bench->agent, &bench->config, NULL), EDS_OK);
    do { /* normal ones, until the first payload is given up */
        assert_int_equal(try_record(bench, payload), EDS_OK);
        eds_agent_get_state(bench->agent, &now);
        whole += now.dropped == 0 ? 1 : 0;
    } while (now.dropped == 0);
    assert_int_equal(now.records, whole);
    assert_int_equal(now.notes, 1);
    assert_int_equal(now.head.sequence, whole + 1); /* not one without a trace */
    assert_int_equal(check_chain(bench, last, &entry.record), whole + 1);
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
        rc = try_record(bench, payload);
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
    assert_int_equal(check_chain(bench, NULL, NULL), total + 1);
    restart(bench);
    assert_int_equal(check_chain(bench, NULL, NULL), total + 1);
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

    stop(bench);
    snprintf(bench->url, sizeof bench->url, "log:%s/small.log?size=1048576", bench->directory);
    bench->config.payloads_from = EDS_PRIORITY_NORMAL;
    start(bench);
    do {
        assert_int_equal(eds_agent_record_many(bench->agent, events, 3, entries, NULL), EDS_OK);
        eds_agent_get_state(bench->agent, &now);
    } while (now.dropped == 0);
    assert_int_equal(now.dropped, 2);
    assert_int_equal(now.head.sequence, now.records + now.notes);
    assert_memory_equal(entries[0].record.object_ref, "edgesentry:note/", 16);
    assert_memory_equal(entries[1].record.object_ref, "edge:", 5);
    assert_memory_equal(entries[2].record.object_ref, "edgesentry:note/", 16);
    assert_int_equal(check_chain(bench, NULL, NULL), now.head.sequence);
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
    record(bench, "one");
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

    stop(bench);
    bench->config.start = &known;
    start(bench);
    record(bench, "x");
    assert_int_equal(eds_buffer_next(bench->buffer, NULL, 0, false, &item, NULL), EDS_OK);
    first = item->id; /* the note about the clock, which is a day behind */
    free(item);
    assert_int_equal(eds_buffer_next(bench->buffer, NULL, first, false, &item, NULL), EDS_OK);
    assert_int_equal(item->entry.record.sequence, 43);
    assert_true(item->entry.record.timestamp_ms > known.timestamp_ms);
    free(item);
    restart(bench);     /* known is older than the buffer's head by now */
    record(bench, "y"); /* and its note */
    assert_int_equal(eds_buffer_len(bench->buffer), 4);
}

static void expect_last(struct bench *bench, uint64_t count, uint64_t timestamp_ms,
                        const char *payload)
{
    char last_payload[4096];
    EdsAuditRecord last;

    assert_int_equal(check_chain(bench, last_payload, &last), count);
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
    record(bench, "a"); /* with a note in front */
    expect_last(bench, 2, EDS_BUILD_FLOOR_MS, "a");
    eds_agent_get_state(bench->agent, &now);
    assert_int_equal(now.clock, EDS_CLOCK_HELD);
    record(bench, "b"); /* a second later, by the monotonic clock */
    expect_last(bench, 3, EDS_BUILD_FLOOR_MS + 1000, "b");
    restart(bench);
    pass(bench, 60000);
    record(bench, "c"); /* how long it was off nobody knows */
    expect_last(bench, 5, EDS_BUILD_FLOOR_MS + 1000, "c");
    bench->wall_ms = START_MS;
    bench->synchronized = true;
    record(bench, "d");
    expect_last(bench, 7, START_MS, "d");
    eds_agent_get_state(bench->agent, &now);
    assert_int_equal(now.clock, EDS_CLOCK_SYNCHRONIZED);
    assert_int_equal(now.notes, 2);
}

/* 30 days ahead, then right again: time creeps, and catches up. */
static void test_clock_ahead(void **state)
{
    struct bench *bench = *state;

    record(bench, "a");
    bench->wall_ms += 30ull * DAY_MS;
    record(bench, "b");
    expect_last(bench, 3, START_MS + 1000 + 30ull * DAY_MS, "b");
    bench->wall_ms -= 30ull * DAY_MS;
    record(bench, "c");
    expect_last(bench, 5, START_MS + 1000 + 30ull * DAY_MS + 1, "c");
    record(bench, "d");
    expect_last(bench, 6, START_MS + 1000 + 30ull * DAY_MS + 2, "d");
    pass(bench, 31ull * DAY_MS);
    record(bench, "e");
    expect_last(bench, 8, START_MS + 4000 + 31ull * DAY_MS, "e");
}

static void test_clock_notes(void **state)
{
    struct bench *bench = *state;
    char payload[4096];
    struct eds_buffer_item *item;

    record(bench, "a");
    bench->wall_ms += 5000; /* the network's time has come: a step */
    record(bench, "b");
    assert_int_equal(check_chain(bench, payload, NULL), 3);
    assert_int_equal(eds_buffer_next(bench->buffer, NULL, 1, false, &item, NULL), EDS_OK);
    assert_string_equal(item->entry.record.object_ref, "edgesentry:note/lift-01/2");
    assert_int_equal(item->priority, EDS_PRIORITY_HIGH);
    assert_non_null(strstr(item->payload, "{\"note\":\"clock\",\"text\":\"synchronized, reads "));
    assert_non_null(strstr(item->payload, "stepped by 5000 ms\"}"));
    free(item);
    bench->config.without_notes = true;
    restart(bench);
    bench->wall_ms += 5000;
    record(bench, "c");
    bench->synchronized = false;
    record(bench, "d");
    assert_int_equal(check_chain(bench, NULL, NULL), 5);
}

/* A step that could not be told yet is told with the next record. */
static void test_step_is_not_lost(void **state)
{
    struct bench *bench = *state;

    record(bench, "a");
    bench->wall_ms += 5000;
    bench->fail_at = 3;
    assert_int_equal(try_record(bench, "b"), EDS_ERR_IO);
    bench->fail_at = 0;
    record(bench, "b");
    assert_int_equal(check_chain(bench, NULL, NULL), 3);
}

static void test_key_expires(void **state)
{
    struct bench *bench = *state;
    struct eds_agent_state now;

    bench->config.key_not_after_ms = START_MS + 500;
    restart(bench);
    record(bench, "a");
    record(bench, "b"); /* with a note */
    record(bench, "c");
    assert_int_equal(check_chain(bench, NULL, NULL), 4);
    eds_agent_get_state(bench->agent, &now);
    assert_true(now.key_expired);
    bench->config.key_policy = EDS_KEY_STOPS;
    restart(bench);
    assert_int_equal(try_record(bench, "d"), EDS_ERR_INVALID_KEY);
    assert_int_equal(check_chain(bench, NULL, NULL), 4);
}

static void test_notes(void **state)
{
    struct bench *bench = *state;
    char payload[4096];

    assert_int_equal(eds_agent_note(bench->agent, "standing", "revoked: \"lift\"\n", NULL), EDS_OK);
    assert_int_equal(check_chain(bench, payload, NULL), 1);
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
    record(bench, "first");
    bench->synchronized = false; /* a note comes before the next */
    assert_int_equal(eds_agent_record_many(bench->agent, events, 3, entries, NULL), EDS_OK);
    assert_int_equal(entries[0].record.sequence, 3);
    assert_int_equal(entries[2].record.sequence, 5);
    assert_string_equal(entries[2].record.object_ref, "c");
    assert_int_equal(check_chain(bench, NULL, NULL), 5);
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
    assert_int_equal(check_chain(bench, NULL, NULL), 200);
}

#define BENCH_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_chain),
        BENCH_TEST(test_goes_on_after_delivery),
        BENCH_TEST(test_failures),
        BENCH_TEST(test_full_buffer),
        BENCH_TEST(test_payloads_make_way),
        BENCH_TEST(test_some_make_way),
        BENCH_TEST(test_config),
        BENCH_TEST(test_start),
        BENCH_TEST(test_clock_1970),
        BENCH_TEST(test_clock_ahead),
        BENCH_TEST(test_clock_notes),
        BENCH_TEST(test_step_is_not_lost),
        BENCH_TEST(test_key_expires),
        BENCH_TEST(test_notes),
        BENCH_TEST(test_many),
        BENCH_TEST(test_threads),
    };

    return cmocka_run_group_tests_name("agent", tests, NULL, NULL);
}

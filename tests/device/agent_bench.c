/* agent_bench.c - see agent_bench.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/agent_bench.h"

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

void bench_pass(struct bench *bench, uint64_t ms)
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

void bench_start(struct bench *bench)
{
    struct eds_error err;

    if (eds_buffer_open(&bench->buffer, bench->url, NULL, &err) != EDS_OK)
        fail_msg("%s", err.text);
    bench->config.buffer = bench->buffer;
    if (eds_agent_open(&bench->agent, &bench->config, &err) != EDS_OK)
        fail_msg("%s", err.text);
}

void bench_stop(struct bench *bench)
{
    eds_agent_close(bench->agent);
    eds_buffer_close(bench->buffer);
    bench->agent = NULL;
    bench->buffer = NULL;
}

void bench_restart(struct bench *bench)
{
    bench_stop(bench);
    bench_start(bench);
}

int bench_set_up(void **state)
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
    bench_start(bench);
    *state = bench;
    return 0;
}

int bench_tear_down(void **state)
{
    struct bench *bench = *state;

    bench_stop(bench);
    eds_signer_close(bench->key);
    temp_dir_remove(bench->directory);
    free(bench);
    return 0;
}

int32_t bench_try_record(struct bench *bench, const char *text)
{
    int32_t rc =
        eds_agent_record(bench->agent, text, strlen(text), NULL, EDS_PRIORITY_NORMAL, NULL, NULL);

    bench_pass(bench, 1000);
    return rc;
}

void bench_record(struct bench *bench, const char *text)
{
    assert_int_equal(bench_try_record(bench, text), EDS_OK);
}

/* Walks the whole chain in the buffer at full strength; returns its length, and
 * what is asked for of the last item. */
uint64_t bench_check_chain(struct bench *bench, char *last_payload, EdsAuditRecord *last)
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

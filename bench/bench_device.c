/* bench_device.c - the device's half: a record's cost next to signing and hashing
 * alone, pushes and deliveries a second for each store. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/features.h"
#include "bench.h"
#include "edgesentry/agent.h"
#include "edgesentry/attest.h"
#include "edgesentry/forwarder.h"

#define PAYLOAD_SIZE 100u
#define BATCH        64u

static const uint8_t payload[PAYLOAD_SIZE] = "door closed in 2.1 s";

static void must(int32_t code, const struct eds_error *err)
{
    if (code == EDS_OK)
        return;
    fprintf(stderr, "bench_device: %s\n", err->text);
    exit(1);
}

struct bench_device {
    struct eds_buffer *buffer;
    struct eds_signer *signer;
    struct eds_agent *agent;
};

static void open_device(struct bench_device *device, const char *url)
{
    static const uint8_t seed[EDS_SEED_SIZE] = {1};
    struct eds_agent_config config = {
        .device_id = "lift-01", .without_notes = true, .volatile_ok = true};
    struct eds_error err;

    must(eds_buffer_open(&device->buffer, url, NULL, &err), &err);
    must(eds_signer_from_seed(&device->signer, seed, &err), &err);
    config.buffer = device->buffer;
    config.signer = device->signer;
    must(eds_agent_open(&device->agent, &config, &err), &err);
}

static void close_device(struct bench_device *device)
{
    eds_agent_close(device->agent);
    eds_signer_close(device->signer);
    eds_buffer_close(device->buffer);
}

static void accept_all(struct eds_sender *sender, const struct eds_buffer_item *item,
                       struct eds_reply *out)
{
    (void)sender;
    (void)item;
    out->outcome = EDS_OUTCOME_ACCEPTED;
    out->text[0] = '\0';
}

static void flush(struct bench_device *device)
{
    struct eds_sender sender = {.send = accept_all};
    struct eds_error err;

    must(eds_buffer_flush(device->buffer, &sender, EDS_REFUSAL_STOPS, NULL, &err), &err);
}

/* What an agent does with a payload, kept in memory and forgotten. */
static void run_record(void *context, size_t times)
{
    struct bench_device *device = context;
    struct eds_error err;

    while (times-- > 0) {
        must(eds_agent_record(device->agent, payload, PAYLOAD_SIZE, "file:1", EDS_PRIORITY_NORMAL,
                              NULL, &err),
             &err);
        if (eds_buffer_len(device->buffer) >= 1000)
            flush(device);
    }
}

/* The work under it: two hashes, two signatures. */
static void run_raw(void *context, size_t times)
{
    static const uint8_t seed[EDS_SEED_SIZE] = {1};
    uint8_t hash[EDS_HASH_SIZE], signature[EDS_SIGNATURE_SIZE], message[EDS_ATTEST_MESSAGE_SIZE];
    uint8_t record[181];

    (void)context;
    memset(record, 7, sizeof record);
    memset(message, 7, sizeof message);
    while (times-- > 0) {
        eds_blake3(hash, payload, PAYLOAD_SIZE);
        eds_ed25519_sign(signature, hash, sizeof hash, seed);
        eds_blake3(hash, record, sizeof record);
        memcpy(message, hash, sizeof hash);
        eds_ed25519_sign(signature, message, sizeof message, seed);
    }
}

/* What a forwarder hands on in batches to a server that takes all at once. */
static size_t accept_many(struct eds_sender *sender, const struct eds_buffer_item *const *items,
                          size_t count, struct eds_reply *out)
{
    for (size_t i = 0; i < count; i++)
        accept_all(sender, items[i], &out[i]);
    return count;
}

static void drain(struct bench_device *device)
{
    struct eds_sender sender = {.send = accept_all, .send_many = accept_many, .batch_max = 500};
    struct eds_sender *senders[] = {&sender};
    struct eds_forwarder_config config = {
        .buffer = device->buffer, .senders = senders, .sender_count = 1};
    struct eds_forwarder *forwarder;
    struct eds_error err;

    must(eds_forwarder_start(&forwarder, &config, &err), &err);
    while (!eds_forwarder_wait(forwarder, 60000))
        continue;
    eds_forwarder_stop(forwarder);
}

static double per_second(size_t count, uint64_t start_ns)
{
    return (double)count * 1e9 / (double)(bench_now_ns() - start_ns);
}

static void report(const char *store, const char *what, double value, const char *unit)
{
    char name[64];

    snprintf(name, sizeof name, "%s_%s", store, what);
    bench_report(name, value, unit, NULL, 0, true);
}

/* What a record takes on the disk while it waits, the write-ahead log apart: it is as
 * large with one record as with a million. */
static void report_disk(const char *store, const char *url, size_t count)
{
    const char *path = strchr(url, ':') + 1;
    struct stat status;

    if (strcmp(store, "sqlite") == 0 && stat(path, &status) == 0)
        report(store, "disk", (double)status.st_size / (double)count, "bytes/record");
}

static void bench_store(const char *store, const char *url, size_t count)
{
    struct bench_device device;
    struct eds_event events[BATCH];
    struct eds_error err;
    uint64_t start;
    char reference[32];

    open_device(&device, url);
    start = bench_now_ns();
    for (size_t i = 0; i < count; i++) {
        snprintf(reference, sizeof reference, "file:%zu", i);
        must(eds_agent_record(device.agent, payload, PAYLOAD_SIZE, reference, EDS_PRIORITY_NORMAL,
                              NULL, &err),
             &err);
    }
    report(store, "push", per_second(count, start), "records/s");
    for (size_t i = 0; i < BATCH; i++)
        events[i] = (struct eds_event){.payload = payload, .payload_size = PAYLOAD_SIZE};
    start = bench_now_ns();
    for (size_t i = 0; i < count; i += BATCH)
        must(eds_agent_record_many(device.agent, events, BATCH, NULL, &err), &err);
    report(store, "push_by_64", per_second((count + BATCH - 1) / BATCH * BATCH, start),
           "records/s");
    count = (size_t)eds_buffer_len(device.buffer);
    report_disk(store, url, count);
    start = bench_now_ns();
    flush(&device);
    report(store, "flush", per_second(count, start), "records/s");
    for (size_t i = 0; i < count; i += BATCH)
        must(eds_agent_record_many(device.agent, events, BATCH, NULL, &err), &err);
    count = (size_t)eds_buffer_len(device.buffer);
    start = bench_now_ns();
    drain(&device);
    report(store, "drain", per_second(count, start), "records/s");
    close_device(&device);
}

int main(void)
{
    char folder[BENCH_PATH_SIZE], url[BENCH_PATH_SIZE + 64];
    struct bench_device device;

    bench_begin("device");
    open_device(&device, "memory:");
    bench_pair(&(struct bench_case){"agent_record", run_record, &device},
               &(struct bench_case){"2 BLAKE3 and 2 Ed25519", run_raw, NULL});
    close_device(&device);
    bench_temporary(folder);
    bench_store("memory", "memory:", 20000);
#if EDS_BUFFER_SQLITE
    snprintf(url, sizeof url, "sqlite:%s/buffer.db", folder);
    bench_store("sqlite", url, 1000);
#endif
    snprintf(url, sizeof url, "log:%s/buffer.log", folder);
    bench_store("log", url, 1000);
    bench_remove(folder);
    return 0;
}

/* bench_ingest.c - what a record costs between the decoder and the store, and
 * what a registered device costs in memory. */
#include <malloc.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "ingest/ingest.h"

#define DEVICE_COUNT 64u
#define RECORD_COUNT 4096u
#define PAYLOAD_SIZE 96u /* bytes */
#define ROUND_COUNT  7u

struct parcel {
    struct eds_entry entry;
    uint8_t payload[PAYLOAD_SIZE];
    struct eds_submission submission;
};

struct load {
    struct eds_registry *registry;
    uint8_t public_keys[DEVICE_COUNT][EDS_PUBLIC_KEY_SIZE];
    struct parcel *parcels; /* the devices' records in turns */
    atomic_size_t waiting;
};

static void demand(bool holds)
{
    if (!holds)
        abort();
}

/* A ledger that keeps nothing: what is left is the cost of ingest. */
static int32_t keep_nothing(struct eds_ledger *ledger, const struct eds_commit *all,
                            struct eds_error *err)
{
    (void)ledger;
    (void)all;
    (void)err;
    return EDS_OK;
}

static int32_t zero_head(struct eds_ledger *ledger, const char *device_id, struct eds_head *out,
                         struct eds_error *err)
{
    (void)ledger;
    (void)device_id;
    (void)err;
    *out = (struct eds_head){0};
    return EDS_OK;
}

static void count_accepted(struct eds_submission *submission)
{
    struct load *load = submission->context;

    demand(submission->verdict == EDS_VERDICT_ACCEPTED);
    atomic_fetch_sub(&load->waiting, 1);
}

static void make_load(struct load *load)
{
    uint8_t seed[EDS_SEED_SIZE] = {7}, hashes[DEVICE_COUNT][EDS_HASH_SIZE] = {{0}};

    load->registry = eds_registry_create();
    load->parcels = calloc(RECORD_COUNT, sizeof *load->parcels);
    demand(load->registry != NULL && load->parcels != NULL);
    for (unsigned i = 0; i < RECORD_COUNT; i++) {
        struct parcel *parcel = &load->parcels[i];
        unsigned device = i % DEVICE_COUNT;
        char id[32], object_ref[64];

        seed[1] = (uint8_t)device;
        snprintf(id, sizeof id, "lift-%04u", device);
        snprintf(object_ref, sizeof object_ref, "s3://bucket/%s/%u", id, i);
        if (i < DEVICE_COUNT) {
            eds_ed25519_public_key(load->public_keys[device], seed);
            demand(eds_registry_add_key(load->registry, id, load->public_keys[device], false,
                                        NULL) == EDS_OK);
        }
        memcpy(parcel->payload, &i, sizeof i);
        demand(eds_record_sign(&parcel->entry.record, id, 1 + i / DEVICE_COUNT, 1000 + i,
                               parcel->payload, PAYLOAD_SIZE, hashes[device], object_ref, seed,
                               NULL) == EDS_OK);
        demand(eds_record_digest(hashes[device], &parcel->entry.record) == EDS_OK);
        parcel->submission.request = (struct eds_request){
            .entry = &parcel->entry, .payload = parcel->payload, .payload_size = PAYLOAD_SIZE};
        parcel->submission.done = count_accepted;
        parcel->submission.context = load;
    }
}

static void run_ingest(struct load *load)
{
    static const struct eds_ledger_ops ops = {.commit = keep_nothing, .head = zero_head};
    struct eds_ledger ledger = {.ops = &ops};
    struct eds_ingest_config config = {
        .ledger = &ledger, .registry = load->registry, .queue_max = RECORD_COUNT};
    struct eds_ingest *ingest;

    demand(eds_ingest_start(&ingest, &config, NULL) == EDS_OK);
    atomic_store(&load->waiting, RECORD_COUNT);
    for (size_t i = 0; i < RECORD_COUNT; i++)
        eds_ingest_submit(ingest, &load->parcels[i].submission);
    eds_ingest_stop(ingest); /* waits until all is answered */
    demand(atomic_load(&load->waiting) == 0);
}

static void run_verify(struct load *load)
{
    for (size_t i = 0; i < RECORD_COUNT; i++) {
        const EdsAuditRecord *record = &load->parcels[i].entry.record;

        demand(crypto_sign_verify_detached(record->signature, record->payload_hash, EDS_HASH_SIZE,
                                           load->public_keys[i % DEVICE_COUNT]) == 0);
    }
}

/* Nanoseconds of processor time for a record, on all threads together. */
static double time_once(void (*run)(struct load *), struct load *load)
{
    struct timespec start, end;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    run(load);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    return ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) /
           RECORD_COUNT;
}

/* Two threads share the work, so processor time tells more than the clock. */
static void bench_records(struct load *load)
{
    double ours[ROUND_COUNT], verify[ROUND_COUNT];

    for (size_t i = 0; i < ROUND_COUNT; i++) {
        ours[i] = time_once(run_ingest, load);
        verify[i] = time_once(run_verify, load);
    }
    bench_report("ingest_record_cpu", bench_median(ours, ROUND_COUNT), "ns",
                 "libsodium verify alone", bench_median(verify, ROUND_COUNT), false);
}

static void bench_find(struct load *load)
{
    enum { TIMES = 1000000 };
    struct eds_device device;
    uint64_t start = bench_now_ns();

    for (unsigned i = 0; i < TIMES; i++) {
        const EdsAuditRecord *record = &load->parcels[i % DEVICE_COUNT].entry.record;

        demand(eds_registry_find(load->registry, (const char *)record->device_id, &device) ==
               EDS_OK);
    }
    bench_report("registry_find", (double)(bench_now_ns() - start) / TIMES, "ns", NULL, 0, false);
}

static size_t bytes_in_use(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

/* Just after the indexes have grown, when they are emptiest. */
static void bench_memory(void)
{
    size_t before = bytes_in_use(), count = 12289;
    struct eds_registry *registry = eds_registry_create();

    demand(registry != NULL);
    for (size_t i = 0; i < count; i++) {
        uint8_t seed[EDS_SEED_SIZE] = {9}, key[EDS_PUBLIC_KEY_SIZE];
        char id[32];

        memcpy(seed + 1, &i, sizeof i);
        snprintf(id, sizeof id, "lift-%011zu", i);
        eds_ed25519_public_key(key, seed);
        demand(eds_registry_add_key(registry, id, key, false, NULL) == EDS_OK);
    }
    bench_report("registry_bytes_per_device", (double)(bytes_in_use() - before) / (double)count,
                 "B", "target", 300, false);
    eds_registry_destroy(registry);
}

int main(void)
{
    struct load load;

    demand(sodium_init() >= 0);
    bench_begin("ingest");
    make_load(&load);
    bench_records(&load);
    bench_find(&load);
    bench_memory();
    free(load.parcels);
    eds_registry_destroy(load.registry);
    return 0;
}

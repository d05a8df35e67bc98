/* bench_verify.c - signatures of known keys, next to libsodium, level by level. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"
#include "edgesentry/error.h"
#include "edgesentry/verifier.h"

#define BATCH        256u
#define JOB_COUNT    4096u
#define DEVICE_COUNT 1000u
#define HUGE_PAGE    (UINT64_C(1) << 21)

/* Signed payload hashes, by some devices in random order. */
struct work {
    struct eds_verify_job jobs[JOB_COUNT];
    uint8_t messages[JOB_COUNT][32], signatures[JOB_COUNT][EDS_SIGNATURE_SIZE];
    const uint8_t *keys[JOB_COUNT];
    bool verdicts[JOB_COUNT];
    struct eds_verifier_work *room;
    size_t batch;
};

static void *allocate(size_t size)
{
    void *memory = aligned_alloc(HUGE_PAGE, (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);

    if (memory == NULL)
        abort();
    madvise(memory, size, MADV_HUGEPAGE);
    return memory;
}

static void check(const struct work *work, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!work->verdicts[i])
            abort();
}

static void run_many(void *context, size_t times)
{
    struct work *work = context;
    size_t at = 0;

    while (times > 0) {
        size_t count = times < work->batch ? times : work->batch;

        eds_verify_many(work->room, work->jobs + at, count, work->verdicts);
        check(work, count);
        at = at + 2 * work->batch <= JOB_COUNT ? at + work->batch : 0;
        times -= count;
    }
}

static void run_one(void *context, size_t times)
{
    const struct work *work = context;

    for (size_t i = 0; i < times; i++)
        if (!eds_verify_one(&work->jobs[i % JOB_COUNT]))
            abort();
}

static void run_sodium(void *context, size_t times)
{
    const struct work *work = context;

    for (size_t i = 0; i < times; i++) {
        size_t at = i % JOB_COUNT;

        if (crypto_sign_verify_detached(work->signatures[at], work->messages[at], 32,
                                        work->keys[at]) != 0)
            abort();
    }
}

static void run_build(void *context, size_t times)
{
    static struct eds_verifier_table table;
    const struct work *work = context;

    while (times-- > 0)
        if (eds_verifier_table_build(&table, work->keys[0]) != EDS_OK)
            abort();
}

/* JOB_COUNT signatures of so many devices; the tables, which hold the keys, are the
 * caller's. */
static struct work *make_work(struct eds_verifier_table *tables, size_t device_count)
{
    struct work *work = allocate(sizeof *work);
    uint8_t(*seeds)[EDS_SEED_SIZE] = calloc(device_count, sizeof *seeds);

    if (seeds == NULL)
        abort();
    for (size_t i = 0; i < device_count; i++) {
        uint8_t public_key[EDS_PUBLIC_KEY_SIZE];

        randombytes_buf(seeds[i], sizeof seeds[i]);
        eds_ed25519_public_key(public_key, seeds[i]);
        if (eds_verifier_table_build(&tables[i], public_key) != EDS_OK)
            abort();
    }
    for (size_t i = 0; i < JOB_COUNT; i++) {
        size_t device = randombytes_uniform((uint32_t)device_count);

        randombytes_buf(work->messages[i], sizeof work->messages[i]);
        eds_ed25519_sign(work->signatures[i], work->messages[i], 32, seeds[device]);
        work->keys[i] = tables[device].public_key;
        work->jobs[i] = (struct eds_verify_job){.table = &tables[device],
                                                .message = work->messages[i],
                                                .message_size = 32,
                                                .signature = work->signatures[i]};
    }
    free(seeds);
    work->room = allocate(EDS_VERIFIER_WORK_SIZE);
    work->batch = BATCH;
    return work;
}

static void pair(const char *name, void (*run)(void *, size_t), struct work *work)
{
    bench_pair(&(struct bench_case){name, run, work},
               &(struct bench_case){"libsodium verify", run_sodium, work});
}

static void bench_level(enum eds_verifier_level level, struct work *one, struct work *many)
{
    const char *name = eds_verifier_level_name(level);
    char text[64];

    if (eds_verifier_set_level(level) != EDS_OK) {
        printf("%s: not ready here\n", name);
        return;
    }
    snprintf(text, sizeof text, "verify_known_%s_batch", name);
    pair(text, run_many, one);
    one->batch = 8;
    snprintf(text, sizeof text, "verify_known_%s_batch_8", name);
    pair(text, run_many, one);
    one->batch = 64;
    snprintf(text, sizeof text, "verify_known_%s_batch_64", name);
    pair(text, run_many, one);
    one->batch = BATCH;
    if (level == EDS_VERIFIER_PORTABLE)
        pair("verify_known_portable_single", run_one, one);
    snprintf(text, sizeof text, "verify_1000_devices_%s_batch", name);
    pair(text, run_many, many);
}

int main(void)
{
    struct eds_verifier_table *tables = allocate((1 + DEVICE_COUNT) * sizeof *tables);
    struct work *one, *many;

    eds_verifier_init();
    one = make_work(tables, 1);
    many = make_work(tables + 1, DEVICE_COUNT);
    bench_begin("signatures of known keys, each");
    for (unsigned level = EDS_VERIFIER_LEVEL_COUNT; level-- > EDS_VERIFIER_PORTABLE;)
        bench_level((enum eds_verifier_level)level, one, many);
    pair("verify_table_build", run_build, one);
    return 0;
}

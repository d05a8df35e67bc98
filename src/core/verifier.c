/* verifier.c - the contract of edgesentry/verifier.h: levels, jobs, verdicts. */
#include "edgesentry/verifier.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "core/cpu.h"
#include "core/verifier_batch.h"
#include "core/verifier_impl.h"
#include "core/verifier_selftest.h"
#include "edgesentry/error.h"

static bool decide_alone(const struct eds_verify_job *job)
{
    const uint8_t *key = job->table != NULL ? job->table->public_key : job->public_key;

    return eds_ed25519_verify(job->signature, job->message, job->message_size, key);
}

static const char *const level_names[EDS_VERIFIER_LEVEL_COUNT] = {"libsodium", "portable", "avx2",
                                                                  "ifma"};

const char *eds_verifier_level_name(enum eds_verifier_level level)
{
    return (unsigned)level < EDS_VERIFIER_LEVEL_COUNT ? level_names[level] : "unknown";
}

int32_t eds_verifier_level_from_name(enum eds_verifier_level *out, const char *name)
{
    for (unsigned level = 0; level < EDS_VERIFIER_LEVEL_COUNT; level++)
        if (strcmp(name, level_names[level]) == 0) {
            *out = (enum eds_verifier_level)level;
            return EDS_OK;
        }
    return EDS_ERR_UNSUPPORTED;
}

/* What the init is to do, settled before it. */
static enum eds_verifier_level highest_level = EDS_VERIFIER_LEVEL_COUNT - 1;
static void (*report_level)(enum eds_verifier_level, enum eds_verifier_health);
static atomic_int init_state; /* 0 nobody came yet, 1 somebody is in it, 2 done */

int32_t eds_verifier_configure(enum eds_verifier_level highest,
                               void (*report)(enum eds_verifier_level, enum eds_verifier_health))
{
    if ((unsigned)highest >= EDS_VERIFIER_LEVEL_COUNT)
        return EDS_ERR_USAGE;
    if (atomic_load(&init_state) != 0)
        return EDS_ERR_BUSY;
    highest_level = highest;
    report_level = report;
    return EDS_OK;
}

static void report(enum eds_verifier_level level, enum eds_verifier_health health)
{
    if (report_level != NULL)
        report_level(level, health);
}

#if EDS_VERIFIER_TABLES

_Static_assert(sizeof(struct eds_batch) + 64 + EDS_BATCH_ROOM_SIZE(EDS_BATCH_MAX) <=
                   EDS_VERIFIER_WORK_SIZE,
               "the public size of the work room");

/* The work room from inside. */
struct eds_verifier_work {
    struct eds_batch batch;
    _Alignas(64) uint8_t room[EDS_BATCH_ROOM_SIZE(EDS_BATCH_MAX)];
};

_Alignas(64) eds_table_point eds_base_table[EDS_BASE_POINTS];

/* What the init found, published by `level`: whoever reads a level other than
 * libsodium there also sees the base table and the healths. */
static enum eds_verifier_health health[EDS_VERIFIER_LEVEL_COUNT];
static atomic_int level_in_use = EDS_VERIFIER_LIBSODIUM;

/* Of a level that is in this build; the processor is not asked. */
static const struct eds_verifier_arithmetic *arithmetic_of(enum eds_verifier_level level)
{
    switch (level) {
    case EDS_VERIFIER_PORTABLE:
        return &eds_verifier_portable;
#if EDS_CPU_WIDE
    case EDS_VERIFIER_AVX2:
        return &eds_verifier_avx2;
    case EDS_VERIFIER_IFMA:
        return &eds_verifier_ifma;
#endif
    default:
        return NULL;
    }
}

const struct eds_verifier_arithmetic *eds_verifier_arithmetic(enum eds_verifier_level level)
{
    static const unsigned needed[EDS_VERIFIER_LEVEL_COUNT] = {0, 0, EDS_CPU_AVX2, EDS_CPU_IFMA};

    if ((unsigned)level >= EDS_VERIFIER_LEVEL_COUNT ||
        (eds_cpu_features() & needed[level]) != needed[level])
        return NULL;
    return arithmetic_of(level);
}

/* The arithmetic for a batch of so many: eight lanes for one job are a waste. */
static const struct eds_verifier_arithmetic *choose(enum eds_verifier_level level, size_t count)
{
    return arithmetic_of(count == 1 ? EDS_VERIFIER_PORTABLE : level);
}

/* Minus the base point, because a table holds the multiples of minus its key. */
static const uint8_t minus_base[EDS_PUBLIC_KEY_SIZE] = {
    0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
    0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0xe6};

static enum eds_verifier_health test_level(enum eds_verifier_level level)
{
    const struct eds_verifier_arithmetic *arithmetic = eds_verifier_arithmetic(level);

    if (arithmetic == NULL)
        return EDS_VERIFIER_ABSENT;
    if (level == EDS_VERIFIER_PORTABLE && /* the first one: all need the base table */
        !eds_verifier_table_make(eds_base_table, EDS_BASE_WINDOWS, EDS_BASE_WINDOW_BITS,
                                 minus_base))
        return EDS_VERIFIER_FAILED;
    return eds_verifier_selftest(arithmetic) ? EDS_VERIFIER_READY : EDS_VERIFIER_FAILED;
}

/* Tests the levels, slowest first, and returns the last that is ready.  What the
 * portable one does wrong the others would, too: single jobs are always its own. */
static enum eds_verifier_level test_levels(void)
{
    enum eds_verifier_level best = EDS_VERIFIER_LIBSODIUM;

    for (unsigned i = EDS_VERIFIER_PORTABLE; i < EDS_VERIFIER_LEVEL_COUNT && i <= highest_level;
         i++) {
        const enum eds_verifier_level level = (enum eds_verifier_level)i;

        health[level] = health[EDS_VERIFIER_PORTABLE] == EDS_VERIFIER_FAILED ? EDS_VERIFIER_FAILED
                                                                             : test_level(level);
        if (health[level] == EDS_VERIFIER_READY)
            best = level;
        report(level, health[level]);
    }
    return best;
}

enum eds_verifier_level eds_verifier_init(void)
{
    int nobody = 0;

    if (atomic_compare_exchange_strong(&init_state, &nobody, 1)) {
        atomic_store(&level_in_use, (int)test_levels());
        atomic_store(&init_state, 2);
    }
    return eds_verifier_get_level();
}

enum eds_verifier_level eds_verifier_get_level(void)
{
    return (enum eds_verifier_level)atomic_load(&level_in_use);
}

enum eds_verifier_health eds_verifier_level_health(enum eds_verifier_level level)
{
    if (level == EDS_VERIFIER_LIBSODIUM)
        return EDS_VERIFIER_READY;
    if (atomic_load(&init_state) != 2 || (unsigned)level >= EDS_VERIFIER_LEVEL_COUNT)
        return EDS_VERIFIER_ABSENT;
    return health[level];
}

int32_t eds_verifier_set_level(enum eds_verifier_level level)
{
    if (eds_verifier_level_health(level) != EDS_VERIFIER_READY)
        return EDS_ERR_UNSUPPORTED;
    atomic_store(&level_in_use, (int)level);
    return EDS_OK;
}

int32_t eds_verifier_table_build(struct eds_verifier_table *table,
                                 const uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    if (eds_ed25519_check_key(public_key) != EDS_KEY_GOOD)
        return EDS_ERR_INVALID_KEY;
    if (!eds_verifier_table_make(table->point, EDS_KEY_WINDOWS, EDS_KEY_WINDOW_BITS, public_key))
        return EDS_ERR_INVALID_KEY;
    memcpy(table->public_key, public_key, EDS_PUBLIC_KEY_SIZE);
    return EDS_OK;
}

void eds_verify_many(struct eds_verifier_work *work, const struct eds_verify_job *jobs,
                     size_t count, bool *verdicts)
{
    const enum eds_verifier_level level = eds_verifier_get_level();
    struct eds_batch *batch = &work->batch;
    size_t index[EDS_BATCH_MAX];

    batch->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (level == EDS_VERIFIER_LIBSODIUM || jobs[i].table == NULL) {
            verdicts[i] = decide_alone(&jobs[i]);
        } else {
            verdicts[i] = false;
            index[batch->count] = i;
            (void)eds_batch_take(batch, &jobs[i]);
        }
        if (batch->count == EDS_BATCH_MAX || i + 1 == count) {
            eds_batch_decide(batch, choose(level, batch->count), work->room);
            for (size_t k = 0; k < batch->count; k++) /* each was counted when it was taken */
                verdicts[index[k]] = batch->verdict[k] == EDS_BATCH_GOOD; /* NOLINT */
            batch->count = 0;
        }
    }
}

bool eds_verify_one(const struct eds_verify_job *job)
{
    struct eds_batch batch;
    _Alignas(64) uint8_t room[EDS_BATCH_ROOM_ONE];

    if (job->table == NULL || eds_verifier_get_level() == EDS_VERIFIER_LIBSODIUM)
        return decide_alone(job);
    batch.count = 0;
    if (!eds_batch_take(&batch, job))
        return false;
    eds_batch_decide(&batch, &eds_verifier_portable, room);
    return batch.verdict[0] == EDS_BATCH_GOOD;
}

#else /* libsodium alone */

enum eds_verifier_level eds_verifier_init(void)
{
    if (atomic_exchange(&init_state, 2) == 0)
        for (int level = EDS_VERIFIER_PORTABLE; level <= (int)highest_level; level++)
            report((enum eds_verifier_level)level, EDS_VERIFIER_ABSENT);
    return EDS_VERIFIER_LIBSODIUM;
}

enum eds_verifier_level eds_verifier_get_level(void)
{
    return EDS_VERIFIER_LIBSODIUM;
}

enum eds_verifier_health eds_verifier_level_health(enum eds_verifier_level level)
{
    return level == EDS_VERIFIER_LIBSODIUM ? EDS_VERIFIER_READY : EDS_VERIFIER_ABSENT;
}

int32_t eds_verifier_set_level(enum eds_verifier_level level)
{
    return level == EDS_VERIFIER_LIBSODIUM ? EDS_OK : EDS_ERR_UNSUPPORTED;
}

int32_t eds_verifier_table_build(struct eds_verifier_table *table,
                                 const uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    (void)table;
    if (eds_ed25519_check_key(public_key) != EDS_KEY_GOOD)
        return EDS_ERR_INVALID_KEY;
    return EDS_ERR_UNSUPPORTED;
}

void eds_verify_many(struct eds_verifier_work *work, const struct eds_verify_job *jobs,
                     size_t count, bool *verdicts)
{
    (void)work;
    for (size_t i = 0; i < count; i++)
        verdicts[i] = decide_alone(&jobs[i]);
}

bool eds_verify_one(const struct eds_verify_job *job)
{
    return decide_alone(job);
}

#endif

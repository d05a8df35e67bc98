/* blake3_level.c - which arithmetic hashes: chosen at the first hash of more than
 * one job, after a test of each level that the processor has. */
#include <stdatomic.h>
#include <string.h>

#include "core/blake3_impl.h"
#include "core/cpu.h"
#include "edgesentry/error.h"

typedef void (*runner)(const struct eds_blake3_job *jobs, size_t count);

/* A level, and the fewest jobs for which it is faster than one by one. */
static const struct {
    const char *name;
    unsigned needed;
    unsigned job_count_min;
    runner run;
} levels[EDS_BLAKE3_LEVEL_COUNT] = {
    {"portable", 0, 1, eds_blake3_run_portable},
#if EDS_CPU_WIDE
    {"sse41", EDS_CPU_SSE41, 3, eds_blake3_run_sse41},
    {"avx2", EDS_CPU_AVX2, 3, eds_blake3_run_avx2},
    {"avx512", EDS_CPU_AVX512, 3, eds_blake3_run_avx512},
#else
    {"sse41", 0, 0, NULL},
    {"avx2", 0, 0, NULL},
    {"avx512", 0, 0, NULL},
#endif
};

#define UNKNOWN EDS_BLAKE3_LEVEL_COUNT /* nobody has asked yet */

/* The tests have one outcome, so threads that come at once may all run them. */
static atomic_uint level_in_use = UNKNOWN;
static atomic_uint failed_levels; /* bits */

static bool is_there(unsigned level)
{
    return levels[level].run != NULL &&
           (eds_cpu_features() & levels[level].needed) == levels[level].needed;
}

static unsigned choose(void)
{
    unsigned best = EDS_BLAKE3_PORTABLE, nobody = UNKNOWN;

    for (unsigned level = EDS_BLAKE3_PORTABLE + 1; level < EDS_BLAKE3_LEVEL_COUNT; level++) {
        if (!EDS_CPU_WIDE || !is_there(level)) /* no level to test: no test in the program */
            continue;
        if (eds_blake3_selftest(levels[level].run))
            best = level;
        else
            atomic_fetch_or(&failed_levels, 1u << level);
    }
    atomic_compare_exchange_strong(&level_in_use, &nobody, best);
    return atomic_load(&level_in_use);
}

static unsigned get_level(void)
{
    unsigned level = atomic_load_explicit(&level_in_use, memory_order_acquire);

    return level != UNKNOWN ? level : choose();
}

enum eds_blake3_level eds_blake3_get_level(void)
{
    return (enum eds_blake3_level)get_level();
}

bool eds_blake3_level_failed(enum eds_blake3_level level)
{
    (void)get_level();
    return (unsigned)level < EDS_BLAKE3_LEVEL_COUNT &&
           (atomic_load(&failed_levels) >> level & 1) != 0;
}

int32_t eds_blake3_set_level(enum eds_blake3_level level)
{
    if ((unsigned)level >= EDS_BLAKE3_LEVEL_COUNT || !is_there(level) ||
        eds_blake3_level_failed(level))
        return EDS_ERR_UNSUPPORTED;
    atomic_store(&level_in_use, level);
    return EDS_OK;
}

const char *eds_blake3_level_name(enum eds_blake3_level level)
{
    return (unsigned)level < EDS_BLAKE3_LEVEL_COUNT ? levels[level].name : "unknown";
}

int32_t eds_blake3_level_from_name(enum eds_blake3_level *out, const char *name)
{
    for (unsigned level = 0; level < EDS_BLAKE3_LEVEL_COUNT; level++)
        if (strcmp(name, levels[level].name) == 0) {
            *out = (enum eds_blake3_level)level;
            return EDS_OK;
        }
    return EDS_ERR_UNSUPPORTED;
}

void eds_blake3_run(const struct eds_blake3_job *jobs, size_t count)
{
    unsigned level = count > 1 ? get_level() : EDS_BLAKE3_PORTABLE;

    if (count < levels[level].job_count_min)
        level = EDS_BLAKE3_PORTABLE;
    levels[level].run(jobs, count);
}

/* Jobs of many sizes and all flags, each one's data beginning elsewhere. */
#define TEST_JOBS 40u

bool eds_blake3_selftest(runner run)
{
    uint8_t data[EDS_BLAKE3_CHUNK_SIZE + TEST_JOBS];
    uint8_t got[TEST_JOBS][EDS_HASH_SIZE], wanted[TEST_JOBS][EDS_HASH_SIZE];
    struct eds_blake3_job jobs[TEST_JOBS];

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + (i >> 8));
    for (size_t i = 0; i < TEST_JOBS; i++) {
        const uint64_t index = i % 5 == 0 ? (uint64_t)i << 32 | 7 : i;

        jobs[i] = i % 4 == 3
                      ? eds_blake3_parent_job(wanted[i], data + i, i % 8 == 3 ? EDS_BLAKE3_ROOT : 0)
                      : eds_blake3_chunk_job(wanted[i], data + i,
                                             i % 3 == 0 ? EDS_BLAKE3_CHUNK_SIZE : i * i % 1021,
                                             index, i % 2 == 0 ? EDS_BLAKE3_ROOT : 0);
    }
    memset(got, 0, sizeof got);
    eds_blake3_run_portable(jobs, TEST_JOBS);
    for (size_t i = 0; i < TEST_JOBS; i++)
        jobs[i].out = got[i];
    run(jobs, TEST_JOBS);
    return memcmp(got, wanted, sizeof got) == 0;
}

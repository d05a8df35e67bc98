/* bench.c - see bench.h. */
#include "bench.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define ROUND_COUNT 21
#define ROUND_NS    20000000u /* 20 ms: short enough to share a machine's mood */

static FILE *json_file;

uint64_t bench_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

double bench_cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

double bench_process_cpu_ns(int pid)
{
    struct timespec used;
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) {
        fprintf(stderr, "process %d has ended\n", pid);
        exit(1);
    }
    return (double)used.tv_sec * 1e9 + (double)used.tv_nsec;
}

void bench_temporary(char out[BENCH_PATH_SIZE])
{
    const char *base = getenv("TMPDIR");

    snprintf(out, BENCH_PATH_SIZE, "%s/eds-bench-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(out) == NULL) {
        perror(out);
        exit(1);
    }
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

void bench_remove(const char *folder)
{
    if (nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0)
        perror(folder);
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

double bench_median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    return values[count / 2];
}

uint64_t bench_percentile(const uint64_t *sorted, size_t count, double share)
{
    size_t at = (size_t)(share * (double)count);

    return count == 0 ? 0 : sorted[at < count ? at : count - 1];
}

void bench_begin(const char *title)
{
    const char *path = getenv("EDS_BENCH_JSON");

    if (path != NULL && json_file == NULL) {
        json_file = fopen(path, "a");
        if (json_file == NULL) {
            perror(path);
            exit(1);
        }
    }
    printf("\n%-44s %14s %-10s %8s  %s\n", title, "value", "unit", "ratio", "reference");
    fflush(stdout);
}

static uint64_t now_on_cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* What others do on the machine meanwhile is not counted. */
static double time_once(const struct bench_case *it, size_t times)
{
    uint64_t start = now_on_cpu_ns();

    it->run(it->context, times);
    return (double)(now_on_cpu_ns() - start) / (double)times;
}

/* Finds how many times fill a round, and warms caches on the way. */
static size_t calibrate(const struct bench_case *it)
{
    size_t times = 1;

    for (;;) {
        double each = time_once(it, times);

        if (each * (double)times >= ROUND_NS / 4.0 || times > 1u << 30)
            return (size_t)(ROUND_NS / each) + 1;
        times *= 2;
    }
}

void bench_pair(const struct bench_case *ours, const struct bench_case *reference)
{
    double our_ns[ROUND_COUNT], reference_ns[ROUND_COUNT], ratios[ROUND_COUNT];
    size_t our_times = calibrate(ours), reference_times = calibrate(reference);

    for (size_t i = 0; i < ROUND_COUNT; i++) {
        our_ns[i] = time_once(ours, our_times);
        reference_ns[i] = time_once(reference, reference_times);
        ratios[i] = reference_ns[i] / our_ns[i];
    }
    double value = bench_median(our_ns, ROUND_COUNT);
    double ratio = bench_median(ratios, ROUND_COUNT);

    /* The reference is reported so that value, reference and ratio agree. */
    bench_report(ours->name, value, "ns", reference->name, value * ratio, false);
}

void bench_report(const char *name, double value, const char *unit, const char *reference_name,
                  double reference, bool higher_is_better)
{
    double ratio = higher_is_better ? value / reference : reference / value;

    if (reference_name == NULL)
        printf("%-44s %14.1f %-10s %8s  -\n", name, value, unit, "-");
    else
        printf("%-44s %14.1f %-10s %8.2f  %s (%.1f)\n", name, value, unit, ratio, reference_name,
               reference);
    fflush(stdout);
    if (json_file == NULL)
        return;
    if (reference_name == NULL)
        fprintf(json_file,
                "{\"name\":\"%s\",\"value\":%.3f,\"unit\":\"%s\",\"reference\":null,"
                "\"ratio\":null}\n",
                name, value, unit);
    else
        fprintf(json_file,
                "{\"name\":\"%s\",\"value\":%.3f,\"unit\":\"%s\",\"reference\":{\"name\":\"%s\","
                "\"value\":%.3f},\"ratio\":%.4f}\n",
                name, value, unit, reference_name, reference, ratio);
    fflush(json_file);
}

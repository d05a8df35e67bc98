/* bench_blake3.c - many messages next to one by one; a MiB next to b3sum. */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "evidence/long_hash.h"

#define MESSAGES 256u
#define MIB      (1u << 20)
#define FILE_MIB 256u

struct work {
    uint8_t *bytes;
    const void *data[MESSAGES];
    size_t sizes[MESSAGES];
    uint8_t hashes[MESSAGES][EDS_HASH_SIZE];
};

static void run_many(void *context, size_t times)
{
    struct work *work = context;

    for (; times > 0; times -= times < MESSAGES ? times : MESSAGES)
        eds_blake3_many(work->hashes, work->data, work->sizes, times < MESSAGES ? times : MESSAGES);
}

static void run_one(void *context, size_t times)
{
    struct work *work = context;

    for (size_t i = 0; i < times; i++)
        eds_blake3(work->hashes[i % MESSAGES], work->data[i % MESSAGES], work->sizes[i % MESSAGES]);
}

/* Messages of one size, or of 0 to -size bytes, one behind the other. */
static void bench_many(struct work *work, const char *name, long size)
{
    const uint8_t *at = work->bytes;

    for (size_t i = 0; i < MESSAGES; i++) {
        work->data[i] = at;
        work->sizes[i] = size >= 0 ? (size_t)size : i * 7919 % (size_t)-size;
        at += work->sizes[i];
    }
    bench_pair(&(struct bench_case){name, run_many, work},
               &(struct bench_case){"one by one", run_one, work});
}

static void bench_levels(struct work *work)
{
    enum eds_blake3_level best = eds_blake3_get_level();

    for (unsigned level = EDS_BLAKE3_SSE41; level < (unsigned)best; level++) {
        char name[64];

        if (eds_blake3_set_level((enum eds_blake3_level)level) != 0)
            continue;
        snprintf(name, sizeof name, "blake3_many_256_%s",
                 eds_blake3_level_name((enum eds_blake3_level)level));
        bench_many(work, name, 256);
    }
    eds_blake3_set_level(best);
    bench_many(work, "blake3_many_32", 32);
    bench_many(work, "blake3_many_181", 181);
    bench_many(work, "blake3_many_256", 256);
    bench_many(work, "blake3_many_1024", 1024);
    bench_many(work, "blake3_many_0_to_512", -512);
    bench_many(work, "blake3_many_0_to_4096", -4096);
}

static double b3sum_ns(const char *path, unsigned threads)
{
    char count[16];
    char *arguments[] = {"b3sum", "--num-threads", count, (char *)(uintptr_t)path, NULL};
    posix_spawn_file_actions_t actions;
    uint64_t begin = bench_now_ns();
    extern char **environ;
    int status = -1;
    pid_t pid;

    snprintf(count, sizeof count, "%u", threads);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&pid, "b3sum", &actions, NULL, arguments, environ) == 0)
        waitpid(pid, &status, 0);
    posix_spawn_file_actions_destroy(&actions);
    return status == 0 ? (double)(bench_now_ns() - begin) : 0;
}

static void make_file(char path[BENCH_PATH_SIZE + 16], const char *folder, const uint8_t *mib)
{
    FILE *file;

    snprintf(path, BENCH_PATH_SIZE + 16, "%s/big", folder);
    file = fopen(path, "wb");
    for (unsigned i = 0; file != NULL && i < FILE_MIB; i++)
        if (fwrite(mib, MIB, 1, file) != 1)
            break;
    if (file == NULL || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static double file_ns(const char *path, unsigned threads)
{
    uint8_t hash[EDS_HASH_SIZE];
    uint64_t size, begin = bench_now_ns();
    struct eds_error err;
    int fd = open(path, O_RDONLY);

    if (fd < 0 || eds_long_hash_file(hash, &size, fd, path, threads, &err) != EDS_OK)
        abort();
    close(fd);
    return (double)(bench_now_ns() - begin);
}

/* The same file, read and hashed by as many threads as b3sum has. */
static void bench_file_threads(const char *path, unsigned threads)
{
    enum { ROUNDS = 11 };
    double ours[ROUNDS], ratios[ROUNDS], value;
    char reference[64], name[32];

    for (unsigned round = 0; round < ROUNDS; round++) {
        ours[round] = file_ns(path, threads) / FILE_MIB;
        ratios[round] = b3sum_ns(path, threads) / FILE_MIB / ours[round];
    }
    value = bench_median(ours, ROUNDS);
    snprintf(name, sizeof name, threads == 1 ? "blake3_file" : "blake3_file_threads");
    snprintf(reference, sizeof reference, "b3sum --num-threads %u, cached file", threads);
    bench_report(name, value, "ns", reference, value * bench_median(ratios, ROUNDS), false);
}

/* A file of many MiB, so that the start of a process does not count; ns a MiB. */
static void bench_b3sum(uint8_t *mib)
{
    enum { ROUNDS = 11 };
    double ours[ROUNDS], theirs[ROUNDS], ratios[ROUNDS], value;
    char folder[BENCH_PATH_SIZE], path[BENCH_PATH_SIZE + 16];
    uint8_t hash[EDS_HASH_SIZE];

    bench_temporary(folder);
    make_file(path, folder, mib);
    if (b3sum_ns(path, 1) == 0) {
        puts("b3sum is not there: install the package b3sum");
    } else {
        for (unsigned round = 0; round < ROUNDS; round++) {
            uint64_t begin = bench_now_ns();

            for (unsigned i = 0; i < FILE_MIB; i++) {
                eds_blake3(hash, mib, MIB);
                mib[0] = hash[0];
            }
            ours[round] = (double)(bench_now_ns() - begin) / FILE_MIB;
            theirs[round] = b3sum_ns(path, 1) / FILE_MIB;
            ratios[round] = theirs[round] / ours[round];
        }
        value = bench_median(ours, ROUNDS);
        bench_report("blake3_1MiB", value, "ns", "b3sum --num-threads 1, cached file",
                     value * bench_median(ratios, ROUNDS), false);
        bench_file_threads(path, 1);
        bench_file_threads(path, 2);
    }
    bench_remove(folder);
}

int main(void)
{
    struct work *work = calloc(1, sizeof *work);
    uint8_t *mib = malloc(MIB);

    if (work == NULL || mib == NULL || (work->bytes = malloc(MIB) /* 256 times 4 KiB */) == NULL)
        abort();
    for (size_t i = 0; i < MIB; i++)
        work->bytes[i] = (uint8_t)(i * 131 + i / 997);
    memcpy(mib, work->bytes, MIB);
    bench_begin("BLAKE3, many messages and large ones");
    bench_levels(work);
    bench_b3sum(mib);
    free(work->bytes);
    free(work);
    free(mib);
    return 0;
}

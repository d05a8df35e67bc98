/* bench_chain.c - checking a chain file: links only, and with every signature.
 *
 * The file is made first (1,000,000 records unless EDS_BENCH_CHAIN says
 * otherwise) and stays in the page cache, so that what is timed is the check.
 * Signing a million records takes half a minute, so the chain repeats the
 * signatures of a thousand payloads: a checker that skips work for a payload it
 * saw before does not exist here, and must not. */
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"
#include "evidence/chain_check.h"

#define PAYLOAD_COUNT 1000u
#define BUFFER_SIZE   (2u << 20)

static uint8_t seed[32] = {5}, public_key[1][32];

static size_t make_file(const char *path, size_t count)
{
    static EdsAuditRecord signed_records[PAYLOAD_COUNT];
    char text[EDS_JSON_ENTRY_SIZE_MAX];
    uint8_t previous[EDS_HASH_SIZE] = {0};
    FILE *file = fopen(path, "w");
    size_t written = 0;

    if (file == NULL) {
        perror(path);
        exit(1);
    }
    for (size_t i = 0; i < PAYLOAD_COUNT; i++)
        if (eds_record_sign(&signed_records[i], "lift-01", 1, 1, &i, sizeof i, NULL,
                            "s3://bucket/lift-01/inspection.bin", seed, NULL) != EDS_OK)
            abort();
    for (size_t i = 0; i < count; i++) {
        struct eds_entry entry = {.record = signed_records[i % PAYLOAD_COUNT]};
        size_t size;

        entry.record.sequence = i + 1;
        entry.record.timestamp_ms = 1700000000000u + i;
        memcpy(entry.record.prev_record_hash, previous, sizeof previous);
        if (eds_record_digest(previous, &entry.record) != EDS_OK)
            abort();
        size = eds_json_entry_encode(text, sizeof text - 1, &entry, EDS_JSON_COMPACT, 0);
        text[size] = '\n';
        written += fwrite(text, 1, size + 1, file);
    }
    if (fclose(file) != 0)
        abort();
    return written;
}

static ptrdiff_t read_file(void *context, void *buf, size_t size)
{
    return read(*(int *)context, buf, size);
}

/* Returns records a second; *two_cores, what two free cores' time would do. */
static double check_rate(const char *path, enum eds_strength strength, size_t want,
                         double *two_cores)
{
    struct eds_chain_check check = {.rules = {.strength = strength,
                                              .public_keys = (const uint8_t(*)[32])public_key,
                                              .public_key_count = 1}};
    struct eds_chain_summary summary;
    struct eds_chain_finding finding;
    struct eds_chain_reader reader;
    struct eds_error err = {0};
    char *buf = malloc(BUFFER_SIZE);
    int file = open(path, O_RDONLY);
    uint64_t start;

    eds_chain_reader_init(&reader, EDS_CHAIN_NDJSON, read_file, &file, buf, BUFFER_SIZE);
    *two_cores = bench_cpu_seconds();
    start = bench_now_ns();
    if (eds_chain_check_run(&check, &reader, &summary, &finding, &err) != EDS_OK ||
        summary.record_count != want) {
        fprintf(stderr, "the chain did not verify: %s\n", err.text);
        exit(1);
    }
    double rate = (double)want * 1e9 / (double)(bench_now_ns() - start);
    *two_cores = 2 * (double)want / (bench_cpu_seconds() - *two_cores);
    close(file);
    free(buf);
    return rate;
}

/* The reference: nothing but libsodium's verify, on one thread. */
static double sodium_rate(void)
{
    uint8_t message[32] = {1}, secret_key[64], ignored[32], signature[64];
    size_t count = 0;
    uint64_t start, now;

    crypto_sign_seed_keypair(ignored, secret_key, seed);
    crypto_sign_detached(signature, NULL, message, sizeof message, secret_key);
    start = now = bench_now_ns();
    for (; now - start < 1000000000u; now = bench_now_ns(), count++)
        if (crypto_sign_verify_detached(signature, message, sizeof message, public_key[0]) != 0)
            abort();
    return (double)count * 1e9 / (double)(now - start);
}

/* bench_chain FILE: makes a file and prints the key, for scripts/profile.py. */
static int make_only(const char *path, size_t count)
{
    make_file(path, count);
    for (size_t i = 0; i < sizeof public_key[0]; i++)
        printf("%02x", public_key[0][i]);
    putchar('\n');
    return 0;
}

int main(int argc, char **argv)
{
    const char *wanted = getenv("EDS_BENCH_CHAIN");
    size_t count = wanted != NULL ? strtoul(wanted, NULL, 10) : 1000000;
    char folder[BENCH_PATH_SIZE], path[BENCH_PATH_SIZE + 16];
    struct rusage usage;
    double two_cores;

    if (sodium_init() < 0 || count == 0)
        return 1;
    eds_ed25519_public_key(public_key[0], seed);
    if (argc > 1)
        return make_only(argv[1], count);
    bench_temporary(folder);
    snprintf(path, sizeof path, "%s/chain.ndjson", folder);
    size_t size = make_file(path, count);
    bench_begin("chain file (NDJSON, page cache, all cores)");
    bench_report("chain_file_size", (double)size / (double)count, "B/record", NULL, 0, false);
    bench_report("chain_verify_1M_links", check_rate(path, EDS_STRENGTH_LINKS, count, &two_cores),
                 "records/s", NULL, 0, true);
    bench_report("chain_verify_1M_signed",
                 check_rate(path, EDS_STRENGTH_SIGNATURES, count, &two_cores), "records/s",
                 "libsodium verify, one thread", sodium_rate(), true);
    bench_report("chain_verify_1M_signed_two_cores", two_cores, "records/s", NULL, 0, true);
    getrusage(RUSAGE_SELF, &usage);
    bench_report("chain_verify_peak_memory", (double)usage.ru_maxrss * 1024, "B", NULL, 0, false);
    bench_remove(folder);
    return 0;
}

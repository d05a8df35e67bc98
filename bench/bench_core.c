/* bench_core.c - hashing, signing, verifying and the record hash, next to
 * libsodium doing the same kind of work. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "edgesentry/attest.h"
#include "edgesentry/record.h"

struct message {
    uint8_t *bytes;
    size_t size;
    uint8_t out[64];
};

static void run_blake3(void *context, size_t times)
{
    struct message *message = context;

    while (times-- > 0) {
        eds_blake3(message->out, message->bytes, message->size);
        message->bytes[0] = message->out[0]; /* each hash waits for the one before */
    }
}

static void run_blake2b(void *context, size_t times)
{
    struct message *message = context;

    while (times-- > 0) {
        crypto_generichash(message->out, 32, message->bytes, message->size, NULL, 0);
        message->bytes[0] = message->out[0];
    }
}

static void bench_hashes(void)
{
    static const size_t sizes[] = {32, 64, 181, 256, 1024, 4096, 16384, 65536, 1048576};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct message message = {.bytes = calloc(1, sizes[i]), .size = sizes[i]};
        char name[64];

        if (message.bytes == NULL)
            abort();
        snprintf(name, sizeof name, "blake3_%zu", sizes[i]);
        bench_pair(&(struct bench_case){name, run_blake3, &message},
                   &(struct bench_case){"libsodium BLAKE2b-256", run_blake2b, &message});
        free(message.bytes);
    }
}

struct signing {
    uint8_t seed[32], public_key[32], secret_key[64], hash[32], signature[64];
    EdsAuditRecord record;
    struct eds_attestation attestation;
};

static void run_sign(void *context, size_t times)
{
    struct signing *it = context;

    while (times-- > 0)
        if (eds_record_sign(&it->record, "lift-01", 1, 1700000000000u, "door-open", 9, NULL,
                            "s3://bucket/lift-01/1.bin", it->seed, NULL) != EDS_OK)
            abort();
}

static void run_sodium_sign(void *context, size_t times)
{
    struct signing *it = context;

    /* The same as the record's: a key pair from a seed, then one signature. */
    while (times-- > 0) {
        crypto_sign_seed_keypair(it->public_key, it->secret_key, it->seed);
        crypto_sign_detached(it->signature, NULL, it->hash, 32, it->secret_key);
    }
}

static void run_verify(void *context, size_t times)
{
    struct signing *it = context;

    while (times-- > 0)
        if (!eds_record_verify(&it->record, it->public_key))
            abort();
}

static void run_sodium_verify(void *context, size_t times)
{
    struct signing *it = context;

    while (times-- > 0)
        if (crypto_sign_verify_detached(it->record.signature, it->record.payload_hash, 32,
                                        it->public_key) != 0)
            abort();
}

static void run_attest(void *context, size_t times)
{
    struct signing *it = context;

    while (times-- > 0)
        eds_attest_sign(&it->attestation, it->hash, it->seed);
}

static void run_digest(void *context, size_t times)
{
    struct signing *it = context;

    while (times-- > 0)
        if (eds_record_digest(it->record.prev_record_hash, &it->record) != EDS_OK)
            abort();
}

static void run_blake2b_of_record(void *context, size_t times)
{
    struct signing *it = context;
    uint8_t bytes[EDS_RECORD_SIZE_MAX];
    size_t size;

    if (eds_record_encode(bytes, &size, &it->record) != EDS_OK)
        abort();
    while (times-- > 0) {
        crypto_generichash(it->hash, 32, bytes, size, NULL, 0);
        bytes[size - 1] = it->hash[0];
    }
}

int main(void)
{
    struct signing it = {.seed = {1}};

    if (sodium_init() < 0)
        return 1;
    crypto_sign_seed_keypair(it.public_key, it.secret_key, it.seed);
    bench_begin("core (one thread)");
    bench_hashes();
    bench_pair(&(struct bench_case){"record_sign", run_sign, &it},
               &(struct bench_case){"libsodium seed_keypair + sign", run_sodium_sign, &it});
    bench_pair(&(struct bench_case){"attest_sign", run_attest, &it},
               &(struct bench_case){"libsodium seed_keypair + sign", run_sodium_sign, &it});
    bench_pair(&(struct bench_case){"record_verify", run_verify, &it},
               &(struct bench_case){"libsodium verify_detached", run_sodium_verify, &it});
    bench_pair(&(struct bench_case){"record_hash", run_digest, &it},
               &(struct bench_case){"libsodium BLAKE2b-256 of the same bytes",
                                    run_blake2b_of_record, &it});
    return 0;
}

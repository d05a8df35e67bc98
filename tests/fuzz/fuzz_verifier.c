/* fuzz_verifier.c - whatever key, message and signature: every level of the
 * verifier says what libsodium says.
 *
 *   byte 0       how many of the next bytes are put over a good signature; 255:
 *                the key is given, not derived from a seed
 *   32 bytes     seed or key
 *   64 bytes     signature, or what is XORed to a good one
 *   the rest     message */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "edgesentry/error.h"
#include "edgesentry/verifier.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define JOBS 9u /* more than the widest level has lanes */

static struct eds_verifier_table table;
static _Alignas(64) uint8_t work[EDS_VERIFIER_WORK_SIZE];

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* The same question at every place of a batch, beside eight that are not it. */
static void check_levels(const struct eds_verify_job *job, bool wanted)
{
    uint8_t zeros[EDS_SIGNATURE_SIZE] = {2};
    struct eds_verify_job jobs[JOBS];
    bool verdicts[JOBS];

    for (unsigned level = 0; level < EDS_VERIFIER_LEVEL_COUNT; level++) {
        if (eds_verifier_set_level((enum eds_verifier_level)level) != EDS_OK)
            continue;
        check(eds_verify_one(job) == wanted);
        for (unsigned place = 0; place < JOBS; place += 4) {
            for (unsigned i = 0; i < JOBS; i++) {
                jobs[i] = *job;
                if (i != place)
                    jobs[i].signature = zeros;
            }
            eds_verify_many((struct eds_verifier_work *)(void *)work, jobs, JOBS, verdicts);
            for (unsigned i = 0; i < JOBS; i++)
                check(verdicts[i] == (i == place && wanted));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE], signature[EDS_SIGNATURE_SIZE];
    struct eds_verify_job job;
    size_t damaged;

    if (size < 1 + sizeof public_key + sizeof signature)
        return 0;
    eds_verifier_init();
    damaged = data[0];
    job.message = data + 1 + sizeof public_key + sizeof signature;
    job.message_size = size - 1 - sizeof public_key - sizeof signature;
    if (damaged == 255) {
        memcpy(public_key, data + 1, sizeof public_key);
        memcpy(signature, data + 1 + sizeof public_key, sizeof signature);
    } else {
        eds_ed25519_public_key(public_key, data + 1);
        eds_ed25519_sign(signature, job.message, job.message_size, data + 1);
        for (size_t i = 0; i < damaged && i < sizeof signature; i++)
            signature[i] ^= data[1 + sizeof public_key + i];
    }
    job.signature = signature;
    job.public_key = public_key;
    job.table = eds_verifier_table_build(&table, public_key) == EDS_OK ? &table : NULL;
    check_levels(&job, eds_ed25519_verify(signature, job.message, job.message_size, public_key));
    return 0;
}

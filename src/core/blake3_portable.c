/* blake3_portable.c - BLAKE3's compression in plain C, one block after the other. */
#include "core/blake3_impl.h"

#include <string.h>

#define BLAKE3_ADD(a, b)              ((a) + (b))
#define BLAKE3_ADD3(a, b, c)          ((a) + (b) + (c))
#define BLAKE3_XOR_ROTATE(a, b, bits) rotate((a) ^ (b), bits)
#include "core/blake3_rounds.h"

const uint32_t eds_blake3_iv[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/* By shifts, so that the byte order of the machine does not matter; compilers
 * make one load of it where they can. */
static inline uint32_t load_word(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint32_t rotate(uint32_t word, unsigned bits)
{
    return word >> bits | word << (32 - bits);
}

void eds_blake3_compress(uint32_t chain[8], const uint8_t block[EDS_BLAKE3_BLOCK_SIZE],
                         uint32_t block_size, uint64_t counter, uint32_t flags)
{
    uint32_t m[16];
    uint32_t v0 = chain[0], v1 = chain[1], v2 = chain[2], v3 = chain[3];
    uint32_t v4 = chain[4], v5 = chain[5], v6 = chain[6], v7 = chain[7];
    uint32_t v8 = eds_blake3_iv[0], v9 = eds_blake3_iv[1];
    uint32_t v10 = eds_blake3_iv[2], v11 = eds_blake3_iv[3];
    uint32_t v12 = (uint32_t)counter, v13 = (uint32_t)(counter >> 32);
    uint32_t v14 = block_size, v15 = flags;

    for (size_t i = 0; i < 16; i++)
        m[i] = load_word(block + 4 * i);
    EDS_BLAKE3_ROUNDS;
    chain[0] = v0 ^ v8;
    chain[1] = v1 ^ v9;
    chain[2] = v2 ^ v10;
    chain[3] = v3 ^ v11;
    chain[4] = v4 ^ v12;
    chain[5] = v5 ^ v13;
    chain[6] = v6 ^ v14;
    chain[7] = v7 ^ v15;
}

static void run_one(const struct eds_blake3_job *job)
{
    const uint8_t *data = job->data;
    uint8_t block[EDS_BLAKE3_BLOCK_SIZE];
    uint32_t chain[8], flags = job->first | job->every;
    uint32_t size = job->size;

    memcpy(chain, eds_blake3_iv, sizeof eds_blake3_iv);
    while (size > EDS_BLAKE3_BLOCK_SIZE) {
        eds_blake3_compress(chain, data, EDS_BLAKE3_BLOCK_SIZE, job->counter, flags);
        data += EDS_BLAKE3_BLOCK_SIZE;
        size -= EDS_BLAKE3_BLOCK_SIZE;
        flags = job->every;
    }
    if (size < EDS_BLAKE3_BLOCK_SIZE) {
        memset(block, 0, sizeof block);
        if (size > 0)
            memcpy(block, data, size);
        data = block;
    }
    eds_blake3_compress(chain, data, size, job->counter, flags | job->last);
    eds_blake3_store_words(job->out, chain);
}

void eds_blake3_run_portable(const struct eds_blake3_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        run_one(&jobs[i]);
}

/* blake3_portable.c - BLAKE3's compression in plain C (paper, section 2.2).
 *
 * The seven rounds are written out, with the message permutation worked out
 * per round: then all 16 words of state live in registers as far as there are
 * some, and no word of the message ever moves. */
#include "core/blake3_impl.h"

#include <string.h>

const uint32_t eds_blake3_iv[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/* By shifts, so that the byte order of the machine does not matter; compilers
 * make one load of it where they can. */
static inline uint32_t load_word(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline void store_word(uint8_t *at, uint32_t word)
{
    at[0] = (uint8_t)word;
    at[1] = (uint8_t)(word >> 8);
    at[2] = (uint8_t)(word >> 16);
    at[3] = (uint8_t)(word >> 24);
}

static inline uint32_t rotate(uint32_t word, unsigned bits)
{
    return word >> bits | word << (32 - bits);
}

/* The quarter round: mixes two words of the message into four of the state. */
#define MIX(a, b, c, d, x, y)                                                                      \
    do {                                                                                           \
        a += b + (x);                                                                              \
        d = rotate(d ^ a, 16);                                                                     \
        c += d;                                                                                    \
        b = rotate(b ^ c, 12);                                                                     \
        a += b + (y);                                                                              \
        d = rotate(d ^ a, 8);                                                                      \
        c += d;                                                                                    \
        b = rotate(b ^ c, 7);                                                                      \
    } while (0)

/* Columns, then diagonals; the numbers say which message words go where. */
#define ROUND(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15)                \
    do {                                                                                           \
        MIX(v0, v4, v8, v12, m[m0], m[m1]);                                                        \
        MIX(v1, v5, v9, v13, m[m2], m[m3]);                                                        \
        MIX(v2, v6, v10, v14, m[m4], m[m5]);                                                       \
        MIX(v3, v7, v11, v15, m[m6], m[m7]);                                                       \
        MIX(v0, v5, v10, v15, m[m8], m[m9]);                                                       \
        MIX(v1, v6, v11, v12, m[m10], m[m11]);                                                     \
        MIX(v2, v7, v8, v13, m[m12], m[m13]);                                                      \
        MIX(v3, v4, v9, v14, m[m14], m[m15]);                                                      \
    } while (0)

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
    ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    ROUND(2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8);
    ROUND(3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1);
    ROUND(10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6);
    ROUND(12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4);
    ROUND(9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7);
    ROUND(11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13);
    chain[0] = v0 ^ v8;
    chain[1] = v1 ^ v9;
    chain[2] = v2 ^ v10;
    chain[3] = v3 ^ v11;
    chain[4] = v4 ^ v12;
    chain[5] = v5 ^ v13;
    chain[6] = v6 ^ v14;
    chain[7] = v7 ^ v15;
}

void eds_blake3_chunks(uint32_t (*out)[8], const uint8_t *data, size_t count, uint64_t first_index)
{
    const uint32_t blocks = EDS_BLAKE3_CHUNK_SIZE / EDS_BLAKE3_BLOCK_SIZE;

    for (size_t i = 0; i < count; i++) {
        uint32_t flags = EDS_BLAKE3_CHUNK_START;

        memcpy(out[i], eds_blake3_iv, sizeof eds_blake3_iv);
        for (uint32_t block = 0; block < blocks; block++) {
            if (block == blocks - 1)
                flags |= EDS_BLAKE3_CHUNK_END;
            eds_blake3_compress(out[i], data, EDS_BLAKE3_BLOCK_SIZE, first_index + i, flags);
            data += EDS_BLAKE3_BLOCK_SIZE;
            flags = 0;
        }
    }
}

void eds_blake3_join(uint32_t out[8], const uint32_t left[8], const uint32_t right[8],
                     uint32_t flags)
{
    uint8_t block[EDS_BLAKE3_BLOCK_SIZE];

    for (size_t i = 0; i < 8; i++) {
        store_word(block + 4 * i, left[i]);
        store_word(block + 32 + 4 * i, right[i]);
    }
    memcpy(out, eds_blake3_iv, sizeof eds_blake3_iv);
    eds_blake3_compress(out, block, sizeof block, 0, EDS_BLAKE3_PARENT | flags);
}

void eds_blake3_parents(uint32_t (*out)[8], const uint32_t (*children)[8], size_t count)
{
    for (size_t i = 0; i < count; i++)
        eds_blake3_join(out[i], children[2 * i], children[2 * i + 1], 0);
}

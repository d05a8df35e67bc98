/* sc25519.c - see sc25519.h.
 *
 * With c = L - 2^252, of 125 bits, 2^252 = -c modulo L.  So a number splits at
 * bit 252 into low + 2^252 high = low - c high, and c high is 127 bits shorter
 * than what was split.  Three splits bring 512 bits down to 253. */
#include "core/sc25519.h"

#if defined(__SIZEOF_INT128__)

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "core/load64.h"

__extension__ typedef unsigned __int128 uint128;
__extension__ typedef __int128 int128;

static const uint64_t c[2] = {UINT64_C(0x5812631a5cf5d3ed), UINT64_C(0x14def9dea2f79cd6)};
static const uint64_t order[4] = {UINT64_C(0x5812631a5cf5d3ed), UINT64_C(0x14def9dea2f79cd6), 0,
                                  UINT64_C(0x1000000000000000)};

/* Sums up four words of at most six terms each, with carries of either sign.
 * Returns what is left above 2^256. */
static int64_t carry_words(uint64_t out[4], const int128 sum[4])
{
    int128 carry = 0;

    for (size_t i = 0; i < 4; i++) {
        carry += sum[i];
        out[i] = (uint64_t)carry;
        carry >>= 64;
    }
    return (int64_t)carry;
}

/* out = c * a: count + 2 words.  A word of the sum before its carry is at most
 * 2^64-1 + (2^64-1)^2 + 2^64-1 = 2^128-1. */
static void multiply_c(uint64_t *out, const uint64_t *a, size_t count)
{
    memset(out, 0, (count + 2) * sizeof *out);
    for (size_t i = 0; i < count; i++) {
        uint128 carry = 0;

        for (size_t j = 0; j < 2; j++) {
            carry += (uint128)a[i] * c[j] + out[i + j];
            out[i + j] = (uint64_t)carry;
            carry >>= 64;
        }
        out[i + 2] = (uint64_t)carry;
    }
}

/* Splits the count words at a (count > 4): low gets bits 0 to 251, high the
 * count - 3 words from bit 252 on. */
static void split(uint64_t low[4], uint64_t *high, const uint64_t *a, size_t count)
{
    memcpy(low, a, 4 * sizeof *low);
    low[3] &= (UINT64_C(1) << 60) - 1;
    for (size_t i = 3; i < count; i++)
        high[i - 3] = a[i] >> 60 | (i + 1 < count ? a[i + 1] << 4 : 0);
}

/* bits:  x 512                = low_0 + 2^252 high_0 (260)
 *        c high_0 385         = low_1 + 2^252 high_1 (133)
 *        c high_1 258         = low_2 + 2^252 high_2   (6)
 *        c high_2 131
 * x = low_0 - c high_0 = low_0 - low_1 + c high_1 = low_0 - low_1 + low_2 - c high_2.
 * With 2 L added that is above 2^253 - 2^252 - 2^131 > 0, and below 2^254 + 2^126.
 * What it has above 2^252, at most 4, is split off once more: then it is above
 * -4 c and below 2^252, and L is added to a negative one. */
void sc25519_reduce(struct sc25519 *out, const uint8_t bytes[64])
{
    uint64_t x[8], low_0[4], low_1[4], low_2[4];
    uint64_t high_0[5], high_1[4], high_2[2];
    uint64_t product[7], rest[4], top;
    int128 sum[4];

    for (size_t i = 0; i < 8; i++)
        x[i] = eds_load64(bytes + 8 * i);
    split(low_0, high_0, x, 8);
    multiply_c(product, high_0, 5);
    split(low_1, high_1, product, 7);
    assert(high_1[3] == 0);
    multiply_c(product, high_1, 3);
    split(low_2, high_2, product, 5);
    assert(high_2[1] == 0);
    multiply_c(rest, high_2, 2);

    for (size_t i = 0; i < 4; i++)
        sum[i] = (int128)low_0[i] + low_2[i] + order[i] + order[i] - low_1[i] - rest[i];
    (void)carry_words(x, sum);
    top = x[3] >> 60;
    x[3] &= (UINT64_C(1) << 60) - 1;
    for (size_t i = 0; i < 4; i++)
        sum[i] = (int128)x[i] - (i < 2 ? (int128)c[i] * top : 0);
    if (carry_words(x, sum) < 0) {
        for (size_t i = 0; i < 4; i++)
            sum[i] = (int128)x[i] + order[i];
        (void)carry_words(x, sum);
    }
    memcpy(out->word, x, sizeof out->word);
}

bool sc25519_from_bytes(struct sc25519 *out, const uint8_t bytes[32])
{
    uint64_t word[4], rest[4];
    int128 sum[4];

    for (size_t i = 0; i < 4; i++) {
        word[i] = eds_load64(bytes + 8 * i);
        sum[i] = (int128)word[i] - order[i];
    }
    if (carry_words(rest, sum) >= 0)
        return false;
    memcpy(out->word, word, sizeof word);
    return true;
}

#endif

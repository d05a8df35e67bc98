/* verifier_ifma.c - the level with AVX-512 IFMA: eight lanes. */
#include "core/cpu.h"
#include "core/verifier_impl.h"

#if EDS_VERIFIER_TABLES && EDS_CPU_WIDE

#include "core/sha512_impl.h"
#include "core/target_ifma.h"

#include <string.h>

#include "core/fe25519_x8.h"
#include "core/transpose_x8.h"

typedef struct fe25519_x8 lane_fe;
#define LANES 8
/* An inversion takes as long as 140 multiplications of eight lanes, and a round
 * saves four for each addition. */
#define ROUND_COUNT 36

/* Four words at each of two places. */
static inline __attribute__((always_inline)) __m512i load_two(const uint64_t *low,
                                                              const uint64_t *high)
{
    return _mm512_mask_broadcast_i64x4(
        _mm512_castsi256_si512(_mm256_load_si256((const __m256i *)(const void *)low)), 0xf0,
        _mm256_load_si256((const __m256i *)(const void *)high));
}

/* Numbers of four words at eight places, side by side.  Places are so paired that
 * after two swaps of blocks, single words and then pairs, lane l has place l. */
static inline __attribute__((always_inline)) lane_fe load(const uint64_t *const place[8],
                                                          unsigned offset)
{
    __m512i row_0 = load_two(place[0] + offset, place[2] + offset);
    __m512i row_1 = load_two(place[1] + offset, place[3] + offset);
    __m512i row_2 = load_two(place[4] + offset, place[6] + offset);
    __m512i row_3 = load_two(place[5] + offset, place[7] + offset);
    __m512i even_01 = _mm512_unpacklo_epi64(row_0, row_1); /* words 0 and 2 */
    __m512i even_23 = _mm512_unpacklo_epi64(row_2, row_3);
    __m512i odd_01 = _mm512_unpackhi_epi64(row_0, row_1); /* words 1 and 3 */
    __m512i odd_23 = _mm512_unpackhi_epi64(row_2, row_3);
    __m512i word[4] = {
        _mm512_shuffle_i64x2(even_01, even_23, 0x88), _mm512_shuffle_i64x2(odd_01, odd_23, 0x88),
        _mm512_shuffle_i64x2(even_01, even_23, 0xdd), _mm512_shuffle_i64x2(odd_01, odd_23, 0xdd)};

    return fe25519_x8_from_words(word);
}

static inline __attribute__((always_inline)) lane_fe lane_load_x(const uint64_t *const place[8])
{
    return load(place, 0);
}

/* Minus y is 2 p - y, limb by limb; y was below p, so it is loose as it is. */
static inline __attribute__((always_inline)) lane_fe lane_load_y(const uint64_t *const place[8],
                                                                 const uint16_t digit[8])
{
    const __m512i word =
        _mm512_cvtepu16_epi64(_mm_loadu_si128((const __m128i *)(const void *)digit));
    const __mmask8 minus = _mm512_test_epi64_mask(word, fe25519_x8_word(EDS_DIGIT_MINUS));
    struct fe25519_x8 y = load(place, 4);

    for (unsigned i = 0; i < 5; i++) {
        const __m512i two_p = fe25519_x8_word(2 * (i == 0 ? FE25519_MASK - 18 : FE25519_MASK));

        y.limb[i] = _mm512_mask_sub_epi64(y.limb[i], minus, two_p, y.limb[i]);
    }
    return y;
}

#define lane_set1     fe25519_x8_set1
#define lane_set      fe25519_x8_set
#define lane_get      fe25519_x8_get
#define lane_first    fe25519_x8_first
#define lane_rotate   fe25519_x8_rotate
#define lane_to_words fe25519_x8_to_words
#define lane_one      fe25519_x8_one
#define lane_add      fe25519_x8_add
#define lane_sub      fe25519_x8_sub
#define lane_sum      fe25519_x8_sum
#define lane_mul      fe25519_x8_mul
#define lane_sq       fe25519_x8_sq
#define lane_mul_sub  fe25519_x8_mul_sub
#define lane_sq_sub   fe25519_x8_sq_sub

#include "core/verifier_lanes.h"

_Static_assert(LANE_ROOM_SIZE(1) <= EDS_BATCH_ROOM_SIZE(LANES), "room for eight jobs");
_Static_assert(EDS_BATCH_MAX % LANES == 0, "the batch holds what lanes_fill adds");

typedef __m512i sha_word;
#define SHA_LANES  8
#define SHA_ADD    _mm512_add_epi64
#define SHA_ROTATE _mm512_ror_epi64
#define SHA_SHIFT  _mm512_srli_epi64
#define SHA_SET1   fe25519_x8_word
/* Tables of three bits in, one out. */
#define SHA_XOR3(x, y, z)         _mm512_ternarylogic_epi64(x, y, z, 0x96)
#define SHA_CHOOSE(x, y, z)       _mm512_ternarylogic_epi64(x, y, z, 0xca)
#define SHA_MAJORITY(x, y, z)     _mm512_ternarylogic_epi64(x, y, z, 0xe8)
#define sha_keep(new, old, lanes) _mm512_mask_mov_epi64(old, (__mmask8)(lanes), new)

/* Turns the bytes of each word around. */
static inline __m512i swap_bytes(__m512i words)
{
    return _mm512_shuffle_epi8(words, _mm512_broadcast_i32x4(_mm_set_epi8(
                                          8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)));
}

static inline void sha_load(sha_word w[16], const uint8_t block[8][EDS_SHA512_BLOCK_SIZE])
{
    for (unsigned lane = 0; lane < 8; lane++) {
        w[lane] = _mm512_loadu_si512(block[lane]);
        w[lane + 8] = _mm512_loadu_si512(block[lane] + 64);
    }
    eds_transpose_x8(w);
    eds_transpose_x8(w + 8);
    for (unsigned i = 0; i < 16; i++)
        w[i] = swap_bytes(w[i]);
}

static inline void sha_store(uint8_t (*digest)[EDS_SHA512_SIZE], sha_word state[8])
{
    eds_transpose_x8(state);
    for (unsigned lane = 0; lane < 8; lane++)
        _mm512_storeu_si512(digest[lane], swap_bytes(state[lane]));
}

#include "core/sha512_lanes.h"

const struct eds_verifier_arithmetic eds_verifier_ifma = {sha_batch, lanes_decide};

#include "core/target_end.h"

#endif

/* verifier_avx2.c - the level with AVX2: four lanes. */
#include "core/cpu.h"
#include "core/verifier_impl.h"

#if EDS_VERIFIER_TABLES && EDS_CPU_WIDE

#include "core/sha512_impl.h"
#include "core/target_avx2.h"

#include <string.h>

#include "core/fe25519_x4.h"

typedef struct fe25519_x4 lane_fe;
#define LANES 4
/* An inversion takes as long as 70 multiplications of four lanes, and a round saves
 * four for each addition. */
#define ROUND_COUNT 18

/* Four rows of four words become columns: single words are swapped across the
 * diagonal, then pairs. */
static inline __attribute__((always_inline)) void transpose(__m256i row[4])
{
    __m256i even_01 = _mm256_unpacklo_epi64(row[0], row[1]); /* words 0 and 2 */
    __m256i even_23 = _mm256_unpacklo_epi64(row[2], row[3]);
    __m256i odd_01 = _mm256_unpackhi_epi64(row[0], row[1]); /* words 1 and 3 */
    __m256i odd_23 = _mm256_unpackhi_epi64(row[2], row[3]);

    row[0] = _mm256_permute2x128_si256(even_01, even_23, 0x20);
    row[1] = _mm256_permute2x128_si256(odd_01, odd_23, 0x20);
    row[2] = _mm256_permute2x128_si256(even_01, even_23, 0x31);
    row[3] = _mm256_permute2x128_si256(odd_01, odd_23, 0x31);
}

static inline __attribute__((always_inline)) __m256i load_row(const void *from)
{
    return _mm256_loadu_si256(from);
}

/* Numbers of four words at four places, side by side. */
static inline __attribute__((always_inline)) lane_fe load(const uint64_t *const place[4],
                                                          unsigned offset)
{
    __m256i row[4] = {load_row(place[0] + offset), load_row(place[1] + offset),
                      load_row(place[2] + offset), load_row(place[3] + offset)};

    transpose(row);
    return fe25519_x4_from_words(row);
}

static inline __attribute__((always_inline)) lane_fe lane_load_x(const uint64_t *const place[4])
{
    return load(place, 0);
}

/* Minus y is 2 p - y, limb by limb; y was below p, so it is loose as it is. */
static inline __attribute__((always_inline)) lane_fe lane_load_y(const uint64_t *const place[4],
                                                                 const uint16_t digit[4])
{
    const __m256i sign = fe25519_x4_word(EDS_DIGIT_MINUS);
    const __m256i word =
        _mm256_cvtepu16_epi64(_mm_loadl_epi64((const __m128i *)(const void *)digit));
    const __m256i minus = _mm256_cmpeq_epi64(_mm256_and_si256(word, sign), sign);
    struct fe25519_x4 y = load(place, 4);

    for (unsigned i = 0; i < 10; i++) {
        const __m256i two_p = fe25519_x4_word(FE25519_X4_BIAS(i) / 2);

        y.limb[i] = _mm256_blendv_epi8(y.limb[i], _mm256_sub_epi64(two_p, y.limb[i]), minus);
    }
    return y;
}

#define lane_set1     fe25519_x4_set1
#define lane_set      fe25519_x4_set
#define lane_get      fe25519_x4_get
#define lane_first    fe25519_x4_first
#define lane_rotate   fe25519_x4_rotate
#define lane_to_words fe25519_x4_to_words
#define lane_one      fe25519_x4_one
#define lane_add      fe25519_x4_add
#define lane_sub      fe25519_x4_sub
#define lane_sum      fe25519_x4_sum
#define lane_mul      fe25519_x4_mul
#define lane_sq       fe25519_x4_sq
#define lane_mul_sub  fe25519_x4_mul_sub
#define lane_sq_sub   fe25519_x4_sq_sub

#include "core/verifier_lanes.h"

_Static_assert(LANE_ROOM_SIZE(1) <= EDS_BATCH_ROOM_SIZE(LANES), "room for four jobs");
_Static_assert(EDS_BATCH_MAX % LANES == 0, "the batch holds what lanes_fill adds");

typedef __m256i sha_word;
#define SHA_LANES             4
#define SHA_ADD               _mm256_add_epi64
#define SHA_SHIFT             _mm256_srli_epi64
#define SHA_SET1              fe25519_x4_word
#define SHA_XOR               _mm256_xor_si256
#define SHA_ROTATE(x, n)      _mm256_or_si256(SHA_SHIFT(x, n), _mm256_slli_epi64(x, 64 - (n)))
#define SHA_XOR3(x, y, z)     SHA_XOR(SHA_XOR(x, y), z)
#define SHA_CHOOSE(x, y, z)   SHA_XOR(z, _mm256_and_si256(x, SHA_XOR(y, z)))
#define SHA_MAJORITY(x, y, z) SHA_XOR(x, _mm256_and_si256(SHA_XOR(x, y), SHA_XOR(x, z)))

/* new where the lane's bit is set. */
static inline __m256i sha_keep(__m256i new_word, __m256i old_word, unsigned lanes)
{
    const __m256i bit = _mm256_set_epi64x(8, 4, 2, 1);
    const __m256i keep = _mm256_cmpeq_epi64(_mm256_and_si256(fe25519_x4_word(lanes), bit), bit);

    return _mm256_blendv_epi8(old_word, new_word, keep);
}

/* Turns the bytes of each word around. */
static inline __m256i swap_bytes(__m256i words)
{
    return _mm256_shuffle_epi8(words, _mm256_broadcastsi128_si256(_mm_set_epi8(
                                          8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)));
}

static inline void sha_load(sha_word w[16], const uint8_t block[4][EDS_SHA512_BLOCK_SIZE])
{
    for (unsigned part = 0; part < 4; part++) {
        for (unsigned lane = 0; lane < 4; lane++)
            w[4 * part + lane] = load_row(block[lane] + 32 * part);
        transpose(w + 4 * part);
    }
    for (unsigned i = 0; i < 16; i++)
        w[i] = swap_bytes(w[i]);
}

static inline void sha_store(uint8_t (*digest)[EDS_SHA512_SIZE], sha_word state[8])
{
    for (unsigned part = 0; part < 2; part++) {
        transpose(state + 4 * part);
        for (unsigned lane = 0; lane < 4; lane++)
            _mm256_storeu_si256((__m256i *)(void *)(digest[lane] + 32 * part),
                                swap_bytes(state[4 * part + lane]));
    }
}

#include "core/sha512_lanes.h"

const struct eds_verifier_arithmetic eds_verifier_avx2 = {sha_batch, lanes_decide};

#include "core/target_end.h"

#endif

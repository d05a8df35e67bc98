/* blake3_avx512.c - the level with AVX-512: two times sixteen lanes. */
#include "core/blake3_impl.h"

#if EDS_CPU_WIDE

#include "core/target_avx512.h"

#include <immintrin.h>
#include <string.h>

/* Two vectors of sixteen.  A round is a chain of operations that wait for each other,
 * and the processor would have half of its time left beside one vector. */
#define LANES 32u
#define HALF  16u
typedef struct {
    __m512i half[2];
} lane_word;

#define INLINE static inline __attribute__((always_inline))

/* Told so because compilers else choose themselves what to add first. */
INLINE __m512i first(__m512i sum)
{
    __asm__("" : "+v"(sum));
    return sum;
}

INLINE lane_word add(lane_word a, lane_word b)
{
    return (lane_word){
        {_mm512_add_epi32(a.half[0], b.half[0]), _mm512_add_epi32(a.half[1], b.half[1])}};
}

INLINE lane_word add3(lane_word a, lane_word b, lane_word c)
{
    a.half[0] = first(_mm512_add_epi32(a.half[0], b.half[0]));
    a.half[1] = first(_mm512_add_epi32(a.half[1], b.half[1]));
    return add(a, c);
}

#define BLAKE3_ADD  add
#define BLAKE3_ADD3 add3
#define BLAKE3_XOR_ROTATE(a, b, bits)                                                              \
    ((lane_word){{_mm512_ror_epi32(_mm512_xor_si512((a).half[0], (b).half[0]), bits),              \
                  _mm512_ror_epi32(_mm512_xor_si512((a).half[1], (b).half[1]), bits)}})

INLINE lane_word lane_load(const uint32_t from[LANES])
{
    return (lane_word){{_mm512_load_si512(from), _mm512_load_si512(from + HALF)}};
}

INLINE void lane_store(uint32_t to[LANES], lane_word words)
{
    _mm512_store_si512(to, words.half[0]);
    _mm512_store_si512(to + HALF, words.half[1]);
}

INLINE void lane_store_xor(uint32_t to[LANES], lane_word a, lane_word b)
{
    _mm512_store_si512(to, _mm512_xor_si512(a.half[0], b.half[0]));
    _mm512_store_si512(to + HALF, _mm512_xor_si512(a.half[1], b.half[1]));
}

INLINE lane_word lane_set1(uint32_t word)
{
    const __m512i all = _mm512_set1_epi32((int)word);

    return (lane_word){{all, all}};
}

INLINE lane_word lane_choose(lane_word choice, lane_word a, lane_word b)
{
    for (unsigned half = 0; half < 2; half++) /* the table of three bits in, one out */
        b.half[half] =
            _mm512_ternarylogic_epi32(choice.half[half], a.half[half], b.half[half], 0xca);
    return b;
}

/* Four vectors of words become four, each with four words of a lane in each quarter:
 * those of lane 4 q + i in quarter q of row[i]. */
INLINE void join_four(__m512i row[4], const uint32_t column[4][LANES], unsigned half)
{
    __m512i from[4], two[4];

    for (unsigned i = 0; i < 4; i++)
        from[i] = _mm512_load_si512(column[i] + half * HALF);
    for (unsigned i = 0; i < 4; i += 2) {
        two[i] = _mm512_unpacklo_epi32(from[i], from[i + 1]);
        two[i + 1] = _mm512_unpackhi_epi32(from[i], from[i + 1]);
    }
    row[0] = _mm512_unpacklo_epi64(two[0], two[2]);
    row[1] = _mm512_unpackhi_epi64(two[0], two[2]);
    row[2] = _mm512_unpacklo_epi64(two[1], two[3]);
    row[3] = _mm512_unpackhi_epi64(two[1], two[3]);
}

INLINE void store_two(uint32_t (*rows)[8], __m512i two)
{
    _mm256_store_si256((__m256i *)(void *)rows[0], _mm512_castsi512_si256(two));
    _mm256_store_si256((__m256i *)(void *)rows[4], _mm512_extracti64x4_epi64(two, 1));
}

INLINE void lane_store_columns(uint32_t (*rows)[8], const uint32_t (*columns)[LANES])
{
    const __m512i quarters_0_1 = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
    const __m512i quarters_2_3 = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);

    for (unsigned half = 0; half < 2; half++) {
        __m512i low[4], high[4];

        join_four(low, columns, half);
        join_four(high, columns + 4, half);
        for (unsigned i = 0; i < 4; i++) {
            store_two(rows + half * HALF + i,
                      _mm512_permutex2var_epi64(low[i], quarters_0_1, high[i]));
            store_two(rows + half * HALF + 8 + i,
                      _mm512_permutex2var_epi64(low[i], quarters_2_3, high[i]));
        }
    }
}

/* Rows of a lane's words become columns, in four steps: single words are swapped
 * across the diagonal, then pairs, fours and eights. */
INLINE void transpose(lane_word m[16], unsigned half, const __m512i row[16])
{
    __m512i two[16], four[16], eight[16];

    for (unsigned i = 0; i < 16; i += 2) {
        two[i] = _mm512_unpacklo_epi32(row[i], row[i + 1]);
        two[i + 1] = _mm512_unpackhi_epi32(row[i], row[i + 1]);
    }
    for (unsigned i = 0; i < 16; i += 4) {
        four[i] = _mm512_unpacklo_epi64(two[i], two[i + 2]);
        four[i + 1] = _mm512_unpackhi_epi64(two[i], two[i + 2]);
        four[i + 2] = _mm512_unpacklo_epi64(two[i + 1], two[i + 3]);
        four[i + 3] = _mm512_unpackhi_epi64(two[i + 1], two[i + 3]);
    }
    /* Now a row has one word of each quarter; 0x88 takes parts 0 and 2 of both rows,
     * 0xdd parts 1 and 3. */
    for (unsigned i = 0; i < 16; i += 8)
        for (unsigned k = i; k < i + 4; k++) {
            eight[k] = _mm512_shuffle_i32x4(four[k], four[k + 4], 0x88);
            eight[k + 4] = _mm512_shuffle_i32x4(four[k], four[k + 4], 0xdd);
        }
    for (unsigned k = 0; k < 8; k++) {
        m[k].half[half] = _mm512_shuffle_i32x4(eight[k], eight[k + 8], 0x88);
        m[k + 8].half[half] = _mm512_shuffle_i32x4(eight[k], eight[k + 8], 0xdd);
    }
}

INLINE void lane_load_blocks(lane_word m[16], const uint8_t *const block[LANES], size_t offset)
{
    for (unsigned half = 0; half < 2; half++) {
        __m512i row[16];

        for (unsigned i = 0; i < HALF; i++)
            row[i] = _mm512_loadu_si512(block[half * HALF + i] + offset);
        transpose(m, half, row);
    }
}

/* Bytes that are masked out are not touched. */
INLINE __m512i load_part(const uint8_t *block, uint32_t size)
{
    return _mm512_maskz_loadu_epi8(_bzhi_u64(UINT64_MAX, size), block);
}

INLINE void lane_load_parts(lane_word m[16], const uint8_t *const block[LANES], size_t offset,
                            const uint32_t size[LANES])
{
    for (unsigned half = 0; half < 2; half++) {
        __m512i row[16];

        for (unsigned i = 0; i < HALF; i++)
            row[i] = load_part(block[half * HALF + i] + offset, size[half * HALF + i]);
        transpose(m, half, row);
    }
}

#include "core/blake3_lanes.h"

void eds_blake3_run_avx512(const struct eds_blake3_job *jobs, size_t count)
{
    lanes_run(jobs, count);
}

#include "core/target_end.h"

#endif

/* blake3_avx2.c - the level with AVX2: eight lanes. */
#include "core/blake3_impl.h"

#if EDS_CPU_WIDE

#include "core/target_avx2.h"

#include <immintrin.h>
#include <string.h>

#define LANES 8u
__extension__ typedef uint32_t lane_word __attribute__((vector_size(32)));

#define lane_load(from)          ((lane_word)_mm256_load_si256((const void *)(from)))
#define lane_store(word, vector) _mm256_store_si256((__m256i *)(void *)(word), (__m256i)(vector))
#define lane_set1(word)          ((lane_word)_mm256_set1_epi32((int)(word)))

/* By whole bytes one shuffle does it. */
static inline __attribute__((always_inline)) lane_word rotate(lane_word word, int bits)
{
    const __m256i by_16 = _mm256_broadcastsi128_si256(
        _mm_set_epi8(13, 12, 15, 14, 9, 8, 11, 10, 5, 4, 7, 6, 1, 0, 3, 2));
    const __m256i by_8 = _mm256_broadcastsi128_si256(
        _mm_set_epi8(12, 15, 14, 13, 8, 11, 10, 9, 4, 7, 6, 5, 0, 3, 2, 1));

    if (bits == 16)
        return (lane_word)_mm256_shuffle_epi8((__m256i)word, by_16);
    if (bits == 8)
        return (lane_word)_mm256_shuffle_epi8((__m256i)word, by_8);
    return word >> bits | word << (32 - bits);
}

#define BLAKE3_ADD(a, b)              ((a) + (b))
#define BLAKE3_ADD3(a, b, c)          ((a) + (b) + (c))
#define BLAKE3_XOR_ROTATE(a, b, bits) rotate((a) ^ (b), bits)
#define lane_choose(choice, a, b)     (((choice) & (a)) | (~(choice) & (b)))
#define lane_store_xor(to, a, b)      lane_store(to, (a) ^ (b))

/* Eight rows of eight words become columns: single words are swapped across the
 * diagonal, then pairs and fours. */
static inline __attribute__((always_inline)) void transpose(lane_word m[8], const __m256i row[8])
{
    __m256i two[8], four[8];

    for (unsigned i = 0; i < 8; i += 2) {
        two[i] = _mm256_unpacklo_epi32(row[i], row[i + 1]);
        two[i + 1] = _mm256_unpackhi_epi32(row[i], row[i + 1]);
    }
    for (unsigned i = 0; i < 8; i += 4) {
        four[i] = _mm256_unpacklo_epi64(two[i], two[i + 2]);
        four[i + 1] = _mm256_unpackhi_epi64(two[i], two[i + 2]);
        four[i + 2] = _mm256_unpacklo_epi64(two[i + 1], two[i + 3]);
        four[i + 3] = _mm256_unpackhi_epi64(two[i + 1], two[i + 3]);
    }
    for (unsigned k = 0; k < 4; k++) {
        m[k] = (lane_word)_mm256_permute2x128_si256(four[k], four[k + 4], 0x20);
        m[k + 4] = (lane_word)_mm256_permute2x128_si256(four[k], four[k + 4], 0x31);
    }
}

static inline __attribute__((always_inline)) void lane_store_columns(uint32_t (*rows)[8],
                                                                     const uint32_t (*columns)[8])
{
    __m256i column[8];
    lane_word row[8];

    for (unsigned i = 0; i < 8; i++)
        column[i] = (__m256i)lane_load(columns[i]);
    transpose(row, column);
    for (unsigned i = 0; i < 8; i++)
        lane_store(rows[i], row[i]);
}

static inline __attribute__((always_inline)) void lane_load_blocks(lane_word m[16],
                                                                   const uint8_t *const block[8],
                                                                   size_t offset)
{
    __m256i row[8];

    for (unsigned part = 0; part < 2; part++) {
        for (unsigned i = 0; i < 8; i++)
            row[i] =
                _mm256_loadu_si256((const __m256i *)(const void *)(block[i] + offset + 32 * part));
        transpose(m + 8 * part, row);
    }
}

#include "core/blake3_parts.h"

#include "core/blake3_lanes.h"

void eds_blake3_run_avx2(const struct eds_blake3_job *jobs, size_t count)
{
    lanes_run(jobs, count);
}

#include "core/target_end.h"

#endif

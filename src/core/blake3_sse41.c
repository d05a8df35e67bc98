/* blake3_sse41.c - the level with SSE4.1: four lanes. */
#include "core/blake3_impl.h"

#if EDS_CPU_WIDE

#include "core/target_sse41.h"

#include <immintrin.h>
#include <string.h>

#define LANES 4u
__extension__ typedef uint32_t lane_word __attribute__((vector_size(16)));

#define lane_load(from)          ((lane_word)_mm_load_si128((const void *)(from)))
#define lane_store(word, vector) _mm_store_si128((__m128i *)(void *)(word), (__m128i)(vector))
#define lane_set1(word)          ((lane_word)_mm_set1_epi32((int)(word)))

/* By whole bytes one shuffle does it. */
static inline __attribute__((always_inline)) lane_word rotate(lane_word word, int bits)
{
    const __m128i by_16 = _mm_set_epi8(13, 12, 15, 14, 9, 8, 11, 10, 5, 4, 7, 6, 1, 0, 3, 2);
    const __m128i by_8 = _mm_set_epi8(12, 15, 14, 13, 8, 11, 10, 9, 4, 7, 6, 5, 0, 3, 2, 1);

    if (bits == 16)
        return (lane_word)_mm_shuffle_epi8((__m128i)word, by_16);
    if (bits == 8)
        return (lane_word)_mm_shuffle_epi8((__m128i)word, by_8);
    return word >> bits | word << (32 - bits);
}

#define BLAKE3_ADD(a, b)              ((a) + (b))
#define BLAKE3_ADD3(a, b, c)          ((a) + (b) + (c))
#define BLAKE3_XOR_ROTATE(a, b, bits) rotate((a) ^ (b), bits)
#define lane_choose(choice, a, b)     (((choice) & (a)) | (~(choice) & (b)))
#define lane_store_xor(to, a, b)      lane_store(to, (a) ^ (b))

/* Four rows of four words become columns. */
static inline __attribute__((always_inline)) void transpose(lane_word m[4], const __m128i row[4])
{
    __m128i low_01 = _mm_unpacklo_epi32(row[0], row[1]);
    __m128i high_01 = _mm_unpackhi_epi32(row[0], row[1]);
    __m128i low_23 = _mm_unpacklo_epi32(row[2], row[3]);
    __m128i high_23 = _mm_unpackhi_epi32(row[2], row[3]);

    m[0] = (lane_word)_mm_unpacklo_epi64(low_01, low_23);
    m[1] = (lane_word)_mm_unpackhi_epi64(low_01, low_23);
    m[2] = (lane_word)_mm_unpacklo_epi64(high_01, high_23);
    m[3] = (lane_word)_mm_unpackhi_epi64(high_01, high_23);
}

static inline __attribute__((always_inline)) void lane_store_columns(uint32_t (*rows)[8],
                                                                     const uint32_t (*columns)[4])
{
    for (unsigned part = 0; part < 8; part += 4) {
        __m128i column[4];
        lane_word row[4];

        for (unsigned i = 0; i < 4; i++)
            column[i] = (__m128i)lane_load(columns[part + i]);
        transpose(row, column);
        for (unsigned i = 0; i < 4; i++)
            lane_store(rows[i] + part, row[i]);
    }
}

static inline __attribute__((always_inline)) void lane_load_blocks(lane_word m[16],
                                                                   const uint8_t *const block[4],
                                                                   size_t offset)
{
    for (unsigned part = 0; part < 4; part++) {
        __m128i row[4];

        for (unsigned i = 0; i < 4; i++)
            row[i] =
                _mm_loadu_si128((const __m128i *)(const void *)(block[i] + offset + 16 * part));
        transpose(m + 4 * part, row);
    }
}

#include "core/blake3_parts.h"

#include "core/blake3_lanes.h"

void eds_blake3_run_sse41(const struct eds_blake3_job *jobs, size_t count)
{
    lanes_run(jobs, count);
}

#include "core/target_end.h"

#endif

/* transpose_x8.h - eight rows of eight 64-bit words become columns, which turns
 * what lies together in memory into what lies side by side in lanes.
 *
 * To be included where AVX-512 F is compiled for. */
#ifndef EDS_CORE_TRANSPOSE_X8_H
#define EDS_CORE_TRANSPOSE_X8_H

#include <immintrin.h>

/* In three steps, each of which swaps blocks across the diagonal: single words,
 * then pairs, then fours. */
static inline __attribute__((always_inline)) void eds_transpose_x8(__m512i row[8])
{
    __m512i pair[8], four[8];

    for (unsigned i = 0; i < 8; i += 2) {
        pair[i] = _mm512_unpacklo_epi64(row[i], row[i + 1]);
        pair[i + 1] = _mm512_unpackhi_epi64(row[i], row[i + 1]);
    }
    /* 0x88 takes parts 0 and 2 of both, 0xdd parts 1 and 3 */
    for (unsigned i = 0; i < 8; i += 4)
        for (unsigned k = i; k < i + 2; k++) {
            four[k] = _mm512_shuffle_i64x2(pair[k], pair[k + 2], 0x88);
            four[k + 2] = _mm512_shuffle_i64x2(pair[k], pair[k + 2], 0xdd);
        }
    for (unsigned k = 0; k < 4; k++) {
        row[k] = _mm512_shuffle_i64x2(four[k], four[k + 4], 0x88);
        row[k + 4] = _mm512_shuffle_i64x2(four[k], four[k + 4], 0xdd);
    }
}

#endif

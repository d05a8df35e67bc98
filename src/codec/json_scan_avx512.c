/* json_scan_avx512.c - the inner loops with AVX-512: up to 64 bytes at a time. */
#include "codec/json_scan.h"
#include "core/cpu.h"

#if EDS_CPU_WIDE

#include "core/target_vbmi2.h"

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

/* Up to 64 bytes from at on, and zeros for those past the end, which are not read. */
INLINE __m512i load_up_to(const char *at, const char *end)
{
    const size_t left = (size_t)(end - at);

    return _mm512_maskz_loadu_epi8(_bzhi_u64(UINT64_MAX, left < 64 ? (unsigned)left : 64), at);
}

static const char *scan_plain(const char *at, const char *end, bool *ascii)
{
    uint64_t high = 0;

    while (at < end) {
        const __m512i text = load_up_to(at, end);
        const uint64_t stops = _mm512_cmpeq_epi8_mask(text, _mm512_set1_epi8('"')) |
                               _mm512_cmpeq_epi8_mask(text, _mm512_set1_epi8('\\')) |
                               _mm512_cmplt_epu8_mask(text, _mm512_set1_epi8(' '));
        const unsigned plain = (unsigned)_tzcnt_u64(stops); /* 64 without a stop */

        high |= _bzhi_u64(_mm512_movepi8_mask(text), plain);
        if (plain < 64) { /* zeros past the end are stops, too */
            at += plain;
            break;
        }
        at += 64;
    }
    *ascii = high == 0;
    return at;
}

/* Sixteen numbers and what ends each of them, the last one by `last`: at most 64
 * bytes.  Returns their bytes, or 0 if something is wrong. */
INLINE size_t take_sixteen(uint8_t out[16], const char *at, const char *end, char last)
{
    const __m512i iota = _mm512_set_epi8(
        63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41,
        40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18,
        17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    /* Each of sixteen bytes four times, where all quarters have the sixteen. */
    const __m512i four_times =
        _mm512_set_epi8(15, 15, 15, 15, 14, 14, 14, 14, 13, 13, 13, 13, 12, 12, 12, 12, 11, 11, 11,
                        11, 10, 10, 10, 10, 9, 9, 9, 9, 8, 8, 8, 8, 7, 7, 7, 7, 6, 6, 6, 6, 5, 5, 5,
                        5, 4, 4, 4, 4, 3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    /* By the bytes that a number and its end take: the least number so long. */
    const __m128i least = _mm_set_epi8(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 10, 0, 0, 0);
    const __m512i text = load_up_to(at, end);

    /* Whatever is no digit ends a number; what it is, is looked at below. */
    const uint64_t ends =
        _mm512_cmpgt_epu8_mask(_mm512_sub_epi8(text, _mm512_set1_epi8('0')), _mm512_set1_epi8(9));
    const uint64_t last_end = _pdep_u64(UINT64_C(1) << 15, ends); /* the sixteenth */
    const unsigned last_at = (unsigned)_tzcnt_u64(last_end);
    const __m128i end_at = _mm512_castsi512_si128(_mm512_maskz_compress_epi8(ends, iota));
    const __m128i before = _mm_alignr_epi8(end_at, _mm_set1_epi8(-1), 15); /* the end before */
    const __m128i taken = _mm_sub_epi8(end_at, before);

    /* Now each number gets four bytes, its end the uppermost, zeros below its digits. */
    const __m512i place =
        _mm512_sub_epi8(_mm512_shuffle_epi8(_mm512_broadcast_i32x4(end_at), four_times),
                        _mm512_set1_epi32(0x00010203));
    const __mmask64 own = _mm512_cmpgt_epi8_mask(
        place, _mm512_shuffle_epi8(_mm512_broadcast_i32x4(before), four_times));
    const __m512i digits =
        _mm512_maskz_sub_epi8(own, _mm512_permutexvar_epi8(place, text),
                              _mm512_set1_epi32(',' << 24 | '0' << 16 | '0' << 8 | '0'));
    const __m512i weighed = _mm512_maddubs_epi16(digits, _mm512_set1_epi32(0x00010a64));
    const __m512i numbers = _mm512_madd_epi16(weighed, _mm512_set1_epi16(1));
    const __m128i bytes = _mm512_cvtepi32_epi8(numbers);
    const __mmask16 other_ends =
        _mm512_test_epi32_mask(digits, _mm512_set1_epi32((int)0xff000000u)) & 0x7fff;
    const __mmask16 too_large = _mm512_cmpgt_epu32_mask(numbers, _mm512_set1_epi32(255));
    const __mmask16 wrong_sizes = /* two to four bytes */
        _mm_cmpgt_epu8_mask(_mm_sub_epi8(taken, _mm_set1_epi8(2)), _mm_set1_epi8(2));
    const __mmask16 zeros_before = _mm_cmplt_epu8_mask(bytes, _mm_shuffle_epi8(least, taken));

    _mm_storeu_si128((__m128i *)(void *)out, bytes);
    if (last_end == 0 || (other_ends | too_large | wrong_sizes | zeros_before) != 0 ||
        last_at >= (size_t)(end - at) || at[last_at] != last)
        return 0;
    return last_at + 1;
}

static const char *scan_byte_list(uint8_t *out, size_t count, const char *at, const char *end)
{
    if (count % 16 != 0)
        return eds_scan_loops_portable.byte_list(out, count, at, end);
    for (; count > 0; count -= 16, out += 16) {
        const size_t taken = take_sixteen(out, at, end, count > 16 ? ',' : ']');

        if (taken == 0)
            return NULL;
        at += taken;
    }
    return at;
}

/* out may be at: what is written is never ahead of what was read. */
static const char *scan_hex(uint8_t *out, const char *at, const char *end)
{
    for (;;) {
        const __m512i text = load_up_to(at, end);
        const __m512i digit = _mm512_sub_epi8(text, _mm512_set1_epi8('0'));
        const __m512i letter =
            _mm512_sub_epi8(_mm512_or_si512(text, _mm512_set1_epi8(0x20)), _mm512_set1_epi8('a'));
        const __mmask64 is_digit = _mm512_cmple_epu8_mask(digit, _mm512_set1_epi8(9));
        const __mmask64 is_letter = _mm512_cmple_epu8_mask(letter, _mm512_set1_epi8(5));
        const __m512i value = _mm512_mask_add_epi8(digit, is_letter, letter, _mm512_set1_epi8(10));
        const __m512i pairs = _mm512_maddubs_epi16(value, _mm512_set1_epi16(0x0110));
        const unsigned good = (unsigned)_tzcnt_u64(~(is_digit | is_letter)) & ~1u; /* whole pairs */

        _mm256_mask_storeu_epi8(out, _bzhi_u32(UINT32_MAX, good / 2), _mm512_cvtepi16_epi8(pairs));
        at += good;
        out += good / 2;
        if (good < 64)
            return at;
    }
}

const struct eds_scan_loops eds_scan_loops_avx512 = {scan_plain, scan_byte_list, scan_hex};

#include "core/target_end.h"

#endif

/* fe25519_x8.h - eight numbers modulo p = 2^255 - 19 side by side, with AVX-512
 * IFMA.
 *
 * Five limbs of 51 bits as in fe25519.h, each a vector of eight.  The processor
 * multiplies 52 by 52 bits, ignoring what is above, and gives the lower or the
 * upper 52 bits of the product.  So the kinds of numbers are
 *
 *   tight  each limb below 2^51 + 2^13
 *   wide   a sum of at most three tight ones: below 2^53
 *   loose  below 2^52: what a multiplication takes
 *
 * and a sum or difference is carried before it is a factor, unlike in fe25519.h.
 *
 * To be included where AVX-512 F and IFMA are compiled for. */
#ifndef EDS_CORE_FE25519_X8_H
#define EDS_CORE_FE25519_X8_H

#include <assert.h>
#include <immintrin.h>
#include <stdint.h>

#include "core/fe25519.h"

#define FE25519_X8_LOOSE (UINT64_C(1) << 52)

struct fe25519_x8 {
    __m512i limb[5];
};

/* Whoever calls these wants no calls: numbers shall stay in registers. */
#define FE25519_X8_INLINE static inline __attribute__((always_inline))

FE25519_X8_INLINE __m512i fe25519_x8_word(uint64_t word)
{
    return _mm512_set1_epi64((long long)word);
}

FE25519_X8_INLINE struct fe25519_x8 fe25519_x8_below(struct fe25519_x8 a, uint64_t bound)
{
#if defined(EDS_CHECK_LIMBS)
    for (unsigned i = 0; i < 5; i++)
        assert(_mm512_cmplt_epu64_mask(a.limb[i], fe25519_x8_word(bound)) == 0xff);
#else
    (void)bound;
#endif
    return a;
}

/* The same number in all lanes. */
FE25519_X8_INLINE struct fe25519_x8 fe25519_x8_set1(struct fe25519 a)
{
    return (struct fe25519_x8){{fe25519_x8_word(a.limb[0]), fe25519_x8_word(a.limb[1]),
                                fe25519_x8_word(a.limb[2]), fe25519_x8_word(a.limb[3]),
                                fe25519_x8_word(a.limb[4])}};
}

/* Each lane its own number, and back. */
static inline struct fe25519_x8 fe25519_x8_set(const struct fe25519 value[8])
{
    struct fe25519_x8 r;
    _Alignas(64) uint64_t word[8];

    for (unsigned i = 0; i < 5; i++) {
        for (unsigned lane = 0; lane < 8; lane++)
            word[lane] = value[lane].limb[i];
        r.limb[i] = _mm512_load_si512(word);
    }
    return fe25519_x8_below(r, FE25519_TIGHT);
}

static inline void fe25519_x8_get(struct fe25519 value[8], struct fe25519_x8 a)
{
    _Alignas(64) uint64_t word[8];

    for (unsigned i = 0; i < 5; i++) {
        _mm512_store_si512(word, a.limb[i]);
        for (unsigned lane = 0; lane < 8; lane++)
            value[lane].limb[i] = word[lane];
    }
}

/* The number in lane 0. */
FE25519_X8_INLINE struct fe25519 fe25519_x8_first(struct fe25519_x8 a)
{
    struct fe25519 r;

    for (unsigned i = 0; i < 5; i++)
        r.limb[i] = (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(a.limb[i]));
    return r;
}

/* Each lane from so many lanes on, round and round. */
FE25519_X8_INLINE struct fe25519_x8 fe25519_x8_rotate(struct fe25519_x8 a, unsigned lanes)
{
    const __m512i from = _mm512_add_epi64(_mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0),
                                          fe25519_x8_word(lanes)); /* modulo 8 */

    for (unsigned i = 0; i < 5; i++)
        a.limb[i] = _mm512_permutexvar_epi64(from, a.limb[i]);
    return a;
}

FE25519_X8_INLINE struct fe25519_x8 fe25519_x8_one(void)
{
    return fe25519_x8_set1(fe25519_one());
}

/* The lower 51 bits of a limb, and what the limb below it carries. */
FE25519_X8_INLINE __m512i fe25519_x8_carry_limb(__m512i limb, __m512i below)
{
    return _mm512_add_epi64(_mm512_and_si512(limb, fe25519_x8_word(FE25519_MASK)),
                            _mm512_srli_epi64(below, 51));
}

/* One carry out of every limb at once, that of the top 19-fold into limb 0.  In:
 * limbs below 2^61.2, which carry at most 2^10.2 each, and the top limb below
 * 2^58.3, so that 19 times its carry is below 2^12.  Out: tight. */
FE25519_X8_INLINE struct fe25519_x8 fe25519_x8_carry(struct fe25519_x8 t)
{
    struct fe25519_x8 r;

    r.limb[0] = _mm512_madd52lo_epu64(_mm512_and_si512(t.limb[0], fe25519_x8_word(FE25519_MASK)),
                                      _mm512_srli_epi64(t.limb[4], 51), fe25519_x8_word(19));
    r.limb[1] = fe25519_x8_carry_limb(t.limb[1], t.limb[0]);
    r.limb[2] = fe25519_x8_carry_limb(t.limb[2], t.limb[1]);
    r.limb[3] = fe25519_x8_carry_limb(t.limb[3], t.limb[2]);
    r.limb[4] = fe25519_x8_carry_limb(t.limb[4], t.limb[3]);
    return fe25519_x8_below(r, FE25519_TIGHT);
}

/* a + b, tight each: a wide sum as it is, or carried to a tight one. */
FE25519_X8_INLINE struct fe25519_x8 fe25519_x8_sum(struct fe25519_x8 a, struct fe25519_x8 b)
{
    struct fe25519_x8 r = {
        {_mm512_add_epi64(a.limb[0], b.limb[0]), _mm512_add_epi64(a.limb[1], b.limb[1]),
         _mm512_add_epi64(a.limb[2], b.limb[2]), _mm512_add_epi64(a.limb[3], b.limb[3]),
         _mm512_add_epi64(a.limb[4], b.limb[4])}};

    return fe25519_x8_below(r, FE25519_WIDE);
}

FE25519_X8_INLINE struct fe25519_x8 fe25519_x8_add(struct fe25519_x8 a, struct fe25519_x8 b)
{
    return fe25519_x8_carry(fe25519_x8_sum(a, b));
}

/* t + bias - b of one limb. */
FE25519_X8_INLINE __m512i fe25519_x8_take_limb(__m512i t, uint64_t bias, __m512i b)
{
    return _mm512_add_epi64(t, _mm512_sub_epi64(fe25519_x8_word(bias), b));
}

/* t + 4 p - b for a wide b, not carried. */
FE25519_X8_INLINE struct fe25519_x8 fe25519_x8_take(struct fe25519_x8 t, struct fe25519_x8 b)
{
    (void)fe25519_x8_below(b, FE25519_WIDE);
    t.limb[0] = fe25519_x8_take_limb(t.limb[0], FE25519_BIAS_0, b.limb[0]);
    t.limb[1] = fe25519_x8_take_limb(t.limb[1], FE25519_BIAS_N, b.limb[1]);
    t.limb[2] = fe25519_x8_take_limb(t.limb[2], FE25519_BIAS_N, b.limb[2]);
    t.limb[3] = fe25519_x8_take_limb(t.limb[3], FE25519_BIAS_N, b.limb[3]);
    t.limb[4] = fe25519_x8_take_limb(t.limb[4], FE25519_BIAS_N, b.limb[4]);
    return t;
}

/* a - b: wide - wide is tight. */
FE25519_X8_INLINE struct fe25519_x8 fe25519_x8_sub(struct fe25519_x8 a, struct fe25519_x8 b)
{
    return fe25519_x8_carry(fe25519_x8_take(fe25519_x8_below(a, FE25519_WIDE), b));
}

/* Ten sums of products, at 2^(51 i). */
struct fe25519_x8_sums {
    __m512i at[10];
};

FE25519_X8_INLINE struct fe25519_x8_sums fe25519_x8_sums_zero(void)
{
    const __m512i zero = _mm512_setzero_si512();

    return (struct fe25519_x8_sums){{zero, zero, zero, zero, zero, zero, zero, zero, zero, zero}};
}

/* Doubles the sums that can be there: not the first and, of unlike limbs, not the
 * last. */
FE25519_X8_INLINE void fe25519_x8_double(struct fe25519_x8_sums *t)
{
    t->at[1] = _mm512_add_epi64(t->at[1], t->at[1]);
    t->at[2] = _mm512_add_epi64(t->at[2], t->at[2]);
    t->at[3] = _mm512_add_epi64(t->at[3], t->at[3]);
    t->at[4] = _mm512_add_epi64(t->at[4], t->at[4]);
    t->at[5] = _mm512_add_epi64(t->at[5], t->at[5]);
    t->at[6] = _mm512_add_epi64(t->at[6], t->at[6]);
    t->at[7] = _mm512_add_epi64(t->at[7], t->at[7]);
    t->at[8] = _mm512_add_epi64(t->at[8], t->at[8]);
    t->at[9] = _mm512_add_epi64(t->at[9], t->at[9]);
}

/* Adds the lower halves of factor * b, the factor standing at 2^(51 place). */
FE25519_X8_INLINE void fe25519_x8_low(struct fe25519_x8_sums *t, unsigned place, __m512i factor,
                                      const struct fe25519_x8 *b)
{
    t->at[place] = _mm512_madd52lo_epu64(t->at[place], factor, b->limb[0]);
    t->at[place + 1] = _mm512_madd52lo_epu64(t->at[place + 1], factor, b->limb[1]);
    t->at[place + 2] = _mm512_madd52lo_epu64(t->at[place + 2], factor, b->limb[2]);
    t->at[place + 3] = _mm512_madd52lo_epu64(t->at[place + 3], factor, b->limb[3]);
    t->at[place + 4] = _mm512_madd52lo_epu64(t->at[place + 4], factor, b->limb[4]);
}

/* The same for upper halves. */
FE25519_X8_INLINE void fe25519_x8_high(struct fe25519_x8_sums *t, unsigned place, __m512i factor,
                                       const struct fe25519_x8 *b)
{
    t->at[place] = _mm512_madd52hi_epu64(t->at[place], factor, b->limb[0]);
    t->at[place + 1] = _mm512_madd52hi_epu64(t->at[place + 1], factor, b->limb[1]);
    t->at[place + 2] = _mm512_madd52hi_epu64(t->at[place + 2], factor, b->limb[2]);
    t->at[place + 3] = _mm512_madd52hi_epu64(t->at[place + 3], factor, b->limb[3]);
    t->at[place + 4] = _mm512_madd52hi_epu64(t->at[place + 4], factor, b->limb[4]);
}

/* r + 19 over: 2^255 = 19 modulo p. */
FE25519_X8_INLINE __m512i fe25519_x8_fold_limb(__m512i r, __m512i over)
{
    __m512i twice = _mm512_add_epi64(over, over);
    __m512i sixteen = _mm512_slli_epi64(over, 4);

    return _mm512_add_epi64(_mm512_add_epi64(r, over), _mm512_add_epi64(twice, sixteen));
}

FE25519_X8_INLINE struct fe25519_x8 fe25519_x8_fold(const struct fe25519_x8_sums *t)
{
    return (struct fe25519_x8){
        {fe25519_x8_fold_limb(t->at[0], t->at[5]), fe25519_x8_fold_limb(t->at[1], t->at[6]),
         fe25519_x8_fold_limb(t->at[2], t->at[7]), fe25519_x8_fold_limb(t->at[3], t->at[8]),
         fe25519_x8_fold_limb(t->at[4], t->at[9])}};
}

/* a * b of loose numbers, not carried.
 *
 * An upper half stands for 2^52 = 2 * 2^51, so for twice itself one place up: the
 * upper halves are summed first and doubled.  A half is below 2^52.  Place i of
 * the ten has at most 5 lower ones and 5 doubled upper ones; limb i of the
 * result, counted in 2^52,
 *   i + 1 + 2 i + 19 (4 - i + 2 (5 - i)) = 267, 213, 159, 105, 51
 * which is below 2^60.1, and below 2^57.7 at the top. */
FE25519_X8_INLINE struct fe25519_x8 fe25519_x8_multiply(struct fe25519_x8 a, struct fe25519_x8 b)
{
    struct fe25519_x8_sums t = fe25519_x8_sums_zero();

    (void)fe25519_x8_below(a, FE25519_X8_LOOSE);
    (void)fe25519_x8_below(b, FE25519_X8_LOOSE);
    fe25519_x8_high(&t, 1, a.limb[0], &b);
    fe25519_x8_high(&t, 2, a.limb[1], &b);
    fe25519_x8_high(&t, 3, a.limb[2], &b);
    fe25519_x8_high(&t, 4, a.limb[3], &b);
    fe25519_x8_high(&t, 5, a.limb[4], &b);
    fe25519_x8_double(&t);
    fe25519_x8_low(&t, 0, a.limb[0], &b);
    fe25519_x8_low(&t, 1, a.limb[1], &b);
    fe25519_x8_low(&t, 2, a.limb[2], &b);
    fe25519_x8_low(&t, 3, a.limb[3], &b);
    fe25519_x8_low(&t, 4, a.limb[4], &b);
    return fe25519_x8_fold(&t);
}

/* Adds the lower, or the upper, half of limb i times limb j of a. */
FE25519_X8_INLINE void fe25519_x8_low_pair(struct fe25519_x8_sums *t, const struct fe25519_x8 *a,
                                           unsigned i, unsigned j)
{
    t->at[i + j] = _mm512_madd52lo_epu64(t->at[i + j], a->limb[i], a->limb[j]);
}

FE25519_X8_INLINE void fe25519_x8_high_pair(struct fe25519_x8_sums *t, const struct fe25519_x8 *a,
                                            unsigned i, unsigned j)
{
    t->at[i + j + 1] = _mm512_madd52hi_epu64(t->at[i + j + 1], a->limb[i], a->limb[j]);
}

/* a * a of a loose number, not carried.  Products of unlike limbs count twice, and
 * upper halves twice: 2 (2 high_unlike + low_unlike + high_like) + low_like, the
 * sums of fe25519_x8_multiply. */
FE25519_X8_INLINE struct fe25519_x8 fe25519_x8_square(struct fe25519_x8 a)
{
    struct fe25519_x8_sums t = fe25519_x8_sums_zero();

    (void)fe25519_x8_below(a, FE25519_X8_LOOSE);
    fe25519_x8_high_pair(&t, &a, 0, 1);
    fe25519_x8_high_pair(&t, &a, 0, 2);
    fe25519_x8_high_pair(&t, &a, 0, 3);
    fe25519_x8_high_pair(&t, &a, 0, 4);
    fe25519_x8_high_pair(&t, &a, 1, 2);
    fe25519_x8_high_pair(&t, &a, 1, 3);
    fe25519_x8_high_pair(&t, &a, 1, 4);
    fe25519_x8_high_pair(&t, &a, 2, 3);
    fe25519_x8_high_pair(&t, &a, 2, 4);
    fe25519_x8_high_pair(&t, &a, 3, 4);
    fe25519_x8_double(&t);
    fe25519_x8_low_pair(&t, &a, 0, 1);
    fe25519_x8_low_pair(&t, &a, 0, 2);
    fe25519_x8_low_pair(&t, &a, 0, 3);
    fe25519_x8_low_pair(&t, &a, 0, 4);
    fe25519_x8_low_pair(&t, &a, 1, 2);
    fe25519_x8_low_pair(&t, &a, 1, 3);
    fe25519_x8_low_pair(&t, &a, 1, 4);
    fe25519_x8_low_pair(&t, &a, 2, 3);
    fe25519_x8_low_pair(&t, &a, 2, 4);
    fe25519_x8_low_pair(&t, &a, 3, 4);
    fe25519_x8_high_pair(&t, &a, 0, 0);
    fe25519_x8_high_pair(&t, &a, 1, 1);
    fe25519_x8_high_pair(&t, &a, 2, 2);
    fe25519_x8_high_pair(&t, &a, 3, 3);
    fe25519_x8_high_pair(&t, &a, 4, 4);
    fe25519_x8_double(&t);
    fe25519_x8_low_pair(&t, &a, 0, 0);
    fe25519_x8_low_pair(&t, &a, 1, 1);
    fe25519_x8_low_pair(&t, &a, 2, 2);
    fe25519_x8_low_pair(&t, &a, 3, 3);
    fe25519_x8_low_pair(&t, &a, 4, 4);
    return fe25519_x8_fold(&t);
}

/* a * b, a^2, a * b - c and a^2 - b: loose factors, wide subtrahends, tight
 * results. */
FE25519_X8_INLINE struct fe25519_x8 fe25519_x8_mul(struct fe25519_x8 a, struct fe25519_x8 b)
{
    return fe25519_x8_carry(fe25519_x8_multiply(a, b));
}

FE25519_X8_INLINE struct fe25519_x8 fe25519_x8_sq(struct fe25519_x8 a)
{
    return fe25519_x8_carry(fe25519_x8_square(a));
}

FE25519_X8_INLINE struct fe25519_x8 fe25519_x8_mul_sub(struct fe25519_x8 a, struct fe25519_x8 b,
                                                       struct fe25519_x8 c)
{
    return fe25519_x8_carry(fe25519_x8_take(fe25519_x8_multiply(a, b), c));
}

FE25519_X8_INLINE struct fe25519_x8 fe25519_x8_sq_sub(struct fe25519_x8 a, struct fe25519_x8 b)
{
    return fe25519_x8_carry(fe25519_x8_take(fe25519_x8_square(a), b));
}

/* 51 bits out of two words, from bit `from` of the lower one on. */
FE25519_X8_INLINE __m512i fe25519_x8_cut(__m512i low, __m512i high, unsigned from)
{
    return _mm512_and_si512(
        _mm512_or_si512(_mm512_srli_epi64(low, from), _mm512_slli_epi64(high, 64 - from)),
        fe25519_x8_word(FE25519_MASK));
}

/* The four words of each lane's number, below 2^255; bit 255 is not read. */
FE25519_X8_INLINE struct fe25519_x8 fe25519_x8_from_words(const __m512i word[4])
{
    const __m512i mask = fe25519_x8_word(FE25519_MASK);

    return (struct fe25519_x8){{
        _mm512_and_si512(word[0], mask),
        fe25519_x8_cut(word[0], word[1], 51),
        fe25519_x8_cut(word[1], word[2], 38),
        fe25519_x8_cut(word[2], word[3], 25),
        _mm512_and_si512(_mm512_srli_epi64(word[3], 12), mask),
    }};
}

/* fe25519_x8_to_words reduces tight numbers below p. */
static inline void fe25519_x8_to_words(uint64_t word[4][8], struct fe25519_x8 a)
{
    struct fe25519 value[8];
    uint64_t one[4];

    fe25519_x8_get(value, a);
    for (unsigned lane = 0; lane < 8; lane++) {
        fe25519_to_words(one, value[lane]);
        for (unsigned i = 0; i < 4; i++)
            word[i][lane] = one[i];
    }
}

#endif

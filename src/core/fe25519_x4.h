/* fe25519_x4.h - four numbers modulo p = 2^255 - 19 side by side, with AVX2.
 *
 * The processor multiplies 32 by 32 bits, so a number is ten limbs, by turns of 26
 * and of 25 bits: limb 2 i stands at 2^(51 i), limb 2 i + 1 at 2^(51 i + 26), and two
 * of them make one limb of fe25519.h.  The kinds of numbers are
 *
 *   tight  each limb below 2^26 + 2^15, or 2^25 + 2^15
 *   loose  below twice that: what a multiplication takes
 *   wide   below three times that: a sum of at most three tight ones
 *
 * and a sum or difference is carried before it is a factor, as in fe25519_x8.h.
 *
 * To be included where AVX2 is compiled for. */
#ifndef EDS_CORE_FE25519_X4_H
#define EDS_CORE_FE25519_X4_H

#include <assert.h>
#include <immintrin.h>
#include <stdint.h>

#include "core/fe25519.h"

/* Bits of limb i, and bounds for it. */
#define FE25519_X4_BITS(i)  (26u - (i) % 2)
#define FE25519_X4_MASK(i)  ((UINT64_C(1) << FE25519_X4_BITS(i)) - 1)
#define FE25519_X4_TIGHT(i) (FE25519_X4_MASK(i) + 1 + (UINT64_C(1) << 15))
#define FE25519_X4_WIDE(i)  (3 * FE25519_X4_TIGHT(i))
#define FE25519_X4_LOOSE(i) (2 * FE25519_X4_TIGHT(i))
#define FE25519_X4_BIAS(i)  (4 * (FE25519_X4_MASK(i) - ((i) == 0 ? 18 : 0))) /* 4 p */

_Static_assert(FE25519_X4_BIAS(0) >= FE25519_X4_WIDE(0) && FE25519_X4_BIAS(1) >= FE25519_X4_WIDE(1),
               "a wide number can be subtracted");
_Static_assert(19 * FE25519_X4_LOOSE(0) <= UINT32_MAX && 4 * FE25519_X4_LOOSE(1) <= UINT32_MAX,
               "multiples of a loose limb are factors");

struct fe25519_x4 {
    __m256i limb[10];
};

#define FE25519_X4_INLINE static inline __attribute__((always_inline))

/* Ten limbs, made by a macro of their number.  Not a loop: compilers keep in
 * registers what they see written out. */
#define FE25519_X4_LIMBS(make)                                                                     \
    {                                                                                              \
        make(0), make(1), make(2), make(3), make(4), make(5), make(6), make(7), make(8), make(9)   \
    }

FE25519_X4_INLINE __m256i fe25519_x4_word(uint64_t word)
{
    return _mm256_set1_epi64x((long long)word);
}

#if defined(EDS_CHECK_LIMBS)
/* Asserts that a bound of the three above holds; times is 1, 3 or 2. */
static inline struct fe25519_x4 fe25519_x4_below(struct fe25519_x4 a, uint64_t times)
{
    for (unsigned i = 0; i < 10; i++) {
        uint64_t word[4];

        _mm256_storeu_si256((__m256i *)(void *)word, a.limb[i]);
        for (unsigned lane = 0; lane < 4; lane++)
            assert(word[lane] < times * FE25519_X4_TIGHT(i));
    }
    return a;
}
#else
#define fe25519_x4_below(a, times) (a)
#endif

/* The same number in all lanes. */
FE25519_X4_INLINE struct fe25519_x4 fe25519_x4_set1(struct fe25519 a)
{
    struct fe25519_x4 r;

    for (unsigned i = 0; i < 5; i++) {
        r.limb[2 * i] = fe25519_x4_word(a.limb[i] & FE25519_X4_MASK(0));
        r.limb[2 * i + 1] = fe25519_x4_word(a.limb[i] >> 26);
    }
    return fe25519_x4_below(r, 1);
}

/* The number of each lane, loose; of a wide one the limbs are below 2^53. */
static inline void fe25519_x4_get(struct fe25519 value[4], struct fe25519_x4 a)
{
    for (unsigned i = 0; i < 5; i++) {
        __m256i both = _mm256_add_epi64(a.limb[2 * i], _mm256_slli_epi64(a.limb[2 * i + 1], 26));
        uint64_t word[4];

        _mm256_storeu_si256((__m256i *)(void *)word, both);
        for (unsigned lane = 0; lane < 4; lane++)
            value[lane].limb[i] = word[lane];
    }
}

/* The number in lane 0. */
static inline struct fe25519 fe25519_x4_first(struct fe25519_x4 a)
{
    struct fe25519 value[4];

    fe25519_x4_get(value, a);
    return value[0];
}

/* Each lane from one or two lanes on, round and round. */
FE25519_X4_INLINE struct fe25519_x4 fe25519_x4_rotate(struct fe25519_x4 a, unsigned lanes)
{
    for (unsigned i = 0; i < 10; i++) /* not in a hurry: once for a whole round */
        a.limb[i] = lanes == 1 ? _mm256_permute4x64_epi64(a.limb[i], 0x39)
                               : _mm256_permute4x64_epi64(a.limb[i], 0x4e);
    return a;
}

FE25519_X4_INLINE struct fe25519_x4 fe25519_x4_one(void)
{
    return fe25519_x4_set1(fe25519_one());
}

FE25519_X4_INLINE __m256i fe25519_x4_times_19(__m256i a)
{
    return _mm256_add_epi64(_mm256_add_epi64(a, _mm256_add_epi64(a, a)), _mm256_slli_epi64(a, 4));
}

/* What a limb has above its bits. */
FE25519_X4_INLINE __m256i fe25519_x4_over(__m256i limb, unsigned i)
{
    return i % 2 == 0 ? _mm256_srli_epi64(limb, 26) : _mm256_srli_epi64(limb, 25);
}

FE25519_X4_INLINE __m256i fe25519_x4_within(__m256i limb, unsigned i)
{
    return _mm256_and_si256(limb, fe25519_x4_word(FE25519_X4_MASK(i)));
}

/* One carry out of every limb at once, for sums of few tight numbers: of limbs
 * below 2^30 that is below 2^5, and 19 times as much for limb 0.  Out: tight. */
FE25519_X4_INLINE struct fe25519_x4 fe25519_x4_carry(struct fe25519_x4 t)
{
#define CARRIED(i)                                                                                 \
    _mm256_add_epi64(fe25519_x4_within(t.limb[i], i),                                              \
                     (i) == 0 ? fe25519_x4_times_19(fe25519_x4_over(t.limb[9], 9))                 \
                              : fe25519_x4_over(t.limb[((i) + 9) % 10], (i) + 1))
    struct fe25519_x4 r = {FE25519_X4_LIMBS(CARRIED)};
#undef CARRIED

    return fe25519_x4_below(r, 1);
}

/* Each lane its own loose number: odd limbs are below 2^28 at first. */
static inline struct fe25519_x4 fe25519_x4_set(const struct fe25519 value[4])
{
    struct fe25519_x4 r;

    for (unsigned i = 0; i < 5; i++) {
        __m256i both = _mm256_set_epi64x((long long)value[3].limb[i], (long long)value[2].limb[i],
                                         (long long)value[1].limb[i], (long long)value[0].limb[i]);

        r.limb[2 * i] = fe25519_x4_within(both, 0);
        r.limb[2 * i + 1] = _mm256_srli_epi64(both, 26);
    }
    return fe25519_x4_carry(r);
}

/* a + b, tight each: a wide sum as it is, or carried to a tight one. */
FE25519_X4_INLINE struct fe25519_x4 fe25519_x4_sum(struct fe25519_x4 a, struct fe25519_x4 b)
{
#define SUM(i) _mm256_add_epi64(a.limb[i], b.limb[i])
    struct fe25519_x4 r = {FE25519_X4_LIMBS(SUM)};
#undef SUM

    return fe25519_x4_below(r, 3);
}

FE25519_X4_INLINE struct fe25519_x4 fe25519_x4_add(struct fe25519_x4 a, struct fe25519_x4 b)
{
    return fe25519_x4_carry(fe25519_x4_sum(a, b));
}

/* t + 4 p - b for a wide b, not carried. */
FE25519_X4_INLINE struct fe25519_x4 fe25519_x4_take(struct fe25519_x4 t, struct fe25519_x4 b)
{
#define TAKEN(i)                                                                                   \
    _mm256_add_epi64(t.limb[i], _mm256_sub_epi64(fe25519_x4_word(FE25519_X4_BIAS(i)), b.limb[i]))
    struct fe25519_x4 r = {FE25519_X4_LIMBS(TAKEN)};
#undef TAKEN

    (void)fe25519_x4_below(b, 3);
    return r;
}

/* a - b: wide - wide is tight. */
FE25519_X4_INLINE struct fe25519_x4 fe25519_x4_sub(struct fe25519_x4 a, struct fe25519_x4 b)
{
    return fe25519_x4_carry(fe25519_x4_take(fe25519_x4_below(a, 3), b));
}

/* Moves what limb i has above its bits to the next limb. */
FE25519_X4_INLINE void fe25519_x4_move(struct fe25519_x4 *t, unsigned i)
{
    __m256i over = fe25519_x4_over(t->limb[i], i);

    if (i == 9)
        over = fe25519_x4_times_19(over);
    t->limb[i] = fe25519_x4_within(t->limb[i], i);
    t->limb[(i + 1) % 10] = _mm256_add_epi64(t->limb[(i + 1) % 10], over);
}

/* Carries sums of products: from 0 to 4 and from 4 to 8 side by side, and round to 1.
 *
 * In: below 2^61.1, limb 9 below 2^57.  So carries are below 2^37, and the one out of
 * limb 9, which got one from limb 8, below 2^33.  Limb 4 comes twice; what it has for
 * limb 5 the second time is below 2^12.  What comes round is below 19 * 2^33, and of
 * that limb 1 gets less than 2^12.  Out: tight. */
FE25519_X4_INLINE struct fe25519_x4 fe25519_x4_reduce(struct fe25519_x4 t)
{
    fe25519_x4_move(&t, 0);
    fe25519_x4_move(&t, 4);
    fe25519_x4_move(&t, 1);
    fe25519_x4_move(&t, 5);
    fe25519_x4_move(&t, 2);
    fe25519_x4_move(&t, 6);
    fe25519_x4_move(&t, 3);
    fe25519_x4_move(&t, 7);
    fe25519_x4_move(&t, 4);
    fe25519_x4_move(&t, 8);
    fe25519_x4_move(&t, 9);
    fe25519_x4_move(&t, 0);
    return fe25519_x4_below(t, 1);
}

/* The factors that a limb is: itself, twice, 19 times. */
struct fe25519_x4_factors {
    __m256i once[10], twice[10], times_19[10];
};

FE25519_X4_INLINE struct fe25519_x4_factors fe25519_x4_factors(struct fe25519_x4 a)
{
#define ONCE(i)     a.limb[i]
#define TWICE(i)    _mm256_add_epi64(a.limb[i], a.limb[i])
#define TIMES_19(i) _mm256_mul_epu32(a.limb[i], fe25519_x4_word(19))
    struct fe25519_x4_factors r = {FE25519_X4_LIMBS(ONCE), FE25519_X4_LIMBS(TWICE),
                                   FE25519_X4_LIMBS(TIMES_19)};
#undef ONCE
#undef TWICE
#undef TIMES_19

    return r;
}

FE25519_X4_INLINE struct fe25519_x4 fe25519_x4_zero(void)
{
    const __m256i zero = _mm256_setzero_si256();

    return (struct fe25519_x4){{zero, zero, zero, zero, zero, zero, zero, zero, zero, zero}};
}

/* Adds limb i of a times limb j of b to a sum of products.
 *
 * They stand at the place of limb i + j, but at twice that if both are odd: then the
 * product counts twice.  From place 10 on it counts 19 times, ten places lower. */
FE25519_X4_INLINE void fe25519_x4_term(struct fe25519_x4 *t, const struct fe25519_x4_factors *a,
                                       const struct fe25519_x4_factors *b, unsigned i, unsigned j)
{
    __m256i *sum = &t->limb[(i + j) % 10];
    __m256i product = _mm256_mul_epu32((i & j & 1) != 0 ? a->twice[i] : a->once[i],
                                       i + j < 10 ? b->once[j] : b->times_19[j]);

    *sum = _mm256_add_epi64(*sum, product);
}

FE25519_X4_INLINE void fe25519_x4_row(struct fe25519_x4 *t, const struct fe25519_x4_factors *a,
                                      const struct fe25519_x4_factors *b, unsigned i)
{
    fe25519_x4_term(t, a, b, i, 0);
    fe25519_x4_term(t, a, b, i, 1);
    fe25519_x4_term(t, a, b, i, 2);
    fe25519_x4_term(t, a, b, i, 3);
    fe25519_x4_term(t, a, b, i, 4);
    fe25519_x4_term(t, a, b, i, 5);
    fe25519_x4_term(t, a, b, i, 6);
    fe25519_x4_term(t, a, b, i, 7);
    fe25519_x4_term(t, a, b, i, 8);
    fe25519_x4_term(t, a, b, i, 9);
}

/* a * b of loose numbers, not carried.  A limb is below 2^27 or 2^26 (and 2^-10 of
 * that more), so the terms of limb 0, the largest of them, make
 *   1 * 2^54 + 19 * (4 * 2^54 + 5 * 2 * 2^52) = 124.5 * 2^54 < 2^61
 * and those of limb 9, which has none from above, 10 * 2^53 < 2^57. */
FE25519_X4_INLINE struct fe25519_x4 fe25519_x4_multiply(struct fe25519_x4 a, struct fe25519_x4 b)
{
    struct fe25519_x4_factors x = fe25519_x4_factors(a), y = fe25519_x4_factors(b);
    struct fe25519_x4 t = fe25519_x4_zero();

    (void)fe25519_x4_below(a, 2);
    (void)fe25519_x4_below(b, 2);
    fe25519_x4_row(&t, &x, &y, 0);
    fe25519_x4_row(&t, &x, &y, 1);
    fe25519_x4_row(&t, &x, &y, 2);
    fe25519_x4_row(&t, &x, &y, 3);
    fe25519_x4_row(&t, &x, &y, 4);
    fe25519_x4_row(&t, &x, &y, 5);
    fe25519_x4_row(&t, &x, &y, 6);
    fe25519_x4_row(&t, &x, &y, 7);
    fe25519_x4_row(&t, &x, &y, 8);
    fe25519_x4_row(&t, &x, &y, 9);
    return t;
}

/* Adds limb i times limb j of a, twice if they are unlike; j below i is not asked. */
FE25519_X4_INLINE void fe25519_x4_pair(struct fe25519_x4 *t, const struct fe25519_x4_factors *a,
                                       const struct fe25519_x4_factors *a_2, unsigned i, unsigned j)
{
    if (i == j)
        fe25519_x4_term(t, a, a, i, j);
    else if (i < j)
        fe25519_x4_term(t, a_2, a, i, j);
}

FE25519_X4_INLINE void fe25519_x4_half_row(struct fe25519_x4 *t, const struct fe25519_x4_factors *a,
                                           const struct fe25519_x4_factors *a_2, unsigned i)
{
    fe25519_x4_pair(t, a, a_2, i, 0);
    fe25519_x4_pair(t, a, a_2, i, 1);
    fe25519_x4_pair(t, a, a_2, i, 2);
    fe25519_x4_pair(t, a, a_2, i, 3);
    fe25519_x4_pair(t, a, a_2, i, 4);
    fe25519_x4_pair(t, a, a_2, i, 5);
    fe25519_x4_pair(t, a, a_2, i, 6);
    fe25519_x4_pair(t, a, a_2, i, 7);
    fe25519_x4_pair(t, a, a_2, i, 8);
    fe25519_x4_pair(t, a, a_2, i, 9);
}

/* a * a of a loose number, not carried: the same sums, with equal products taken
 * once and doubled. */
FE25519_X4_INLINE struct fe25519_x4 fe25519_x4_square(struct fe25519_x4 a)
{
#define TWICE(i) _mm256_add_epi64(a.limb[i], a.limb[i])
    const struct fe25519_x4 a_2 = {FE25519_X4_LIMBS(TWICE)};
#undef TWICE
    struct fe25519_x4_factors x = fe25519_x4_factors(a);
    struct fe25519_x4_factors x_2 = fe25519_x4_factors(a_2);
    struct fe25519_x4 t = fe25519_x4_zero();

    (void)fe25519_x4_below(a, 2);
    fe25519_x4_half_row(&t, &x, &x_2, 0);
    fe25519_x4_half_row(&t, &x, &x_2, 1);
    fe25519_x4_half_row(&t, &x, &x_2, 2);
    fe25519_x4_half_row(&t, &x, &x_2, 3);
    fe25519_x4_half_row(&t, &x, &x_2, 4);
    fe25519_x4_half_row(&t, &x, &x_2, 5);
    fe25519_x4_half_row(&t, &x, &x_2, 6);
    fe25519_x4_half_row(&t, &x, &x_2, 7);
    fe25519_x4_half_row(&t, &x, &x_2, 8);
    fe25519_x4_half_row(&t, &x, &x_2, 9);
    return t;
}

/* a * b, a^2, a * b - c and a^2 - b: loose factors, wide subtrahends, tight
 * results. */
FE25519_X4_INLINE struct fe25519_x4 fe25519_x4_mul(struct fe25519_x4 a, struct fe25519_x4 b)
{
    return fe25519_x4_reduce(fe25519_x4_multiply(a, b));
}

FE25519_X4_INLINE struct fe25519_x4 fe25519_x4_sq(struct fe25519_x4 a)
{
    return fe25519_x4_reduce(fe25519_x4_square(a));
}

FE25519_X4_INLINE struct fe25519_x4 fe25519_x4_mul_sub(struct fe25519_x4 a, struct fe25519_x4 b,
                                                       struct fe25519_x4 c)
{
    return fe25519_x4_reduce(fe25519_x4_take(fe25519_x4_multiply(a, b), c));
}

FE25519_X4_INLINE struct fe25519_x4 fe25519_x4_sq_sub(struct fe25519_x4 a, struct fe25519_x4 b)
{
    return fe25519_x4_reduce(fe25519_x4_take(fe25519_x4_square(a), b));
}

/* A limb out of one word, or out of two, from bit `from` of the lower one on. */
FE25519_X4_INLINE __m256i fe25519_x4_cut(__m256i word, unsigned from, unsigned limb)
{
    return _mm256_and_si256(_mm256_srli_epi64(word, (int)from),
                            fe25519_x4_word(FE25519_X4_MASK(limb)));
}

FE25519_X4_INLINE __m256i fe25519_x4_cut_two(__m256i low, __m256i high, unsigned from,
                                             unsigned limb)
{
    return _mm256_and_si256(_mm256_or_si256(_mm256_srli_epi64(low, (int)from),
                                            _mm256_slli_epi64(high, (int)(64 - from))),
                            fe25519_x4_word(FE25519_X4_MASK(limb)));
}

/* The four words of each lane's number, below 2^255; bit 255 is not read. */
FE25519_X4_INLINE struct fe25519_x4 fe25519_x4_from_words(const __m256i word[4])
{
    return (struct fe25519_x4){{
        fe25519_x4_cut(word[0], 0, 0),
        fe25519_x4_cut(word[0], 26, 1),
        fe25519_x4_cut_two(word[0], word[1], 51, 2),
        fe25519_x4_cut(word[1], 13, 3),
        fe25519_x4_cut(word[1], 38, 4),
        fe25519_x4_cut(word[2], 0, 5),
        fe25519_x4_cut(word[2], 25, 6),
        fe25519_x4_cut_two(word[2], word[3], 51, 7),
        fe25519_x4_cut(word[3], 12, 8),
        fe25519_x4_cut(word[3], 38, 9),
    }};
}

/* fe25519_x4_to_words reduces tight numbers below p. */
static inline void fe25519_x4_to_words(uint64_t word[4][4], struct fe25519_x4 a)
{
    struct fe25519 value[4];
    uint64_t one[4];

    fe25519_x4_get(value, a);
    for (unsigned lane = 0; lane < 4; lane++) {
        fe25519_to_words(one, value[lane]);
        for (unsigned i = 0; i < 4; i++)
            word[i][lane] = one[i];
    }
}

#endif

/* fe25519.h - numbers modulo p = 2^255 - 19, in plain C.
 *
 * A number is five limbs of 51 bits: sum of limb[i] * 2^(51 i).  Limbs may be
 * larger than 51 bits for a while, which saves carries.  Every function says
 * which kind of number it takes and gives:
 *
 *   tight  each limb below 2^51 + 2^13: what a multiplication gives
 *   wide   a sum of at most three tight ones: below 2^53
 *   loose  below 2^54: what a multiplication takes
 *
 * Any tight or wide number is also a loose one.  Builds with
 * EDS_CHECK_LIMBS assert each bound where it is claimed.
 *
 * Only public data comes here, so running time may depend on values. */
#ifndef EDS_CORE_FE25519_H
#define EDS_CORE_FE25519_H

#if defined(__SIZEOF_INT128__)

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

/* libsodium's archive has functions of these names: for the linker ours differ. */
#define fe25519_from_bytes      eds_fe25519_from_bytes
#define fe25519_invert          eds_fe25519_invert
#define fe25519_invert_by_power eds_fe25519_invert_by_power
#define fe25519_is_zero         eds_fe25519_is_zero
#define fe25519_sqrt_ratio      eds_fe25519_sqrt_ratio
#define fe25519_to_bytes        eds_fe25519_to_bytes
#define fe25519_to_words        eds_fe25519_to_words

__extension__ typedef unsigned __int128 fe25519_uint128;

struct fe25519 {
    uint64_t limb[5];
};

#define FE25519_MASK  ((UINT64_C(1) << 51) - 1)
#define FE25519_TIGHT ((UINT64_C(1) << 51) + (UINT64_C(1) << 13))
#define FE25519_WIDE  (3 * FE25519_TIGHT)
#define FE25519_LOOSE (UINT64_C(1) << 54)

/* 4 p, limb by limb, each limb above FE25519_WIDE: added before a subtraction
 * so that no limb goes below zero. */
#define FE25519_BIAS_0 (4 * (FE25519_MASK - 18))
#define FE25519_BIAS_N (4 * FE25519_MASK)

_Static_assert(FE25519_BIAS_0 >= FE25519_WIDE, "a wide number can be subtracted");
_Static_assert(FE25519_WIDE + FE25519_BIAS_N <= FE25519_LOOSE, "a difference is loose");

#if defined(EDS_CHECK_LIMBS)
static inline struct fe25519 fe25519_below(struct fe25519 a, uint64_t bound)
{
    for (unsigned i = 0; i < 5; i++)
        assert(a.limb[i] < bound);
    return a;
}
#else
#define fe25519_below(a, bound) (a)
#endif

static inline struct fe25519 fe25519_zero(void)
{
    return (struct fe25519){{0, 0, 0, 0, 0}};
}

static inline struct fe25519 fe25519_one(void)
{
    return (struct fe25519){{1, 0, 0, 0, 0}};
}

/* a + b without a carry: tight + tight is wide, and so is a third. */
static inline struct fe25519 fe25519_sum(struct fe25519 a, struct fe25519 b)
{
    struct fe25519 r;

    for (unsigned i = 0; i < 5; i++)
        r.limb[i] = a.limb[i] + b.limb[i];
    return fe25519_below(r, FE25519_WIDE);
}

/* The same under the name that says "to be multiplied": tight, tight, loose. */
static inline struct fe25519 fe25519_add(struct fe25519 a, struct fe25519 b)
{
    return fe25519_sum(a, b);
}

/* a - b: wide - wide is loose. */
static inline struct fe25519 fe25519_sub(struct fe25519 a, struct fe25519 b)
{
    struct fe25519 r;

    (void)fe25519_below(a, FE25519_WIDE);
    (void)fe25519_below(b, FE25519_WIDE);
    r.limb[0] = a.limb[0] + (FE25519_BIAS_0 - b.limb[0]);
    for (unsigned i = 1; i < 5; i++)
        r.limb[i] = a.limb[i] + (FE25519_BIAS_N - b.limb[i]);
    return fe25519_below(r, FE25519_LOOSE);
}

/* Five sums of products, each at its power 2^(51 i), on their way to a number. */
struct fe25519_product {
    fe25519_uint128 at[5];
};

/* a * b before the carries.  2^255 = 19 modulo p, so what lies above limb 4
 * comes back 19-fold.  Of loose numbers the sums are below
 *   77, 59, 41, 23, 5 times 2^108, for i = 0 .. 4. */
static inline struct fe25519_product fe25519_multiply(struct fe25519 a, struct fe25519 b)
{
    const uint64_t *x = a.limb, *y = b.limb;
    uint64_t y1 = 19 * y[1], y2 = 19 * y[2], y3 = 19 * y[3], y4 = 19 * y[4]; /* < 2^59 */
    struct fe25519_product t;

    (void)fe25519_below(a, FE25519_LOOSE);
    (void)fe25519_below(b, FE25519_LOOSE);
    t.at[0] = (fe25519_uint128)x[0] * y[0] + (fe25519_uint128)x[1] * y4 +
              (fe25519_uint128)x[2] * y3 + (fe25519_uint128)x[3] * y2 + (fe25519_uint128)x[4] * y1;
    t.at[1] = (fe25519_uint128)x[0] * y[1] + (fe25519_uint128)x[1] * y[0] +
              (fe25519_uint128)x[2] * y4 + (fe25519_uint128)x[3] * y3 + (fe25519_uint128)x[4] * y2;
    t.at[2] = (fe25519_uint128)x[0] * y[2] + (fe25519_uint128)x[1] * y[1] +
              (fe25519_uint128)x[2] * y[0] + (fe25519_uint128)x[3] * y4 +
              (fe25519_uint128)x[4] * y3;
    t.at[3] = (fe25519_uint128)x[0] * y[3] + (fe25519_uint128)x[1] * y[2] +
              (fe25519_uint128)x[2] * y[1] + (fe25519_uint128)x[3] * y[0] +
              (fe25519_uint128)x[4] * y4;
    t.at[4] = (fe25519_uint128)x[0] * y[4] + (fe25519_uint128)x[1] * y[3] +
              (fe25519_uint128)x[2] * y[2] + (fe25519_uint128)x[3] * y[1] +
              (fe25519_uint128)x[4] * y[0];
    return t;
}

/* a * a before the carries: the same sums with equal products taken once and
 * doubled, so below the same bounds. */
static inline struct fe25519_product fe25519_square(struct fe25519 a)
{
    const uint64_t *x = a.limb;
    uint64_t x0 = 2 * x[0], x1 = 2 * x[1];                                     /* < 2^55 */
    uint64_t x3 = 19 * x[3], x4 = 19 * x[4], x2 = 38 * x[2], x4_2 = 38 * x[4]; /* < 2^60 */
    struct fe25519_product t;

    (void)fe25519_below(a, FE25519_LOOSE);
    t.at[0] =
        (fe25519_uint128)x[0] * x[0] + (fe25519_uint128)x[1] * x4_2 + (fe25519_uint128)x[3] * x2;
    t.at[1] =
        (fe25519_uint128)x0 * x[1] + (fe25519_uint128)x[2] * x4_2 + (fe25519_uint128)x[3] * x3;
    t.at[2] =
        (fe25519_uint128)x0 * x[2] + (fe25519_uint128)x[1] * x[1] + (fe25519_uint128)x[3] * x4_2;
    t.at[3] = (fe25519_uint128)x0 * x[3] + (fe25519_uint128)x1 * x[2] + (fe25519_uint128)x[4] * x4;
    t.at[4] =
        (fe25519_uint128)x0 * x[4] + (fe25519_uint128)x1 * x[3] + (fe25519_uint128)x[2] * x[2];
    return t;
}

/* t - b for a wide b, still before the carries; the sums grow by 2^54 at most. */
static inline struct fe25519_product fe25519_take(struct fe25519_product t, struct fe25519 b)
{
    (void)fe25519_below(b, FE25519_WIDE);
    t.at[0] += FE25519_BIAS_0 - b.limb[0];
    t.at[1] += FE25519_BIAS_N - b.limb[1];
    t.at[2] += FE25519_BIAS_N - b.limb[2];
    t.at[3] += FE25519_BIAS_N - b.limb[3];
    t.at[4] += FE25519_BIAS_N - b.limb[4];
    return t;
}

/* Carries down to a tight number.  The sums are those of two loose numbers'
 * product, plus 2^54.  77 * 2^108 < 2^115, so the first four carries are below
 * 2^64 and their casts lose nothing.  The last is below 5 * 2^57 + 2^14, and 19
 * times that plus a limb is below 2^64.  It leaves at most 2^13 for limb 1. */
static inline struct fe25519 fe25519_carry(struct fe25519_product t)
{
    struct fe25519 r;

    t.at[1] += (uint64_t)(t.at[0] >> 51);
    t.at[2] += (uint64_t)(t.at[1] >> 51);
    t.at[3] += (uint64_t)(t.at[2] >> 51);
    t.at[4] += (uint64_t)(t.at[3] >> 51);
    r.limb[0] = ((uint64_t)t.at[0] & FE25519_MASK) + 19 * (uint64_t)(t.at[4] >> 51);
    r.limb[1] = ((uint64_t)t.at[1] & FE25519_MASK) + (r.limb[0] >> 51);
    r.limb[0] &= FE25519_MASK;
    r.limb[2] = (uint64_t)t.at[2] & FE25519_MASK;
    r.limb[3] = (uint64_t)t.at[3] & FE25519_MASK;
    r.limb[4] = (uint64_t)t.at[4] & FE25519_MASK;
    return fe25519_below(r, FE25519_TIGHT);
}

/* a * b, a^2, a * b - c and a^2 - b: loose factors, wide subtrahends, tight
 * results. */
static inline struct fe25519 fe25519_mul(struct fe25519 a, struct fe25519 b)
{
    return fe25519_carry(fe25519_multiply(a, b));
}

static inline struct fe25519 fe25519_sq(struct fe25519 a)
{
    return fe25519_carry(fe25519_square(a));
}

static inline struct fe25519 fe25519_mul_sub(struct fe25519 a, struct fe25519 b, struct fe25519 c)
{
    return fe25519_carry(fe25519_take(fe25519_multiply(a, b), c));
}

static inline struct fe25519 fe25519_sq_sub(struct fe25519 a, struct fe25519 b)
{
    return fe25519_carry(fe25519_take(fe25519_square(a), b));
}

/* The four 64-bit words of a number, lowest first; bit 255 is not read. */
static inline struct fe25519 fe25519_from_words(const uint64_t word[4])
{
    return (struct fe25519){{
        word[0] & FE25519_MASK,
        (word[0] >> 51 | word[1] << 13) & FE25519_MASK,
        (word[1] >> 38 | word[2] << 26) & FE25519_MASK,
        (word[2] >> 25 | word[3] << 39) & FE25519_MASK,
        word[3] >> 12 & FE25519_MASK,
    }};
}

/* fe25519_to_words reduces a loose number below p: its one representation. */
void fe25519_to_words(uint64_t word[4], struct fe25519 a);

/* fe25519_from_bytes reads 32 bytes, least significant first, without bit 255;
 * fe25519_to_bytes writes the one representation below p. */
struct fe25519 fe25519_from_bytes(const uint8_t bytes[32]);
void fe25519_to_bytes(uint8_t bytes[32], struct fe25519 a);

/* fe25519_is_zero: is a loose number a multiple of p? */
bool fe25519_is_zero(struct fe25519 a);

/* fe25519_invert gives 1 / a, and 0 for 0.  Loose in, tight out.  The other one
 * does the same three times as slowly, with less to be believed. */
struct fe25519 fe25519_invert(struct fe25519 a);
struct fe25519 fe25519_invert_by_power(struct fe25519 a);

/* fe25519_sqrt_ratio finds a number whose square is u / v; which of the two is
 * not said.  False if there is none, and *root is then of no use.  v is not 0;
 * loose in, tight out. */
bool fe25519_sqrt_ratio(struct fe25519 *root, struct fe25519 u, struct fe25519 v);

#endif
#endif

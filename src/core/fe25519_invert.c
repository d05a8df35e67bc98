/* fe25519_invert.c - 1 / a by division steps (Bernstein and Yang, "Fast
 * constant-time gcd computation and modular inversion", 2019), here without the
 * constant time: twice as fast as a power, and whole batches wait for it.
 *
 * f begins as p, g as a.  A division step halves g if it is even.  If it is odd, a
 * multiple of f is added that makes it even, and before that, if f has been the
 * same for too long, f and g change places (one of them negated).  In the end g
 * is 0, and f is 1 or -1, the greatest common divisor.
 *
 * What 62 steps do depends on the lowest 62 bits of f and g only.  So they are
 * done there and noted as a matrix, which is then applied to the whole numbers.
 * Beside f and g go d and e, with f = d a and g = e a modulo p, through the same
 * matrices.  In the end 1 = d a or -d a.
 *
 * That this ends soon, and right, is not left to the theory: the result is
 * multiplied by a, and if that were not 1, a power would be taken instead. */
#include "core/fe25519.h"

#if defined(__SIZEOF_INT128__)

#include <assert.h>

__extension__ typedef __int128 int128;

#define STEPS        62
#define WORD_MASK    ((UINT64_C(1) << STEPS) - 1)
#define WORDS        5
#define MATRICES_MAX 14u /* ten do for 256 bits, says the theory */

/* A signed number: the sum of word[i] * 2^(62 i).  All but the last are in
 * 0 .. 2^62 - 1, and the last has the sign. */
struct number {
    int64_t word[WORDS];
};

/* So many steps: 2^62 (f', g') = (u f + v g, q f + r g).  |u| + |v| <= 2^62, and so
 * for q and r. */
struct matrix {
    int64_t u, v, q, r;
};

/* Does 62 steps on the lowest bits.  balance tells how long f has been the same:
 * below 0 it is time to change places.  Returns the new balance.  Arithmetic is
 * modulo 2^64, where minus and more than 62 bits do no harm. */
static int64_t do_steps(struct matrix *out, int64_t balance, uint64_t f, uint64_t g)
{
    uint64_t u = 1, v = 0, q = 0, r = 1;
    int left = STEPS;

    for (;;) {
        int zeros = __builtin_ctzll(g | UINT64_MAX << left); /* at most `left` */
        int64_t cancel;
        uint64_t factor;

        g >>= zeros;
        u <<= zeros;
        v <<= zeros;
        balance -= zeros;
        left -= zeros;
        if (left == 0)
            break;
        if (balance < 0) {
            uint64_t old_f = f, old_u = u, old_v = v;

            balance = -balance;
            f = g, u = q, v = r;
            g = -old_f, q = -old_u, r = -old_v;
        }
        /* Places won't change for the next balance + 1 steps.  So that many low
         * bits of g, six at most, can go at once: g + factor f with factor = -g / f
         * modulo 2^6, where 1 / f = f (2 - f^2) because f is odd. */
        cancel = balance + 1 < left ? balance + 1 : left;
        cancel = cancel < 6 ? cancel : 6;
        factor = f * g * (f * f - 2) & ((UINT64_C(1) << cancel) - 1);
        g += factor * f;
        q += factor * u;
        r += factor * v;
    }
    *out = (struct matrix){(int64_t)u, (int64_t)v, (int64_t)q, (int64_t)r};
    return balance;
}

/* x a + y b of one word each; with |x| + |y| <= 2^62 below 2^124. */
static int128 combine(int64_t x, int64_t a, int64_t y, int64_t b)
{
    return (int128)x * a + (int128)y * b;
}

/* (x f + y g) / 2^62, which is a whole number.  Not larger than the larger one. */
static struct number apply(int64_t x, const struct number *f, int64_t y, const struct number *g)
{
    int128 sum = combine(x, f->word[0], y, g->word[0]);
    struct number out;

    assert(((uint64_t)sum & WORD_MASK) == 0);
    for (unsigned i = 1; i < WORDS; i++) {
        sum = (sum >> STEPS) + combine(x, f->word[i], y, g->word[i]);
        out.word[i - 1] = (int64_t)((uint64_t)sum & WORD_MASK);
    }
    out.word[WORDS - 1] = (int64_t)(sum >> STEPS);
    return out;
}

/* (x d + y e) / 2^62 modulo p: first such a multiple of p is added that the lowest
 * 62 bits are 0.  p = 2^255 - 19, so that is (lowest bits / 19) p, taken between
 * -2^61 and 2^61.  The result exceeds the larger one by p / 2 at most. */
static struct number apply_modulo(int64_t x, const struct number *d, int64_t y,
                                  const struct number *e)
{
    const uint64_t over_19 = UINT64_C(0x06bca1af286bca1b); /* 1 / 19 modulo 2^62 */
    int128 sum = combine(x, d->word[0], y, e->word[0]);
    int64_t multiple = (int64_t)((uint64_t)sum * over_19 & WORD_MASK);
    struct number out;

    if (multiple >= INT64_C(1) << (STEPS - 1))
        multiple -= INT64_C(1) << STEPS;
    sum -= (int128)19 * multiple;
    assert(((uint64_t)sum & WORD_MASK) == 0);
    for (unsigned i = 1; i < WORDS; i++) {
        sum = (sum >> STEPS) + combine(x, d->word[i], y, e->word[i]);
        if (i == WORDS - 1)
            sum += (int128)multiple * (1 << (255 - STEPS * (WORDS - 1)));
        out.word[i - 1] = (int64_t)((uint64_t)sum & WORD_MASK);
    }
    out.word[WORDS - 1] = (int64_t)(sum >> STEPS);
    return out;
}

static bool is_zero(const struct number *a)
{
    return (a->word[0] | a->word[1] | a->word[2] | a->word[3] | a->word[4]) == 0;
}

static struct number from_field(struct fe25519 a)
{
    uint64_t word[4];

    fe25519_to_words(word, a);
    return (struct number){{
        (int64_t)(word[0] & WORD_MASK),
        (int64_t)((word[0] >> 62 | word[1] << 2) & WORD_MASK),
        (int64_t)((word[1] >> 60 | word[2] << 4) & WORD_MASK),
        (int64_t)((word[2] >> 58 | word[3] << 6) & WORD_MASK),
        (int64_t)(word[3] >> 56),
    }};
}

/* Modulo p, tight.  d has grown to at most (1 + MATRICES_MAX / 2) p, so its last
 * word, the part from 2^248 on, is below 2^10 either way: 2^11 p makes it
 * positive, and what is above 2^255 then, below 2^12, comes back 19-fold. */
static struct fe25519 to_field(const struct number *a)
{
    const uint64_t *word = (const uint64_t *)a->word; /* the first four are positive */
    uint64_t top = (uint64_t)(a->word[4] + (INT64_C(2048) << 7));
    struct fe25519 r;

    assert(top < UINT64_C(4096) << 7);
    r.limb[0] = (word[0] & FE25519_MASK) + 19 * (top >> 7);
    r.limb[1] = (word[0] >> 51 | word[1] << 11) & FE25519_MASK;
    r.limb[2] = (word[1] >> 40 | word[2] << 22) & FE25519_MASK;
    r.limb[3] = (word[2] >> 29 | word[3] << 33) & FE25519_MASK;
    r.limb[4] = word[3] >> 18 | (top & 127) << 44;
    /* 2048 * 2^255 stands for 2048 * 19, not for 0 */
    r = fe25519_sub(r, (struct fe25519){{2048 * 19, 0, 0, 0, 0}});
    return fe25519_mul(r, fe25519_one());
}

struct fe25519 fe25519_invert(struct fe25519 a)
{
    struct number f = {{(int64_t)(WORD_MASK - 18), (int64_t)WORD_MASK, (int64_t)WORD_MASK,
                        (int64_t)WORD_MASK, 127}};
    struct number g = from_field(a), d = {{0}}, e = {{1}};
    struct fe25519 inverse;
    int64_t balance = -1;

    for (unsigned i = 0; i < MATRICES_MAX && !is_zero(&g); i++) {
        struct number old_f = f, old_d = d;
        struct matrix m;

        balance = do_steps(&m, balance, (uint64_t)f.word[0], (uint64_t)g.word[0]);
        f = apply(m.u, &old_f, m.v, &g);
        g = apply(m.q, &old_f, m.r, &g);
        d = apply_modulo(m.u, &old_d, m.v, &e);
        e = apply_modulo(m.q, &old_d, m.r, &e);
    }
    inverse = to_field(&d);
    if (f.word[4] < 0)
        inverse = fe25519_mul(fe25519_sub(fe25519_zero(), inverse), fe25519_one());
    if (fe25519_is_zero(fe25519_sub(fe25519_mul(inverse, a), fe25519_one())))
        return inverse;
    return fe25519_invert_by_power(a); /* 0 for 0 */
}

#endif

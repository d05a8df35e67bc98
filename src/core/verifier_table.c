/* verifier_table.c - from a key to its table.
 *
 * 1. The key's point P, negated, is doubled 251 times on the Edwards curve,
 *    where doubling is cheapest; one division brings all the doublings over to
 *    the short form y^2 = x^3 + a x + b.
 * 2. Window j begins with 2^(bits j) P, and grows from n points to 2 n by one
 *    doubling that is there already: the odd multiples 1, 3, .. 2n - 1, plus 2n
 *    each, are 2n + 1 .. 4n - 1.  All windows grow together and share divisions.
 *
 * The map between the forms, with A = 486662:
 *   x = (1 + Y) / (1 - Y) + A / 3,  y = c (x - A / 3) / X,  c^2 = -(A + 2).
 * It is not defined for the neutral point and the point of order two.  Multiples
 * by 1 .. L - 1 of a point that is not of small order are neither, and neither are
 * differences of two unlike ones: nothing in a table is divided by zero. */
#include "core/verifier_impl.h"

#if EDS_VERIFIER_TABLES

#include <assert.h>

#define ADDITIONS_MAX 64u /* that share a division */

/* d of the curve -X^2 + Y^2 = 1 + d X^2 Y^2. */
static const struct fe25519 edwards_d = {
    {0x34dca135978a3, 0x1a8283b156ebd, 0x5e7a26001c029, 0x739c663a03cbb, 0x52036cee2b6ff}};
const struct fe25519 eds_third_of_a = {
    {0x2aaaaaaad2451, 0x5555555555555, 0x2aaaaaaaaaaaa, 0x5555555555555, 0x2aaaaaaaaaaaa}};
const struct fe25519 eds_map_c = {
    {0x604aaff457e06, 0x2296fa350598d, 0x7f13dfb16874f, 0x35de93d846e01, 0x0f26edf460a00}};

/* A point of the Edwards curve: X = x / z, Y = y / z. */
struct edwards_point {
    struct fe25519 x, y, z;
};

/* A point of the short form. */
struct short_point {
    struct fe25519 x, y;
};

/* Minus the point that a key stands for. */
static bool decompress_negated(struct edwards_point *out, const uint8_t public_key[32])
{
    const struct fe25519 one = fe25519_one();
    struct fe25519 y = fe25519_from_bytes(public_key);
    struct fe25519 y_2 = fe25519_sq(y);
    struct fe25519 x;
    uint64_t word[4];

    if (!fe25519_sqrt_ratio(&x, fe25519_sub(y_2, one),
                            fe25519_add(fe25519_mul(y_2, edwards_d), one)))
        return false;
    fe25519_to_words(word, x);
    if ((word[0] & 1) == public_key[31] >> 7) /* the key's own x: take the other */
        x = fe25519_mul(fe25519_sub(fe25519_zero(), x), one);
    *out = (struct edwards_point){x, y, one};
    return true;
}

/* The usual doubling for a = -1, without a fourth coordinate.  All three come
 * out negated, which is the same point and saves negations on the way. */
static struct edwards_point edwards_double(const struct edwards_point *p)
{
    struct fe25519 xx = fe25519_sq(p->x);
    struct fe25519 yy = fe25519_sq(p->y);
    struct fe25519 zz = fe25519_sq(p->z);
    struct fe25519 sum = fe25519_add(xx, yy);
    struct fe25519 e = fe25519_sq_sub(fe25519_add(p->x, p->y), sum);
    struct fe25519 g = fe25519_sub(yy, xx);
    struct fe25519 f = fe25519_sub(fe25519_sum(fe25519_sum(zz, zz), xx), yy);

    return (struct edwards_point){fe25519_mul(e, f), fe25519_mul(g, sum), fe25519_mul(f, g)};
}

/* out[i] = 2^i P in the short form. */
static void double_up(struct short_point out[EDS_SCALAR_BITS], const struct edwards_point *p)
{
    struct edwards_point doubling[EDS_SCALAR_BITS];
    struct fe25519 product = fe25519_one(), inverse;

    for (unsigned i = 0; i < EDS_SCALAR_BITS; i++) {
        const struct edwards_point *q = &doubling[i];

        doubling[i] = i == 0 ? *p : edwards_double(&doubling[i - 1]);
        out[i].x = product; /* of the divisors before this one */
        out[i].y = fe25519_mul(fe25519_sub(q->z, q->y), q->x);
        product = fe25519_mul(product, out[i].y);
    }
    inverse = fe25519_invert(product);
    for (unsigned i = EDS_SCALAR_BITS; i-- > 0;) {
        const struct edwards_point *q = &doubling[i];
        struct fe25519 one_over = fe25519_mul(inverse, out[i].x); /* 1 / ((z - y) x) */
        struct fe25519 part = fe25519_mul(fe25519_add(q->z, q->y), one_over);

        inverse = fe25519_mul(inverse, out[i].y);
        out[i].x = fe25519_mul(fe25519_add(fe25519_mul(part, q->x), eds_third_of_a), fe25519_one());
        out[i].y = fe25519_mul(fe25519_mul(part, q->z), eds_map_c);
    }
}

/* Additions of table points that wait for their common division. */
struct additions {
    unsigned count;
    struct {
        uint64_t *sum; /* where in the table it goes */
        struct short_point p, q;
        struct fe25519 divisor, before; /* q.x - p.x; product of those before it */
    } item[ADDITIONS_MAX];
};

static void run_additions(struct additions *a)
{
    struct fe25519 product = fe25519_one(), inverse;

    for (unsigned i = 0; i < a->count; i++) {
        a->item[i].divisor = fe25519_sub(a->item[i].q.x, a->item[i].p.x);
        a->item[i].before = product;
        product = fe25519_mul(product, a->item[i].divisor);
    }
    inverse = fe25519_invert(product);
    while (a->count > 0) {
        const struct short_point *p, *q;
        struct fe25519 slope, x, y;

        a->count--;
        p = &a->item[a->count].p;
        q = &a->item[a->count].q;
        slope = fe25519_mul(inverse, a->item[a->count].before);
        slope = fe25519_mul(slope, fe25519_sub(q->y, p->y));
        inverse = fe25519_mul(inverse, a->item[a->count].divisor);
        x = fe25519_sq_sub(slope, fe25519_sum(p->x, q->x));
        y = fe25519_mul_sub(slope, fe25519_sub(p->x, x), p->y);
        fe25519_to_words(a->item[a->count].sum, x);
        fe25519_to_words(a->item[a->count].sum + 4, y);
    }
}

/* Orders *sum = *p + q. */
static void add_later(struct additions *a, eds_table_point *sum, const eds_table_point *p,
                      const struct short_point *q)
{
    if (a->count == ADDITIONS_MAX)
        run_additions(a);
    a->item[a->count].sum = *sum;
    a->item[a->count].p.x = fe25519_from_words(*p);
    a->item[a->count].p.y = fe25519_from_words(*p + 4);
    a->item[a->count].q = *q;
    a->count++;
}

bool eds_verifier_table_make(eds_table_point *table, unsigned windows, unsigned bits,
                             const uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    const unsigned half = 1u << (bits - 1);
    eds_table_point *const top = table + (size_t)(windows - 1) * half;
    struct short_point doubling[EDS_SCALAR_BITS], minus;
    struct additions additions = {.count = 0};
    struct edwards_point p;

    assert(windows * bits == EDS_SCALAR_BITS);
    if (!decompress_negated(&p, public_key))
        return false;
    double_up(doubling, &p);
    for (unsigned j = 0; j < windows; j++) {
        fe25519_to_words(table[j * half], doubling[j * bits].x);
        fe25519_to_words(table[j * half] + 4, doubling[j * bits].y);
    }
    for (unsigned round = 0; round < bits - 1; round++) {
        const unsigned count = 1u << round;

        for (unsigned j = 0; j < windows; j++) {
            eds_table_point *window = table + (size_t)j * half;

            for (unsigned i = 0; i < count; i++)
                add_later(&additions, &window[count + i], (const eds_table_point *)&window[i],
                          &doubling[j * bits + round + 1]);
        }
        run_additions(&additions);
    }
    minus.x = doubling[0].x;
    minus.y = fe25519_mul(fe25519_sub(fe25519_zero(), doubling[0].y), fe25519_one());
    for (unsigned i = 0; i < half; i++) /* the topmost window's digits, less one */
        add_later(&additions, &top[half + i], (const eds_table_point *)&top[i], &minus);
    run_additions(&additions);
    return true;
}

#endif

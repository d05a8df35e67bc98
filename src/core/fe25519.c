/* fe25519.c - what is too long to stand in fe25519.h. */
#include "core/fe25519.h"

#if defined(__SIZEOF_INT128__)

#include "core/load64.h"

/* A square root of -1 = 2^((p - 1) / 4). */
static const struct fe25519 sqrt_minus_one = {
    {0x61b274a0ea0b0, 0x0d5a5fc8f189d, 0x7ef5e9cbd0c60, 0x78595a6804c9e, 0x2b8324804fc1d}};

/* One pass of carries, from limb 0 up; what leaves the top comes back 19-fold. */
static struct fe25519 ripple(struct fe25519 a)
{
    uint64_t carry = 0;

    for (unsigned i = 0; i < 5; i++) {
        a.limb[i] += carry;
        carry = a.limb[i] >> 51;
        a.limb[i] &= FE25519_MASK;
    }
    a.limb[0] += 19 * carry;
    return a;
}

/* The first pass leaves a number below 2^255 + 19 * 2^4.  The second either
 * carries nothing out, and then the number is below 2^255, or it leaves one
 * below 19 * 2^5.  So all limbs have their 51 bits, and the number is below
 * 2^255: at most one p too much. */
static struct fe25519 reduce(struct fe25519 a)
{
    struct fe25519 less_p;
    uint64_t carry = 19; /* a >= p just when a + 19 >= 2^255 */

    a = ripple(ripple(fe25519_below(a, FE25519_LOOSE)));
    for (unsigned i = 0; i < 5; i++) {
        less_p.limb[i] = a.limb[i] + carry;
        carry = less_p.limb[i] >> 51;
        less_p.limb[i] &= FE25519_MASK;
    }
    return carry != 0 ? less_p : a;
}

void fe25519_to_words(uint64_t word[4], struct fe25519 a)
{
    a = reduce(a);
    word[0] = a.limb[0] | a.limb[1] << 51;
    word[1] = a.limb[1] >> 13 | a.limb[2] << 38;
    word[2] = a.limb[2] >> 26 | a.limb[3] << 25;
    word[3] = a.limb[3] >> 39 | a.limb[4] << 12;
}

struct fe25519 fe25519_from_bytes(const uint8_t bytes[32])
{
    uint64_t word[4];

    for (unsigned i = 0; i < 4; i++)
        word[i] = eds_load64(bytes + 8 * i);
    return fe25519_from_words(word);
}

void fe25519_to_bytes(uint8_t bytes[32], struct fe25519 a)
{
    uint64_t word[4];

    fe25519_to_words(word, a);
    for (unsigned i = 0; i < 4; i++)
        eds_store64(bytes + 8 * i, word[i]);
}

bool fe25519_is_zero(struct fe25519 a)
{
    a = reduce(a);
    return (a.limb[0] | a.limb[1] | a.limb[2] | a.limb[3] | a.limb[4]) == 0;
}

/* a^(2^count) */
static struct fe25519 square_times(struct fe25519 a, unsigned count)
{
    while (count-- > 0)
        a = fe25519_sq(a);
    return a;
}

/* a^(2^250 - 1), and a^11 on the way: the common part of both powers below. */
static struct fe25519 power_250_ones(struct fe25519 a, struct fe25519 *a_11)
{
    struct fe25519 a_2 = fe25519_sq(a);
    struct fe25519 a_9 = fe25519_mul(square_times(a_2, 2), a);
    struct fe25519 ones_5, ones_10, ones_20, ones_40, ones_50, ones_100, ones_200;

    *a_11 = fe25519_mul(a_9, a_2);
    ones_5 = fe25519_mul(fe25519_sq(*a_11), a_9); /* 22 + 9 = 31 = 2^5 - 1 */
    ones_10 = fe25519_mul(square_times(ones_5, 5), ones_5);
    ones_20 = fe25519_mul(square_times(ones_10, 10), ones_10);
    ones_40 = fe25519_mul(square_times(ones_20, 20), ones_20);
    ones_50 = fe25519_mul(square_times(ones_40, 10), ones_10);
    ones_100 = fe25519_mul(square_times(ones_50, 50), ones_50);
    ones_200 = fe25519_mul(square_times(ones_100, 100), ones_100);
    return fe25519_mul(square_times(ones_200, 50), ones_50);
}

/* a^(p - 2), by Fermat: p - 2 = 2^255 - 21 = (2^250 - 1) 2^5 + 11. */
struct fe25519 fe25519_invert_by_power(struct fe25519 a)
{
    struct fe25519 a_11;
    struct fe25519 ones_250 = power_250_ones(a, &a_11);

    return fe25519_mul(square_times(ones_250, 5), a_11);
}

/* a^((p - 5) / 8): (p - 5) / 8 = 2^252 - 3 = (2^250 - 1) 2^2 + 1. */
static struct fe25519 power_252_minus_3(struct fe25519 a)
{
    struct fe25519 a_11;

    return fe25519_mul(square_times(power_250_ones(a, &a_11), 2), a);
}

/* p = 5 modulo 8.  Then r = u v^3 (u v^7)^((p-5)/8) has v r^2 = u times a
 * fourth root of 1: 1 is a hit, -1 becomes one by the root of -1, and the other
 * two say that u / v is no square. */
bool fe25519_sqrt_ratio(struct fe25519 *root, struct fe25519 u, struct fe25519 v)
{
    struct fe25519 v_3 = fe25519_mul(fe25519_sq(v), v);
    struct fe25519 v_7 = fe25519_mul(fe25519_sq(v_3), v);
    struct fe25519 r = fe25519_mul(fe25519_mul(u, v_3), power_252_minus_3(fe25519_mul(u, v_7)));
    struct fe25519 check = fe25519_mul(v, fe25519_sq(r));
    struct fe25519 u_tight = fe25519_mul(u, fe25519_one());

    *root = r;
    if (fe25519_is_zero(fe25519_sub(check, u_tight)))
        return true;
    *root = fe25519_mul(r, sqrt_minus_one);
    return fe25519_is_zero(fe25519_add(check, u_tight));
}

#endif

/* test_fe25519.c - arithmetic modulo p against slow arithmetic of another kind,
 * with limbs at the bounds that fe25519.h claims. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/fe25519.h"
#include "slow_field.h"
#include "support/dice.h"

#if defined(__SIZEOF_INT128__)

#define ROUNDS 400u

/* A limb below bound: at an edge half of the time. */
static uint64_t roll_limb(struct dice *dice, uint64_t bound)
{
    switch (dice_below(dice, 8)) {
    case 0:
        return 0;
    case 1:
        return bound - 1;
    case 2:
        return bound > FE25519_MASK + 1 ? FE25519_MASK + dice_below(dice, 2) : bound - 1;
    case 3:
        return dice_below(dice, 20); /* with the others full: around p */
    default:
        return dice_u64(dice) % bound;
    }
}

static struct fe25519 roll(struct dice *dice, uint64_t bound)
{
    struct fe25519 a;

    for (unsigned i = 0; i < 5; i++)
        a.limb[i] = roll_limb(dice, bound);
    return a;
}

static struct slow slow_of(struct fe25519 a)
{
    return slow_from_limbs(a.limb, 5, 51);
}

/* Each limb below the bound, and the value the one wanted. */
static void expect(struct fe25519 got, uint64_t bound, struct slow wanted)
{
    uint8_t bytes[32];

    for (unsigned i = 0; i < 5; i++)
        assert_true(got.limb[i] < bound);
    fe25519_to_bytes(bytes, got);
    assert_memory_equal(bytes, wanted.bytes, 32);
}

static void arithmetic(void **state)
{
    struct dice dice;

    (void)state;
    dice_seed(&dice);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct fe25519 t = roll(&dice, FE25519_TIGHT), u = roll(&dice, FE25519_TIGHT);
        struct fe25519 v = roll(&dice, FE25519_WIDE), w = roll(&dice, FE25519_WIDE);
        struct fe25519 x = roll(&dice, FE25519_LOOSE), y = roll(&dice, FE25519_LOOSE);
        struct slow xy = slow_mul(slow_of(x), slow_of(y)), xx = slow_mul(slow_of(x), slow_of(x));

        expect(fe25519_sum(t, u), FE25519_WIDE, slow_add(slow_of(t), slow_of(u)));
        expect(fe25519_add(t, u), FE25519_LOOSE, slow_add(slow_of(t), slow_of(u)));
        expect(fe25519_sub(v, w), FE25519_LOOSE, slow_sub(slow_of(v), slow_of(w)));
        expect(fe25519_mul(x, y), FE25519_TIGHT, xy);
        expect(fe25519_sq(x), FE25519_TIGHT, xx);
        expect(fe25519_mul_sub(x, y, w), FE25519_TIGHT, slow_sub(xy, slow_of(w)));
        expect(fe25519_sq_sub(x, w), FE25519_TIGHT, slow_sub(xx, slow_of(w)));
    }
}

/* Largest of all at once, which rolling seldom gives. */
static void all_limbs_full(void **state)
{
    struct fe25519 x, w;

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        x.limb[i] = FE25519_LOOSE - 1;
        w.limb[i] = FE25519_WIDE - 1;
    }
    expect(fe25519_mul(x, x), FE25519_TIGHT, slow_mul(slow_of(x), slow_of(x)));
    expect(fe25519_sq(x), FE25519_TIGHT, slow_mul(slow_of(x), slow_of(x)));
    expect(fe25519_sub(fe25519_zero(), w), FE25519_LOOSE,
           slow_sub(slow_of(fe25519_zero()), slow_of(w)));
    expect(fe25519_mul_sub(x, x, fe25519_zero()), FE25519_TIGHT, slow_mul(slow_of(x), slow_of(x)));
}

/* From p - 25 to p + 25, and from 2 p - 25 on: the one representation. */
static void around_p(void **state)
{
    (void)state;
    for (unsigned times = 1; times <= 7; times++)
        for (unsigned i = 0; i < 51; i++) {
            struct fe25519 a;
            uint64_t word[4];

            a.limb[0] = times * (FE25519_MASK - 18) + i - 25;
            for (unsigned k = 1; k < 5; k++)
                a.limb[k] = times * FE25519_MASK;
            fe25519_to_words(word, a);
            if (i >= 25) {
                assert_int_equal(word[0], i - 25);
                assert_int_equal(word[1] | word[2] | word[3], 0);
            } else {
                assert_true(word[0] == UINT64_MAX - 18 - (25 - i));
                assert_true(word[3] == UINT64_MAX >> 1);
            }
            assert_int_equal(fe25519_is_zero(a), i == 25);
        }
}

static void words_and_bytes(void **state)
{
    struct dice dice;

    (void)state;
    dice_seed(&dice);
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint8_t bytes[32], again[32];
        struct fe25519 a;

        dice_bytes(&dice, bytes, sizeof bytes);
        if (round % 4 == 0)
            memset(bytes + 1, 0xff, 30);
        a = fe25519_from_bytes(bytes);
        for (unsigned i = 0; i < 5; i++)
            assert_true(a.limb[i] <= FE25519_MASK);
        bytes[31] &= 0x7f; /* is not read */
        fe25519_to_bytes(again, a);
        assert_memory_equal(slow_from_bytes(bytes).bytes, again, 32);
    }
}

static void inversion(void **state)
{
    struct dice dice;

    (void)state;
    dice_seed(&dice);
    assert_true(fe25519_is_zero(fe25519_invert(fe25519_zero())));
    assert_true(fe25519_is_zero(fe25519_invert_by_power(fe25519_zero())));
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct fe25519 a = roll(&dice, FE25519_LOOSE), inverse;

        if (round < 60) { /* small ones, and minus those */
            a = fe25519_zero();
            a.limb[round % 5] = 1 + round / 10;
            if (round % 2 != 0)
                a = fe25519_sub(fe25519_zero(), a);
        }
        if (fe25519_is_zero(a))
            continue;
        inverse = fe25519_invert_by_power(a);
        expect(fe25519_invert(a), FE25519_TIGHT, slow_of(inverse));
        expect(fe25519_mul(inverse, a), FE25519_TIGHT, slow_of(fe25519_one()));
    }
}

static void square_roots(void **state)
{
    struct dice dice;
    unsigned found = 0;

    (void)state;
    dice_seed(&dice);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct fe25519 u = roll(&dice, FE25519_LOOSE), v = roll(&dice, FE25519_LOOSE);
        struct fe25519 root = fe25519_zero(), two = {{2, 0, 0, 0, 0}};

        if (fe25519_is_zero(v) || fe25519_is_zero(u))
            continue;
        if (fe25519_sqrt_ratio(&root, u, v)) {
            found++;
            expect(fe25519_mul(v, fe25519_sq(root)), FE25519_TIGHT, slow_of(u));
            assert_false(fe25519_sqrt_ratio(&root, fe25519_mul(u, two), v));
        } else {
            assert_true(fe25519_sqrt_ratio(&root, fe25519_mul(u, two), v));
        }
    }
    /* 2 is no square modulo p: of u / v and 2 u / v just one is */
    assert_in_range(found, ROUNDS / 4, ROUNDS * 3 / 4);
    assert_true(fe25519_sqrt_ratio(&(struct fe25519){{0}}, fe25519_zero(), fe25519_one()));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic), cmocka_unit_test(all_limbs_full),
        cmocka_unit_test(around_p),   cmocka_unit_test(words_and_bytes),
        cmocka_unit_test(inversion),  cmocka_unit_test(square_roots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    print_message("skipped: no 128-bit integers here\n");
    return 77;
}

#endif

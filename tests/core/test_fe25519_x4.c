/* test_fe25519_x4.c - four numbers modulo p side by side, each against slow
 * arithmetic, with limbs at the bounds that fe25519_x4.h claims. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/cpu.h"
#include "core/fe25519.h"
#include "core/load64.h"
#include "slow_field.h"
#include "support/dice.h"

#if defined(__x86_64__)

#include "core/target_avx2.h"

#include "core/fe25519_x4.h"

#define ROUNDS 100u

/* How many times a tight limb's bound a limb may be. */
enum kind { TIGHT = 1, LOOSE = 2, WIDE = 3 };

/* A limb below bound: at an edge half of the time. */
static uint64_t roll_limb(struct dice *dice, uint64_t bound, uint64_t mask)
{
    switch (dice_below(dice, 6)) {
    case 0:
        return 0;
    case 1:
        return bound - 1;
    case 2:
        return mask - 20 + dice_below(dice, 21);
    default:
        return dice_u64(dice) % bound;
    }
}

/* Lane 0 has all limbs at the bound. */
static struct fe25519_x4 roll(struct dice *dice, enum kind kind)
{
    struct fe25519_x4 a;

    for (unsigned i = 0; i < 10; i++) {
        const uint64_t bound = kind * FE25519_X4_TIGHT(i);
        uint64_t word[4];

        for (unsigned lane = 0; lane < 4; lane++)
            word[lane] = lane == 0 ? bound - 1 : roll_limb(dice, bound, FE25519_X4_MASK(i));
        a.limb[i] = _mm256_loadu_si256((const __m256i *)(const void *)word);
    }
    return a;
}

/* The lanes' values, by the ten limbs as they are: no function under test takes part. */
static void slow_of(struct slow out[4], struct fe25519_x4 a)
{
    uint64_t limb[10][4], pair[4][5];

    for (unsigned i = 0; i < 10; i++)
        _mm256_storeu_si256((__m256i *)(void *)limb[i], a.limb[i]);
    for (unsigned lane = 0; lane < 4; lane++) {
        for (unsigned i = 0; i < 5; i++)
            pair[lane][i] = limb[2 * i][lane] + (limb[2 * i + 1][lane] << 26);
        out[lane] = slow_from_limbs(pair[lane], 5, 51);
    }
}

/* Every limb within its bound, and the value the one wanted. */
static void expect(struct fe25519_x4 got, enum kind kind, const struct slow wanted[4])
{
    struct slow slow[4];

    for (unsigned i = 0; i < 10; i++) {
        uint64_t word[4];

        _mm256_storeu_si256((__m256i *)(void *)word, got.limb[i]);
        for (unsigned lane = 0; lane < 4; lane++)
            assert_true(word[lane] < kind * FE25519_X4_TIGHT(i));
    }
    slow_of(slow, got);
    for (unsigned lane = 0; lane < 4; lane++)
        assert_memory_equal(slow[lane].bytes, wanted[lane].bytes, 32);
}

typedef struct slow (*slow_operation)(struct slow a, struct slow b);

static void expect_of(struct fe25519_x4 got, enum kind kind, slow_operation operation,
                      const struct slow a[4], const struct slow b[4])
{
    struct slow wanted[4];

    for (unsigned lane = 0; lane < 4; lane++)
        wanted[lane] = operation(a[lane], b[lane]);
    expect(got, kind, wanted);
}

static void sums_and_differences(void **state)
{
    struct dice dice;

    (void)state;
    dice_seed(&dice);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct fe25519_x4 t = roll(&dice, TIGHT), u = roll(&dice, TIGHT);
        struct fe25519_x4 v = roll(&dice, WIDE), w = roll(&dice, WIDE);
        struct slow slow_t[4], slow_u[4], slow_v[4], slow_w[4];

        slow_of(slow_t, t);
        slow_of(slow_u, u);
        slow_of(slow_v, v);
        slow_of(slow_w, w);
        expect_of(fe25519_x4_sum(t, u), LOOSE, slow_add, slow_t, slow_u);
        expect_of(fe25519_x4_add(t, u), TIGHT, slow_add, slow_t, slow_u);
        expect_of(fe25519_x4_sub(v, w), TIGHT, slow_sub, slow_v, slow_w);
    }
}

static void products(void **state)
{
    struct dice dice;

    (void)state;
    dice_seed(&dice);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct fe25519_x4 x = roll(&dice, LOOSE), y = roll(&dice, LOOSE), w = roll(&dice, WIDE);
        struct slow slow_x[4], slow_y[4], slow_w[4], product[4];

        slow_of(slow_x, x);
        slow_of(slow_y, y);
        slow_of(slow_w, w);
        expect_of(fe25519_x4_mul(x, y), TIGHT, slow_mul, slow_x, slow_y);
        expect_of(fe25519_x4_sq(x), TIGHT, slow_mul, slow_x, slow_x);
        for (unsigned lane = 0; lane < 4; lane++)
            product[lane] = slow_mul(slow_x[lane], slow_y[lane]);
        expect_of(fe25519_x4_mul_sub(x, y, w), TIGHT, slow_sub, product, slow_w);
        for (unsigned lane = 0; lane < 4; lane++)
            product[lane] = slow_mul(slow_x[lane], slow_x[lane]);
        expect_of(fe25519_x4_sq_sub(x, w), TIGHT, slow_sub, product, slow_w);
    }
}

/* The claim about what a carry of products may get: every limb at 2^61.1, limb 9 at
 * 2^57, and each limb so alone. */
static void carries_at_their_limits(void **state)
{
    const uint64_t top = (UINT64_C(1) << 61) + (UINT64_C(1) << 57), top_9 = UINT64_C(1) << 57;

    (void)state;
    for (unsigned which = 0; which <= 10; which++) {
        struct fe25519_x4 t;
        struct slow wanted[4], sum = {{0}};

        for (unsigned i = 0; i < 10; i++) {
            const uint64_t limb = which == 10 || which == i ? (i == 9 ? top_9 : top) - 1 : 0;
            uint64_t part[10] = {0};
            struct slow high;

            t.limb[i] = fe25519_x4_word(limb);
            part[i / 2] = i % 2 == 0 ? limb : 0;
            sum = slow_add(sum, slow_from_limbs(part, 5, 51));
            part[i / 2] = i % 2 == 0 ? 0 : limb; /* at 2^26 above its place */
            high = slow_from_limbs(part, 5, 51);
            for (unsigned k = 0; k < 26; k++)
                high = slow_add(high, high);
            sum = slow_add(sum, high);
        }
        for (unsigned lane = 0; lane < 4; lane++)
            wanted[lane] = sum;
        expect(fe25519_x4_reduce(t), TIGHT, wanted);
    }
}

static void lanes_in_and_out(void **state)
{
    struct dice dice;
    struct fe25519 in[4], out[4];
    struct fe25519_x4 a;
    struct slow slow[4], wanted[4];

    (void)state;
    dice_seed(&dice);
    for (unsigned lane = 0; lane < 4; lane++)
        for (unsigned i = 0; i < 5; i++) { /* loose ones are taken, too */
            in[lane].limb[i] = lane == 0 ? FE25519_LOOSE - 1 : dice_below(&dice, FE25519_LOOSE);
            wanted[lane] = slow_from_limbs(in[lane].limb, 5, 51);
        }
    a = fe25519_x4_set(in);
    expect(a, TIGHT, wanted);
    fe25519_x4_get(out, a);
    for (unsigned lane = 0; lane < 4; lane++)
        assert_memory_equal(slow_from_limbs(out[lane].limb, 5, 51).bytes, wanted[lane].bytes, 32);
    in[0] = fe25519_x4_first(a);
    assert_memory_equal(&in[0], &out[0], sizeof in[0]);
    for (unsigned away = 1; away <= 2; away++) {
        fe25519_x4_get(in, fe25519_x4_rotate(a, away));
        for (unsigned lane = 0; lane < 4; lane++)
            assert_memory_equal(&in[lane], &out[(lane + away) % 4], sizeof in[0]);
    }
    for (unsigned i = 0; i < 5; i++)
        in[0].limb[i] = FE25519_TIGHT - 1 - i;
    slow_of(slow, fe25519_x4_set1(in[0]));
    for (unsigned lane = 0; lane < 4; lane++)
        assert_memory_equal(slow[lane].bytes, slow_from_limbs(in[0].limb, 5, 51).bytes, 32);
}

static void words(void **state)
{
    struct dice dice;

    (void)state;
    dice_seed(&dice);
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint8_t bytes[4][32];
        uint64_t word[4][4];
        struct slow got[4];
        struct fe25519_x4 a;
        __m256i row[4];

        dice_bytes(&dice, bytes, sizeof bytes);
        memset(bytes[0], 0xff, 32);
        for (unsigned i = 0; i < 4; i++) {
            for (unsigned lane = 0; lane < 4; lane++)
                word[i][lane] = eds_load64(bytes[lane] + 8 * i);
            row[i] = _mm256_loadu_si256((const __m256i *)(const void *)word[i]);
        }
        a = fe25519_x4_from_words(row);
        slow_of(got, a);
        fe25519_x4_to_words(word, a);
        for (unsigned lane = 0; lane < 4; lane++) {
            bytes[lane][31] &= 0x7f; /* is not read */
            assert_memory_equal(got[lane].bytes, slow_from_bytes(bytes[lane]).bytes, 32);
            for (unsigned i = 0; i < 4; i++)
                assert_true(word[i][lane] == eds_load64(got[lane].bytes + 8 * i));
        }
    }
}

static int test_lanes(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_and_differences),
        cmocka_unit_test(products),
        cmocka_unit_test(carries_at_their_limits),
        cmocka_unit_test(lanes_in_and_out),
        cmocka_unit_test(words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "core/target_end.h"

#else

static int test_lanes(void)
{
    return 77;
}

#endif

int main(void)
{
    if ((eds_cpu_features() & EDS_CPU_AVX2) == 0) {
        puts("skipped: this processor has no AVX2");
        return 77;
    }
    return test_lanes();
}

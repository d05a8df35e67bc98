/* test_fe25519_x8.c - eight numbers modulo p side by side, each against slow
 * arithmetic, with limbs at the bounds that fe25519_x8.h claims. */
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

#include "core/target_ifma.h"

#include "core/fe25519_x8.h"
#include "core/transpose_x8.h"

#define ROUNDS 60u

/* A limb below bound: at an edge half of the time. */
static uint64_t roll_limb(struct dice *dice, uint64_t bound)
{
    switch (dice_below(dice, 6)) {
    case 0:
        return 0;
    case 1:
        return bound - 1;
    case 2:
        return FE25519_MASK - 20 + dice_below(dice, 21);
    default:
        return dice_u64(dice) % bound;
    }
}

/* Lane 0 has all limbs at the bound. */
static struct fe25519_x8 roll(struct dice *dice, uint64_t bound)
{
    struct fe25519_x8 a;
    _Alignas(64) uint64_t word[8];

    for (unsigned i = 0; i < 5; i++) {
        for (unsigned lane = 0; lane < 8; lane++)
            word[lane] = lane == 0 ? bound - 1 : roll_limb(dice, bound);
        a.limb[i] = _mm512_load_si512(word);
    }
    return a;
}

static void slow_of(struct slow out[8], struct fe25519_x8 a)
{
    struct fe25519 value[8];

    fe25519_x8_get(value, a);
    for (unsigned lane = 0; lane < 8; lane++)
        out[lane] = slow_from_limbs(value[lane].limb, 5, 51);
}

/* Every limb tight (or below another bound), and the value the one wanted. */
static void expect(struct fe25519_x8 got, uint64_t bound, const struct slow wanted[8])
{
    struct slow slow[8];
    struct fe25519 value[8];

    fe25519_x8_get(value, got);
    slow_of(slow, got);
    for (unsigned lane = 0; lane < 8; lane++) {
        for (unsigned i = 0; i < 5; i++)
            assert_true(value[lane].limb[i] < bound);
        assert_memory_equal(slow[lane].bytes, wanted[lane].bytes, 32);
    }
}

typedef struct slow (*slow_operation)(struct slow a, struct slow b);

static void expect_of(struct fe25519_x8 got, uint64_t bound, slow_operation operation,
                      const struct slow a[8], const struct slow b[8])
{
    struct slow wanted[8];

    for (unsigned lane = 0; lane < 8; lane++)
        wanted[lane] = operation(a[lane], b[lane]);
    expect(got, bound, wanted);
}

static void arithmetic(void **state)
{
    struct dice dice;

    (void)state;
    dice_seed(&dice);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct fe25519_x8 t = roll(&dice, FE25519_TIGHT), u = roll(&dice, FE25519_TIGHT);
        struct fe25519_x8 v = roll(&dice, FE25519_WIDE), w = roll(&dice, FE25519_WIDE);
        struct fe25519_x8 x = roll(&dice, FE25519_X8_LOOSE), y = roll(&dice, FE25519_X8_LOOSE);
        struct slow slow_t[8], slow_u[8], slow_v[8], slow_w[8], slow_x[8], slow_y[8], product[8];

        slow_of(slow_t, t);
        slow_of(slow_u, u);
        slow_of(slow_v, v);
        slow_of(slow_w, w);
        slow_of(slow_x, x);
        slow_of(slow_y, y);
        expect_of(fe25519_x8_sum(t, u), FE25519_WIDE, slow_add, slow_t, slow_u);
        expect_of(fe25519_x8_add(t, u), FE25519_TIGHT, slow_add, slow_t, slow_u);
        expect_of(fe25519_x8_sub(v, w), FE25519_TIGHT, slow_sub, slow_v, slow_w);
        expect_of(fe25519_x8_mul(x, y), FE25519_TIGHT, slow_mul, slow_x, slow_y);
        expect_of(fe25519_x8_sq(x), FE25519_TIGHT, slow_mul, slow_x, slow_x);
        for (unsigned lane = 0; lane < 8; lane++)
            product[lane] = slow_mul(slow_x[lane], slow_y[lane]);
        expect_of(fe25519_x8_mul_sub(x, y, w), FE25519_TIGHT, slow_sub, product, slow_w);
        for (unsigned lane = 0; lane < 8; lane++)
            product[lane] = slow_mul(slow_x[lane], slow_x[lane]);
        expect_of(fe25519_x8_sq_sub(x, w), FE25519_TIGHT, slow_sub, product, slow_w);
    }
}

static void lanes_in_and_out(void **state)
{
    struct dice dice;
    struct fe25519 in[8], out[8];
    struct fe25519_x8 a;

    (void)state;
    dice_seed(&dice);
    fe25519_x8_get(in, roll(&dice, FE25519_TIGHT));
    a = fe25519_x8_set(in);
    fe25519_x8_get(out, a);
    assert_memory_equal(in, out, sizeof in);
    out[0] = fe25519_x8_first(a);
    assert_memory_equal(&in[0], &out[0], sizeof in[0]);
    for (unsigned away = 0; away < 8; away++) {
        fe25519_x8_get(out, fe25519_x8_rotate(a, away));
        for (unsigned lane = 0; lane < 8; lane++)
            assert_memory_equal(&out[lane], &in[(lane + away) % 8], sizeof in[0]);
    }
    fe25519_x8_get(out, fe25519_x8_set1(in[3]));
    for (unsigned lane = 0; lane < 8; lane++)
        assert_memory_equal(&out[lane], &in[3], sizeof in[3]);
}

static void words(void **state)
{
    struct dice dice;

    (void)state;
    dice_seed(&dice);
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint8_t bytes[8][32];
        uint64_t word[4][8];
        struct slow got[8];
        struct fe25519_x8 a;
        __m512i row[4];

        dice_bytes(&dice, bytes, sizeof bytes);
        memset(bytes[0], 0xff, 32);
        for (unsigned i = 0; i < 4; i++) {
            for (unsigned lane = 0; lane < 8; lane++)
                word[i][lane] = eds_load64(bytes[lane] + 8 * i);
            row[i] = _mm512_loadu_si512(word[i]);
        }
        a = fe25519_x8_from_words(row);
        slow_of(got, a);
        fe25519_x8_to_words(word, a);
        for (unsigned lane = 0; lane < 8; lane++) {
            bytes[lane][31] &= 0x7f; /* is not read */
            assert_memory_equal(got[lane].bytes, slow_from_bytes(bytes[lane]).bytes, 32);
            for (unsigned i = 0; i < 4; i++)
                assert_true(word[i][lane] == eds_load64(got[lane].bytes + 8 * i));
        }
    }
}

static void transposition(void **state)
{
    _Alignas(64) uint64_t square[8][8];
    __m512i row[8];

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        for (unsigned k = 0; k < 8; k++)
            square[i][k] = 8 * i + k;
        row[i] = _mm512_load_si512(square[i]);
    }
    eds_transpose_x8(row);
    for (unsigned i = 0; i < 8; i++)
        _mm512_store_si512(square[i], row[i]);
    for (unsigned i = 0; i < 8; i++)
        for (unsigned k = 0; k < 8; k++)
            assert_int_equal(square[i][k], 8 * k + i);
}

static int test_lanes(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic),
        cmocka_unit_test(lanes_in_and_out),
        cmocka_unit_test(words),
        cmocka_unit_test(transposition),
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
    if ((eds_cpu_features() & EDS_CPU_IFMA) == 0) {
        puts("skipped: this processor has no AVX-512 IFMA");
        return 77;
    }
    return test_lanes();
}

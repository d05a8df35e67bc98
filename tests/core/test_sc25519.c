/* test_sc25519.c - arithmetic modulo L against libsodium's. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "core/sc25519.h"
#include "support/dice.h"
#include "support/vectors.h"

#if defined(__SIZEOF_INT128__)

static uint8_t order[32]; /* L */

static void scalar_bytes(uint8_t bytes[32], const struct sc25519 *a)
{
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (uint8_t)(a->word[i / 8] >> i % 8 * 8);
}

static void expect_reduced(const uint8_t wide[64])
{
    struct sc25519 got;
    uint8_t got_bytes[32], wanted[32];

    sc25519_reduce(&got, wide);
    scalar_bytes(got_bytes, &got);
    crypto_core_ed25519_scalar_reduce(wanted, wide);
    assert_memory_equal(got_bytes, wanted, 32);
}

static void random_numbers(void **state)
{
    struct dice dice;
    uint8_t wide[64];

    (void)state;
    dice_seed(&dice);
    for (unsigned round = 0; round < 20000; round++) {
        dice_bytes(&dice, wide, sizeof wide);
        for (unsigned i = 0; i < 8 && round % 2 != 0; i++) /* runs of equal bits */
            if (dice_below(&dice, 2) == 0)
                memset(wide + 8 * i, dice_below(&dice, 2) == 0 ? 0 : 0xff, 8);
        memset(wide + dice_below(&dice, 64), 0, round % 5 == 0 ? dice_below(&dice, 2) : 0);
        expect_reduced(wide);
    }
}

/* m L + d for small d and m of every size, added up byte by byte. */
static void around_multiples(void **state)
{
    struct dice dice;

    (void)state;
    dice_seed(&dice);
    for (unsigned round = 0; round < 4000; round++) {
        uint8_t wide[64] = {0}, factor[32] = {0};
        unsigned size = 1 + round % 32;
        int carry = (int)dice_below(&dice, 7) - 3;

        dice_bytes(&dice, factor, size);
        if (round % 3 == 0)
            memset(factor, 0xff, size);
        for (unsigned i = 0; i < 32; i++) {
            unsigned high = 0;

            for (unsigned k = 0; k < 32; k++) {
                high += wide[i + k] + (unsigned)factor[i] * order[k];
                wide[i + k] = (uint8_t)high;
                high >>= 8;
            }
            wide[i + 32] = (uint8_t)high;
        }
        for (unsigned i = 0; i < 64; i++) {
            carry += wide[i];
            wide[i] = (uint8_t)(carry & 0xff);
            carry = (carry - wide[i]) / 256;
        }
        expect_reduced(wide);
    }
}

static void all_ones_and_zeros(void **state)
{
    uint8_t wide[64];

    (void)state;
    for (unsigned size = 0; size <= 64; size++) {
        memset(wide, 0, sizeof wide);
        memset(wide, 0xff, size);
        expect_reduced(wide);
        memset(wide, 0, sizeof wide);
        if (size > 0)
            wide[size - 1] = 0x80;
        expect_reduced(wide);
    }
}

/* Only what is below L is a scalar: L and one off at every byte. */
static void canonical_only(void **state)
{
    struct sc25519 a = {{1, 2, 3, 4}};
    uint8_t bytes[32], again[32];

    (void)state;
    assert_false(sc25519_from_bytes(&a, order));
    assert_true(a.word[0] == 1 && a.word[3] == 4);
    for (unsigned i = 0; i < 32; i++) {
        memcpy(bytes, order, 32);
        if (bytes[i] < 0xff) {
            bytes[i]++;
            assert_false(sc25519_from_bytes(&a, bytes));
            bytes[i]--;
        }
        if (bytes[i] > 0) {
            bytes[i]--;
            assert_true(sc25519_from_bytes(&a, bytes));
            scalar_bytes(again, &a);
            assert_memory_equal(again, bytes, 32);
        }
    }
    memset(bytes, 0xff, 32);
    assert_false(sc25519_from_bytes(&a, bytes));
}

static int make_order(void **state)
{
    (void)state;
    hex_bytes(order, 32, "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_numbers),
        cmocka_unit_test(around_multiples),
        cmocka_unit_test(all_ones_and_zeros),
        cmocka_unit_test(canonical_only),
    };

    return cmocka_run_group_tests(tests, make_order, NULL);
}

#else

int main(void)
{
    print_message("skipped: no 128-bit integers here\n");
    return 77;
}

#endif

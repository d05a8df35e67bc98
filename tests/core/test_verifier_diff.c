/* test_verifier_diff.c - any number of random, damaged and crafted signatures:
 * every level says what libsodium says.
 *
 * EDS_DIFF_CASES=number in the environment makes it longer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "support/dice.h"
#include "support/vectors.h"
#include "verifier_levels.h"

#define CASES_DEFAULT 12000u
#define KEY_COUNT     24u
#define POOL_COUNT    512u
#define BATCH_COUNT   150u
#define MESSAGE_MAX   300u

/* A key pair whose public key may be off the base point's subgroup. */
struct key {
    uint8_t secret[32], public_key[32];
    struct eds_verifier_table *table;
};

static struct key keys[KEY_COUNT];
static struct verifier_case pool[POOL_COUNT], batch[BATCH_COUNT];
static uint8_t torsion[8][32];

static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                  0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                  0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};

static void make_keys(struct dice *dice)
{
    memset(torsion[0], 0, 32);
    torsion[0][0] = 1;
    hex_bytes(torsion[1], 32, "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05");
    for (unsigned i = 2; i < 8; i++)
        assert_int_equal(crypto_core_ed25519_add(torsion[i], torsion[i - 1], torsion[1]), 0);
    for (unsigned i = 0; i < KEY_COUNT; i++) {
        struct key *key = &keys[i];

        if (i % 4 == 3) { /* a small multiple of the base point, or minus one */
            memset(key->secret, 0, 32);
            key->secret[i / 8] = (uint8_t)(1u << i % 8);
            if (i % 8 == 3)
                crypto_core_ed25519_scalar_negate(key->secret, key->secret);
        } else {
            dice_bytes(dice, key->secret, 32);
            key->secret[31] &= 0x0f;
        }
        assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(key->public_key, key->secret), 0);
        if (i % 4 == 2) /* a component of small order */
            assert_int_equal(
                crypto_core_ed25519_add(key->public_key, key->public_key, torsion[1 + i / 4]), 0);
        key->table = new_table(key->public_key);
        assert_non_null(key->table);
    }
}

/* A signature by the rule, R = rB (plus a point of small order, now and then)
 * and S = r + k a: good for ordinary keys, and sometimes for the others. */
static void sign(struct dice *dice, struct verifier_case *one)
{
    const struct key *key = &keys[dice_below(dice, KEY_COUNT)];
    crypto_hash_sha512_state state;
    uint8_t r[32], hash[64], k[32];

    memcpy(one->public_key, key->public_key, 32);
    one->table = key->table;
    one->message_size = dice_below(dice, dice_below(dice, 3) == 0 ? MESSAGE_MAX : 70);
    dice_bytes(dice, one->message, one->message_size);
    dice_bytes(dice, r, 32);
    r[31] &= 0x0f;
    if (dice_below(dice, 16) == 0)
        memset(r + 1, 0, 31); /* R near the base point */
    r[0] |= 1;
    crypto_scalarmult_ed25519_base_noclamp(one->signature, r);
    if (dice_below(dice, 8) == 0)
        crypto_core_ed25519_add(one->signature, one->signature, torsion[dice_below(dice, 8)]);
    crypto_hash_sha512_init(&state);
    crypto_hash_sha512_update(&state, one->signature, 32);
    crypto_hash_sha512_update(&state, one->public_key, 32);
    crypto_hash_sha512_update(&state, one->message, one->message_size);
    crypto_hash_sha512_final(&state, hash);
    crypto_core_ed25519_scalar_reduce(k, hash);
    crypto_core_ed25519_scalar_mul(k, k, key->secret);
    crypto_core_ed25519_scalar_add(one->signature + 32, k, r);
}

/* S as another number that is the same modulo L, or close to a limit. */
static void spoil_s(struct dice *dice, uint8_t s[32])
{
    unsigned carry = 0;

    switch (dice_below(dice, 4)) {
    case 0: /* S + L */
        for (unsigned i = 0; i < 32; i++) {
            carry += (unsigned)s[i] + order[i];
            s[i] = (uint8_t)carry;
            carry >>= 8;
        }
        return;
    case 1: /* around L */
        memcpy(s, order, 32);
        s[0] = (uint8_t)(s[0] + dice_below(dice, 5) - 2);
        return;
    case 2: /* runs of ones and zeros */
        memset(s + dice_below(dice, 16), dice_below(dice, 2) == 0 ? 0 : 0xff, 16);
        s[31] &= 0x1f;
        return;
    default:
        memset(s, 0, 32);
        s[dice_below(dice, 32)] = (uint8_t)(1u << dice_below(dice, 8));
        return;
    }
}

static void spoil(struct dice *dice, struct verifier_case *one)
{
    size_t other = dice_below(dice, KEY_COUNT);

    switch (dice_below(dice, 16)) {
    case 0:
    case 1:
    case 2: /* one bit of R or S */
        one->signature[dice_below(dice, 64)] ^= (uint8_t)(1u << dice_below(dice, 8));
        return;
    case 3:
    case 4: /* one bit of the message */
        if (one->message_size > 0)
            one->message[dice_below(dice, one->message_size)] ^=
                (uint8_t)(1u << dice_below(dice, 8));
        return;
    case 5: /* another key, or another length */
        memcpy(one->public_key, keys[other].public_key, 32);
        one->table = keys[other].table;
        return;
    case 6:
        one->message_size = dice_below(dice, MESSAGE_MAX);
        return;
    case 7:
        dice_bytes(dice, one->signature, 64);
        one->signature[63] &= (uint8_t)(dice_u64(dice) & 0x1f);
        return;
    case 8: /* R of small order, or a wrong spelling of it */
        memcpy(one->signature, torsion[dice_below(dice, 8)], 32);
        one->signature[31] ^= dice_below(dice, 2) == 0 ? 0x80 : 0;
        return;
    case 9: /* R at or above p */
        memset(one->signature, 0xff, 32);
        one->signature[0] = (uint8_t)(0xe0 + dice_below(dice, 32));
        one->signature[31] ^= dice_below(dice, 2) == 0 ? 0x80 : 0;
        return;
    case 10: /* minus R */
        one->signature[31] ^= 0x80;
        return;
    case 11:
    case 12:
        spoil_s(dice, one->signature + 32);
        return;
    default: /* as it is */
        return;
    }
}

static void differential(void **state)
{
    const char *setting = getenv("EDS_DIFF_CASES");
    uint64_t wanted = setting != NULL ? strtoull(setting, NULL, 10) : CASES_DEFAULT;
    uint64_t count = 0, good = 0, next = 0;
    struct dice dice;

    (void)state;
    dice_seed(&dice);
    make_keys(&dice);
    for (unsigned i = 0; i < POOL_COUNT; i++)
        sign(&dice, &pool[i]);
    while (count < wanted) {
        size_t good_here;

        for (unsigned i = 0; i < BATCH_COUNT / 4; i++)
            sign(&dice, &pool[next++ % POOL_COUNT]);
        for (unsigned i = 0; i < BATCH_COUNT; i++) {
            batch[i] = pool[dice_below(&dice, POOL_COUNT)];
            if (i % 3 != 0)
                spoil(&dice, &batch[i]);
        }
        judge_all(batch, BATCH_COUNT, &good_here);
        count += BATCH_COUNT;
        good += good_here;
        if (count % (1000 * BATCH_COUNT) == 0 && setting != NULL)
            fprintf(stderr, "%llu cases\n", (unsigned long long)count);
    }
    print_message("%llu cases, %llu of them good\n", (unsigned long long)count,
                  (unsigned long long)good);
    assert_in_range(good, count / 4, count * 3 / 4);
    for (unsigned i = 0; i < KEY_COUNT; i++)
        free(keys[i].table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(differential)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

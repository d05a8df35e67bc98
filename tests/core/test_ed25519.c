/* Ed25519 by the vectors of edgesentry-rs: keys, signatures, and where our
 * rule is the stricter one. */
#include "edgesentry/ed25519.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "edgesentry/error.h"
#include "support/dice.h"
#include "support/vectors.h"

static void test_known_answers(void **state)
{
    json_t *file = vector_load("peer/ed25519_kat256.json"), *row;
    size_t index;

    (void)state;
    assert_int_equal(json_array_size(vector_get(file, "cases")), 256);
    json_array_foreach(vector_get(file, "cases"), index, row)
    {
        uint8_t seed[32], public_key[32], message[32], signature[64];

        vector_hex(row, "seed", seed, sizeof seed);
        vector_hex(row, "msg", message, sizeof message);
        eds_ed25519_public_key(public_key, seed);
        assert_hex(public_key, sizeof public_key, vector_string(row, "pub"));
        eds_ed25519_sign(signature, message, sizeof message, seed);
        assert_hex(signature, sizeof signature, vector_string(row, "sig"));
        assert_true(eds_ed25519_verify(signature, message, sizeof message, public_key));
        assert_int_equal(eds_ed25519_check_key(public_key), EDS_KEY_GOOD);
    }
    json_decref(file);
}

/* The 19 values of y from p to 2^255 - 1 and the two "minus zero"s have a
 * shorter, canonical spelling. */
static bool is_canonical(const uint8_t key[32])
{
    static const uint8_t one[31] = {0x01};
    bool high = (key[31] & 0x7f) == 0x7f;
    uint8_t minus_one[31];

    for (size_t i = 1; i < 31; i++)
        high = high && key[i] == 0xff;
    memset(minus_one, 0xff, sizeof minus_one);
    minus_one[0] = 0xec;
    if (high && key[0] >= 0xed)
        return false;
    if (key[31] == 0x80 && memcmp(key, one, sizeof one) == 0)
        return false;
    return !(key[31] == 0xff && memcmp(key, minus_one, sizeof minus_one) == 0);
}

/* What the original takes is taken, but for weak keys and second spellings. */
static void test_public_keys(void **state)
{
    json_t *cases = vector_load("peer/public_keys.json"), *row;
    unsigned counts[4] = {0};
    size_t index;

    (void)state;
    assert_int_equal(json_array_size(cases), 59);
    json_array_foreach(cases, index, row)
    {
        bool is_point = strcmp(vector_string(row, "result"), "ok") == 0;
        enum eds_key_fault fault;
        uint8_t key[32];

        vector_hex(row, "public_key_hex", key, sizeof key);
        fault = eds_ed25519_check_key(key);
        counts[fault]++;
        if (!is_canonical(key))
            assert_int_equal(fault, EDS_KEY_NOT_CANONICAL);
        else if (!is_point)
            assert_int_equal(fault, EDS_KEY_NOT_ON_CURVE);
        else
            assert_int_equal(fault,
                             vector_bool(row, "is_weak") ? EDS_KEY_SMALL_ORDER : EDS_KEY_GOOD);
    }
    for (unsigned i = 0; i < 4; i++)
        assert_true(counts[i] > 0);
    json_decref(cases);
}

/* Verdicts of the original's verify (what it uses) and verify_strict.  Ours is
 * verify, less small-order keys and Rs and second spellings of a key; that is
 * verify_strict wherever the key has its one spelling. */
static void test_verify_semantics(void **state)
{
    json_t *cases = vector_load("peer/ed25519_verify_semantics.json"), *row;
    unsigned accepted = 0, stricter = 0;
    size_t index;

    (void)state;
    assert_int_equal(json_array_size(cases), 289);
    json_array_foreach(cases, index, row)
    {
        uint8_t key[32], message[64], signature[64];
        size_t size = vector_hex(row, "msg", message, sizeof message);
        bool theirs = vector_bool(row, "verify");
        bool ours, expected;

        vector_hex(row, "pub", key, sizeof key);
        vector_hex(row, "sig", signature, sizeof signature);
        ours = eds_ed25519_verify(signature, message, size, key);
        expected = theirs && eds_ed25519_check_key(key) == EDS_KEY_GOOD &&
                   eds_ed25519_check_key(signature) != EDS_KEY_SMALL_ORDER; /* R's spelling */
        if (ours != expected)
            fail_msg("%s: %d", vector_string(row, "name"), ours);
        if (is_canonical(key) && ours != vector_bool(row, "verify_strict"))
            fail_msg("%s: not as verify_strict", vector_string(row, "name"));
        accepted += ours;
        stricter += ours != theirs;
    }
    assert_int_equal(accepted, 32);
    assert_int_equal(stricter, 10);
    json_decref(cases);
}

/* Points with a part of small order are no small-order points: nobody signs for
 * them without the private key, so they may be registered. */
static void test_mixed_order_keys(void **state)
{
    json_t *cases = vector_load("peer/ed25519_verify_semantics.json"), *row;
    unsigned mixed = 0;
    size_t index;

    (void)state;
    json_array_foreach(cases, index, row)
    {
        const char *name = vector_string(row, "name");
        uint8_t key[32];

        if (strncmp(name, "torsion", 7) != 0 || strstr(name, "A+T0") != NULL)
            continue;
        vector_hex(row, "pub", key, sizeof key);
        assert_int_equal(eds_ed25519_check_key(key), EDS_KEY_GOOD);
        mixed++;
    }
    assert_int_equal(mixed, 256 / 8 * 7);
    json_decref(cases);
}

static void test_keygen(void **state)
{
    uint8_t seeds[50][32], public_key[32], derived[32];

    (void)state;
    for (size_t i = 0; i < 50; i++) {
        assert_int_equal(eds_ed25519_keygen(seeds[i], public_key), EDS_OK);
        eds_ed25519_public_key(derived, seeds[i]);
        assert_memory_equal(public_key, derived, sizeof derived);
        for (size_t other = 0; other < i; other++)
            assert_memory_not_equal(seeds[i], seeds[other], sizeof seeds[i]);
    }
}

/* Every one of the bits of signature, message and key counts. */
static void test_every_bit_counts(void **state)
{
    uint8_t seed[32] = {7}, bytes[64 + 32 + 32];
    uint8_t *signature = bytes, *message = bytes + 64, *key = bytes + 96;

    (void)state;
    vector_recipe(message, 32);
    eds_ed25519_public_key(key, seed);
    eds_ed25519_sign(signature, message, 32, seed);
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (eds_ed25519_verify(signature, message, 32, key))
            fail_msg("bit %zu makes no difference", bit);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(eds_ed25519_verify(signature, message, 32, key));
    assert_false(eds_ed25519_verify(signature, message, 31, key));
}

/* The key of 32 bytes 0x01, its id made with b3sum. */
static void test_key_id(void **state)
{
    uint8_t seed[32], key[32], key_id[8];

    (void)state;
    memset(seed, 0x01, sizeof seed);
    eds_ed25519_public_key(key, seed);
    assert_hex(key, sizeof key, "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c");
    eds_key_id(key_id, key);
    assert_hex(key_id, sizeof key_id, "d10eb78182bbf203");
}

static void test_fault_texts(void **state)
{
    (void)state;
    assert_string_equal(eds_key_fault_text(EDS_KEY_SMALL_ORDER), "is a point of small order");
    for (int fault = EDS_KEY_GOOD; fault <= EDS_KEY_SMALL_ORDER; fault++)
        for (int other = EDS_KEY_GOOD; other < fault; other++)
            assert_string_not_equal(eds_key_fault_text((enum eds_key_fault)fault),
                                    eds_key_fault_text((enum eds_key_fault)other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),    cmocka_unit_test(test_public_keys),
        cmocka_unit_test(test_verify_semantics), cmocka_unit_test(test_mixed_order_keys),
        cmocka_unit_test(test_keygen),           cmocka_unit_test(test_every_bit_counts),
        cmocka_unit_test(test_key_id),           cmocka_unit_test(test_fault_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

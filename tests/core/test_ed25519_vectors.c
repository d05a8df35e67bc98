/* Ed25519 by the vectors of others: Wycheproof, speccheck, CCTV, RFC 8032. */
#include "edgesentry/ed25519.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/vectors.h"

/* A signature has 64 bytes by type; whoever reads one from outside refuses
 * other lengths before. */
static bool verify(const json_t *row, const char *signature_field, const char *message_field,
                   const uint8_t key[32])
{
    uint8_t message[1024], signature[128];
    size_t size = vector_hex(row, message_field, message, sizeof message);

    if (vector_hex(row, signature_field, signature, sizeof signature) != EDS_SIGNATURE_SIZE)
        return false;
    return eds_ed25519_verify(signature, message, size, key);
}

static void test_wycheproof(void **state)
{
    json_t *file = vector_load("wycheproof-ed25519/ed25519_test.json"), *group, *row;
    unsigned count = 0, valid = 0;
    size_t i, j;

    (void)state;
    json_array_foreach(vector_get(file, "testGroups"), i, group)
    {
        uint8_t key[32];

        vector_hex(vector_get(group, "publicKey"), "pk", key, sizeof key);
        json_array_foreach(vector_get(group, "tests"), j, row)
        {
            bool expected = strcmp(vector_string(row, "result"), "valid") == 0;

            if (verify(row, "sig", "msg", key) != expected)
                fail_msg("tcId %u", (unsigned)vector_u64(row, "tcId"));
            valid += expected;
            count++;
        }
    }
    assert_int_equal(count, vector_u64(file, "numberOfTests"));
    assert_int_equal(valid, 59);
    json_decref(file);
}

/* The original's own run of Wycheproof: all 151, its verdicts and theirs. */
static void test_wycheproof_of_the_original(void **state)
{
    json_t *cases = vector_load("peer/ed25519_wycheproof.json"), *row;
    size_t index;

    (void)state;
    assert_int_equal(json_array_size(cases), 151);
    json_array_foreach(cases, index, row)
    {
        uint8_t key[32];
        bool ours;

        vector_hex(row, "pub", key, sizeof key);
        ours = verify(row, "sig", "msg", key);
        assert_int_equal(ours, vector_bool(row, "verify"));
        assert_int_equal(ours, strcmp(vector_string(row, "wycheproof"), "valid") == 0);
    }
    json_decref(cases);
}

/* The row "LibSodium" of speccheck's table: V for case 3, X for all others. */
static void test_speccheck(void **state)
{
    json_t *cases = vector_load("ed25519-speccheck/cases.json"), *row;
    size_t index;

    (void)state;
    assert_int_equal(json_array_size(cases), 8);
    json_array_foreach(cases, index, row)
    {
        uint8_t key[32];

        vector_hex(row, "pub_key", key, sizeof key);
        assert_int_equal(verify(row, "signature", "message", key), vector_u64(row, "case") == 3);
    }
    json_decref(cases);
}

static bool has_flag(const json_t *row, const char *flag)
{
    json_t *value;
    size_t index;

    json_array_foreach(json_object_get(row, "flags"), index, value)
    {
        if (strcmp(json_string_value(value), flag) == 0)
            return true;
    }
    return false;
}

/* The rule of edgesentry/ed25519.h in CCTV's words: no small order and one
 * spelling for A and R, and nothing that only a cofactor would remove.  Parts
 * of small order alone do not matter. */
static bool rule_accepts(const json_t *row)
{
    return !has_flag(row, "low_order_A") && !has_flag(row, "low_order_R") &&
           !has_flag(row, "non_canonical_A") && !has_flag(row, "non_canonical_R") &&
           !has_flag(row, "low_order_residue");
}

static void test_cctv(void **state)
{
    json_t *cases = vector_load("cctv-ed25519/ed25519vectors.json"), *row;
    unsigned accepted = 0;
    size_t index;

    (void)state;
    assert_int_equal(json_array_size(cases), 610);
    json_array_foreach(cases, index, row)
    {
        const char *message = vector_string(row, "msg");
        uint8_t key[32], signature[64];
        bool ours;

        vector_hex(row, "key", key, sizeof key);
        vector_hex(row, "sig", signature, sizeof signature);
        ours = eds_ed25519_verify(signature, message, strlen(message), key);
        if (ours != rule_accepts(row))
            fail_msg("number %u: %d", (unsigned)vector_u64(row, "number"), ours);
        accepted += ours;
    }
    assert_int_equal(accepted, 29);
    json_decref(cases);
}

/* check_key by CCTV's flags: what verifies nothing may not be registered. */
static void test_cctv_keys(void **state)
{
    json_t *cases = vector_load("cctv-ed25519/ed25519vectors.json"), *row;
    size_t index;

    (void)state;
    json_array_foreach(cases, index, row)
    {
        enum eds_key_fault expected = EDS_KEY_GOOD;
        uint8_t key[32];

        if (has_flag(row, "non_canonical_A"))
            expected = EDS_KEY_NOT_CANONICAL;
        else if (has_flag(row, "low_order_A"))
            expected = EDS_KEY_SMALL_ORDER;
        vector_hex(row, "key", key, sizeof key);
        assert_int_equal(eds_ed25519_check_key(key), expected);
    }
    json_decref(cases);
}

static void check_flips(uint8_t *bytes, size_t size, const uint8_t *signature,
                        const uint8_t *message, size_t message_size, const uint8_t *key,
                        size_t number)
{
    size_t bit;

    if (size == 0)
        return;
    bit = number * 37 % (8 * size); /* another one in every case */
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    assert_false(eds_ed25519_verify(signature, message, message_size, key));
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

static void test_sign_input(void **state)
{
    json_t *cases = vector_load("rfc8032/ed25519_sign.json"), *row;
    unsigned of_rfc = 0;
    size_t index;

    (void)state;
    assert_int_equal(json_array_size(cases), 343);
    json_array_foreach(cases, index, row)
    {
        uint8_t seed[32], key[32], message[1024], signature[64];
        size_t size = vector_hex(row, "msg", message, sizeof message);

        vector_hex(row, "seed", seed, sizeof seed);
        eds_ed25519_public_key(key, seed);
        assert_hex(key, sizeof key, vector_string(row, "pub"));
        eds_ed25519_sign(signature, message, size, seed);
        assert_hex(signature, sizeof signature, vector_string(row, "sig"));
        assert_true(eds_ed25519_verify(signature, message, size, key));
        check_flips(signature, sizeof signature, signature, message, size, key, index);
        check_flips(message, size, signature, message, size, key, index);
        check_flips(key, sizeof key, signature, message, size, key, index);
        of_rfc += json_object_get(row, "rfc8032") != NULL;
    }
    assert_true(of_rfc >= 3);
    json_decref(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wycheproof), cmocka_unit_test(test_wycheproof_of_the_original),
        cmocka_unit_test(test_speccheck),  cmocka_unit_test(test_cctv),
        cmocka_unit_test(test_cctv_keys),  cmocka_unit_test(test_sign_input),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

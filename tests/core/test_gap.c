/* Gap records: one byte form, one meaning, one signer. */
#include "core/gap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "support/vectors.h"

struct operator
{
    uint8_t seed[32], key[32];
};

static void make_operator(struct operator* operator, uint8_t byte)
{
    memset(operator->seed, byte, sizeof operator->seed);
    eds_ed25519_public_key(operator->key, operator->seed);
}

static struct eds_gap sample(void)
{
    struct eds_gap gap = {.device_id = "lift-01",
                          .last_sequence = 4,
                          .resume_sequence = 300,
                          .closed_ms = 1795305600123,
                          .operator_name = "alice",
                          .reason = "flash replaced"};

    memset(gap.last_record_hash, 0x44, sizeof gap.last_record_hash);
    memset(gap.resume_hash, 0x99, sizeof gap.resume_hash);
    return gap;
}

/* Canonical bytes written by hand from docs/SPEC.md; hash with b3sum, signature with
 * OpenSSL (the key 32 x 0x01). */
static void test_known_answer(void **state)
{
    struct eds_gap gap = sample();
    struct operator operator;
    uint8_t bytes[EDS_GAP_SIZE_MAX], message[EDS_GAP_MESSAGE_SIZE];
    size_t size;

    (void)state;
    make_operator(&operator, 0x01);
    assert_int_equal(eds_gap_sign(&gap, operator.seed, NULL), EDS_OK);
    size = eds_gap_encode(bytes, &gap);
    assert_int_equal(size, 102);
    assert_hex(bytes, size,
               "07"
               "6c6966742d3031"
               "04"
               "4444444444444444444444444444444444444444444444444444444444444444"
               "ac02"
               "9999999999999999999999999999999999999999999999999999999999999999"
               "fbe8b584a034"
               "05"
               "616c696365"
               "0e"
               "666c617368207265706c61636564");
    eds_gap_message(message, &gap);
    assert_memory_equal(message, "edgesentry/gap-record/v1", 24);
    assert_hex(message + 24, 8, "d10eb78182bbf203");
    assert_hex(message + 32, 32,
               "94ab3cb36da0ded202fa647723315ce946f46eded6807634872a018218680f9c");
    assert_hex(gap.key_id, 8, "d10eb78182bbf203");
    assert_hex(gap.signature, 64,
               "8e5c5989b389c71eff4d78fb6570d3051bb99db9b638ec780e6bba725bb27f14"
               "fc772d5510c43fefb2607033d43f3caac361432ae353ab50cc6a58890a4ec601");
    assert_true(eds_gap_verify(&gap, operator.key));
}

/* Whatever is changed, the signature is another gap's. */
static void test_each_field_is_signed(void **state)
{
    struct eds_gap gap = sample(), changed;
    struct operator operator, other;

    (void)state;
    make_operator(&operator, 0x01);
    make_operator(&other, 0x02);
    assert_int_equal(eds_gap_sign(&gap, operator.seed, NULL), EDS_OK);
#define CHANGED(what)                                                                              \
    changed = gap;                                                                                 \
    changed.what;                                                                                  \
    assert_false(eds_gap_verify(&changed, operator.key))
    CHANGED(device_id[6] = '2');
    CHANGED(last_sequence = 5);
    CHANGED(last_record_hash[31] ^= 1);
    CHANGED(resume_sequence = 299);
    CHANGED(resume_hash[0] ^= 1);
    CHANGED(closed_ms++);
    CHANGED(operator_name[0] = 'b');
    CHANGED(reason[0] = 'F');
    CHANGED(key_id[0] ^= 1);
    CHANGED(signature[63] ^= 1);
    assert_false(eds_gap_verify(&gap, other.key));
    assert_true(eds_gap_verify(&gap, operator.key));
}

/* Each row is one edit away from a gap that can be one. */
static void test_what_can_be_a_gap(void **state)
{
    struct eds_gap gap;
    struct eds_error err;

    (void)state;
#define ROW(edit, wanted)                                                                          \
    gap = sample();                                                                                \
    gap.edit;                                                                                      \
    err.code = EDS_OK;                                                                             \
    assert_int_equal(eds_gap_check(&gap, &err), wanted);                                           \
    assert_int_equal(err.code, wanted)
    ROW(closed_ms = UINT64_MAX, EDS_OK);
    ROW(resume_sequence = 5, EDS_OK);
    ROW(resume_sequence = UINT64_MAX, EDS_OK);
    ROW(resume_sequence = 4, EDS_ERR_USAGE);
    ROW(resume_sequence = 0, EDS_ERR_USAGE);
    ROW(last_sequence = 0, EDS_ERR_USAGE); /* and a hash all the same */
    ROW(last_sequence = UINT64_MAX, EDS_ERR_USAGE);
    ROW(device_id[0] = '\0', EDS_ERR_USAGE);
    ROW(device_id[3] = '\n', EDS_OK); /* as a record may have it */
    ROW(device_id[3] = '\xff', EDS_ERR_INVALID_UTF8);
    ROW(operator_name[3] = '\n', EDS_ERR_USAGE);
    ROW(operator_name[0] = '\0', EDS_ERR_USAGE);
    ROW(reason[0] = '\0', EDS_ERR_USAGE);
    ROW(reason[3] = '\n', EDS_ERR_USAGE);
    ROW(reason[3] = '\x7f', EDS_ERR_USAGE);
    ROW(reason[0] = '\xff', EDS_ERR_INVALID_UTF8);
    gap = sample();
    memset(gap.reason, 'x', sizeof gap.reason);
    assert_int_equal(eds_gap_check(&gap, &err), EDS_ERR_STRING_TOO_LONG);
    assert_string_equal(err.text, "reason is longer than 511 bytes");
    assert_false(eds_gap_verify(&gap, gap.resume_hash)); /* and nothing is read past its end */
    gap = sample();
    gap.resume_sequence = 5;
    memcpy(gap.resume_hash, gap.last_record_hash, EDS_HASH_SIZE);
    assert_int_equal(eds_gap_check(&gap, &err), EDS_ERR_USAGE);
    gap = sample();
    gap.last_sequence = 0;
    memset(gap.last_record_hash, 0, EDS_HASH_SIZE);
    assert_int_equal(eds_gap_check(&gap, &err), EDS_OK);
    gap.resume_sequence = 1;
    assert_int_equal(eds_gap_check(&gap, &err), EDS_ERR_USAGE);
}

static void test_longest(void **state)
{
    struct eds_gap gap = sample();
    struct operator operator;
    uint8_t bytes[EDS_GAP_SIZE_MAX];

    (void)state;
    make_operator(&operator, 0x07);
    memset(gap.device_id, 'd', sizeof gap.device_id - 1);
    memset(gap.operator_name, 'o', sizeof gap.operator_name - 1);
    memset(gap.reason, 'r', sizeof gap.reason - 1);
    gap.last_sequence = UINT64_MAX - 1;
    gap.resume_sequence = gap.closed_ms = UINT64_MAX;
    assert_int_equal(eds_gap_sign(&gap, operator.seed, NULL), EDS_OK);
    assert_int_equal(eds_gap_encode(bytes, &gap), EDS_GAP_SIZE_MAX);
    assert_true(eds_gap_verify(&gap, operator.key));
}

static void test_ends(void **state)
{
    struct eds_gap gap = sample();

    (void)state;
    assert_int_equal(eds_gap_missing(&gap), 295);
    assert_true(eds_gap_begins_at(&gap, 4, gap.last_record_hash));
    assert_false(eds_gap_begins_at(&gap, 5, gap.last_record_hash));
    assert_false(eds_gap_begins_at(&gap, 4, gap.resume_hash));
    assert_true(eds_gap_ends_at(&gap, 299, gap.resume_hash));
    assert_false(eds_gap_ends_at(&gap, 300, gap.resume_hash));
    assert_false(eds_gap_ends_at(&gap, 299, gap.last_record_hash));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answer),
        cmocka_unit_test(test_each_field_is_signed),
        cmocka_unit_test(test_what_can_be_a_gap),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

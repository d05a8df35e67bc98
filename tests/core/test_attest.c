/* Attestations: for one record, by one key, and for nothing else. */
#include "edgesentry/attest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/vectors.h"

struct device {
    uint8_t seed[32], key[32];
};

static void make_device(struct device *device, uint8_t byte)
{
    memset(device->seed, byte, sizeof device->seed);
    eds_ed25519_public_key(device->key, device->seed);
}

static void make_record(EdsAuditRecord *record, uint8_t hash[32], uint64_t sequence,
                        const struct device *device)
{
    assert_int_equal(eds_record_sign(record, "lift-01", sequence, 1700000000000, "abc", 3, NULL,
                                     "ref", device->seed, NULL),
                     EDS_OK);
    assert_int_equal(eds_record_digest(hash, record), EDS_OK);
}

/* The hash of the original's sign-record example, attested with seed 32 x 0x01;
 * key id made with b3sum, signature with OpenSSL. */
static void test_known_answer(void **state)
{
    struct eds_attestation attestation;
    struct device device;
    uint8_t hash[32];

    (void)state;
    make_device(&device, 0x01);
    hex_bytes(hash, sizeof hash,
              "1d9efee656b036486dd3d3862539296dc70b3858ad06c90c5eb2155bc2e2b4e2");
    eds_attest_sign(&attestation, hash, device.seed);
    assert_true(attestation.present);
    assert_hex(attestation.key_id, 8, "d10eb78182bbf203");
    assert_hex(attestation.signature, 64,
               "20804b05ba9d4a92685d0f4208a1cbd689b579bdfa61718deee9642787feaca2"
               "97dbb746f52341f18ad0f6ec60c43b01bce1c9aeca89c5d7811c1bc86b409a08");
    assert_true(eds_attest_verify(&attestation, hash, device.key));
}

static void test_absent(void **state)
{
    struct eds_attestation attestation;
    struct device device;
    uint8_t hash[32] = {0};

    (void)state;
    make_device(&device, 1);
    eds_attest_sign(&attestation, hash, device.seed);
    attestation.present = false;
    assert_false(eds_attest_verify(&attestation, hash, device.key));
}

static void test_wrong_key(void **state)
{
    struct eds_attestation attestation;
    struct device device, other;
    uint8_t hash[32] = {0};

    (void)state;
    make_device(&device, 1);
    make_device(&other, 2);
    eds_attest_sign(&attestation, hash, device.seed);
    assert_false(eds_attest_verify(&attestation, hash, other.key));
    /* Named after the other key, it is still no signature of its. */
    eds_key_id(attestation.key_id, other.key);
    assert_false(eds_attest_verify(&attestation, hash, other.key));
    assert_false(eds_attest_verify(&attestation, hash, device.key));
}

/* Every bit of key id, signature and record hash counts. */
static void test_every_bit_counts(void **state)
{
    struct eds_attestation attestation;
    struct device device;
    uint8_t hash[32];
    struct {
        uint8_t *bytes;
        size_t size;
    } parts[] = {{attestation.key_id, sizeof attestation.key_id},
                 {attestation.signature, sizeof attestation.signature},
                 {hash, sizeof hash}};

    (void)state;
    vector_recipe(hash, sizeof hash);
    make_device(&device, 1);
    eds_attest_sign(&attestation, hash, device.seed);
    for (size_t part = 0; part < 3; part++)
        for (size_t bit = 0; bit < 8 * parts[part].size; bit++) {
            parts[part].bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_false(eds_attest_verify(&attestation, hash, device.key));
            parts[part].bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    assert_true(eds_attest_verify(&attestation, hash, device.key));
}

/* What the record's own signature lets pass, the attestation does not: each of
 * the fields around a captured payload. */
static void test_covers_the_whole_record(void **state)
{
    struct eds_attestation attestation;
    struct device device;
    EdsAuditRecord record, forged;
    uint8_t hash[32], forged_hash[32];

    (void)state;
    make_device(&device, 1);
    make_record(&record, hash, 1, &device);
    eds_attest_sign(&attestation, hash, device.seed);
    for (unsigned field = 0; field < 5; field++) {
        forged = record;
        if (field == 0)
            forged.sequence++;
        else if (field == 1)
            forged.timestamp_ms++;
        else if (field == 2)
            forged.device_id[0] = 'L';
        else if (field == 3)
            forged.object_ref[0] = 'R';
        else
            forged.prev_record_hash[0] = 1;
        assert_int_equal(eds_record_digest(forged_hash, &forged), EDS_OK);
        assert_true(eds_record_verify(&forged, device.key));
        assert_false(eds_attest_verify(&attestation, forged_hash, device.key));
    }
}

/* Two records of one payload have one signature; their attestations cannot be
 * swapped, nor moved to a third record. */
static void test_swapped(void **state)
{
    struct eds_attestation first, second;
    struct device device;
    EdsAuditRecord one, two;
    uint8_t hash_one[32], hash_two[32];

    (void)state;
    make_device(&device, 1);
    make_record(&one, hash_one, 1, &device);
    make_record(&two, hash_two, 2, &device);
    eds_attest_sign(&first, hash_one, device.seed);
    eds_attest_sign(&second, hash_two, device.seed);
    assert_memory_equal(one.signature, two.signature, sizeof one.signature);
    assert_true(eds_attest_verify(&first, hash_one, device.key));
    assert_true(eds_attest_verify(&second, hash_two, device.key));
    assert_false(eds_attest_verify(&first, hash_two, device.key));
    assert_false(eds_attest_verify(&second, hash_one, device.key));
}

/* The tag keeps purposes apart: a payload signature is no attestation, even of
 * a payload hash that equals the record hash, and the other way round. */
static void test_other_purposes(void **state)
{
    struct eds_attestation attestation;
    struct device device;
    uint8_t hash[32];

    (void)state;
    make_device(&device, 1);
    vector_recipe(hash, sizeof hash);
    eds_attest_sign(&attestation, hash, device.seed);
    assert_false(eds_ed25519_verify(attestation.signature, hash, sizeof hash, device.key));
    eds_ed25519_sign(attestation.signature, hash, sizeof hash, device.seed);
    assert_false(eds_attest_verify(&attestation, hash, device.key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answer),
        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_wrong_key),
        cmocka_unit_test(test_every_bit_counts),
        cmocka_unit_test(test_covers_the_whole_record),
        cmocka_unit_test(test_swapped),
        cmocka_unit_test(test_other_purposes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

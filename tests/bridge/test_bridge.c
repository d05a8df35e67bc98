/* The C ABI beyond the original's transcript: threads, strings that are none,
 * keys that are bad in other ways, and memory that must stay as it is. */
#include "edgesentry_bridge.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "edgesentry/blake3.h"
#include "edgesentry/ed25519.h"
#include "support/vectors.h"

static const uint8_t seed[32] = {1};
static const uint8_t payload[3] = {'a', 'b', 'c'};

static void sign(EdsAuditRecord *out)
{
    assert_int_equal(eds_sign_record("lift-01", 1, 2, payload, 3, NULL, "ref", seed, out), EDS_OK);
}

static void test_keygen(void **state)
{
    uint8_t private_key[32], public_key[32], expected[32];
    EdsAuditRecord record;

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(eds_keygen(private_key, public_key), EDS_OK);
        eds_ed25519_public_key(expected, private_key);
        assert_memory_equal(public_key, expected, sizeof expected);
        assert_int_equal(eds_sign_record("d", 1, 2, payload, 3, NULL, "r", private_key, &record),
                         EDS_OK);
        assert_int_equal(eds_verify_record(&record, public_key), 1);
    }
}

/* Both strings are looked at as UTF-8 before either is measured. */
static void test_sign_order(void **state)
{
    char long_id[300] = "";
    EdsAuditRecord record;

    (void)state;
    memset(long_id, 'd', 299);
    assert_int_equal(eds_sign_record(long_id, 1, 2, payload, 3, NULL, "\xff", seed, &record),
                     EDS_ERR_INVALID_UTF8);
    assert_string_equal(eds_last_error_message(), "eds_sign_record: object_ref is not valid UTF-8");
    long_id[298] = '\xff'; /* far behind what would fit */
    assert_int_equal(eds_sign_record(long_id, 1, 2, payload, 3, NULL, "r", seed, &record),
                     EDS_ERR_INVALID_UTF8);
}

/* No byte of what was in *out before comes through. */
static void test_sign_fills_everything(void **state)
{
    EdsAuditRecord first, second;

    (void)state;
    memset(&first, 0x00, sizeof first);
    memset(&second, 0xff, sizeof second);
    sign(&first);
    sign(&second);
    assert_memory_equal(&first, &second, sizeof first);
    assert_string_equal((char *)first.device_id, "lift-01");
    assert_int_equal(first.device_id[255], 0);
    assert_int_equal(first.object_ref[511], 0);
}

/* The previous hash and the key may lie in the record that is written. */
static void test_sign_into_its_own_arguments(void **state)
{
    EdsAuditRecord record, expected;
    uint8_t hash[32];

    (void)state;
    vector_recipe(hash, sizeof hash);
    assert_int_equal(eds_sign_record("d", 2, 3, payload, 3, hash, "r", seed, &expected), EDS_OK);
    memcpy(record.prev_record_hash, hash, sizeof hash);
    assert_int_equal(
        eds_sign_record("d", 2, 3, payload, 3, record.prev_record_hash, "r", seed, &record),
        EDS_OK);
    assert_memory_equal(&record, &expected, sizeof record);
}

/* U+FFFD for each maximal subpart, in either string, up to the whole buffer:
 * the hash is that of the bytes written out by hand. */
static void test_lossy_hash(void **state)
{
    static const struct {
        const char *raw, *read;
    } rows[] = {
        {"a\xff"
         "b",
         "a\xef\xbf\xbd"
         "b"},
        {"\xe2\x82", "\xef\xbf\xbd"},
        {"\xe2\x82\xe2\x82\xac", "\xef\xbf\xbd\xe2\x82\xac"},
        {"\xf0\x9f\x98", "\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"ok", "ok"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        EdsAuditRecord record;
        uint8_t bytes[400] = {0}, hash[32], expected[32];
        size_t size = 0, length = strlen(rows[i].read);

        memset(&record, 0, sizeof record);
        memcpy(record.device_id, rows[i].raw, strlen(rows[i].raw));
        memcpy(record.object_ref, rows[i].raw, strlen(rows[i].raw));
        bytes[size++] = (uint8_t)length;
        memcpy(bytes + size, rows[i].read, length);
        size += length + 2 + 32; /* sequence and time are 0 */
        bytes[size++] = 64;
        size += 64 + 32;
        bytes[size++] = (uint8_t)length;
        memcpy(bytes + size, rows[i].read, length);
        eds_blake3(expected, bytes, size + length);
        assert_int_equal(eds_record_hash(&record, hash), EDS_OK);
        assert_memory_equal(hash, expected, sizeof hash);
    }
}

/* The longest there is: both buffers full of bytes that are replaced. */
static void test_lossy_hash_of_full_buffers(void **state)
{
    static uint8_t bytes[3000];
    uint8_t hash[32], expected[32];
    EdsAuditRecord record;
    size_t at = 0;

    (void)state;
    memset(&record, 0xff, sizeof record);
    bytes[at++] = 0x80; /* 768 = 6 * 128 */
    bytes[at++] = 6;
    for (unsigned i = 0; i < 256; i++, at += 3)
        memcpy(bytes + at, "\xef\xbf\xbd", 3);
    for (unsigned i = 0; i < 2; i++, at += 10) {
        memset(bytes + at, 0xff, 9);
        bytes[at + 9] = 1;
    }
    memset(bytes + at, 0xff, 32 + 1 + 64 + 32);
    bytes[at + 32] = 64;
    at += 32 + 1 + 64 + 32;
    bytes[at++] = 0x80; /* 1536 = 12 * 128 */
    bytes[at++] = 12;
    for (unsigned i = 0; i < 512; i++, at += 3)
        memcpy(bytes + at, "\xef\xbf\xbd", 3);
    eds_blake3(expected, bytes, at);
    assert_int_equal(eds_record_hash(&record, hash), EDS_OK);
    assert_memory_equal(hash, expected, sizeof hash);
}

/* A chain of records with such strings is whole, as for the original. */
static void test_chain_of_lossy_records(void **state)
{
    EdsAuditRecord chain[2];

    (void)state;
    sign(&chain[0]);
    memset(chain[0].device_id, 0xff, sizeof chain[0].device_id);
    chain[1] = chain[0];
    chain[1].sequence++;
    assert_int_equal(eds_record_hash(&chain[0], chain[1].prev_record_hash), EDS_OK);
    assert_int_equal(eds_verify_chain(chain, 2), EDS_OK);
    chain[0].device_id[7] = 'x';
    assert_int_equal(eds_verify_chain(chain, 2), EDS_ERR_CHAIN_INVALID);
}

/* Every verdict on a key: 0 for points that we do not trust, -3 for no point.
 * The original accepts what the first two sign (a difference on purpose). */
static void test_bad_keys(void **state)
{
    json_t *rows = vector_load("peer/public_keys.json"), *row;
    EdsAuditRecord record;
    uint8_t key[32];
    size_t index;

    (void)state;
    sign(&record);
    json_array_foreach(rows, index, row)
    {
        bool is_point = strcmp(vector_string(row, "result"), "ok") == 0;

        vector_hex(row, "public_key_hex", key, sizeof key);
        assert_int_equal(eds_verify_record(&record, key), is_point ? 0 : EDS_ERR_INVALID_KEY);
        assert_int_equal(eds_verify_update(payload, 3, record.payload_hash, record.signature, key),
                         is_point ? EDS_ERR_BAD_SIGNATURE : EDS_ERR_INVALID_KEY);
    }
    json_decref(rows);
    memset(&record, 0, sizeof record); /* R = S = 0: the original lets the identity sign */
    memset(key, 0, sizeof key);
    key[0] = record.signature[0] = 1;
    assert_int_equal(eds_verify_record(&record, key), 0);
}

/* First NULL, then the key, the payload and last the signature. */
static void test_update_order(void **state)
{
    uint8_t key[32], off_curve[32] = {2};
    EdsAuditRecord r;

    (void)state;
    sign(&r);
    eds_ed25519_public_key(key, seed);
    assert_int_equal(eds_verify_update(payload, 3, r.payload_hash, r.signature, key), EDS_OK);
    assert_int_equal(eds_verify_update(payload, 2, r.payload_hash, r.signature, off_curve),
                     EDS_ERR_INVALID_KEY);
    assert_int_equal(eds_verify_update(payload, 3, NULL, r.signature, off_curve), EDS_ERR_NULL_PTR);
    assert_int_equal(eds_verify_update(payload, 3, r.payload_hash, NULL, key), EDS_ERR_NULL_PTR);
    assert_int_equal(eds_verify_update(payload, 3, r.payload_hash, r.signature, NULL),
                     EDS_ERR_NULL_PTR);
}

enum { THREADS = 8, ROUNDS = 500 };

static pthread_barrier_t barrier;

/* Each thread fails in its own way and must read its own text; odd ones also
 * see that a fresh thread starts with an empty one. */
static void *fail_in_my_way(void *argument)
{
    static const char *const texts[] = {
        "eds_record_hash: record or hash_out is NULL",
        "eds_verify_chain: records is NULL but count is non-zero",
        "eds_sign_record: device_id is not valid UTF-8",
        "eds_verify_record: record or public_key is NULL",
    };
    unsigned way = *(const unsigned *)argument % 4;
    EdsAuditRecord record;

    if (strcmp(eds_last_error_message(), "") != 0)
        return "not empty";
    for (unsigned i = 0; i < ROUNDS; i++) {
        pthread_barrier_wait(&barrier);
        if (way == 0)
            eds_record_hash(NULL, NULL);
        else if (way == 1)
            eds_verify_chain(NULL, 3);
        else if (way == 2)
            eds_sign_record("\xff", 1, 2, payload, 3, NULL, "r", seed, &record);
        else
            eds_verify_record(NULL, NULL);
        if (strcmp(eds_last_error_message(), texts[way]) != 0)
            return "another thread's error";
    }
    return NULL;
}

static void test_threads(void **state)
{
    pthread_t threads[THREADS];
    unsigned numbers[THREADS];
    char before[200];

    (void)state;
    eds_keygen(NULL, NULL);
    strcpy(before, eds_last_error_message());
    assert_int_equal(pthread_barrier_init(&barrier, NULL, THREADS), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, fail_in_my_way, &numbers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        void *complaint;

        assert_int_equal(pthread_join(threads[i], &complaint), 0);
        if (complaint != NULL)
            fail_msg("thread %u: %s", i, (char *)complaint);
    }
    pthread_barrier_destroy(&barrier);
    assert_string_equal(eds_last_error_message(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keygen),
        cmocka_unit_test(test_sign_order),
        cmocka_unit_test(test_sign_fills_everything),
        cmocka_unit_test(test_sign_into_its_own_arguments),
        cmocka_unit_test(test_lossy_hash),
        cmocka_unit_test(test_lossy_hash_of_full_buffers),
        cmocka_unit_test(test_chain_of_lossy_records),
        cmocka_unit_test(test_bad_keys),
        cmocka_unit_test(test_update_order),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Records: the original's bytes, hashes and signatures, to the bit. */
#include "edgesentry/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/record_impl.h"
#include "support/vectors.h"

static bool fits(const json_t *row, const char *key, size_t buffer_size)
{
    const json_t *value = vector_get(row, key);
    size_t size = json_string_length(value);

    return size < buffer_size && memchr(json_string_value(value), '\0', size) == NULL;
}

static void assert_fields(const EdsAuditRecord *record, const json_t *row)
{
    assert_string_equal((const char *)record->device_id, vector_string(row, "device_id"));
    assert_int_equal(record->sequence, vector_u64(row, "sequence"));
    assert_int_equal(record->timestamp_ms, vector_u64(row, "timestamp_ms"));
    assert_hex(record->payload_hash, 32, vector_string(row, "payload_hash_hex"));
    assert_hex(record->signature, 64, vector_string(row, "signature_hex"));
    assert_hex(record->prev_record_hash, 32, vector_string(row, "prev_record_hash_hex"));
    assert_string_equal((const char *)record->object_ref, vector_string(row, "object_ref"));
}

/* Signs the row's payload anew and wants the very same record. */
static void assert_signs(const EdsAuditRecord *record, const json_t *row)
{
    const char *recipe = json_string_value(json_object_get(row, "payload_recipe"));
    const char *hex = json_string_value(json_object_get(row, "payload_hex"));
    size_t size = hex != NULL ? strlen(hex) / 2 : strtoull(strchr(recipe, ',') + 1, NULL, 10);
    uint8_t *payload = malloc(size + 1), seed[32], key[32];
    EdsAuditRecord again;

    assert_non_null(payload);
    if (hex != NULL)
        hex_bytes(payload, size, hex);
    else
        vector_recipe(payload, size);
    vector_hex(row, "private_key_hex", seed, sizeof seed);
    memset(&again, 0xa5, sizeof again); /* no byte of it may stay */
    assert_int_equal(eds_record_sign(&again, vector_string(row, "device_id"), record->sequence,
                                     record->timestamp_ms, payload, size, record->prev_record_hash,
                                     vector_string(row, "object_ref"), seed, NULL),
                     EDS_OK);
    assert_memory_equal(&again, record, sizeof again);
    vector_hex(row, "public_key_hex", key, sizeof key);
    assert_true(eds_record_verify(record, key));
    free(payload);
}

/* Returns whether the record is one that we take. */
static bool check_row(const json_t *row)
{
    const char *digits = vector_string(row, "postcard_hex");
    size_t size = strlen(digits) / 2, again_size;
    uint8_t *bytes = malloc(size), again[EDS_RECORD_SIZE_MAX], hash[32];
    EdsAuditRecord record;
    struct eds_error err;
    int32_t rc;

    assert_non_null(bytes);
    hex_bytes(bytes, size, digits);
    rc = eds_record_decode(&record, bytes, size, &err);
    free(bytes);
    if (!fits(row, "device_id", sizeof record.device_id) ||
        !fits(row, "object_ref", sizeof record.object_ref)) {
        assert_int_equal(rc, EDS_ERR_MALFORMED);
        return false;
    }
    assert_int_equal(rc, EDS_OK);
    assert_fields(&record, row);
    assert_int_equal(eds_record_encode(again, &again_size, &record), EDS_OK);
    assert_hex(again, again_size, digits);
    assert_int_equal(eds_record_digest(hash, &record), EDS_OK);
    assert_hex(hash, sizeof hash, vector_string(row, "record_hash_hex"));
    eds_record_digest_lossy(hash, &record);
    assert_hex(hash, sizeof hash, vector_string(row, "record_hash_hex"));
    assert_signs(&record, row);
    return true;
}

static void test_edge_records(void **state)
{
    json_t *rows = vector_load("peer/edge_records.json"), *row;
    unsigned taken = 0;
    size_t index;

    (void)state;
    assert_int_equal(json_array_size(rows), 104);
    json_array_foreach(rows, index, row)
    {
        taken += check_row(row);
    }
    assert_int_equal(taken, 92); /* the others are too long, or have a NUL in a string */
    json_decref(rows);
}

static void test_demo_chain(void **state)
{
    json_t *rows = vector_load("peer/demo_chain.json"), *row;
    size_t index;

    (void)state;
    assert_int_equal(json_array_size(rows), 3);
    json_array_foreach(rows, index, row)
    {
        assert_true(check_row(row));
    }
    json_decref(rows);
}

static void test_sign_record_example(void **state)
{
    json_t *row = vector_load("peer/sign_record_example.json");

    (void)state;
    assert_true(check_row(row));
    json_decref(row);
}

/* Made anew from seed and payload recipes, the chain of 64 is the original's. */
static void test_chain64(void **state)
{
    json_t *file = vector_load("peer/chain64.json");
    json_t *records = vector_parse(vector_string(file, "json_compact")), *row;
    uint8_t payload[2048], seed[32], hash[32];
    size_t index;

    (void)state;
    vector_recipe(payload, sizeof payload);
    vector_hex(file, "private_key_hex", seed, sizeof seed);
    assert_int_equal(json_array_size(records), 64);
    json_array_foreach(records, index, row)
    {
        const json_t *facts = json_array_get(vector_get(file, "records"), index);
        EdsAuditRecord record, again;

        vector_record(&record, row);
        assert_true(vector_u64(facts, "payload_len") <= sizeof payload);
        assert_int_equal(
            eds_record_sign(&again, (const char *)record.device_id, index + 1, record.timestamp_ms,
                            payload, (size_t)vector_u64(facts, "payload_len"),
                            index > 0 ? hash : NULL, (const char *)record.object_ref, seed, NULL),
            EDS_OK);
        assert_memory_equal(&again, &record, sizeof record);
        assert_int_equal(eds_record_digest(hash, &again), EDS_OK);
        assert_hex(hash, sizeof hash, vector_string(facts, "record_hash_hex"));
    }
    json_decref(records);
    json_decref(file);
}

static void test_longest(void **state)
{
    uint8_t bytes[EDS_RECORD_SIZE_MAX];
    EdsAuditRecord record, again;
    size_t size;

    (void)state;
    memset(&record, 0xff, sizeof record);
    memset(record.device_id, 'd', 255);
    memset(record.object_ref, 'r', 511);
    record.device_id[255] = record.object_ref[511] = '\0';
    assert_int_equal(eds_record_encode(bytes, &size, &record), EDS_OK);
    assert_int_equal(size, EDS_RECORD_SIZE_MAX);
    assert_int_equal(eds_record_decode(&again, bytes, size, NULL), EDS_OK);
    assert_memory_equal(&again, &record, sizeof record);
}

/* Bytes behind a string's NUL are not part of it, and do not come back. */
static void test_after_the_string(void **state)
{
    uint8_t first[EDS_RECORD_SIZE_MAX], second[EDS_RECORD_SIZE_MAX];
    size_t first_size, second_size;
    EdsAuditRecord record = {0}, again;

    (void)state;
    assert_int_equal(eds_record_encode(first, &first_size, &record), EDS_OK);
    record.device_id[1] = 0xff;
    record.object_ref[511] = 0xff;
    assert_int_equal(eds_record_encode(second, &second_size, &record), EDS_OK);
    assert_int_equal(first_size, second_size);
    assert_memory_equal(first, second, first_size);
    assert_int_equal(eds_record_decode(&again, second, second_size, NULL), EDS_OK);
    assert_int_equal(again.device_id[1], 0);
}

static void test_cannot_encode(void **state)
{
    static const struct {
        const char *name;
        size_t at, count; /* bytes of the record */
        uint8_t byte;
        int32_t rc;
    } rows[] = {
        {"none", 0, 0, 0, EDS_OK},
        {"device_id without NUL", offsetof(EdsAuditRecord, device_id), 256, 'x',
         EDS_ERR_STRING_TOO_LONG},
        {"device_id of 255 bytes", offsetof(EdsAuditRecord, device_id), 255, 'x', EDS_OK},
        {"object_ref without NUL", offsetof(EdsAuditRecord, object_ref), 512, 'x',
         EDS_ERR_STRING_TOO_LONG},
        {"object_ref of 511 bytes", offsetof(EdsAuditRecord, object_ref), 511, 'x', EDS_OK},
        {"device_id no UTF-8", offsetof(EdsAuditRecord, device_id), 1, 0xff, EDS_ERR_INVALID_UTF8},
        {"object_ref no UTF-8", offsetof(EdsAuditRecord, object_ref), 1, 0xc3,
         EDS_ERR_INVALID_UTF8},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t bytes[EDS_RECORD_SIZE_MAX], hash[32];
        EdsAuditRecord record = {.sequence = 1};
        size_t size = 4711;

        memset((uint8_t *)&record + rows[i].at, rows[i].byte, rows[i].count);
        assert_int_equal(eds_record_encode(bytes, &size, &record), rows[i].rc);
        assert_int_equal(size > 0, rows[i].rc == EDS_OK);
        memset(hash, 0xa5, sizeof hash);
        assert_int_equal(eds_record_digest(hash, &record), rows[i].rc);
        if (rows[i].rc != EDS_OK)
            assert_hex(hash, 4, "00000000");
    }
}

static void test_sign_refuses(void **state)
{
    static const struct {
        size_t id_size, ref_size;
        char end;
        int32_t rc;
        const char *text;
    } rows[] = {
        {255, 511, 'x', EDS_OK, NULL},
        {256, 511, 'x', EDS_ERR_STRING_TOO_LONG, "device_id is longer than 255 bytes"},
        {255, 512, 'x', EDS_ERR_STRING_TOO_LONG, "object_ref is longer than 511 bytes"},
        {10, 511, '\xff', EDS_ERR_INVALID_UTF8, "device_id is not valid UTF-8"},
        {0, 511, '\xff', EDS_ERR_INVALID_UTF8, "object_ref is not valid UTF-8"},
        {0, 0, 'x', EDS_OK, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char id[300] = "", ref[600] = "";
        EdsAuditRecord record, before;
        struct eds_error err = {0};
        uint8_t seed[32] = {1};

        memset(id, 'd', rows[i].id_size);
        memset(ref, 'r', rows[i].ref_size);
        if (rows[i].id_size > 0)
            id[rows[i].id_size - 1] = rows[i].end;
        if (rows[i].ref_size > 0)
            ref[rows[i].ref_size - 1] = rows[i].end;
        memset(&record, 0xa5, sizeof record);
        before = record;
        assert_int_equal(eds_record_sign(&record, id, 1, 2, NULL, 0, NULL, ref, seed, &err),
                         rows[i].rc);
        if (rows[i].rc != EDS_OK) {
            assert_memory_equal(&record, &before, sizeof record);
            assert_int_equal(err.code, rows[i].rc);
            assert_string_equal(err.text, rows[i].text);
        }
    }
}

/* What the signature covers, and what it does not: only the payload's hash. */
static void test_signature_covers_payload_hash_alone(void **state)
{
    uint8_t seed[32] = {1}, key[32];
    EdsAuditRecord record;

    (void)state;
    eds_ed25519_public_key(key, seed);
    eds_record_sign(&record, "lift-01", 1, 2, "abc", 3, NULL, "ref", seed, NULL);
    record.sequence++;
    record.timestamp_ms++;
    record.device_id[0] ^= 1;
    record.object_ref[0] ^= 1;
    record.prev_record_hash[0] ^= 1;
    assert_true(eds_record_verify(&record, key));
    record.payload_hash[31] ^= 1;
    assert_false(eds_record_verify(&record, key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edge_records),
        cmocka_unit_test(test_demo_chain),
        cmocka_unit_test(test_sign_record_example),
        cmocka_unit_test(test_chain64),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_after_the_string),
        cmocka_unit_test(test_cannot_encode),
        cmocka_unit_test(test_sign_refuses),
        cmocka_unit_test(test_signature_covers_payload_hash_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

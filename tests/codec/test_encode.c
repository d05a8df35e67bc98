/* Writing records: in any buffer that is large enough and no other, at any
 * indentation, and nothing that is not a string. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sample.h"
#include "support/vectors.h"

static void test_every_size(void **state)
{
    (void)state;
    for (int style = EDS_JSON_COMPACT; style <= EDS_JSON_PRETTY; style++) {
        struct eds_entry entry;
        struct sample sample;

        sample_entry(&entry, true);
        strcpy((char *)entry.record.device_id, "\"\\/\b\x1f\xc3\xa9");
        sample_encode(&sample, &entry, (enum eds_json_style)style);
        for (size_t size = 0; size <= sample.size + 2; size++) {
            char *out = sample_exact(sample.text, size);

            assert_int_equal(
                eds_json_entry_encode(out, size, &entry, (enum eds_json_style)style, 0),
                size > sample.size ? sample.size : 0);
            if (size > sample.size)
                assert_string_equal(out, sample.text);
            free(out);
        }
    }
}

/* The attestation is the last field, in lower-case hex. */
static void test_attestation(void **state)
{
    struct eds_entry entry;
    struct sample sample, without;
    char tail[256];

    (void)state;
    sample_entry(&entry, true);
    sample_encode(&sample, &entry, EDS_JSON_COMPACT);
    entry.attestation.present = false;
    sample_encode(&without, &entry, EDS_JSON_COMPACT);
    assert_memory_equal(sample.text, without.text, without.size - 1);
    snprintf(tail, sizeof tail,
             ",\"attest\":{\"key_id\":\"0011223344556677\",\"signature\":\"%s%s\"}}",
             "00050a0f14191e23282d32373c41464b50555a5f64696e73787d82878c91969b",
             "a0a5aaafb4b9bec3c8cdd2d7dce1e6ebf0f5faff04090e13181d22272c31363b");
    assert_string_equal(sample.text + without.size - 1, tail);
    entry.attestation.present = true;
    sample_encode(&sample, &entry, EDS_JSON_PRETTY);
    assert_non_null(strstr(sample.text,
                           ".bin\",\n  \"attest\": {\n    \"key_id\": \"0011223344556677"
                           "\",\n    \"signature\": \"00050a"));
    assert_non_null(strstr(sample.text, "31363b\"\n  }\n}"));
}

/* The whole demo file is three records, indented by two. */
static void test_indent(void **state)
{
    json_t *vectors = vector_load("peer/demo_chain.json"), *vector;
    size_t i;

    (void)state;
    json_array_foreach(vectors, i, vector)
    {
        const char *text = vector_string(vector, "json_pretty"), *at = text;
        struct eds_entry entry;
        char out[EDS_JSON_ENTRY_SIZE_MAX], expected[EDS_JSON_ENTRY_SIZE_MAX];
        size_t used = 0;

        assert_int_equal(sample_decode(&entry, text, strlen(text), NULL), EDS_OK);
        for (; *at != '\0'; at++) {
            expected[used++] = *at;
            if (*at == '\n') {
                memcpy(expected + used, "     ", 5);
                used += 5;
            }
        }
        expected[used] = '\0';
        assert_int_equal(eds_json_entry_encode(out, sizeof out, &entry, EDS_JSON_PRETTY, 5), used);
        assert_string_equal(out, expected);
        assert_int_equal(eds_json_entry_encode(out, sizeof out, &entry, EDS_JSON_COMPACT, 5),
                         strlen(vector_string(vector, "json_compact")));
    }
    json_decref(vectors);
}

static void test_longest(void **state)
{
    struct eds_entry entry, back;
    struct sample sample;
    static char out[EDS_JSON_ENTRY_SIZE_MAX];
    size_t size;

    (void)state;
    sample_entry(&entry, true);
    entry.record.sequence = entry.record.timestamp_ms = UINT64_MAX;
    memset(entry.record.payload_hash, 0xff, EDS_HASH_SIZE);
    memset(entry.record.signature, 0xff, EDS_SIGNATURE_SIZE);
    memset(entry.record.prev_record_hash, 0xff, EDS_HASH_SIZE);
    memset(entry.record.device_id, 1, EDS_DEVICE_ID_SIZE - 1);
    memset(entry.record.object_ref, 1, EDS_OBJECT_REF_SIZE - 1);
    size = eds_json_entry_encode(out, sizeof out, &entry, EDS_JSON_PRETTY, 8);
    assert_true(size > 7000);
    assert_int_equal(sample_decode(&back, out, size, NULL), EDS_OK);
    assert_entries_equal(&entry, &back);
    sample_encode(&sample, &entry, EDS_JSON_COMPACT);
    assert_int_equal(sample_decode(&back, sample.text, sample.size, NULL), EDS_OK);
    assert_entries_equal(&entry, &back);
}

static void test_bad_strings(void **state)
{
    struct eds_entry good, entry;
    char out[EDS_JSON_ENTRY_SIZE_MAX];

    (void)state;
    sample_entry(&good, false);
    entry = good;
    memset(entry.record.device_id, 'a', EDS_DEVICE_ID_SIZE); /* no NUL */
    assert_int_equal(eds_json_entry_encode(out, sizeof out, &entry, EDS_JSON_COMPACT, 0), 0);
    entry = good;
    memset(entry.record.object_ref, 'a', EDS_OBJECT_REF_SIZE);
    assert_int_equal(eds_json_entry_encode(out, sizeof out, &entry, EDS_JSON_COMPACT, 0), 0);
    entry = good;
    memcpy(entry.record.object_ref, "\xe2\x82", 3);
    assert_int_equal(eds_json_entry_encode(out, sizeof out, &entry, EDS_JSON_PRETTY, 0), 0);
    assert_int_equal(eds_json_envelope_encode(out, sizeof out, &entry, "", 0), 0);
    entry = good;
    strcpy((char *)entry.record.device_id, "\xff");
    assert_int_equal(eds_json_entry_encode(out, sizeof out, &entry, EDS_JSON_COMPACT, 0), 0);
    assert_true(eds_json_entry_encode(out, sizeof out, &good, EDS_JSON_COMPACT, 0) > 0);
}

static const struct {
    const char *text;
    size_t size;
    const char *json;
} strings[] = {
    {"", 0, "\"\""},
    {"plain / text \x7f", 14, "\"plain / text \x7f\""},
    {"\"\\\b\f\n\r\t", 7, "\"\\\"\\\\\\b\\f\\n\\r\\t\""},
    {"\0\x01\x0e\x1b\x1f", 5, "\"\\u0000\\u0001\\u000e\\u001b\\u001f\""},
    {"\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80", 9, "\"\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80\""},
    {"a\xff\xf0\x9f\x98z", 6, "\"a\xef\xbf\xbd\xef\xbf\xbdz\""},
};

static void test_strings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        size_t size = strlen(strings[i].json);
        char *out = malloc(size + 1);

        assert_non_null(out);
        assert_int_equal(eds_json_string_encode(out, size + 1, strings[i].text, strings[i].size),
                         size);
        assert_string_equal(out, strings[i].json);
        assert_int_equal(eds_json_string_encode(out, size, strings[i].text, strings[i].size), 0);
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size),  cmocka_unit_test(test_attestation),
        cmocka_unit_test(test_indent),      cmocka_unit_test(test_longest),
        cmocka_unit_test(test_bad_strings), cmocka_unit_test(test_strings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

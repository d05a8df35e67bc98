/* A record's JSON: each row is one edit away from a good one, and says the whole
 * error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sample.h"

#define HASH                                                                                       \
    "[0,37,74,111,148,185,222,3,40,77,114,151,188,225,6,43,80,117,154,191,228,9,46,83,120,157,"    \
    "194,231,12,49,86,123]"

#define ATTEST_SIGNATURE                                                                           \
    "00050a0f14191e23282d32373c41464b50555a5f64696e73787d82878c91969b"                             \
    "a0a5aaafb4b9bec3c8cdd2d7dce1e6ebf0f5faff04090e13181d22272c31363b"

struct edit {
    const char *part, *text; /* the one is put in place of the other */
    const char *error;       /* NULL: still good */
};

static const struct edit edits[] = {
    {"{\"device_id\"", "{\"device_id\"", NULL},
    {"{\"device_id\"", " \t\r\n{ \"device_id\"", NULL},
    {"\"sequence\":1,", "\"sequence\" \n:\t1 \r,", NULL},
    {"\"sequence\":1,", "\"\\u0073equ\\u0065nce\":1,", NULL},
    {"\"sequence\":1,", "\"sequence\":0,", NULL},
    {"\"sequence\":1,", "\"sequence\":18446744073709551615,", NULL},
    {HASH,
     "[0 ,37, 74,111,148,185,222,3,40,77,114,151,188,225,6,43,80,117,154,191,228,9,46,83,"
     "120,157,194,231,12,49,86\n,\n123 ]",
     NULL},

    {"{\"device_id\"", "[\"device_id\"",
     "record: expected an object, found '[' at line 1 column 1 (byte 0)"},
    {"{\"device_id\"", "\xef\xbb\xbf{\"device_id\"",
     "record: expected an object, found byte 0xef (of a byte order mark?) at line 1 column 1 "
     "(byte 0)"},
    {"{\"device_id\"", "\n\n  x{\"device_id\"",
     "record: expected an object, found 'x' at line 3 column 3 (byte 4)"},
    {"{\"device_id\"", "{device_id\"",
     "record: expected a field's name in quotes, found 'd' at line 1 column 2 (byte 1)"},
    {"{\"device_id\"", "{,\"device_id\"",
     "record: expected a field's name in quotes, found ',' at line 1 column 2 (byte 1)"},
    {"\"device_id\":", "\"device_id\" ",
     "record: expected ':', found '\"' at line 1 column 14 (byte 13)"},
    {"\"device_id\":\"lift-01\",", "",
     "record: missing field \"device_id\" at line 1 column 735 (byte 734)"},
    {",\"object_ref\":\"s3://bucket/lift-01/inspection-1.bin\"", "",
     "record: missing field \"object_ref\" at line 1 column 705 (byte 704)"},
    {"\"device_id\":", "\"Device_id\":",
     "record: unknown field \"Device_id\" at line 1 column 2 (byte 1)"},
    {"\"device_id\":", "\"zk\\u001b\\\\\xc3\xa9\":",
     "record: unknown field \"zk\\x1b\\\\\\xc3\\xa9\" at line 1 column 2 (byte 1)"},
    {"\"device_id\":", "\"a23456789b123456789c123456789d123456789\":",
     "record: unknown field \"a23456789b123456789c123456789d12...\" at line 1 column 2 (byte 1)"},
    {"\"sequence\":1,", "\"sequence\":1,\"sequence\":1,",
     "record: repeated field \"sequence\" at line 1 column 37 (byte 36)"},
    {"\"sequence\":1,", "\"sequence\":1,\"sequ\\u0065nce\":1,",
     "record: repeated field \"sequence\" at line 1 column 37 (byte 36)"},
    {"\"sequence\":1,", "\"sequence\":1,,",
     "record: expected a field's name in quotes, found ',' at line 1 column 37 (byte 36)"},
    {"\"sequence\":1,", "\"sequence\":1;",
     "record: expected ',' or '}', found ';' at line 1 column 36 (byte 35)"},

    {"\"sequence\":1,", "\"sequence\":-1,",
     "record.sequence: expected a whole number, found '-' at line 1 column 35 (byte 34)"},
    {"\"sequence\":1,", "\"sequence\":-0,",
     "record.sequence: expected a whole number, found '-' at line 1 column 35 (byte 34)"},
    {"\"sequence\":1,", "\"sequence\":\"1\",",
     "record.sequence: expected a whole number, found '\"' at line 1 column 35 (byte 34)"},
    {"\"sequence\":1,", "\"sequence\":,",
     "record.sequence: expected a whole number, found ',' at line 1 column 35 (byte 34)"},
    {"\"sequence\":1,", "\"sequence\":01,",
     "record.sequence: a number must not begin with a zero at line 1 column 35 (byte 34)"},
    {"\"sequence\":1,", "\"sequence\":1.0,",
     "record.sequence: expected a number without fraction and exponent, found '.' at line 1 "
     "column 36 (byte 35)"},
    {"\"sequence\":1,", "\"sequence\":1e3,",
     "record.sequence: expected a number without fraction and exponent, found 'e' at line 1 "
     "column 36 (byte 35)"},
    {"\"sequence\":1,", "\"sequence\":1E3,",
     "record.sequence: expected a number without fraction and exponent, found 'E' at line 1 "
     "column 36 (byte 35)"},
    {"\"sequence\":1,", "\"sequence\":18446744073709551616,",
     "record.sequence: the number 18446744073709551616 is out of range "
     "0..18446744073709551615 at line 1 column 35 (byte 34)"},
    {"\"sequence\":1,", "\"sequence\":99999999999999999999999999999999999999,",
     "record.sequence: the number 99999999999999999999999999999999... is out of range "
     "0..18446744073709551615 at line 1 column 35 (byte 34)"},

    {HASH, "\"00\"",
     "record.payload_hash: expected an array of bytes, found '\"' at line 1 column 81 (byte 80)"},
    {HASH, "[]",
     "record.payload_hash: expected a byte (0..255), found ']' at line 1 column 82 (byte 81)"},
    {",86,123]", ",86]",
     "record.payload_hash: the array ends before its 32 bytes at line 1 column 186 (byte 185)"},
    {",86,123]", ",86,123,1]",
     "record.payload_hash: the array goes on after its 32 bytes at line 1 column 190 (byte 189)"},
    {",86,123]", ",86,123,]",
     "record.payload_hash: the array goes on after its 32 bytes at line 1 column 190 (byte 189)"},
    {",86,123]", ",86,]",
     "record.payload_hash: expected a byte (0..255), found ']' at line 1 column 187 (byte 186)"},
    {",86,123]", ",86;123]",
     "record.payload_hash: expected ',' or ']', found ';' at line 1 column 186 (byte 185)"},
    {",86,123]", ",86,123}",
     "record.payload_hash: expected ',' or ']', found '}' at line 1 column 190 (byte 189)"},
    {"[0,37,", "[256,37,",
     "record.payload_hash: byte 256 is out of range 0..255 at line 1 column 82 (byte 81)"},
    {"[0,37,", "[0,1000,",
     "record.payload_hash: byte 1000 is out of range 0..255 at line 1 column 84 (byte 83)"},
    {"[0,37,", "[0,4294967333,",
     "record.payload_hash: byte 4294967333 is out of range 0..255 at line 1 column 84 (byte 83)"},
    {"[0,37,", "[0,-37,",
     "record.payload_hash: expected a byte (0..255), found '-' at line 1 column 84 (byte 83)"},
    {"[0,37,", "[0,037,",
     "record.payload_hash: a number must not begin with a zero at line 1 column 84 (byte 83)"},
    {"[0,37,", "[00,37,",
     "record.payload_hash: a number must not begin with a zero at line 1 column 82 (byte 81)"},
    {"[0,37,", "[0,3.7,",
     "record.payload_hash: expected a number without fraction and exponent, found '.' at line 1 "
     "column 85 (byte 84)"},
    {",86,123]", ",86,123e0]",
     "record.payload_hash: expected a number without fraction and exponent, found 'e' at line 1 "
     "column 190 (byte 189)"},
    {"[0,37,", "[0,3 7,",
     "record.payload_hash: expected ',' or ']', found '7' at line 1 column 86 (byte 85)"},
    {"[0,37,", "[0,,37,",
     "record.payload_hash: expected a byte (0..255), found ',' at line 1 column 84 (byte 83)"},
    {"[0,37,", "[0,:7,",
     "record.payload_hash: expected a byte (0..255), found ':' at line 1 column 84 (byte 83)"},

    {"lift-01\",\"sequence", "lift-\\u0000\",\"sequence",
     "record.device_id: NUL is not allowed in a string at line 1 column 20 (byte 19)"},
    {"lift-01\",\"sequence", "lift-\n1\",\"sequence",
     "record.device_id: expected an escaped control character, found byte 0x0a at line 1 column "
     "20 (byte 19)"},
    {"lift-01\",\"sequence", "lift-\x1f\",\"sequence",
     "record.device_id: expected an escaped control character, found byte 0x1f at line 1 column "
     "20 (byte 19)"},
    {"lift-01\",\"sequence", "lift\xc3\x28\",\"sequence",
     "record.device_id: expected UTF-8, found byte 0xc3 at line 1 column 19 (byte 18)"},
    {"lift-01\",\"sequence", "lift\xed\xa0\x80\",\"sequence",
     "record.device_id: expected UTF-8, found byte 0xed at line 1 column 19 (byte 18)"},
    {"lift-01\",\"sequence", "lift\xe2\x82\",\"sequence",
     "record.device_id: expected UTF-8, found byte 0xe2 at line 1 column 19 (byte 18)"},
    {"lift-01\",\"sequence", "\\x41\",\"sequence",
     "record.device_id: expected one of \"\\/bfnrtu after the backslash, found 'x' at line 1 "
     "column "
     "16 (byte 15)"},
    {"lift-01\",\"sequence", "\\u12g4\",\"sequence",
     "record.device_id: expected four hex digits after \\u, found 'g' at line 1 column 19 (byte "
     "18)"},
    {"lift-01\",\"sequence", "\\ud83dx\",\"sequence",
     "record.device_id: expected the second half of a surrogate pair, found 'x' at line 1 column "
     "21 (byte 20)"},
    {"lift-01\",\"sequence", "\\ud83d\\n\",\"sequence",
     "record.device_id: expected the second half of a surrogate pair, found 'n' at line 1 column "
     "22 (byte 21)"},
    {"lift-01\",\"sequence", "\\ud83d\\ud83d\",\"sequence",
     "record.device_id: not the second half of a surrogate pair at line 1 column 21 (byte 20)"},
    {"lift-01\",\"sequence", "\\ude00\",\"sequence",
     "record.device_id: the second half of a surrogate pair without the first at line 1 column 15 "
     "(byte 14)"},
    {"lift-01\",\"sequence", "\\udfff\",\"sequence",
     "record.device_id: the second half of a surrogate pair without the first at line 1 column 15 "
     "(byte 14)"},
    {"lift-01\",\"sequence", "\\ud83d\\ue000\",\"sequence",
     "record.device_id: not the second half of a surrogate pair at line 1 column 21 (byte 20)"},
    {"lift-01\",\"sequence", "\\ud83d\\udbff\",\"sequence",
     "record.device_id: not the second half of a surrogate pair at line 1 column 21 (byte 20)"},
    {"lift-01\",\"sequence", "\\ud7ff\\ue000\\udbff\\udfff\",\"sequence", NULL},
    {"\"lift-01\",\"sequence", "null,\"sequence",
     "record.device_id: expected a string, found 'n' at line 1 column 14 (byte 13)"},

    {"\"attest\":{", "\"attest\":null,\"x\":{",
     "record.attest: expected an object, found 'n' at line 1 column 585 (byte 584)"},
    {"\"key_id\":\"00112233", "\"key_id\":\"00112233A",
     "record.attest.key_id: the string is longer than 16 bytes at line 1 column 595 (byte 594)"},
    {"\"key_id\":\"00112233", "\"key_id\":\"0011223",
     "record.attest.key_id: expected 16 lower-case hex digits at line 1 column 595 (byte 594)"},
    {"\"key_id\":\"00112233", "\"key_id\":\"0011223A",
     "record.attest.key_id: expected 16 lower-case hex digits at line 1 column 595 (byte 594)"},
    {"\"key_id\":\"00112233", "\"key_id\":\"0011223g",
     "record.attest.key_id: expected 16 lower-case hex digits at line 1 column 595 (byte 594)"},
    {"\"key_id\":\"0011", "\"key_id\":\"\\u00300\\u0031\\u0031", NULL},
    {"\"key_id\":\"0011223344556677\",", "",
     "record.attest: missing field \"key_id\" at line 1 column 728 (byte 727)"},
    {",\"signature\":\"" ATTEST_SIGNATURE "\"", "",
     "record.attest: missing field \"signature\" at line 1 column 613 (byte 612)"},
    {"\"key_id\":", "\"key\":\"x\",\"key_id\":",
     "record.attest: unknown field \"key\" at line 1 column 586 (byte 585)"},
};

/* Says whether an edit has the verdict and the words that it should have. */
static bool check_edit(const struct edit *edit)
{
    struct eds_entry good, entry, before;
    struct eds_error err = {EDS_OK, ""};
    struct sample sample;
    int32_t rc;

    sample_entry(&good, true);
    sample_encode(&sample, &good, EDS_JSON_COMPACT);
    sample_replace(&sample, edit->part, edit->text, strlen(edit->text));
    memset(&entry, 0xa5, sizeof entry);
    before = entry;
    rc = sample_decode(&entry, sample.text, sample.size, &err);
    if (edit->error == NULL && rc == EDS_OK)
        return true;
    if (edit->error == NULL || strcmp(err.text, edit->error) != 0) {
        print_error("%s\n  says   %s\n  wanted %s\n", edit->text, err.text, edit->error);
        return false;
    }
    assert_int_equal(rc, EDS_ERR_MALFORMED);
    assert_int_equal(err.code, EDS_ERR_MALFORMED);
    assert_memory_equal(&entry, &before, sizeof entry); /* untouched */
    assert_int_equal(sample_decode(&entry, sample.text, sample.size, NULL), EDS_ERR_MALFORMED);
    return true;
}

static void test_edits(void **state)
{
    unsigned bad = 0;

    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++)
        bad += !check_edit(&edits[i]);
    assert_int_equal(bad, 0);
}

static void test_after_the_end(void **state)
{
    static const char *const after[] = {"x", "{}", ",", "}", "\v", "\xc2\xa0", "/**/"};
    struct eds_entry entry;
    struct eds_error err = {0};
    struct sample sample;

    (void)state;
    sample_entry(&entry, false);
    sample_encode(&sample, &entry, EDS_JSON_COMPACT);
    for (size_t i = 0; i < sizeof after / sizeof after[0]; i++) {
        memcpy(sample.text + sample.size, after[i], strlen(after[i]) + 1);
        assert_int_equal(sample_decode(&entry, sample.text, sample.size + strlen(after[i]), &err),
                         EDS_ERR_MALFORMED);
        assert_non_null(strstr(err.text, "record: expected nothing after the value, found "));
    }
    memcpy(sample.text + sample.size, "\0", 1); /* a NUL is no end either */
    assert_int_equal(sample_decode(&entry, sample.text, sample.size + 1, &err), EDS_ERR_MALFORMED);
    memcpy(sample.text + sample.size, " \t\r\n", 4);
    assert_int_equal(sample_decode(&entry, sample.text, sample.size + 4, &err), EDS_OK);
}

/* An id of count characters; true if it is taken. */
static bool takes(const char *field, const char *character, size_t count, struct eds_error *err)
{
    struct eds_entry entry;
    struct sample sample;
    char value[2048] = "", part[64];
    size_t used = 0;

    sample_entry(&entry, false);
    sample_encode(&sample, &entry, EDS_JSON_COMPACT);
    snprintf(part, sizeof part, "%s\":\"", field);
    used += (size_t)snprintf(value, sizeof value, "%s", part);
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(value + used, sizeof value - used, "%s", character);
    used += (size_t)snprintf(value + used, sizeof value - used, "\",\"x\":\"");
    sample_replace(&sample, part, value, used);
    /* The value that was there follows as an unknown field: reached if this one
     * was good. */
    assert_int_equal(sample_decode(&entry, sample.text, sample.size, err), EDS_ERR_MALFORMED);
    return strstr(err->text, "unknown field \"x\"") != NULL;
}

static void test_lengths(void **state)
{
    struct eds_error err = {0};

    (void)state;
    assert_true(takes("device_id", "a", 255, &err));
    assert_false(takes("device_id", "a", 256, &err));
    assert_string_equal(err.text, "record.device_id: the string is longer than 255 bytes at line 1 "
                                  "column 14 (byte 13)");
    assert_true(takes("object_ref", "a", 511, &err));
    assert_false(takes("object_ref", "a", 512, &err));
    assert_non_null(strstr(err.text, "record.object_ref: the string is longer than 511 bytes"));
    assert_true(takes("device_id", "\xe2\x82\xac", 85, &err)); /* 255 bytes */
    assert_false(takes("device_id", "\xe2\x82\xac", 86, &err));
    assert_true(takes("device_id", "\\u20ac", 85, &err));
    assert_false(takes("device_id", "\\u20ac", 86, &err));
    assert_non_null(strstr(err.text, "longer than 255 bytes"));
    assert_false(takes("device_id", "\xc3\xa9", 128, &err)); /* the limit is inside a character */
    assert_non_null(strstr(err.text, "longer than 255 bytes"));
    assert_true(takes("device_id", "\\n", 255, &err));
    assert_false(takes("device_id", "\\n", 256, &err));
    assert_true(takes("device_id", "", 0, &err));
}

/* All orders of the fields are one record. */
static void test_any_order(void **state)
{
    struct eds_entry entry, back;
    struct sample sample;
    char fields[8][512], text[4096];
    const char *at;
    size_t count = 0;

    (void)state;
    sample_entry(&entry, true);
    sample_encode(&sample, &entry, EDS_JSON_COMPACT);
    at = sample.text + 1;
    while (count < 8) { /* a field ends where the next name begins */
        const char *end = count < 7 ? strstr(at + 1, ",\"") : sample.text + sample.size - 1;

        snprintf(fields[count++], sizeof fields[0], "%.*s", (int)(end - at), at);
        at = end + 1;
    }
    for (size_t first = 0; first < 8; first++) {
        for (size_t step = 1; step < 8; step += 2) { /* odd: comes to all eight */
            size_t used = 0;

            for (size_t i = 0; i < 8; i++)
                used += (size_t)snprintf(text + used, sizeof text - used, "%s%s",
                                         i == 0 ? "{" : ",", fields[(first + i * step) % 8]);
            used += (size_t)snprintf(text + used, sizeof text - used, "}");
            assert_int_equal(sample_decode(&back, text, used, NULL), EDS_OK);
            assert_entries_equal(&entry, &back);
        }
    }
}

static void test_nothing(void **state)
{
    struct eds_entry entry;
    struct eds_error err = {0};

    (void)state;
    assert_int_equal(eds_json_entry_decode(&entry, NULL, 0, &err), EDS_ERR_TRUNCATED);
    assert_string_equal(err.text, "record: expected an object, found the end of the text at line 1 "
                                  "column 1 (byte 0)");
    assert_int_equal(sample_decode(&entry, " \n", 2, &err), EDS_ERR_TRUNCATED);
    assert_string_equal(err.text, "record: expected an object, found the end of the text at line 2 "
                                  "column 1 (byte 2)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edits),   cmocka_unit_test(test_after_the_end),
        cmocka_unit_test(test_lengths), cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Hex: both ways, in place, and the words for each mistake. */
#include "base/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "support/vectors.h"

static void test_every_byte(void **state)
{
    uint8_t bytes[256], back[256];
    char lower[513], upper[513];

    (void)state;
    for (unsigned i = 0; i < 256; i++)
        bytes[i] = (uint8_t)i;
    memset(lower, 'x', sizeof lower);
    eds_hex_encode(lower, bytes, sizeof bytes);
    assert_int_equal(strlen(lower), 512);
    assert_hex(bytes, sizeof bytes, lower);
    for (unsigned i = 0; i <= 512; i++)
        upper[i] = (char)(lower[i] >= 'a' ? lower[i] - 'a' + 'A' : lower[i]);
    assert_null(strpbrk(lower, "ABCDEF"));
    assert_int_equal(eds_hex_decode(back, upper, 512, NULL), EDS_OK);
    assert_memory_equal(back, bytes, sizeof bytes);
    assert_int_equal(eds_hex_decode((uint8_t *)lower, lower, 512, NULL), EDS_OK); /* in place */
    assert_memory_equal(lower, bytes, sizeof bytes);
}

static void test_every_digit(void **state)
{
    uint8_t out;

    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        bool is_digit = i != 0 && strchr("0123456789abcdefABCDEF", (int)i) != NULL;
        char high[2] = {(char)i, '0'}, low[2] = {'0', (char)i};

        assert_int_equal(eds_hex_decode(&out, high, 2, NULL),
                         is_digit ? EDS_OK : EDS_ERR_MALFORMED);
        assert_int_equal(eds_hex_decode(&out, low, 2, NULL), is_digit ? EDS_OK : EDS_ERR_MALFORMED);
    }
    assert_int_equal(eds_hex_decode(&out, "", 0, NULL), EDS_OK);
}

static const struct {
    const char *text, *error;
} faults[] = {
    {"0g00", "Invalid character 'g' at position 1"},
    {"00g0", "Invalid character 'g' at position 2"},
    {"g0g0", "Invalid character 'g' at position 0"},
    {"00 0", "Invalid character ' ' at position 2"},
    {"000", "Odd number of digits"},
    {"g", "Odd number of digits"},
    {"\xc3\xa9", "Invalid character '\xc3\x83' at position 0"},
    {"0\xff", "Invalid character '\xc3\xbf' at position 1"},
};

static void test_faults(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct eds_error err = {0};
        uint8_t out[8];

        assert_int_equal(eds_hex_decode(out, faults[i].text, strlen(faults[i].text), &err),
                         EDS_ERR_MALFORMED);
        assert_int_equal(err.code, EDS_ERR_MALFORMED);
        assert_string_equal(err.text, faults[i].error);
    }
}

/* The original's verdicts on 15 keys given in hex, with its words. */
static void test_keys_of_the_original(void **state)
{
    json_t *cases = vector_load("peer/hex_keys.json");
    size_t index;
    json_t *row;

    (void)state;
    assert_int_equal(json_array_size(cases), 15);
    json_array_foreach(cases, index, row)
    {
        const json_t *verdict = vector_get(row, "inspect_key_public_or_error");
        const char *input = vector_string(row, "input");
        const json_t *error = json_object_get(verdict, "error");
        struct eds_error err = {0};
        uint8_t key[32];
        int32_t rc = eds_hex_decode_exactly(key, sizeof key, input, strlen(input), &err);

        assert_int_equal(rc, error == NULL ? EDS_OK : EDS_ERR_MALFORMED);
        if (error != NULL)
            assert_string_equal(err.text, json_string_value(error));
        else
            assert_hex(key, sizeof key, input);
    }
    json_decref(cases);
}

/* No byte is written when the text is refused, however long it is. */
static void test_exactly_writes_all_or_nothing(void **state)
{
    uint8_t key[3] = {0xa5, 0xa5, 0xa5};

    (void)state;
    assert_int_equal(eds_hex_decode_exactly(key, 2, "010203", 6, NULL), EDS_ERR_MALFORMED);
    assert_int_equal(eds_hex_decode_exactly(key, 2, "010g", 4, NULL), EDS_ERR_MALFORMED);
    assert_int_equal(eds_hex_decode_exactly(key, 2, "01", 2, NULL), EDS_ERR_MALFORMED);
    assert_hex(key, 3, "a5a5a5");
    assert_int_equal(eds_hex_decode_exactly(key, 2, "0102", 4, NULL), EDS_OK);
    assert_hex(key, 3, "0102a5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_every_digit),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_keys_of_the_original),
        cmocka_unit_test(test_exactly_writes_all_or_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

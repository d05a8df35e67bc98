/* Strings of all sorts as ids and references: what is UTF-8 comes back byte for
 * byte, what is not is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "sample.h"
#include "support/dice.h"
#include "support/vectors.h"

/* Sends a string through a record's JSON and back, escaped and as it is. */
static void check_good(const char *string, size_t size)
{
    struct eds_entry entry, back;
    struct sample sample;
    struct eds_error err = {EDS_OK, ""};

    sample_entry(&entry, false);
    memset(entry.record.object_ref, 0, EDS_OBJECT_REF_SIZE);
    memcpy(entry.record.object_ref, string, size);
    if (size < EDS_DEVICE_ID_SIZE) {
        memset(entry.record.device_id, 0, EDS_DEVICE_ID_SIZE);
        memcpy(entry.record.device_id, string, size);
    }
    sample_encode(&sample, &entry, EDS_JSON_PRETTY);
    if (sample_decode(&back, sample.text, sample.size, &err) != EDS_OK)
        fail_msg("%s\n%s", sample.text, err.text);
    assert_entries_equal(&entry, &back);
}

/* Puts a string into a record's JSON as it is. */
static int32_t decode_raw(const char *string, size_t size, struct eds_entry *out,
                          struct eds_error *err)
{
    struct eds_entry entry;
    struct sample sample;
    char value[1024];

    sample_entry(&entry, false);
    sample_encode(&sample, &entry, EDS_JSON_COMPACT);
    assert_true(size + 2 < sizeof value);
    value[0] = value[size + 1] = '"';
    memcpy(value + 1, string, size);
    sample_replace(&sample, "\"lift-01\"", value, size + 2);
    return sample_decode(out, sample.text, sample.size, err);
}

static void check_raw(const char *string, size_t size)
{
    struct eds_entry entry;
    struct eds_error err = {EDS_OK, ""};
    bool plain = true;
    int32_t rc = decode_raw(string, size, &entry, &err);

    for (size_t i = 0; i < size; i++)
        plain = plain && (uint8_t)string[i] >= 0x20 && string[i] != '"' && string[i] != '\\';
    if (!plain || size >= EDS_DEVICE_ID_SIZE)
        return;
    if (!eds_utf8_valid(string, size)) {
        assert_int_equal(rc, EDS_ERR_MALFORMED);
        assert_non_null(strstr(err.text, "record.device_id: expected UTF-8, found byte 0x"));
        return;
    }
    assert_int_equal(rc, EDS_OK);
    assert_int_equal(strlen((char *)entry.record.device_id), size);
    assert_memory_equal(entry.record.device_id, string, size);
    check_good(string, size);
}

static void test_naughty_strings(void **state)
{
    json_t *vectors = vector_load("utf8/blns.json"), *vector;
    size_t i, good = 0;

    (void)state;
    json_array_foreach(vectors, i, vector)
    {
        const json_t *string = vector_get(vector, "s");
        size_t size = json_string_length(string);

        if (size < EDS_OBJECT_REF_SIZE && strlen(json_string_value(string)) == size) {
            check_good(json_string_value(string), size);
            check_raw(json_string_value(string), size);
            good++;
        }
    }
    assert_in_range(good, json_array_size(vectors) - 20, json_array_size(vectors));
    json_decref(vectors);
}

/* Lines of number:[in]valid[ hex]:text-or-digits:... */
static void test_flenniken(void **state)
{
    char *text = vector_file("utf8/utf8tests.txt", NULL), *at = text, *line;
    unsigned good = 0, bad = 0;

    (void)state;
    while ((line = strsep(&at, "\n")) != NULL) {
        char *number = strsep(&line, ":"), *kind = strsep(&line, ":"), *string;
        char digits[256], bytes[128];
        size_t count = 0, size;

        if (number[0] == '#' || kind == NULL)
            continue;
        string = strsep(&line, ":");
        for (const char *c = string; *c != '\0'; c++)
            if (*c != ' ')
                digits[count++] = *c;
        digits[count] = '\0';
        size = strstr(kind, "hex") != NULL ? hex_bytes(bytes, sizeof bytes, digits)
                                           : (size_t)sprintf(bytes, "%s", string);
        check_raw(bytes, size);
        if (strncmp(kind, "valid", 5) == 0)
            good++;
        else
            bad++;
    }
    assert_int_equal(good + bad, 144);
    assert_true(good > 10);
    free(text);
}

static void test_kuhn(void **state)
{
    size_t size;
    char *text = vector_file("utf8/UTF-8-test.kuhn.txt", &size), *at = text;

    (void)state;
    while (at < text + size) {
        char *end = memchr(at, '\n', (size_t)(text + size - at));

        check_raw(at, (size_t)(end - at));
        at = end + 1;
    }
    free(text);
}

/* Every code point, raw and as its escape, gives the same string. */
static void test_all_code_points(void **state)
{
    struct eds_entry raw, escaped;

    (void)state;
    for (uint32_t point = 1; point < 0x110000; point += point < 0x3000 ? 1 : 61) {
        char bytes[8] = {0}, escape[16];
        size_t size;

        if (point >= 0xd800 && point <= 0xdfff)
            continue;
        size = eds_utf8_encode((uint8_t *)bytes, point);
        if (point < 0x10000)
            sprintf(escape, point % 2 == 0 ? "\\u%04x" : "\\u%04X", point);
        else
            sprintf(escape, "\\u%04X\\u%04x", 0xd800 + ((point - 0x10000) >> 10),
                    0xdc00 + ((point - 0x10000) & 0x3ff));
        assert_int_equal(decode_raw(escape, strlen(escape), &escaped, NULL), EDS_OK);
        assert_string_equal(escaped.record.device_id, bytes);
        if (point >= 0x20 && point != '"' && point != '\\') {
            assert_int_equal(decode_raw(bytes, size, &raw, NULL), EDS_OK);
            assert_entries_equal(&raw, &escaped);
        }
    }
}

/* Could more bytes make UTF-8 of these? */
static bool can_be_completed(const char *bytes, size_t size)
{
    static const char next[] = "\x80\x8f\x90\x9f\xa0\xbf";
    char longer[8];

    if (eds_utf8_valid(bytes, size))
        return true;
    memcpy(longer, bytes, size);
    for (size_t i = 0; i < sizeof next - 1; i++) { /* all limits of table 3-7 */
        longer[size] = next[i];
        memset(longer + size + 1, '\x80', 2);
        for (size_t more = 1; more <= 3; more++)
            if (eds_utf8_valid(longer, size + more))
                return true;
    }
    return false;
}

/* A text that ends inside a character ends too early; one that ends with what is
 * no front of a character is wrong, and nothing after it would help. */
static void test_cut_characters(void **state)
{
    struct eds_entry entry;
    char text[32] = "{\"device_id\":\"x";
    const size_t before = strlen(text);

    (void)state;
    for (unsigned first = 0x80; first < 256; first++) {
        for (unsigned rest = 0; rest < 1 + 256 + 256 * 7; rest++) {
            static const char third[] = "\x80\x8f\x90\xa0\xbf\xc2z";
            size_t size = 1;

            text[before] = (char)first;
            if (rest > 0)
                text[before + size++] = (char)(rest <= 256 ? rest - 1 : (rest - 257) / 7);
            if (rest > 256)
                text[before + size++] = third[(rest - 257) % 7];
            if (rest > 0 && (uint8_t)text[before + 1] < 0x80)
                continue; /* a character of its own: a quote, a letter */
            if (rest > 256 && text[before + 2] == 'z')
                size--;
            assert_int_equal(sample_decode(&entry, text, before + size, NULL),
                             can_be_completed(text + before, size) ? EDS_ERR_TRUNCATED
                                                                   : EDS_ERR_MALFORMED);
        }
    }
}

/* Random mixes of plain runs, escapes and characters, at all lengths. */
static void test_mixed(void **state)
{
    struct dice dice;

    (void)state;
    dice_seed(&dice);
    for (unsigned i = 0; i < 5000; i++) {
        char string[EDS_OBJECT_REF_SIZE];
        size_t size = 0, limit = dice_below(&dice, sizeof string);

        while (size + 4 < limit) {
            static const uint32_t limits[4] = {0x20, 0x80, 0x800, 0xd800};

            size +=
                eds_utf8_encode((uint8_t *)string + size,
                                1 + (uint32_t)dice_below(&dice, limits[dice_below(&dice, 4)] - 1));
        }
        check_good(string, size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_naughty_strings),
        cmocka_unit_test(test_flenniken),
        cmocka_unit_test(test_kuhn),
        cmocka_unit_test(test_all_code_points),
        cmocka_unit_test(test_cut_characters),
        cmocka_unit_test(test_mixed),
    };

    return run_on_all_levels(tests);
}

/* UTF-8: all sequences there are, and two public collections of faults. */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/dice.h"
#include "support/vectors.h"

static void test_all_code_points(void **state)
{
    uint8_t bytes[4];

    (void)state;
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        size_t size = eds_utf8_encode(bytes, point);
        bool is_surrogate = point >= 0xd800 && point <= 0xdfff;

        assert_int_equal(size, point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4);
        if (eds_utf8_valid(bytes, size) == is_surrogate)
            fail_msg("U+%04X", (unsigned)point);
        for (size_t cut = 1; cut < size; cut++)
            if (eds_utf8_valid_size(bytes, cut) != 0)
                fail_msg("U+%04X cut to %zu bytes", (unsigned)point, cut);
    }
}

/* Every code point has a sequence of its own, so there are as many valid
 * sequences of a length as code points that need it. */
static void test_no_other_sequence(void **state)
{
    size_t two = 0, three = 0, four = 0;

    (void)state;
    for (unsigned a = 0x80; a < 0x100; a++)
        for (unsigned b = 0; b < 0x100; b++) {
            const uint8_t bytes[2] = {(uint8_t)a, (uint8_t)b};

            two += eds_utf8_valid(bytes, 2);
        }
    for (uint32_t i = 0; i < 0x20 * 0x10000u; i++) { /* leads e0 to ff */
        const uint8_t bytes[3] = {(uint8_t)(0xe0 + (i >> 16)), (uint8_t)(i >> 8), (uint8_t)i};

        three += eds_utf8_valid(bytes, 3);
    }
    for (uint32_t i = 0; i < 0x10 * 0x10000u; i++) { /* leads f0 to ff, last byte fixed */
        const uint8_t bytes[4] = {(uint8_t)(0xf0 + (i >> 16)), (uint8_t)(i >> 8), (uint8_t)i, 0x9f};

        four += eds_utf8_valid(bytes, 4);
    }
    assert_int_equal(two, 0x800 - 0x80);
    assert_int_equal(three, 0x10000 - 0x800 - 0x800);
    assert_int_equal(four, 0x100000 / 64);
}

/* Replaces each fault by U+FFFD and returns how many there were. */
static size_t replace(uint8_t *out, size_t *out_size, const uint8_t *bytes, size_t size)
{
    size_t faults = 0;

    *out_size = 0;
    while (size > 0) {
        size_t valid = eds_utf8_valid_size(bytes, size), fault;

        memcpy(out + *out_size, bytes, valid);
        *out_size += valid;
        bytes += valid;
        size -= valid;
        if (size == 0)
            break;
        fault = eds_utf8_fault_size(bytes, size);
        assert_in_range(fault, 1, size < 3 ? size : 3);
        *out_size += eds_utf8_encode(out + *out_size, 0xfffd);
        bytes += fault;
        size -= fault;
        faults++;
    }
    return faults;
}

/* Digits with blanks between them. */
static size_t spaced_hex(uint8_t *out, size_t out_size, const char *text)
{
    char digits[256];
    size_t count = 0;

    for (; *text != '\0'; text++)
        if (*text != ' ')
            digits[count++] = *text;
    digits[count] = '\0';
    return hex_bytes(out, out_size, digits);
}

/* A line is number:valid[ hex]:text, or number:invalid hex:text:without:replaced. */
static void check_line(char *line)
{
    uint8_t bytes[64], expected[128], out[256];
    char *kind, *text, *replaced;
    size_t size, expected_size, out_size;

    strsep(&line, ":");
    kind = strsep(&line, ":");
    text = strsep(&line, ":");
    if (strcmp(kind, "valid") == 0) {
        assert_true(eds_utf8_valid(text, strlen(text)));
        return;
    }
    size = spaced_hex(bytes, sizeof bytes, text);
    if (strcmp(kind, "valid hex") == 0) {
        assert_true(eds_utf8_valid(bytes, size));
        return;
    }
    assert_string_equal(kind, "invalid hex");
    strsep(&line, ":");
    replaced = strsep(&line, ":");
    expected_size = spaced_hex(expected, sizeof expected, replaced);
    assert_false(eds_utf8_valid(bytes, size));
    assert_true(replace(out, &out_size, bytes, size) > 0);
    assert_int_equal(out_size, expected_size);
    assert_memory_equal(out, expected, out_size);
}

static void test_flenniken(void **state)
{
    char *text = vector_file("utf8/utf8tests.txt", NULL), *at = text, *line;
    unsigned count = 0;

    (void)state;
    while ((line = strsep(&at, "\n")) != NULL) {
        if (line[0] == '\0' || line[0] == '#')
            continue;
        check_line(line);
        count++;
    }
    assert_int_equal(count, 144);
    free(text);
}

static void test_kuhn(void **state)
{
    size_t size;
    char *text = vector_file("utf8/UTF-8-test.kuhn.txt", &size), *at = text;
    char *list = vector_file("utf8/UTF-8-test.faults", NULL), *next = list;
    unsigned long number = 0, faulty = 0;

    (void)state;
    while (at < text + size) {
        char *end = memchr(at, '\n', (size_t)(text + size - at)); /* there are NULs in it */
        unsigned long expected = 0;
        uint8_t out[1024];
        size_t out_size;

        number++;
        if (strtoul(next, NULL, 10) == number) {
            expected = strtoul(strchr(next, ' '), NULL, 10);
            next = strchr(next, '\n') + 1;
            faulty++;
        }
        assert_int_equal(replace(out, &out_size, (uint8_t *)at, (size_t)(end - at)), expected);
        assert_true(eds_utf8_valid(out, out_size));
        at = end + 1;
    }
    assert_int_equal(faulty, 68);
    free(list);
    free(text);
}

/* The way in steps of eight bytes gives the same answer as the slow one. */
static void test_place_of_the_fault(void **state)
{
    struct dice dice;
    uint8_t text[41];

    (void)state;
    dice_seed(&dice);
    for (size_t at = 0; at < sizeof text; at++) {
        memset(text, 'a', sizeof text);
        text[at] = 0x80;
        for (size_t begin = 0; begin <= at; begin++)
            assert_int_equal(eds_utf8_valid_size(text + begin, sizeof text - begin), at - begin);
    }
    for (unsigned i = 0; i < 20000; i++) {
        size_t used = 0, point_size;

        while (used + 4 < sizeof text) { /* valid text of all lengths of sequence */
            static const uint32_t limits[4] = {0x80, 0x800, 0xd800, 0x110000};
            uint32_t point = (uint32_t)dice_below(&dice, limits[dice_below(&dice, 4)]);

            if (point >= 0xd800 && point <= 0xdfff)
                point = 'x';
            point_size = eds_utf8_encode(text + used, point);
            used += point_size;
        }
        assert_true(eds_utf8_valid(text, used));
        text[used] = 0xff;
        assert_int_equal(eds_utf8_valid_size(text, used + 1), used);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_code_points),    cmocka_unit_test(test_no_other_sequence),
        cmocka_unit_test(test_flenniken),          cmocka_unit_test(test_kuhn),
        cmocka_unit_test(test_place_of_the_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

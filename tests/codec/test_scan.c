/* The inner loops, held against the plainest code that does the same. */
#include "codec/json_scan.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sample.h"
#include "support/dice.h"

/* Writes numbers in the compact form; returns the size. */
static size_t write_list(char *out, const uint8_t *bytes, size_t count)
{
    size_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += (size_t)sprintf(out + size, "%u%c", bytes[i], i + 1 < count ? ',' : ']');
    return size;
}

static void test_numbers(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        char expected[5] = {0};

        sprintf(expected, "%u,", i);
        assert_memory_equal(eds_scan_numbers[i], expected, 4);
    }
}

static void test_hex_values(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char digit[2] = {(char)c, '\0'};

        assert_int_equal(eds_scan_hex_values[c],
                         isxdigit(c) ? strtoul(digit, NULL, 16) : EDS_NO_DIGIT);
    }
}

/* Every pair of bytes, at both places of a pair. */
static void test_all_pairs(void **state)
{
    uint8_t bytes[2], out[2];
    char text[32];

    (void)state;
    for (unsigned pair = 0; pair < 65536; pair++) {
        size_t size;

        bytes[0] = (uint8_t)(pair >> 8);
        bytes[1] = (uint8_t)pair;
        size = write_list(text, bytes, 2);
        memset(text + size, '}', 8);
        assert_ptr_equal(eds_scan_byte_list(out, 2, text, text + size + 8), text + size);
        assert_memory_equal(out, bytes, 2);
    }
}

/* What eds_scan_byte_list should say of a text that goes on long enough. */
static const char *plain_list(uint8_t *out, size_t count, const char *at)
{
    for (size_t i = 0; i < count; i++) {
        size_t digits = strspn(at, "0123456789");
        unsigned long number = strtoul(at, NULL, 10);

        if (digits == 0 || digits > 3 || number > 255 || (digits > 1 && at[0] == '0') ||
            at[digits] != (i + 1 < count ? ',' : ']'))
            return NULL;
        out[i] = (uint8_t)number;
        at += digits + 1;
    }
    return at;
}

/* Words of up to four characters between the commas, at each of four places. */
static void test_all_short_spellings(void **state)
{
    static const char alphabet[] = "01259 ,]-/:\n";
    const size_t letters = sizeof alphabet - 1;
    unsigned taken = 0;

    (void)state;
    for (size_t spelling = 0; spelling < 4 * letters * letters * letters * letters; spelling++) {
        for (size_t length = 0; length <= 4; length++) {
            char word[8] = "", text[64];
            size_t rest = spelling / 4, size = 0;
            uint8_t out[4], expected[4];
            const char *end;

            for (size_t i = 0; i < length; i++, rest /= letters)
                word[i] = alphabet[rest % letters];
            for (size_t i = 0; i < 4; i++)
                size += (size_t)sprintf(text + size, "%s%c", i == spelling % 4 ? word : "77",
                                        i < 3 ? ',' : ']');
            sprintf(text + size, "        ");
            end = plain_list(expected, 4, text);
            if (eds_scan_byte_list(out, 4, text, text + size + 8) != end)
                fail_msg("%s", text);
            if (end != NULL)
                assert_memory_equal(out, expected, 4);
            taken += end != NULL;
        }
    }
    assert_true(taken > 1000);
}

/* The same words in lists that AVX-512 takes, sixteen numbers at a time, and nothing
 * after them in memory. */
static void test_short_spellings_in_long_lists(void **state)
{
    static const char alphabet[] = "01259 ,]-/:\n";
    const size_t letters = sizeof alphabet - 1;
    static const char *const neighbours[] = {"7", "77", "255"};
    struct dice dice;
    unsigned taken = 0;

    (void)state;
    dice_seed(&dice);
    for (size_t spelling = 0; spelling < letters * letters * letters * letters; spelling++) {
        size_t count = 16 + 16 * dice_below(&dice, 4), where = dice_below(&dice, count), size = 0;
        size_t rest = spelling, length = dice_below(&dice, 5), after_size = dice_below(&dice, 9);
        char word[8] = "", text[64 * 5 + 16], *copy;
        uint8_t out[64], expected[64];
        const char *after, *wanted;

        for (size_t i = 0; i < length; i++, rest /= letters)
            word[i] = alphabet[rest % letters];
        for (size_t i = 0; i < count; i++)
            size += (size_t)sprintf(text + size, "%s%c",
                                    i == where ? word : neighbours[dice_below(&dice, 3)],
                                    i + 1 < count ? ',' : ']');
        memset(text + size, '5', after_size);
        text[size + after_size] = '\0';
        copy = sample_exact(text, size + after_size);
        wanted = plain_list(expected, count, text);
        after = eds_scan_byte_list(out, count, copy, copy + size + after_size);
        if (after != NULL) {
            assert_non_null(wanted);
            assert_int_equal(after - copy, wanted - text);
            assert_memory_equal(out, expected, count);
            taken++;
        } else if (wanted != NULL) { /* too near the end is the only excuse, in plain C */
            assert_true(after_size < 8);
        }
        free(copy);
    }
    assert_true(taken > 500);
}

static const struct eds_scan_loops *right_loops;

static const char *wrong_list(uint8_t *out, size_t count, const char *at, const char *end)
{
    const char *after = right_loops->byte_list(out, count, at, end);

    out[count - 1] ^= after != NULL;
    return after;
}

/* Takes a number above 255 for what is left of it. */
static const char *lax_list(uint8_t *out, size_t count, const char *at, const char *end)
{
    const char *after = right_loops->byte_list(out, count, at, end);

    return after != NULL ? after : at + strcspn(at, "]") + 1;
}

static const char *wrong_plain(const char *at, const char *end, bool *ascii)
{
    const char *stop = right_loops->plain(at, end, ascii);

    *ascii = true;
    return stop;
}

static const char *wrong_hex(uint8_t *out, const char *at, const char *end)
{
    const char *after = right_loops->hex(out, at, end);

    return after > at ? after - 2 : after;
}

static void test_selftest_finds_faults(void **state)
{
    struct eds_scan_loops loops = eds_scan_loops_portable;

    (void)state;
    right_loops = &eds_scan_loops_portable;
    assert_true(eds_scan_selftest(&loops));
    loops.byte_list = wrong_list;
    assert_false(eds_scan_selftest(&loops));
    loops.byte_list = lax_list;
    assert_false(eds_scan_selftest(&loops));
    loops = eds_scan_loops_portable;
    loops.plain = wrong_plain;
    assert_false(eds_scan_selftest(&loops));
    loops = eds_scan_loops_portable;
    loops.hex = wrong_hex;
    assert_false(eds_scan_selftest(&loops));
}

static void test_lists_of_all_sizes(void **state)
{
    struct dice dice;

    (void)state;
    dice_seed(&dice);
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t bytes[64], out[64];
        char text[300], *copy;
        size_t count = 2 + 2 * dice_below(&dice, 32), size, rest = dice_below(&dice, 12);
        const char *after;

        dice_bytes(&dice, bytes, count);
        size = write_list(text, bytes, count);
        memset(text + size, '"', rest);
        copy = sample_exact(text, size + rest);
        after = eds_scan_byte_list(out, count, copy, copy + size + rest);
        if (after != NULL) {
            assert_ptr_equal(after, copy + size);
            assert_memory_equal(out, bytes, count);
        } else {
            assert_true(rest < 8); /* too near the end is the only excuse */
        }
        free(copy);
    }
}

/* What eds_scan_spaced_list may say: numbers, and any white space after commas. */
static const char *plain_spaced_list(uint8_t *out, size_t count, const char *at)
{
    for (size_t i = 0; i < count; i++) {
        size_t digits = strspn(at, "0123456789");
        unsigned long number = strtoul(at, NULL, 10);

        if (digits == 0 || digits > 3 || number > 255 || (digits > 1 && at[0] == '0'))
            return NULL;
        out[i] = (uint8_t)number;
        at += digits;
        if (i + 1 < count && *at++ != ',')
            return NULL;
        if (i + 1 < count)
            at += strspn(at, " \n\r\t");
    }
    return at;
}

static const char blanks[] = " \n\r\t";

/* Writes numbers with one gap between them, in half of the cases with another
 * one somewhere. */
static size_t write_spaced(struct dice *dice, char *out, size_t count, size_t gap_size,
                           bool *is_regular)
{
    size_t size = 0, odd = dice_below(dice, 2 * count);
    char gap[20] = "";

    for (size_t i = 0; i < gap_size; i++)
        gap[i] = blanks[dice_below(dice, 4)];
    for (size_t i = 0; i < count; i++)
        size += (size_t)sprintf(out + size, "%s%s%u", i > 0 ? "," : "",
                                i == 0     ? ""
                                : i == odd ? "\n \t"
                                           : gap,
                                (unsigned)dice_below(dice, 256));
    *is_regular = odd == 0 || odd >= count;
    return size;
}

static void test_spaced_lists(void **state)
{
    struct dice dice;
    unsigned taken = 0;

    (void)state;
    dice_seed(&dice);
    for (unsigned i = 0; i < 40000; i++) {
        uint8_t out[64], expected[64];
        char text[2000], *copy;
        size_t count = 1 + dice_below(&dice, 64), gap_size = dice_below(&dice, 18), rest, size;
        const char *after, *end;
        bool is_regular;

        size = write_spaced(&dice, text, count, gap_size, &is_regular);
        rest = dice_below(&dice, 40);
        memset(text + size, '\n', rest);
        text[size + rest] = '\0';
        if (i % 2 == 0) { /* damaged in one place */
            text[dice_below(&dice, size)] = "0159 \n,;x.-"[dice_below(&dice, 11)];
            is_regular = false;
        }
        copy = sample_exact(text, size + rest);
        after = eds_scan_spaced_list(out, count, copy, copy + size + rest);
        end = plain_spaced_list(expected, count, text);
        if (after == NULL) {
            assert_true(!is_regular || gap_size > 16 || rest < 25);
        } else {
            assert_non_null(end);
            assert_int_equal(after - copy, end - text);
            assert_memory_equal(out, expected, count);
            taken++;
        }
        free(copy);
    }
    assert_in_range(taken, 2000, 20000);
}

static void test_spaced_spellings(void **state)
{
    static const char *const bad[] = {"256",  "01",   "00", "-1",  "1.",  "1e",
                                      "",     " 1",   "1 ", "1,1", "300", "999",
                                      "1000", "0256", ":",  "1:",  "a",   "1\x01"};
    char text[400];
    uint8_t out[16];

    (void)state;
    for (size_t at = 0; at < 15; at++) {
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            size_t size = 0;

            for (size_t k = 0; k < 16; k++)
                size += (size_t)sprintf(text + size, "%s%s", k == at ? bad[i] : "255",
                                        k < 15 ? ",\n    " : "");
            memset(text + size, '\n', 50);
            assert_null(eds_scan_spaced_list(out, 16, text, text + size + 50));
        }
    }
}

static void test_hex(void **state)
{
    struct dice dice;

    (void)state;
    dice_seed(&dice);
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t bytes[100];
        char text[201], *copy;
        size_t size = dice_below(&dice, 101), digits = 2 * size, cut = dice_below(&dice, 2);
        size_t bad = dice_below(&dice, 4) != 0 && digits > 0 ? dice_below(&dice, digits) : digits;

        dice_bytes(&dice, bytes, size);
        for (size_t k = 0; k < size; k++)
            sprintf(text + 2 * k, dice_below(&dice, 2) == 0 ? "%02x" : "%02X", bytes[k]);
        if (bad < digits)
            text[bad] = "g/:@G`\0\xff"[dice_below(&dice, 8)];
        cut = cut < digits ? cut : 0;
        copy = sample_exact(text, digits - cut);
        if (bad > digits - cut)
            bad = digits - cut;
        assert_ptr_equal(eds_scan_hex((uint8_t *)copy, copy, copy + digits - cut),
                         copy + (bad & ~(size_t)1)); /* whole pairs */
        assert_memory_equal(copy, bytes, bad / 2);
        free(copy);
    }
}

static void test_plain(void **state)
{
    (void)state;
    for (size_t size = 0; size < 133; size += size < 40 ? 1 : 7) { /* over two wide steps */
        char *copy = sample_exact("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP"
                                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP"
                                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW",
                                  size);
        bool ascii = false;

        assert_ptr_equal(eds_scan_plain(copy, copy + size, &ascii), copy + size);
        assert_true(ascii);
        for (size_t at = 0; at < size; at++) {
            char was = copy[at];

            for (unsigned byte = 0; byte < 256; byte++) {
                bool stops = byte < 0x20 || byte == '"' || byte == '\\';

                copy[at] = (char)byte;
                assert_ptr_equal(eds_scan_plain(copy, copy + size, &ascii),
                                 stops ? copy + at : copy + size);
                assert_int_equal(ascii, byte < 0x80);
                if (at + 1 < size) { /* what comes after a stop does not count */
                    char next = copy[at + 1];

                    copy[at + 1] = '\xc3';
                    (void)eds_scan_plain(copy, copy + size, &ascii);
                    assert_int_equal(ascii, stops);
                    copy[at + 1] = next;
                }
            }
            copy[at] = was;
        }
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_hex_values),
        cmocka_unit_test(test_all_pairs),
        cmocka_unit_test(test_all_short_spellings),
        cmocka_unit_test(test_short_spellings_in_long_lists),
        cmocka_unit_test(test_lists_of_all_sizes),
        cmocka_unit_test(test_spaced_lists),
        cmocka_unit_test(test_spaced_spellings),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_selftest_finds_faults),
    };

    return run_on_all_levels(tests);
}

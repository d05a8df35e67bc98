/* test_format.c - our formatting next to the C library's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/format.h"

/* Both write it at every size of the buffer, and agree; what is cut is ASCII here. */
#define SAME(...)                                                                                  \
    do {                                                                                           \
        char ours[200], theirs[200];                                                               \
                                                                                                   \
        for (size_t size = 1; size <= sizeof ours; size++) {                                       \
            memset(ours, 'x', sizeof ours);                                                        \
            memset(theirs, 'x', sizeof theirs);                                                    \
            assert_int_equal(eds_format(ours, size, __VA_ARGS__),                                  \
                             snprintf(theirs, size, __VA_ARGS__));                                 \
            assert_memory_equal(ours, theirs, sizeof ours);                                        \
        }                                                                                          \
    } while (0)

static void test_numbers(void **state)
{
    (void)state;
    SAME("%d %d %d %d", 0, -1, INT_MAX, INT_MIN);
    SAME("%u %u", 0u, UINT_MAX);
    SAME("%x %X %o", 0xbeefu, 0xbeefu, 0755u);
    SAME("%ld %lu", LONG_MIN, ULONG_MAX);
    SAME("%lld %lld %llu", LLONG_MIN, LLONG_MAX, ULLONG_MAX);
    SAME("%llo", ULLONG_MAX);
    SAME("%zu %zx", (size_t)SIZE_MAX, (size_t)1);
    SAME("%" PRIu64 " %" PRIi64 " %jd %ju", UINT64_MAX, INT64_MIN, INTMAX_MIN, UINTMAX_MAX);
    SAME("%td", (ptrdiff_t)-5);
    SAME("%hhu %hu %hhd %hd", (unsigned char)255, (unsigned short)65535, (signed char)-128,
         (short)-32768);
}

static void test_fields(void **state)
{
    const char *text = "brake";

    (void)state;
    SAME("[%5d] [%-5d] [%05d] [%5d] [%05d]", 42, 42, 42, -42, -42);
    SAME("[%2d] [%02x] [%04o]", 12345, 7u, 0600u);
    SAME("[%*d] [%*d]", 6, 1, -6, 1);
    SAME("[%s] [%8s] [%-8s] [%2s]", text, text, text, text);
    SAME("[%.3s] [%.*s] [%8.2s] [%.0s] [%.99s]", text, 4, text, text, text, text);
    SAME("[%.*s]", -1, text); /* no precision, then */
    SAME("%c%c%3c%-3c|", 'a', '%', 'b', 'c');
    SAME("100 %% of %s", text);
    SAME("%s", "");
    SAME("no conversion at all");
}

/* Up to a precision nothing is read: the bytes need no end. */
static void test_no_end_needed(void **state)
{
    const char bytes[3] = {'a', 'b', 'c'};
    char out[8];

    (void)state;
    assert_int_equal(eds_format(out, sizeof out, "%.*s", 3, bytes), 3);
    assert_string_equal(out, "abc");
}

static void test_cut_at_a_character(void **state)
{
    char out[8];

    (void)state;
    assert_int_equal(eds_format(out, 4, "ab%s", "\xc3\xa9"), 4); /* its second byte has no room */
    assert_string_equal(out, "ab");
    assert_int_equal(eds_format(out, 5, "ab%s", "\xc3\xa9"), 4);
    assert_string_equal(out, "ab\xc3\xa9");
    assert_int_equal(eds_format(out, 1, "%u", 12345u), 5);
    assert_string_equal(out, "");
}

/* What it does not know it leaves in the text, and takes no argument for it.  The
 * compiler would warn of each of these. */
static void test_unknown(void **state)
{
    static const char *const formats[] = {"a%f b%s", "a%p", "a%n", "a%", "a%5", "a%l", "a% d"};
    char out[32];
    volatile int least = INT_MIN;

    (void)state;
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
        assert_int_equal(eds_format(out, sizeof out, formats[i]), strlen(formats[i]));
#pragma GCC diagnostic pop
        assert_string_equal(out, formats[i]);
    }
    /* A width that only * could give. */
    assert_int_equal(eds_format(out, sizeof out, "%*d|", least, 1), 10001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),       cmocka_unit_test(test_fields),
        cmocka_unit_test(test_no_end_needed), cmocka_unit_test(test_cut_at_a_character),
        cmocka_unit_test(test_unknown),
    };

    return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}

/* test_instant.c - moments as text and back. */
#include "store/instant.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <time.h>

#include "support/dice.h"

static const struct {
    uint64_t unix_ms;
    const char *text;
} known[] = {
    {0, "1970-01-01T00:00:00.000Z"},
    {1, "1970-01-01T00:00:00.001Z"},
    {951782399999, "2000-02-28T23:59:59.999Z"},
    {951782400000, "2000-02-29T00:00:00.000Z"},
    {951868800000, "2000-03-01T00:00:00.000Z"},
    {4107542399999, "2100-02-28T23:59:59.999Z"}, /* 2100 is no leap year */
    {4107542400000, "2100-03-01T00:00:00.000Z"},
    {1795305600123, "2026-11-22T00:00:00.123Z"},
    {253402300799999, "9999-12-31T23:59:59.999Z"},
    {253402300800000, "10000-01-01T00:00:00.000Z"},
    {UINT64_MAX, "584556019-04-03T14:25:51.615Z"},
};

static void test_known(void **state)
{
    char text[EDS_INSTANT_SIZE];
    uint64_t back;

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        eds_instant_format(text, known[i].unix_ms);
        assert_string_equal(text, known[i].text);
        assert_true(eds_instant_parse(&back, text));
        assert_true(back == known[i].unix_ms);
    }
}

/* The C library agrees, as far as it goes. */
static void test_against_gmtime(void **state)
{
    struct dice dice;
    char text[EDS_INSTANT_SIZE], expected[EDS_INSTANT_SIZE + 64];
    uint64_t back;

    (void)state;
    dice_seed(&dice);
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t unix_ms = dice_u64(&dice) >> (dice_below(&dice, 48) + 9);
        time_t seconds = (time_t)(unix_ms / 1000);
        struct tm utc;

        gmtime_r(&seconds, &utc);
        snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ",
                 utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
                 utc.tm_sec, (unsigned)(unix_ms % 1000));
        eds_instant_format(text, unix_ms);
        assert_string_equal(text, expected);
        assert_true(eds_instant_parse(&back, text));
        assert_true(back == unix_ms);
    }
}

/* Each is one edit away from 2026-11-22T00:07:55.123Z or one that is near. */
static void test_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "2026-11-22T00:07:55.123",
        "2026-11-22T00:07:55.123z",
        "2026-11-22T00:07:55.123Z ",
        " 2026-11-22T00:07:55.123Z",
        "2026-11-22 00:07:55.123Z",
        "2026-11-22T00:07:55.12Z",
        "2026-11-22T00:07:55Z",
        "2026-11-22T0:07:55.123Z",
        "02026-1-22T00:07:55.123Z",
        "2026-11-22T24:00:00.000Z",
        "2026-11-22T00:60:00.000Z",
        "2026-11-22T00:07:60.123Z",
        "2026-11-31T00:07:55.123Z",
        "2026-02-29T00:07:55.123Z",
        "2026-00-22T00:07:55.123Z",
        "2026-13-22T00:07:55.123Z",
        "2026-11-00T00:07:55.123Z",
        "02026-11-22T00:07:55.123Z",
        "1969-12-31T23:59:59.999Z",
        "-2026-11-22T00:07:55.123Z",
        "584556019-04-03T14:25:51.616Z",
        "999999999-04-03T14:25:51.615Z",
        "1000000000-01-01T00:00:00.000Z",
    };
    uint64_t back;

    (void)state;
    assert_true(eds_instant_parse(&back, "2026-11-22T00:07:55.123Z"));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (eds_instant_parse(&back, texts[i]))
            fail_msg("'%s' was taken", texts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_against_gmtime),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests_name("instant", tests, NULL, NULL);
}

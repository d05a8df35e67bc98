/* Errors: every code has its name, and a long text is cut between characters. */
#include "edgesentry/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"

static void test_names(void **state)
{
    (void)state;
    for (int32_t code = 0; code >= EDS_ERR_REFUSED; code--) {
        assert_int_equal(strncmp(eds_error_name(code), "EDS_", 4), 0);
        assert_string_not_equal(eds_error_name(code), "EDS_ERR_UNKNOWN");
        for (int32_t other = 0; other > code; other--)
            assert_string_not_equal(eds_error_name(code), eds_error_name(other));
    }
    assert_string_equal(eds_error_name(EDS_ERR_IO), "EDS_ERR_IO");
    assert_string_equal(eds_error_name(-7), "EDS_ERR_HASH_MISMATCH");
    assert_string_equal(eds_error_name(1), "EDS_ERR_UNKNOWN");
    assert_string_equal(eds_error_name(EDS_ERR_REFUSED - 1), "EDS_ERR_UNKNOWN");
}

static void test_set(void **state)
{
    struct eds_error err = {0};

    (void)state;
    assert_int_equal(eds_error_set(&err, EDS_ERR_BUSY, "%s %d", "full", 7), EDS_ERR_BUSY);
    assert_int_equal(err.code, EDS_ERR_BUSY);
    assert_string_equal(err.text, "full 7");
    assert_int_equal(eds_error_set(NULL, EDS_ERR_IO, "nobody asks"), EDS_ERR_IO);
}

/* However a character of 1 to 4 bytes lies across the end, none is halved. */
static void test_cut(void **state)
{
    static const char *const characters[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        for (unsigned shift = 0; shift < 4; shift++) {
            char text[2 * EDS_ERROR_TEXT_SIZE] = "";
            size_t step = strlen(characters[i]), used = shift;
            struct eds_error err;

            memset(text, '.', shift);
            while (used + 4 < sizeof text) {
                memcpy(text + used, characters[i], step);
                used += step;
            }
            text[used] = '\0';
            eds_error_set(&err, EDS_ERR_IO, "%s", text);
            assert_true(eds_utf8_valid(err.text, strlen(err.text)));
            assert_true(strlen(err.text) > EDS_ERROR_TEXT_SIZE - 1 - step);
            assert_memory_equal(err.text, text, strlen(err.text));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

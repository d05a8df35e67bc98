/* Gateways: what a list may look like, and who may speak for whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "support/alloc.h"
#include "transport/gateways.h"

#define A_50     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define NAME_250 A_50 A_50 A_50 A_50 A_50

static const struct row {
    const char *text;
    int32_t rc;
} rows[] = {
    {"gw=a", EDS_OK},
    {"gw=a,b", EDS_OK},
    {"gw=a=b", EDS_OK}, /* an id may have it */
    {"gw=" NAME_250 "12345", EDS_OK},
    {NAME_250 "12345=a", EDS_OK},
    {"gw=" NAME_250 "123456", EDS_ERR_USAGE},
    {NAME_250 "123456=a", EDS_ERR_USAGE},
    {"gw", EDS_ERR_USAGE},
    {"gw=", EDS_ERR_USAGE},
    {"=a", EDS_ERR_USAGE},
    {"gw=a,", EDS_ERR_USAGE},
    {"gw=,a", EDS_ERR_USAGE},
    {"gw=a,,b", EDS_ERR_USAGE},
    {"", EDS_ERR_USAGE},
};

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct eds_gateways gateways = {.pairs = NULL};
        struct eds_error err;

        if (eds_gateways_check(rows[i].text, &err) != rows[i].rc ||
            eds_gateways_add(&gateways, rows[i].text, &err) != rows[i].rc)
            fail_msg("%s", rows[i].text);
        eds_gateways_free(&gateways);
    }
}

static void test_allow(void **state)
{
    struct eds_gateways gateways = {.pairs = NULL};
    struct eds_error err;

    (void)state;
    assert_false(eds_gateways_allow(NULL, "gw", "a"));
    assert_false(eds_gateways_allow(&gateways, "gw", "a"));
    assert_int_equal(eds_gateways_add(&gateways, "gw-2=c,a,b", &err), EDS_OK);
    assert_int_equal(eds_gateways_add(&gateways, "gw-1=z", &err), EDS_OK);
    assert_int_equal(eds_gateways_add(&gateways, "gw-1=a,a", &err), EDS_OK);
    for (const char *device = "abcz"; *device != '\0'; device++) {
        char id[2] = {*device};

        assert_int_equal(eds_gateways_allow(&gateways, "gw-1", id),
                         *device == 'a' || *device == 'z');
        assert_int_equal(eds_gateways_allow(&gateways, "gw-2", id), *device != 'z');
        assert_false(eds_gateways_allow(&gateways, "gw", id));
        assert_false(eds_gateways_allow(&gateways, "gw-3", id));
    }
    assert_false(eds_gateways_allow(&gateways, "gw-1", ""));
    eds_gateways_free(&gateways);
}

static void test_memory(void **state)
{
    struct eds_gateways gateways = {.pairs = NULL};
    struct eds_error err;

    (void)state;
    alloc_fail_at(1);
    assert_int_equal(eds_gateways_add(&gateways, "gw=a", &err), EDS_ERR_NO_MEMORY);
    alloc_fail_at(0);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(eds_gateways_add(&gateways, "gw=a", &err), EDS_OK);
    assert_true(eds_gateways_allow(&gateways, "gw", "a"));
    eds_gateways_free(&gateways);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_allow),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

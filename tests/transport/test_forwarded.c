/* test_forwarded.c - lists of who has passed a request on: who is believed, and how
 * far. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "transport/forwarded.h"

#define XFF EDS_FORWARDED_FOR
#define RFC EDS_FORWARDED_RFC

/* Of a request from 10.0.0.1, where 10.0.0.0/8 and fd00::/8 are trusted. */
static const struct {
    const char *values[3];
    enum eds_forwarded_kind kind;
    const char *source; /* NULL: refused */
} rows[] = {
    {{"203.0.113.7"}, XFF, "203.0.113.7"},
    {{" 203.0.113.7\t"}, XFF, "203.0.113.7"},
    {{"203.0.113.7, 10.2.2.2"}, XFF, "203.0.113.7"},
    {{"198.51.100.1, 203.0.113.7"}, XFF, "203.0.113.7"}, /* who may have written the first */
    {{"nonsense, 203.0.113.7"}, XFF, "203.0.113.7"},
    {{"10.9.9.9, 203.0.113.7, 10.2.2.2"}, XFF, "203.0.113.7"},
    {{"198.51.100.1", "203.0.113.7", "fd00::1"}, XFF, "203.0.113.7"},
    {{"10.3.3.3, 10.2.2.2"}, XFF, "10.3.3.3"}, /* a proxy's own request */
    {{"203.0.113.7:4711"}, XFF, "203.0.113.7"},
    {{"2001:db8::1"}, XFF, "2001:db8::1"},
    {{"[2001:db8::1]"}, XFF, "2001:db8::1"},
    {{"[2001:db8::1]:4711"}, XFF, "2001:db8::1"},
    {{"::ffff:203.0.113.7"}, XFF, "203.0.113.7"},
    {{"203.0.113.7, unknown"}, XFF, NULL},
    {{"203.0.113.7,"}, XFF, NULL},
    {{""}, XFF, NULL},
    {{"203.0.113.7:"}, XFF, NULL},
    {{"203.0.113.7:123456"}, XFF, NULL},
    {{"203.0.113.7:x"}, XFF, NULL},
    {{"[203.0.113.7]"}, XFF, NULL},
    {{"[2001:db8::1"}, XFF, NULL},
    {{"[2001:db8::1]4711"}, XFF, NULL},
    {{"for=203.0.113.7"}, XFF, NULL},
    {{"for=203.0.113.7"}, RFC, "203.0.113.7"},
    {{"For=\"203.0.113.7:80\";proto=https"}, RFC, "203.0.113.7"},
    {{"proto=https; for=\"[2001:db8::1]:4711\" ;by=10.0.0.1"}, RFC, "2001:db8::1"},
    {{"for=198.51.100.1, for=203.0.113.7;host=\"a,b\", for=\"[fd00::1]\""}, RFC, "203.0.113.7"},
    {{"by=\"x;for=198.51.100.1\";for=203.0.113.7"}, RFC, "203.0.113.7"},
    {{"203.0.113.7"}, RFC, NULL},
    {{"for=unknown"}, RFC, NULL},
    {{"for=_hidden"}, RFC, NULL},
    {{"for=2001:db8::1"}, RFC, NULL},
    {{"for=203.0.113.7;for=198.51.100.1"}, RFC, NULL},
    {{"proto=https"}, RFC, NULL},
    {{"for=\"203.0.113.7"}, RFC, NULL},
};

static int32_t follow(const char *from, const char *const *values, size_t count,
                      enum eds_forwarded_kind kind, char text[EDS_ADDRESS_TEXT_SIZE])
{
    struct eds_netpolicy trusted = {.network_count = 0};
    struct eds_address source;
    struct eds_error err;
    int32_t rc;

    assert_int_equal(eds_netpolicy_allow_list(&trusted, "10.0.0.0/8,fd00::/8", NULL), EDS_OK);
    assert_int_equal(eds_address_parse(&source, from, strlen(from), NULL), EDS_OK);
    rc = eds_forwarded_source(&source, &trusted, kind, values, count, &err);
    eds_address_text(text, &source);
    return rc;
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[EDS_ADDRESS_TEXT_SIZE];
        size_t count = 0;
        int32_t rc;

        while (count < 3 && rows[i].values[count] != NULL)
            count++;
        rc = follow("10.0.0.1", rows[i].values, count, rows[i].kind, text);
        if ((rc == EDS_OK) != (rows[i].source != NULL) ||
            strcmp(text, rows[i].source != NULL ? rows[i].source : "10.0.0.1") != 0)
            fail_msg("%s: %d %s", rows[i].values[0], (int)rc, text);
        /* A stranger may write what he likes. */
        assert_int_equal(follow("192.0.2.9", rows[i].values, count, rows[i].kind, text), EDS_OK);
        assert_string_equal(text, "192.0.2.9");
    }
}

static void test_many(void **state)
{
    char list[10 * EDS_FORWARDED_HOPS_MAX + 16] = "10.0.0.2", text[EDS_ADDRESS_TEXT_SIZE];
    const char *values[] = {list};

    (void)state;
    for (unsigned i = 1; i < EDS_FORWARDED_HOPS_MAX; i++)
        strcat(list, ",10.0.0.2");
    assert_int_equal(follow("10.0.0.1", values, 1, XFF, text), EDS_OK);
    strcat(list, ",10.0.0.2");
    assert_int_equal(follow("10.0.0.1", values, 1, XFF, text), EDS_ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_many)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

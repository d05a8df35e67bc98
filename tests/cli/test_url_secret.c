/* test_url_secret.c - each URL, and how it may be shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cli/url_secret.h"

static const struct {
    const char *url, *shown; /* NULL: as it is, there is no password */
} cases[] = {
    {"memory:", NULL},
    {"sqlite:/var/lib/a:b@c.db", NULL},
    {"postgresql://eds@db:5432/ledger?sslmode=verify-full", NULL},
    {"postgresql://db/ledger?passfile=/etc/pass", NULL},
    {"s3://bucket/prefix?endpoint=https://s3.example:443", NULL},
    {"", NULL},
    {"postgresql://eds:x@db/ledger", "postgresql://eds:***@db/ledger"},
    {"postgresql://eds:@db/ledger", "postgresql://eds:***@db/ledger"},
    {"postgresql://eds:a@b/c@db/ledger", "postgresql://eds:***@db/ledger"},
    {"postgresql://db/ledger?password=x", "postgresql://db/ledger?password=***"},
    {"postgresql://db/ledger?a=b&password=x&c=d", "postgresql://db/ledger?a=b&password=***&c=d"},
    {"postgresql://u:x@db/l?sslpassword=y&password=z",
     "postgresql://u:***@db/l?sslpassword=***&password=***"},
};

static void test_shown(void **state)
{
    char out[256];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *shown = cases[i].shown != NULL ? cases[i].shown : cases[i].url;

        assert_int_equal(eds_url_has_password(cases[i].url), cases[i].shown != NULL);
        assert_string_equal(eds_url_shown(out, sizeof out, cases[i].url), shown);
    }
}

/* What does not fit is left out, and a password never comes out in pieces. */
static void test_short_buffer(void **state)
{
    char out[sizeof "postgresql://u:***@"];

    (void)state;
    assert_string_equal(eds_url_shown(out, sizeof out, "postgresql://u:secret@database/ledger"),
                        "postgresql://u:***");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shown),
        cmocka_unit_test(test_short_buffer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

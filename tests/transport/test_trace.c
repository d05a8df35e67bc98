/* traceparent: each row is one edit away from a valid one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "transport/trace.h"

#define TRACE  "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

struct row {
    const char *name;
    const char *traceparent;
    bool is_good;
};

static const struct row rows[] = {
    {"as in the specification", "00-" TRACE "-" PARENT "-01", true},
    {"not sampled", "00-" TRACE "-" PARENT "-00", true},
    {"a later version", "01-" TRACE "-" PARENT "-01", true},
    {"a later version with more", "01-" TRACE "-" PARENT "-01-what", true},
    {"a later version with digits", "01-" TRACE "-" PARENT "-011", false},
    {"this version with more", "00-" TRACE "-" PARENT "-01-what", false},
    {"the version that is none", "ff-" TRACE "-" PARENT "-01", false},
    {"a version of letters", "0g-" TRACE "-" PARENT "-01", false},
    {"capitals", "00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01", false},
    {"no trace", "00-00000000000000000000000000000000-" PARENT "-01", false},
    {"no parent", "00-" TRACE "-0000000000000000-01", false},
    {"a digit short", "00-4bf92f3577b34da6a3ce929d0e0e473-" PARENT "-01", false},
    {"a digit too many", "00-" TRACE "0-" PARENT "-01", false},
    {"flags cut", "00-" TRACE "-" PARENT "-0", false},
    {"no flags", "00-" TRACE "-" PARENT, false},
    {"no parent at all", "00-" TRACE, false},
    {"only a version", "00-", false},
    {"nothing", "", false},
};

static void test_traceparent(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct eds_trace trace = {.request_id = ""};

        if (eds_trace_take(&trace, rows[i].traceparent) != rows[i].is_good)
            fail_msg("%s", rows[i].name);
        assert_string_equal(trace.trace_id, rows[i].is_good ? TRACE : "");
    }
}

static void test_request_id(void **state)
{
    struct eds_trace one = {.request_id = ""}, other = {.request_id = ""};
    char kept[sizeof one.request_id];

    (void)state;
    strcpy(kept, eds_trace_request_id(&one));
    assert_int_equal(strlen(kept), 16);
    assert_string_equal(eds_trace_request_id(&one), kept);
    assert_string_not_equal(eds_trace_request_id(&other), kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traceparent),
        cmocka_unit_test(test_request_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

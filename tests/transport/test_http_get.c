/* test_http_get.c - samples found in a page of metrics, and what only looks like one. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "transport/http_get.h"

static const char page[] = "# HELP a_total Things.\n"
                           "# TYPE a_total counter\n"
                           "a_total 3\n"
                           "a_total_more 4\n"
                           "b{reason=\"x y\"} 18446744073709551615\n"
                           "b{reason=\"z\"} 2.75\n"
                           "c -1\n"
                           "d NaN\n"
                           "last 9";

static const struct {
    const char *series;
    bool is_there;
    uint64_t value;
} rows[] = {
    {"a_total", true, 3},
    {"a_total_more", true, 4},
    {"a_tota", false, 0},
    {"total", false, 0},
    {"b", false, 0},
    {"b{reason=\"x y\"}", true, UINT64_MAX},
    {"b{reason=\"z\"}", true, 2},
    {"b{reason=\"q\"}", false, 0},
    {"c", false, 0},
    {"d", false, 0},
    {"last", true, 9},
    {"# HELP a_total", false, 0},
};

static void test_samples(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t value = 7;

        assert_int_equal(eds_metric_read(page, rows[i].series, &value), rows[i].is_there);
        assert_true(value == (rows[i].is_there ? rows[i].value : 7));
    }
    assert_false(eds_metric_read("", "a", &(uint64_t){0}));
}

/* Without an answer there is no page, and a reason. */
static void test_nobody(void **state)
{
    struct eds_http_page got = {.text = (char *)page};
    struct eds_error err = {.text = ""};

    (void)state;
    assert_int_equal(eds_http_get(&got, "http://127.0.0.1:1/metrics", NULL, &err), EDS_ERR_IO);
    assert_null(got.text);
    assert_memory_equal(err.text, "no answer from http://127.0.0.1:1/metrics: ", 43);
    assert_int_equal(eds_http_get(&got, "file:///etc/passwd", NULL, &err), EDS_ERR_IO);
    assert_null(got.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_nobody),
    };

    return cmocka_run_group_tests_name("http get", tests, NULL, NULL);
}

/* The page of metrics, byte for byte, and without memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "support/alloc.h"
#include "transport/metrics.h"

static void test_text(void **state)
{
    static const char expected[] = "# HELP lifts_total Lifts.\n"
                                   "# TYPE lifts_total counter\n"
                                   "lifts_total 18446744073709551615\n"
                                   "# HELP doors Doors, by state.\n"
                                   "# TYPE doors gauge\n"
                                   "doors{state=\"a \\\"b\\\" \\\\ \\n\"} 7\n"
                                   "# HELP wait_seconds Waiting.\n"
                                   "# TYPE wait_seconds gauge\n"
                                   "wait_seconds 1.000000002\n";
    struct eds_metrics page = {.text = NULL};

    (void)state;
    eds_metrics_counter(&page, "lifts_total", "Lifts.", UINT64_MAX);
    eds_metrics_family(&page, "doors", "gauge", "Doors, by state.");
    eds_metrics_value(&page, "doors", "state", "a \"b\" \\ \n", 7);
    eds_metrics_family(&page, "wait_seconds", "gauge", "Waiting.");
    eds_metrics_seconds(&page, "wait_seconds", 1000000002);
    assert_false(page.failed);
    assert_string_equal(page.text, expected);
    assert_int_equal(page.size, strlen(expected));
    eds_metrics_free(&page);
}

/* Buckets are summed up, and their names stay as short as they can be. */
static void test_meter(void **state)
{
    static const char begin[] = "# HELP t_seconds T.\n"
                                "# TYPE t_seconds histogram\n"
                                "t_seconds_bucket{le=\"0.0005\"} 1\n"
                                "t_seconds_bucket{le=\"0.001\"} 3\n"
                                "t_seconds_bucket{le=\"0.0025\"} 3\n";
    static const char end[] = "t_seconds_bucket{le=\"5.0\"} 3\n"
                              "t_seconds_bucket{le=\"10.0\"} 3\n"
                              "t_seconds_bucket{le=\"+Inf\"} 7\n"
                              "t_seconds_sum 90.000000000\n"
                              "t_seconds_count 7\n";
    struct eds_meter_reading reading = {
        .buckets = {[0] = 1, [1] = 2, [EDS_METER_BOUND_COUNT] = 4},
        .count = 7,
        .sum_ns = 90000000000,
    };
    struct eds_metrics page = {.text = NULL};

    (void)state;
    eds_metrics_meter(&page, "t_seconds", "T.", &reading);
    assert_memory_equal(page.text, begin, strlen(begin));
    assert_string_equal(page.text + page.size - strlen(end), end);
    eds_metrics_free(&page);
}

static void test_histogram(void **state)
{
    static const uint64_t bounds[] = {1, 5}, buckets[] = {3, 0, 2};
    struct eds_metrics page = {.text = NULL};

    (void)state;
    eds_metrics_histogram(&page, "t_things", "T.", bounds, 2, buckets, 77);
    assert_string_equal(page.text, "# HELP t_things T.\n"
                                   "# TYPE t_things histogram\n"
                                   "t_things_bucket{le=\"1\"} 3\n"
                                   "t_things_bucket{le=\"5\"} 3\n"
                                   "t_things_bucket{le=\"+Inf\"} 5\n"
                                   "t_things_sum 77\n"
                                   "t_things_count 5\n");
    eds_metrics_free(&page);
}

/* A page grows past its first room; one that can't is marked, whatever comes. */
static void test_memory(void **state)
{
    struct eds_metrics page = {.text = NULL};

    (void)state;
    for (unsigned i = 0; i < 2000; i++)
        eds_metrics_counter(&page, "lifts_total", "Lifts.", i);
    assert_false(page.failed);
    assert_int_equal(page.size, strlen(page.text));
    eds_metrics_free(&page);

    for (unsigned i = 0; i < 2; i++) {
        alloc_fail_at(i + 1);
        for (unsigned line = 0; line < 200; line++)
            eds_metrics_counter(&page, "lifts_total", "Lifts.", line);
        alloc_fail_at(0);
        assert_true(page.failed);
        eds_metrics_free(&page);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_meter),
        cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

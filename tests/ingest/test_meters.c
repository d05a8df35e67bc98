/* The meters: which bucket a duration falls into, and what a failure leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "ingest/meters.h"

#define MS 1000000u

struct row {
    uint64_t duration_ns;
    unsigned bucket;
};

/* Each bound belongs to its own bucket, one more to the next. */
static const struct row rows[] = {
    {0, 0},
    {MS / 2, 0},
    {MS / 2 + 1, 1},
    {MS, 1},
    {MS + 1, 2},
    {250 * MS, 8},
    {250 * MS + 1, 9},
    {UINT64_C(10000) * MS, 13},
    {UINT64_C(10000) * MS + 1, 14},
    {UINT64_MAX / 2, 14},
};

static void test_buckets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct eds_meters meters = {.committed_ms = 0};
        struct eds_meters_reading reading;

        eds_meter_observe(&meters.answer, rows[i].duration_ns);
        eds_meters_read(&meters, &reading);
        for (unsigned at = 0; at <= EDS_METER_BOUND_COUNT; at++)
            assert_int_equal(reading.answer.buckets[at], at == rows[i].bucket);
        assert_int_equal(reading.answer.count, 1);
        assert_true(reading.answer.sum_ns == rows[i].duration_ns);
        assert_int_equal(reading.commit.count, 0);
        eds_meter_observe_many(&meters.commit, rows[i].duration_ns, 3);
        eds_meters_read(&meters, &reading);
        assert_int_equal(reading.commit.buckets[rows[i].bucket], 3);
        assert_int_equal(reading.commit.count, 3);
        assert_true(reading.commit.sum_ns == 3 * rows[i].duration_ns);
    }
}

static void test_failures(void **state)
{
    struct eds_meters meters = {.committed_ms = 0};
    struct eds_meters_reading reading;

    (void)state;
    eds_meters_read(&meters, &reading);
    for (unsigned i = 0; i < EDS_COMPONENT_COUNT; i++) {
        assert_int_equal(reading.errors[i], 0);
        assert_true(reading.failed_ago_ms[i] == UINT64_MAX);
    }
    eds_meters_fail(&meters, EDS_COMPONENT_AUDIT_LEDGER);
    eds_meters_fail(&meters, EDS_COMPONENT_AUDIT_LEDGER);
    eds_meters_read(&meters, &reading);
    assert_int_equal(reading.errors[EDS_COMPONENT_AUDIT_LEDGER], 2);
    assert_true(reading.failed_ago_ms[EDS_COMPONENT_AUDIT_LEDGER] < 60000);
    assert_int_equal(reading.errors[EDS_COMPONENT_RAW_DATA_STORE], 0);
    assert_true(reading.failed_ago_ms[EDS_COMPONENT_RAW_DATA_STORE] == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

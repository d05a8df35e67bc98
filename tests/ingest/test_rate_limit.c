/* test_rate_limit.c - token buckets, with the clock moved by hand; then through
 * the whole way in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "ingest/rate_limit.h"
#include "ingest/world.h"

#define S  1000000000u /* ns */
#define MS 1000000u

static uint64_t take(struct eds_rate_limit *limit, const char *name, uint64_t count, uint64_t now)
{
    return eds_rate_limit_take(limit, name, strlen(name), count, now);
}

static void make(struct eds_rate_limit *limit, uint64_t per_second, uint64_t burst, size_t names)
{
    struct eds_rate rate = {.per_second = per_second, .burst = burst};

    assert_int_equal(eds_rate_limit_init(limit, rate, names), EDS_OK);
}

static void test_bucket(void **state)
{
    struct eds_rate_limit limit;
    uint64_t now = 12345 * (uint64_t)S;

    (void)state;
    make(&limit, 10, 3, 100);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(take(&limit, "lift-01", 1, now), 0);
    assert_int_equal(take(&limit, "lift-01", 1, now), 100 * MS); /* what is refused costs nothing */
    assert_int_equal(take(&limit, "lift-01", 1, now + 60 * MS), 40 * MS);
    assert_int_equal(take(&limit, "lift-02", 1, now), 0); /* has its own */
    assert_int_equal(take(&limit, "lift-01", 1, now + 100 * MS), 0);
    assert_int_equal(take(&limit, "lift-01", 1, now + 100 * MS), 100 * MS);
    assert_int_equal(take(&limit, "lift-01", 3, now + 100 * MS), 300 * MS);
    now += 3600 * (uint64_t)S; /* no more than a full bucket */
    assert_int_equal(take(&limit, "lift-01", 2, now), 0);
    assert_int_equal(take(&limit, "lift-01", 2, now), 100 * MS);
    /* More than a bucket holds counts as a full one. */
    assert_int_equal(take(&limit, "lift-03", 1000, now), 0);
    assert_int_equal(take(&limit, "lift-03", 1, now), 100 * MS);
    eds_rate_limit_free(&limit);
}

static void test_what_a_bucket_holds(void **state)
{
    struct eds_rate_limit limit;

    (void)state;
    make(&limit, 10, 3, 100);
    assert_true(eds_rate_limit_holds(&limit, 3));
    assert_false(eds_rate_limit_holds(&limit, 4));
    assert_false(eds_rate_limit_holds(&limit, UINT64_MAX)); /* whose time would wrap */
    eds_rate_limit_free(&limit);
    make(&limit, 0, 3, 100); /* no limit */
    assert_true(eds_rate_limit_holds(&limit, 4));
    eds_rate_limit_free(&limit);
}

/* In the long run just the rate, whatever the pattern. */
static void test_long_run(void **state)
{
    struct eds_rate_limit limit;
    uint64_t taken = 0;

    (void)state;
    make(&limit, 50, 0, 1);
    for (uint64_t now = S; now < 11 * (uint64_t)S; now += 3 * MS)
        taken += take(&limit, "x", 1, now) == 0 ? 1 : 0;
    assert_in_range(taken, 50 + 499, 50 + 500);
    eds_rate_limit_free(&limit);
}

static void test_no_limit(void **state)
{
    struct eds_rate_limit limit;

    (void)state;
    make(&limit, 0, 7, 100);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(take(&limit, "x", 1000000, S), 0);
    assert_null(limit.buckets);
    eds_rate_limit_free(&limit);
}

/* Tokens that will be there in time are promised, each to one; what would take too long
 * is not, and costs nothing. */
static void test_reserve(void **state)
{
    static const struct {
        uint64_t count, patience_ms;
        bool is_taken;
        uint64_t wait_ms;
    } rows[] = {
        {400, 0, true, 0},        /* a full bucket has 400 */
        {1, 0, false, 10},        /* empty; 100 a second come */
        {100, 999, false, 1},     /* 1000 ms, which is one too many */
        {100, 1000, true, 1000},  /* promised */
        {50, 5000, true, 1500},   /* stands behind it */
        {400, 5000, false, 500},  /* 5500 */
        {9999, 5000, false, 500}, /* as much as a full bucket */
        {1, 0, false, 1510},
    };
    struct eds_rate_limit limit;
    uint64_t wait_ns;

    (void)state;
    make(&limit, 100, 400, 100);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool is_taken = eds_rate_limit_reserve(&limit, "a", 1, rows[i].count,
                                               rows[i].patience_ms * MS, S, &wait_ns);

        if (is_taken != rows[i].is_taken || wait_ns != rows[i].wait_ms * MS)
            fail_msg("row %zu: %d, %llu ns", i, is_taken, (unsigned long long)wait_ns);
    }
    assert_true(eds_rate_limit_reserve(&limit, "b", 1, 400, 0, S, &wait_ns));
    /* All that was promised is there 1.5 s later, and nothing else. */
    assert_int_equal(take(&limit, "a", 1, S + 1500 * (uint64_t)MS), 10 * MS);
    assert_int_equal(take(&limit, "a", 1, S + 1510 * (uint64_t)MS), 0);
    eds_rate_limit_free(&limit);
}

/* Rates of bytes are kept exactly, though a byte's time is no whole number of ns. */
static void test_fine_rate(void **state)
{
    struct eds_rate_limit limit;
    uint64_t taken = 0, wait_ns;

    (void)state;
    make(&limit, 67108864, 2097152, 1);
    for (uint64_t now = S; now < 11 * (uint64_t)S; now += 2 * MS)
        taken += eds_rate_limit_reserve(&limit, "x", 1, 262144, 0, now, &wait_ns) ? 262144 : 0;
    assert_in_range(taken, 10 * 67108864u - 1000000, 10 * 67108864u + 2097152);
    eds_rate_limit_free(&limit);
}

/* A flood of invented names gets what the table holds, and no more. */
static void test_many_names(void **state)
{
    struct eds_rate_limit limit;
    unsigned let_in = 0;
    char name[16];

    (void)state;
    make(&limit, 1, 2, 64);
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(name, sizeof name, "%u", i);
        let_in += take(&limit, name, 1, S) == 0 ? 1 : 0;
    }
    assert_int_equal(let_in, 64 * 2);
    /* Once they are quiet, anybody is welcome again: as many as one set has tokens for,
     * lest all of them fall into one. */
    for (unsigned i = 0; i < 16; i++) {
        snprintf(name, sizeof name, "new %u", i);
        assert_int_equal(take(&limit, name, 1, 5 * (uint64_t)S), 0);
    }
    eds_rate_limit_free(&limit);
}

static void test_rates_in_words(void **state)
{
    static const struct {
        const char *text;
        int32_t rc;
        uint64_t per_second, burst;
    } rows[] = {
        {"10", EDS_OK, 10, 0},
        {"0", EDS_OK, 0, 0},
        {"10:25", EDS_OK, 10, 25},
        {"1000000000:1000000000", EDS_OK, 1000000000, 1000000000},
        {"1000000001", EDS_ERR_USAGE, 0, 0},
        {"10:1000000001", EDS_ERR_USAGE, 0, 0},
        {"99999999999999999999999", EDS_ERR_USAGE, 0, 0},
        {"", EDS_ERR_USAGE, 0, 0},
        {":25", EDS_ERR_USAGE, 0, 0},
        {"10:", EDS_ERR_USAGE, 0, 0},
        {"10:0", EDS_ERR_USAGE, 0, 0},
        {"10:25:1", EDS_ERR_USAGE, 0, 0},
        {"10/s", EDS_ERR_USAGE, 0, 0},
        {"-1", EDS_ERR_USAGE, 0, 0},
        {" 1", EDS_ERR_USAGE, 0, 0},
        {"1.5", EDS_ERR_USAGE, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct eds_rate rate = {0, 0};
        struct eds_error err = {0};

        if (eds_rate_parse(&rate, rows[i].text, &err) != rows[i].rc ||
            rate.per_second != rows[i].per_second || rate.burst != rows[i].burst)
            fail_msg("'%s': %s", rows[i].text, err.text);
    }
}

struct scene {
    struct eds_registry *registry;
    struct eds_ledger *ledger;
    struct eds_ingest *ingest;
    struct device device;
};

static void set_scene(struct scene *s, const struct eds_ingest_config *rates)
{
    struct eds_ingest_config config = *rates;

    s->registry = eds_registry_create();
    s->ledger = open_ledger("memory:");
    device_make(&s->device, "lift-01", 1);
    device_register(&s->device, s->registry, false);
    config.ledger = s->ledger;
    config.registry = s->registry;
    s->ingest = start(&config);
}

static void end_scene(struct scene *s)
{
    s->ledger->ops->close(s->ledger);
    eds_registry_destroy(s->registry);
}

struct found {
    const char *message;
    unsigned count;
};

static int32_t find_line(void *context, const struct eds_operation *operation, uint64_t created_ms)
{
    struct found *found = context;

    (void)created_ms;
    if (operation->decision == EDS_DECISION_REJECTED &&
        strcmp(operation->message, found->message) == 0 && operation->device_id[0] == '\0')
        found->count++;
    return EDS_OK;
}

static void expect_line(struct eds_ledger *ledger, const char *message)
{
    struct found found = {message, 0};

    assert_int_equal(ledger->ops->operations(ledger, find_line, &found, NULL), EDS_OK);
    if (found.count != 1)
        fail_msg("%u lines: %s", found.count, message);
}

/* A device over its rate is put off, nothing of it is stored, and the operation
 * log says how often; forged records do not use its rate up. */
static void test_device(void **state)
{
    struct parcel good[3], forged;
    struct device other;
    struct eds_ingest_counts counts;
    char answer[EDS_ERROR_TEXT_SIZE];
    struct scene s;

    (void)state;
    set_scene(&s, &(struct eds_ingest_config){.rate_per_device = {1, 2}});
    device_make(&other, "lift-01", 2);
    parcel_fill(&forged, "lift-01", 1, NULL, NULL, other.seed);
    for (unsigned i = 0; i < 5; i++)
        expect(s.ingest, &forged, EDS_VERDICT_SIGNATURE, NULL);
    for (unsigned i = 0; i < 3; i++) {
        device_next(&s.device, &good[i]);
        good[i].submission.request.source = "10.0.0.7";
    }
    expect(s.ingest, &good[0], EDS_VERDICT_ACCEPTED, "");
    expect(s.ingest, &good[1], EDS_VERDICT_ACCEPTED, "");
    expect(s.ingest, &good[2], EDS_VERDICT_RATE_LIMITED, "rate limit exceeded for device=lift-01");
    assert_int_equal(good[2].submission.retry_after_s, 1);
    eds_ingest_answer_text(answer, &good[2].submission);
    assert_string_equal(answer, "rate limit exceeded for device=lift-01");
    eds_ingest_counts(s.ingest, &counts);
    assert_int_equal(counts.rate_limited, 1);
    assert_int_equal(counts.rejected, 5);
    eds_ingest_stop(s.ingest);
    assert_int_equal(stored_count(s.ledger, "lift-01"), 2);
    expect_line(s.ledger, "1 request of source 10.0.0.7 was over a rate");
    end_scene(&s);
}

static void test_source(void **state)
{
    struct eds_ingest_counts counts;
    unsigned retry_after_s = 0;
    struct parcel bad;
    struct scene s;

    (void)state;
    set_scene(&s, &(struct eds_ingest_config){.rate_per_source = {1, 4},
                                              .rejections_logged_per_source = 1});
    assert_true(eds_ingest_admit(s.ingest, "10.0.0.7", 3, &retry_after_s));
    assert_true(eds_ingest_admit(s.ingest, "10.0.0.8", 4, &retry_after_s));
    assert_true(eds_ingest_admit(s.ingest, "10.0.0.7", 1, &retry_after_s));
    assert_false(eds_ingest_admit(s.ingest, "10.0.0.7", 3, &retry_after_s));
    assert_in_range(retry_after_s, 2, 3);
    /* Whoever has one address of a /64 has all of them. */
    assert_true(eds_ingest_admit(s.ingest, "fd00:0:0:1::1", 4, &retry_after_s));
    assert_false(eds_ingest_admit(s.ingest, "fd00:0:0:1:ffff::2", 1, &retry_after_s));
    assert_true(eds_ingest_admit(s.ingest, "fd00:0:0:2::1", 1, &retry_after_s));
    parcel_fill(&bad, "nobody", 1, NULL, NULL, s.device.seed);
    bad.submission.request.source = "10.0.0.7";
    for (unsigned i = 0; i < 3; i++)
        expect(s.ingest, &bad, EDS_VERDICT_UNKNOWN_DEVICE, NULL);
    eds_ingest_counts(s.ingest, &counts);
    assert_int_equal(counts.rate_limited, 2);
    eds_ingest_stop(s.ingest);
    expect_line(s.ledger,
                "2 more rejections of source 10.0.0.7 were not listed, 1 request was over a rate");
    expect_line(s.ledger, "1 request of source fd00:0:0:1:ffff::2 was over a rate");
    end_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bucket),     cmocka_unit_test(test_what_a_bucket_holds),
        cmocka_unit_test(test_long_run),   cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_fine_rate),  cmocka_unit_test(test_no_limit),
        cmocka_unit_test(test_many_names), cmocka_unit_test(test_rates_in_words),
        cmocka_unit_test(test_device),     cmocka_unit_test(test_source),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

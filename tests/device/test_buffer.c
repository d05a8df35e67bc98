/* test_buffer.c - limits, and what a flush does with each answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/features.h"
#include "base/format.h"
#include "device/buffer_impl.h"
#include "device/maker.h"
#include "support/temp_dir.h"

static struct eds_buffer *open_memory(uint64_t size_max, uint64_t age_max_ms)
{
    struct eds_buffer_limits limits = {.size_max = size_max, .age_max_ms = age_max_ms};
    struct eds_buffer *buffer = NULL;

    assert_int_equal(eds_buffer_open(&buffer, "memory:", &limits, NULL), EDS_OK);
    return buffer;
}

static void test_unknown_urls(void **state)
{
    static const char *const urls[] = {
        "",
        "memory",
        "sqlite",
        "file:x",
#if EDS_BUFFER_SQLITE
        "sqlite:",
        "sqlite:x/",
#endif
    };
    struct eds_buffer *buffer;
    struct eds_error err;

    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
        assert_int_equal(eds_buffer_open(&buffer, urls[i], NULL, &err), EDS_ERR_USAGE);
}

static void test_size_limit(void **state)
{
    struct maker maker;
    static struct made made;
    struct eds_buffer *buffer;
    struct eds_buffer_counts counts;
    struct eds_buffer_item *item;
    struct eds_error err;
    uint64_t one;

    (void)state;
    maker_init(&maker, "a");
    buffer = open_memory(0, 0);
    maker_push(&maker, buffer, 1000);
    eds_buffer_counts(buffer, &counts);
    one = counts.size;
    assert_in_range(one, 1000 + 150, 1000 + 400);
    eds_buffer_close(buffer);

    maker_init(&maker, "a");
    buffer = open_memory(3 * one + 64, 0); /* the fourth is a little longer */
    for (int i = 0; i < 3; i++)
        maker_push(&maker, buffer, 1000);
    maker_next(&maker, 1000, &made);
    assert_int_equal(
        eds_buffer_push(buffer, &made.entry, made.payload, 1000, EDS_PRIORITY_ALARM, &err),
        EDS_ERR_BUSY);
    assert_non_null(strstr(err.text, "full"));
    assert_int_equal(eds_buffer_push(buffer, &made.entry, made.payload, made.payload_size * 40,
                                     EDS_PRIORITY_ALARM, &err),
                     EDS_ERR_TOO_LARGE);
    assert_int_equal(eds_buffer_next(buffer, NULL, 0, false, &item, NULL), EDS_OK);
    assert_int_equal(eds_buffer_settle(buffer, item, EDS_SETTLE_BURY, "x", NULL), EDS_OK);
    assert_int_equal(
        eds_buffer_push(buffer, &made.entry, made.payload, 1000, EDS_PRIORITY_ALARM, &err),
        EDS_ERR_BUSY); /* a dead letter takes up room, too */
    item->is_dead = true;
    assert_int_equal(eds_buffer_settle(buffer, item, EDS_SETTLE_REMOVE, NULL, NULL), EDS_OK);
    free(item);
    assert_int_equal(
        eds_buffer_push(buffer, &made.entry, made.payload, 1000, EDS_PRIORITY_ALARM, &err), EDS_OK);
    eds_buffer_close(buffer);
}

/* Names that come with refused records are not remembered, those of kept ones are. */
static void test_new_names(void **state)
{
    struct eds_buffer *buffer = open_memory(1000, 0);
    struct maker known, stranger;
    static struct made made[2];
    struct eds_buffer_item items[2];

    (void)state;
    maker_init(&known, "known");
    maker_push(&known, buffer, 100);
    assert_int_equal(buffer->devices.count, 1);
    for (unsigned i = 0; i < 20; i++) {
        char id[16] = {'n', (char)('a' + i)};

        maker_init(&stranger, id);
        maker_next(&stranger, 900, &made[0]);
        maker_next(&known, 10, &made[1]);
        for (size_t k = 0; k < 2; k++)
            items[k] = (struct eds_buffer_item){.entry = made[k].entry,
                                                .payload = made[k].payload,
                                                .payload_size = made[k].payload_size,
                                                .priority = EDS_PRIORITY_NORMAL};
        /* Over the limit; then refused for the second one, which has no end of its id. */
        if (i % 2 == 1)
            memset(items[1].entry.record.device_id, 'x', EDS_DEVICE_ID_SIZE);
        assert_int_equal(eds_buffer_push_many(buffer, items, 2, NULL),
                         i % 2 == 1 ? EDS_ERR_STRING_TOO_LONG : EDS_ERR_TOO_LARGE);
        assert_int_equal(buffer->devices.count, 1);
    }
    maker_init(&stranger, "small");
    maker_push(&stranger, buffer, 10);
    assert_int_equal(buffer->devices.count, 2);
    eds_buffer_close(buffer);
}

static void test_age_limit(void **state)
{
    struct eds_buffer *buffer = open_memory(0, 3); /* each record is 1 ms younger */
    struct eds_buffer_item *item;
    static struct made made;
    struct maker maker;
    struct eds_error err;

    (void)state;
    maker_init(&maker, "a");
    for (int i = 0; i < 4; i++)
        maker_push(&maker, buffer, 1);
    maker_next(&maker, 1, &made);
    assert_int_equal(eds_buffer_push(buffer, &made.entry, made.payload, 1, 0, &err), EDS_ERR_BUSY);
    assert_int_equal(eds_buffer_next(buffer, NULL, 0, false, &item, NULL), EDS_OK);
    assert_int_equal(eds_buffer_settle(buffer, item, EDS_SETTLE_REMOVE, NULL, NULL), EDS_OK);
    free(item);
    assert_int_equal(eds_buffer_push(buffer, &made.entry, made.payload, 1, 0, &err), EDS_OK);
    eds_buffer_close(buffer);
}

/* Each class fills its share and then makes room for nobody: of the limit, or of what
 * the log itself can hold. */
static void test_reserves(void **state)
{
    static const struct {
        const char *url;
        uint64_t size_max, all; /* bytes */
    } stores[] = {{"memory:", 200000, 200000},
                  {"log:%s/buffer.log?size=262144", 0, 262144 / 8 * 5},
                  {"log:%s/more.log?size=2097152", 200000, 200000}};
    char directory[EDS_TEMP_DIR_SIZE], url[EDS_TEMP_DIR_SIZE + 64];

    (void)state;
    temp_dir_make(directory);
    for (size_t i = 0; i < sizeof stores / sizeof stores[0]; i++) {
        struct eds_buffer_limits limits = {.size_max = stores[i].size_max, .reserve_percent = 10};
        struct eds_buffer *buffer;
        struct maker maker;
        static struct made made;
        struct eds_error err;

        eds_format(url, sizeof url, "%.*s%s%s", (int)strcspn(stores[i].url, "%"), stores[i].url,
                   i > 0 ? directory : "", i > 0 ? strchr(stores[i].url, '/') : "");
        assert_int_equal(eds_buffer_open(&buffer, url, &limits, &err), EDS_OK);
        maker_init(&maker, "a");
        maker_next(&maker, 1000, &made);
        for (unsigned class = EDS_PRIORITY_LOW; class < EDS_PRIORITY_COUNT; class ++) {
            const uint64_t share = stores[i].all / 100 * (70 + 10 * class);
            struct eds_buffer_counts counts;
            unsigned pushed = 0;

            while (eds_buffer_push(buffer, &made.entry, made.payload, 1000,
                                   (enum eds_priority) class, &err) == EDS_OK) {
                maker_next(&maker, 1000, &made);
                pushed++;
            }
            assert_int_equal(err.code, EDS_ERR_BUSY);
            assert_true(pushed > 5);
            eds_buffer_counts(buffer, &counts);
            assert_in_range(counts.size, share - share / 10, share); /* the log adds its own */
            for (unsigned lower = 0; lower < class; lower++)
                assert_int_equal(eds_buffer_push(buffer, &made.entry, made.payload, 10,
                                                 (enum eds_priority)lower, &err),
                                 EDS_ERR_BUSY);
        }
        eds_buffer_close(buffer);
    }
    temp_dir_remove(directory);
}

/* A push of several is held to the share of each of them. */
static void test_reserve_of_many(void **state)
{
    struct eds_buffer_limits limits = {.size_max = 100000, .reserve_percent = 30};
    struct eds_buffer_item items[2];
    static struct made made[2];
    struct eds_buffer *buffer;
    struct maker maker;

    (void)state;
    assert_int_equal(eds_buffer_open(&buffer, "memory:", &limits, NULL), EDS_OK);
    maker_init(&maker, "a");
    for (size_t i = 0; i < 2; i++) {
        maker_next(&maker, 9000, &made[i]);
        items[i] = (struct eds_buffer_item){
            .entry = made[i].entry, .payload = made[i].payload, .payload_size = 9000};
    }
    items[1].priority = EDS_PRIORITY_ALARM; /* behind the low one, which has ten percent */
    assert_int_equal(eds_buffer_push_many(buffer, items, 2, NULL), EDS_OK);
    items[0].priority = EDS_PRIORITY_ALARM; /* and now in front of it */
    items[1].priority = EDS_PRIORITY_LOW;
    assert_int_equal(eds_buffer_push_many(buffer, items, 2, NULL), EDS_ERR_BUSY);
    assert_int_equal(eds_buffer_len(buffer), 2);
    eds_buffer_close(buffer);
    limits.reserve_percent = EDS_RESERVE_PERCENT_MAX + 1;
    assert_int_equal(eds_buffer_open(&buffer, "memory:", &limits, NULL), EDS_ERR_USAGE);
}

/* Each answer, in the middle of three records. */
static void test_flush(void **state)
{
    static const struct {
        enum eds_outcome outcome;
        enum eds_refusal refusal;
        int32_t code;
        uint64_t accepted, duplicates, buried, remaining;
    } cases[] = {
        {EDS_OUTCOME_DUPLICATE, EDS_REFUSAL_BURIES, EDS_OK, 2, 1, 1, 0},
        {EDS_OUTCOME_CONFLICT, EDS_REFUSAL_BURIES, EDS_OK, 1, 0, 2, 0},
        {EDS_OUTCOME_REJECTED, EDS_REFUSAL_BURIES, EDS_OK, 1, 0, 2, 0},
        {EDS_OUTCOME_CONFLICT, EDS_REFUSAL_STOPS, EDS_ERR_REFUSED, 1, 0, 0, 2},
        {EDS_OUTCOME_REJECTED, EDS_REFUSAL_STOPS, EDS_ERR_REFUSED, 1, 0, 0, 2},
        {EDS_OUTCOME_HELD, EDS_REFUSAL_BURIES, EDS_ERR_BUSY, 1, 0, 0, 2},
        {EDS_OUTCOME_AWAY, EDS_REFUSAL_BURIES, EDS_ERR_BUSY, 1, 0, 0, 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct eds_buffer *buffer = open_memory(0, 0);
        struct fake_server server;
        struct maker maker;
        struct eds_flush_report report;
        struct eds_error err;

        maker_init(&maker, "a");
        fake_server_init(&server);
        for (int n = 0; n < 3; n++)
            maker_push(&maker, buffer, 10);
        server.odd_at = 2; /* the server never took it, so that the third one is a gap */
        server.odd = (struct eds_reply){.outcome = cases[i].outcome, .text = "so"};
        assert_int_equal(eds_buffer_flush(buffer, &server.sender, cases[i].refusal, &report, &err),
                         cases[i].code);
        assert_int_equal(report.accepted, cases[i].accepted);
        assert_int_equal(report.duplicates, cases[i].duplicates);
        assert_int_equal(report.buried, cases[i].buried);
        assert_int_equal(report.remaining, cases[i].remaining);
        if (cases[i].code != EDS_OK)
            assert_string_equal(err.text, "so");
        if (cases[i].remaining > 0) /* the rest goes at the next try */
            assert_int_equal(
                eds_buffer_flush(buffer, &server.sender, EDS_REFUSAL_STOPS, NULL, &err), EDS_OK);
        assert_true(eds_buffer_is_empty(buffer));
        eds_buffer_close(buffer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_urls), cmocka_unit_test(test_size_limit),
        cmocka_unit_test(test_new_names),    cmocka_unit_test(test_age_limit),
        cmocka_unit_test(test_reserves),     cmocka_unit_test(test_reserve_of_many),
        cmocka_unit_test(test_flush),
    };

    return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}

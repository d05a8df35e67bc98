/* test_places.c - where records are, as bytes and back. */
#include "store/places.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "support/dice.h"

static void assert_same(const struct eds_places *a, const struct eds_places *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_int_equal(a->sequences[i], b->sequences[i]);
        assert_int_equal(a->rows[i], b->rows[i]);
    }
}

static void test_there_and_back(void **state)
{
    struct dice dice;

    (void)state;
    dice_seed(&dice);
    for (unsigned round = 0; round < 2000; round++) {
        struct eds_places places = {.count = round % (EDS_PLACES_MAX + 1)}, again;
        uint8_t bytes[EDS_PLACES_SIZE_MAX];
        uint64_t sequence = 0;
        size_t size;
        int64_t row;

        for (size_t i = 0; i < places.count; i++) {
            uint64_t span = (UINT64_MAX - sequence) / (places.count - i);

            sequence += 1 + dice_below(&dice, round % 2 == 0 ? span : 3);
            places.sequences[i] = sequence;
            places.rows[i] = (int64_t)(1 + dice_below(&dice, round % 3 == 0 ? INT64_MAX : 1000));
        }
        size = eds_places_encode(bytes, &places);
        assert_true(size <= sizeof bytes);
        assert_true(eds_places_decode(&again, bytes, size));
        assert_same(&places, &again);
        for (size_t i = 0; i < places.count; i++) {
            assert_true(eds_places_find(&again, places.sequences[i], &row));
            assert_int_equal(row, places.rows[i]);
        }
        assert_false(eds_places_find(&again, 0, &row));
        assert_false(eds_places_find(&again, sequence + 1, &row));
    }
}

static void test_the_longest(void **state)
{
    struct eds_places places = {.count = EDS_PLACES_MAX}, again;
    uint8_t bytes[EDS_PLACES_SIZE_MAX];

    (void)state;
    for (size_t i = 0; i < EDS_PLACES_MAX; i++) {
        places.sequences[i] = i == 0 ? UINT64_MAX - EDS_PLACES_MAX : places.sequences[i - 1] + 1;
        places.rows[i] = i % 2 == 0 ? INT64_MAX : 1; /* forth and back, ten bytes each */
    }
    assert_true(eds_places_decode(&again, bytes, eds_places_encode(bytes, &places)));
    assert_same(&places, &again);
}

/* Each row is one edit away from the first one. */
static void test_bad_bytes(void **state)
{
    static const struct {
        const char *name;
        const char *bytes;
        size_t size;
        bool good;
    } rows[] = {
        {"two places", "\x05\x07\x01\xc8\x01", 5, true},
        {"none", "", 0, true},
        {"one of them", "\x05\x07", 2, true},
        {"a number cut short", "\x05\x07\x01\xc8", 4, false},
        {"a sequence without a row", "\x05\x07\x01", 3, false},
        {"a sequence of 0", "\x00\x07\x01\xc8\x01", 5, false},
        {"the same sequence again", "\x05\x07\x00\xc8\x01", 5, false},
        {"a row of 0", "\x05\x00\x01\xc8\x01", 5, false},
        {"back to row 0", "\x05\x07\x01\xf9\xff\xff\xff\xff\xff\xff\xff\xff\x01", 13, false},
        {"back to row 1", "\x05\x07\x01\xfa\xff\xff\xff\xff\xff\xff\xff\xff\x01", 13, true},
        {"a row of 2^63", "\x05\x07\x01\xf9\xff\xff\xff\xff\xff\xff\xff\x7f", 12, false},
        {"a row of 2^63 - 1", "\x05\x07\x01\xf8\xff\xff\xff\xff\xff\xff\xff\x7f", 12, true},
        {"sequences past 2^64", "\x05\x07\xfb\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01", 13, false},
        {"sequences up to 2^64", "\x05\x07\xfa\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01", 13, true},
        {"a number of 65 bits", "\x05\x07\x01\xc8\xff\xff\xff\xff\xff\xff\xff\xff\x02", 13, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct eds_places places;
        bool good = eds_places_decode(&places, rows[i].bytes, rows[i].size);

        if (good != rows[i].good)
            fail_msg("%s", rows[i].name);
        if (!good)
            assert_int_equal(places.count, 0);
    }
}

static void test_too_many(void **state)
{
    uint8_t bytes[2 * (EDS_PLACES_MAX + 1)];
    struct eds_places places;

    (void)state;
    memset(bytes, 1, sizeof bytes);
    assert_true(eds_places_decode(&places, bytes, sizeof bytes - 2));
    assert_int_equal(places.count, EDS_PLACES_MAX);
    assert_int_equal(places.rows[EDS_PLACES_MAX - 1], EDS_PLACES_MAX);
    assert_false(eds_places_decode(&places, bytes, sizeof bytes));
    assert_int_equal(places.count, 0);
}

/* Each place is found from its sequence up to the next one's. */
static void test_find_last(void **state)
{
    struct eds_places places = {.count = 0};
    size_t index = 0;

    (void)state;
    assert_false(eds_places_find_last(&places, UINT64_MAX, &index));
    for (uint64_t i = 1; i <= EDS_PLACES_MAX; i++) {
        eds_places_add(&places, i * 32, (int64_t)i);
        assert_int_equal(places.count, i);
    }
    assert_false(eds_places_find_last(&places, 31, &index));
    for (uint64_t sequence = 32; sequence < 32 * EDS_PLACES_MAX + 70; sequence++) {
        uint64_t expected = sequence / 32 < EDS_PLACES_MAX ? sequence / 32 : EDS_PLACES_MAX;

        assert_true(eds_places_find_last(&places, sequence, &index));
        assert_int_equal(places.rows[index], expected);
    }
    assert_true(eds_places_find_last(&places, UINT64_MAX, &index));
    assert_int_equal(index, EDS_PLACES_MAX - 1);
}

static void test_copy(void **state)
{
    struct eds_head_places from = {.newest = {.count = 0}}, to;

    (void)state;
    for (int64_t i = 1; i <= (int64_t)EDS_PLACES_MAX; i++) {
        eds_places_add(i % 2 == 0 ? &from.newest : &from.rows, (uint64_t)i, 100 - i);
        memset(&to, 0xff, sizeof to);
        eds_head_places_copy(&to, &from);
        assert_same(&to.newest, &from.newest);
        assert_same(&to.rows, &from.rows);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_the_longest),
        cmocka_unit_test(test_bad_bytes),      cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_find_last),      cmocka_unit_test(test_copy),
    };

    return cmocka_run_group_tests_name("places", tests, NULL, NULL);
}

/* test_visitors.c - who keeps a place, and who has to make room. */
#include "store/visitors.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "support/alloc.h"

#define SAME_SET (UINT64_C(1) << 32) /* added to a visitor, it is another one there */

static void test_set(void **state)
{
    struct eds_visitors visitors;
    size_t places[EDS_VISITOR_SET_SIZE], place;

    (void)state;
    assert_int_equal(eds_visitors_init(&visitors, NULL), EDS_OK);
    for (size_t i = 0; i < EDS_VISITOR_SET_SIZE; i++) {
        assert_false(eds_visitors_find(&visitors, 7 + i * SAME_SET, &place));
        places[i] = eds_visitors_place(&visitors, 7 + i * SAME_SET);
        for (size_t k = 0; k < i; k++)
            assert_int_not_equal(places[i], places[k]);
    }
    /* They stay where they are, whatever the order in which they come. */
    for (size_t i = EDS_VISITOR_SET_SIZE; i-- > 0;) {
        assert_true(eds_visitors_find(&visitors, 7 + i * SAME_SET, &place));
        assert_int_equal(place, places[i]);
        assert_int_equal(eds_visitors_place(&visitors, 7 + i * SAME_SET), places[i]);
    }
    /* The last one has stayed away longest by now. */
    assert_int_equal(eds_visitors_place(&visitors, 7 + 9 * SAME_SET),
                     places[EDS_VISITOR_SET_SIZE - 1]);
    assert_false(eds_visitors_find(&visitors, 7 + (EDS_VISITOR_SET_SIZE - 1) * SAME_SET, &place));
    for (size_t i = 0; i + 1 < EDS_VISITOR_SET_SIZE; i++)
        assert_true(eds_visitors_find(&visitors, 7 + i * SAME_SET, &place));
    eds_visitors_free(&visitors);
}

/* As many as there are places, one after the other: nobody shares one. */
static void test_all(void **state)
{
    static bool is_taken[EDS_VISITOR_PLACES];
    struct eds_visitors visitors;

    (void)state;
    memset(is_taken, 0, sizeof is_taken);
    assert_int_equal(eds_visitors_init(&visitors, NULL), EDS_OK);
    for (uint64_t i = 1; i <= EDS_VISITOR_PLACES; i++) {
        size_t place = eds_visitors_place(&visitors, i);

        assert_true(place < EDS_VISITOR_PLACES);
        assert_false(is_taken[place]);
        is_taken[place] = true;
    }
    eds_visitors_free(&visitors);
}

static void test_no_memory(void **state)
{
    struct eds_visitors visitors = {0};

    (void)state;
    alloc_fail_at(1);
    assert_int_equal(eds_visitors_init(&visitors, NULL), EDS_ERR_NO_MEMORY);
    alloc_fail_at(0);
    eds_visitors_free(&visitors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("visitors", tests, NULL, NULL);
}

/* test_ref_gaps.c - what is known to be absent, by whom, and until when. */
#include "store/ref_gaps.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "support/alloc.h"

#define SAME_SET (UINT64_C(1) << 32) /* added to a visitor, it is another one there */

/* The first visit only leaves a name. */
static void note(struct eds_ref_gaps *gaps, uint64_t visitor, const char *above, const char *below)
{
    struct eds_ref_gap *gap;

    (void)eds_ref_gaps_place(gaps, visitor);
    gap = eds_ref_gaps_place(gaps, visitor);
    assert_non_null(gap);
    strcpy(gap->above, above);
    gap->has_end = below != NULL;
    if (below != NULL)
        strcpy(gap->below, below);
    eds_ref_gaps_note(gaps, gap);
}

static void test_bounds(void **state)
{
    struct eds_ref_gaps gaps;

    (void)state;
    assert_int_equal(eds_ref_gaps_init(&gaps, NULL), EDS_OK);
    assert_false(eds_ref_gaps_hold(&gaps, 7, "lift/2"));
    note(&gaps, 7, "lift/1", "lift/3");
    assert_false(eds_ref_gaps_hold(&gaps, 7, "lift/1"));
    assert_true(eds_ref_gaps_hold(&gaps, 7, "lift/10"));
    assert_true(eds_ref_gaps_hold(&gaps, 7, "lift/2"));
    assert_false(eds_ref_gaps_hold(&gaps, 7, "lift/3"));
    assert_false(eds_ref_gaps_hold(&gaps, 8, "lift/2"));
    assert_true(eds_ref_gaps_hold(&gaps, 7, "lift/2\xc3\xbc")); /* bytes have no sign */
    note(&gaps, 7, "lift/1", NULL);
    assert_true(eds_ref_gaps_hold(&gaps, 7, "zebra"));
    assert_false(eds_ref_gaps_hold(&gaps, 7, "elevator"));
    eds_ref_gaps_free(&gaps);
}

static void test_visitors(void **state)
{
    struct eds_ref_gaps gaps;

    (void)state;
    assert_int_equal(eds_ref_gaps_init(&gaps, NULL), EDS_OK);
    note(&gaps, 7, "lift/1", "lift/3");
    /* What nobody has measured holds for nobody; and others there put him out, who stays
     * away, the last of them. */
    for (uint64_t i = 1; i <= EDS_VISITOR_SET_SIZE; i++) {
        assert_null(eds_ref_gaps_place(&gaps, 7 + i * SAME_SET));
        assert_false(eds_ref_gaps_hold(&gaps, 7 + i * SAME_SET, "lift/2"));
        assert_int_equal(eds_ref_gaps_hold(&gaps, 7, "lift/2"), i < EDS_VISITOR_SET_SIZE);
        if (i + 1 == EDS_VISITOR_SET_SIZE) /* the others, again */
            for (uint64_t k = 1; k <= i; k++)
                assert_non_null(eds_ref_gaps_place(&gaps, 7 + k * SAME_SET));
    }
    /* A place that is being filled holds nothing until it is noted. */
    note(&gaps, 7, "lift/1", "lift/3");
    assert_non_null(eds_ref_gaps_place(&gaps, 7));
    assert_false(eds_ref_gaps_hold(&gaps, 7, "lift/2"));
    eds_ref_gaps_free(&gaps);
}

static void test_clear(void **state)
{
    struct eds_ref_gaps gaps;

    (void)state;
    assert_int_equal(eds_ref_gaps_init(&gaps, NULL), EDS_OK);
    note(&gaps, 7, "lift/1", "lift/3");
    eds_ref_gaps_clear(&gaps);
    assert_false(eds_ref_gaps_hold(&gaps, 7, "lift/2"));
    note(&gaps, 7, "lift/1", "lift/3");
    gaps.generation = UINT32_MAX; /* so often that the count begins anew: */
    note(&gaps, 9, "lift/1", "lift/3");
    eds_ref_gaps_clear(&gaps);
    eds_ref_gaps_clear(&gaps);
    assert_false(eds_ref_gaps_hold(&gaps, 7, "lift/2")); /* noted in the second generation */
    assert_false(eds_ref_gaps_hold(&gaps, 9, "lift/2"));
    note(&gaps, 9, "lift/1", "lift/3");
    assert_true(eds_ref_gaps_hold(&gaps, 9, "lift/2"));
    eds_ref_gaps_free(&gaps);
}

static void test_no_memory(void **state)
{
    struct eds_ref_gaps gaps = {0};

    (void)state;
    for (uint64_t n = 1; n <= 2; n++) {
        alloc_fail_at(n);
        assert_int_equal(eds_ref_gaps_init(&gaps, NULL), EDS_ERR_NO_MEMORY);
        alloc_fail_at(0);
        eds_ref_gaps_free(&gaps);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_visitors),
        cmocka_unit_test(test_clear),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("gaps between references", tests, NULL, NULL);
}

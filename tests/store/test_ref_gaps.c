/* test_ref_gaps.c - what is known to be absent, by whom, and until when. */
#include "store/ref_gaps.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "support/alloc.h"

#define SAME_SET (UINT64_C(1) << 32) /* added to a visitor, it is another one there */

static void note(struct eds_ref_gaps *gaps, uint64_t visitor, const char *above, const char *below)
{
    struct eds_ref_gap gap = {.has_end = below != NULL};

    strcpy(gap.above, above);
    if (below != NULL)
        strcpy(gap.below, below);
    eds_ref_gaps_note(gaps, visitor, &gap);
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
    /* Only for one who comes again a gap is measured. */
    assert_false(eds_ref_gaps_visit(&gaps, 7));
    assert_true(eds_ref_gaps_visit(&gaps, 7));
    assert_false(eds_ref_gaps_hold(&gaps, 7, "lift/2"));
    note(&gaps, 7, "lift/1", "lift/3");
    assert_true(eds_ref_gaps_hold(&gaps, 7, "lift/2"));
    /* Others there put him out, who stays away, the last of them, with what he knew. */
    for (uint64_t i = 1; i <= EDS_VISITOR_SET_SIZE; i++) {
        assert_false(eds_ref_gaps_visit(&gaps, 7 + i * SAME_SET));
        assert_false(eds_ref_gaps_hold(&gaps, 7 + i * SAME_SET, "lift/2"));
        assert_int_equal(eds_ref_gaps_hold(&gaps, 7, "lift/2"), i < EDS_VISITOR_SET_SIZE);
        if (i + 1 == EDS_VISITOR_SET_SIZE) /* the others, again */
            for (uint64_t k = 1; k <= i; k++)
                assert_true(eds_ref_gaps_visit(&gaps, 7 + k * SAME_SET));
    }
    assert_false(eds_ref_gaps_visit(&gaps, 7));
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

static void test_long(void **state)
{
    char longest[EDS_REF_GAP_TEXT_SIZE], longer[EDS_REF_GAP_TEXT_SIZE + 1];
    struct eds_ref_gaps gaps;

    (void)state;
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(eds_ref_gaps_init(&gaps, NULL), EDS_OK);
    note(&gaps, 7, "a", longest);
    assert_true(eds_ref_gaps_hold(&gaps, 7, "b"));
    note(&gaps, 7, "a", longer); /* and the one before is gone */
    assert_false(eds_ref_gaps_hold(&gaps, 7, "b"));
    note(&gaps, 7, longest, NULL);
    assert_true(eds_ref_gaps_hold(&gaps, 7, "y"));
    note(&gaps, 7, longer, NULL);
    assert_false(eds_ref_gaps_hold(&gaps, 7, "y"));
    eds_ref_gaps_free(&gaps);
}

#define ADDED_COUNT 5u

/* Gives the index b, d, ... and sees from where on the gap holds. */
static void expect_narrowed(const char *above, const char *below, const char *expected)
{
    static const char *const refs[ADDED_COUNT] = {"b", "d", "f", "h", "j"};
    struct eds_ref_tail_item items[ADDED_COUNT];
    struct eds_ref_tail_sorted added[ADDED_COUNT];
    struct eds_ref_gaps gaps;
    char behind[8];

    for (size_t i = 0; i < ADDED_COUNT; i++) {
        items[i] = (struct eds_ref_tail_item){.ref = refs[i], .id = 1};
        added[i] = (struct eds_ref_tail_sorted){.item = &items[i]};
    }
    snprintf(behind, sizeof behind, "%s0", expected);
    for (size_t count = 0; count <= ADDED_COUNT; count += ADDED_COUNT) {
        assert_int_equal(eds_ref_gaps_init(&gaps, NULL), EDS_OK);
        note(&gaps, 7, above, below);
        eds_ref_gaps_narrow(&gaps, added, count);
        assert_false(eds_ref_gaps_hold(&gaps, 7, count == 0 ? above : expected));
        assert_true(eds_ref_gaps_hold(&gaps, 7, behind));
        eds_ref_gaps_free(&gaps);
    }
}

static void test_narrow(void **state)
{
    (void)state;
    expect_narrowed("a", "z", "j");
    expect_narrowed("a", NULL, "j");
    expect_narrowed("", "b", "");
    expect_narrowed("", "b1", "b");
    expect_narrowed("c", "g", "f");
    expect_narrowed("d", "f", "d"); /* they were in the index already */
    expect_narrowed("e", "f", "e");
    expect_narrowed("j", NULL, "j");
    expect_narrowed("k", "l", "k");
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
        cmocka_unit_test(test_bounds), cmocka_unit_test(test_visitors),
        cmocka_unit_test(test_clear),  cmocka_unit_test(test_long),
        cmocka_unit_test(test_narrow), cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("gaps between references", tests, NULL, NULL);
}

/* test_debts.c - who waits for whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>

#include "gateway/debts.h"
#include "support/alloc.h"

#define DURATION 100u /* ns */

static struct eds_debts make(void)
{
    return (struct eds_debts){.duration_ns = DURATION};
}

static void what_is_behind_waits(void **state)
{
    struct eds_debts debts = make();

    (void)state;
    assert_false(eds_debts_bar(&debts, "a", 9, 1000));
    eds_debts_add(&debts, "a", 5, 1000);
    assert_false(eds_debts_bar(&debts, "a", 4, 1001));
    assert_false(eds_debts_bar(&debts, "a", 5, 1001));
    assert_true(eds_debts_bar(&debts, "a", 6, 1001));
    assert_false(eds_debts_bar(&debts, "b", 6, 1001));
    eds_debts_pay(&debts, "a", 4); /* an older one: the debt stays */
    assert_true(eds_debts_bar(&debts, "a", 6, 1001));
    eds_debts_pay(&debts, "a", 5);
    assert_false(eds_debts_bar(&debts, "a", 6, 1001));
    assert_int_equal(debts.table.count, 0);
    eds_debts_free(&debts);
}

static void the_first_of_many_counts(void **state)
{
    struct eds_debts debts = make();

    (void)state;
    eds_debts_add(&debts, "a", 5, 1000);
    eds_debts_add(&debts, "a", 7, 1010);
    assert_true(eds_debts_bar(&debts, "a", 6, 1020));
    eds_debts_add(&debts, "a", 3, 1020);
    assert_true(eds_debts_bar(&debts, "a", 4, 1030));
    eds_debts_free(&debts);
}

static void a_debt_ends(void **state)
{
    struct eds_debts debts = make();

    (void)state;
    eds_debts_add(&debts, "a", 5, 1000);
    assert_true(eds_debts_bar(&debts, "a", 6, 1000 + DURATION - 1));
    assert_false(eds_debts_bar(&debts, "a", 6, 1000 + DURATION));
    eds_debts_add(&debts, "a", 9, 1000 + DURATION); /* the old one is forgotten */
    assert_false(eds_debts_bar(&debts, "a", 6, 1001 + DURATION));
    assert_true(eds_debts_bar(&debts, "a", 10, 1001 + DURATION));
    eds_debts_free(&debts);
}

static void there_are_only_so_many(void **state)
{
    struct eds_debts debts = make();
    char id[16];

    (void)state;
    for (unsigned i = 0; i < EDS_DEBTS_MAX + 1; i++) {
        snprintf(id, sizeof id, "d%u", i);
        eds_debts_add(&debts, id, 1, 1000);
    }
    assert_int_equal(debts.table.count, EDS_DEBTS_MAX);
    assert_true(eds_debts_bar(&debts, "d0", 2, 1001));
    assert_false(eds_debts_bar(&debts, id, 2, 1001)); /* the one too many */
    eds_debts_add(&debts, id, 1, 1000 + DURATION);    /* all others are over */
    assert_true(eds_debts_bar(&debts, id, 2, 1001 + DURATION));
    assert_int_equal(debts.table.count, 1);
    eds_debts_free(&debts);
}

static void no_memory_is_no_debt(void **state)
{
    struct eds_debts debts = make();

    (void)state;
    for (uint64_t n = 1; n <= 2; n++) {
        alloc_fail_at(n);
        eds_debts_add(&debts, "a", 5, 1000);
        alloc_fail_at(0);
        assert_false(eds_debts_bar(&debts, "a", 6, 1001));
    }
    eds_debts_add(&debts, "a", 5, 1000);
    assert_true(eds_debts_bar(&debts, "a", 6, 1001));
    eds_debts_free(&debts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_behind_waits), cmocka_unit_test(the_first_of_many_counts),
        cmocka_unit_test(a_debt_ends),          cmocka_unit_test(there_are_only_so_many),
        cmocka_unit_test(no_memory_is_no_debt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

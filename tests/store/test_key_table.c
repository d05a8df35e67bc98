/* test_key_table.c - numbers for strings, given and taken back. */
#include "store/key_table.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "support/alloc.h"

#define KEY_COUNT 5000u

static char keys[KEY_COUNT][12];

static int name_keys(void **state)
{
    (void)state;
    for (unsigned i = 0; i < KEY_COUNT; i++)
        snprintf(keys[i], sizeof keys[i], "key-%u", i);
    return 0;
}

/* Exactly the first count keys are in the table, each under its number. */
static void assert_holds(const struct eds_key_table *table, size_t count)
{
    assert_int_equal(table->count, count);
    for (size_t i = 0; i < KEY_COUNT; i++)
        assert_int_equal(eds_key_table_find(table, keys[i]), i < count ? i : EDS_KEY_ABSENT);
}

static void test_add_and_find(void **state)
{
    struct eds_key_table table;

    (void)state;
    assert_int_equal(eds_key_table_init(&table, NULL), EDS_OK);
    assert_int_equal(eds_key_table_find(&table, ""), EDS_KEY_ABSENT);
    for (size_t i = 0; i < KEY_COUNT; i++)
        assert_int_equal(eds_key_table_add(&table, keys[i]), EDS_OK);
    assert_holds(&table, KEY_COUNT);
    assert_int_equal(eds_key_table_add(&table, ""), EDS_OK);
    assert_int_equal(eds_key_table_find(&table, ""), KEY_COUNT);
    eds_key_table_free(&table);
}

/* Back to every size, across every growth, and up again. */
static void test_pop(void **state)
{
    struct eds_key_table table;

    (void)state;
    assert_int_equal(eds_key_table_init(&table, NULL), EDS_OK);
    for (size_t i = 0; i < KEY_COUNT; i++)
        assert_int_equal(eds_key_table_add(&table, keys[i]), EDS_OK);
    for (size_t count = KEY_COUNT; count > 0; count--) {
        eds_key_table_pop(&table);
        if (count % 617 == 1)
            assert_holds(&table, count - 1);
    }
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(eds_key_table_add(&table, keys[i]), EDS_OK);
    assert_holds(&table, 100);
    eds_key_table_clear(&table);
    assert_holds(&table, 0);
    eds_key_table_free(&table);
}

static void test_no_memory(void **state)
{
    struct eds_key_table table;
    size_t failures = 0;

    (void)state;
    alloc_fail_at(1);
    assert_int_equal(eds_key_table_init(&table, NULL), EDS_ERR_NO_MEMORY);
    alloc_fail_at(0);
    assert_int_equal(eds_key_table_init(&table, NULL), EDS_OK);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        for (uint64_t n = 1; n <= 2; n++) { /* where both lists grow, each fails once */
            alloc_fail_at(n);
            if (eds_key_table_add(&table, keys[i]) == EDS_OK)
                eds_key_table_pop(&table);
            else
                failures++;
            assert_int_equal(table.count, i);
        }
        alloc_fail_at(0);
        assert_int_equal(eds_key_table_add(&table, keys[i]), EDS_OK);
    }
    assert_true(failures > 14);
    assert_holds(&table, KEY_COUNT);
    eds_key_table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_and_find),
        cmocka_unit_test(test_pop),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("key_table", tests, name_keys, NULL);
}

/* test_table_slabs.c - each table is another one, aligned, and comes again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "registry/table_slabs.h"
#include "support/alloc.h"

#define COUNT 50u

static int by_address(const void *a, const void *b)
{
    const uintptr_t x = (uintptr_t) * (void *const *)a, y = (uintptr_t) * (void *const *)b;

    return (x > y) - (x < y);
}

static void test_take_and_give(void **state)
{
    struct eds_verifier_table *tables[COUNT + 30];
    struct eds_table_slabs slabs;
    size_t count = 0;

    (void)state;
    assert_true(eds_table_slabs_init(&slabs, COUNT));
    assert_int_equal(slabs.slab_count, 0);
    while (count < COUNT + 30 && (tables[count] = eds_table_slabs_take(&slabs)) != NULL) {
        memset(tables[count], (int)count, sizeof *tables[count]); /* all of it is usable */
        count++;
    }
    assert_in_range(count, COUNT, COUNT + 29); /* bounded, if by whole slabs */
    assert_int_equal(slabs.slab_count, slabs.slab_max);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(tables[i]->public_key[3], i);
    qsort(tables, count, sizeof tables[0], by_address);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal((uintptr_t)tables[i] % 64, 0);
        assert_true(i == 0 || tables[i] >= tables[i - 1] + 1);
    }
    eds_table_slabs_give(&slabs, tables[7]);
    eds_table_slabs_give(&slabs, tables[3]);
    assert_ptr_equal(eds_table_slabs_take(&slabs), tables[3]);
    assert_ptr_equal(eds_table_slabs_take(&slabs), tables[7]);
    assert_null(eds_table_slabs_take(&slabs));
    eds_table_slabs_free(&slabs);
}

static void test_without_memory(void **state)
{
    struct eds_table_slabs slabs;

    (void)state;
    alloc_fail_at(1);
    assert_false(eds_table_slabs_init(&slabs, COUNT));
    alloc_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take_and_give),
        cmocka_unit_test(test_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

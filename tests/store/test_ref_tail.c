/* test_ref_tail.c - references kept, found, taken back and sorted. */
#include "store/ref_tail.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "support/alloc.h"

#define REF_COUNT 3000u

static char refs[REF_COUNT][512];

/* Of all lengths, so that they fill blocks unevenly; their order is another than
 * that of their numbers. */
static int name_refs(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REF_COUNT; i++) {
        int size = snprintf(refs[i], sizeof refs[i], "%u-%u-", (i * 7919) % REF_COUNT, i);

        memset(refs[i] + size, 'x', i % (sizeof refs[i] - 16));
    }
    return 0;
}

static void assert_holds(const struct eds_ref_tail *tail, size_t count)
{
    assert_int_equal(tail->refs.count, count);
    for (size_t i = 0; i < REF_COUNT; i++) {
        int64_t id = -1;

        assert_int_equal(eds_ref_tail_find(tail, refs[i], eds_ref_tail_hash(tail, refs[i]), &id),
                         i < count);
        if (i < count)
            assert_int_equal(id, 100 + i);
    }
}

static void add(struct eds_ref_tail *tail, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++)
        assert_int_equal(
            eds_ref_tail_add(tail, refs[i], eds_ref_tail_hash(tail, refs[i]), (int64_t)(100 + i)),
            EDS_OK);
}

static void test_add_and_cut(void **state)
{
    static const size_t counts[] = {REF_COUNT, 2999, 1700, 130, 129, 1, 0};
    struct eds_ref_tail tail;

    (void)state;
    assert_int_equal(eds_ref_tail_init(&tail, NULL), EDS_OK);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        size_t block_count;

        add(&tail, tail.refs.count, REF_COUNT);
        assert_holds(&tail, REF_COUNT);
        block_count = tail.block_count;
        eds_ref_tail_cut(&tail, counts[i]);
        assert_holds(&tail, counts[i]);
        eds_ref_tail_cut(&tail, counts[i] + 1); /* it has not so many: nothing */
        assert_holds(&tail, counts[i]);
        add(&tail, counts[i], REF_COUNT);
        assert_int_equal(tail.block_count, block_count); /* what was there is used again */
    }
    eds_ref_tail_free(&tail);
}

static void test_sort(void **state)
{
    const struct eds_ref_tail_sorted *items;
    struct eds_ref_tail tail;

    (void)state;
    assert_int_equal(eds_ref_tail_init(&tail, NULL), EDS_OK);
    (void)eds_ref_tail_sort(&tail); /* of none */
    add(&tail, 0, REF_COUNT);
    items = eds_ref_tail_sort(&tail);
    for (size_t i = 0; i < REF_COUNT; i++) {
        int64_t id = 0;

        assert_true(eds_ref_tail_find(&tail, items[i].item->ref,
                                      eds_ref_tail_hash(&tail, items[i].item->ref), &id));
        assert_int_equal(items[i].item->id, id);
        if (i > 0)
            assert_true(strcmp(items[i - 1].item->ref, items[i].item->ref) < 0);
    }
    assert_holds(&tail, REF_COUNT);
    eds_ref_tail_free(&tail);
}

/* One that all others begin with, steps within and behind the first eight bytes in which
 * they differ, and bytes above 127. */
static void test_sort_alike(void **state)
{
    static const char *const alike[] = {
        "s3://lift",           "s3://lift/",           "s3://lift/1",        "s3://lift/12345678",
        "s3://lift/123456780", "s3://lift/1234567800", "s3://lift/12345679", "s3://lift/2",
        "s3://lift/\x7f",      "s3://lift/\xc3\xbc",   "s3://lift/\xff"};
    enum { COUNT = sizeof alike / sizeof alike[0] };
    const struct eds_ref_tail_sorted *items;
    struct eds_ref_tail tail;

    (void)state;
    assert_int_equal(eds_ref_tail_init(&tail, NULL), EDS_OK);
    for (size_t i = 0; i < COUNT; i++) {
        const char *ref = alike[i * 7 % COUNT];

        assert_int_equal(
            eds_ref_tail_add(&tail, ref, eds_ref_tail_hash(&tail, ref), (int64_t)(i + 1)), EDS_OK);
    }
    items = eds_ref_tail_sort(&tail);
    for (size_t i = 0; i < COUNT; i++)
        assert_string_equal(items[i].item->ref, alike[i]);
    eds_ref_tail_free(&tail);
}

static void test_without_memory(void **state)
{
    struct eds_ref_tail tail;
    size_t refused = 0;

    (void)state;
    assert_int_equal(eds_ref_tail_init(&tail, NULL), EDS_OK);
    for (size_t i = 0; i < REF_COUNT; i++) {
        for (uint64_t n = 1;; n++) {
            alloc_fail_at(n);
            if (eds_ref_tail_add(&tail, refs[i], eds_ref_tail_hash(&tail, refs[i]),
                                 (int64_t)(100 + i)) == EDS_OK)
                break;
            assert_int_equal(tail.refs.count, i);
            refused++;
        }
        alloc_fail_at(0);
    }
    assert_holds(&tail, REF_COUNT);
    assert_true(refused > 5);
    eds_ref_tail_free(&tail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_and_cut),
        cmocka_unit_test(test_sort),
        cmocka_unit_test(test_sort_alike),
        cmocka_unit_test(test_without_memory),
    };

    return cmocka_run_group_tests_name("ref tail", tests, name_refs, NULL);
}

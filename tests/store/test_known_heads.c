/* test_known_heads.c - heads kept, forgotten, and put out by others. */
#include "store/known_heads.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "support/alloc.h"

#define SAME_SET (UINT64_C(1) << 32) /* added to a hash, it is another one there */

static void put(struct eds_known_heads *known, uint64_t hash, const char *device_id,
                uint64_t sequence)
{
    eds_known_heads_place(known, hash, device_id)->sequence = sequence;
}

static void test_find(void **state)
{
    struct eds_known_heads known;

    (void)state;
    assert_int_equal(eds_known_heads_init(&known, NULL), EDS_OK);
    assert_null(eds_known_heads_find(&known, 7, ""));
    assert_null(eds_known_heads_find(&known, 7, "lift-01"));
    put(&known, 7, "lift-01", 41);
    put(&known, 8, "lift-02", 1);
    put(&known, 7, "lift-01", 42);
    assert_int_equal(eds_known_heads_find(&known, 7, "lift-01")->sequence, 42);
    assert_int_equal(eds_known_heads_find(&known, 8, "lift-02")->sequence, 1);
    /* Others there, one with the same hash, and more than there is room for. */
    assert_null(eds_known_heads_find(&known, 7 + SAME_SET, "lift-03"));
    assert_null(eds_known_heads_find(&known, 7, "lift-0"));
    for (uint64_t i = 1; i < EDS_VISITOR_SET_SIZE; i++)
        put(&known, 7 + i * SAME_SET, "lift-03", 5 + i);
    assert_int_equal(eds_known_heads_find(&known, 7, "lift-01")->sequence, 42);
    put(&known, 7 + EDS_VISITOR_SET_SIZE * SAME_SET, "lift-03", 5);
    assert_null(eds_known_heads_find(&known, 7 + SAME_SET, "lift-03"));
    assert_int_equal(eds_known_heads_find(&known, 7, "lift-01")->sequence, 42);
    eds_known_heads_free(&known);
}

static void test_clear(void **state)
{
    struct eds_known_heads known;

    (void)state;
    assert_int_equal(eds_known_heads_init(&known, NULL), EDS_OK);
    put(&known, 7, "lift-01", 41);
    eds_known_heads_clear(&known);
    assert_null(eds_known_heads_find(&known, 7, "lift-01"));
    put(&known, 7, "lift-01", 41); /* in the second generation */
    known.generation = UINT32_MAX; /* so often that the count begins anew: */
    eds_known_heads_clear(&known);
    eds_known_heads_clear(&known);
    assert_null(eds_known_heads_find(&known, 7, "lift-01"));
    put(&known, 7, "lift-01", 42);
    assert_int_equal(eds_known_heads_find(&known, 7, "lift-01")->sequence, 42);
    eds_known_heads_free(&known);
}

static void test_no_memory(void **state)
{
    struct eds_known_heads known = {0};

    (void)state;
    for (uint64_t n = 1; n <= 2; n++) {
        alloc_fail_at(n);
        assert_int_equal(eds_known_heads_init(&known, NULL), EDS_ERR_NO_MEMORY);
        alloc_fail_at(0);
        eds_known_heads_free(&known);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_clear),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("known heads", tests, NULL, NULL);
}

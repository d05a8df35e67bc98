/* test_index.c - the hash table behind the registry, with hashes of our choice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "registry/index.h"
#include "support/alloc.h"

#define ITEM_COUNT 5000u

static unsigned char items[ITEM_COUNT];

static bool holds(const struct eds_index *index, uint64_t hash, const void *item)
{
    struct eds_index_walk walk;
    const void *at;

    eds_index_begin(&walk, index, hash);
    while ((at = eds_index_next(&walk)) != NULL)
        if (at == item)
            return true;
    return false;
}

static void fill(struct eds_index *index, size_t count, uint64_t (*hash_of)(size_t))
{
    for (size_t i = 0; i < count; i++) {
        assert_true(eds_index_reserve(index, 1));
        eds_index_put(index, hash_of(i), &items[i]);
    }
}

static uint64_t spread(size_t i)
{
    return (uint64_t)i * 0x9e3779b97f4a7c15u;
}

static uint64_t all_the_same(size_t i)
{
    (void)i;
    return UINT64_MAX; /* the last slot: steps go on at the first one */
}

static uint64_t same_slot(size_t i)
{
    return (uint64_t)i << 40 | 7;
}

static void test_finds_what_was_put(void **state)
{
    uint64_t (*const hashes[])(size_t) = {spread, all_the_same, same_slot};

    (void)state;
    for (size_t h = 0; h < 3; h++) {
        struct eds_index index = {0};
        size_t count = h == 0 ? ITEM_COUNT : 300;

        assert_false(holds(&index, hashes[h](0), &items[0]));
        fill(&index, count, hashes[h]);
        assert_int_equal(index.used, count);
        for (size_t i = 0; i < count; i++)
            assert_true(holds(&index, hashes[h](i), &items[i]));
        assert_false(holds(&index, hashes[h](0) ^ 1, &items[0]));
        assert_true(index.used * 4 <= index.slot_count * 3);
        eds_index_free(&index);
    }
}

static void test_walk_gives_equal_hashes_only(void **state)
{
    struct eds_index index = {0};
    struct eds_index_walk walk;

    (void)state;
    fill(&index, 10, same_slot); /* one cluster, ten hashes */
    for (size_t i = 0; i < 10; i++) {
        eds_index_begin(&walk, &index, same_slot(i));
        assert_ptr_equal(eds_index_next(&walk), &items[i]);
        assert_null(eds_index_next(&walk));
    }
    eds_index_free(&index);
}

static void test_move_replaces_one(void **state)
{
    struct eds_index index = {0};

    (void)state;
    fill(&index, 10, all_the_same);
    eds_index_move(&index, UINT64_MAX, &items[4], &items[20]);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(holds(&index, UINT64_MAX, &items[i]), i != 4);
    assert_true(holds(&index, UINT64_MAX, &items[20]));
    assert_int_equal(index.used, 10);
    eds_index_free(&index);
}

static void test_no_memory_changes_nothing(void **state)
{
    struct eds_index index = {0};
    size_t refused = 0;

    (void)state;
    for (size_t i = 0; i < 100; i++) {
        alloc_fail_at(1);
        if (!eds_index_reserve(&index, 1)) {
            refused++;
            for (size_t j = 0; j < i; j++)
                assert_true(holds(&index, spread(j), &items[j]));
            alloc_fail_at(0);
            assert_true(eds_index_reserve(&index, 1));
        }
        eds_index_put(&index, spread(i), &items[i]);
    }
    alloc_fail_at(0);
    assert_true(refused >= 3);
    eds_index_free(&index);
}

/* What is left is found, whichever goes first, also across the last slot. */
static void test_remove(void **state)
{
    uint64_t (*const hashes[])(size_t) = {spread, all_the_same, same_slot};

    (void)state;
    for (size_t h = 0; h < 3; h++)
        for (size_t step = 1; step < 12; step += 2) {
            struct eds_index index = {0};
            bool gone[200] = {false};

            fill(&index, 200, hashes[h]);
            for (size_t i = 0; i < 200; i++) {
                size_t which = i * step % 200;

                if (gone[which]) /* 200 and the step share a factor */
                    continue;
                eds_index_remove(&index, hashes[h](which), &items[which]);
                gone[which] = true;
                for (size_t k = 0; k < 200; k++)
                    assert_int_equal(holds(&index, hashes[h](k), &items[k]), !gone[k]);
            }
            fill(&index, index.used == 0 ? 200 : 1, hashes[h]);
            eds_index_free(&index);
        }
}

static void test_room_for_many(void **state)
{
    struct eds_index index = {0};

    (void)state;
    assert_true(eds_index_reserve(&index, 1000));
    alloc_fail_at(1);
    for (size_t i = 0; i < 1000; i++)
        eds_index_put(&index, spread(i), &items[i]);
    alloc_fail_at(0);
    for (size_t i = 0; i < 1000; i++)
        assert_true(holds(&index, spread(i), &items[i]));
    eds_index_free(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_what_was_put),
        cmocka_unit_test(test_walk_gives_equal_hashes_only),
        cmocka_unit_test(test_move_replaces_one),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_room_for_many),
        cmocka_unit_test(test_no_memory_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

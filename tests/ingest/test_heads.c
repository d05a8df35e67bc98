/* test_heads.c - the cache of heads: what it holds is right, what it lacks is
 * the longest unused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "ingest/heads.h"
#include "support/alloc.h"

static struct eds_head_key key_of(const struct eds_heads *heads, unsigned n)
{
    char id[16];

    snprintf(id, sizeof id, "lift-%u", n);
    return eds_heads_key(heads, id);
}

static void put(struct eds_heads *heads, unsigned n, uint64_t sequence)
{
    struct eds_head head = {.sequence = sequence};

    eds_heads_put(heads, key_of(heads, n), &head);
}

/* The sequence of a head in the cache, or 0. */
static uint64_t get(struct eds_heads *heads, unsigned n)
{
    struct eds_head head = {.sequence = 0};

    return eds_heads_get(heads, key_of(heads, n), &head) ? head.sequence : 0;
}

static void test_put_get_drop(void **state)
{
    struct eds_heads heads;
    struct eds_head head = {.sequence = 7, .attested = true, .conflict_count = 3}, out;

    (void)state;
    memset(head.record_hash, 0xab, sizeof head.record_hash);
    assert_int_equal(eds_heads_init(&heads, 100), EDS_OK);
    assert_false(eds_heads_get(&heads, key_of(&heads, 1), &out));
    eds_heads_put(&heads, key_of(&heads, 1), &head);
    put(&heads, 2, 22);
    assert_true(eds_heads_get(&heads, key_of(&heads, 1), &out));
    assert_int_equal(out.sequence, 7);
    assert_true(out.attested);
    assert_int_equal(out.conflict_count, 3);
    assert_memory_equal(out.record_hash, head.record_hash, sizeof out.record_hash);
    put(&heads, 1, 8); /* in place */
    assert_int_equal(get(&heads, 1), 8);
    eds_heads_drop(&heads, key_of(&heads, 1));
    assert_int_equal(get(&heads, 1), 0);
    assert_int_equal(get(&heads, 2), 22);
    eds_heads_drop(&heads, key_of(&heads, 1)); /* not there: fine */
    eds_heads_free(&heads);
}

static void test_least_recently_used_goes(void **state)
{
    struct eds_heads heads;

    (void)state;
    assert_int_equal(eds_heads_init(&heads, 8), EDS_OK); /* one set of eight */
    for (unsigned n = 0; n < 8; n++)
        put(&heads, n, n + 1);
    assert_int_equal(get(&heads, 0), 1); /* used again */
    put(&heads, 8, 9);
    assert_int_equal(get(&heads, 1), 0);
    put(&heads, 9, 10);
    assert_int_equal(get(&heads, 2), 0);
    for (unsigned n = 0; n < 10; n++)
        if (n != 1 && n != 2)
            assert_int_equal(get(&heads, n), n + 1);
    eds_heads_drop(&heads, key_of(&heads, 5));
    put(&heads, 11, 12); /* takes the free place, nobody goes */
    assert_int_equal(get(&heads, 0), 1);
    eds_heads_free(&heads);
}

/* Whatever is forgotten, nothing is remembered wrongly, and most fits. */
static void test_many(void **state)
{
    struct eds_heads heads;
    unsigned kept = 0;

    (void)state;
    assert_int_equal(eds_heads_init(&heads, 4096), EDS_OK);
    for (unsigned n = 0; n < 10000; n++)
        put(&heads, n, n + 1);
    for (unsigned n = 0; n < 10000; n++) {
        uint64_t sequence = get(&heads, n);

        assert_true(sequence == 0 || sequence == n + 1);
        kept += sequence != 0;
    }
    assert_in_range(kept, 3900, 4096);
    eds_heads_free(&heads);
}

static void test_keys(void **state)
{
    struct eds_heads a, b;
    struct eds_head_key key, other;

    (void)state;
    assert_int_equal(eds_heads_init(&a, 8), EDS_OK);
    assert_int_equal(eds_heads_init(&b, 8), EDS_OK);
    key = eds_heads_key(&a, "lift-01");
    other = eds_heads_key(&a, "lift-01");
    assert_memory_equal(&key, &other, sizeof key);
    other = eds_heads_key(&a, "lift-02");
    assert_memory_not_equal(&key, &other, sizeof key);
    other = eds_heads_key(&b, "lift-01"); /* another process, another secret */
    assert_memory_not_equal(&key, &other, sizeof key);
    eds_heads_free(&a);
    eds_heads_free(&b);
}

static void test_no_memory(void **state)
{
    struct eds_heads heads;

    (void)state;
    alloc_fail_at(1);
    assert_int_equal(eds_heads_init(&heads, 8), EDS_ERR_NO_MEMORY);
    alloc_fail_at(0);
    eds_heads_free(&heads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_get_drop), cmocka_unit_test(test_least_recently_used_goes),
        cmocka_unit_test(test_many),         cmocka_unit_test(test_keys),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

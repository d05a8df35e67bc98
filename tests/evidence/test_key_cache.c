/* test_key_cache.c - tables that threads share: each key's own, made once, and left alone
 * as long as somebody holds it. */
#include "evidence/key_cache.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "edgesentry/ed25519.h"

#define KEY_COUNT    120u /* more than four users have places for */
#define HELD_MAX     24u
#define THREAD_COUNT 4u
#define FIND_COUNT   400u /* of each thread */

static uint8_t keys[KEY_COUNT][EDS_PUBLIC_KEY_SIZE];

static int make_keys(void **state)
{
    (void)state;
    for (unsigned i = 0; i < KEY_COUNT; i++) {
        uint8_t seed[EDS_SEED_SIZE] = {(uint8_t)i, 7};

        eds_ed25519_public_key(keys[i], seed);
    }
    return 0;
}

static struct eds_key_cache *make_cache(unsigned user_count)
{
    if (eds_verifier_init() == EDS_VERIFIER_LIBSODIUM)
        skip(); /* a build without tables */
    return eds_key_cache_create(user_count);
}

static const struct eds_verifier_table *get(struct eds_key_user *user, unsigned key)
{
    bool is_full;
    const struct eds_verifier_table *table = eds_key_user_find(user, keys[key], true, &is_full);

    assert_false(is_full);
    assert_non_null(table);
    assert_memory_equal(table->public_key, keys[key], EDS_PUBLIC_KEY_SIZE);
    return table;
}

static void test_two_share(void **state)
{
    struct eds_key_cache *cache = make_cache(2);
    struct eds_key_user *one = eds_key_user_create(cache), *two = eds_key_user_create(cache);
    const struct eds_verifier_table *table;
    bool is_full;

    (void)state;
    assert_null(eds_key_user_find(one, keys[0], false, &is_full)); /* not worth making */
    assert_false(is_full);
    table = get(one, 0);
    assert_ptr_equal(get(one, 0), table);
    assert_ptr_equal(get(two, 0), table);
    assert_ptr_not_equal(get(two, 1), table);
    eds_key_user_release(one);
    assert_ptr_equal(eds_key_user_find(one, keys[0], false, &is_full), table); /* there it is */
    eds_key_user_destroy(one);
    eds_key_user_destroy(two);
    eds_key_cache_destroy(cache);
}

static void test_bad_key(void **state)
{
    static const uint8_t neutral[EDS_PUBLIC_KEY_SIZE] = {1};
    struct eds_key_cache *cache = make_cache(1);
    struct eds_key_user *user = eds_key_user_create(cache);
    bool is_full;

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_null(eds_key_user_find(user, neutral, true, &is_full));
        assert_false(is_full);
    }
    eds_key_user_release(user);
    for (unsigned i = 0; i < HELD_MAX; i++) /* its place serves another key */
        get(user, i);
    eds_key_user_destroy(user);
    eds_key_cache_destroy(cache);
}

static void test_full(void **state)
{
    struct eds_key_cache *cache = make_cache(2);
    struct eds_key_user *one = eds_key_user_create(cache), *two = eds_key_user_create(cache);
    const struct eds_verifier_table *first = NULL;
    bool is_full;

    (void)state;
    for (unsigned i = 0; i < HELD_MAX; i++) {
        const struct eds_verifier_table *table = get(one, i);

        first = i == 0 ? table : first;
        get(two, HELD_MAX + i);
    }
    assert_null(eds_key_user_find(one, keys[2 * HELD_MAX], true, &is_full)); /* a new one */
    assert_true(is_full);
    assert_null(eds_key_user_find(one, keys[HELD_MAX], false, &is_full)); /* the other's */
    assert_true(is_full);
    assert_null(eds_key_user_find(one, keys[2 * HELD_MAX], false, &is_full)); /* nobody's */
    assert_false(is_full);
    assert_ptr_equal(get(one, 0), first);
    eds_key_user_release(one);
    get(one, 2 * HELD_MAX);
    get(one, HELD_MAX);
    eds_key_user_destroy(one);
    eds_key_user_destroy(two);
    eds_key_cache_destroy(cache);
}

/* What one holds stays, however many keys another goes through. */
static void test_held_stays(void **state)
{
    struct eds_key_cache *cache = make_cache(2);
    struct eds_key_user *one = eds_key_user_create(cache), *two = eds_key_user_create(cache);
    const struct eds_verifier_table *table;

    (void)state;
    table = get(one, 0);
    for (unsigned i = 1; i < KEY_COUNT; i++) {
        get(two, i);
        eds_key_user_release(two);
    }
    assert_memory_equal(table->public_key, keys[0], EDS_PUBLIC_KEY_SIZE);
    assert_ptr_equal(get(two, 0), table);
    eds_key_user_destroy(one);
    eds_key_user_destroy(two);
    eds_key_cache_destroy(cache);
}

struct thread {
    struct eds_key_cache *cache;
    unsigned number, wrong_count;
};

/* Asks for keys that others ask for as well, and looks at all that it holds. */
static void *run(void *context)
{
    struct thread *thread = context;
    struct eds_key_user *user = eds_key_user_create(thread->cache);
    const struct eds_verifier_table *tables[HELD_MAX];
    unsigned wanted[HELD_MAX], count = 0;

    for (unsigned i = 0; i < FIND_COUNT; i++) {
        bool is_full;

        wanted[count] = (i / 3 + thread->number * (i % 3)) % KEY_COUNT;
        tables[count] = eds_key_user_find(user, keys[wanted[count]], true, &is_full);
        thread->wrong_count += tables[count] == NULL || is_full;
        count += tables[count] != NULL;
        for (unsigned k = 0; k < count; k++)
            thread->wrong_count +=
                memcmp(tables[k]->public_key, keys[wanted[k]], EDS_PUBLIC_KEY_SIZE) != 0;
        if (count == HELD_MAX - thread->number) {
            eds_key_user_release(user);
            count = 0;
        }
    }
    eds_key_user_destroy(user);
    return NULL;
}

static void test_threads(void **state)
{
    struct eds_key_cache *cache = make_cache(THREAD_COUNT);
    pthread_t ids[THREAD_COUNT];
    struct thread threads[THREAD_COUNT];

    (void)state;
    for (unsigned i = 0; i < THREAD_COUNT; i++) {
        threads[i] = (struct thread){.cache = cache, .number = i};
        assert_int_equal(pthread_create(&ids[i], NULL, run, &threads[i]), 0);
    }
    for (unsigned i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_join(ids[i], NULL), 0);
    for (unsigned i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(threads[i].wrong_count, 0);
    eds_key_cache_destroy(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_share), cmocka_unit_test(test_bad_key),
        cmocka_unit_test(test_full),      cmocka_unit_test(test_held_stays),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, make_keys, NULL);
}

/* test_key_tables.c - tables come and go, and no verdict ever depends on it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "edgesentry/verifier.h"
#include "registry/key_tables.h"

#define KEY_COUNT    24u
#define THREAD_COUNT 4u

static struct signed_message {
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
    uint8_t message[32];
    uint8_t good[EDS_SIGNATURE_SIZE];
    uint8_t bad[EDS_SIGNATURE_SIZE];
} all[KEY_COUNT];

static int sign_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        uint8_t seed[EDS_SEED_SIZE] = {(uint8_t)(i + 1), 9};

        memset(all[i].message, (int)i, sizeof all[i].message);
        eds_ed25519_public_key(all[i].public_key, seed);
        eds_ed25519_sign(all[i].good, all[i].message, sizeof all[i].message, seed);
        memcpy(all[i].bad, all[i].good, sizeof all[i].bad);
        all[i].bad[i % EDS_SIGNATURE_SIZE] ^= 1;
    }
    return 0;
}

static bool verdicts_are_right(struct eds_key_tables *tables, size_t key)
{
    const struct signed_message *it = &all[key % KEY_COUNT];

    return eds_key_tables_verify(tables, it->good, it->message, sizeof it->message,
                                 it->public_key) &&
           !eds_key_tables_verify(tables, it->bad, it->message, sizeof it->message, it->public_key);
}

static bool tables_are_of_use(void)
{
    return eds_verifier_init() != EDS_VERIFIER_LIBSODIUM;
}

static void test_a_key_in_use_gets_a_table(void **state)
{
    struct eds_key_tables *tables = eds_key_tables_create(8);

    (void)state;
    assert_non_null(tables);
    assert_true(verdicts_are_right(tables, 0));
    assert_int_equal(eds_key_tables_count(tables), 0); /* too early to tell */
    for (unsigned i = 0; i < 4; i++)
        assert_true(verdicts_are_right(tables, 0));
    assert_int_equal(eds_key_tables_count(tables), tables_are_of_use() ? 1 : 0);
    eds_key_tables_destroy(tables);
}

static void test_more_keys_than_room(void **state)
{
    struct eds_key_tables *tables = eds_key_tables_create(4);

    (void)state;
    assert_non_null(tables);
    for (size_t i = 0; i < 40 * KEY_COUNT; i++) {
        assert_true(verdicts_are_right(tables, i));
        assert_true(eds_key_tables_count(tables) <= 4);
    }
    /* Taking turns must not make all of them lose: some are served by table. */
    assert_true(eds_key_tables_count(tables) > 0 || !tables_are_of_use());
    eds_key_tables_destroy(tables);
}

/* Keys that stop coming give way to those that come. */
static void test_old_keys_give_way(void **state)
{
    struct eds_key_tables *tables = eds_key_tables_create(4);

    (void)state;
    assert_non_null(tables);
    for (size_t i = 0; i < 100; i++)
        assert_true(verdicts_are_right(tables, i % 4));
    for (size_t i = 0; i < 400; i++)
        assert_true(verdicts_are_right(tables, 4 + i % 20));
    for (unsigned i = 0; i < 600; i++)
        assert_true(verdicts_are_right(tables, 23));
    assert_true(eds_key_tables_count(tables) > 0 || !tables_are_of_use());
    eds_key_tables_destroy(tables);
}

static void *verify_many(void *context)
{
    static const char right[] = "right";

    for (size_t i = 0; i < 500; i++)
        if (!verdicts_are_right(context, i * 7 % (i % 3 == 0 ? KEY_COUNT : 5)))
            return NULL;
    return (void *)(uintptr_t)right;
}

static void test_threads(void **state)
{
    struct eds_key_tables *tables = eds_key_tables_create(8);
    pthread_t threads[THREAD_COUNT];

    (void)state;
    assert_non_null(tables);
    for (size_t i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, verify_many, tables), 0);
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        void *outcome;

        assert_int_equal(pthread_join(threads[i], &outcome), 0);
        assert_non_null(outcome);
    }
    assert_true(eds_key_tables_count(tables) <= 8);
    eds_key_tables_destroy(tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_in_use_gets_a_table),
        cmocka_unit_test(test_more_keys_than_room),
        cmocka_unit_test(test_old_keys_give_way),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, sign_all, NULL);
}

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

/* A dropped table is gone, and its key can have another one later. */
static void test_drop(void **state)
{
    struct eds_key_tables *tables = eds_key_tables_create(8);
    const size_t one = tables_are_of_use() ? 1 : 0;

    (void)state;
    assert_non_null(tables);
    eds_key_tables_drop(tables, all[0].public_key); /* has none */
    for (unsigned round = 0; round < 40; round++) { /* more often than there are tables */
        for (unsigned i = 0; i < 4; i++)
            assert_true(verdicts_are_right(tables, round % 3));
        assert_int_equal(eds_key_tables_count(tables), one);
        eds_key_tables_drop(tables, all[round % 3].public_key);
        assert_int_equal(eds_key_tables_count(tables), 0);
        assert_true(verdicts_are_right(tables, round % 3)); /* as anew: no table yet */
        assert_int_equal(eds_key_tables_count(tables), 0);
        eds_key_tables_drop(tables, all[round % 3].public_key);
    }
    eds_key_tables_destroy(tables);
}

#define JOB_COUNT 700u

/* count jobs, every third one bad, from a number on that picks the keys. */
static void make_jobs(struct eds_verify_job *jobs, size_t count, size_t from)
{
    for (size_t i = 0; i < count; i++) {
        const struct signed_message *it = &all[(from + i * i / 7) % KEY_COUNT];

        jobs[i] = (struct eds_verify_job){.public_key = it->public_key,
                                          .message = it->message,
                                          .message_size = sizeof it->message,
                                          .signature = (from + i) % 3 == 0 ? it->bad : it->good};
    }
}

static bool many_are_right(struct eds_key_tables *tables, struct eds_verifier_work *work,
                           size_t count, size_t from)
{
    struct eds_verify_job jobs[JOB_COUNT];
    bool verdicts[JOB_COUNT + 1], right = true;

    make_jobs(jobs, count, from);
    memset(verdicts, 0x55, sizeof verdicts);
    eds_key_tables_verify_many(tables, work, jobs, count, verdicts);
    for (size_t i = 0; i < count; i++)
        right = right && verdicts[i] == ((from + i) % 3 != 0) && jobs[i].table == NULL;
    return right && *(unsigned char *)&verdicts[count] == 0x55;
}

static void test_many(void **state)
{
    struct eds_key_tables *tables = eds_key_tables_create(32);
    struct eds_verifier_work *work = eds_verifier_work_create();

    (void)state;
    assert_non_null(tables);
    assert_non_null(work);
    for (size_t count = 0; count <= JOB_COUNT; count += count < 10 ? 1 : 69)
        assert_true(many_are_right(tables, work, count, count));
    assert_true(eds_key_tables_count(tables) > KEY_COUNT / 2 || !tables_are_of_use());
    for (size_t i = 0; i < KEY_COUNT; i++)
        eds_key_tables_drop(tables, all[i].public_key);
    assert_int_equal(eds_key_tables_count(tables), 0);
    assert_true(many_are_right(tables, work, JOB_COUNT, 1));
    eds_verifier_work_destroy(work);
    eds_key_tables_destroy(tables);
}

static void *verify_many(void *context)
{
    static const char right[] = "right";
    struct eds_verifier_work *work = eds_verifier_work_create();
    bool all_right = work != NULL;

    for (size_t i = 0; i < 300 && all_right; i++) {
        all_right = verdicts_are_right(context, i * 7 % (i % 3 == 0 ? KEY_COUNT : 5));
        if (i % 10 == 3)
            eds_key_tables_drop(context, all[i % 5].public_key);
        if (i % 20 == 7)
            all_right = all_right && many_are_right(context, work, 50 + i % 30, i);
    }
    eds_verifier_work_destroy(work);
    return all_right ? (void *)(uintptr_t)right : NULL;
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

/* One call with every key, good and bad, many times over: more than a slice. */
static void test_many_together(void **state)
{
    enum { COUNT = 700 };
    static _Alignas(64) uint8_t work[EDS_VERIFIER_WORK_SIZE];
    static struct eds_verify_job jobs[COUNT];
    struct eds_key_tables *tables = eds_key_tables_create(8);
    bool verdicts[COUNT];

    (void)state;
    assert_non_null(tables);
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            const struct signed_message *it = &all[i * 7 % (round < 2 ? KEY_COUNT : 6)];

            jobs[i] = (struct eds_verify_job){.public_key = it->public_key,
                                              .message = it->message,
                                              .message_size = sizeof it->message,
                                              .signature = i % 5 == round ? it->bad : it->good};
        }
        eds_key_tables_verify_many(tables, (struct eds_verifier_work *)(void *)work, jobs, COUNT,
                                   verdicts);
        for (size_t i = 0; i < COUNT; i++)
            assert_int_equal(verdicts[i], i % 5 != round);
        assert_true(eds_key_tables_count(tables) <= 8);
    }
    assert_true(eds_key_tables_count(tables) >= 6 || !tables_are_of_use());
    eds_key_tables_destroy(tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_in_use_gets_a_table),
        cmocka_unit_test(test_more_keys_than_room),
        cmocka_unit_test(test_old_keys_give_way),
        cmocka_unit_test(test_drop),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_many_together),
    };

    return cmocka_run_group_tests(tests, sign_all, NULL);
}

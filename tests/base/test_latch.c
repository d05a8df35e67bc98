/* The latch: in either order, with what was written before it, and gone at once afterwards. */
#include "base/latch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROUNDS 200

/* Freed as soon as the wait is over: a latch that is touched later is a fault that the
 * sanitizers see. */
struct errand {
    struct eds_latch latch;
    int word;
};

static struct errand *make_errand(void)
{
    struct errand *errand = malloc(sizeof *errand);

    assert_non_null(errand);
    *errand = (struct errand){.latch = EDS_LATCH_INITIAL};
    return errand;
}

static void test_set_first(void **state)
{
    struct eds_latch latch = EDS_LATCH_INITIAL;

    (void)state;
    eds_latch_set(&latch);
    eds_latch_wait(&latch); /* returns */
}

static void *run_errand(void *context)
{
    struct errand *errand = context;

    errand->word = 42;
    eds_latch_set(&errand->latch);
    return NULL;
}

/* Who is first is the scheduler's choice: over many rounds now one, now the other. */
static void test_another_thread(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct errand *errand = make_errand();
        pthread_t thread;

        assert_int_equal(pthread_create(&thread, NULL, run_errand, errand), 0);
        eds_latch_wait(&errand->latch);
        assert_int_equal(errand->word, 42);
        free(errand);
        pthread_join(thread, NULL);
    }
}

/* A ball that two threads throw to each other: a wait ends for its own latch only. */
struct rally {
    struct errand *there[ROUNDS], *back[ROUNDS];
};

static void *throw_back(void *context)
{
    struct rally *rally = context;

    for (int i = 0; i < ROUNDS; i++) {
        int word;

        eds_latch_wait(&rally->there[i]->latch);
        word = rally->there[i]->word;
        free(rally->there[i]);
        rally->back[i]->word = word + 1;
        eds_latch_set(&rally->back[i]->latch);
    }
    return NULL;
}

static void test_rally(void **state)
{
    struct rally rally;
    pthread_t thread;

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        rally.there[i] = make_errand();
        rally.back[i] = make_errand();
    }
    assert_int_equal(pthread_create(&thread, NULL, throw_back, &rally), 0);
    for (int i = 0; i < ROUNDS; i++) {
        rally.there[i]->word = i;
        eds_latch_set(&rally.there[i]->latch);
        eds_latch_wait(&rally.back[i]->latch);
        assert_int_equal(rally.back[i]->word, i + 1);
        free(rally.back[i]);
    }
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_first),
        cmocka_unit_test(test_another_thread),
        cmocka_unit_test(test_rally),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

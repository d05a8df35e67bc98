/* test_queue.c - first in, first out, bounded, and no wake-up lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "ingest/queue.h"

#define MAX 8u

static struct eds_submission submissions[MAX + 2];

/* Pushes one that is still to be checked. */
static bool push(struct eds_queue *queue, struct eds_submission *submission)
{
    submission->is_checked = false;
    return eds_queue_push(queue, submission);
}

/* Checks whatever waits, as the committer does before it takes. */
static void check_all(struct eds_queue *queue)
{
    struct eds_submission *claimed[MAX];
    size_t count;

    while ((count = eds_queue_claim(queue, claimed, MAX)) > 0)
        eds_queue_checked(queue, claimed, count);
}

static size_t take(struct eds_queue *queue, struct eds_submission **out, size_t max,
                   size_t size_max)
{
    size_t count;

    check_all(queue);
    assert_int_equal(eds_queue_take(queue, out, &count, max, size_max, eds_queue_now_ns()),
                     EDS_QUEUE_COMMIT);
    eds_queue_leave(queue, false);
    return count;
}

static void test_order_and_bound(void **state)
{
    struct eds_submission *out[MAX];
    struct eds_queue queue;

    (void)state;
    assert_true(eds_queue_init(&queue, MAX));
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < MAX; i++)
            assert_true(push(&queue, &submissions[i]));
        assert_false(push(&queue, &submissions[MAX]));
        assert_int_equal(eds_queue_count(&queue), MAX);
        assert_int_equal(take(&queue, out, 3, SIZE_MAX), 3);
        assert_true(push(&queue, &submissions[MAX]));
        for (unsigned i = 0; i < 3; i++)
            assert_ptr_equal(out[i], &submissions[i]);
        assert_int_equal(take(&queue, out, MAX, SIZE_MAX), MAX - 2);
        for (unsigned i = 0; i < MAX - 2; i++)
            assert_ptr_equal(out[i], &submissions[i + 3]);
        assert_int_equal(eds_queue_count(&queue), 0);
    }
    eds_queue_free(&queue);
}

static void test_several_at_once(void **state)
{
    struct eds_submission *all[MAX], *out[MAX];
    struct eds_queue queue;

    (void)state;
    for (unsigned i = 0; i < MAX; i++) {
        submissions[i].is_checked = i % 3 == 0; /* some come checked */
        all[i] = &submissions[i];
    }
    assert_true(eds_queue_init(&queue, MAX - 1));
    assert_int_equal(eds_queue_push_all(&queue, all, 0), 0);
    assert_int_equal(eds_queue_push_all(&queue, all, 3), 3);
    assert_int_equal(eds_queue_push_all(&queue, all + 3, MAX - 3), MAX - 4);
    assert_int_equal(eds_queue_push_all(&queue, all + MAX - 1, 1), 0);
    assert_int_equal(take(&queue, out, MAX, SIZE_MAX), MAX - 1);
    for (unsigned i = 0; i < MAX - 1; i++)
        assert_ptr_equal(out[i], &submissions[i]);
    eds_queue_close(&queue);
    assert_int_equal(eds_queue_push_all(&queue, all, 3), 0);
    eds_queue_free(&queue);
}

static void test_payload_bytes(void **state)
{
    static const size_t sizes[] = {10, 10, 10, 100, 5, SIZE_MAX, SIZE_MAX, 0};
    struct eds_submission *out[MAX];
    struct eds_queue queue;

    (void)state;
    assert_true(eds_queue_init(&queue, MAX));
    for (unsigned i = 0; i < MAX; i++) {
        submissions[i].request.payload_size = sizes[i];
        assert_true(push(&queue, &submissions[i]));
    }
    assert_int_equal(take(&queue, out, MAX, 25), 2);  /* 10 + 10 */
    assert_int_equal(take(&queue, out, MAX, 110), 2); /* 10 + 100: just fits */
    assert_int_equal(take(&queue, out, MAX, 4), 1);   /* 5, too large, alone */
    assert_int_equal(take(&queue, out, MAX, 4), 1);
    assert_int_equal(take(&queue, out, MAX, 4), 2); /* full, and then an empty one */
    assert_int_equal(take(&queue, out, MAX, 4), 0);
    for (unsigned i = 0; i < MAX; i++)
        submissions[i].request.payload_size = 0;
    eds_queue_free(&queue);
}

static void test_deadline_and_close(void **state)
{
    struct eds_submission *out[MAX];
    struct eds_queue queue;
    uint64_t before = eds_queue_now_ns(), deadline = before + 20000000;
    size_t count = 1;

    (void)state;
    assert_true(eds_queue_init(&queue, MAX));
    assert_int_equal(eds_queue_take(&queue, out, &count, MAX, SIZE_MAX, deadline),
                     EDS_QUEUE_COMMIT);
    assert_int_equal(count, 0);
    assert_true(eds_queue_now_ns() >= deadline);
    eds_queue_leave(&queue, false);
    assert_true(push(&queue, &submissions[0]));
    eds_queue_close(&queue);
    assert_false(push(&queue, &submissions[1]));
    assert_int_equal(eds_queue_take(&queue, out, &count, MAX, SIZE_MAX, 0), EDS_QUEUE_CHECK);
    check_all(&queue);
    assert_int_equal(eds_queue_take(&queue, out, &count, MAX, SIZE_MAX, 0), EDS_QUEUE_COMMIT);
    assert_int_equal(count, 1);
    eds_queue_leave(&queue, false);
    assert_int_equal(eds_queue_take(&queue, out, &count, MAX, SIZE_MAX, 0), EDS_QUEUE_END);
    assert_int_equal(count, 0);
    eds_queue_free(&queue);
}

/* What comes checked is never claimed, and may be taken while others behind it
 * still wait to be. */
static void test_comes_checked(void **state)
{
    struct eds_submission *out[MAX];
    struct eds_queue queue;
    size_t count;

    (void)state;
    assert_true(eds_queue_init(&queue, MAX));
    for (unsigned i = 0; i < 4; i++) {
        submissions[i].is_checked = i == 1 || i == 2;
        assert_true(eds_queue_push(&queue, &submissions[i]));
    }
    assert_int_equal(eds_queue_claim(&queue, out, 1), 1);
    assert_ptr_equal(out[0], &submissions[0]);
    eds_queue_checked(&queue, out, 1);
    assert_int_equal(eds_queue_take(&queue, out, &count, MAX, SIZE_MAX, 0), EDS_QUEUE_COMMIT);
    assert_int_equal(count, 3);
    eds_queue_leave(&queue, false);
    assert_int_equal(eds_queue_claim(&queue, out, MAX), 1);
    assert_ptr_equal(out[0], &submissions[3]);
    eds_queue_checked(&queue, out, 1);
    assert_int_equal(take(&queue, out, MAX, SIZE_MAX), 1);
    eds_queue_free(&queue);
}

/* Checked out of order, taken in order: what comes behind one that is still
 * being checked has to wait. */
static void test_order_of_checks(void **state)
{
    struct eds_submission *early[2], *late[2], *out[MAX];
    struct eds_queue queue;
    size_t count;

    (void)state;
    assert_true(eds_queue_init(&queue, MAX));
    for (unsigned i = 0; i < 4; i++)
        assert_true(push(&queue, &submissions[i]));
    assert_int_equal(eds_queue_claim(&queue, early, 2), 2);
    assert_int_equal(eds_queue_claim(&queue, late, 2), 2);
    assert_int_equal(eds_queue_claim(&queue, out, MAX), 0);
    assert_ptr_equal(early[0], &submissions[0]);
    assert_ptr_equal(late[1], &submissions[3]);
    eds_queue_checked(&queue, late, 2);
    assert_int_equal(eds_queue_take(&queue, out, &count, MAX, SIZE_MAX, eds_queue_now_ns()),
                     EDS_QUEUE_COMMIT);
    assert_int_equal(count, 0);
    eds_queue_leave(&queue, false);
    eds_queue_checked(&queue, early, 2);
    assert_int_equal(eds_queue_take(&queue, out, &count, MAX, SIZE_MAX, 0), EDS_QUEUE_COMMIT);
    assert_int_equal(count, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_ptr_equal(out[i], &submissions[i]);
    eds_queue_leave(&queue, false);
    eds_queue_free(&queue);
}

static void test_one_has_the_turn(void **state)
{
    struct eds_submission *out[MAX];
    struct eds_queue queue;
    size_t count;

    (void)state;
    assert_true(eds_queue_init(&queue, MAX));
    assert_true(eds_queue_enter(&queue));
    assert_false(eds_queue_enter(&queue));
    assert_true(push(&queue, &submissions[0]));
    /* Others may check meanwhile, but not commit. */
    assert_int_equal(eds_queue_take(&queue, out, &count, MAX, SIZE_MAX, 0), EDS_QUEUE_CHECK);
    check_all(&queue);
    eds_queue_leave(&queue, false);
    assert_false(eds_queue_enter(&queue)); /* one waits that came before */
    assert_int_equal(take(&queue, out, MAX, SIZE_MAX), 1);
    assert_true(eds_queue_enter(&queue));
    eds_queue_leave(&queue, true); /* the deadline has to be looked at again */
    assert_int_equal(eds_queue_take(&queue, out, &count, MAX, SIZE_MAX, 0), EDS_QUEUE_COMMIT);
    assert_int_equal(count, 0);
    eds_queue_leave(&queue, false);
    eds_queue_close(&queue);
    assert_false(eds_queue_enter(&queue));
    eds_queue_free(&queue);
}

#define PASSED_COUNT 20000u
#define CROWD        (2 * EDS_QUEUE_HELP_MIN) /* waiting at once */

static void *pass_on(void *context)
{
    struct eds_queue *queue = context;
    struct eds_submission *batch[3];
    enum eds_queue_turn turn;
    uintptr_t number = 0;

    do {
        size_t count = eds_queue_claim(queue, batch, 3);

        eds_queue_checked(queue, batch, count);
        turn = eds_queue_take(queue, batch, &count, 3, SIZE_MAX, 0);
        for (size_t i = 0; i < count; i++)
            if (batch[i]->context != (void *)++number)
                abort();
        if (turn != EDS_QUEUE_CHECK)
            eds_queue_leave(queue, false);
    } while (turn != EDS_QUEUE_END);
    return (void *)number;
}

static void *help(void *context)
{
    struct eds_queue *queue = context;
    struct eds_submission *claimed[8];
    size_t count;

    while ((count = eds_queue_claim_overdue(queue, claimed, 8)) > 0)
        eds_queue_checked(queue, claimed, count);
    return NULL;
}

/* Passes many through a queue of that size, in order. */
static void pass(size_t max, bool with_helper)
{
    struct eds_submission *passed = calloc(PASSED_COUNT, sizeof *passed);
    struct eds_queue queue;
    pthread_t taker, helper;
    void *count;

    assert_non_null(passed);
    assert_true(eds_queue_init(&queue, max));
    assert_int_equal(pthread_create(&taker, NULL, pass_on, &queue), 0);
    if (with_helper)
        assert_int_equal(pthread_create(&helper, NULL, help, &queue), 0);
    for (uintptr_t i = 0; i < PASSED_COUNT; i++) {
        passed[i].context = (void *)(i + 1);
        while (!eds_queue_push(&queue, &passed[i])) {
            if (eds_queue_enter(&queue))
                eds_queue_leave(&queue, i % 2 == 0);
            sched_yield();
        }
    }
    eds_queue_close(&queue);
    assert_int_equal(pthread_join(taker, &count), 0);
    if (with_helper)
        assert_int_equal(pthread_join(helper, NULL), 0);
    assert_int_equal((uintptr_t)count, PASSED_COUNT);
    eds_queue_free(&queue);
    free(passed);
}

/* A lost wake-up would stop these for ever. */
static void test_no_wake_up_is_lost(void **state)
{
    (void)state;
    pass(2, false);
    pass(CROWD, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_bound),  cmocka_unit_test(test_several_at_once),
        cmocka_unit_test(test_payload_bytes),    cmocka_unit_test(test_deadline_and_close),
        cmocka_unit_test(test_order_of_checks),  cmocka_unit_test(test_comes_checked),
        cmocka_unit_test(test_one_has_the_turn), cmocka_unit_test(test_no_wake_up_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

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

static size_t take(struct eds_queue *queue, struct eds_submission **out, size_t max,
                   size_t size_max)
{
    bool closed;

    return eds_queue_take(queue, out, max, size_max, eds_queue_now_ns(), &closed);
}

static void test_order_and_bound(void **state)
{
    struct eds_submission *out[MAX];
    struct eds_queue queue;

    (void)state;
    assert_true(eds_queue_init(&queue, MAX));
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < MAX; i++)
            assert_true(eds_queue_push(&queue, &submissions[i]));
        assert_false(eds_queue_push(&queue, &submissions[MAX]));
        assert_int_equal(eds_queue_count(&queue), MAX);
        assert_int_equal(take(&queue, out, 3, SIZE_MAX), 3);
        assert_true(eds_queue_push(&queue, &submissions[MAX]));
        for (unsigned i = 0; i < 3; i++)
            assert_ptr_equal(out[i], &submissions[i]);
        assert_int_equal(take(&queue, out, MAX, SIZE_MAX), MAX - 2);
        for (unsigned i = 0; i < MAX - 2; i++)
            assert_ptr_equal(out[i], &submissions[i + 3]);
        assert_int_equal(eds_queue_count(&queue), 0);
    }
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
        assert_true(eds_queue_push(&queue, &submissions[i]));
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
    bool closed = true;

    (void)state;
    assert_true(eds_queue_init(&queue, MAX));
    assert_int_equal(eds_queue_take(&queue, out, MAX, SIZE_MAX, deadline, &closed), 0);
    assert_false(closed);
    assert_true(eds_queue_now_ns() >= deadline);
    assert_true(eds_queue_push(&queue, &submissions[0]));
    eds_queue_close(&queue);
    assert_false(eds_queue_push(&queue, &submissions[1]));
    assert_int_equal(eds_queue_take(&queue, out, MAX, SIZE_MAX, 0, &closed), 1);
    assert_false(closed); /* there was something: the next call tells */
    assert_int_equal(eds_queue_take(&queue, out, MAX, SIZE_MAX, 0, &closed), 0);
    assert_true(closed);
    eds_queue_free(&queue);
}

#define PASSED_COUNT 20000u

static void *pass_on(void *context)
{
    struct eds_queue *queue = context;
    struct eds_submission *batch[3];
    uintptr_t count = 0;
    bool closed = false;

    while (!closed) {
        size_t taken = eds_queue_take(queue, batch, 3, SIZE_MAX, 0, &closed);

        for (size_t i = 0; i < taken; i++)
            if (batch[i]->context != (void *)++count)
                abort();
    }
    return (void *)count;
}

/* One pushes, one takes, through a queue of two: a lost wake-up would stop it
 * for ever. */
static void test_no_wake_up_is_lost(void **state)
{
    struct eds_submission *passed = calloc(PASSED_COUNT, sizeof *passed);
    struct eds_queue queue;
    pthread_t taker;
    void *count;

    (void)state;
    assert_non_null(passed);
    assert_true(eds_queue_init(&queue, 2));
    assert_int_equal(pthread_create(&taker, NULL, pass_on, &queue), 0);
    for (uintptr_t i = 0; i < PASSED_COUNT; i++) {
        passed[i].context = (void *)(i + 1);
        while (!eds_queue_push(&queue, &passed[i]))
            sched_yield();
    }
    eds_queue_close(&queue);
    assert_int_equal(pthread_join(taker, &count), 0);
    assert_int_equal((uintptr_t)count, PASSED_COUNT);
    eds_queue_free(&queue);
    free(passed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_bound),
        cmocka_unit_test(test_payload_bytes),
        cmocka_unit_test(test_deadline_and_close),
        cmocka_unit_test(test_no_wake_up_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* queue.c - see queue.h. */
#include "ingest/queue.h"

#include <errno.h>
#include <time.h>

#define NS_PER_S 1000000000u

bool eds_queue_init(struct eds_queue *queue, size_t max)
{
    pthread_condattr_t attributes;
    bool made = false;

    *queue = (struct eds_queue){.max = max};
    if (pthread_condattr_init(&attributes) != 0)
        return false;
    if (pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) != 0 ||
        pthread_cond_init(&queue->filled, &attributes) != 0)
        goto out;
    made = pthread_mutex_init(&queue->lock, NULL) == 0;
    if (!made)
        pthread_cond_destroy(&queue->filled);
out:
    pthread_condattr_destroy(&attributes);
    return made;
}

void eds_queue_free(struct eds_queue *queue)
{
    pthread_mutex_destroy(&queue->lock);
    pthread_cond_destroy(&queue->filled);
}

size_t eds_queue_count(struct eds_queue *queue)
{
    return atomic_load_explicit(&queue->count, memory_order_relaxed);
}

static void set_count(struct eds_queue *queue, size_t count)
{
    atomic_store_explicit(&queue->count, count, memory_order_relaxed);
}

bool eds_queue_push(struct eds_queue *queue, struct eds_submission *submission)
{
    bool room, was_empty;

    submission->next = NULL;
    pthread_mutex_lock(&queue->lock);
    room = !queue->closed && eds_queue_count(queue) < queue->max;
    was_empty = queue->first == NULL;
    if (room) {
        if (was_empty)
            queue->first = submission;
        else
            queue->last->next = submission;
        queue->last = submission;
        set_count(queue, eds_queue_count(queue) + 1);
    }
    pthread_mutex_unlock(&queue->lock);
    /* The one taker can only be asleep if there was nothing. */
    if (room && was_empty)
        pthread_cond_signal(&queue->filled);
    return room;
}

/* Waits until there is something, or there will be nothing. */
static void wait_filled(struct eds_queue *queue, uint64_t deadline_ns)
{
    struct timespec deadline = {(time_t)(deadline_ns / NS_PER_S), (long)(deadline_ns % NS_PER_S)};
    int rc = 0;

    while (queue->first == NULL && !queue->closed && rc != ETIMEDOUT)
        rc = deadline_ns == 0 ? pthread_cond_wait(&queue->filled, &queue->lock)
                              : pthread_cond_timedwait(&queue->filled, &queue->lock, &deadline);
}

size_t eds_queue_take(struct eds_queue *queue, struct eds_submission **out, size_t max,
                      size_t size_max, uint64_t deadline_ns, bool *closed)
{
    size_t count = 0, size = 0;

    pthread_mutex_lock(&queue->lock);
    wait_filled(queue, deadline_ns);
    while (count < max && queue->first != NULL) {
        struct eds_submission *submission = queue->first;

        if (count > 0 && submission->request.payload_size > size_max - size)
            break;
        size = submission->request.payload_size > size_max - size
                   ? size_max
                   : size + submission->request.payload_size;
        queue->first = submission->next;
        out[count++] = submission;
    }
    set_count(queue, eds_queue_count(queue) - count);
    *closed = queue->closed && queue->first == NULL && count == 0;
    pthread_mutex_unlock(&queue->lock);
    return count;
}

void eds_queue_close(struct eds_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_mutex_unlock(&queue->lock);
    pthread_cond_signal(&queue->filled);
}

uint64_t eds_queue_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

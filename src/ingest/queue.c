/* queue.c - see queue.h. */
#include "ingest/queue.h"

#include <errno.h>
#include <time.h>

#define NS_PER_S 1000000000u

bool eds_queue_init(struct eds_queue *queue, size_t max)
{
    pthread_condattr_t attributes;
    unsigned made = 0;

    *queue = (struct eds_queue){.max = max};
    if (pthread_condattr_init(&attributes) != 0)
        return false;
    if (pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
        pthread_cond_init(&queue->filled, &attributes) == 0)
        made++;
    if (made == 1 && pthread_cond_init(&queue->overdue, NULL) == 0)
        made++;
    if (made == 2 && pthread_mutex_init(&queue->lock, NULL) == 0)
        made++;
    if (made < 3 && made >= 2)
        pthread_cond_destroy(&queue->overdue);
    if (made < 3 && made >= 1)
        pthread_cond_destroy(&queue->filled);
    pthread_condattr_destroy(&attributes);
    return made == 3;
}

void eds_queue_free(struct eds_queue *queue)
{
    pthread_mutex_destroy(&queue->lock);
    pthread_cond_destroy(&queue->filled);
    pthread_cond_destroy(&queue->overdue);
}

size_t eds_queue_count(struct eds_queue *queue)
{
    return atomic_load_explicit(&queue->count, memory_order_relaxed);
}

static void set_count(struct eds_queue *queue, size_t count)
{
    atomic_store_explicit(&queue->count, count, memory_order_relaxed);
}

/* Lets the lock go, and wakes the taker if it sleeps and is wanted. */
static void unlock_and_wake(struct eds_queue *queue, bool wanted)
{
    bool wake = wanted && queue->taker_waits;

    if (wake)
        queue->taker_waits = false; /* once is enough */
    pthread_mutex_unlock(&queue->lock);
    if (wake)
        pthread_cond_signal(&queue->filled);
}

/* Whether a helper should be woken, who then counts as awake. */
static bool call_helper(struct eds_queue *queue)
{
    if (queue->helpers_idle == 0 || queue->taker_waits ||
        queue->unclaimed_count < EDS_QUEUE_HELP_MIN)
        return false;
    queue->helpers_idle--;
    return true;
}

static void append(struct eds_queue *queue, struct eds_submission *submission)
{
    submission->next = NULL;
    if (queue->first == NULL)
        queue->first = submission;
    else
        queue->last->next = submission;
    queue->last = submission;
    if (queue->unclaimed != NULL || !submission->is_checked) {
        if (queue->unclaimed == NULL)
            queue->unclaimed = submission;
        queue->unclaimed_count++;
    }
    set_count(queue, eds_queue_count(queue) + 1);
}

size_t eds_queue_push_all(struct eds_queue *queue, struct eds_submission **submissions,
                          size_t count)
{
    size_t pushed = 0;
    bool overdue;

    pthread_mutex_lock(&queue->lock);
    while (pushed < count && !queue->closed && eds_queue_count(queue) < queue->max)
        append(queue, submissions[pushed++]);
    overdue = pushed > 0 && call_helper(queue);
    unlock_and_wake(queue, pushed > 0);
    if (overdue)
        pthread_cond_signal(&queue->overdue);
    return pushed;
}

bool eds_queue_push(struct eds_queue *queue, struct eds_submission *submission)
{
    return eds_queue_push_all(queue, &submission, 1) == 1;
}

/* Past the one that was first; what came checked is nobody's to claim, and may be
 * taken at any time: unclaimed never stops there. */
static void advance_unclaimed(struct eds_queue *queue)
{
    do {
        queue->unclaimed = queue->unclaimed->next;
        queue->unclaimed_count--;
    } while (queue->unclaimed != NULL && queue->unclaimed->is_checked);
}

static size_t claim(struct eds_queue *queue, struct eds_submission **out, size_t max)
{
    size_t count = 0;

    while (count < max && queue->unclaimed != NULL) {
        out[count++] = queue->unclaimed;
        advance_unclaimed(queue);
    }
    return count;
}

size_t eds_queue_claim(struct eds_queue *queue, struct eds_submission **out, size_t max)
{
    size_t count;
    bool overdue;

    pthread_mutex_lock(&queue->lock);
    count = claim(queue, out, max);
    overdue = call_helper(queue); /* for what is left */
    pthread_mutex_unlock(&queue->lock);
    if (overdue)
        pthread_cond_signal(&queue->overdue);
    return count;
}

size_t eds_queue_claim_overdue(struct eds_queue *queue, struct eds_submission **out, size_t max)
{
    size_t count = 0;

    pthread_mutex_lock(&queue->lock);
    while (!queue->closed && count == 0) {
        queue->helpers_idle++;
        pthread_cond_wait(&queue->overdue, &queue->lock);
        if (!queue->closed)
            count = claim(queue, out, max);
    }
    pthread_mutex_unlock(&queue->lock);
    return count;
}

void eds_queue_checked(struct eds_queue *queue, struct eds_submission **submissions, size_t count)
{
    pthread_mutex_lock(&queue->lock);
    for (size_t i = 0; i < count; i++)
        submissions[i]->is_checked = true;
    unlock_and_wake(queue, queue->first != NULL && queue->first->is_checked);
}

/* What there is to do for the taker; false if nothing. */
static bool is_due(const struct eds_queue *queue, bool timed_out, enum eds_queue_turn *turn)
{
    bool has_checked = queue->first != NULL && queue->first->is_checked;
    bool over = queue->closed && queue->first == NULL;

    *turn = EDS_QUEUE_CHECK;
    if (queue->in_turn || !(has_checked || over || timed_out || queue->nudged))
        return queue->unclaimed != NULL;
    if (!has_checked && queue->unclaimed != NULL)
        return true;
    *turn = over ? EDS_QUEUE_END : EDS_QUEUE_COMMIT;
    return true;
}

/* Waits for a signal or the deadline; true at the deadline. */
static bool wait_filled(struct eds_queue *queue, uint64_t deadline_ns)
{
    struct timespec deadline = {(time_t)(deadline_ns / NS_PER_S), (long)(deadline_ns % NS_PER_S)};
    int rc;

    queue->taker_waits = true;
    rc = deadline_ns == 0 ? pthread_cond_wait(&queue->filled, &queue->lock)
                          : pthread_cond_timedwait(&queue->filled, &queue->lock, &deadline);
    queue->taker_waits = false;
    return rc == ETIMEDOUT;
}

static size_t take(struct eds_queue *queue, struct eds_submission **out, size_t max,
                   size_t size_max)
{
    size_t count = 0, size = 0;

    while (count < max && queue->first != NULL && queue->first->is_checked) {
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
    return count;
}

enum eds_queue_turn eds_queue_take(struct eds_queue *queue, struct eds_submission **out,
                                   size_t *count, size_t max, size_t size_max, uint64_t deadline_ns)
{
    enum eds_queue_turn turn;
    bool timed_out = false;

    *count = 0;
    pthread_mutex_lock(&queue->lock);
    while (!is_due(queue, timed_out, &turn))
        timed_out = wait_filled(queue, timed_out ? 0 : deadline_ns) || timed_out;
    if (turn != EDS_QUEUE_CHECK) {
        *count = take(queue, out, max, size_max);
        queue->in_turn = true;
        queue->nudged = false;
    }
    pthread_mutex_unlock(&queue->lock);
    return turn;
}

bool eds_queue_enter(struct eds_queue *queue)
{
    bool entered;

    pthread_mutex_lock(&queue->lock);
    entered = !queue->closed && !queue->in_turn && queue->first == NULL;
    if (entered)
        queue->in_turn = true;
    pthread_mutex_unlock(&queue->lock);
    return entered;
}

void eds_queue_leave(struct eds_queue *queue, bool nudge)
{
    pthread_mutex_lock(&queue->lock);
    queue->in_turn = false;
    queue->nudged = queue->nudged || nudge;
    unlock_and_wake(queue, queue->nudged || queue->closed || queue->first != NULL);
}

void eds_queue_close(struct eds_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_mutex_unlock(&queue->lock);
    pthread_cond_signal(&queue->filled);
    pthread_cond_broadcast(&queue->overdue);
}

uint64_t eds_queue_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

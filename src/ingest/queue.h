/* queue.h - submissions on their way from many threads to the committer.
 *
 * Bounded, first in first out, linked through the submissions themselves: no
 * memory of its own.  Any thread pushes, one takes. */
#ifndef EDS_INGEST_QUEUE_H
#define EDS_INGEST_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>

#include "ingest/ingest.h"

struct eds_queue {
    pthread_mutex_t lock;
    pthread_cond_t filled; /* or closed */
    struct eds_submission *first, *last;
    size_t max;
    bool closed;
    atomic_size_t count; /* written under the lock, read anywhere */
};

/* eds_queue_init makes an empty queue for max submissions; false if the system
 * has no lock to give. */
bool eds_queue_init(struct eds_queue *queue, size_t max);
void eds_queue_free(struct eds_queue *queue);

/* eds_queue_count tells how many wait; a moment later it may be otherwise. */
size_t eds_queue_count(struct eds_queue *queue);

/* eds_queue_push appends a submission; false if the queue is full or closed.
 * After true the submission may be answered at any moment: hands off. */
bool eds_queue_push(struct eds_queue *queue, struct eds_submission *submission);

/* eds_queue_take waits until there is something to take, and moves it to out:
 * at most max submissions with at most size_max bytes of payload together (but
 * one in any case).
 *
 *   deadline_ns  of eds_queue_now_ns: give up then; 0: never
 *
 * Returns how many; 0 at the deadline, or with *closed when the queue is
 * closed and nothing will come any more. */
size_t eds_queue_take(struct eds_queue *queue, struct eds_submission **out, size_t max,
                      size_t size_max, uint64_t deadline_ns, bool *closed);

/* eds_queue_close lets nothing in any more; what waits can still be taken. */
void eds_queue_close(struct eds_queue *queue);

/* eds_queue_now_ns reads the clock of deadlines, which never jumps. */
uint64_t eds_queue_now_ns(void);

#endif

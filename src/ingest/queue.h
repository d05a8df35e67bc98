/* queue.h - submissions on their way from many threads to the committer.
 *
 * Bounded, first in first out, linked through the submissions themselves: no
 * memory of its own.  Any thread pushes.  What waits is checked in any order,
 * several at a time, by whoever claims it; one at a time takes what is checked,
 * in the order of arrival, and has its turn until it leaves. */
#ifndef EDS_INGEST_QUEUE_H
#define EDS_INGEST_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>

#include "ingest/ingest.h"

/* A helper is called when so many wait to be checked and the taker is busy. */
#define EDS_QUEUE_HELP_MIN 32u

struct eds_queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;  /* for the taker: something to do, or the end */
    pthread_cond_t overdue; /* for helpers: much to be checked, or the end */
    struct eds_submission *first, *last;
    struct eds_submission *unclaimed; /* the first that nobody has claimed */
    size_t unclaimed_count;
    size_t max;
    bool closed;
    bool in_turn; /* somebody has taken, or entered, and not yet left */
    bool nudged;  /* the taker has to look at its deadline again */
    bool taker_waits;
    unsigned helpers_idle;
    atomic_size_t count; /* written under the lock, read anywhere */
};

/* What the taker has to do next. */
enum eds_queue_turn {
    EDS_QUEUE_CHECK,  /* claim first: some are not checked yet */
    EDS_QUEUE_COMMIT, /* its turn, with none at the deadline; leave afterwards */
    EDS_QUEUE_END,    /* its turn, and nothing will come any more */
};

/* eds_queue_init makes an empty queue for max submissions; false if the system
 * has no lock to give. */
bool eds_queue_init(struct eds_queue *queue, size_t max);
void eds_queue_free(struct eds_queue *queue);

/* eds_queue_count tells how many wait; a moment later it may be otherwise. */
size_t eds_queue_count(struct eds_queue *queue);

/* eds_queue_push appends a submission, whose is_checked says whether there is
 * nothing left to be checked; false if the queue is full or closed.
 * After true the submission may be answered at any moment: hands off. */
bool eds_queue_push(struct eds_queue *queue, struct eds_submission *submission);

/* eds_queue_push_all does the same with several at once, and wakes the taker once; as
 * many as there is room for: returns how many that are. */
size_t eds_queue_push_all(struct eds_queue *queue, struct eds_submission **submissions,
                          size_t count);

/* eds_queue_claim gives up to max submissions to be checked, oldest first, and
 * does not wait; they stay in the queue until they are taken.
 * eds_queue_claim_overdue, for helpers, waits until it is worth it, and returns 0
 * when the queue is closed.  eds_queue_checked says that they are checked. */
size_t eds_queue_claim(struct eds_queue *queue, struct eds_submission **out, size_t max);
size_t eds_queue_claim_overdue(struct eds_queue *queue, struct eds_submission **out, size_t max);
void eds_queue_checked(struct eds_queue *queue, struct eds_submission **submissions, size_t count);

/* eds_queue_take waits for something to do.  For EDS_QUEUE_COMMIT it moves to out
 * what is checked, in the order of arrival: at most max submissions with at
 * most size_max bytes of payload together (but one in any case).
 *
 *   deadline_ns  of eds_queue_now_ns: give up then; 0: never */
enum eds_queue_turn eds_queue_take(struct eds_queue *queue, struct eds_submission **out,
                                   size_t *count, size_t max, size_t size_max,
                                   uint64_t deadline_ns);

/* eds_queue_enter gets the turn without taking anything: only if nothing waits
 * and nobody has it. */
bool eds_queue_enter(struct eds_queue *queue);

/* eds_queue_leave ends the turn.
 *
 *   nudge  there may be another deadline now: the taker has to compute it anew */
void eds_queue_leave(struct eds_queue *queue, bool nudge);

/* eds_queue_close lets nothing in any more; what waits can still be taken. */
void eds_queue_close(struct eds_queue *queue);

/* eds_queue_now_ns reads the clock of deadlines, which never jumps. */
uint64_t eds_queue_now_ns(void);

#endif

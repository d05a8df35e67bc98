/* latch.h - one thread waits for one thing that another one says has happened.
 *
 * A latch is set once and waited for once, in either order, and is over then: it lives on the
 * stack of whoever waits, and what is to set it gets its address.  All that was written before
 * the latch was set can be read after the wait.  For systems with threads. */
#ifndef EDS_BASE_LATCH_H
#define EDS_BASE_LATCH_H

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>

struct eds_latch {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_set;
};

#define EDS_LATCH_INITIAL                                                                          \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false                                 \
    }

/* eds_latch_set ends the wait, now or later.  The latch may be gone when this returns. */
static inline void eds_latch_set(struct eds_latch *latch)
{
    pthread_mutex_lock(&latch->lock);
    assert(!latch->is_set);
    latch->is_set = true;
    /* Signalled under the lock: once it is given back, the latch is whoever waits'. */
    pthread_cond_signal(&latch->changed);
    pthread_mutex_unlock(&latch->lock);
}

/* eds_latch_wait returns when the latch is set, and ends it. */
static inline void eds_latch_wait(struct eds_latch *latch)
{
    pthread_mutex_lock(&latch->lock);
    while (!latch->is_set)
        pthread_cond_wait(&latch->changed, &latch->lock);
    pthread_mutex_unlock(&latch->lock);
    pthread_mutex_destroy(&latch->lock);
    pthread_cond_destroy(&latch->changed);
}

#endif

/* lock.h - one thread at a time; nothing at all in a build for a system without
 * threads (EDS_WITHOUT_OS), where one caller is all there is. */
#ifndef EDS_BASE_LOCK_H
#define EDS_BASE_LOCK_H

#if defined(EDS_WITHOUT_OS)

struct eds_lock {
    char unused;
};

static inline void eds_lock_init(struct eds_lock *lock)
{
    lock->unused = 0;
}

static inline void eds_lock_destroy(struct eds_lock *lock)
{
    (void)lock;
}

static inline void eds_lock_take(struct eds_lock *lock)
{
    (void)lock;
}

static inline void eds_lock_give(struct eds_lock *lock)
{
    (void)lock;
}

#else

#include <pthread.h>

struct eds_lock {
    pthread_mutex_t mutex;
};

static inline void eds_lock_init(struct eds_lock *lock)
{
    pthread_mutex_init(&lock->mutex, NULL);
}

static inline void eds_lock_destroy(struct eds_lock *lock)
{
    pthread_mutex_destroy(&lock->mutex);
}

static inline void eds_lock_take(struct eds_lock *lock)
{
    pthread_mutex_lock(&lock->mutex);
}

static inline void eds_lock_give(struct eds_lock *lock)
{
    pthread_mutex_unlock(&lock->mutex);
}

#endif
#endif

/* objects_workers.c - see objects_workers.h. */
#include "store/objects_workers.h"

#include <string.h>

/* The next put, or NULL when there will be none. */
static struct eds_object_put *take(struct eds_objects_workers *workers)
{
    struct eds_object_put *put;

    pthread_mutex_lock(&workers->lock);
    while (workers->first == NULL && !workers->stopping)
        pthread_cond_wait(&workers->filled, &workers->lock);
    put = workers->first;
    if (put != NULL)
        workers->first = put->next;
    pthread_mutex_unlock(&workers->lock);
    return put;
}

static void *work(void *context)
{
    struct eds_objects_workers *workers = context;
    struct eds_object_put *put;

    while ((put = take(workers)) != NULL) {
        put->rc = workers->store(workers->context, put, &put->err);
        put->done(put); /* from here on it is not ours */
    }
    return NULL;
}

int32_t eds_objects_workers_start(struct eds_objects_workers *workers, struct eds_error *err)
{
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->filled, NULL);
    workers->first = NULL;
    workers->stopping = false;
    for (workers->thread_count = 0; workers->thread_count < EDS_OBJECTS_WORKERS;
         workers->thread_count++) {
        int code = pthread_create(&workers->threads[workers->thread_count], NULL, work, workers);

        if (code != 0)
            return eds_error_set(err, EDS_ERR_IO, "cannot start a thread for payloads: %s",
                                 strerror(code));
    }
    return EDS_OK;
}

void eds_objects_workers_stop(struct eds_objects_workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    workers->stopping = true;
    pthread_cond_broadcast(&workers->filled);
    pthread_mutex_unlock(&workers->lock);
    for (unsigned i = 0; i < workers->thread_count; i++)
        pthread_join(workers->threads[i], NULL);
    pthread_cond_destroy(&workers->filled);
    pthread_mutex_destroy(&workers->lock);
}

void eds_objects_workers_give(struct eds_objects_workers *workers, struct eds_object_put *put)
{
    put->next = NULL;
    pthread_mutex_lock(&workers->lock);
    if (workers->first == NULL)
        workers->first = put;
    else
        workers->last->next = put;
    workers->last = put;
    pthread_cond_signal(&workers->filled);
    pthread_mutex_unlock(&workers->lock);
}

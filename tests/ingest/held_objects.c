/* held_objects.c - see held_objects.h. */
#include "ingest/held_objects.h"

#include <stdlib.h>

static void hold(struct eds_objects *base, struct eds_object_put *put)
{
    struct held_objects *objects = (struct held_objects *)base;

    pthread_mutex_lock(&objects->lock);
    if (objects->count == HELD_MAX)
        abort();
    objects->held[objects->count++] = put;
    pthread_cond_broadcast(&objects->arrived);
    pthread_mutex_unlock(&objects->lock);
}

void held_make(struct held_objects *objects, bool by_hash)
{
    static const struct eds_objects_ops ops = {.name = "held", .put = hold};

    *objects = (struct held_objects){.base = {.ops = &ops, .by_hash = by_hash},
                                     .lock = PTHREAD_MUTEX_INITIALIZER,
                                     .arrived = PTHREAD_COND_INITIALIZER};
}

void held_free(struct held_objects *objects)
{
    pthread_cond_destroy(&objects->arrived);
    pthread_mutex_destroy(&objects->lock);
}

size_t held_count(struct held_objects *objects)
{
    size_t count;

    pthread_mutex_lock(&objects->lock);
    count = objects->count;
    pthread_mutex_unlock(&objects->lock);
    return count;
}

void held_answer(struct held_objects *objects, size_t n, int32_t rc)
{
    struct eds_object_put *put;

    pthread_mutex_lock(&objects->lock);
    while (objects->count <= n)
        pthread_cond_wait(&objects->arrived, &objects->lock);
    put = objects->held[n];
    objects->held[n] = NULL;
    pthread_mutex_unlock(&objects->lock);
    if (put == NULL)
        abort(); /* answered before */
    put->rc = rc == EDS_OK ? rc : eds_error_set(&put->err, rc, "as the test wants it");
    put->done(put);
}

/* fetcher.c - see fetcher.h. */
#include "evidence/fetcher.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Somebody who waits for all of his. */
struct eds_fetch_group {
    size_t left;
    pthread_cond_t answered;
};

struct eds_fetcher {
    struct eds_objects *objects;
    pthread_t threads[EDS_FETCHES_MAX];
    unsigned thread_count;

    pthread_mutex_t lock; /* over all that follows, and the groups */
    pthread_cond_t asked;
    struct eds_fetch *first, **end; /* in the order in which they were asked for */
    bool is_over;
};

static void fetch(struct eds_objects *objects, struct eds_fetch *it)
{
    struct eds_object_name name = {.object_ref = (const char *)it->record->object_ref};
    void *payload = NULL;

    memcpy(name.payload_hash, it->record->payload_hash, sizeof name.payload_hash);
    it->payload = NULL;
    it->size = 0;
    it->rc = objects->ops->get(objects, &name, &payload, &it->size, &it->err);
    if (it->rc != EDS_OK)
        return;
    eds_blake3(it->hash, payload, it->size);
    if (it->keep)
        it->payload = payload;
    else
        free(payload);
}

static void *run(void *context)
{
    struct eds_fetcher *fetcher = context;

    pthread_mutex_lock(&fetcher->lock);
    for (;;) {
        struct eds_fetch *it = fetcher->first;

        if (it == NULL && fetcher->is_over)
            break;
        if (it == NULL) {
            pthread_cond_wait(&fetcher->asked, &fetcher->lock);
            continue;
        }
        fetcher->first = it->next;
        if (fetcher->first == NULL)
            fetcher->end = &fetcher->first;
        pthread_mutex_unlock(&fetcher->lock);
        fetch(fetcher->objects, it);
        pthread_mutex_lock(&fetcher->lock);
        if (--it->group->left == 0) /* under the lock: afterwards the group may be gone */
            pthread_cond_signal(&it->group->answered);
    }
    pthread_mutex_unlock(&fetcher->lock);
    return NULL;
}

struct eds_fetcher *eds_fetcher_create(struct eds_objects *objects)
{
    struct eds_fetcher *fetcher = calloc(1, sizeof *fetcher);

    if (fetcher == NULL)
        return NULL;
    fetcher->objects = objects;
    fetcher->end = &fetcher->first;
    pthread_mutex_init(&fetcher->lock, NULL);
    pthread_cond_init(&fetcher->asked, NULL);
    while (fetcher->thread_count < EDS_FETCHES_MAX &&
           pthread_create(&fetcher->threads[fetcher->thread_count], NULL, run, fetcher) == 0)
        fetcher->thread_count++;
    if (fetcher->thread_count > 0)
        return fetcher;
    eds_fetcher_destroy(fetcher);
    return NULL;
}

void eds_fetcher_destroy(struct eds_fetcher *fetcher)
{
    if (fetcher == NULL)
        return;
    pthread_mutex_lock(&fetcher->lock);
    fetcher->is_over = true;
    pthread_cond_broadcast(&fetcher->asked);
    pthread_mutex_unlock(&fetcher->lock);
    for (unsigned i = 0; i < fetcher->thread_count; i++)
        pthread_join(fetcher->threads[i], NULL);
    pthread_cond_destroy(&fetcher->asked);
    pthread_mutex_destroy(&fetcher->lock);
    free(fetcher);
}

void eds_fetcher_run(struct eds_fetcher *fetcher, struct eds_fetch *fetches, size_t count)
{
    struct eds_fetch_group group = {count, PTHREAD_COND_INITIALIZER};

    pthread_mutex_lock(&fetcher->lock);
    for (size_t i = 0; i < count; i++) {
        fetches[i].group = &group;
        fetches[i].next = NULL;
        *fetcher->end = &fetches[i];
        fetcher->end = &fetches[i].next;
    }
    pthread_cond_broadcast(&fetcher->asked);
    while (group.left > 0)
        pthread_cond_wait(&group.answered, &fetcher->lock);
    pthread_mutex_unlock(&fetcher->lock);
    pthread_cond_destroy(&group.answered);
}

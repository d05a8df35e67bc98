/* fetcher.c - see fetcher.h.
 *
 * Nobody knows how large a payload is before it was read.  So one is read first, then
 * two and so on, and the largest that was seen tells how many more may be under way. */
#include "evidence/fetcher.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct eds_fetcher {
    struct eds_objects *objects;
    pthread_t threads[EDS_FETCHES_MAX];
    unsigned thread_count;

    pthread_mutex_t lock; /* over all that follows, and what is done */
    pthread_cond_t asked, answered;
    struct eds_fetch *first, **end; /* in the order in which they were asked for */
    unsigned under_way, most;       /* of which at most so many, for now */
    size_t held;                    /* bytes that were kept and not released */
    size_t largest;                 /* bytes, of all so far */
    bool is_over;
};

static void fetch(struct eds_objects *objects, struct eds_fetch *it)
{
    struct eds_object_name name = {.object_ref = (const char *)it->record->object_ref};
    void *payload = NULL;

    memcpy(name.payload_hash, it->record->payload_hash, sizeof name.payload_hash);
    it->payload = NULL;
    it->size = 0;
    it->rc = eds_objects_get(objects, &name, &payload, &it->size, &it->err);
    if (it->rc != EDS_OK)
        return;
    eds_blake3(it->hash, payload, it->size);
    if (it->keep)
        it->payload = payload;
    else
        free(payload);
}

/* Whether one more may be read.  The oldest always may, or nobody would go on. */
static bool has_room(const struct eds_fetcher *fetcher)
{
    if (fetcher->under_way == 0 && fetcher->held == 0)
        return true;
    return fetcher->under_way < fetcher->most &&
           fetcher->held + (fetcher->under_way + 1) * fetcher->largest <= EDS_FETCHES_ROOM;
}

/* With the lock. */
static void take_answer(struct eds_fetcher *fetcher, struct eds_fetch *it)
{
    fetcher->under_way--;
    if (fetcher->most < EDS_FETCHES_MAX)
        fetcher->most *= 2;
    if (it->size > fetcher->largest)
        fetcher->largest = it->size;
    if (it->payload != NULL)
        fetcher->held += it->size;
    it->is_done = true; /* afterwards it may be gone, once the lock is let go */
    pthread_cond_broadcast(&fetcher->answered);
    pthread_cond_broadcast(&fetcher->asked); /* there may be room now */
}

static void *run(void *context)
{
    struct eds_fetcher *fetcher = context;

    pthread_mutex_lock(&fetcher->lock);
    for (;;) {
        struct eds_fetch *it = fetcher->first;

        if (it == NULL && fetcher->is_over)
            break;
        if (it == NULL || !has_room(fetcher)) {
            pthread_cond_wait(&fetcher->asked, &fetcher->lock);
            continue;
        }
        fetcher->first = it->next;
        if (fetcher->first == NULL)
            fetcher->end = &fetcher->first;
        fetcher->under_way++;
        pthread_mutex_unlock(&fetcher->lock);
        fetch(fetcher->objects, it);
        pthread_mutex_lock(&fetcher->lock);
        take_answer(fetcher, it);
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
    fetcher->most = 1;
    pthread_mutex_init(&fetcher->lock, NULL);
    pthread_cond_init(&fetcher->asked, NULL);
    pthread_cond_init(&fetcher->answered, NULL);
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
    pthread_cond_destroy(&fetcher->answered);
    pthread_mutex_destroy(&fetcher->lock);
    free(fetcher);
}

void eds_fetcher_ask(struct eds_fetcher *fetcher, struct eds_fetch *it)
{
    it->next = NULL;
    it->is_done = false;
    pthread_mutex_lock(&fetcher->lock);
    *fetcher->end = it;
    fetcher->end = &it->next;
    pthread_cond_signal(&fetcher->asked);
    pthread_mutex_unlock(&fetcher->lock);
}

void eds_fetcher_wait(struct eds_fetcher *fetcher, const struct eds_fetch *it)
{
    pthread_mutex_lock(&fetcher->lock);
    while (!it->is_done)
        pthread_cond_wait(&fetcher->answered, &fetcher->lock);
    pthread_mutex_unlock(&fetcher->lock);
}

void eds_fetcher_release(struct eds_fetcher *fetcher, struct eds_fetch *it)
{
    if (it->payload == NULL)
        return;
    free(it->payload);
    it->payload = NULL;
    pthread_mutex_lock(&fetcher->lock);
    fetcher->held -= it->size;
    pthread_cond_broadcast(&fetcher->asked);
    pthread_mutex_unlock(&fetcher->lock);
}

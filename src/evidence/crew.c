/* crew.c - see crew.h.
 *
 * Three numbers go round the ring: pieces filled, taken to be worked on, and taken
 * back.  The lock covers them and whether a piece is done. */
#include "evidence/crew.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

struct slot {
    void *piece;
    bool is_done;
};

struct eds_crew {
    struct eds_crew_plan plan;
    void *desk; /* the caller's */
    pthread_t threads[EDS_CREW_THREADS_MAX];
    unsigned thread_count; /* started */

    pthread_mutex_t lock; /* over all that follows */
    pthread_cond_t changed;
    uint64_t filled, begun, returned; /* numbers of the next slots to be ... */
    bool is_over;
    unsigned slot_count;
    struct slot slots[];
};

static struct slot *slot_at(struct eds_crew *crew, uint64_t number)
{
    return &crew->slots[number % crew->slot_count];
}

/* Works on the next piece; false if there is none.  With the lock, which is let go
 * meanwhile. */
static bool work(struct eds_crew *crew, void *desk)
{
    struct slot *slot = slot_at(crew, crew->begun);

    if (crew->is_over || crew->begun == crew->filled)
        return false;
    crew->begun++;
    pthread_mutex_unlock(&crew->lock);
    crew->plan.work(crew->plan.context, desk, slot->piece);
    pthread_mutex_lock(&crew->lock);
    slot->is_done = true;
    pthread_cond_broadcast(&crew->changed);
    return true;
}

static void *run(void *context)
{
    struct eds_crew *crew = context;
    void *desk = crew->plan.desk_create(crew->plan.context);

    if (desk == NULL)
        return NULL; /* the others do it */
    pthread_mutex_lock(&crew->lock);
    while (!crew->is_over)
        if (!work(crew, desk))
            pthread_cond_wait(&crew->changed, &crew->lock);
    pthread_mutex_unlock(&crew->lock);
    crew->plan.desk_destroy(desk);
    return NULL;
}

unsigned eds_crew_thread_count(unsigned wanted)
{
    long cores = wanted == 0 ? sysconf(_SC_NPROCESSORS_ONLN) : (long)wanted;

    if (cores < 1)
        return 1;
    return cores > (long)EDS_CREW_THREADS_MAX ? EDS_CREW_THREADS_MAX : (unsigned)cores;
}

static void free_all(struct eds_crew *crew)
{
    for (unsigned i = 0; i < crew->slot_count; i++) {
        if (crew->slots[i].piece != NULL && crew->plan.piece_free != NULL)
            crew->plan.piece_free(crew->slots[i].piece);
        free(crew->slots[i].piece);
    }
    if (crew->desk != NULL)
        crew->plan.desk_destroy(crew->desk);
    free(crew);
}

struct eds_crew *eds_crew_start(const struct eds_crew_plan *plan)
{
    /* For each thread one at work and one waiting, and one on either side. */
    unsigned wanted = eds_crew_thread_count(plan->thread_count), slot_count = 2 * wanted + 2;
    struct eds_crew *crew = calloc(1, sizeof *crew + slot_count * sizeof crew->slots[0]);
    bool is_whole;

    if (crew == NULL)
        return NULL;
    crew->plan = *plan;
    crew->slot_count = slot_count;
    crew->desk = plan->desk_create(plan->context);
    is_whole = crew->desk != NULL;
    for (unsigned i = 0; i < slot_count; i++) {
        crew->slots[i].piece = calloc(1, plan->piece_size);
        is_whole = is_whole && crew->slots[i].piece != NULL;
    }
    if (!is_whole) {
        free_all(crew);
        return NULL;
    }
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->changed, NULL);
    while (crew->thread_count < wanted - 1 &&
           pthread_create(&crew->threads[crew->thread_count], NULL, run, crew) == 0)
        crew->thread_count++;
    return crew;
}

void *eds_crew_next(struct eds_crew *crew)
{
    /* Only this thread moves the two. */
    return crew->filled - crew->returned < crew->slot_count ? slot_at(crew, crew->filled)->piece
                                                            : NULL;
}

void eds_crew_add(struct eds_crew *crew)
{
    assert(crew->filled - crew->returned < crew->slot_count);
    pthread_mutex_lock(&crew->lock);
    slot_at(crew, crew->filled)->is_done = false;
    crew->filled++;
    pthread_cond_signal(&crew->changed);
    pthread_mutex_unlock(&crew->lock);
}

void *eds_crew_take(struct eds_crew *crew)
{
    struct slot *slot = slot_at(crew, crew->returned);

    pthread_mutex_lock(&crew->lock);
    if (crew->returned == crew->filled) {
        pthread_mutex_unlock(&crew->lock);
        return NULL;
    }
    while (!slot->is_done)
        if (!work(crew, crew->desk))
            pthread_cond_wait(&crew->changed, &crew->lock);
    crew->returned++;
    pthread_mutex_unlock(&crew->lock);
    return slot->piece;
}

void eds_crew_end(struct eds_crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    crew->is_over = true;
    pthread_cond_broadcast(&crew->changed);
    pthread_mutex_unlock(&crew->lock);
    for (unsigned i = 0; i < crew->thread_count; i++)
        pthread_join(crew->threads[i], NULL);
    pthread_cond_destroy(&crew->changed);
    pthread_mutex_destroy(&crew->lock);
    free_all(crew);
}

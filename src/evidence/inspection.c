/* inspection.c - see inspection.h.
 *
 * A batch is filled by the caller's thread, queued, taken by whoever is free,
 * and free again.  The lock covers the lists of batches and the finding; a batch
 * itself belongs to one thread at a time. */
#include "evidence/inspection.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "evidence/vouching.h"

#define BATCH_ITEMS_MAX   EDS_VOUCHING_BATCH_MAX
#define BATCH_PAYLOAD_MAX (1024u * 1024u) /* bytes; a batch with more is handed on */

struct batch {
    uint64_t first; /* index of items[0] */
    unsigned count;
    size_t payload_size;                 /* bytes of all payloads */
    const struct eds_vouching *vouching; /* NULL: the batch came too early, or is small */
    struct batch *next;                  /* in its list */
    struct eds_inspection_item items[BATCH_ITEMS_MAX];
};

struct eds_inspection {
    const struct eds_chain_rules *rules;
    struct eds_vouching *vouching; /* made when the first batch is full; may be NULL */
    bool vouching_tried;
    struct eds_vouching_desk *desk; /* the caller's */
    struct batch *filling;          /* the caller's; NULL: none yet */
    uint64_t index;                 /* of the next item */
    pthread_t threads[EDS_INSPECTION_THREADS_MAX];
    unsigned thread_count; /* started */

    pthread_mutex_t lock;  /* over all that follows */
    pthread_cond_t queued; /* a batch is, or nothing will be any more */
    struct batch *free;
    struct batch *queue, **queue_end; /* in order: the first fault is found first */
    bool closed;                      /* nothing will be queued any more */
    struct eds_chain_finding finding; /* fault is EDS_CHAIN_GOOD: none yet */

    struct batch batches[]; /* for each thread one at work and one waiting, and one to fill */
};

static int32_t inspect_item(const struct eds_chain_rules *rules,
                            const struct eds_inspection_item *item, bool vouched,
                            struct eds_chain_finding *finding)
{
    if (vouched)
        return eds_chain_inspect_vouched(rules, &item->entry, item->payload, item->payload_size,
                                         finding);
    return eds_chain_inspect(rules, &item->entry, item->record_hash, item->payload,
                             item->payload_size, finding);
}

/* Inspects up to the first fault, if it is still of interest, and frees all
 * payloads. */
static void inspect(const struct eds_inspection *inspection, struct eds_vouching_desk *desk,
                    struct batch *batch, bool moot, struct eds_chain_finding *finding)
{
    bool vouched[BATCH_ITEMS_MAX] = {false};

    finding->fault = EDS_CHAIN_GOOD;
    if (!moot && desk != NULL && batch->vouching != NULL)
        eds_vouching_run(batch->vouching, desk, batch->items, batch->count, vouched);
    for (unsigned i = 0; i < batch->count; i++) {
        struct eds_inspection_item *item = &batch->items[i];

        if (!moot && finding->fault == EDS_CHAIN_GOOD &&
            inspect_item(inspection->rules, item, vouched[i], finding) != EDS_OK)
            finding->index = batch->first + i;
        free(item->payload);
    }
}

/* Takes the first batch of the queue and inspects it; false if there is none.
 * Called with the lock held, which is let go meanwhile. */
static bool work(struct eds_inspection *inspection, struct eds_vouching_desk *desk)
{
    struct eds_chain_finding finding;
    struct batch *batch = inspection->queue;
    bool moot;

    if (batch == NULL)
        return false;
    /* Batches are taken in order, so any fault known now is in one before it. */
    moot = inspection->finding.fault != EDS_CHAIN_GOOD;
    inspection->queue = batch->next;
    if (inspection->queue == NULL)
        inspection->queue_end = &inspection->queue;
    pthread_mutex_unlock(&inspection->lock);
    inspect(inspection, desk, batch, moot, &finding);
    pthread_mutex_lock(&inspection->lock);
    if (finding.fault != EDS_CHAIN_GOOD &&
        (inspection->finding.fault == EDS_CHAIN_GOOD || finding.index < inspection->finding.index))
        inspection->finding = finding;
    batch->next = inspection->free;
    inspection->free = batch;
    return true;
}

static void *run(void *context)
{
    struct eds_inspection *inspection = context;
    struct eds_vouching_desk *desk = eds_vouching_desk_create(); /* without one it is slower */

    pthread_mutex_lock(&inspection->lock);
    for (;;) {
        while (work(inspection, desk))
            continue;
        if (inspection->closed)
            break;
        pthread_cond_wait(&inspection->queued, &inspection->lock);
    }
    pthread_mutex_unlock(&inspection->lock);
    eds_vouching_desk_destroy(desk);
    return NULL;
}

static unsigned choose_thread_count(unsigned wanted)
{
    long cores = wanted == 0 ? sysconf(_SC_NPROCESSORS_ONLN) : (long)wanted;

    if (cores < 1)
        return 1;
    return cores > (long)EDS_INSPECTION_THREADS_MAX ? EDS_INSPECTION_THREADS_MAX : (unsigned)cores;
}

struct eds_inspection *eds_inspection_start(const struct eds_chain_rules *rules,
                                            unsigned thread_count, uint64_t first_index)
{
    unsigned wanted = choose_thread_count(thread_count);
    size_t batch_count = 2 * (size_t)wanted + 1;
    struct eds_inspection *inspection =
        calloc(1, sizeof *inspection + batch_count * sizeof inspection->batches[0]);

    if (inspection == NULL)
        return NULL;
    inspection->rules = rules;
    inspection->index = first_index;
    inspection->queue_end = &inspection->queue;
    for (size_t i = 0; i < batch_count; i++) {
        inspection->batches[i].next = inspection->free;
        inspection->free = &inspection->batches[i];
    }
    pthread_mutex_init(&inspection->lock, NULL);
    pthread_cond_init(&inspection->queued, NULL);
    while (inspection->thread_count < wanted - 1 &&
           pthread_create(&inspection->threads[inspection->thread_count], NULL, run, inspection) ==
               0)
        inspection->thread_count++;
    return inspection;
}

/* A short chain is done before tables would be. */
static void prepare_vouching(struct eds_inspection *inspection)
{
    if (inspection->vouching_tried)
        return;
    inspection->vouching_tried = true;
    inspection->vouching = eds_vouching_create(inspection->rules);
    if (inspection->vouching != NULL)
        inspection->desk = eds_vouching_desk_create();
}

/* Puts the batch that was filled at the end of the queue. */
static void hand_on(struct eds_inspection *inspection)
{
    struct batch *batch = inspection->filling;

    if (batch->count == BATCH_ITEMS_MAX)
        prepare_vouching(inspection);
    batch->vouching = inspection->vouching;
    inspection->filling = NULL;
    batch->next = NULL;
    pthread_mutex_lock(&inspection->lock);
    *inspection->queue_end = batch;
    inspection->queue_end = &batch->next;
    pthread_cond_signal(&inspection->queued);
    pthread_mutex_unlock(&inspection->lock);
}

/* Gets a batch to fill, or NULL after a fault.  There are more batches than the
 * other threads can have in hand: where none is free one waits in the queue, and
 * this thread inspects it. */
static struct batch *take_free(struct eds_inspection *inspection)
{
    struct batch *batch = NULL;

    pthread_mutex_lock(&inspection->lock);
    if (inspection->free == NULL)
        (void)work(inspection, inspection->desk);
    assert(inspection->free != NULL);
    if (inspection->finding.fault == EDS_CHAIN_GOOD) {
        batch = inspection->free;
        inspection->free = batch->next;
    }
    pthread_mutex_unlock(&inspection->lock);
    return batch;
}

struct eds_inspection_item *eds_inspection_next(struct eds_inspection *inspection)
{
    struct eds_inspection_item *item;

    if (inspection->filling == NULL) {
        inspection->filling = take_free(inspection);
        if (inspection->filling == NULL)
            return NULL;
        inspection->filling->first = inspection->index;
        inspection->filling->count = 0;
        inspection->filling->payload_size = 0;
    }
    item = &inspection->filling->items[inspection->filling->count];
    item->payload = NULL;
    item->payload_size = 0;
    return item;
}

void eds_inspection_add(struct eds_inspection *inspection)
{
    struct batch *batch = inspection->filling;

    assert(batch != NULL && batch->count < BATCH_ITEMS_MAX);
    batch->payload_size += batch->items[batch->count].payload_size;
    batch->count++;
    inspection->index++;
    if (batch->count == BATCH_ITEMS_MAX || batch->payload_size >= BATCH_PAYLOAD_MAX)
        hand_on(inspection);
}

int32_t eds_inspection_finish(struct eds_inspection *inspection, struct eds_chain_finding *finding)
{
    int32_t rc = EDS_OK;

    if (inspection->filling != NULL)
        hand_on(inspection);
    pthread_mutex_lock(&inspection->lock);
    inspection->closed = true;
    pthread_cond_broadcast(&inspection->queued);
    while (work(inspection, inspection->desk))
        continue;
    pthread_mutex_unlock(&inspection->lock);
    for (unsigned i = 0; i < inspection->thread_count; i++)
        pthread_join(inspection->threads[i], NULL);
    if (inspection->finding.fault != EDS_CHAIN_GOOD) {
        *finding = inspection->finding;
        rc = EDS_ERR_CHAIN_INVALID;
    }
    pthread_cond_destroy(&inspection->queued);
    pthread_mutex_destroy(&inspection->lock);
    eds_vouching_desk_destroy(inspection->desk);
    eds_vouching_destroy(inspection->vouching);
    free(inspection);
    return rc;
}

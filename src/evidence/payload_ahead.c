/* payload_ahead.c - see payload_ahead.h.
 *
 * Batches go round a ring.  One is the thread's while it is filled, and the taker's
 * while it is emptied; the lock covers the two numbers that say which. */
#include "evidence/payload_ahead.h"

#include <pthread.h>
#include <stdlib.h>

#define BATCH_COUNT 3u             /* one on either side, and one between */
#define ITEMS_MAX   256u           /* payloads of a batch */
#define BYTES_MAX   (512u * 1024u) /* with as many or more a batch is full */

struct batch {
    struct item {
        void *payload;
        size_t size;
    } items[ITEMS_MAX];
    size_t count, taken;
    int32_t rc; /* what came behind the last one; EDS_OK: another batch does */
    struct eds_error err;
};

struct eds_payload_ahead {
    struct eds_payload_reader *reader;
    pthread_t thread;

    pthread_mutex_t lock; /* over all that follows */
    pthread_cond_t changed;
    uint64_t filled, emptied; /* numbers of the next batches to be ... */
    bool is_over;

    struct batch batches[BATCH_COUNT];
};

static void fill(struct eds_payload_reader *reader, struct batch *batch)
{
    size_t bytes = 0;

    batch->count = batch->taken = 0;
    batch->rc = EDS_OK;
    while (batch->rc == EDS_OK && batch->count < ITEMS_MAX && bytes < BYTES_MAX) {
        struct item *item = &batch->items[batch->count];

        batch->rc = eds_payload_reader_next(reader, &item->payload, &item->size, &batch->err);
        if (batch->rc == EDS_OK) {
            bytes += item->size;
            batch->count++;
        }
    }
}

static void *run(void *context)
{
    struct eds_payload_ahead *ahead = context;
    int32_t rc = EDS_OK;

    pthread_mutex_lock(&ahead->lock);
    while (rc == EDS_OK && !ahead->is_over) {
        struct batch *batch = &ahead->batches[ahead->filled % BATCH_COUNT];

        if (ahead->filled - ahead->emptied == BATCH_COUNT) {
            pthread_cond_wait(&ahead->changed, &ahead->lock);
            continue;
        }
        pthread_mutex_unlock(&ahead->lock);
        fill(ahead->reader, batch);
        rc = batch->rc;
        pthread_mutex_lock(&ahead->lock);
        ahead->filled++;
        pthread_cond_signal(&ahead->changed);
    }
    pthread_mutex_unlock(&ahead->lock);
    return NULL;
}

struct eds_payload_ahead *eds_payload_ahead_start(struct eds_payload_reader *reader)
{
    struct eds_payload_ahead *ahead = calloc(1, sizeof *ahead);

    if (ahead == NULL)
        return NULL;
    ahead->reader = reader;
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->changed, NULL);
    if (pthread_create(&ahead->thread, NULL, run, ahead) == 0)
        return ahead;
    pthread_cond_destroy(&ahead->changed);
    pthread_mutex_destroy(&ahead->lock);
    free(ahead);
    return NULL;
}

/* The batch to be taken from, with something in it or behind it. */
static struct batch *await_batch(struct eds_payload_ahead *ahead)
{
    struct batch *batch;

    pthread_mutex_lock(&ahead->lock);
    for (;;) {
        batch = &ahead->batches[ahead->emptied % BATCH_COUNT];
        if (ahead->emptied == ahead->filled) {
            pthread_cond_wait(&ahead->changed, &ahead->lock);
        } else if (batch->taken == batch->count && batch->rc == EDS_OK) {
            ahead->emptied++;
            pthread_cond_signal(&ahead->changed);
        } else {
            break;
        }
    }
    pthread_mutex_unlock(&ahead->lock);
    return batch;
}

int32_t eds_payload_ahead_next(struct eds_payload_ahead *ahead, void **out, size_t *out_size,
                               struct eds_error *err)
{
    struct batch *batch = await_batch(ahead);

    if (batch->taken == batch->count) {
        if (batch->rc != EDS_ERR_NOT_FOUND && err != NULL)
            *err = batch->err;
        return batch->rc;
    }
    *out = batch->items[batch->taken].payload;
    *out_size = batch->items[batch->taken].size;
    batch->taken++;
    return EDS_OK;
}

void eds_payload_ahead_end(struct eds_payload_ahead *ahead)
{
    if (ahead == NULL)
        return;
    pthread_mutex_lock(&ahead->lock);
    ahead->is_over = true;
    pthread_cond_signal(&ahead->changed);
    pthread_mutex_unlock(&ahead->lock);
    pthread_join(ahead->thread, NULL);
    for (uint64_t i = ahead->emptied; i < ahead->filled; i++) {
        struct batch *batch = &ahead->batches[i % BATCH_COUNT];

        for (size_t k = batch->taken; k < batch->count; k++)
            free(batch->items[k].payload);
    }
    pthread_cond_destroy(&ahead->changed);
    pthread_mutex_destroy(&ahead->lock);
    free(ahead);
}

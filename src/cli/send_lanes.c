/* send_lanes.c - see send_lanes.h.
 *
 * A lane is a thread with a connection and a short queue; the caller's thread
 * reads and fills the queues.  A record's first place in its queue is its lane's
 * alone, so sending needs no lock. */
#include "cli/send_lanes.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/backoff.h"

#define QUEUE_SIZE_MIN   16u /* records waiting in a lane */
#define BACKOFF_MS_FIRST 100u
#define BACKOFF_MS_MAX   10000u
#define PAYLOADS_MAX     (128u << 20) /* bytes, of large payloads that wait in all lanes */

struct lane {
    struct job *job;
    struct eds_http_client *client;
    pthread_t thread;
    bool has_thread;
    struct eds_parcel *queue;
    size_t queue_size, first, count; /* of queue, a ring */
    char *body;                      /* a batch */
    size_t body_room;                /* bytes */
    unsigned fruitless_count;        /* batches in a row of which nothing was decided */
    unsigned backoff_ms;
};

struct job {
    const struct eds_send_lanes *config;
    struct eds_send_input *input;
    struct lane *lanes;

    pthread_mutex_t mutex; /* for all below and the queues */
    pthread_cond_t moved;  /* a queue got or lost a record, or all is over */
    size_t payloads_size;  /* bytes of payloads in the queues that go before their records */
    bool at_end;           /* no more records will come */
    bool broken;           /* no more records will be sent */
    int32_t rc;            /* the first failure */
    struct eds_error err;
};

/* Under the mutex, as all that changes the job. */
static void fail(struct job *job, int32_t rc, const struct eds_error *err)
{
    if (job->rc != EDS_OK)
        return;
    job->rc = rc;
    job->err = *err;
}

static void free_payload(struct job *job, struct eds_parcel *parcel)
{
    job->payloads_size -= parcel->payload != NULL ? parcel->payload_size : 0;
    free(parcel->payload);
    parcel->payload = NULL;
    pthread_cond_broadcast(&job->moved);
}

static void drop_first(struct lane *lane)
{
    free_payload(lane->job, &lane->queue[lane->first]);
    eds_parcel_free(&lane->queue[lane->first]);
    lane->first = (lane->first + 1) % lane->queue_size;
    lane->count--;
    pthread_cond_broadcast(&lane->job->moved);
}

static struct eds_parcel *parcel_at(struct lane *lane, size_t index)
{
    return &lane->queue[(lane->first + index) % lane->queue_size];
}

/* Brings the first record's payload before the record, if it has to come so.  *sent
 * is false if the server refused it: that is the record's verdict. */
static int32_t send_payload(struct lane *lane, bool *sent, struct eds_error *err)
{
    struct job *job = lane->job;
    struct eds_parcel *parcel = parcel_at(lane, 0);
    struct eds_delivery delivery;
    struct eds_error why;
    int32_t rc;

    *sent = true;
    if (parcel->payload == NULL)
        return EDS_OK;
    pthread_mutex_unlock(&job->mutex);
    rc = eds_http_client_put(lane->client, &parcel->record, parcel->payload, parcel->payload_size,
                             &delivery, &why);
    pthread_mutex_lock(&job->mutex);
    if (rc != EDS_OK)
        return eds_error_set(err, rc, "device=%s sequence=%" PRIu64 ": %s", parcel->device_id,
                             parcel->sequence, why.text);
    *sent = delivery.answer.accepted;
    if (*sent) { /* and once is enough, however often its record comes */
        free_payload(job, parcel);
        return EDS_OK;
    }
    job->config->delivered(job->config->context, parcel, &delivery);
    drop_first(lane);
    return EDS_OK;
}

/* Sends the first record. */
static int32_t send_one(struct lane *lane, struct eds_error *err)
{
    struct job *job = lane->job;
    const struct eds_parcel *parcel = parcel_at(lane, 0);
    struct eds_delivery delivery;
    struct eds_error why;
    int32_t rc;

    pthread_mutex_unlock(&job->mutex);
    rc = eds_http_client_send(lane->client, parcel->body, parcel->body_size, &delivery, &why);
    pthread_mutex_lock(&job->mutex);
    if (rc == EDS_OK)
        job->config->delivered(job->config->context, parcel, &delivery);
    else
        eds_error_set(err, rc, "device=%s sequence=%" PRIu64 ": %s", parcel->device_id,
                      parcel->sequence, why.text);
    drop_first(lane);
    return rc;
}

/* Puts the first count records line by line into the lane's body. */
static int32_t fill_body(struct lane *lane, size_t count, size_t *size)
{
    size_t needed = 0;

    for (size_t i = 0; i < count; i++)
        needed += parcel_at(lane, i)->body_size + 1;
    if (needed > lane->body_room) {
        free(lane->body);
        lane->body = malloc(needed);
        lane->body_room = lane->body != NULL ? needed : 0;
        if (lane->body == NULL)
            return EDS_ERR_NO_MEMORY;
    }
    *size = 0;
    for (size_t i = 0; i < count; i++) {
        const struct eds_parcel *parcel = parcel_at(lane, i);

        memcpy(lane->body + *size, parcel->body, parcel->body_size);
        *size += parcel->body_size;
        lane->body[(*size)++] = '\n';
    }
    return EDS_OK;
}

/* What became of a batch. */
struct outcome {
    struct lane *lane;
    size_t count; /* records in it */
    size_t left;  /* of those, the ones that come again, moved to the front of it */
    struct eds_delivery delivery;
    struct eds_parcel *again; /* count of them */
};

static void take_result(void *context, size_t index, const struct eds_result *result)
{
    struct outcome *outcome = context;
    const struct eds_send_lanes *config = outcome->lane->job->config;
    struct eds_parcel *parcel;

    if (index >= outcome->count)
        return;
    parcel = parcel_at(outcome->lane, index);
    if (result->retry) {
        outcome->again[outcome->left++] = *parcel;
        return;
    }
    outcome->delivery.status = result->answer.accepted ? 202 : 422;
    outcome->delivery.answer = result->answer;
    config->delivered(config->context, parcel, &outcome->delivery);
    eds_parcel_free(parcel);
}

/* Takes the decided records out of the queue; the others stay, in their order,
 * and so do those that there is no result of. */
static void settle(struct lane *lane, struct outcome *outcome, size_t result_count)
{
    size_t decided, kept = outcome->left;

    for (size_t i = result_count; i < outcome->count; i++)
        outcome->again[kept++] = *parcel_at(lane, i);
    decided = outcome->count - kept;
    lane->first = (lane->first + decided) % lane->queue_size;
    lane->count -= decided;
    for (size_t i = 0; i < kept; i++)
        *parcel_at(lane, i) = outcome->again[i];
    lane->fruitless_count = decided > 0 ? 0 : lane->fruitless_count + 1;
    pthread_cond_broadcast(&lane->job->moved);
}

static void count_result(void *context, size_t index, const struct eds_result *result)
{
    (void)result;
    *(size_t *)context = index + 1;
}

/* A pause before a batch of which nothing was decided goes out again. */
static void rest(struct lane *lane)
{
    struct timespec pause;

    lane->backoff_ms = eds_backoff_next_ms(BACKOFF_MS_FIRST, BACKOFF_MS_MAX, lane->backoff_ms);
    pause = (struct timespec){.tv_sec = lane->backoff_ms / 1000,
                              .tv_nsec = (long)(lane->backoff_ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
}

/* How many records go together: of those whose payload comes before them only the
 * first has brought it. */
static size_t count_batch(struct lane *lane)
{
    size_t count = 1;

    while (count < lane->count && count < lane->job->config->batch_max &&
           parcel_at(lane, count)->payload == NULL)
        count++;
    return count;
}

/* Sends the first records, as many as may go together, until some are decided. */
static int32_t send_batch(struct lane *lane, struct eds_error *err)
{
    struct job *job = lane->job;
    size_t count = count_batch(lane);
    struct outcome outcome = {.lane = lane, .count = count};
    size_t size, result_count = 0;
    int32_t rc;

    outcome.again = calloc(count, sizeof *outcome.again);
    if (outcome.again == NULL || fill_body(lane, count, &size) != EDS_OK) {
        free(outcome.again);
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    }
    pthread_mutex_unlock(&job->mutex);
    if (lane->fruitless_count > 0)
        rest(lane);
    rc = eds_http_client_send(lane->client, lane->body, size, &outcome.delivery, err);
    pthread_mutex_lock(&job->mutex);
    if (rc == EDS_OK && outcome.delivery.status != 202 && outcome.delivery.status != 207)
        rc = eds_error_set(err, EDS_ERR_IO, "the batch was refused: %s",
                           outcome.delivery.answer.error);
    if (rc == EDS_OK) {
        eds_http_client_results(lane->client, count_result, &result_count);
        eds_http_client_results(lane->client, take_result, &outcome);
        settle(lane, &outcome, result_count < count ? result_count : count);
        if (lane->fruitless_count >= job->config->client.attempt_max)
            rc = eds_error_set(
                err, EDS_ERR_IO, "device=%s sequence=%" PRIu64 ": not decided in %u attempts",
                parcel_at(lane, 0)->device_id, parcel_at(lane, 0)->sequence, lane->fruitless_count);
    }
    free(outcome.again);
    return rc;
}

static void *run_lane(void *context)
{
    struct lane *lane = context;
    struct job *job = lane->job;

    pthread_mutex_lock(&job->mutex);
    while (!job->broken && (lane->count > 0 || !job->at_end)) {
        struct eds_error err;
        bool sent;
        int32_t rc;

        if (lane->count == 0) {
            pthread_cond_wait(&job->moved, &job->mutex);
            continue;
        }
        rc = send_payload(lane, &sent, &err);
        if (rc == EDS_OK && sent)
            rc = job->config->batch_max > 1 ? send_batch(lane, &err) : send_one(lane, &err);
        if (rc != EDS_OK) {
            fail(job, rc, &err);
            job->broken = true;
        }
    }
    while (lane->count > 0)
        drop_first(lane);
    pthread_mutex_unlock(&job->mutex);
    return NULL;
}

/* All records of a device go the same way. */
static struct lane *lane_of(const struct job *job, const char *device_id)
{
    uint32_t hash = 2166136261u; /* FNV-1a; nobody gains by crowding his own sender's lane */

    for (; *device_id != '\0'; device_id++)
        hash = (hash ^ (uint8_t)*device_id) * 16777619u;
    return &job->lanes[hash % job->config->lane_count];
}

static void put(struct job *job, struct eds_parcel *parcel)
{
    struct lane *lane = lane_of(job, parcel->device_id);

    while ((lane->count == lane->queue_size ||
            (parcel->payload != NULL && job->payloads_size > 0 &&
             parcel->payload_size > PAYLOADS_MAX - job->payloads_size)) &&
           !job->broken)
        pthread_cond_wait(&job->moved, &job->mutex);
    if (job->broken) {
        eds_parcel_free(parcel);
        return;
    }
    job->payloads_size += parcel->payload != NULL ? parcel->payload_size : 0;
    lane->queue[(lane->first + lane->count++) % lane->queue_size] = *parcel;
    pthread_cond_broadcast(&job->moved);
}

/* Reads until the end, an error, or until nobody sends any more. */
static void feed(struct job *job)
{
    struct eds_parcel parcel;
    struct eds_error err;
    bool over = false;

    while (!over) {
        int32_t rc = eds_send_input_next(job->input, &parcel, &err);

        pthread_mutex_lock(&job->mutex);
        if (rc == EDS_OK)
            put(job, &parcel);
        else if (rc != EDS_ERR_NOT_FOUND)
            fail(job, rc, &err);
        over = rc != EDS_OK || job->broken;
        pthread_mutex_unlock(&job->mutex);
    }
}

static int32_t open_lanes(struct job *job, struct eds_error *err)
{
    int32_t rc = EDS_OK;

    job->lanes = calloc(job->config->lane_count, sizeof *job->lanes);
    if (job->lanes == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < job->config->lane_count && rc == EDS_OK; i++) {
        struct lane *lane = &job->lanes[i];

        lane->job = job;
        lane->queue_size = QUEUE_SIZE_MIN + 2 * job->config->batch_max;
        lane->queue = calloc(lane->queue_size, sizeof *lane->queue);
        if (lane->queue == NULL)
            return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
        rc = eds_http_client_open(&lane->client, &job->config->client, err);
        if (rc == EDS_OK && pthread_create(&lane->thread, NULL, run_lane, lane) != 0)
            rc = eds_error_set(err, EDS_ERR_NO_MEMORY, "no thread to be had");
        lane->has_thread = rc == EDS_OK;
    }
    return rc;
}

static void close_lanes(struct job *job)
{
    for (size_t i = 0; job->lanes != NULL && i < job->config->lane_count; i++) {
        if (job->lanes[i].has_thread)
            pthread_join(job->lanes[i].thread, NULL);
        eds_http_client_close(job->lanes[i].client);
        free(job->lanes[i].queue);
        free(job->lanes[i].body);
    }
    free(job->lanes);
}

int32_t eds_send_lanes_run(const struct eds_send_lanes *lanes, struct eds_send_input *input,
                           struct eds_error *err)
{
    struct job job = {.config = lanes, .input = input};
    struct eds_error why;
    int32_t rc;

    pthread_mutex_init(&job.mutex, NULL);
    pthread_cond_init(&job.moved, NULL);
    rc = open_lanes(&job, &why);
    if (rc == EDS_OK)
        feed(&job);
    pthread_mutex_lock(&job.mutex);
    if (rc != EDS_OK) {
        fail(&job, rc, &why);
        job.broken = true;
    }
    job.at_end = true;
    pthread_cond_broadcast(&job.moved);
    pthread_mutex_unlock(&job.mutex);
    close_lanes(&job);
    if (job.rc != EDS_OK)
        *err = job.err;
    pthread_cond_destroy(&job.moved);
    pthread_mutex_destroy(&job.mutex);
    return job.rc;
}

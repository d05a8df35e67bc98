/* send_lanes.c - see send_lanes.h.
 *
 * A lane is a thread with a connection and a short queue; the caller's thread
 * reads and fills the queues.  A record's first place in its queue is its lane's
 * alone, so sending needs no lock. */
#include "cli/send_lanes.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#define QUEUE_SIZE 16u /* records waiting in a lane */

struct lane {
    struct job *job;
    struct eds_http_client *client;
    pthread_t thread;
    bool has_thread;
    struct eds_parcel queue[QUEUE_SIZE];
    size_t first, count; /* of queue, a ring */
};

struct job {
    const struct eds_send_lanes *config;
    struct eds_send_input *input;
    struct lane *lanes;

    pthread_mutex_t mutex; /* for all below and the queues */
    pthread_cond_t moved;  /* a queue got or lost a record, or all is over */
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

static void drop_first(struct lane *lane)
{
    free(lane->queue[lane->first].body);
    lane->first = (lane->first + 1) % QUEUE_SIZE;
    lane->count--;
    pthread_cond_broadcast(&lane->job->moved);
}

static void *run_lane(void *context)
{
    struct lane *lane = context;
    struct job *job = lane->job;
    struct eds_delivery delivery;
    struct eds_error err, why;

    pthread_mutex_lock(&job->mutex);
    while (!job->broken && (lane->count > 0 || !job->at_end)) {
        const struct eds_parcel *parcel = &lane->queue[lane->first];
        int32_t rc;

        if (lane->count == 0) {
            pthread_cond_wait(&job->moved, &job->mutex);
            continue;
        }
        pthread_mutex_unlock(&job->mutex);
        rc = eds_http_client_send(lane->client, parcel->body, parcel->body_size, &delivery, &err);
        pthread_mutex_lock(&job->mutex);
        if (rc == EDS_OK) {
            job->config->delivered(job->config->context, parcel, &delivery);
        } else {
            eds_error_set(&why, rc, "device=%s sequence=%" PRIu64 ": %s", parcel->device_id,
                          parcel->sequence, err.text);
            fail(job, rc, &why);
            job->broken = true;
        }
        drop_first(lane);
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

    while (lane->count == QUEUE_SIZE && !job->broken)
        pthread_cond_wait(&job->moved, &job->mutex);
    if (job->broken) {
        free(parcel->body);
        return;
    }
    lane->queue[(lane->first + lane->count++) % QUEUE_SIZE] = *parcel;
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

/* s3_uploader.c - puts, many of them on their way together (libcurl's multi
 * interface), carried out by one thread.
 *
 * A put is a short walk: PUT with "If-None-Match: *"; if the service says that
 * the name is taken - by an earlier attempt whose answer got lost, by another
 * server, by somebody else - HEAD, which tells the hash of what is there; and if
 * that was not written by us, GET.  A step that fails in a way that may pass is
 * made again after a pause, until the put's time is up. */
#include "store/s3_client.h"

#include <stdlib.h>
#include <string.h>

#include "base/wipe.h"

#define POLL_MS         1000u /* the longest sleep; new puts wake the thread */
#define RATE_MIN_PER_MS 1024u /* bytes: a large payload may take longer than a small one */

/* A request on its way, or in the pause before its next attempt. */
struct lane {
    struct eds_s3_request request;
    struct eds_object_put *put; /* NULL: free */
    enum eds_s3_method step;
    unsigned attempt; /* of this step */
    bool was_denied;
    bool pausing;
    uint64_t resume_ms; /* if pausing */
};

struct s3_uploader {
    struct s3_client *client;
    CURLM *multi;
    struct lane *lanes; /* config.connections of them */
    size_t lane_count;  /* that were made */
    size_t busy_count;
    struct eds_object_put *first, *last; /* the thread's: waiting for a lane */
    pthread_t thread;
    bool running;

    pthread_mutex_t lock; /* of what follows */
    struct eds_object_put *given_first, *given_last;
    bool stopping;
};

static void finish(struct s3_uploader *uploader, struct lane *lane, int32_t rc)
{
    struct eds_object_put *put = lane->put;

    lane->put = NULL;
    uploader->busy_count--;
    put->rc = rc;
    put->err.code = rc;
    put->done(put); /* from here on it is not ours */
}

static uint64_t time_left(const struct eds_object_put *put)
{
    uint64_t now = eds_s3_now_ms();

    return put->deadline_ms > now ? put->deadline_ms - now : 0;
}

/* Makes an attempt of the lane's step. */
static void launch(struct s3_uploader *uploader, struct lane *lane)
{
    struct s3_client *client = uploader->client;
    struct eds_s3_credentials credentials;
    struct eds_object_put *put = lane->put;
    uint64_t left_ms = time_left(put);
    int32_t rc = eds_s3_current_credentials(client, &credentials, lane->was_denied, &put->err);

    lane->pausing = false;
    if (rc == EDS_OK)
        rc = eds_s3_request_prepare(&lane->request, &client->config, &credentials, lane->step, put,
                                    left_ms > 0 ? (long)left_ms : 1, &put->err);
    eds_s3_credentials_wipe(&credentials);
    if (rc == EDS_OK && curl_multi_add_handle(uploader->multi, lane->request.curl) != CURLM_OK)
        rc = eds_error_set(&put->err, EDS_ERR_NO_MEMORY, "no memory for a request to S3");
    if (rc != EDS_OK)
        finish(uploader, lane, rc == EDS_ERR_NOT_FOUND ? EDS_ERR_IO : rc);
}

static void step_to(struct s3_uploader *uploader, struct lane *lane, enum eds_s3_method step)
{
    lane->step = step;
    lane->attempt = 1;
    lane->was_denied = false;
    launch(uploader, lane);
}

/* Another attempt after a pause, if there is time for one. */
static void again(struct s3_uploader *uploader, struct lane *lane)
{
    unsigned pause_ms = eds_s3_pause_ms(lane->attempt);

    if (lane->attempt >= uploader->client->config.attempts || time_left(lane->put) <= pause_ms) {
        finish(uploader, lane, EDS_ERR_IO);
        return;
    }
    lane->attempt++;
    lane->pausing = true;
    lane->resume_ms = eds_s3_now_ms() + pause_ms;
}

/* There is an object of that name: is it this payload? */
static void compare(struct s3_uploader *uploader, struct lane *lane)
{
    struct eds_object_put *put = lane->put;
    struct eds_s3_request *request = &lane->request;
    uint8_t hash[EDS_HASH_SIZE];

    if (lane->step == EDS_S3_HEAD && !request->has_hash) {
        step_to(uploader, lane, EDS_S3_GET); /* not written by us: its content tells */
        return;
    }
    put->was_there = true;
    if (lane->step == EDS_S3_HEAD)
        memcpy(hash, request->hash, sizeof hash);
    else
        eds_blake3(hash, request->body, request->body_size);
    if (memcmp(hash, put->name.payload_hash, sizeof hash) == 0) {
        finish(uploader, lane, EDS_OK);
        return;
    }
    eds_error_set(&put->err, EDS_ERR_EXISTS, "S3 bucket %s: ...%s holds other content",
                  uploader->client->config.bucket, request->key_end);
    finish(uploader, lane, EDS_ERR_EXISTS);
}

/* An attempt has come to its end. */
static void advance(struct s3_uploader *uploader, struct lane *lane, CURLcode code)
{
    struct eds_object_put *put = lane->put;

    switch (eds_s3_request_outcome(&lane->request, &uploader->client->config, code, &put->err)) {
    case EDS_S3_DONE:
        if (lane->step == EDS_S3_PUT)
            finish(uploader, lane, EDS_OK);
        else
            compare(uploader, lane);
        break;
    case EDS_S3_PRESENT:
        step_to(uploader, lane, EDS_S3_HEAD);
        break;
    case EDS_S3_ABSENT:
        if (put->only_look) {
            finish(uploader, lane, EDS_ERR_NOT_FOUND);
        } else { /* gone between two steps: from the beginning, in a while */
            lane->step = EDS_S3_PUT;
            again(uploader, lane);
        }
        break;
    case EDS_S3_DENIED:
        if (lane->was_denied) {
            finish(uploader, lane, EDS_ERR_IO);
        } else {
            lane->was_denied = true;
            launch(uploader, lane);
        }
        break;
    case EDS_S3_TOO_LARGE: /* larger than any payload */
        finish(uploader, lane,
               eds_error_set(&put->err, EDS_ERR_EXISTS, "S3 bucket %s: ...%s holds other content",
                             uploader->client->config.bucket, lane->request.key_end));
        break;
    case EDS_S3_AGAIN:
        again(uploader, lane);
        break;
    case EDS_S3_NO_MEMORY:
        finish(uploader, lane, EDS_ERR_NO_MEMORY);
        break;
    case EDS_S3_FAILED:
        finish(uploader, lane, EDS_ERR_IO);
        break;
    }
}

/* Moves what was given into the thread's own list; false when there is nothing
 * left and there will be nothing. */
static bool collect(struct s3_uploader *uploader)
{
    bool stopping;

    pthread_mutex_lock(&uploader->lock);
    if (uploader->given_first != NULL) {
        if (uploader->first == NULL)
            uploader->first = uploader->given_first;
        else
            uploader->last->next = uploader->given_first;
        uploader->last = uploader->given_last;
        uploader->given_first = NULL;
    }
    stopping = uploader->stopping;
    pthread_mutex_unlock(&uploader->lock);
    return !stopping || uploader->first != NULL || uploader->busy_count > 0;
}

/* Puts whose turn has not come in time; they are in the order of their deadlines. */
static void expire(struct s3_uploader *uploader)
{
    while (uploader->first != NULL && time_left(uploader->first) == 0) {
        struct eds_object_put *put = uploader->first;

        uploader->first = put->next;
        put->rc =
            eds_error_set(&put->err, EDS_ERR_IO, "S3 bucket %s: too many payloads are waiting",
                          uploader->client->config.bucket);
        put->done(put);
    }
}

/* Gives free lanes work and wakes those whose pause is over.  Returns when the
 * next pause ends at the latest, in ms from now. */
static unsigned assign(struct s3_uploader *uploader)
{
    uint64_t now = eds_s3_now_ms(), next = now + POLL_MS;

    for (size_t i = 0; i < uploader->lane_count; i++) {
        struct lane *lane = &uploader->lanes[i];

        /* As long as there is one: an attempt can fail before it begins. */
        while (lane->put == NULL && uploader->first != NULL) {
            lane->put = uploader->first;
            uploader->first = lane->put->next;
            uploader->busy_count++;
            /* Its turn has come: now the size counts as well. */
            lane->put->deadline_ms += lane->put->payload_size / RATE_MIN_PER_MS;
            step_to(uploader, lane, lane->put->only_look ? EDS_S3_HEAD : EDS_S3_PUT);
        }
        if (lane->put != NULL && lane->pausing && lane->resume_ms <= now)
            launch(uploader, lane);
        if (lane->put != NULL && lane->pausing && lane->resume_ms < next)
            next = lane->resume_ms;
    }
    if (uploader->first != NULL && uploader->first->deadline_ms < next)
        next = uploader->first->deadline_ms > now ? uploader->first->deadline_ms : now;
    return (unsigned)(next - now);
}

static void *run(void *context)
{
    struct s3_uploader *uploader = context;

    while (collect(uploader)) {
        int running, left;
        unsigned wait_ms;
        CURLMsg *message;

        expire(uploader);
        (void)assign(uploader);
        curl_multi_perform(uploader->multi, &running);
        while ((message = curl_multi_info_read(uploader->multi, &left)) != NULL) {
            CURLcode code = message->data.result;
            CURL *curl = message->easy_handle;
            char *request = NULL;

            curl_easy_getinfo(curl, CURLINFO_PRIVATE, &request);
            curl_multi_remove_handle(uploader->multi, curl);
            advance(uploader, (struct lane *)(void *)request, code); /* its first member */
        }
        wait_ms = assign(uploader);
        curl_multi_poll(uploader->multi, NULL, 0, (int)wait_ms, NULL);
    }
    return NULL;
}

int32_t eds_s3_uploader_start(struct s3_client *client, struct eds_error *err)
{
    struct s3_uploader *uploader = calloc(1, sizeof *uploader);
    int32_t rc = EDS_OK;

    if (uploader == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    client->uploader = uploader;
    uploader->client = client;
    pthread_mutex_init(&uploader->lock, NULL);
    uploader->multi = curl_multi_init();
    uploader->lanes = calloc(client->config.connections, sizeof *uploader->lanes);
    if (uploader->multi == NULL || uploader->lanes == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    curl_multi_setopt(uploader->multi, CURLMOPT_MAXCONNECTS, (long)client->config.connections);
    while (rc == EDS_OK && uploader->lane_count < client->config.connections) {
        rc = eds_s3_request_make(&uploader->lanes[uploader->lane_count].request, err);
        uploader->lane_count += rc == EDS_OK;
    }
    if (rc != EDS_OK)
        return rc;
    if (pthread_create(&uploader->thread, NULL, run, uploader) != 0)
        return eds_error_set(err, EDS_ERR_IO, "cannot start a thread for S3");
    uploader->running = true;
    return EDS_OK;
}

void eds_s3_uploader_stop(struct s3_uploader *uploader)
{
    if (uploader == NULL)
        return;
    if (uploader->running) {
        pthread_mutex_lock(&uploader->lock);
        uploader->stopping = true;
        pthread_mutex_unlock(&uploader->lock);
        curl_multi_wakeup(uploader->multi);
        pthread_join(uploader->thread, NULL);
    }
    for (size_t i = 0; i < uploader->lane_count; i++)
        eds_s3_request_free(&uploader->lanes[i].request);
    curl_multi_cleanup(uploader->multi);
    pthread_mutex_destroy(&uploader->lock);
    free(uploader->lanes);
    free(uploader);
}

void eds_s3_uploader_give(struct s3_uploader *uploader, struct eds_object_put *put)
{
    put->next = NULL;
    pthread_mutex_lock(&uploader->lock);
    /* Under the lock, so that the list is in the order of deadlines. */
    put->deadline_ms = eds_s3_now_ms() + (uint64_t)uploader->client->config.timeout_s * 1000u;
    if (uploader->given_first == NULL)
        uploader->given_first = put;
    else
        uploader->given_last->next = put;
    uploader->given_last = put;
    pthread_mutex_unlock(&uploader->lock);
    curl_multi_wakeup(uploader->multi);
}

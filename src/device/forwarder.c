/* forwarder.c - see edgesentry/forwarder.h.
 *
 * A lane is a thread with a sender.  All lanes send to one server, so what they
 * learn of it (it is away, until when) is shared.  Lock order: the forwarder's
 * mutex, then the buffer's. */
#include "edgesentry/forwarder.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/backoff.h"
#include "base/log.h"
#include "device/buffer_impl.h"

#define LANES_MAX      64u
#define STORE_PAUSE_MS 1000u /* after a failure of the store */
#define FOR_EVER       UINT64_MAX

struct lane {
    struct eds_forwarder *forwarder;
    struct eds_sender *sender;
    pthread_t thread;
};

struct eds_forwarder {
    struct eds_forwarder_config config;
    struct lane lanes[LANES_MAX];
    size_t lane_count;

    pthread_mutex_t mutex; /* for all below */
    pthread_cond_t moved;  /* anything of it, or something was pushed */
    bool stopping;
    size_t in_flight;
    bool away;         /* the last word was that there is no server */
    bool probing;      /* one lane asks again */
    uint64_t probe_ms; /* not before then, monotonic */
    unsigned backoff_ms;
    struct eds_forwarder_counts counts;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Under the mutex.  Waits until something moves, or the time comes. */
static void wait_until(struct eds_forwarder *forwarder, uint64_t until_ms)
{
    struct timespec until;

    if (until_ms == FOR_EVER) {
        pthread_cond_wait(&forwarder->moved, &forwarder->mutex);
        return;
    }
    until.tv_sec = (time_t)(until_ms / 1000);
    until.tv_nsec = (long)(until_ms % 1000) * 1000000;
    (void)pthread_cond_timedwait(&forwarder->moved, &forwarder->mutex, &until);
}

static void note_push(void *context)
{
    struct eds_forwarder *forwarder = context;

    pthread_mutex_lock(&forwarder->mutex);
    pthread_cond_broadcast(&forwarder->moved);
    pthread_mutex_unlock(&forwarder->mutex);
}

/* The server is away: the next attempt is a while from now, by one lane. */
static void note_away(struct eds_forwarder *forwarder, const struct eds_reply *reply)
{
    const struct eds_forwarder_config *config = &forwarder->config;
    unsigned pause_ms;

    if (!forwarder->away || forwarder->probing) { /* the others of a crowd count as one */
        unsigned previous = forwarder->away ? forwarder->backoff_ms : config->backoff_ms_first;

        forwarder->backoff_ms =
            eds_backoff_next_ms(config->backoff_ms_first, config->backoff_ms_max, previous);
    }
    pause_ms = forwarder->backoff_ms;
    if (reply->retry_after_ms > pause_ms)
        pause_ms = reply->retry_after_ms + eds_random_between(0, reply->retry_after_ms / 4);
    forwarder->away = true;
    forwarder->probe_ms = now_ms() + pause_ms;
}

static void log_away(const struct eds_forwarder *forwarder, const struct eds_reply *reply)
{
    EDS_LOG(EDS_LOG_WARN, "server_away", EDS_LOG_STRING("reason", reply->text),
            EDS_LOG_NUMBER("retry_ms", forwarder->probe_ms - now_ms()),
            EDS_LOG_NUMBER("waiting", eds_buffer_len(forwarder->config.buffer)));
}

/* Carries out what a reply means, and tells from when on the device may go on. */
static uint64_t settle(struct eds_forwarder *forwarder, const struct eds_buffer_item *item,
                       const struct eds_reply *reply)
{
    struct eds_buffer *buffer = forwarder->config.buffer;
    unsigned hold_ms = forwarder->config.hold_ms;
    struct eds_error err;
    int32_t rc = EDS_OK;

    switch (reply->outcome) {
    case EDS_OUTCOME_ACCEPTED:
    case EDS_OUTCOME_DUPLICATE:
        rc = eds_buffer_settle(buffer, item, EDS_SETTLE_REMOVE, NULL, &err);
        break;
    case EDS_OUTCOME_CONFLICT:
    case EDS_OUTCOME_REJECTED:
        rc = eds_buffer_settle(buffer, item, EDS_SETTLE_BURY, reply->text, &err);
        break;
    case EDS_OUTCOME_HELD:
        if (reply->retry_after_ms > hold_ms)
            hold_ms = reply->retry_after_ms;
        return now_ms() + hold_ms + eds_random_between(0, hold_ms / 4);
    case EDS_OUTCOME_AWAY:
        return 0;
    }
    if (rc == EDS_OK)
        return 0;
    EDS_LOG(EDS_LOG_ERROR, "buffer_failed", EDS_LOG_STRING("reason", err.text));
    return now_ms() + STORE_PAUSE_MS; /* then it is sent again, and is a duplicate */
}

static void count(struct eds_forwarder *forwarder, const struct eds_reply *reply)
{
    struct eds_forwarder_counts *counts = &forwarder->counts;

    switch (reply->outcome) {
    case EDS_OUTCOME_ACCEPTED:
        counts->accepted++;
        break;
    case EDS_OUTCOME_DUPLICATE:
        counts->duplicates++;
        break;
    case EDS_OUTCOME_CONFLICT:
    case EDS_OUTCOME_REJECTED:
        counts->buried++;
        break;
    case EDS_OUTCOME_HELD:
        counts->held++;
        break;
    case EDS_OUTCOME_AWAY:
        counts->away++;
        break;
    }
}

/* Under the mutex, which is let go while the record is on its way. */
static void send_one(struct lane *lane, struct buffer_device *device, struct eds_buffer_item *item)
{
    struct eds_forwarder *forwarder = lane->forwarder;
    struct eds_reply reply = {.outcome = EDS_OUTCOME_AWAY};
    uint64_t not_before_ms;

    forwarder->in_flight++;
    pthread_mutex_unlock(&forwarder->mutex);
    lane->sender->send(lane->sender, item, &reply);
    not_before_ms = settle(forwarder, item, &reply);
    eds_buffer_release(forwarder->config.buffer, device, not_before_ms);
    pthread_mutex_lock(&forwarder->mutex);
    count(forwarder, &reply);
    if (reply.outcome == EDS_OUTCOME_AWAY) {
        note_away(forwarder, &reply);
        log_away(forwarder, &reply);
    } else {
        forwarder->away = false;
    }
    forwarder->probing = false;
    if (forwarder->config.replied != NULL)
        forwarder->config.replied(forwarder->config.context, item, &reply);
    free(item);
    forwarder->in_flight--;
    pthread_cond_broadcast(&forwarder->moved);
}

static void *run_lane(void *context)
{
    struct lane *lane = context;
    struct eds_forwarder *forwarder = lane->forwarder;

    pthread_mutex_lock(&forwarder->mutex);
    while (!forwarder->stopping) {
        struct buffer_device *device;
        struct eds_buffer_item *item;
        struct eds_error err;
        uint64_t wake_ms;
        int32_t rc;

        if (forwarder->away && (forwarder->probing || now_ms() < forwarder->probe_ms)) {
            wait_until(forwarder, forwarder->probing ? FOR_EVER : forwarder->probe_ms);
            continue;
        }
        rc = eds_buffer_claim(forwarder->config.buffer, now_ms(), &device, &item, &wake_ms, &err);
        if (rc == EDS_OK) {
            forwarder->probing = forwarder->away;
            send_one(lane, device, item);
        } else if (rc == EDS_ERR_NOT_FOUND) {
            wait_until(forwarder, wake_ms);
        } else {
            EDS_LOG(EDS_LOG_ERROR, "buffer_failed", EDS_LOG_STRING("reason", err.text));
            wait_until(forwarder, now_ms() + STORE_PAUSE_MS);
        }
    }
    pthread_mutex_unlock(&forwarder->mutex);
    return NULL;
}

static unsigned or_else(unsigned number, unsigned otherwise)
{
    return number > 0 ? number : otherwise;
}

int32_t eds_forwarder_start(struct eds_forwarder **out, const struct eds_forwarder_config *config,
                            struct eds_error *err)
{
    struct eds_forwarder *forwarder;
    pthread_condattr_t attributes;

    if (config->sender_count < 1 || config->sender_count > LANES_MAX)
        return eds_error_set(err, EDS_ERR_USAGE, "%zu senders: 1 to %u are possible",
                             config->sender_count, LANES_MAX);
    forwarder = calloc(1, sizeof *forwarder);
    if (forwarder == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the forwarder");
    forwarder->config = *config;
    forwarder->config.backoff_ms_first = or_else(config->backoff_ms_first, 500);
    forwarder->config.backoff_ms_max = or_else(config->backoff_ms_max, 60000);
    forwarder->config.hold_ms = or_else(config->hold_ms, 60000);
    pthread_mutex_init(&forwarder->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&forwarder->moved, &attributes);
    pthread_condattr_destroy(&attributes);
    eds_buffer_listen(config->buffer, note_push, forwarder);
    for (size_t i = 0; i < config->sender_count; i++) {
        struct lane *lane = &forwarder->lanes[i];

        lane->forwarder = forwarder;
        lane->sender = config->senders[i];
        if (pthread_create(&lane->thread, NULL, run_lane, lane) != 0) {
            eds_forwarder_stop(forwarder);
            return eds_error_set(err, EDS_ERR_IO, "no thread to be had for the forwarder");
        }
        forwarder->lane_count++;
    }
    *out = forwarder;
    return EDS_OK;
}

bool eds_forwarder_wait(struct eds_forwarder *forwarder, unsigned timeout_ms)
{
    uint64_t until_ms = now_ms() + timeout_ms;
    bool done;

    pthread_mutex_lock(&forwarder->mutex);
    while (!(done = forwarder->in_flight == 0 && eds_buffer_is_empty(forwarder->config.buffer)) &&
           now_ms() < until_ms)
        wait_until(forwarder, until_ms);
    pthread_mutex_unlock(&forwarder->mutex);
    return done;
}

void eds_forwarder_counts(struct eds_forwarder *forwarder, struct eds_forwarder_counts *out)
{
    pthread_mutex_lock(&forwarder->mutex);
    *out = forwarder->counts;
    out->server_away = forwarder->away;
    pthread_mutex_unlock(&forwarder->mutex);
}

void eds_forwarder_stop(struct eds_forwarder *forwarder)
{
    if (forwarder == NULL)
        return;
    pthread_mutex_lock(&forwarder->mutex);
    forwarder->stopping = true;
    pthread_cond_broadcast(&forwarder->moved);
    pthread_mutex_unlock(&forwarder->mutex);
    for (size_t i = 0; i < forwarder->lane_count; i++)
        pthread_join(forwarder->lanes[i].thread, NULL);
    eds_buffer_listen(forwarder->config.buffer, NULL, NULL);
    pthread_cond_destroy(&forwarder->moved);
    pthread_mutex_destroy(&forwarder->mutex);
    free(forwarder);
}

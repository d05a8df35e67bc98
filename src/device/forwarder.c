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
#include "base/repeat.h"
#include "device/delivery.h"

#define LANES_MAX      64u
#define STORE_PAUSE_MS 1000u /* after a failure of the store */
#define FOR_EVER       UINT64_MAX

struct lane {
    struct eds_forwarder *forwarder;
    struct delivery delivery;
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
    bool away;                 /* the last word was that there is no server */
    const struct lane *prober; /* the one that asks again; NULL: none does */
    uint64_t probe_ms;         /* not before then, monotonic */
    unsigned backoff_ms;
    struct eds_repeat away_lines, store_lines; /* in the log */
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
static void note_away(struct eds_forwarder *forwarder, const struct lane *lane,
                      const struct eds_reply *reply)
{
    const struct eds_forwarder_config *config = &forwarder->config;
    unsigned pause_ms;

    if (!forwarder->away || forwarder->prober == lane) { /* the others of a crowd count as one */
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

/* Under the mutex, as all that counts lines. */
static void log_away(struct eds_forwarder *forwarder, const struct eds_reply *reply)
{
    if (!eds_repeat_is_news(&forwarder->away_lines, now_ms()))
        return;
    EDS_LOG(EDS_LOG_WARN, "server_away", EDS_LOG_STRING("reason", reply->text),
            EDS_LOG_NUMBER("attempts", forwarder->away_lines.count),
            EDS_LOG_NUMBER("retry_ms", forwarder->probe_ms - now_ms()),
            EDS_LOG_NUMBER("waiting", eds_buffer_len(forwarder->config.buffer)));
}

static void log_back(struct eds_forwarder *forwarder)
{
    uint64_t attempts = eds_repeat_end(&forwarder->away_lines);

    if (attempts > 0)
        EDS_LOG(EDS_LOG_INFO, "server_back", EDS_LOG_NUMBER("attempts", attempts),
                EDS_LOG_NUMBER("waiting", eds_buffer_len(forwarder->config.buffer)));
}

static void log_store(struct eds_forwarder *forwarder, const struct eds_error *err)
{
    if (eds_repeat_is_news(&forwarder->store_lines, now_ms()))
        EDS_LOG(EDS_LOG_ERROR, "buffer_failed", EDS_LOG_STRING("reason", err->text),
                EDS_LOG_NUMBER("attempts", forwarder->store_lines.count));
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
    case EDS_OUTCOME_LATER:
        counts->away++;
        break;
    }
}

/* What the replies say of the server. */
static void judge_server(struct eds_forwarder *forwarder, const struct lane *lane)
{
    const struct delivery *delivery = &lane->delivery;
    const struct eds_reply *longest = &delivery->replies[0];

    if (eds_delivery_is_decided(delivery)) {
        forwarder->away = false;
        log_back(forwarder);
    } else {
        for (size_t i = 1; i < delivery->reply_count; i++)
            if (delivery->replies[i].retry_after_ms > longest->retry_after_ms)
                longest = &delivery->replies[i];
        note_away(forwarder, lane, longest);
        log_away(forwarder, longest);
    }
    if (forwarder->prober == lane)
        forwarder->prober = NULL;
}

/* Under the mutex, which is let go while the records are on their way. */
static void deliver(struct lane *lane)
{
    struct eds_forwarder *forwarder = lane->forwarder;
    const struct eds_forwarder_config *config = &forwarder->config;
    struct delivery *delivery = &lane->delivery;
    struct delivery_pauses pauses = {.hold = config->hold_ms,
                                     .retry_first = config->backoff_ms_first,
                                     .retry_max = config->backoff_ms_max,
                                     .store = STORE_PAUSE_MS};
    struct eds_error err;
    int32_t rc;

    forwarder->in_flight++;
    pthread_mutex_unlock(&forwarder->mutex);
    eds_delivery_send(delivery);
    rc = eds_delivery_settle(delivery, config->buffer, now_ms(), &pauses, &err);
    pthread_mutex_lock(&forwarder->mutex);
    if (rc != EDS_OK)
        log_store(forwarder, &err);
    else
        (void)eds_repeat_end(&forwarder->store_lines);
    judge_server(forwarder, lane);
    for (size_t i = 0; i < delivery->reply_count; i++) {
        count(forwarder, &delivery->replies[i]);
        if (config->replied != NULL)
            config->replied(config->context, delivery->claim.items[i], &delivery->replies[i]);
    }
    eds_delivery_free_items(delivery);
    forwarder->in_flight--;
    pthread_cond_broadcast(&forwarder->moved);
}

static void *run_lane(void *context)
{
    struct lane *lane = context;
    struct eds_forwarder *forwarder = lane->forwarder;
    struct buffer_claim *claim = &lane->delivery.claim;

    pthread_mutex_lock(&forwarder->mutex);
    while (!forwarder->stopping) {
        struct eds_error err;
        uint64_t wake_ms;
        int32_t rc;

        if (forwarder->away && (forwarder->prober != NULL || now_ms() < forwarder->probe_ms)) {
            wait_until(forwarder, forwarder->prober != NULL ? FOR_EVER : forwarder->probe_ms);
            continue;
        }
        eds_delivery_make_room(&lane->delivery);
        rc = eds_buffer_claim(forwarder->config.buffer, now_ms(), claim, &wake_ms, &err);
        if (rc == EDS_OK) {
            forwarder->prober = forwarder->away ? lane : forwarder->prober;
            deliver(lane);
        } else if (rc == EDS_ERR_NOT_FOUND) {
            wait_until(forwarder, wake_ms);
        } else {
            log_store(forwarder, &err);
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

static int32_t start_lane(struct eds_forwarder *forwarder, struct eds_sender *sender,
                          struct eds_error *err)
{
    struct lane *lane = &forwarder->lanes[forwarder->lane_count];
    int32_t rc = eds_delivery_open(&lane->delivery, sender, err);

    lane->forwarder = forwarder;
    if (rc == EDS_OK && pthread_create(&lane->thread, NULL, run_lane, lane) != 0)
        rc = eds_error_set(err, EDS_ERR_IO, "no thread to be had for the forwarder");
    if (rc != EDS_OK)
        eds_delivery_close(&lane->delivery);
    else
        forwarder->lane_count++;
    return rc;
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
        int32_t rc = start_lane(forwarder, config->senders[i], err);

        if (rc != EDS_OK) {
            eds_forwarder_stop(forwarder);
            return rc;
        }
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
    for (size_t i = 0; i < forwarder->lane_count; i++)
        eds_delivery_close(&forwarder->lanes[i].delivery);
    eds_buffer_listen(forwarder->config.buffer, NULL, NULL);
    pthread_cond_destroy(&forwarder->moved);
    pthread_mutex_destroy(&forwarder->mutex);
    free(forwarder);
}

/* mqtt_round.c - see mqtt_round.h. */
#include "transport/mqtt_round.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_FIRST_MS  2u /* before what is open is tried again */
#define PAUSE_MOST_MS   500u
#define STOP_MS         2000u /* at stop, the most to wait for a store */
#define GAP_REST_FACTOR 4u    /* after a wait in vain, so many times as long without one */

uint64_t mqtt_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int32_t mqtt_round_init(struct mqtt_round *round, const struct mqtt_round_config *config)
{
    *round = (struct mqtt_round){.config = *config};
    round->slots = calloc(config->slot_max, sizeof *round->slots);
    if (round->slots == NULL)
        return EDS_ERR_NO_MEMORY;
    pthread_mutex_init(&round->lock, NULL);
    return EDS_OK;
}

void mqtt_round_free(struct mqtt_round *round)
{
    if (round->slots == NULL)
        return;
    for (size_t i = 0; i < round->config.slot_max; i++)
        mqtt_slot_free(&round->slots[i]);
    free(round->slots);
    round->slots = NULL;
    pthread_mutex_destroy(&round->lock);
}

bool mqtt_round_is_full(const struct mqtt_round *round)
{
    return round->count >= round->config.slot_max || round->size >= round->config.size_max;
}

struct mqtt_slot *mqtt_round_next(struct mqtt_round *round)
{
    return &round->slots[round->count];
}

/* Ingest gives a slot back, on its thread or ours.  All of it is done under the
 * lock: whoever sees nothing undecided may free the round. */
static void decided(struct eds_submission *submission)
{
    struct mqtt_round *round = submission->context;
    uint64_t one = 1;

    pthread_mutex_lock(&round->lock);
    round->undecided--;
    if (round->undecided == 0 && write(round->config.wake_fd, &one, sizeof one) < 0)
        one = 0; /* the counter is full: it wakes as it is */
    pthread_mutex_unlock(&round->lock);
}

static void submit(struct mqtt_round *round, struct mqtt_slot *slot)
{
    mqtt_slot_request(slot);
    slot->submission.done = decided;
    slot->submission.context = round;
    pthread_mutex_lock(&round->lock);
    round->undecided++;
    pthread_mutex_unlock(&round->lock);
    eds_ingest_submit(round->config.ingest, &slot->submission);
}

void mqtt_round_submit(struct mqtt_round *round, struct mqtt_slot *slot)
{
    if (round->count == 0)
        round->begun_ms = mqtt_now_ms();
    round->count++;
    round->size += slot->room_size;
    submit(round, slot);
}

bool mqtt_round_is_decided(struct mqtt_round *round)
{
    bool is_decided;

    pthread_mutex_lock(&round->lock);
    is_decided = round->undecided == 0;
    pthread_mutex_unlock(&round->lock);
    return is_decided;
}

static void await_decided(struct mqtt_round *round)
{
    struct pollfd wake = {.fd = round->config.wake_fd, .events = POLLIN};
    uint64_t count;

    while (!mqtt_round_is_decided(round))
        if (poll(&wake, 1, -1) == 1 && read(wake.fd, &count, sizeof count) < 0)
            count = 0; /* somebody was quicker: look again */
}

static bool is_same_device(const struct mqtt_slot *a, const struct mqtt_slot *b)
{
    return strcmp((const char *)a->envelope.entry.record.device_id,
                  (const char *)b->envelope.entry.record.device_id) == 0;
}

/* Whether the store has still to take it.  A device that is over its rate gets
 * its answer: waiting for it would keep all others waiting. */
static bool is_undecided(const struct mqtt_slot *slot)
{
    return slot->submission.verdict == EDS_VERDICT_STORE ||
           slot->submission.verdict == EDS_VERDICT_OVERLOADED;
}

/* Whether a record before this one is missing: it may be there the next time. */
static bool is_gap(const struct mqtt_slot *slot)
{
    return slot->submission.verdict == EDS_VERDICT_SEQUENCE &&
           slot->envelope.entry.record.sequence != 0;
}

/* Marks the slots whose verdict is not the last word, and counts them. */
static size_t mark_open(struct mqtt_round *round)
{
    size_t open_count = 0;

    for (size_t i = 0; i < round->count; i++) {
        struct mqtt_slot *slot = &round->slots[i];

        slot->is_open = is_undecided(slot) || (round->waits_for_gaps && is_gap(slot));
        for (size_t j = 0; open_count > 0 && j < i && !slot->is_open && is_gap(slot); j++)
            slot->is_open = round->slots[j].is_open && is_same_device(&round->slots[j], slot);
        open_count += slot->is_open;
    }
    return open_count;
}

static bool has_undecided(const struct mqtt_round *round)
{
    for (size_t i = 0; i < round->count; i++)
        if (is_undecided(&round->slots[i]))
            return true;
    return false;
}

static bool follows_open(const struct mqtt_round *round, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (round->slots[i].is_open && is_same_device(&round->slots[i], &round->slots[index]))
            return true;
    return false;
}

/* Tries again what is open.  Of records that wait for one at another server only
 * the first of each device: for the others it is too early, and each attempt in
 * vain is a line in the operation log. */
static void submit_open(struct mqtt_round *round)
{
    bool all = has_undecided(round);

    for (size_t i = 0; i < round->count; i++)
        if (round->slots[i].is_open && (all || !follows_open(round, i)))
            submit(round, &round->slots[i]);
    await_decided(round);
}

/* Until when the open slots of a round are worth another attempt. */
static uint64_t deadline_ms(const struct mqtt_round *round, uint64_t begun_ms)
{
    unsigned most_ms = has_undecided(round) ? round->config.patience_ms : round->config.gap_ms;

    if (atomic_load(round->config.stopping) && most_ms > STOP_MS)
        most_ms = STOP_MS;
    return begun_ms + most_ms;
}

/* The wait for missing records is over. */
static void give_up_gaps(struct mqtt_round *round, uint64_t now_ms, uint64_t waited_ms)
{
    round->waits_for_gaps = false; /* what is missing does not come: the gate is right */
    round->no_gap_until = now_ms + GAP_REST_FACTOR * waited_ms;
}

bool mqtt_round_finish(struct mqtt_round *round)
{
    unsigned pause_ms = PAUSE_FIRST_MS;
    uint64_t begun_ms, now_ms;
    size_t open_count, before = SIZE_MAX;

    await_decided(round);
    begun_ms = now_ms = mqtt_now_ms();
    round->waits_for_gaps = round->config.gap_ms > 0 && now_ms >= round->no_gap_until;
    while ((open_count = mark_open(round)) > 0) {
        struct timespec pause = {.tv_nsec = (long)pause_ms * 1000000};

        if (open_count < before) { /* it goes on, or has not been tried */
            begun_ms = now_ms;
            pause_ms = PAUSE_FIRST_MS;
            before = open_count;
        } else if (now_ms >= deadline_ms(round, begun_ms)) {
            if (has_undecided(round))
                return false;
            give_up_gaps(round, now_ms, now_ms - begun_ms);
            continue;
        }
        nanosleep(&pause, NULL);
        pause_ms = 2 * pause_ms < PAUSE_MOST_MS ? 2 * pause_ms : PAUSE_MOST_MS;
        submit_open(round);
        now_ms = mqtt_now_ms();
    }
    return true;
}

void mqtt_round_clear(struct mqtt_round *round)
{
    for (size_t i = 0; i < round->count; i++)
        mqtt_slot_clear(&round->slots[i]);
    round->count = 0;
    round->size = 0;
}

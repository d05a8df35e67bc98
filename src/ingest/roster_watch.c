/* roster_watch.c - see roster_watch.h.
 *
 * A fleet of 100,000 devices takes seconds to read.  What is changed meanwhile must
 * not wait for its end, as a device may be revoked: so the reading looks for later
 * changes now and then, takes them at once, and passes over what it still has of
 * the same devices from before. */
#include "ingest/roster_watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/port.h"
#include "ingest/queue.h"

#define COMPLAIN_EVERY   50u  /* polls: ten seconds */
#define LOOK_AHEAD_EVERY 256u /* devices read: some milliseconds */
#define AHEAD_MAX        256u

/* A device that was taken ahead of its turn. */
struct ahead {
    char id[EDS_DEVICE_ID_SIZE];
    uint64_t revision;
};

struct eds_roster_watch {
    struct eds_ledger *ledger;
    struct eds_registry *registry;
    struct eds_ingest *ingest; /* NULL before start */
    struct eds_sightings *sightings;
    pthread_mutex_t reading; /* the ledger, and what has been read of it */
    uint64_t version;        /* up to which the registry is the roster */
    int32_t fault;           /* of one visit: an enrolment that found no place */
    unsigned visits;         /* of the reading under way */
    uint64_t ahead_version;  /* up to which later changes were taken in it */
    struct ahead ahead[AHEAD_MAX];
    size_t ahead_count;
    _Atomic uint64_t confirmed_ns; /* when the two were last found to be the same: monotonic */

    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stops;
};

/* A key that cannot sign anything any more needs no table. */
static void drop_tables(const struct eds_roster_watch *watch, const struct eds_enrolment *it)
{
    uint64_t now_ms = eds_port_time_ms();

    for (uint32_t i = 0; watch->ingest != NULL && i < it->key_count; i++) {
        bool may_sign = it->state == EDS_DEVICE_ACTIVE || it->state == EDS_DEVICE_QUARANTINED;

        if (!may_sign || eds_key_standing(&it->keys[i], now_ms, 0) != EDS_KEY_VALID)
            eds_ingest_forget_key(watch->ingest, it->keys[i].public_key);
    }
}

/* One that the registry cannot take (a row that was tampered with) still gets
 * its state: what was revoked is not believed for want of a good label. */
static void put(struct eds_roster_watch *watch, const struct eds_enrolment *it)
{
    struct eds_error err;
    int32_t rc = eds_registry_put(watch->registry, it, &err);

    if (rc != EDS_OK) {
        EDS_LOG(EDS_LOG_ERROR, "registry_refused", EDS_LOG_STRING("device_id", it->id),
                EDS_LOG_STRING("error", err.text));
        (void)eds_registry_set_state(watch->registry, it->id, it->state);
        if (rc == EDS_ERR_NO_MEMORY)
            watch->fault = rc; /* to be tried again */
    }
    drop_tables(watch, it);
}

/* Past AHEAD_MAX the others wait for their turn: EDS_ERR_TOO_LARGE ends the walk,
 * before any of the version that would be half taken counts as taken. */
static int32_t take_ahead(void *context, const struct eds_enrolment *it)
{
    struct eds_roster_watch *watch = context;

    if (it->role != EDS_ROLE_DEVICE)
        return EDS_OK;
    if (watch->ahead_count == AHEAD_MAX)
        return EDS_ERR_TOO_LARGE;
    strcpy(watch->ahead[watch->ahead_count].id, it->id);
    watch->ahead[watch->ahead_count++].revision = it->revision;
    put(watch, it);
    return EDS_OK;
}

/* Takes what has been changed since the reading began.  A failure here is the
 * reading's own, or it will be found by the next one. */
static void look_ahead(struct eds_roster_watch *watch)
{
    const struct eds_roster_ops *roster = watch->ledger->roster;
    uint64_t version;

    if (watch->ahead_count == AHEAD_MAX ||
        roster->version(watch->ledger, &version, NULL) != EDS_OK || version == watch->ahead_version)
        return;
    if (roster->changed(watch->ledger, watch->ahead_version, take_ahead, watch, NULL) == EDS_OK)
        watch->ahead_version = version;
}

static bool is_outdated(const struct eds_roster_watch *watch, const struct eds_enrolment *it)
{
    for (size_t i = 0; i < watch->ahead_count; i++)
        if (it->revision < watch->ahead[i].revision && strcmp(it->id, watch->ahead[i].id) == 0)
            return true;
    return false;
}

static int32_t take(void *context, const struct eds_enrolment *it)
{
    struct eds_roster_watch *watch = context;

    if (it->role == EDS_ROLE_DEVICE && !is_outdated(watch, it))
        put(watch, it);
    if (++watch->visits % LOOK_AHEAD_EVERY == 0)
        look_ahead(watch);
    return EDS_OK;
}

/* The version is read first: what is changed meanwhile is read now and again. */
static int32_t refresh(struct eds_roster_watch *watch, struct eds_error *err)
{
    const struct eds_roster_ops *roster = watch->ledger->roster;
    uint64_t version;
    int32_t rc = roster->version(watch->ledger, &version, err);

    if (rc != EDS_OK || version == watch->version)
        return rc;
    watch->fault = EDS_OK;
    watch->visits = 0;
    watch->ahead_version = version;
    watch->ahead_count = 0;
    rc = roster->changed(watch->ledger, watch->version, take, watch, err);
    if (rc == EDS_OK && watch->fault != EDS_OK)
        rc = eds_error_set(err, watch->fault, "no memory for the registry");
    if (rc != EDS_OK)
        return rc;
    EDS_LOG(EDS_LOG_INFO, "registry_loaded", EDS_LOG_NUMBER("version", version),
            EDS_LOG_NUMBER("devices", eds_registry_count(watch->registry)));
    watch->version = version;
    return EDS_OK;
}

int32_t eds_roster_watch_refresh(struct eds_roster_watch *watch, struct eds_error *err)
{
    int32_t rc;

    pthread_mutex_lock(&watch->reading);
    rc = refresh(watch, err);
    if (rc == EDS_OK)
        atomic_store(&watch->confirmed_ns, eds_queue_now_ns());
    pthread_mutex_unlock(&watch->reading);
    return rc;
}

int32_t eds_roster_watch_create(struct eds_roster_watch **out, struct eds_ledger *ledger,
                                struct eds_registry *registry, struct eds_error *err)
{
    struct eds_roster_watch *watch = calloc(1, sizeof *watch);
    int32_t rc;

    if (watch != NULL)
        watch->sightings = eds_sightings_create();
    if (watch == NULL || watch->sightings == NULL) {
        free(watch);
        ledger->ops->close(ledger);
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to watch the registry");
    }
    watch->ledger = ledger;
    watch->registry = registry;
    pthread_mutex_init(&watch->reading, NULL);
    pthread_mutex_init(&watch->lock, NULL);
    pthread_cond_init(&watch->wake, NULL);
    rc = eds_roster_watch_refresh(watch, err);
    if (rc != EDS_OK) {
        eds_roster_watch_stop(watch);
        return rc;
    }
    *out = watch;
    return EDS_OK;
}

struct eds_sightings *eds_roster_watch_sightings(struct eds_roster_watch *watch)
{
    return watch->sightings;
}

static void write_sightings(struct eds_roster_watch *watch)
{
    pthread_mutex_lock(&watch->reading);
    eds_sightings_write(watch->sightings, watch->ledger);
    pthread_mutex_unlock(&watch->reading);
}

/* Waits for the next turn; false when it is time to stop. */
static bool next_turn(struct eds_roster_watch *watch)
{
    struct timespec until;
    bool stops;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += EDS_ROSTER_WATCH_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&watch->lock);
    while (!watch->stops && rc == 0)
        rc = pthread_cond_timedwait(&watch->wake, &watch->lock, &until);
    stops = watch->stops;
    pthread_mutex_unlock(&watch->lock);
    return !stops;
}

static void *watch_main(void *context)
{
    struct eds_roster_watch *watch = context;
    unsigned failed = 0;

    while (next_turn(watch)) {
        struct eds_error err;

        if (eds_roster_watch_refresh(watch, &err) == EDS_OK) {
            write_sightings(watch);
            failed = 0;
            continue;
        }
        if (failed++ % COMPLAIN_EVERY == 0)
            EDS_LOG(EDS_LOG_ERROR, "registry_unreadable", EDS_LOG_STRING("error", err.text));
    }
    return NULL;
}

int32_t eds_roster_watch_start(struct eds_roster_watch *watch, struct eds_ingest *ingest,
                               struct eds_error *err)
{
    watch->ingest = ingest;
    watch->has_thread = pthread_create(&watch->thread, NULL, watch_main, watch) == 0;
    if (!watch->has_thread)
        return eds_error_set(err, EDS_ERR_IO, "no thread to watch the registry");
    return EDS_OK;
}

uint64_t eds_roster_watch_age_ms(const struct eds_roster_watch *watch)
{
    uint64_t confirmed_ns = atomic_load(&watch->confirmed_ns);

    return (eds_queue_now_ns() - confirmed_ns) / 1000000;
}

void eds_roster_watch_stop(struct eds_roster_watch *watch)
{
    if (watch == NULL)
        return;
    pthread_mutex_lock(&watch->lock);
    watch->stops = true;
    pthread_cond_signal(&watch->wake);
    pthread_mutex_unlock(&watch->lock);
    if (watch->has_thread)
        pthread_join(watch->thread, NULL);
    watch->ledger->ops->close(watch->ledger);
    eds_sightings_destroy(watch->sightings);
    pthread_mutex_destroy(&watch->reading);
    pthread_mutex_destroy(&watch->lock);
    pthread_cond_destroy(&watch->wake);
    free(watch);
}

/* uploads.c - see uploads.h.
 *
 * Each waiting submission has a slot.  The slots of one device form a line; its
 * first slot is found by the device's hash, and only the first may leave.  All
 * of it is under one lock, which is never held while a payload is stored. */
#include "ingest/uploads.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/port.h"
#include "base/wipe.h"

#define KNOWN_COUNT 16384u /* payloads remembered as stored, 16 bytes each */
#define NS_PER_S    1000000000u

/* A keyed hash of a device or a payload; nobody can choose two that share one. */
struct key {
    uint64_t words[2];
};

struct slot {
    struct eds_object_put put;
    struct eds_submission *submission;
    struct key device, payload;
    uint64_t arrival;
    uint64_t fails_before; /* what arrived earlier than that fails with this one */
    bool ready;            /* its payload was stored, or could not be */
    struct slot *behind;   /* of the same device; of a free slot: the next free one */
    struct slot *last;     /* of the device's line; of a first slot only */
    struct slot *chained;  /* the next first slot with the same place in firsts */
};

struct eds_uploads {
    struct eds_objects *objects;
    struct eds_queue *queue;
    uint8_t secret[crypto_shorthash_siphashx24_KEYBYTES];
    pthread_mutex_t lock;
    pthread_cond_t emptied;
    struct slot *slots, *free;
    struct slot **firsts; /* place_count of them, a power of two */
    size_t place_count;
    struct key *known;
    uint64_t arrivals;
    uint64_t failure_logged_ns;
    atomic_size_t count; /* written under the lock, read anywhere */
};

static struct key hash(const struct eds_uploads *uploads, const void *bytes, size_t size)
{
    struct key key;

    static_assert(sizeof key == crypto_shorthash_siphashx24_BYTES, "a hash is a key");
    crypto_shorthash_siphashx24((uint8_t *)&key, bytes, size, uploads->secret);
    return key;
}

static bool equal(struct key a, struct key b)
{
    return a.words[0] == b.words[0] && a.words[1] == b.words[1];
}

/* What the store knows a payload by. */
static struct key payload_key(const struct eds_uploads *uploads, const EdsAuditRecord *record)
{
    uint8_t name[EDS_HASH_SIZE + EDS_OBJECT_REF_SIZE];
    size_t ref_size = uploads->objects->by_hash ? 0 : strlen((const char *)record->object_ref);

    memcpy(name, record->payload_hash, EDS_HASH_SIZE);
    memcpy(name + EDS_HASH_SIZE, record->object_ref, ref_size);
    return hash(uploads, name, EDS_HASH_SIZE + ref_size);
}

static bool is_known(const struct eds_uploads *uploads, struct key payload)
{
    return equal(uploads->known[payload.words[0] % KNOWN_COUNT], payload);
}

int32_t eds_uploads_start(struct eds_uploads **out, struct eds_objects *objects,
                          struct eds_queue *queue)
{
    struct eds_uploads *uploads = calloc(1, sizeof *uploads);

    *out = uploads;
    if (uploads == NULL)
        return EDS_ERR_NO_MEMORY;
    uploads->objects = objects;
    uploads->queue = queue;
    uploads->place_count = 1;
    while (uploads->place_count < queue->max)
        uploads->place_count *= 2;
    pthread_mutex_init(&uploads->lock, NULL);
    pthread_cond_init(&uploads->emptied, NULL);
    uploads->slots = calloc(queue->max, sizeof *uploads->slots);
    uploads->firsts = calloc(uploads->place_count, sizeof *uploads->firsts);
    uploads->known = calloc(KNOWN_COUNT, sizeof *uploads->known);
    if (uploads->slots == NULL || uploads->firsts == NULL || uploads->known == NULL)
        return EDS_ERR_NO_MEMORY;
    for (size_t i = 0; i < queue->max; i++) {
        uploads->slots[i].behind = uploads->free;
        uploads->free = &uploads->slots[i];
    }
    return eds_port_random(uploads->secret, sizeof uploads->secret) == 0 ? EDS_OK : EDS_ERR_PANIC;
}

/* Where the first slot of a device is, or NULL is, if it has none. */
static struct slot **first_of(struct eds_uploads *uploads, struct key device)
{
    struct slot **at = &uploads->firsts[device.words[0] & (uploads->place_count - 1)];

    while (*at != NULL && !equal((*at)->device, device))
        at = &(*at)->chained;
    return at;
}

/* To the committer; there is room, because only we let anything in. */
static void hand_on(struct eds_uploads *uploads, struct eds_submission *submission)
{
    bool taken = eds_queue_push(uploads->queue, submission);

    assert(taken);
    (void)taken;
}

/* Says on standard error that the store failed, at most once a second. */
static void log_failure(struct eds_uploads *uploads, const struct eds_submission *submission,
                        const struct eds_error *err)
{
    const EdsAuditRecord *record = &submission->request.entry->record;
    uint64_t now = eds_queue_now_ns();

    if (uploads->failure_logged_ns != 0 && now - uploads->failure_logged_ns < NS_PER_S)
        return;
    uploads->failure_logged_ns = now;
    EDS_LOG(EDS_LOG_ERROR, "raw_data_store_write_failed", EDS_LOG_STRING("call", "put"),
            EDS_LOG_STRING("device_id", (const char *)record->device_id),
            EDS_LOG_NUMBER("sequence", record->sequence), EDS_LOG_STRING("error", err->text));
}

/* What became of the payload, for the committer. */
static void settle(struct eds_uploads *uploads, struct slot *slot)
{
    struct eds_submission *submission = slot->submission;

    submission->payload_place = EDS_PAYLOAD_STORED;
    if (slot->put.rc == EDS_ERR_EXISTS && !uploads->objects->by_hash) {
        submission->payload_place = EDS_PAYLOAD_TAKEN;
    } else if (slot->put.rc == EDS_ERR_NOT_FOUND && slot->put.only_look) {
        eds_submission_miss_payload(submission);
    } else if (slot->put.rc != EDS_OK) {
        log_failure(uploads, submission, &slot->put.err);
        slot->fails_before = uploads->arrivals + 1; /* whatever is here by now */
    }
    if (slot->arrival < slot->fails_before)
        submission->verdict = EDS_VERDICT_STORE;
}

/* Lets the first of a line leave, and whoever is ready behind it. */
static void release(struct eds_uploads *uploads, struct slot **first)
{
    while (*first != NULL && (*first)->ready) {
        struct slot *slot = *first, *next = slot->behind;

        settle(uploads, slot);
        if (next != NULL) {
            if (next->fails_before < slot->fails_before)
                next->fails_before = slot->fails_before;
            next->last = slot->last;
            next->chained = slot->chained;
            *first = next;
        } else {
            *first = slot->chained;
        }
        hand_on(uploads, slot->submission);
        slot->behind = uploads->free;
        uploads->free = slot;
        atomic_fetch_sub_explicit(&uploads->count, 1, memory_order_relaxed);
        if (next == NULL)
            break; /* *first is another device's by now */
    }
    if (eds_uploads_count(uploads) == 0)
        pthread_cond_broadcast(&uploads->emptied);
}

static void stored(struct eds_object_put *put)
{
    struct eds_uploads *uploads = put->context;
    struct slot *slot = (struct slot *)put; /* put is its first member */

    pthread_mutex_lock(&uploads->lock);
    slot->ready = true;
    if (put->rc == EDS_OK)
        uploads->known[slot->payload.words[0] % KNOWN_COUNT] = slot->payload;
    release(uploads, first_of(uploads, slot->device));
    pthread_mutex_unlock(&uploads->lock);
}

/* Fills a free slot and puts it at the end of its device's line. */
static struct slot *line_up(struct eds_uploads *uploads, struct eds_submission *submission,
                            struct key device, struct key payload)
{
    const EdsAuditRecord *record = &submission->request.entry->record;
    struct slot **first = first_of(uploads, device), *slot = uploads->free;

    uploads->free = slot->behind;
    *slot = (struct slot){
        .put = {.name = {.object_ref = (const char *)record->object_ref},
                .only_look = submission->request.payload_absent,
                .payload = submission->request.payload,
                .payload_size = submission->request.payload_size,
                .done = stored,
                .context = uploads},
        .submission = submission,
        .device = device,
        .payload = payload,
        .arrival = ++uploads->arrivals,
        .ready = is_known(uploads, payload), /* put.rc is EDS_OK */
    };
    memcpy(slot->put.name.payload_hash, record->payload_hash, EDS_HASH_SIZE);
    if (*first != NULL) {
        (*first)->last->behind = slot;
        (*first)->last = slot;
    } else {
        slot->last = slot;
        *first = slot;
    }
    atomic_fetch_add_explicit(&uploads->count, 1, memory_order_relaxed);
    return slot;
}

bool eds_uploads_push(struct eds_uploads *uploads, struct eds_submission *submission)
{
    const EdsAuditRecord *record = &submission->request.entry->record;
    struct key device = hash(uploads, record->device_id, strlen((const char *)record->device_id));
    struct key payload = payload_key(uploads, record);
    struct slot *slot = NULL;

    pthread_mutex_lock(&uploads->lock);
    if (eds_uploads_count(uploads) + eds_queue_count(uploads->queue) >= uploads->queue->max) {
        pthread_mutex_unlock(&uploads->lock);
        return false;
    }
    if (submission->verdict != EDS_VERDICT_ACCEPTED &&
        !(submission->verdict == EDS_VERDICT_QUARANTINED && submission->request.payload_absent)) {
        hand_on(uploads, submission);
    } else if (is_known(uploads, payload) && *first_of(uploads, device) == NULL) {
        submission->payload_place = EDS_PAYLOAD_STORED;
        hand_on(uploads, submission);
    } else {
        slot = line_up(uploads, submission, device, payload);
        if (slot->ready)
            slot = NULL; /* it leaves with the one before it */
    }
    pthread_mutex_unlock(&uploads->lock);
    if (slot != NULL)
        uploads->objects->ops->put(uploads->objects, &slot->put);
    return true;
}

size_t eds_uploads_count(struct eds_uploads *uploads)
{
    return atomic_load_explicit(&uploads->count, memory_order_relaxed);
}

void eds_uploads_stop(struct eds_uploads *uploads)
{
    if (uploads == NULL)
        return;
    pthread_mutex_lock(&uploads->lock);
    while (eds_uploads_count(uploads) > 0)
        pthread_cond_wait(&uploads->emptied, &uploads->lock);
    pthread_mutex_unlock(&uploads->lock);
    pthread_cond_destroy(&uploads->emptied);
    pthread_mutex_destroy(&uploads->lock);
    eds_wipe(uploads->secret, sizeof uploads->secret);
    free(uploads->slots);
    free(uploads->firsts);
    free(uploads->known);
    free(uploads);
}

/* sightings.c - see sightings.h. */
#include "ingest/sightings.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/port.h"
#include "codec/json_note.h"
#include "registry/lifecycle.h"
#include "store/roster.h"

#define FIRMWARE    "firmware"
#define ATTEMPT_MAX 3 /* an operator may change the device in the same moment */

struct sighting {
    char device_id[EDS_DEVICE_ID_SIZE];
    char firmware[EDS_ENROLMENT_LABEL_SIZE];
    uint64_t sequence; /* of the note */
};

struct eds_sightings {
    pthread_mutex_t lock;
    struct sighting waiting[EDS_SIGHTINGS_MAX];
    size_t count;
};

struct eds_sightings *eds_sightings_create(void)
{
    struct eds_sightings *sightings = calloc(1, sizeof *sightings);

    if (sightings != NULL)
        pthread_mutex_init(&sightings->lock, NULL);
    return sightings;
}

void eds_sightings_destroy(struct eds_sightings *sightings)
{
    if (sightings == NULL)
        return;
    pthread_mutex_destroy(&sightings->lock);
    free(sightings);
}

/* The device's place, or a new one; NULL if there is none.  Under the lock. */
static struct sighting *place_of(struct eds_sightings *sightings, const char *device_id)
{
    struct sighting *place = NULL;

    for (size_t i = 0; i < sightings->count && place == NULL; i++)
        if (strcmp(sightings->waiting[i].device_id, device_id) == 0)
            place = &sightings->waiting[i];
    if (place != NULL || sightings->count == EDS_SIGHTINGS_MAX)
        return place;
    place = &sightings->waiting[sightings->count++];
    *place = (struct sighting){.sequence = 0};
    strcpy(place->device_id, device_id);
    return place;
}

void eds_sightings_take(struct eds_sightings *sightings, const EdsAuditRecord *record,
                        const void *payload, size_t payload_size)
{
    const char *device_id = (const char *)record->device_id;
    struct sighting *place;
    struct eds_note note;

    if (!eds_note_is_one(record) || payload == NULL ||
        eds_json_note_decode(&note, payload, payload_size, NULL) != EDS_OK ||
        strcmp(note.kind, FIRMWARE) != 0)
        return;
    if (eds_lifecycle_check_text(note.text, EDS_ENROLMENT_LABEL_SIZE, FIRMWARE, NULL) != EDS_OK) {
        EDS_LOG(EDS_LOG_WARN, "firmware_note_unusable", EDS_LOG_STRING("device_id", device_id),
                EDS_LOG_NUMBER("sequence", record->sequence));
        return;
    }
    pthread_mutex_lock(&sightings->lock);
    place = place_of(sightings, device_id);
    if (place != NULL && record->sequence >= place->sequence) {
        strcpy(place->firmware, note.text);
        place->sequence = record->sequence;
    }
    pthread_mutex_unlock(&sightings->lock);
    if (place == NULL)
        EDS_LOG(EDS_LOG_WARN, "firmware_note_dropped", EDS_LOG_STRING("device_id", device_id),
                EDS_LOG_NUMBER("sequence", record->sequence));
}

/* Devices that are known by an option of the server alone are not in the registry. */
static int32_t write_one(const struct sighting *seen, struct eds_ledger *ledger,
                         struct eds_error *err)
{
    struct eds_enrolment it;
    char message[EDS_ENROLMENT_LABEL_SIZE + 64];
    struct eds_roster_change change = {&it, message, seen->device_id, "the device said so"};
    int32_t rc = EDS_ERR_HEAD_MOVED;

    for (int i = 0; i < ATTEMPT_MAX && rc == EDS_ERR_HEAD_MOVED; i++) {
        rc = ledger->roster->find(ledger, EDS_ROLE_DEVICE, seen->device_id, &it, err);
        if (rc == EDS_ERR_NOT_FOUND || (rc == EDS_OK && strcmp(it.firmware, seen->firmware) == 0))
            return EDS_OK;
        if (rc != EDS_OK)
            return rc;
        strcpy(it.firmware, seen->firmware);
        snprintf(message, sizeof message, "firmware seen: %s (record %llu)", seen->firmware,
                 (unsigned long long)seen->sequence);
        rc = ledger->roster->change(ledger, &change, 1, eds_port_time_ms(), err);
    }
    return rc;
}

/* True if it needs not be tried again. */
static bool is_done(const struct sighting *seen, int32_t rc, const struct eds_error *err)
{
    if (rc == EDS_OK)
        return true;
    if (rc == EDS_ERR_IO || rc == EDS_ERR_NO_MEMORY || rc == EDS_ERR_HEAD_MOVED)
        return false;
    EDS_LOG(EDS_LOG_WARN, "firmware_not_registered", EDS_LOG_STRING("device_id", seen->device_id),
            EDS_LOG_STRING("error", err->text));
    return true;
}

/* The one that waits longest; false if none does. */
static bool first_of(struct eds_sightings *sightings, struct sighting *out)
{
    bool is_there;

    pthread_mutex_lock(&sightings->lock);
    is_there = sightings->count > 0;
    *out = sightings->waiting[0];
    pthread_mutex_unlock(&sightings->lock);
    return is_there;
}

/* Takes it out, unless its device has said something else meanwhile. */
static void take_out(struct eds_sightings *sightings, const struct sighting *seen)
{
    pthread_mutex_lock(&sightings->lock);
    if (sightings->waiting[0].sequence == seen->sequence)
        sightings->waiting[0] = sightings->waiting[--sightings->count];
    pthread_mutex_unlock(&sightings->lock);
}

void eds_sightings_write(struct eds_sightings *sightings, struct eds_ledger *ledger)
{
    struct sighting seen;
    struct eds_error err;

    while (first_of(sightings, &seen) && is_done(&seen, write_one(&seen, ledger, &err), &err))
        take_out(sightings, &seen);
}

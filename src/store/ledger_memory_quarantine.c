/* ledger_memory_quarantine.c - records kept apart, in memory. */
#include <stdlib.h>
#include <string.h>

#include "store/ledger_memory.h"

static const char *device_of(const struct eds_quarantined *kept)
{
    return (const char *)kept->entry.record.device_id;
}

static bool is_there(const struct memory_ledger *memory, const struct eds_append *append)
{
    for (size_t i = 0; i < memory->quarantined_count; i++) {
        const struct eds_quarantined *kept = memory->quarantined[i];

        if (kept != NULL && memcmp(kept->record_hash, append->record_hash, EDS_HASH_SIZE) == 0)
            return true;
    }
    return false;
}

int32_t eds_memory_add_quarantined(struct memory_ledger *memory, const struct eds_append *append,
                                   uint64_t now_ms, struct eds_error *err)
{
    const char *device_id = (const char *)append->entry->record.device_id;
    struct eds_enrolment *device = eds_memory_device(memory, device_id);
    struct eds_quarantined **list, *kept;

    if (is_there(memory, append))
        return EDS_OK;
    if (device == NULL || device->state != EDS_DEVICE_QUARANTINED ||
        device->quarantine_arrived - device->quarantine_left >= EDS_QUARANTINED_MAX)
        return eds_error_set(err, EDS_ERR_HEAD_MOVED,
                             "device %s is not quarantined, or has %u records there", device_id,
                             EDS_QUARANTINED_MAX);
    list = eds_memory_grown(memory->quarantined, &memory->quarantined_capacity,
                            memory->quarantined_count, sizeof(*list));
    if (list != NULL)
        memory->quarantined = list;
    kept = list != NULL ? malloc(sizeof *kept) : NULL;
    if (kept != NULL)
        kept->payload = malloc(append->payload_size > 0 ? append->payload_size : 1);
    if (kept == NULL || kept->payload == NULL) {
        free(kept);
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to keep a commit");
    }
    kept->id = memory->quarantined_count + 1;
    kept->entry = *append->entry;
    memcpy(kept->record_hash, append->record_hash, EDS_HASH_SIZE);
    kept->ingested_ms = now_ms;
    kept->payload_size = append->payload_size;
    if (append->payload_size > 0)
        memcpy(kept->payload, append->payload, append->payload_size);
    list[memory->quarantined_count++] = kept;
    device->quarantine_arrived++;
    return EDS_OK;
}

static void free_one(struct eds_quarantined *kept)
{
    if (kept != NULL)
        free(kept->payload);
    free(kept);
}

void eds_memory_cut_quarantined(struct memory_ledger *memory, size_t count)
{
    while (memory->quarantined_count > count) {
        struct eds_quarantined *kept = memory->quarantined[--memory->quarantined_count];

        eds_memory_device(memory, device_of(kept))->quarantine_arrived--;
        free_one(kept);
    }
}

void eds_memory_quarantine_free(struct memory_ledger *memory)
{
    for (size_t i = 0; i < memory->quarantined_count; i++)
        free_one(memory->quarantined[i]);
    free(memory->quarantined);
}

static bool is_after(uint64_t sequence, uint64_t id, uint64_t than_sequence, uint64_t than_id)
{
    return sequence > than_sequence || (sequence == than_sequence && id > than_id);
}

static int32_t memory_next(struct eds_ledger *ledger, const char *device_id,
                           struct eds_quarantine_place *place, struct eds_quarantined *out,
                           struct eds_error *err)
{
    struct memory_ledger *memory = (struct memory_ledger *)ledger;
    const struct eds_quarantined *best = NULL;

    for (size_t i = 0; i < memory->quarantined_count; i++) {
        const struct eds_quarantined *kept = memory->quarantined[i];

        if (kept != NULL && strcmp(device_of(kept), device_id) == 0 &&
            is_after(kept->entry.record.sequence, kept->id, place->sequence, place->id) &&
            (best == NULL || is_after(best->entry.record.sequence, best->id,
                                      kept->entry.record.sequence, kept->id)))
            best = kept;
    }
    if (best == NULL)
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "no more records of %s are kept apart",
                             device_id);
    *out = *best;
    out->payload = malloc(best->payload_size > 0 ? best->payload_size : 1);
    if (out->payload == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for a payload");
    if (best->payload_size > 0)
        memcpy(out->payload, best->payload, best->payload_size);
    *place = (struct eds_quarantine_place){best->entry.record.sequence, best->id};
    return EDS_OK;
}

static int32_t memory_remove(struct eds_ledger *ledger, const char *device_id, const uint64_t *ids,
                             size_t count, struct eds_error *err)
{
    struct memory_ledger *memory = (struct memory_ledger *)ledger;
    struct eds_enrolment *device = eds_memory_device(memory, device_id);

    (void)err;
    for (size_t i = 0; i < count; i++) {
        struct eds_quarantined *kept = NULL;

        if (ids[i] >= 1 && ids[i] <= memory->quarantined_count)
            kept = memory->quarantined[ids[i] - 1];
        if (kept == NULL || device == NULL || strcmp(device_of(kept), device_id) != 0)
            continue;
        memory->quarantined[ids[i] - 1] = NULL;
        device->quarantine_left++;
        free_one(kept);
    }
    return EDS_OK;
}

const struct eds_quarantine_ops eds_memory_quarantine_ops = {
    .next = memory_next,
    .remove = memory_remove,
};

/* pending.c - see pending.h. */
#include "ingest/pending.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/gate.h"

bool eds_pending_init(struct eds_pending *pending, size_t max)
{
    size_t slot_count = 2;

    assert(max > 0 && max < EDS_PENDING_NONE / 4);
    while (slot_count < 2 * max)
        slot_count *= 2;
    *pending = (struct eds_pending){
        .max = max,
        .devices = calloc(max, sizeof *pending->devices),
        .appends = calloc(max, sizeof *pending->appends),
        .append_before = calloc(max, sizeof *pending->append_before),
        .device_slots = calloc(slot_count, sizeof *pending->device_slots),
        .object_slots = calloc(slot_count, sizeof *pending->object_slots),
        .slot_count = slot_count,
    };
    if (pending->devices == NULL || pending->appends == NULL || pending->append_before == NULL ||
        pending->device_slots == NULL || pending->object_slots == NULL)
        return false;
    eds_pending_clear(pending);
    return true;
}

void eds_pending_free(struct eds_pending *pending)
{
    free(pending->devices);
    free(pending->appends);
    free(pending->append_before);
    free(pending->device_slots);
    free(pending->object_slots);
}

void eds_pending_clear(struct eds_pending *pending)
{
    pending->device_count = 0;
    pending->append_count = 0;
    pending->last_device = NULL;
    /* All bits set is EDS_PENDING_NONE. */
    memset(pending->device_slots, 0xff, pending->slot_count * sizeof *pending->device_slots);
    memset(pending->object_slots, 0xff, pending->slot_count * sizeof *pending->object_slots);
}

struct eds_pending_device *eds_pending_same(const struct eds_pending *pending,
                                            const char *device_id)
{
    struct eds_pending_device *last = pending->last_device;

    return last != NULL && strcmp(last->device_id, device_id) == 0 ? last : NULL;
}

struct eds_pending_device *eds_pending_device(struct eds_pending *pending, const char *device_id,
                                              struct eds_head_key key, bool *added)
{
    size_t mask = pending->slot_count - 1, at = (size_t)key.words[0] & mask;
    struct eds_pending_device *device;

    for (; pending->device_slots[at] != EDS_PENDING_NONE; at = (at + 1) & mask) {
        device = &pending->devices[pending->device_slots[at]];
        if (strcmp(device->device_id, device_id) == 0) {
            *added = false;
            pending->last_device = device;
            return device;
        }
    }
    assert(pending->device_count < pending->max);
    pending->device_slots[at] = (uint32_t)pending->device_count;
    device = &pending->devices[pending->device_count++];
    *device = (struct eds_pending_device){
        .device_id = device_id, .key = key, .last_append = EDS_PENDING_NONE};
    *added = true;
    pending->last_device = device;
    return device;
}

static const char *object_ref_of(const struct eds_append *append)
{
    return (const char *)append->entry->record.object_ref;
}

/* The slot of a reference, or the free one where it belongs. */
static size_t object_slot(const struct eds_pending *pending, const char *object_ref,
                          struct eds_head_key key)
{
    size_t mask = pending->slot_count - 1, at = (size_t)key.words[0] & mask;

    while (pending->object_slots[at] != EDS_PENDING_NONE &&
           strcmp(object_ref_of(&pending->appends[pending->object_slots[at]]), object_ref) != 0)
        at = (at + 1) & mask;
    return at;
}

void eds_pending_append(struct eds_pending *pending, struct eds_pending_device *device,
                        const struct eds_append *append, struct eds_head_key object_key)
{
    uint32_t index = (uint32_t)pending->append_count++;

    assert(index < pending->max);
    pending->appends[index] = *append;
    pending->append_before[index] = device->last_append;
    pending->object_slots[object_slot(pending, object_ref_of(append), object_key)] = index;
    device->last_append = index;
    device->append_count++;
    eds_gate_advance(&device->head, append->entry, append->record_hash);
}

const uint8_t *eds_pending_record_hash(const struct eds_pending *pending,
                                       const struct eds_pending_device *device, uint64_t sequence)
{
    uint32_t index = device->last_append;

    while (index != EDS_PENDING_NONE && pending->appends[index].entry->record.sequence != sequence)
        index = pending->append_before[index];
    return index == EDS_PENDING_NONE ? NULL : pending->appends[index].record_hash;
}

const uint8_t *eds_pending_object(const struct eds_pending *pending, const char *object_ref,
                                  struct eds_head_key object_key)
{
    uint32_t index = pending->object_slots[object_slot(pending, object_ref, object_key)];

    return index == EDS_PENDING_NONE ? NULL : pending->appends[index].entry->record.payload_hash;
}

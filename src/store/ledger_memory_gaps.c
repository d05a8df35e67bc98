/* ledger_memory_gaps.c - gaps that were closed, in memory. */
#include <stdlib.h>
#include <string.h>

#include "store/ledger_memory.h"

static int32_t no_memory(struct eds_error *err)
{
    return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to close a gap");
}

static bool is_operator(struct memory_ledger *memory, const struct eds_gap_closing *closing)
{
    size_t place =
        eds_key_table_find(&memory->enrolled_ids[EDS_ROLE_OPERATOR], closing->gap->operator_name);

    return place != EDS_KEY_ABSENT &&
           memory->enrolments[EDS_ROLE_OPERATOR][place]->revision == closing->operator_revision;
}

/* What can fail, at the ends of the lists; the device goes first, and stays there
 * without a record if the rest fails: what is cut again is the caller's. */
static int32_t add(struct memory_ledger *memory, const struct eds_gap_closing *closing,
                   struct memory_gap **added, struct eds_error *err)
{
    const struct eds_gap *gap = closing->gap;
    struct eds_operation line = {EDS_DECISION_CHANGED, gap->device_id,     gap->resume_sequence,
                                 closing->message,     gap->operator_name, gap->reason};
    struct memory_gap *kept = malloc(sizeof *kept);

    *added = kept;
    if (kept == NULL)
        return no_memory(err);
    *kept = (struct memory_gap){.gap = *gap};
    if (eds_memory_device_of(memory, gap->device_id) == NULL &&
        eds_memory_add_device(memory, gap->device_id) != EDS_OK)
        return no_memory(err);
    return eds_memory_add_operation(memory, &line, closing->now_ms, err);
}

static void move_head(struct memory_ledger *memory, struct memory_gap *kept)
{
    struct memory_device *device = eds_memory_device_of(memory, kept->gap.device_id);
    struct memory_gap **end = &device->gaps;

    while (*end != NULL)
        end = &(*end)->next;
    *end = kept;
    kept->id = ++memory->gap_count;
    device->head.sequence = kept->gap.resume_sequence - 1;
    memcpy(device->head.record_hash, kept->gap.resume_hash, EDS_HASH_SIZE);
}

static int32_t memory_close(struct eds_ledger *ledger, const struct eds_gap_closing *closing,
                            struct eds_error *err)
{
    struct memory_ledger *memory = (struct memory_ledger *)ledger;
    const struct eds_gap *gap = closing->gap;
    size_t device_count = memory->device_ids.count;
    struct memory_gap *kept;
    struct eds_head head;
    int32_t rc = eds_gap_check(gap, err);

    if (rc == EDS_OK)
        rc = ledger->ops->head(ledger, gap->device_id, &head, err);
    if (rc != EDS_OK)
        return rc;
    if (!eds_gap_begins_at(gap, head.sequence, head.record_hash) || !is_operator(memory, closing))
        return eds_error_set(err, EDS_ERR_HEAD_MOVED,
                             "the head of device %s is another one by now, or operator %s was "
                             "changed",
                             gap->device_id, gap->operator_name);
    rc = add(memory, closing, &kept, err);
    if (rc == EDS_OK) {
        move_head(memory, kept);
        return EDS_OK;
    }
    eds_memory_cut_devices(memory, device_count);
    free(kept);
    return rc;
}

/* The device's first gap after an id, or NULL. */
static const struct memory_gap *find(const struct memory_device *device, uint64_t id)
{
    const struct memory_gap *at = device->gaps;

    while (at != NULL && at->id <= id)
        at = at->next;
    return at;
}

/* Looks at all devices each time: this store is for tests and demos. */
static const struct memory_gap *find_any(const struct memory_ledger *memory,
                                         const struct eds_gap_place *place)
{
    const struct memory_gap *best = NULL;

    for (size_t i = 0; i < memory->device_ids.count; i++) {
        const struct memory_device *device = &memory->devices[i];
        int order = strcmp(device->id, place->device_id);
        const struct memory_gap *at = order < 0 ? NULL : find(device, order == 0 ? place->id : 0);

        if (at != NULL && (best == NULL || strcmp(at->gap.device_id, best->gap.device_id) < 0))
            best = at;
    }
    return best;
}

static int32_t memory_next(struct eds_ledger *ledger, const char *device_id,
                           struct eds_gap_place *place, struct eds_gap *out, struct eds_error *err)
{
    struct memory_ledger *memory = (struct memory_ledger *)ledger;
    const struct memory_device *device =
        device_id != NULL ? eds_memory_device_of(memory, device_id) : NULL;
    const struct memory_gap *found = NULL;

    if (device != NULL)
        found = find(device, place->id);
    else if (device_id == NULL)
        found = find_any(memory, place);
    if (found == NULL)
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "no more gaps are closed here");
    *out = found->gap;
    strcpy(place->device_id, found->gap.device_id);
    place->id = found->id;
    return EDS_OK;
}

void eds_memory_gaps_free(struct memory_device *device)
{
    while (device->gaps != NULL) {
        struct memory_gap *next = device->gaps->next;

        free(device->gaps);
        device->gaps = next;
    }
}

const struct eds_gap_ops eds_memory_gap_ops = {
    .close = memory_close,
    .next = memory_next,
};

/* ledger_memory.c - the in-memory ledger: open, look up, count, close. */
#include "store/ledger_memory.h"

#include <stdlib.h>
#include <string.h>

static int32_t memory_head(struct eds_ledger *ledger, const char *device_id, struct eds_head *out,
                           struct eds_error *err)
{
    struct memory_ledger *memory = (struct memory_ledger *)ledger;
    size_t index = eds_key_table_find(&memory->device_ids, device_id);

    (void)err;
    if (index == EDS_KEY_ABSENT)
        memset(out, 0, sizeof *out);
    else
        *out = memory->devices[index].head;
    return EDS_OK;
}

/* By halving: where gaps were closed, sequences are not places. */
static const struct memory_record *find_record(const struct memory_device *device,
                                               uint64_t sequence)
{
    size_t from = 0, to = device->record_count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (device->records[middle]->sequence == sequence)
            return device->records[middle];
        if (device->records[middle]->sequence < sequence)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

static int32_t memory_record_hash(struct eds_ledger *ledger, const char *device_id,
                                  uint64_t sequence, uint8_t out[EDS_HASH_SIZE],
                                  struct eds_error *err)
{
    struct memory_ledger *memory = (struct memory_ledger *)ledger;
    const struct memory_device *device = eds_memory_device_of(memory, device_id);
    const struct memory_record *record = device != NULL ? find_record(device, sequence) : NULL;

    if (record == NULL)
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "device %s has no record %llu", device_id,
                             (unsigned long long)sequence);
    memcpy(out, record->record_hash, EDS_HASH_SIZE);
    return EDS_OK;
}

static int32_t memory_object(struct eds_ledger *ledger, const char *object_ref,
                             uint8_t out[EDS_HASH_SIZE], struct eds_error *err)
{
    struct memory_ledger *memory = (struct memory_ledger *)ledger;
    size_t index = eds_key_table_find(&memory->object_refs, object_ref);

    if (index == EDS_KEY_ABSENT)
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "no object %s", object_ref);
    memcpy(out, memory->objects[index].payload_hash, EDS_HASH_SIZE);
    return EDS_OK;
}

static int32_t memory_payload(struct eds_ledger *ledger, const char *object_ref, void **out,
                              size_t *out_size, struct eds_error *err)
{
    struct memory_ledger *memory = (struct memory_ledger *)ledger;
    size_t index = eds_key_table_find(&memory->object_refs, object_ref);
    const struct memory_object *object;

    if (index == EDS_KEY_ABSENT || memory->objects[index].payload == NULL)
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "no payload for %s is kept here", object_ref);
    object = &memory->objects[index];
    *out = malloc(object->payload_size > 0 ? object->payload_size : 1);
    if (*out == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for the %zu bytes of %s",
                             object->payload_size, object_ref);
    memcpy(*out, object->payload, object->payload_size);
    *out_size = object->payload_size;
    return EDS_OK;
}

static int32_t memory_counts(struct eds_ledger *ledger, struct eds_ledger_counts *out,
                             struct eds_error *err)
{
    struct memory_ledger *memory = (struct memory_ledger *)ledger;

    (void)err;
    *out = (struct eds_ledger_counts){
        .records = memory->record_count,
        .devices = memory->device_ids.count,
        .operations = memory->operation_count,
        .accepted = memory->accepted_count,
        .rejected = memory->operation_count - memory->accepted_count - memory->kept_apart_count -
                    memory->changed_count,
        .quarantined = memory->kept_apart_count,
        .changed = memory->changed_count,
        .conflicts = memory->conflict_count,
        .objects = memory->object_refs.count,
    };
    return EDS_OK;
}

static void memory_close(struct eds_ledger *ledger)
{
    struct memory_ledger *memory = (struct memory_ledger *)ledger;

    for (size_t i = 0; i < memory->device_ids.count; i++) {
        for (size_t n = 0; n < memory->devices[i].record_count; n++)
            free(memory->devices[i].records[n]);
        eds_memory_gaps_free(&memory->devices[i]);
        free(memory->devices[i].records);
        free(memory->devices[i].id);
    }
    for (size_t i = 0; i < memory->object_refs.count; i++) {
        free(memory->objects[i].ref);
        free(memory->objects[i].payload);
    }
    for (size_t i = 0; i < memory->conflict_count; i++) {
        free(memory->conflicts[i]->record);
        free(memory->conflicts[i]);
    }
    for (size_t i = 0; i < memory->operation_count; i++)
        free(memory->operations[i]);
    eds_memory_orders_free(memory);
    free(memory->devices);
    free(memory->objects);
    free(memory->conflicts);
    free(memory->operations);
    eds_memory_quarantine_free(memory);
    eds_memory_roster_free(memory);
    eds_key_table_free(&memory->device_ids);
    eds_key_table_free(&memory->object_refs);
    eds_commit_plan_free(&memory->plan);
    free(memory);
}

static const struct eds_ledger_ops memory_ops = {
    .name = "memory",
    .commit = eds_memory_commit,
    .head = memory_head,
    .record_hash = memory_record_hash,
    .object = memory_object,
    .payload = memory_payload,
    .scan = eds_memory_scan,
    .scan_whole = eds_memory_scan_whole,
    .heads = eds_memory_heads,
    .operations = eds_memory_operations,
    .conflicts = eds_memory_conflicts,
    .counts = memory_counts,
    .close = memory_close,
};

int32_t eds_memory_open(struct eds_ledger **out, struct eds_error *err)
{
    struct memory_ledger *memory = calloc(1, sizeof *memory);
    int32_t rc;

    if (memory == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for a ledger");
    memory->ledger.ops = &memory_ops;
    memory->ledger.roster = &eds_memory_roster_ops;
    memory->ledger.quarantine = &eds_memory_quarantine_ops;
    memory->ledger.gaps = &eds_memory_gap_ops;
    memory->ledger.orders = &eds_memory_order_ops;
    rc = eds_key_table_init(&memory->device_ids, err);
    if (rc == EDS_OK)
        rc = eds_key_table_init(&memory->object_refs, err);
    for (unsigned i = 0; rc == EDS_OK && i < EDS_ROLE_COUNT; i++)
        rc = eds_key_table_init(&memory->enrolled_ids[i], err);
    if (rc == EDS_OK)
        rc = eds_commit_plan_init(&memory->plan, err);
    if (rc != EDS_OK) {
        memory_close(&memory->ledger);
        return rc;
    }
    *out = &memory->ledger;
    return EDS_OK;
}

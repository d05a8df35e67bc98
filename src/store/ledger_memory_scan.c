/* ledger_memory_scan.c - the in-memory ledger, read from end to end. */
#include "store/ledger_memory.h"

#include <stdlib.h>
#include <string.h>

static int32_t visit_record(const char *device_id, const struct memory_record *record,
                            int32_t (*visit)(void *context, const struct eds_stored *),
                            void *context)
{
    struct eds_entry entry = {.attestation = record->attestation};
    struct eds_stored stored = {.entry = &entry, .ingested_ms = record->ingested_ms};

    entry.record.sequence = record->sequence;
    entry.record.timestamp_ms = record->timestamp_ms;
    memcpy(entry.record.payload_hash, record->payload_hash, EDS_HASH_SIZE);
    memcpy(entry.record.signature, record->signature, EDS_SIGNATURE_SIZE);
    memcpy(entry.record.prev_record_hash, record->prev_record_hash, EDS_HASH_SIZE);
    memcpy(entry.record.device_id, device_id, strlen(device_id) + 1);
    memcpy(entry.record.object_ref, record->object_ref, strlen(record->object_ref) + 1);
    memcpy(stored.record_hash, record->record_hash, EDS_HASH_SIZE);
    return visit(context, &stored);
}

/* Stands before a visit, and says what the record's reference stands for. */
struct whole {
    const struct memory_ledger *memory;
    int32_t (*visit)(void *context, const struct eds_stored *);
    void *context;
};

static int32_t visit_whole(void *context, const struct eds_stored *stored)
{
    const struct whole *whole = context;
    struct eds_stored_object object = {.is_there = false};
    struct eds_stored copy = *stored;
    size_t index = eds_key_table_find(&whole->memory->object_refs,
                                      (const char *)stored->entry->record.object_ref);

    if (index != EDS_KEY_ABSENT) {
        const struct memory_object *kept = &whole->memory->objects[index];

        object.is_there = true;
        memcpy(object.payload_hash, kept->payload_hash, EDS_HASH_SIZE);
        object.payload = kept->payload;
        object.payload_size = kept->payload_size;
    }
    copy.object = &object;
    return whole->visit(whole->context, &copy);
}

static int32_t scan_device(const struct memory_device *device,
                           int32_t (*visit)(void *context, const struct eds_stored *),
                           void *context)
{
    int32_t rc = EDS_OK;

    for (size_t i = 0; rc == EDS_OK && i < device->record_count; i++)
        rc = visit_record(device->id, device->records[i], visit, context);
    return rc;
}

static int compare_ids(const void *a, const void *b)
{
    const struct memory_device *const *left = a, *const *right = b;

    return strcmp((*left)->id, (*right)->id);
}

/* The devices in byte order of their ids, for the caller to free. */
static const struct memory_device **sorted_devices(const struct memory_ledger *memory,
                                                   struct eds_error *err)
{
    size_t count = memory->device_ids.count;
    const struct memory_device **sorted = malloc((count + 1) * sizeof(*sorted));

    if (sorted == NULL) {
        eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to sort %zu devices", count);
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        sorted[i] = &memory->devices[i];
    qsort(sorted, count, sizeof(*sorted), compare_ids);
    return sorted;
}

int32_t eds_memory_scan(struct eds_ledger *ledger, const char *device_id,
                        int32_t (*visit)(void *context, const struct eds_stored *), void *context,
                        struct eds_error *err)
{
    struct memory_ledger *memory = (struct memory_ledger *)ledger;
    const struct memory_device **sorted;
    int32_t rc = EDS_OK;

    if (device_id != NULL) {
        size_t index = eds_key_table_find(&memory->device_ids, device_id);

        return index == EDS_KEY_ABSENT ? EDS_OK
                                       : scan_device(&memory->devices[index], visit, context);
    }
    sorted = sorted_devices(memory, err);
    if (sorted == NULL)
        return EDS_ERR_NO_MEMORY;
    for (size_t i = 0; rc == EDS_OK && i < memory->device_ids.count; i++)
        rc = scan_device(sorted[i], visit, context);
    free(sorted);
    return rc;
}

int32_t eds_memory_scan_whole(struct eds_ledger *ledger, const char *device_id,
                              int32_t (*visit)(void *context, const struct eds_stored *),
                              void *context, struct eds_error *err)
{
    struct whole whole = {(struct memory_ledger *)ledger, visit, context};

    return eds_memory_scan(ledger, device_id, visit_whole, &whole, err);
}

int32_t eds_memory_heads(struct eds_ledger *ledger,
                         int32_t (*visit)(void *context, const char *device_id,
                                          const struct eds_head *),
                         void *context, struct eds_error *err)
{
    struct memory_ledger *memory = (struct memory_ledger *)ledger;
    const struct memory_device **sorted = sorted_devices(memory, err);
    int32_t rc = EDS_OK;

    if (sorted == NULL)
        return EDS_ERR_NO_MEMORY;
    for (size_t i = 0; rc == EDS_OK && i < memory->device_ids.count; i++)
        rc = visit(context, sorted[i]->id, &sorted[i]->head);
    free(sorted);
    return rc;
}

int32_t eds_memory_operations(struct eds_ledger *ledger,
                              int32_t (*visit)(void *context, const struct eds_operation *,
                                               uint64_t created_ms),
                              void *context, struct eds_error *err)
{
    struct memory_ledger *memory = (struct memory_ledger *)ledger;
    int32_t rc = EDS_OK;

    (void)err;
    for (size_t i = 0; rc == EDS_OK && i < memory->operation_count; i++) {
        const struct memory_operation *kept = memory->operations[i];
        struct eds_operation operation = {kept->decision, kept->text, kept->sequence,
                                          kept->message,  kept->who,  kept->why};

        rc = visit(context, &operation, kept->created_ms);
    }
    return rc;
}

int32_t eds_memory_conflicts(struct eds_ledger *ledger,
                             int32_t (*visit)(void *context, const struct eds_stored *),
                             void *context, struct eds_error *err)
{
    struct memory_ledger *memory = (struct memory_ledger *)ledger;
    int32_t rc = EDS_OK;

    (void)err;
    for (size_t i = 0; rc == EDS_OK && i < memory->conflict_count; i++)
        rc = visit_record(memory->devices[memory->conflicts[i]->device].id,
                          memory->conflicts[i]->record, visit, context);
    return rc;
}

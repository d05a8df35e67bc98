/* ledger_memory_commit.c - all of a commit, or nothing.
 *
 * A commit writes in place, at the ends of the lists, and moves the heads last,
 * when nothing can fail any more.  If an allocation fails before that, or a
 * reference turns out to be taken, the lists are cut back to where they ended;
 * the key tables take keys back in the reverse order of adding. */
#include "store/ledger_memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Where the lists ended before the commit. */
struct mark {
    size_t devices, objects, conflicts, operations, quarantined;
    uint64_t accepted, kept_apart;
};

static int32_t no_memory(struct eds_error *err)
{
    return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to keep a commit");
}

void *eds_memory_grown(void *list, size_t *capacity, size_t count, size_t element_size)
{
    size_t more = *capacity == 0 ? 16 : 2 * *capacity;
    void *longer;

    if (count < *capacity)
        return list;
    longer = realloc(list, more * element_size);
    if (longer != NULL)
        *capacity = more;
    return longer;
}

static void *copy_bytes(const void *bytes, size_t size)
{
    void *copy = malloc(size > 0 ? size : 1);

    if (copy != NULL && size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

static struct memory_record *copy_record(const struct eds_entry *entry,
                                         const uint8_t record_hash[EDS_HASH_SIZE], uint64_t now_ms)
{
    const EdsAuditRecord *record = &entry->record;
    size_t ref_size = strlen((const char *)record->object_ref) + 1;
    struct memory_record *copy = malloc(sizeof *copy + ref_size);

    if (copy == NULL)
        return NULL;
    copy->sequence = record->sequence;
    copy->timestamp_ms = record->timestamp_ms;
    copy->ingested_ms = now_ms;
    memcpy(copy->payload_hash, record->payload_hash, EDS_HASH_SIZE);
    memcpy(copy->signature, record->signature, EDS_SIGNATURE_SIZE);
    memcpy(copy->prev_record_hash, record->prev_record_hash, EDS_HASH_SIZE);
    memcpy(copy->record_hash, record_hash, EDS_HASH_SIZE);
    copy->attestation = entry->attestation;
    memcpy(copy->object_ref, record->object_ref, ref_size);
    return copy;
}

/* Every head is where its device's first append starts. */
static int32_t check_heads(const struct memory_ledger *memory, struct eds_error *err)
{
    for (size_t i = 0; i < memory->plan.devices.count; i++) {
        const struct eds_head_move *move = &memory->plan.moves[i];
        size_t index = eds_key_table_find(&memory->device_ids, move->device_id);
        struct eds_head head = {0};

        if (index != EDS_KEY_ABSENT)
            head = memory->devices[index].head;
        if (head.sequence != move->from_sequence ||
            memcmp(head.record_hash, move->from_hash, EDS_HASH_SIZE) != 0)
            return eds_error_set(err, EDS_ERR_HEAD_MOVED, "the head of device %s is at %llu",
                                 move->device_id, (unsigned long long)head.sequence);
    }
    return EDS_OK;
}

struct memory_device *eds_memory_device_of(struct memory_ledger *memory, const char *id)
{
    size_t index = eds_key_table_find(&memory->device_ids, id);

    return index == EDS_KEY_ABSENT ? NULL : &memory->devices[index];
}

int32_t eds_memory_add_device(struct memory_ledger *memory, const char *id)
{
    size_t count = memory->device_ids.count;
    struct memory_device *devices =
        eds_memory_grown(memory->devices, &memory->device_capacity, count, sizeof *devices);
    char *own_id;

    if (devices == NULL)
        return EDS_ERR_NO_MEMORY;
    memory->devices = devices;
    own_id = copy_bytes(id, strlen(id) + 1);
    if (own_id == NULL || eds_key_table_add(&memory->device_ids, own_id) != EDS_OK) {
        free(own_id);
        return EDS_ERR_NO_MEMORY;
    }
    devices[count] = (struct memory_device){.id = own_id};
    return EDS_OK;
}

/* Those that have neither records nor gaps. */
void eds_memory_cut_devices(struct memory_ledger *memory, size_t count)
{
    while (memory->device_ids.count > count) {
        assert(memory->devices != NULL); /* there is a device in it */
        struct memory_device *device = &memory->devices[memory->device_ids.count - 1];

        eds_key_table_pop(&memory->device_ids);
        free(device->records);
        free(device->id);
    }
}

static int32_t add_record(struct memory_ledger *memory, const struct eds_append *append,
                          uint64_t now_ms)
{
    struct memory_device *device =
        eds_memory_device_of(memory, (const char *)append->entry->record.device_id);
    struct memory_record **records = eds_memory_grown(device->records, &device->record_capacity,
                                                      device->record_count, sizeof *records);

    if (records == NULL)
        return EDS_ERR_NO_MEMORY;
    device->records = records;
    records[device->record_count] = copy_record(append->entry, append->record_hash, now_ms);
    if (records[device->record_count] == NULL)
        return EDS_ERR_NO_MEMORY;
    device->record_count++;
    return EDS_OK;
}

/* Keeps the payload under a reference that has none here. */
static int32_t fill_object(struct memory_ledger *memory, struct memory_object *object,
                           const struct eds_append *append)
{
    if (append->payload == NULL || object->payload != NULL)
        return EDS_OK;
    object->payload = copy_bytes(append->payload, append->payload_size);
    if (object->payload == NULL)
        return EDS_ERR_NO_MEMORY;
    object->payload_size = append->payload_size;
    object->filled_by = memory->commit_number;
    return EDS_OK;
}

static int32_t add_object(struct memory_ledger *memory, const struct eds_append *append)
{
    const EdsAuditRecord *record = &append->entry->record;
    const char *ref = (const char *)record->object_ref;
    size_t index = eds_key_table_find(&memory->object_refs, ref), count = memory->object_refs.count;
    struct memory_object *objects;
    char *own_ref;

    if (index != EDS_KEY_ABSENT) {
        if (memcmp(memory->objects[index].payload_hash, record->payload_hash, EDS_HASH_SIZE) != 0)
            return EDS_ERR_HEAD_MOVED;
        return fill_object(memory, &memory->objects[index], append);
    }
    objects = eds_memory_grown(memory->objects, &memory->object_capacity, count, sizeof *objects);
    if (objects == NULL)
        return EDS_ERR_NO_MEMORY;
    memory->objects = objects;
    own_ref = copy_bytes(ref, strlen(ref) + 1);
    if (own_ref == NULL || eds_key_table_add(&memory->object_refs, own_ref) != EDS_OK) {
        free(own_ref);
        return EDS_ERR_NO_MEMORY;
    }
    objects[count] = (struct memory_object){.ref = own_ref};
    memcpy(objects[count].payload_hash, record->payload_hash, EDS_HASH_SIZE);
    return fill_object(memory, &objects[count], append);
}

static int32_t add_appends(struct memory_ledger *memory, const struct eds_commit *commit,
                           struct eds_error *err)
{
    for (size_t i = 0; i < memory->plan.devices.count; i++)
        if (eds_memory_device_of(memory, memory->plan.moves[i].device_id) == NULL &&
            eds_memory_add_device(memory, memory->plan.moves[i].device_id) != EDS_OK)
            return no_memory(err);
    for (size_t i = 0; i < commit->append_count; i++) {
        int32_t rc = add_record(memory, &commit->appends[i], eds_commit_ingested_ms(commit, i));

        if (rc == EDS_OK)
            rc = add_object(memory, &commit->appends[i]);
        if (rc == EDS_ERR_HEAD_MOVED)
            return eds_error_set(err, rc, "object_ref %s stands for another payload",
                                 (const char *)commit->appends[i].entry->record.object_ref);
        if (rc != EDS_OK)
            return no_memory(err);
    }
    return EDS_OK;
}

/* Whether this fork is one to keep: a new one, and not one too many. */
static bool is_kept(const struct memory_device *device, const struct eds_conflict *conflict)
{
    const struct memory_conflict *at = device->conflict_last;

    if (device->head.conflict_count >= EDS_CONFLICTS_KEPT_MAX)
        return false;
    while (at != NULL && memcmp(at->record->record_hash, conflict->record_hash, EDS_HASH_SIZE) != 0)
        at = at->older;
    return at == NULL;
}

static int32_t add_conflict(struct memory_ledger *memory, const struct eds_conflict *conflict,
                            uint64_t now_ms, struct eds_error *err)
{
    const char *device_id = (const char *)conflict->entry->record.device_id;
    struct memory_device *device = eds_memory_device_of(memory, device_id);
    struct memory_conflict **conflicts, *kept;

    if (device == NULL)
        return eds_error_set(err, EDS_ERR_USAGE, "a conflict on device %s, which has no record",
                             device_id);
    if (!is_kept(device, conflict))
        return EDS_OK;
    conflicts = eds_memory_grown(memory->conflicts, &memory->conflict_capacity,
                                 memory->conflict_count, sizeof *conflicts);
    if (conflicts == NULL)
        return no_memory(err);
    memory->conflicts = conflicts;
    kept = malloc(sizeof *kept);
    if (kept == NULL)
        return no_memory(err);
    kept->record = copy_record(conflict->entry, conflict->record_hash, now_ms);
    if (kept->record == NULL) {
        free(kept);
        return no_memory(err);
    }
    kept->device = (size_t)(device - memory->devices);
    kept->older = device->conflict_last;
    device->conflict_last = kept;
    device->head.conflict_count++;
    conflicts[memory->conflict_count++] = kept;
    return EDS_OK;
}

/* The text's copy at *at, which moves past it; NULL stays NULL. */
static const char *copy_text(char **at, const char *text)
{
    char *copy = *at;

    if (text == NULL)
        return NULL;
    *at = stpcpy(copy, text) + 1;
    return copy;
}

int32_t eds_memory_add_operation(struct memory_ledger *memory,
                                 const struct eds_operation *operation, uint64_t now_ms,
                                 struct eds_error *err)
{
    const char *texts[] = {operation->device_id, operation->message, operation->who,
                           operation->why};
    struct memory_operation **operations =
        eds_memory_grown(memory->operations, &memory->operation_capacity, memory->operation_count,
                         sizeof *operations);
    struct memory_operation *kept;
    size_t size = sizeof *kept;
    char *at;

    if (operations == NULL)
        return no_memory(err);
    memory->operations = operations;
    for (int i = 0; i < 4; i++)
        size += texts[i] != NULL ? strlen(texts[i]) + 1 : 0;
    kept = malloc(size);
    if (kept == NULL)
        return no_memory(err);
    kept->decision = operation->decision;
    kept->sequence = operation->sequence;
    kept->created_ms = now_ms;
    at = kept->text;
    (void)copy_text(&at, operation->device_id);
    kept->message = copy_text(&at, operation->message);
    kept->who = copy_text(&at, operation->who);
    kept->why = copy_text(&at, operation->why);
    operations[memory->operation_count++] = kept;
    memory->accepted_count += operation->decision == EDS_DECISION_ACCEPTED ? 1 : 0;
    memory->kept_apart_count += operation->decision == EDS_DECISION_QUARANTINED ? 1 : 0;
    memory->changed_count += operation->decision == EDS_DECISION_CHANGED ? 1 : 0;
    return EDS_OK;
}

static int32_t add_all(struct memory_ledger *memory, const struct eds_commit *commit,
                       struct eds_error *err)
{
    int32_t rc = add_appends(memory, commit, err);

    for (size_t i = 0; rc == EDS_OK && i < commit->conflict_count; i++)
        rc = add_conflict(memory, &commit->conflicts[i], commit->now_ms, err);
    for (size_t i = 0; rc == EDS_OK && i < commit->quarantined_count; i++)
        rc = eds_memory_add_quarantined(memory, &commit->quarantined[i], commit->now_ms, err);
    for (size_t i = 0; rc == EDS_OK && i < commit->operation_count; i++)
        rc = eds_memory_add_operation(memory, &commit->operations[i], commit->now_ms, err);
    return rc;
}

static void cut_objects(struct memory_ledger *memory, const struct eds_commit *commit, size_t count)
{
    while (memory->object_refs.count > count) {
        struct memory_object *object = &memory->objects[memory->object_refs.count - 1];

        eds_key_table_pop(&memory->object_refs);
        free(object->ref);
        free(object->payload);
    }
    for (size_t i = 0; i < commit->append_count; i++) { /* payloads that came later */
        const char *ref = (const char *)commit->appends[i].entry->record.object_ref;
        size_t index = eds_key_table_find(&memory->object_refs, ref);

        if (index == EDS_KEY_ABSENT || memory->objects[index].filled_by != memory->commit_number)
            continue;
        free(memory->objects[index].payload);
        memory->objects[index].payload = NULL;
        memory->objects[index].payload_size = 0;
        memory->objects[index].filled_by = 0;
    }
}

static void undo(struct memory_ledger *memory, const struct eds_commit *commit,
                 const struct mark *mark)
{
    while (memory->operation_count > mark->operations)
        free(memory->operations[--memory->operation_count]);
    memory->accepted_count = mark->accepted;
    memory->kept_apart_count = mark->kept_apart;
    eds_memory_cut_quarantined(memory, mark->quarantined);
    while (memory->conflict_count > mark->conflicts) {
        struct memory_conflict *conflict = memory->conflicts[--memory->conflict_count];

        memory->devices[conflict->device].conflict_last = conflict->older;
        memory->devices[conflict->device].head.conflict_count--;
        free(conflict->record);
        free(conflict);
    }
    cut_objects(memory, commit, mark->objects);
    for (size_t i = 0; i < memory->plan.devices.count; i++) {
        struct memory_device *device =
            eds_memory_device_of(memory, memory->plan.moves[i].device_id);

        while (device != NULL && device->record_count > device->kept_count)
            free(device->records[--device->record_count]);
    }
    eds_memory_cut_devices(memory, mark->devices);
}

static void move_heads(struct memory_ledger *memory)
{
    for (size_t i = 0; i < memory->plan.devices.count; i++) {
        const struct eds_head_move *move = &memory->plan.moves[i];
        struct memory_device *device = eds_memory_device_of(memory, move->device_id);
        struct eds_head *head = &device->head;

        memory->record_count += device->record_count - device->kept_count;
        device->kept_count = device->record_count;
        head->sequence = move->to_sequence;
        memcpy(head->record_hash, move->to_hash, EDS_HASH_SIZE);
        head->attested |= move->attested;
    }
}

int32_t eds_memory_commit(struct eds_ledger *ledger, const struct eds_commit *commit,
                          struct eds_error *err)
{
    struct memory_ledger *memory = (struct memory_ledger *)ledger;
    struct mark mark = {
        .devices = memory->device_ids.count,
        .objects = memory->object_refs.count,
        .conflicts = memory->conflict_count,
        .operations = memory->operation_count,
        .quarantined = memory->quarantined_count,
        .accepted = memory->accepted_count,
        .kept_apart = memory->kept_apart_count,
    };
    int32_t rc = eds_commit_plan_make(&memory->plan, commit, err);

    if (rc == EDS_OK)
        rc = check_heads(memory, err);
    if (rc != EDS_OK)
        return rc;
    memory->commit_number++;
    rc = add_all(memory, commit, err);
    if (rc == EDS_OK)
        move_heads(memory);
    else
        undo(memory, commit, &mark);
    return rc;
}

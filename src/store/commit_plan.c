/* commit_plan.c - see commit_plan.h. */
#include "store/commit_plan.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int32_t eds_commit_plan_init(struct eds_commit_plan *plan, struct eds_error *err)
{
    memset(plan, 0, sizeof *plan);
    return eds_key_table_init(&plan->devices, err);
}

void eds_commit_plan_free(struct eds_commit_plan *plan)
{
    eds_key_table_free(&plan->devices);
    free(plan->moves);
    free(plan->move_indexes);
    memset(plan, 0, sizeof *plan);
}

static int32_t check_record(const EdsAuditRecord *record, struct eds_error *err)
{
    if (memchr(record->device_id, '\0', sizeof record->device_id) == NULL)
        return eds_error_set(err, EDS_ERR_USAGE, "device_id has no NUL within %zu bytes",
                             sizeof record->device_id);
    if (memchr(record->object_ref, '\0', sizeof record->object_ref) == NULL)
        return eds_error_set(err, EDS_ERR_USAGE, "object_ref has no NUL within %zu bytes",
                             sizeof record->object_ref);
    if (record->sequence == 0)
        return eds_error_set(err, EDS_ERR_USAGE, "sequence 0 of device %s: the first is 1",
                             (const char *)record->device_id);
    return EDS_OK;
}

/* The device's move, begun here if this is its first append. */
static struct eds_head_move *move_of(struct eds_commit_plan *plan, const EdsAuditRecord *record)
{
    const char *device_id = (const char *)record->device_id;
    size_t index = eds_key_table_find(&plan->devices, device_id);
    struct eds_head_move *move;

    if (index != EDS_KEY_ABSENT)
        return &plan->moves[index];
    if (plan->devices.count == plan->move_capacity) {
        size_t capacity = plan->move_capacity == 0 ? 32 : 2 * plan->move_capacity;

        move = realloc(plan->moves, capacity * sizeof *move);
        if (move == NULL)
            return NULL;
        plan->moves = move;
        plan->move_capacity = capacity;
    }
    move = &plan->moves[plan->devices.count];
    if (eds_key_table_add(&plan->devices, device_id) != EDS_OK)
        return NULL;
    *move = (struct eds_head_move){
        .device_id = device_id,
        .from_sequence = record->sequence - 1,
        .from_hash = record->prev_record_hash,
        .to_sequence = record->sequence - 1,
        .to_hash = record->prev_record_hash,
    };
    return move;
}

static bool grow_indexes(struct eds_commit_plan *plan, size_t append_count)
{
    size_t *indexes;

    if (append_count <= plan->append_capacity)
        return true;
    indexes = realloc(plan->move_indexes, append_count * sizeof *indexes);
    if (indexes == NULL)
        return false;
    plan->move_indexes = indexes;
    plan->append_capacity = append_count;
    return true;
}

static int32_t no_memory(struct eds_error *err)
{
    return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to plan a commit");
}

int32_t eds_commit_plan_make(struct eds_commit_plan *plan, const struct eds_commit *commit,
                             struct eds_error *err)
{
    struct eds_head_move *move = NULL;
    int32_t rc;

    eds_key_table_clear(&plan->devices);
    if (!grow_indexes(plan, commit->append_count))
        return no_memory(err);
    for (size_t i = 0; i < commit->append_count; i++) {
        const struct eds_append *append = &commit->appends[i];
        const EdsAuditRecord *record = &append->entry->record;

        rc = check_record(record, err);
        if (rc != EDS_OK)
            return rc;
        /* Most often the next record is of the same device. */
        if (move == NULL || strcmp(move->device_id, (const char *)record->device_id) != 0)
            move = move_of(plan, record);
        if (move == NULL)
            return no_memory(err);
        plan->move_indexes[i] = (size_t)(move - plan->moves);
        if (record->sequence != move->to_sequence + 1 ||
            memcmp(record->prev_record_hash, move->to_hash, EDS_HASH_SIZE) != 0)
            return eds_error_set(err, EDS_ERR_USAGE,
                                 "append %zu, sequence %llu of device %s, does not follow the one "
                                 "before it in the commit",
                                 i, (unsigned long long)record->sequence, move->device_id);
        move->to_sequence = record->sequence;
        move->to_hash = append->record_hash;
        move->attested |= append->entry->attestation.present;
    }
    for (size_t i = 0; i < commit->conflict_count; i++) {
        rc = check_record(&commit->conflicts[i].entry->record, err);
        if (rc != EDS_OK)
            return rc;
    }
    for (size_t i = 0; i < commit->quarantined_count; i++) {
        rc = check_record(&commit->quarantined[i].entry->record, err);
        if (rc != EDS_OK)
            return rc;
    }
    return EDS_OK;
}

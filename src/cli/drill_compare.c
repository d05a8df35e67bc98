/* drill_compare.c - see drill_compare.h. */
#include "cli/drill_compare.h"

#include <stdlib.h>
#include <string.h>

/* A growing list; its elements are of one size. */
struct list {
    char *memory;
    size_t count, room, element_size;
};

/* A record of the copy. */
struct row {
    uint64_t sequence;
    uint8_t record_hash[EDS_HASH_SIZE];
};

struct comparison {
    struct eds_drill_comparison *out;
    uint64_t border_ms;
    const char *device_id;      /* whose records are compared */
    struct list rows;           /* of the copy */
    size_t next;                /* of these, the first that has not been met in the other */
    struct eds_drill_range run; /* of lost records, up to now; first_sequence 0: none */
};

static void *list_add(struct list *list)
{
    if (list->count == list->room) {
        size_t room = list->room > 0 ? 2 * list->room : 256;
        char *longer = realloc(list->memory, room * list->element_size);

        if (longer == NULL)
            return NULL;
        list->memory = longer;
        list->room = room;
    }
    return list->memory + list->element_size * list->count++;
}

static void end_run(struct comparison *comparison)
{
    struct eds_drill_comparison *out = comparison->out;

    if (comparison->run.first_sequence == 0)
        return;
    if (out->range_count < EDS_DRILL_RANGES_MAX)
        out->ranges[out->range_count++] = comparison->run;
    else
        out->range_left_count++;
    comparison->run.first_sequence = 0;
}

static void lose(struct comparison *comparison, const struct eds_stored *stored)
{
    uint64_t sequence = stored->entry->record.sequence;
    struct eds_drill_comparison *out = comparison->out;

    if (stored->ingested_ms < comparison->border_ms)
        out->lost_before_count++;
    else
        out->lost_after_count++;
    if (stored->ingested_ms < out->oldest_lost_ms)
        out->oldest_lost_ms = stored->ingested_ms;
    if (comparison->run.first_sequence == 0) {
        strcpy(comparison->run.device_id, comparison->device_id);
        comparison->run.first_sequence = sequence;
    }
    comparison->run.last_sequence = sequence;
}

static int32_t take_row(void *context, const struct eds_stored *stored)
{
    struct comparison *comparison = context;
    struct row *row = list_add(&comparison->rows);

    if (row == NULL)
        return EDS_ERR_NO_MEMORY;
    row->sequence = stored->entry->record.sequence;
    memcpy(row->record_hash, stored->record_hash, EDS_HASH_SIZE);
    return EDS_OK;
}

/* Both go upwards by sequence. */
static int32_t meet_row(void *context, const struct eds_stored *stored)
{
    struct comparison *comparison = context;
    struct eds_drill_comparison *out = comparison->out;
    const struct row *rows = (const struct row *)(const void *)comparison->rows.memory;
    uint64_t sequence = stored->entry->record.sequence;

    if (stored->ingested_ms > out->newest_ms)
        out->newest_ms = stored->ingested_ms;
    while (comparison->next < comparison->rows.count &&
           rows[comparison->next].sequence < sequence) {
        comparison->next++;
        out->added_count++;
    }
    if (comparison->next == comparison->rows.count || rows[comparison->next].sequence > sequence) {
        lose(comparison, stored);
        return EDS_OK;
    }
    end_run(comparison);
    if (memcmp(rows[comparison->next].record_hash, stored->record_hash, EDS_HASH_SIZE) == 0)
        out->same_count++;
    else
        out->altered_count++;
    comparison->next++;
    return EDS_OK;
}

static int32_t compare_device(struct comparison *comparison, const char *device_id,
                              struct eds_ledger *copy, struct eds_ledger *other,
                              struct eds_error *err)
{
    int32_t rc;

    comparison->device_id = device_id;
    comparison->rows.count = comparison->next = 0;
    rc = copy->ops->scan(copy, device_id, take_row, comparison, err);
    if (rc == EDS_ERR_NO_MEMORY)
        eds_error_set(err, rc, "out of memory for the records of %s", device_id);
    if (rc == EDS_OK)
        rc = other->ops->scan(other, device_id, meet_row, comparison, err);
    end_run(comparison);
    comparison->out->added_count += comparison->rows.count - comparison->next;
    return rc;
}

static int32_t take_device(void *context, const char *device_id, const struct eds_head *head)
{
    char **place = list_add(context);

    (void)head;
    if (place == NULL)
        return EDS_ERR_NO_MEMORY;
    *place = strdup(device_id);
    return *place != NULL ? EDS_OK : EDS_ERR_NO_MEMORY;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int32_t list_devices(struct list *devices, struct eds_ledger *copy, struct eds_ledger *other,
                            struct eds_error *err)
{
    int32_t rc = copy->ops->heads(copy, take_device, devices, err);

    if (rc == EDS_OK)
        rc = other->ops->heads(other, take_device, devices, err);
    if (rc == EDS_ERR_NO_MEMORY)
        eds_error_set(err, rc, "out of memory for the list of devices");
    if (rc == EDS_OK && devices->count > 0)
        qsort(devices->memory, devices->count, devices->element_size, by_name);
    return rc;
}

int32_t eds_drill_compare(struct eds_drill_comparison *out, struct eds_ledger *copy,
                          struct eds_ledger *other, uint64_t border_ms, struct eds_error *err)
{
    struct list devices = {.element_size = sizeof(char *)};
    struct comparison comparison = {
        .out = out, .border_ms = border_ms, .rows = {.element_size = sizeof(struct row)}};
    int32_t rc = list_devices(&devices, copy, other, err);
    char **names = (char **)(void *)devices.memory;

    *out = (struct eds_drill_comparison){.oldest_lost_ms = UINT64_MAX};
    for (size_t i = 0; i < devices.count && rc == EDS_OK; i++)
        if (i == 0 || strcmp(names[i], names[i - 1]) != 0) /* most are in both */
            rc = compare_device(&comparison, names[i], copy, other, err);
    for (size_t i = 0; i < devices.count; i++)
        free(names[i]);
    free(devices.memory);
    free(comparison.rows.memory);
    return rc;
}

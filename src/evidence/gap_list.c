/* gap_list.c - see gap_list.h. */
#include "evidence/gap_list.h"

#include <stdlib.h>

#include "codec/json_gap.h"

int32_t eds_gap_list_add(struct eds_gap_list *list, const struct eds_gap *gap,
                         struct eds_error *err)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 8 : 2 * list->capacity;
        struct eds_gap *longer = realloc(list->gaps, capacity * sizeof *longer);

        if (longer == NULL)
            return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for %zu gap records", capacity);
        list->gaps = longer;
        list->capacity = capacity;
    }
    list->gaps[list->count++] = *gap;
    return EDS_OK;
}

struct reading {
    struct eds_gap_list *list;
    struct eds_error *err;
};

static int32_t take(void *context, const struct eds_gap *gap)
{
    struct reading *reading = context;

    return eds_gap_list_add(reading->list, gap, reading->err);
}

int32_t eds_gap_list_read(struct eds_gap_list *list, const char *text, size_t size,
                          struct eds_error *err)
{
    struct reading reading = {list, err};

    return eds_json_gaps_decode(text, size, take, &reading, err);
}

void eds_gap_list_free(struct eds_gap_list *list)
{
    free(list->gaps);
    *list = (struct eds_gap_list){.gaps = NULL};
}

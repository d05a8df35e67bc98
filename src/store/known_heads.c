/* known_heads.c - see known_heads.h. */
#include "store/known_heads.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int32_t eds_known_heads_init(struct eds_known_heads *known, struct eds_error *err)
{
    known->generation = 1;
    known->heads = calloc(EDS_VISITOR_PLACES, sizeof *known->heads); /* taken as it is used */
    if (known->heads == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for heads");
    return eds_visitors_init(&known->visitors, err);
}

void eds_known_heads_free(struct eds_known_heads *known)
{
    eds_visitors_free(&known->visitors);
    free(known->heads);
    memset(known, 0, sizeof *known);
}

void eds_known_heads_clear(struct eds_known_heads *known)
{
    known->generation++;
    if (known->generation != 0)
        return;
    memset(known->heads, 0, EDS_VISITOR_PLACES * sizeof *known->heads); /* of a time long past */
    known->generation = 1;
}

const struct eds_known_head *eds_known_heads_find(struct eds_known_heads *known, uint64_t hash,
                                                  const char *device_id)
{
    const struct eds_known_head *head;
    size_t place;

    if (!eds_visitors_find(&known->visitors, hash, &place))
        return NULL;
    head = &known->heads[place];
    return head->generation == known->generation && strcmp(head->device_id, device_id) == 0 ? head
                                                                                            : NULL;
}

struct eds_known_head *eds_known_heads_place(struct eds_known_heads *known, uint64_t hash,
                                             const char *device_id)
{
    struct eds_known_head *head = &known->heads[eds_visitors_place(&known->visitors, hash)];
    size_t size = strlen(device_id) + 1;

    assert(size <= sizeof head->device_id);
    head->generation = known->generation;
    memcpy(head->device_id, device_id, size);
    return head;
}

/* known_heads.c - see known_heads.h. */
#include "store/known_heads.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A power of two: several for each of a thousand devices.  Memory is taken by those that
 * are used. */
#define PLACE_COUNT 8192u

int32_t eds_known_heads_init(struct eds_known_heads *known, struct eds_error *err)
{
    known->generation = 1;
    known->heads = calloc(PLACE_COUNT, sizeof *known->heads);
    return known->heads != NULL ? EDS_OK
                                : eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for heads");
}

void eds_known_heads_free(struct eds_known_heads *known)
{
    free(known->heads);
    memset(known, 0, sizeof *known);
}

void eds_known_heads_clear(struct eds_known_heads *known)
{
    known->generation++;
    if (known->generation != 0)
        return;
    memset(known->heads, 0, PLACE_COUNT * sizeof *known->heads); /* of a time long past */
    known->generation = 1;
}

static struct eds_known_head *place_of(const struct eds_known_heads *known, uint64_t hash)
{
    return &known->heads[hash & (PLACE_COUNT - 1)];
}

const struct eds_known_head *eds_known_heads_find(const struct eds_known_heads *known,
                                                  uint64_t hash, const char *device_id)
{
    const struct eds_known_head *head = place_of(known, hash);

    return head->generation == known->generation && strcmp(head->device_id, device_id) == 0 ? head
                                                                                            : NULL;
}

struct eds_known_head *eds_known_heads_place(struct eds_known_heads *known, uint64_t hash,
                                             const char *device_id)
{
    struct eds_known_head *head = place_of(known, hash);
    size_t size = strlen(device_id) + 1;

    assert(size <= sizeof head->device_id);
    head->generation = known->generation;
    memcpy(head->device_id, device_id, size);
    return head;
}

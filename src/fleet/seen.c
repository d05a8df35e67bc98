/* seen.c - see seen.h.  Open addressing with linear steps, at most 3/4 full. */
#include "fleet/seen.h"

#include <stdlib.h>
#include <string.h>

#include "base/port.h"
#include "edgesentry/blake3.h"

#define FIRST_SLOT_COUNT 64u

/* The slot of a digest, or the free one where it would be. */
static struct eds_seen_slot *slot_of(struct eds_seen_slot *slots, size_t slot_count,
                                     const uint8_t *digest)
{
    uint64_t hash;
    size_t at;

    memcpy(&hash, digest, sizeof hash);
    at = (size_t)hash & (slot_count - 1);
    while (slots[at].line != 0 && memcmp(slots[at].digest, digest, EDS_SEEN_DIGEST_SIZE) != 0)
        at = (at + 1) & (slot_count - 1);
    return &slots[at];
}

static int32_t grow(struct eds_seen *seen)
{
    size_t slot_count = seen->slot_count == 0 ? FIRST_SLOT_COUNT : 2 * seen->slot_count;
    struct eds_seen_slot *slots;

    if (seen->used + 1 <= seen->slot_count / 4 * 3)
        return EDS_OK;
    if (seen->slot_count == 0 && eds_port_random(seen->salt, sizeof seen->salt) != 0)
        return EDS_ERR_IO;
    slots = calloc(slot_count, sizeof *slots);
    if (slots == NULL)
        return EDS_ERR_NO_MEMORY;
    for (size_t i = 0; i < seen->slot_count; i++)
        if (seen->slots[i].line != 0)
            *slot_of(slots, slot_count, seen->slots[i].digest) = seen->slots[i];
    free(seen->slots);
    seen->slots = slots;
    seen->slot_count = slot_count;
    return EDS_OK;
}

int32_t eds_seen_add(struct eds_seen *seen, const void *bytes, size_t size, uint64_t line,
                     uint64_t *line_before)
{
    int32_t rc = grow(seen);
    uint8_t hash[EDS_HASH_SIZE];
    struct eds_seen_slot *slot;
    struct eds_blake3 hasher;

    if (rc != EDS_OK)
        return rc;
    eds_blake3_init(&hasher);
    eds_blake3_update(&hasher, seen->salt, sizeof seen->salt);
    eds_blake3_update(&hasher, bytes, size);
    eds_blake3_final(&hasher, hash);
    slot = slot_of(seen->slots, seen->slot_count, hash);
    if (slot->line != 0) {
        *line_before = slot->line;
        return EDS_ERR_EXISTS;
    }
    memcpy(slot->digest, hash, EDS_SEEN_DIGEST_SIZE);
    slot->line = line;
    seen->used++;
    return EDS_OK;
}

void eds_seen_free(struct eds_seen *seen)
{
    free(seen->slots);
    *seen = (struct eds_seen){.slots = NULL};
}

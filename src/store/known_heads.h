/* known_heads.h - heads as a store's own last commits left them, with the row of each and
 * what it knows of where its records are: what a commit need not read again while nobody else
 * writes.
 *
 * Of fixed size (visitors.h); who is not remembered has to be read. */
#ifndef EDS_STORE_KNOWN_HEADS_H
#define EDS_STORE_KNOWN_HEADS_H

#include <stdbool.h>
#include <stdint.h>

#include "edgesentry/record.h"
#include "store/places.h"
#include "store/visitors.h"

struct eds_known_head {
    uint32_t generation; /* when it was put here; 0: never */
    char device_id[EDS_DEVICE_ID_SIZE];
    uint64_t sequence;
    uint8_t record_hash[EDS_HASH_SIZE];
    int64_t row;
    struct eds_head_places places;
};

struct eds_known_heads {
    struct eds_visitors visitors;
    struct eds_known_head *heads; /* by place */
    uint32_t generation;          /* of those that hold */
};

/* eds_known_heads_init makes a table of none.  EDS_OK or EDS_ERR_NO_MEMORY. */
int32_t eds_known_heads_init(struct eds_known_heads *known, struct eds_error *err);
void eds_known_heads_free(struct eds_known_heads *known); /* a zeroed one, too */

/* eds_known_heads_clear forgets them all. */
void eds_known_heads_clear(struct eds_known_heads *known);

/* eds_known_heads_find gives a device's head, or NULL.
 *
 *   hash  of device_id, always the same one for it, as for eds_visitors_find */
const struct eds_known_head *eds_known_heads_find(struct eds_known_heads *known, uint64_t hash,
                                                  const char *device_id);

/* eds_known_heads_place gives the place for a device's head, which the caller fills in but
 * for generation and device_id.  Whoever was there is forgotten. */
struct eds_known_head *eds_known_heads_place(struct eds_known_heads *known, uint64_t hash,
                                             const char *device_id);

#endif

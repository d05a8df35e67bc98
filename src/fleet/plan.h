/* plan.h - the changes that an import is going to make, packed: about 150 bytes a
 * device, until all of the file is found good. */
#ifndef EDS_FLEET_PLAN_H
#define EDS_FLEET_PLAN_H

#include "store/roster.h"

#define EDS_FLEET_BATCH_COUNT 256u

struct eds_fleet_plan {
    uint8_t **blocks; /* block_count of them, the last one block_used full */
    size_t block_count, block_capacity, block_used;
    uint64_t count; /* of changes */
};

/* eds_fleet_plan_add packs a change; message is copied.  EDS_ERR_NO_MEMORY. */
int32_t eds_fleet_plan_add(struct eds_fleet_plan *plan, const struct eds_enrolment *it,
                           const char *message, struct eds_error *err);
void eds_fleet_plan_free(struct eds_fleet_plan *plan);

/* The changes of a plan, one batch after the other, for change_all. */
struct eds_fleet_source {
    struct eds_roster_source source; /* first */
    const struct eds_fleet_plan *plan;
    const char *who, *why; /* the caller's */
    void (*progress)(void *context, uint64_t done);
    void *context;

    size_t block, at; /* what comes next */
    uint64_t done;
    struct eds_roster_change changes[EDS_FLEET_BATCH_COUNT];
    struct eds_enrolment enrolments[EDS_FLEET_BATCH_COUNT];
    char messages[EDS_FLEET_BATCH_COUNT][256];
};

/* eds_fleet_source_begin prepares a source (1.2 MiB: on the heap), at the first
 * change; plan, who and why outlive it. */
void eds_fleet_source_begin(struct eds_fleet_source *source, const struct eds_fleet_plan *plan,
                            const char *who, const char *why);

#endif

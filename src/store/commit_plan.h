/* commit_plan.h - which heads a commit moves, from where to where.
 *
 * What every store needs before it writes: the appends of a commit gathered by
 * device, and the certainty that they follow each other. */
#ifndef EDS_STORE_COMMIT_PLAN_H
#define EDS_STORE_COMMIT_PLAN_H

#include "store/key_table.h"
#include "store/ledger.h"

/* One device's way through a commit; pointers lead into the commit. */
struct eds_head_move {
    const char *device_id;
    uint64_t from_sequence; /* 0: the device must be new */
    const uint8_t *from_hash;
    uint64_t to_sequence;
    const uint8_t *to_hash;
    bool attested; /* one of the records is */
};

/* Reused from commit to commit, so that after the first ones nothing is
 * allocated. */
struct eds_commit_plan {
    struct eds_key_table devices;
    struct eds_head_move *moves; /* by index in devices */
    size_t move_capacity;
    size_t *move_indexes; /* of each append: whose move it is part of */
    size_t append_capacity;
};

int32_t eds_commit_plan_init(struct eds_commit_plan *plan, struct eds_error *err);
void eds_commit_plan_free(struct eds_commit_plan *plan);

/* eds_commit_plan_make fills plan->moves, one for each device in devices.count, and
 * plan->move_indexes, one for each append.
 * EDS_OK, EDS_ERR_NO_MEMORY, or EDS_ERR_USAGE for what no gate lets through:
 * a string without its end, sequence 0, appends of a device that do not follow
 * each other. */
int32_t eds_commit_plan_make(struct eds_commit_plan *plan, const struct eds_commit *commit,
                             struct eds_error *err);

#endif

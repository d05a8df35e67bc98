/* ref_gaps.c - see ref_gaps.h. */
#include "store/ref_gaps.h"

#include <stdlib.h>
#include <string.h>

/* A power of two: several for each of a thousand devices.  Memory is taken by those that
 * are used. */
#define PLACE_COUNT 8192u

int32_t eds_ref_gaps_init(struct eds_ref_gaps *gaps, struct eds_error *err)
{
    gaps->generation = 1;
    gaps->gaps = calloc(PLACE_COUNT, sizeof *gaps->gaps);
    return gaps->gaps != NULL ? EDS_OK
                              : eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for references");
}

void eds_ref_gaps_free(struct eds_ref_gaps *gaps)
{
    free(gaps->gaps);
    memset(gaps, 0, sizeof *gaps);
}

void eds_ref_gaps_clear(struct eds_ref_gaps *gaps)
{
    gaps->generation++;
    if (gaps->generation != 0)
        return;
    memset(gaps->gaps, 0, PLACE_COUNT * sizeof *gaps->gaps); /* of a time long past */
    gaps->generation = 1;
}

static struct eds_ref_gap *gap_of(const struct eds_ref_gaps *gaps, uint64_t visitor)
{
    return &gaps->gaps[visitor & (PLACE_COUNT - 1)];
}

bool eds_ref_gaps_hold(const struct eds_ref_gaps *gaps, uint64_t visitor, const char *ref)
{
    const struct eds_ref_gap *gap = gap_of(gaps, visitor);

    return gap->generation == gaps->generation && strcmp(ref, gap->above) > 0 &&
           (!gap->has_end || strcmp(ref, gap->below) < 0);
}

struct eds_ref_gap *eds_ref_gaps_place(struct eds_ref_gaps *gaps, uint64_t visitor)
{
    struct eds_ref_gap *gap = gap_of(gaps, visitor);

    if (gap->visitor != visitor) {
        gap->visitor = visitor;
        return NULL;
    }
    gap->generation = 0;
    return gap;
}

void eds_ref_gaps_note(const struct eds_ref_gaps *gaps, struct eds_ref_gap *gap)
{
    gap->generation = gaps->generation;
}

/* ref_gaps.c - see ref_gaps.h. */
#include "store/ref_gaps.h"

#include <stdlib.h>
#include <string.h>

int32_t eds_ref_gaps_init(struct eds_ref_gaps *gaps, struct eds_error *err)
{
    gaps->generation = 1;
    gaps->gaps = calloc(EDS_VISITOR_PLACES, sizeof *gaps->gaps); /* taken as it is used */
    if (gaps->gaps == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for references");
    return eds_visitors_init(&gaps->visitors, err);
}

void eds_ref_gaps_free(struct eds_ref_gaps *gaps)
{
    eds_visitors_free(&gaps->visitors);
    free(gaps->gaps);
    memset(gaps, 0, sizeof *gaps);
}

void eds_ref_gaps_clear(struct eds_ref_gaps *gaps)
{
    gaps->generation++;
    if (gaps->generation != 0)
        return;
    memset(gaps->gaps, 0, EDS_VISITOR_PLACES * sizeof *gaps->gaps); /* of a time long past */
    gaps->generation = 1;
}

bool eds_ref_gaps_hold(struct eds_ref_gaps *gaps, uint64_t visitor, const char *ref)
{
    const struct eds_ref_gap *gap;
    size_t place;

    if (!eds_visitors_find(&gaps->visitors, visitor, &place))
        return false;
    gap = &gaps->gaps[place];
    return gap->generation == gaps->generation && strcmp(ref, gap->above) > 0 &&
           (!gap->has_end || strcmp(ref, gap->below) < 0);
}

struct eds_ref_gap *eds_ref_gaps_place(struct eds_ref_gaps *gaps, uint64_t visitor)
{
    size_t place;
    bool was_here = eds_visitors_find(&gaps->visitors, visitor, &place);

    if (!was_here)
        place = eds_visitors_place(&gaps->visitors, visitor);
    gaps->gaps[place].generation = 0;
    return was_here ? &gaps->gaps[place] : NULL;
}

void eds_ref_gaps_note(const struct eds_ref_gaps *gaps, struct eds_ref_gap *gap)
{
    gap->generation = gaps->generation;
}

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

static bool fits(const char *ref)
{
    return strlen(ref) < EDS_REF_GAP_TEXT_SIZE;
}

/* How many of the references lie before the end of a gap. */
static size_t count_below(const struct eds_ref_gap_kept *gap,
                          const struct eds_ref_tail_sorted *added, size_t count)
{
    size_t first = 0;

    if (!gap->has_end)
        return count;
    while (count > 0) { /* in first ... first + count is the first that does not */
        size_t half = count / 2;

        if (strcmp(added[first + half].item->ref, gap->below) < 0) {
            first += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return first;
}

static void narrow(struct eds_ref_gap_kept *gap, const struct eds_ref_tail_sorted *added,
                   size_t count)
{
    size_t below = count_below(gap, added, count);
    const char *last = below > 0 ? added[below - 1].item->ref : "";

    if (strcmp(last, gap->above) <= 0)
        return;
    if (fits(last))
        strcpy(gap->above, last);
    else
        gap->generation = 0;
}

void eds_ref_gaps_narrow(struct eds_ref_gaps *gaps, const struct eds_ref_tail_sorted *added,
                         size_t count)
{
    for (size_t i = 0; i < EDS_VISITOR_PLACES; i++)
        if (gaps->gaps[i].generation == gaps->generation)
            narrow(&gaps->gaps[i], added, count);
}

bool eds_ref_gaps_hold(struct eds_ref_gaps *gaps, uint64_t visitor, const char *ref)
{
    const struct eds_ref_gap_kept *gap;
    size_t place;

    if (!eds_visitors_find(&gaps->visitors, visitor, &place))
        return false;
    gap = &gaps->gaps[place];
    return gap->generation == gaps->generation && strcmp(ref, gap->above) > 0 &&
           (!gap->has_end || strcmp(ref, gap->below) < 0);
}

bool eds_ref_gaps_visit(struct eds_ref_gaps *gaps, uint64_t visitor)
{
    size_t place;
    bool was_here = eds_visitors_find(&gaps->visitors, visitor, &place);

    if (!was_here)
        gaps->gaps[eds_visitors_place(&gaps->visitors, visitor)].generation = 0;
    return was_here;
}

void eds_ref_gaps_note(struct eds_ref_gaps *gaps, uint64_t visitor, const struct eds_ref_gap *gap)
{
    struct eds_ref_gap_kept *kept = &gaps->gaps[eds_visitors_place(&gaps->visitors, visitor)];

    kept->generation = 0;
    if (!fits(gap->above) || (gap->has_end && !fits(gap->below)))
        return;
    kept->generation = gaps->generation;
    kept->has_end = gap->has_end;
    strcpy(kept->above, gap->above);
    if (gap->has_end)
        strcpy(kept->below, gap->below);
}

/* ref_gaps.h - between which references of an index there are none: what need not be
 * looked up there again.
 *
 * A device's references most often follow each other, so that what was found out for
 * the last one, that the index goes on with another device's behind it, says of the next
 * one, too, that it is not there.  Of fixed size (visitors.h); who is not remembered, or
 * has references of more than 119 bytes, only has to look into the index. */
#ifndef EDS_STORE_REF_GAPS_H
#define EDS_STORE_REF_GAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "edgesentry/error.h"
#include "edgesentry/record.h"
#include "store/ref_tail.h"
#include "store/visitors.h"

/* The references above one and below another that the index does not have. */
struct eds_ref_gap {
    bool has_end; /* else it goes on to the last reference that can be */
    char above[EDS_OBJECT_REF_SIZE], below[EDS_OBJECT_REF_SIZE];
};

#define EDS_REF_GAP_TEXT_SIZE 120u

/* One that is kept: small, since every record looks at one. */
struct eds_ref_gap_kept {
    uint32_t generation; /* when it was noted; 0: there is nothing here */
    bool has_end;
    char above[EDS_REF_GAP_TEXT_SIZE], below[EDS_REF_GAP_TEXT_SIZE];
};

struct eds_ref_gaps {
    struct eds_visitors visitors;
    struct eds_ref_gap_kept *gaps; /* by place */
    uint32_t generation;           /* of those that hold */
};

/* eds_ref_gaps_init makes a table without gaps.  EDS_OK or EDS_ERR_NO_MEMORY. */
int32_t eds_ref_gaps_init(struct eds_ref_gaps *gaps, struct eds_error *err);
void eds_ref_gaps_free(struct eds_ref_gaps *gaps); /* a zeroed one, too */

/* eds_ref_gaps_clear forgets them all: the index has changed, or may have. */
void eds_ref_gaps_clear(struct eds_ref_gaps *gaps);

/* eds_ref_gaps_narrow says that the index has these now, which are in order: a gap in
 * which some of them lie begins behind the last of these. */
void eds_ref_gaps_narrow(struct eds_ref_gaps *gaps, const struct eds_ref_tail_sorted *added,
                         size_t count);

/* eds_ref_gaps_hold says whether a reference lies in the visitor's gap.
 *
 *   visitor  as for eds_visitors_find; the same for references that may lie together */
bool eds_ref_gaps_hold(struct eds_ref_gaps *gaps, uint64_t visitor, const char *ref);

/* eds_ref_gaps_visit says whether to measure a gap for the visitor, which pays only for who
 * comes again: true from his second visit on. */
bool eds_ref_gaps_visit(struct eds_ref_gaps *gaps, uint64_t visitor);

/* eds_ref_gaps_note keeps a visitor's gap, if it is short enough. */
void eds_ref_gaps_note(struct eds_ref_gaps *gaps, uint64_t visitor, const struct eds_ref_gap *gap);

#endif

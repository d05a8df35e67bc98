/* gaps.h - gaps in chains that an operator has closed (core/gap.h), in the ledger's
 * database.
 *
 * Closing one moves the device's head over it: from then on the record that the gap
 * ends before is simply the device's next one, on every server.  Nothing ever takes a
 * gap record out again.  A mistake is corrected by another gap that begins where the
 * wrong one ends.
 *
 * Threads and errors as in ledger.h. */
#ifndef EDS_STORE_GAPS_H
#define EDS_STORE_GAPS_H

#include "core/gap.h"
#include "store/ledger.h"

struct eds_gap_closing {
    const struct eds_gap *gap;  /* signed; the store does not look at the signature */
    uint64_t operator_revision; /* of his enrolment when his key was found good */
    const char *message;        /* of the line in the operation log */
    uint64_t now_ms;            /* its time */
};

/* Where a walk stands: behind this one. */
struct eds_gap_place {
    char device_id[EDS_DEVICE_ID_SIZE]; /* "": before the first */
    uint64_t id;
};

struct eds_gap_ops {
    /* The gap record, the head behind it and a line in the operation log (decision
     * EDS_DECISION_CHANGED, the gap's resume_sequence, who is the operator, why is
     * the reason) are durable on EDS_OK, or none of them.  The head keeps its
     * attested and its conflict_count.
     * EDS_ERR_HEAD_MOVED: the device's head is not where the gap begins, or the
     * operator has another revision by now; look again and decide again.
     * EDS_ERR_USAGE: what no command lets through (eds_gap_check refuses it). */
    int32_t (*close)(struct eds_ledger *, const struct eds_gap_closing *, struct eds_error *);

    /* Reads the next gap after a place and moves the place there: of one device in
     * the order in which they were closed, or, with device_id NULL, of all, device by
     * device (in byte order of the id).  EDS_ERR_NOT_FOUND after the last.  In between
     * anything may be done to the ledger. */
    int32_t (*next)(struct eds_ledger *, const char *device_id, struct eds_gap_place *place,
                    struct eds_gap *out, struct eds_error *);
};

#endif

/* release.h - the records of a quarantined device, into its chain.
 *
 * In the order of their sequences, each through the checks that it would have met
 * had it come now: head, attestation, reference, and its signature under a key
 * that was valid when it came and is not revoked since.  What does not follow
 * stays apart, for another time.  Any program may do this beside running servers. */
#ifndef EDS_INGEST_RELEASE_H
#define EDS_INGEST_RELEASE_H

#include "store/quarantine.h"
#include "store/roster.h"

struct eds_release_report {
    uint64_t moved;                       /* into the chain */
    uint64_t left;                        /* that do not follow */
    char first_left[EDS_ERROR_TEXT_SIZE]; /* why the first of those did not; "" */
};

/* eds_release_records moves what can be moved of a device.
 *
 *   device  as the registry has it; may be quarantined still
 *   report  is added to for moved, and set for the rest
 *
 * EDS_OK; the store's error (what was moved before stays moved). */
int32_t eds_release_records(struct eds_ledger *ledger, const struct eds_enrolment *device,
                            uint64_t now_ms, struct eds_release_report *report,
                            struct eds_error *err);

#endif

/* merge.h - what becomes of a registered device, or of a new one, by a file's entry.
 *
 * The rules are those of the commands: keys are added and ended and never taken
 * away, an end is set or brought forward, revoked and retired are for good, and
 * only "device release" lets a quarantined device's records in.  Pure functions. */
#ifndef EDS_FLEET_MERGE_H
#define EDS_FLEET_MERGE_H

#include "fleet/entry.h"

#define EDS_FLEET_CHANGES_SIZE 192u /* bytes, NUL included */

/* eds_fleet_merge makes the enrolment that is to be stored.
 *
 *   stored   as it is registered, or NULL for a new device
 *   changes  "" if it is as the entry says already (or new), else what differs:
 *            "site, attest, 1 key added"
 *
 * A new device that is revoked or retired, or a revoked key, ends at now_ms where
 * no end is given.  EDS_OK, or EDS_ERR_UNSUPPORTED and others for what cannot be;
 * *err says why, and what to do. */
int32_t eds_fleet_merge(struct eds_enrolment *out, char changes[EDS_FLEET_CHANGES_SIZE],
                        const struct eds_fleet_entry *entry, const struct eds_enrolment *stored,
                        uint64_t now_ms, struct eds_error *err);

#endif

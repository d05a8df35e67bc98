/* trail.h - the lines of a record's way through ingest, for who debugs.
 *
 * The events and fields are those of the original's runbook, as words for a machine.
 * They know nothing of requests: a transport's line of the same record, found by
 * device and sequence, has the request's id (transport/verdict_log.h). */
#ifndef EDS_INGEST_TRAIL_H
#define EDS_INGEST_TRAIL_H

#include "ingest/ingest.h"

/* eds_trail_begin writes ingest_started.  Nothing unless the log is at debug. */
void eds_trail_begin(const struct eds_submission *submission);

/* eds_trail_end writes what the checks found: record_verified_and_accepted,
 * signature_verification_failed, duplicate_record_rejected, sequence_out_of_order or
 * prev_record_hash_mismatch; nothing for another verdict. */
void eds_trail_end(const struct eds_submission *submission);

#endif

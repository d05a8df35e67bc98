/* trail.c - see trail.h. */
#include "ingest/trail.h"

#include "base/log.h"

void eds_trail_begin(const struct eds_submission *submission)
{
    const EdsAuditRecord *record = &submission->request.entry->record;

    if (!eds_log_wants(EDS_LOG_DEBUG))
        return;
    EDS_LOG(EDS_LOG_DEBUG, "ingest_started",
            EDS_LOG_STRING("device_id", (const char *)record->device_id),
            EDS_LOG_NUMBER("sequence", record->sequence),
            EDS_LOG_STRING("object_ref", (const char *)record->object_ref),
            EDS_LOG_NUMBER("payload_bytes", submission->request.payload_size));
}

static const char *event_of(enum eds_verdict verdict)
{
    switch (verdict) {
    case EDS_VERDICT_ACCEPTED:
        return "record_verified_and_accepted";
    case EDS_VERDICT_SIGNATURE:
    case EDS_VERDICT_ATTESTATION:
        return "signature_verification_failed";
    case EDS_VERDICT_DUPLICATE:
        return "duplicate_record_rejected";
    case EDS_VERDICT_PREVIOUS_HASH:
        return "prev_record_hash_mismatch";
    default:
        return NULL; /* the transport's line says all there is to say */
    }
}

void eds_trail_end(const struct eds_submission *submission)
{
    const EdsAuditRecord *record = &submission->request.entry->record;
    const char *device_id = (const char *)record->device_id;
    const char *event = event_of(submission->verdict);

    if (!eds_log_wants(EDS_LOG_DEBUG))
        return;
    if (submission->verdict == EDS_VERDICT_SEQUENCE)
        EDS_LOG(EDS_LOG_DEBUG, "sequence_out_of_order", EDS_LOG_STRING("device_id", device_id),
                EDS_LOG_NUMBER("expected", submission->expected_sequence),
                EDS_LOG_NUMBER("actual", record->sequence));
    else if (event != NULL)
        EDS_LOG(EDS_LOG_DEBUG, event, EDS_LOG_STRING("device_id", device_id),
                EDS_LOG_NUMBER("sequence", record->sequence));
}

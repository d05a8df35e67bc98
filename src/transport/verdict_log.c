/* verdict_log.c - see verdict_log.h. */
#include "transport/verdict_log.h"

#include "base/log.h"

void eds_verdict_log_init(struct eds_verdict_log *log, unsigned lines_per_second)
{
    eds_log_throttle_init(&log->rejected, lines_per_second);
    eds_log_throttle_init(&log->deferred, lines_per_second);
}

void eds_verdict_log_destroy(struct eds_verdict_log *log)
{
    eds_log_throttle_destroy(&log->rejected);
    eds_log_throttle_destroy(&log->deferred);
}

/* What is as it should be is for who debugs: a record accepted, or one that
 * came again. */
static enum eds_log_level level_of(enum eds_verdict verdict)
{
    return verdict == EDS_VERDICT_ACCEPTED || verdict == EDS_VERDICT_DUPLICATE ? EDS_LOG_DEBUG
                                                                               : EDS_LOG_WARN;
}

static const char *event_of(enum eds_verdict verdict)
{
    if (verdict == EDS_VERDICT_ACCEPTED)
        return "record_accepted";
    if (verdict == EDS_VERDICT_QUARANTINED)
        return "record_quarantined";
    if (verdict == EDS_VERDICT_PAYLOAD_HASH)
        return "payload_hash_mismatch";
    return eds_verdict_is_undecided(verdict) ? "record_deferred" : "record_rejected";
}

void eds_verdict_log_write(struct eds_verdict_log *log, const struct eds_submission *submission,
                           const char *source_name, const char *source, struct eds_trace *trace,
                           uint64_t now_ms)
{
    const EdsAuditRecord *record = &submission->request.entry->record;
    enum eds_verdict verdict = submission->verdict;
    enum eds_log_level level = level_of(verdict);
    bool accepted = verdict == EDS_VERDICT_ACCEPTED;
    struct eds_log_throttle *throttle =
        eds_verdict_is_undecided(verdict) ? &log->deferred : &log->rejected;
    const char *request_id, *trace_id;
    uint64_t suppressed = 0;

    if (!eds_log_wants(level) ||
        (level == EDS_LOG_WARN && !eds_log_throttle_pass(throttle, now_ms, &suppressed)))
        return;
    request_id = trace != NULL ? eds_trace_request_id(trace) : NULL;
    trace_id = eds_trace_id(trace);
    EDS_LOG(level, event_of(verdict), EDS_LOG_STRING("device_id", (const char *)record->device_id),
            EDS_LOG_NUMBER("sequence", record->sequence),
            EDS_LOG_IF("object_ref", accepted ? (const char *)record->object_ref : NULL),
            EDS_LOG_IF("verdict", accepted ? NULL : eds_verdict_name(verdict)),
            EDS_LOG_IF("reason", accepted ? NULL : submission->message),
            EDS_LOG_NUMBER("payload_bytes", submission->request.payload_size),
            EDS_LOG_STRING(source_name, source), EDS_LOG_IF("request_id", request_id),
            EDS_LOG_IF("trace_id", trace_id), EDS_LOG_IF("gateway", eds_trace_gateway(trace)),
            EDS_LOG_IF("tags", eds_trace_tags(trace)), EDS_LOG_NUMBER("suppressed", suppressed));
}

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

void eds_verdict_log_write(struct eds_verdict_log *log, const struct eds_submission *submission,
                           const char *source_name, const char *source, uint64_t now_ms)
{
    const EdsAuditRecord *record = &submission->request.entry->record;
    enum eds_log_level level = level_of(submission->verdict);
    bool deferred = eds_verdict_is_undecided(submission->verdict);
    struct eds_log_throttle *throttle = deferred ? &log->deferred : &log->rejected;
    uint64_t suppressed = 0;

    if (submission->verdict == EDS_VERDICT_ACCEPTED) {
        EDS_LOG(level, "ingest_accepted", EDS_LOG_STRING("device", (const char *)record->device_id),
                EDS_LOG_NUMBER("sequence", record->sequence), EDS_LOG_STRING(source_name, source));
        return;
    }
    if (level == EDS_LOG_WARN && !eds_log_throttle_pass(throttle, now_ms, &suppressed))
        return;
    EDS_LOG(level, deferred ? "ingest_deferred" : "ingest_rejected",
            EDS_LOG_STRING("device", (const char *)record->device_id),
            EDS_LOG_NUMBER("sequence", record->sequence),
            EDS_LOG_STRING("verdict", eds_verdict_name(submission->verdict)),
            EDS_LOG_STRING("reason", submission->message), EDS_LOG_STRING(source_name, source),
            EDS_LOG_NUMBER("suppressed", suppressed));
}

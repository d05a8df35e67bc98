/* verdict_log.h - the log line of a decided record, whatever way it came. */
#ifndef EDS_TRANSPORT_VERDICT_LOG_H
#define EDS_TRANSPORT_VERDICT_LOG_H

#include "ingest/ingest.h"
#include "transport/log_throttle.h"
#include "transport/trace.h"

/* Rejections and what has to come again are counted apart, so that a flood of
 * the ones does not hide the others. */
struct eds_verdict_log {
    struct eds_log_throttle rejected, deferred;
};

void eds_verdict_log_init(struct eds_verdict_log *log, unsigned lines_per_second);
void eds_verdict_log_destroy(struct eds_verdict_log *log);

/* eds_verdict_is_undecided says whether the same record may come again. */
static inline bool eds_verdict_is_undecided(enum eds_verdict verdict)
{
    return verdict == EDS_VERDICT_STORE || verdict == EDS_VERDICT_OVERLOADED ||
           verdict == EDS_VERDICT_RATE_LIMITED;
}

/* eds_verdict_log_write writes the line of a decided submission: record_accepted,
 * record_rejected, payload_hash_mismatch (the events of the original's runbook),
 * or record_deferred for one that has to come again.
 *
 *   source_name, source  where it came from: "source" and an address, "topic"
 *                        and a topic
 *   trace                the request's; NULL: it has none
 *   now_ms               monotonic */
void eds_verdict_log_write(struct eds_verdict_log *log, const struct eds_submission *submission,
                           const char *source_name, const char *source, struct eds_trace *trace,
                           uint64_t now_ms);

#endif

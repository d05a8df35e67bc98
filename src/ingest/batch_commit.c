/* batch_commit.c - what has been decided, made durable in one commit of the ledger, or
 * taken back. */
#include <stdio.h>

#include "base/log.h"
#include "base/port.h"
#include "ingest/answers.h"
#include "ingest/batch_parts.h"
#include "ingest/queue.h"

#define NS_PER_S 1000000000u

/* Counts that the store failed, and says so on standard error at most once a
 * second; of a commit it names the first record. */
void eds_batch_log_failure(struct eds_batch *batch, enum eds_component component, const char *what,
                           const struct eds_error *err)
{
    uint64_t now = eds_queue_now_ns();
    const EdsAuditRecord *at = batch->at;

    eds_meters_fail(&batch->keeper.books->meters, component);
    if (batch->failure_logged_ns != 0 && now - batch->failure_logged_ns < NS_PER_S)
        return;
    batch->failure_logged_ns = now;
    EDS_LOG(EDS_LOG_ERROR,
            component == EDS_COMPONENT_AUDIT_LEDGER ? "audit_ledger_append_failed"
                                                    : "operation_log_write_failed",
            EDS_LOG_STRING("call", what),
            EDS_LOG_IF("device_id", at != NULL ? (const char *)at->device_id : NULL),
            EDS_LOG_NUMBER_IF(at != NULL, "sequence", at->sequence),
            EDS_LOG_STRING("error", err->text[0] != '\0' ? err->text : "head moved"));
}

enum eds_verdict eds_batch_store_failed(struct eds_submission *submission)
{
    snprintf(submission->message, sizeof submission->message,
             "the record could not be stored: send it again");
    return EDS_VERDICT_STORE;
}

int32_t eds_batch_commit(struct eds_batch *batch, struct eds_error *err)
{
    struct eds_commit all = {
        .appends = batch->pending.appends,
        .append_count = batch->pending.append_count,
        .conflicts = batch->conflicts,
        .conflict_count = batch->conflict_count,
        .quarantined = batch->quarantined,
        .quarantined_count = batch->quarantined_count,
        .operations = batch->operations,
        .operation_count = batch->operation_count,
        .now_ms = eds_port_time_ms(),
    };
    struct eds_meters *meters = &batch->keeper.books->meters;
    uint64_t begun_ns = eds_queue_now_ns();
    int32_t rc;

    if (all.append_count + all.conflict_count + all.quarantined_count + all.operation_count == 0)
        return EDS_OK;
    rc = batch->ledger->ops->commit(batch->ledger, &all, err);
    batch->keeper.commit_ns = eds_queue_now_ns() - begun_ns;
    eds_meter_observe(&meters->commit, batch->keeper.commit_ns);
    if (rc != EDS_OK)
        return rc;
    eds_answers_settle(batch->ledger, all.appends, all.append_count, all.now_ms);
    eds_books_committed(batch->keeper.books);
    atomic_store_explicit(&meters->committed_ms, all.now_ms, memory_order_relaxed);
    return EDS_OK;
}

/* The heads are now where we moved them - or, after a failure, we don't know:
 * even a commit that reports an error may have happened. */
void eds_batch_keep_heads(struct eds_batch *batch, bool committed)
{
    for (size_t i = 0; i < batch->pending.device_count; i++) {
        const struct eds_pending_device *device = &batch->pending.devices[i];

        if (committed && !device->failed)
            eds_heads_put(&batch->heads, device->key, &device->head);
        else
            eds_heads_drop(&batch->heads, device->key);
    }
}

/* Answers of a range that could not be committed. */
void eds_batch_take_back(struct eds_batch *batch, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        struct eds_batch_item *item = &batch->items[i];
        struct eds_submission *s = item->submission;

        if (eds_verdict_is_kept(s->verdict) || s->verdict == EDS_VERDICT_CONFLICT ||
            item->on_pending)
            s->verdict = eds_batch_store_failed(s);
        else if (s->verdict != EDS_VERDICT_STORE && item->is_listed)
            eds_batch_line_lost(batch, s->request.source);
    }
}

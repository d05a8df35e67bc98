/* batch.c - see batch.h.
 *
 * Deciding and storing are two steps.  Deciding reads heads and moves copies of
 * them; storing is one commit; only when that has succeeded do the copies
 * become the cached heads and the verdicts answers.  If it fails, whatever was
 * to be written, and whatever was judged by what was to be written, is answered
 * EDS_VERDICT_STORE: "duplicate" of a record that was not stored after all
 * would make a client delete its only copy. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/batch_parts.h"
#include "ingest/sightings.h"

/* How often a batch is decided because the ledger did not take it as it was. */
#define ATTEMPT_MAX 5u

static void keep(struct eds_keeper *keeper, struct eds_submission **submissions, size_t count,
                 bool at_once);

int32_t eds_batch_init(struct eds_batch *batch, const struct eds_ingest_config *config, size_t max,
                       size_t heads_max)
{
    int32_t rc;

    *batch = (struct eds_batch){
        .keeper = {.keep = keep},
        .ledger = config->ledger,
        .registry = config->registry,
        .refresh = config->refresh,
        .refresh_context = config->refresh_context,
        .sightings = config->sightings,
        .max = max,
        .items = calloc(max, sizeof *batch->items),
        .conflicts = calloc(max, sizeof *batch->conflicts),
        .quarantined = calloc(max, sizeof *batch->quarantined),
        .operations = calloc(max + EDS_FLOODS_MAX, sizeof *batch->operations),
    };
    rc = eds_heads_init(&batch->heads, heads_max);
    if (!eds_pending_init(&batch->pending, max) || batch->items == NULL ||
        batch->conflicts == NULL || batch->quarantined == NULL || batch->operations == NULL)
        return EDS_ERR_NO_MEMORY;
    return rc;
}

void eds_batch_free(struct eds_batch *batch)
{
    eds_heads_free(&batch->heads);
    eds_pending_free(&batch->pending);
    free(batch->items);
    free(batch->conflicts);
    free(batch->quarantined);
    free(batch->operations);
}

static void decide_range(struct eds_batch *batch, size_t first, size_t count)
{
    eds_pending_clear(&batch->pending);
    batch->conflict_count = 0;
    batch->quarantined_count = 0;
    batch->operation_count = 0;
    for (size_t i = first; i < first + count; i++) {
        struct eds_batch_item *item = &batch->items[i];

        item->submission->verdict = eds_batch_judge(batch, item);
        eds_batch_list(batch, item);
    }
}

/* In a divided batch, lets later records of a device share the fate of one that
 * was not stored: the gate would say that one is missing, and the client would
 * not know of any. */
static void fail_followers(struct eds_batch *batch, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        const struct eds_submission *s = batch->items[i].submission;
        const EdsAuditRecord *record = &s->request.entry->record;

        for (size_t j = first + count; s->verdict == EDS_VERDICT_STORE && j < batch->keeper.count;
             j++) {
            struct eds_batch_item *item = &batch->items[j];
            const EdsAuditRecord *other = &item->submission->request.entry->record;

            if (item->checked == EDS_VERDICT_ACCEPTED &&
                strcmp((const char *)other->device_id, (const char *)record->device_id) == 0)
                item->checked = EDS_VERDICT_STORE;
        }
    }
}

/* What was stored is looked at for what its device says of itself. */
static void look_for_sightings(struct eds_batch *batch, size_t first, size_t count)
{
    for (size_t i = first; batch->sightings != NULL && i < first + count; i++) {
        const struct eds_submission *s = batch->items[i].submission;

        if (s->verdict == EDS_VERDICT_ACCEPTED)
            eds_sightings_take(batch->sightings, &s->request.entry->record, s->request.payload,
                               s->request.payload_size);
    }
}

static void run_range(struct eds_batch *batch, size_t first, size_t count)
{
    struct eds_error err;
    int32_t rc = EDS_ERR_HEAD_MOVED;

    for (unsigned attempt = 0; rc == EDS_ERR_HEAD_MOVED && attempt < ATTEMPT_MAX; attempt++) {
        err.text[0] = '\0'; /* a moved head need not be explained by the ledger */
        /* Taken references are rare, and the commit refuses them by itself: a
         * look-up for each record would cost a tenth of all for nothing. */
        batch->asks_for_objects = attempt > 0;
        decide_range(batch, first, count);
        rc = eds_batch_commit(batch, &err);
        eds_batch_keep_heads(batch, rc == EDS_OK);
        if (rc == EDS_ERR_HEAD_MOVED && batch->quarantined_count > 0 && batch->refresh != NULL)
            batch->refresh(batch->refresh_context); /* a device may have been released */
    }
    if (rc == EDS_ERR_HEAD_MOVED && count > 1) {
        /* One record that the ledger refuses again and again must not hold up
         * the others: smaller commits, down to single records. */
        run_range(batch, first, count / 2);
        run_range(batch, first + count / 2, count - count / 2);
        return;
    }
    if (rc != EDS_OK) {
        batch->at = &batch->items[first].submission->request.entry->record;
        eds_batch_log_failure(batch, EDS_COMPONENT_AUDIT_LEDGER, "commit", &err);
        eds_batch_take_back(batch, first, count);
    }
    look_for_sightings(batch, first, count);
    fail_followers(batch, first, count);
}

static void keep(struct eds_keeper *keeper, struct eds_submission **submissions, size_t count,
                 bool at_once)
{
    struct eds_batch *batch = (struct eds_batch *)keeper;
    _Atomic uint64_t *oldest_ns = &batch->keeper.books->meters.oldest_ns;

    assert(count <= batch->max);
    batch->keeper.count = count;
    batch->has_refreshed = false;
    for (size_t i = 0; i < count; i++) {
        bool rejected = !eds_verdict_is_kept(submissions[i]->verdict);

        if (submissions[i]->verdict == EDS_VERDICT_STORE) /* of its payload, on the way here */
            eds_meters_fail(&batch->keeper.books->meters, EDS_COMPONENT_RAW_DATA_STORE);
        batch->items[i] = (struct eds_batch_item){
            .submission = submissions[i],
            .checked = submissions[i]->verdict,
            .list_decided = rejected, /* a rejection that came as far as here gets its line */
            .is_listed = rejected,
        };
    }
    if (count > 0) {
        atomic_store_explicit(oldest_ns, submissions[0]->begun_ns, memory_order_relaxed);
        run_range(batch, 0, count);
        atomic_store_explicit(oldest_ns, 0, memory_order_relaxed);
    }
    eds_batch_tell_sums(batch, at_once);
}

/* batch.c - see batch.h.
 *
 * Deciding and storing are two steps.  Deciding reads heads and moves copies of
 * them; storing is one commit; only when that has succeeded do the copies
 * become the cached heads and the verdicts answers.  If it fails, whatever was
 * to be written, and whatever was judged by what was to be written, is answered
 * EDS_VERDICT_STORE: "duplicate" of a record that was not stored after all
 * would make a client delete its only copy. */
#include "ingest/batch.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/port.h"
#include "ingest/answers.h"
#include "ingest/queue.h"
#include "ingest/sightings.h"
#include "store/quarantine.h"

/* How often a batch is decided because the ledger did not take it as it was. */
#define ATTEMPT_MAX 5u

#define NS_PER_S 1000000000u

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

/* Counts that the store failed, and says so on standard error at most once a
 * second; of a commit it names the first record. */
static void log_failure(struct eds_batch *batch, enum eds_component component, const char *what,
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

static enum eds_verdict store_failed(struct eds_submission *submission)
{
    snprintf(submission->message, sizeof submission->message,
             "the record could not be stored: send it again");
    return EDS_VERDICT_STORE;
}

static void load_head(struct eds_batch *batch, struct eds_pending_device *device)
{
    struct eds_error err;

    if (batch->ledger->ops->head(batch->ledger, device->device_id, &device->head, &err) == EDS_OK)
        return;
    device->failed = true;
    log_failure(batch, EDS_COMPONENT_AUDIT_LEDGER, "head", &err);
}

/* Finds the device among those of the batch, with its head. */
static struct eds_pending_device *find_device(struct eds_batch *batch, const char *device_id)
{
    struct eds_head_key key = eds_heads_key(&batch->heads, device_id);
    struct eds_pending_device *device;
    bool added;

    device = eds_pending_device(&batch->pending, device_id, key, &added);
    if (added && !eds_heads_get(&batch->heads, key, &device->head))
        load_head(batch, device);
    return device;
}

/* Makes of a look-up's answer: a hash that is there, none, or a failed device. */
static const uint8_t *found(struct eds_batch *batch, struct eds_pending_device *device,
                            const char *what, int32_t rc, const uint8_t *hash,
                            const struct eds_error *err)
{
    if (rc == EDS_OK)
        return hash;
    if (rc != EDS_ERR_NOT_FOUND) {
        device->failed = true;
        log_failure(batch, EDS_COMPONENT_AUDIT_LEDGER, what, err);
    }
    return NULL;
}

static enum eds_verdict check_head(struct eds_batch *batch, struct eds_batch_item *item,
                                   struct eds_pending_device *device)
{
    struct eds_submission *s = item->submission;
    const EdsAuditRecord *record = &s->request.entry->record;
    const uint8_t *stored_hash = NULL;
    uint8_t hash[EDS_HASH_SIZE];
    struct eds_error err;

    item->on_pending = device->append_count > 0;
    s->expected_sequence = device->head.sequence + 1; /* wraps where nothing can follow */
    if (eds_gate_needs_stored(&device->head, s->request.entry)) {
        stored_hash = eds_pending_record_hash(&batch->pending, device, record->sequence);
        if (stored_hash == NULL) {
            int32_t rc = batch->ledger->ops->record_hash(batch->ledger, device->device_id,
                                                         record->sequence, hash, &err);

            stored_hash = found(batch, device, "record_hash", rc, hash, &err);
        }
    }
    if (device->failed)
        return store_failed(s);
    return eds_gate_check_head(&device->head, s->request.entry, s->record_hash, s->attest_required,
                               stored_hash, s->message);
}

static enum eds_verdict check_object(struct eds_batch *batch, struct eds_batch_item *item,
                                     struct eds_pending_device *device, struct eds_head_key key)
{
    struct eds_submission *s = item->submission;
    const char *object_ref = (const char *)s->request.entry->record.object_ref;
    static const uint8_t no_hash[EDS_HASH_SIZE];
    const uint8_t *taken_by = eds_pending_object(&batch->pending, object_ref, key);
    uint8_t hash[EDS_HASH_SIZE];
    struct eds_error err;

    if (s->payload_place == EDS_PAYLOAD_TAKEN) {
        taken_by = no_hash; /* by what, nobody here needs to know */
    } else if (taken_by != NULL) {
        item->on_pending = true;
    } else if (batch->asks_for_objects) {
        int32_t rc = batch->ledger->ops->object(batch->ledger, object_ref, hash, &err);

        taken_by = found(batch, device, "object", rc, hash, &err);
    }
    if (device->failed)
        return store_failed(s);
    return eds_gate_check_object(s->request.entry, taken_by, s->message);
}

static bool is_about_head(enum eds_verdict verdict)
{
    return verdict == EDS_VERDICT_SEQUENCE || verdict == EDS_VERDICT_PREVIOUS_HASH ||
           verdict == EDS_VERDICT_ATTESTATION_ABSENT;
}

/* Whether a record seems to have a gap before it for the only reason that another
 * node keeps the ones before it apart, and the news has not come here yet. */
static bool is_quarantined_elsewhere(struct eds_batch *batch, const struct eds_submission *s,
                                     enum eds_verdict verdict)
{
    struct eds_device now;

    if (batch->refresh == NULL ||
        (verdict != EDS_VERDICT_SEQUENCE && verdict != EDS_VERDICT_PREVIOUS_HASH))
        return false;
    if (!batch->has_refreshed) /* once a batch: what comes later will be checked anew */
        batch->refresh(batch->refresh_context);
    batch->has_refreshed = true;
    return eds_registry_find(batch->registry, (const char *)s->request.entry->record.device_id,
                             &now) == EDS_OK &&
           now.state == EDS_DEVICE_QUARANTINED;
}

/* Whether the record that is missing before this one is kept apart: its device is
 * being released just now. */
static bool is_next_apart(struct eds_batch *batch, const struct eds_pending_device *device)
{
    struct eds_quarantine_place place = {device->head.sequence, INT64_MAX};
    struct eds_quarantined next;
    struct eds_error err;
    bool is_apart;

    if (batch->ledger->quarantine == NULL ||
        batch->ledger->quarantine->next(batch->ledger, device->device_id, &place, &next, &err) !=
            EDS_OK)
        return false;
    is_apart = next.entry.record.sequence - device->head.sequence == 1;
    free(next.payload);
    return is_apart;
}

/* What a rejection because of the head needs: that it is not an old head, from the cache
 * while another node has taken records, or from before a release.  A release puts a
 * record into the chain before it takes it out of quarantine.  So quarantine is looked
 * at first, and the head after that: a record found in neither was in neither.  What is
 * accepted needs no such doubt, as the commit compares heads itself. */
static enum eds_verdict settle(struct eds_batch *batch, struct eds_batch_item *item,
                               struct eds_pending_device *device, enum eds_verdict verdict)
{
    for (unsigned i = 0; !device->settled && device->append_count == 0 && is_about_head(verdict);
         i++) {
        uint64_t sequence = device->head.sequence;

        if (i == ATTEMPT_MAX) /* other nodes are faster, each time */
            return store_failed(item->submission);
        device->next_apart = verdict == EDS_VERDICT_SEQUENCE && is_next_apart(batch, device);
        load_head(batch, device);
        device->settled = !device->failed && device->head.sequence == sequence;
        verdict = check_head(batch, item, device);
    }
    return verdict;
}

/* Whether a record has to come again, as the one before it is on its way. */
static bool is_put_off(struct eds_batch *batch, const struct eds_pending_device *device,
                       enum eds_verdict verdict)
{
    return verdict == EDS_VERDICT_SEQUENCE &&
           (device->append_count == 0 ? device->next_apart : is_next_apart(batch, device));
}

static enum eds_verdict decide_quarantined(struct eds_batch *batch, struct eds_batch_item *item);

/* Decides what only the committer can: may the record follow? */
static enum eds_verdict decide(struct eds_batch *batch, struct eds_batch_item *item)
{
    struct eds_submission *s = item->submission;
    const struct eds_entry *entry = s->request.entry;
    struct eds_pending_device *device = find_device(batch, (const char *)entry->record.device_id);
    struct eds_head_key object_key;
    struct eds_append append;
    enum eds_verdict verdict;

    if (device->failed) /* an earlier record may have been good: this one has to wait */
        return store_failed(s);
    verdict = check_head(batch, item, device);
    verdict = settle(batch, item, device, verdict);
    if (is_quarantined_elsewhere(batch, s, verdict))
        return decide_quarantined(batch, item);
    if (is_put_off(batch, device, verdict))
        return store_failed(s);
    if (verdict == EDS_VERDICT_CONFLICT) {
        struct eds_conflict *conflict = &batch->conflicts[batch->conflict_count++];

        conflict->entry = entry;
        memcpy(conflict->record_hash, s->record_hash, sizeof conflict->record_hash);
    }
    if (verdict != EDS_VERDICT_ACCEPTED)
        return verdict;
    object_key = eds_heads_key(&batch->heads, (const char *)entry->record.object_ref);
    verdict = check_object(batch, item, device, object_key);
    if (verdict != EDS_VERDICT_ACCEPTED)
        return verdict;
    append = (struct eds_append){.entry = entry};
    if (s->payload_place == EDS_PAYLOAD_IN_COMMIT) {
        append.payload = s->request.payload;
        append.payload_size = s->request.payload_size;
    }
    memcpy(append.record_hash, s->record_hash, sizeof append.record_hash);
    eds_pending_append(&batch->pending, device, &append, object_key);
    return EDS_VERDICT_ACCEPTED;
}

/* Decides of a well signed record of a device that was quarantined when it was
 * checked, and may have been released since. */
static enum eds_verdict decide_quarantined(struct eds_batch *batch, struct eds_batch_item *item)
{
    struct eds_submission *s = item->submission;
    const struct eds_entry *entry = s->request.entry;
    const char *device_id = (const char *)entry->record.device_id;
    struct eds_device now;
    bool known = eds_registry_find(batch->registry, device_id, &now) == EDS_OK;
    enum eds_verdict verdict = eds_gate_check_state(known ? &now : NULL, entry, s->message);
    struct eds_pending_device *device;
    struct eds_append *kept;
    uint8_t hash[EDS_HASH_SIZE];
    struct eds_error err;
    int32_t rc = EDS_ERR_NOT_FOUND;

    if (verdict == EDS_VERDICT_ACCEPTED) {
        s->attest_required = now.attest_required;
        return decide(batch, item);
    }
    if (verdict != EDS_VERDICT_QUARANTINED)
        return verdict;
    device = find_device(batch, device_id);
    if (!device->failed && eds_gate_needs_stored(&device->head, entry)) {
        rc = batch->ledger->ops->record_hash(batch->ledger, device_id, entry->record.sequence, hash,
                                             &err);
        (void)found(batch, device, "record_hash", rc, hash, &err);
    }
    if (device->failed)
        return store_failed(s);
    if (entry->record.sequence == 0) { /* no release could ever take it in */
        s->attest_required = now.attest_required;
        return settle(batch, item, device, check_head(batch, item, device));
    }
    if (rc == EDS_OK && memcmp(hash, s->record_hash, sizeof hash) == 0) /* accepted before */
        return eds_gate_check_head(&device->head, entry, s->record_hash, false, hash, s->message);
    kept = &batch->quarantined[batch->quarantined_count++];
    *kept = (struct eds_append){
        .entry = entry, .payload = s->request.payload, .payload_size = s->request.payload_size};
    if (s->request.payload_absent) {
        kept->payload_size = 0;
        kept->payload = ""; /* what is kept elsewhere shows by its hash when it is released */
    }
    memcpy(kept->record_hash, s->record_hash, sizeof kept->record_hash);
    return EDS_VERDICT_QUARANTINED;
}

static enum eds_decision decision_of(enum eds_verdict verdict)
{
    if (verdict == EDS_VERDICT_ACCEPTED)
        return EDS_DECISION_ACCEPTED;
    return verdict == EDS_VERDICT_QUARANTINED ? EDS_DECISION_QUARANTINED : EDS_DECISION_REJECTED;
}

static void add_operation(struct eds_batch *batch, struct eds_batch_item *item)
{
    const struct eds_submission *s = item->submission;
    bool accepted = s->verdict == EDS_VERDICT_ACCEPTED, kept = eds_verdict_is_kept(s->verdict);

    if (s->verdict == EDS_VERDICT_STORE)
        return;
    if (!kept && !item->list_decided) {
        item->is_listed = eds_books_list(batch->keeper.books, s->request.source);
        item->list_decided = true;
    }
    if (!kept && !item->is_listed)
        return;
    batch->operations[batch->operation_count++] = (struct eds_operation){
        .decision = decision_of(s->verdict),
        .device_id = (const char *)s->request.entry->record.device_id,
        .sequence = s->request.entry->record.sequence,
        .message = accepted ? "ingest accepted" : s->message,
    };
}

static void decide_range(struct eds_batch *batch, size_t first, size_t count)
{
    eds_pending_clear(&batch->pending);
    batch->conflict_count = 0;
    batch->quarantined_count = 0;
    batch->operation_count = 0;
    for (size_t i = first; i < first + count; i++) {
        struct eds_batch_item *item = &batch->items[i];

        item->on_pending = false;
        item->submission->verdict = item->checked;
        batch->at = &item->submission->request.entry->record;
        if (item->checked == EDS_VERDICT_ACCEPTED)
            item->submission->verdict = decide(batch, item);
        else if (item->checked == EDS_VERDICT_QUARANTINED)
            item->submission->verdict = decide_quarantined(batch, item);
        else if (item->checked == EDS_VERDICT_STORE)
            item->submission->verdict = store_failed(item->submission);
        add_operation(batch, item);
    }
}

static int32_t commit(struct eds_batch *batch, struct eds_error *err)
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
static void keep_heads(struct eds_batch *batch, bool committed)
{
    for (size_t i = 0; i < batch->pending.device_count; i++) {
        const struct eds_pending_device *device = &batch->pending.devices[i];

        if (committed && !device->failed)
            eds_heads_put(&batch->heads, device->key, &device->head);
        else
            eds_heads_drop(&batch->heads, device->key);
    }
}

/* A rejection's line was not written. */
static void line_lost(struct eds_batch *batch, const char *source)
{
    struct eds_flood flood = {.unlisted = 1};

    if (source != NULL)
        snprintf(flood.source, sizeof flood.source, "%.*s", (int)sizeof flood.source - 1, source);
    eds_books_unlisted(batch->keeper.books, &flood);
}

/* Answers of a range that could not be committed. */
static void take_back(struct eds_batch *batch, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        struct eds_batch_item *item = &batch->items[i];
        struct eds_submission *s = item->submission;

        if (eds_verdict_is_kept(s->verdict) || s->verdict == EDS_VERDICT_CONFLICT ||
            item->on_pending)
            s->verdict = store_failed(s);
        else if (s->verdict != EDS_VERDICT_STORE && item->is_listed)
            line_lost(batch, s->request.source);
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
        rc = commit(batch, &err);
        keep_heads(batch, rc == EDS_OK);
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
        log_failure(batch, EDS_COMPONENT_AUDIT_LEDGER, "commit", &err);
        take_back(batch, first, count);
    }
    look_for_sightings(batch, first, count);
    fail_followers(batch, first, count);
}

/* "7 more rejections of source 10.0.0.7 were not listed, 3 requests were over a
 * rate". */
static void describe(char *out, size_t out_size, const struct eds_flood *flood)
{
    const char *of = flood->source[0] != '\0' ? " of source " : "";
    size_t size = 0;

    if (flood->unlisted > 0)
        size = (size_t)snprintf(out, out_size, "%" PRIu64 " more rejection%s%s%s %s not listed",
                                flood->unlisted, flood->unlisted == 1 ? "" : "s", of, flood->source,
                                flood->unlisted == 1 ? "was" : "were");
    if (flood->limited > 0)
        snprintf(out + size, out_size - size, "%s%" PRIu64 " request%s%s%s %s over a rate",
                 size > 0 ? ", " : "", flood->limited, flood->limited == 1 ? "" : "s",
                 size > 0 ? "" : of, size > 0 ? "" : flood->source,
                 flood->limited == 1 ? "was" : "were");
}

/* Tells in one line for each source what got none. */
static void tell_sums(struct eds_batch *batch, bool at_once)
{
    size_t count = eds_books_sums(batch->keeper.books, batch->floods, at_once);
    struct eds_error err;

    if (count == 0)
        return;
    eds_pending_clear(&batch->pending);
    batch->conflict_count = 0;
    batch->quarantined_count = 0;
    batch->operation_count = count;
    for (size_t i = 0; i < count; i++) {
        describe(batch->flood_messages[i], sizeof batch->flood_messages[i], &batch->floods[i]);
        batch->operations[i] = (struct eds_operation){.decision = EDS_DECISION_REJECTED,
                                                      .device_id = "",
                                                      .message = batch->flood_messages[i]};
    }
    if (commit(batch, &err) == EDS_OK)
        return;
    batch->at = NULL;
    log_failure(batch, EDS_COMPONENT_OPERATION_LOG, "commit", &err);
    for (size_t i = 0; i < count; i++)
        eds_books_unlisted(batch->keeper.books, &batch->floods[i]);
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
    tell_sums(batch, at_once);
}

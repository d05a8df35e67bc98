/* batch_decide.c - may the record follow?
 *
 * Reads heads, from the cache or the ledger, and moves copies of them.  Nothing here
 * changes what is stored, or what other batches will see. */
#include "ingest/batch_parts.h"

#include <stdlib.h>
#include <string.h>

#include "ingest/queue.h"
#include "store/quarantine.h"

/* How often a head is read anew because another node was faster. */
#define SETTLE_MAX 5u

static void load_head(struct eds_batch *batch, struct eds_pending_device *device)
{
    struct eds_error err;

    if (batch->ledger->ops->head(batch->ledger, device->device_id, &device->head, &err) == EDS_OK)
        return;
    device->failed = true;
    eds_batch_log_failure(batch, EDS_COMPONENT_AUDIT_LEDGER, "head", &err);
}

/* Finds the device among those of the batch, with its head. */
static struct eds_pending_device *find_device(struct eds_batch *batch, const char *device_id)
{
    struct eds_pending_device *device = eds_pending_same(&batch->pending, device_id);
    struct eds_head_key key;
    bool added;

    if (device != NULL)
        return device;
    key = eds_heads_key(&batch->heads, device_id);
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
        eds_batch_log_failure(batch, EDS_COMPONENT_AUDIT_LEDGER, what, err);
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
        return eds_batch_store_failed(s);
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
        return eds_batch_store_failed(s);
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

        if (i == SETTLE_MAX) /* other nodes are faster, each time */
            return eds_batch_store_failed(item->submission);
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
        return eds_batch_store_failed(s);
    verdict = check_head(batch, item, device);
    verdict = settle(batch, item, device, verdict);
    if (is_quarantined_elsewhere(batch, s, verdict))
        return decide_quarantined(batch, item);
    if (is_put_off(batch, device, verdict))
        return eds_batch_store_failed(s);
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
        return eds_batch_store_failed(s);
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

enum eds_verdict eds_batch_judge(struct eds_batch *batch, struct eds_batch_item *item)
{
    item->on_pending = false;
    batch->at = &item->submission->request.entry->record;
    if (item->checked == EDS_VERDICT_ACCEPTED)
        return decide(batch, item);
    if (item->checked == EDS_VERDICT_QUARANTINED)
        return decide_quarantined(batch, item);
    if (item->checked == EDS_VERDICT_STORE)
        return eds_batch_store_failed(item->submission);
    return item->checked;
}

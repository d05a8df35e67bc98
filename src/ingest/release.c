/* release.c - see release.h.
 *
 * Many go into the chain by one commit, each with the time of its arrival, so that
 * this is faster than any device that sends meanwhile.  First the commit, then the
 * rows are taken out: who is stopped in between finds duplicates the next time,
 * and takes them out. */
#include "ingest/release.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edgesentry/attest.h"
#include "ingest/answers.h"
#include "ingest/gate.h"

#define GROUP_MAX   256u /* records in one commit */
#define ATTEMPT_MAX 5

struct releasing {
    struct eds_ledger *ledger;
    const struct eds_enrolment *device;
    uint64_t now_ms;
    struct eds_release_report *report;
    struct eds_error *err;
    struct eds_head head; /* past the group */
    size_t group_max;     /* GROUP_MAX, or 1 after a commit that was refused */

    struct eds_quarantined group[GROUP_MAX]; /* to be committed together */
    struct eds_append appends[GROUP_MAX];
    uint64_t ingested_ms[GROUP_MAX];
    struct eds_operation operations[GROUP_MAX];
    size_t count;
};

static void drop_group(struct releasing *r)
{
    while (r->count > 0)
        free(r->group[--r->count].payload);
}

static int32_t take_out(struct releasing *r, const struct eds_quarantined *records, size_t count)
{
    uint64_t ids[GROUP_MAX];

    for (size_t i = 0; i < count; i++)
        ids[i] = records[i].id;
    return r->ledger->quarantine->remove(r->ledger, r->device->id, ids, count, r->err);
}

/* Whether the payload was kept elsewhere before the record came: of such a record
 * none is here, while its hash is not that of nothing. */
static bool is_elsewhere(const struct eds_quarantined *it)
{
    uint8_t nothing[EDS_HASH_SIZE];

    eds_blake3(nothing, NULL, 0);
    return it->payload_size == 0 &&
           memcmp(nothing, it->entry.record.payload_hash, sizeof nothing) != 0;
}

/* Moves the group into the chain. */
static int32_t commit_group(struct releasing *r)
{
    struct eds_commit commit = {.appends = r->appends,
                                .append_count = r->count,
                                .operations = r->operations,
                                .operation_count = r->count,
                                .now_ms = r->now_ms,
                                .ingested_ms = r->ingested_ms};
    int32_t rc;

    if (r->count == 0)
        return EDS_OK;
    for (size_t i = 0; i < r->count; i++) {
        const struct eds_quarantined *it = &r->group[i];

        r->appends[i] = (struct eds_append){.entry = &it->entry,
                                            .payload = is_elsewhere(it) ? NULL : it->payload,
                                            .payload_size = it->payload_size};
        memcpy(r->appends[i].record_hash, it->record_hash, EDS_HASH_SIZE);
        r->ingested_ms[i] = it->ingested_ms;
        r->operations[i] =
            (struct eds_operation){.decision = EDS_DECISION_ACCEPTED,
                                   .device_id = r->device->id,
                                   .sequence = it->entry.record.sequence,
                                   .message = "ingest accepted: released from quarantine"};
    }
    rc = r->ledger->ops->commit(r->ledger, &commit, r->err);
    if (rc == EDS_OK)
        eds_answers_settle(r->ledger, r->appends, r->count, commit.now_ms);
    if (rc == EDS_OK)
        rc = take_out(r, r->group, r->count);
    if (rc == EDS_OK)
        r->report->moved += r->count;
    drop_group(r);
    return rc;
}

/* Under a key that was valid then, and is trusted still. */
static bool is_signed(const struct eds_enrolment *device, const struct eds_quarantined *it)
{
    for (uint32_t i = 0; i < device->key_count; i++) {
        const struct eds_enrolled_key *key = &device->keys[i];

        if (!key->revoked && eds_key_was_valid(key, it->ingested_ms, it->entry.record.sequence) &&
            eds_record_verify(&it->entry.record, key->public_key) &&
            (!it->entry.attestation.present ||
             eds_attest_verify(&it->entry.attestation, it->record_hash, key->public_key)))
            return true;
    }
    return false;
}

/* What is stored under its sequence, if that is used. */
static int32_t find_stored(struct releasing *r, const struct eds_quarantined *it,
                           uint8_t hash[EDS_HASH_SIZE], bool *is_stored)
{
    int32_t rc = EDS_ERR_NOT_FOUND;

    if (r->count == 0 && eds_gate_needs_stored(&r->head, &it->entry))
        rc = r->ledger->ops->record_hash(r->ledger, r->device->id, it->entry.record.sequence, hash,
                                         r->err);
    *is_stored = rc == EDS_OK;
    return rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
}

static int32_t decide(struct releasing *r, const struct eds_quarantined *it,
                      enum eds_verdict *verdict, char message[EDS_ERROR_TEXT_SIZE])
{
    const char *object_ref = (const char *)it->entry.record.object_ref;
    uint8_t hash[EDS_HASH_SIZE], computed[EDS_HASH_SIZE];
    bool is_stored;
    int32_t rc = find_stored(r, it, hash, &is_stored);

    if (rc != EDS_OK)
        return rc;
    if (eds_record_digest(computed, &it->entry.record) != EDS_OK ||
        memcmp(computed, it->record_hash, sizeof computed) != 0)
        return eds_error_set(r->err, EDS_ERR_MALFORMED,
                             "the record of %s kept apart as row %llu was changed there",
                             r->device->id, (unsigned long long)it->id);
    *verdict = eds_gate_check_head(&r->head, &it->entry, it->record_hash,
                                   r->device->attest_required, is_stored ? hash : NULL, message);
    if (*verdict != EDS_VERDICT_ACCEPTED)
        return EDS_OK;
    if (!is_signed(r->device, it)) {
        snprintf(message, EDS_ERROR_TEXT_SIZE, "key revoked for device=%s", r->device->id);
        *verdict = EDS_VERDICT_KEY;
        return EDS_OK;
    }
    rc = r->ledger->ops->object(r->ledger, object_ref, hash, r->err);
    if (rc != EDS_OK && rc != EDS_ERR_NOT_FOUND)
        return rc;
    *verdict = eds_gate_check_object(&it->entry, rc == EDS_OK ? hash : NULL, message);
    return EDS_OK;
}

/* Decides of one record, which is the group's or freed from here on. */
static int32_t take(struct releasing *r, struct eds_quarantined *it)
{
    char message[EDS_ERROR_TEXT_SIZE];
    enum eds_verdict verdict = EDS_VERDICT_STORE;
    int32_t rc = EDS_OK;

    if (r->count == r->group_max || (r->count > 0 && it->entry.record.sequence <= r->head.sequence))
        rc = commit_group(r);
    if (rc == EDS_OK)
        rc = decide(r, it, &verdict, message);
    if (rc == EDS_OK && verdict == EDS_VERDICT_ACCEPTED) {
        eds_gate_advance(&r->head, &it->entry, it->record_hash);
        r->group[r->count++] = *it;
        return EDS_OK;
    }
    if (rc == EDS_OK && verdict == EDS_VERDICT_DUPLICATE) {
        rc = take_out(r, it, 1); /* it is in the chain already */
    } else if (rc == EDS_OK) {
        if (r->report->left++ == 0)
            memcpy(r->report->first_left, message, sizeof message);
    }
    free(it->payload);
    return rc;
}

/* Takes what had come when the device was read, and not what comes meanwhile: a
 * device can send faster than its records move. */
static int32_t walk(struct releasing *r)
{
    uint64_t left = r->device->quarantine_arrived - r->device->quarantine_left;
    struct eds_quarantine_place place = {0, 0};
    struct eds_quarantined it;
    int32_t rc = r->ledger->ops->head(r->ledger, r->device->id, &r->head, r->err);

    r->report->left = 0;
    r->report->first_left[0] = '\0';
    for (; rc == EDS_OK && left > 0; left--) {
        rc = r->ledger->quarantine->next(r->ledger, r->device->id, &place, &it, r->err);
        if (rc == EDS_OK)
            rc = take(r, &it);
    }
    if (rc == EDS_OK || rc == EDS_ERR_NOT_FOUND)
        rc = commit_group(r);
    drop_group(r);
    return rc;
}

int32_t eds_release_records(struct eds_ledger *ledger, const struct eds_enrolment *device,
                            uint64_t now_ms, struct eds_release_report *report,
                            struct eds_error *err)
{
    struct releasing *r = calloc(1, sizeof *r);
    int32_t rc = EDS_ERR_HEAD_MOVED;

    if (r == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to release records");
    r->ledger = ledger;
    r->device = device;
    r->now_ms = now_ms;
    r->report = report;
    r->err = err;
    r->group_max = GROUP_MAX;
    for (int i = 0; rc == EDS_ERR_HEAD_MOVED && i < ATTEMPT_MAX; i++) {
        rc = walk(r);
        r->group_max = 1; /* two of a group may have wanted one reference */
    }
    free(r);
    return rc;
}

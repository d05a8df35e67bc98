/* ledger_walk.c - see ledger_walk.h. */
#include "evidence/ledger_walk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct walk {
    const struct eds_ledger_check *check;
    struct eds_ledger_summary *summary;
    struct eds_error *err;
    uint64_t bytes;

    /* The device whose records are passing. */
    char device_id[EDS_DEVICE_ID_SIZE];
    bool inside;
    bool attested; /* one of its records was: from then on all must be */
    struct eds_chain chain;
    uint64_t record_index;
    const struct eds_enrolled_key *keys; /* of the device; none: links alone */
    size_t key_count;
    uint8_t valid_keys[EDS_LEDGER_KEYS_MAX][EDS_PUBLIC_KEY_SIZE]; /* for one record */
};

static void report(struct walk *walk, struct eds_ledger_finding finding)
{
    walk->summary->finding_count++;
    if (walk->check->found != NULL)
        walk->check->found(walk->check->context, &finding);
}

static void report_at(struct walk *walk, enum eds_ledger_fault fault, uint64_t sequence)
{
    report(walk, (struct eds_ledger_finding){
                     .fault = fault, .device_id = walk->device_id, .sequence = sequence});
}

static void report_chain(struct walk *walk, const struct eds_chain_finding *chain,
                         uint64_t sequence)
{
    struct eds_ledger_finding finding = {.fault = EDS_LEDGER_CHAIN,
                                         .device_id = walk->device_id,
                                         .sequence = sequence,
                                         .chain = *chain};

    finding.chain.index = walk->record_index;
    report(walk, finding);
}

/* The head must not stay behind the last record, nor name another one.  A head
 * that is ahead is the second pass's. */
static int32_t end_device(struct walk *walk)
{
    struct eds_ledger *ledger = walk->check->ledger;
    struct eds_head head;
    int32_t rc;

    if (!walk->inside)
        return EDS_OK;
    walk->inside = false;
    rc = ledger->ops->head(ledger, walk->device_id, &head, walk->err);
    if (rc != EDS_OK)
        return rc;
    if (head.sequence < walk->chain.sequence || (walk->attested && !head.attested))
        report_at(walk, EDS_LEDGER_HEAD, walk->chain.sequence);
    return EDS_OK;
}

static void begin_device(struct walk *walk, const char *device_id)
{
    const struct eds_ledger_check *check = walk->check;

    walk->summary->device_count++;
    strcpy(walk->device_id, device_id);
    walk->inside = true;
    walk->attested = false;
    walk->record_index = 0;
    /* Ingest lets a chain begin with sequence 1 only: strict links, keys or not. */
    eds_chain_begin(&walk->chain, EDS_STRENGTH_SIGNATURES);
    walk->key_count = check->keys != NULL ? check->keys(check->context, device_id, &walk->keys) : 0;
    if (walk->key_count > EDS_LEDGER_KEYS_MAX)
        walk->key_count = EDS_LEDGER_KEYS_MAX;
}

/* The link to the record before.  After a broken one the walk starts anew
 * behind this record: one missing record is one finding. */
static void check_link(struct walk *walk, const struct eds_stored *stored,
                       uint8_t hash[EDS_HASH_SIZE])
{
    const EdsAuditRecord *record = &stored->entry->record;
    struct eds_chain_finding finding;

    memset(hash, 0, EDS_HASH_SIZE); /* of a record that has none */
    if (eds_chain_link(&walk->chain, record, hash, &finding) != EDS_OK) {
        report_chain(walk, &finding, record->sequence);
        eds_chain_begin_after(&walk->chain, EDS_STRENGTH_SIGNATURES, record->sequence, hash);
    }
    if (memcmp(hash, stored->record_hash, EDS_HASH_SIZE) != 0)
        report_at(walk, EDS_LEDGER_HASH, record->sequence);
}

/* Inspects an entry under the keys that were valid when it was taken in, or under
 * all that the device ever had. */
static int32_t inspect(struct walk *walk, const struct eds_stored *stored,
                       const uint8_t hash[EDS_HASH_SIZE], bool all,
                       struct eds_chain_finding *finding)
{
    struct eds_chain_rules rules = {.strength = EDS_STRENGTH_SIGNATURES,
                                    .public_keys =
                                        (const uint8_t(*)[EDS_PUBLIC_KEY_SIZE])walk->valid_keys};
    uint64_t sequence = stored->entry->record.sequence;

    for (size_t i = 0; i < walk->key_count; i++)
        if (all || eds_key_was_valid(&walk->keys[i], stored->ingested_ms, sequence))
            memcpy(walk->valid_keys[rules.public_key_count++], walk->keys[i].public_key,
                   EDS_PUBLIC_KEY_SIZE);
    return eds_chain_inspect(&rules, stored->entry, hash, NULL, 0, finding);
}

static void check_signatures(struct walk *walk, const struct eds_stored *stored,
                             const uint8_t hash[EDS_HASH_SIZE])
{
    const struct eds_entry *entry = stored->entry;
    struct eds_chain_finding finding = {.fault = EDS_CHAIN_ATTESTATION_ABSENT}, any;
    bool attested = entry->attestation.present;

    if (walk->attested && !attested) /* ingest takes no such record: no way back */
        report_chain(walk, &finding, entry->record.sequence);
    walk->attested = walk->attested || attested;
    if (walk->key_count == 0)
        return;
    if (inspect(walk, stored, hash, false, &finding) != EDS_OK) {
        if (inspect(walk, stored, hash, true, &any) == EDS_OK)
            report_at(walk, EDS_LEDGER_KEY, entry->record.sequence);
        else
            report_chain(walk, &any, entry->record.sequence);
    }
    walk->summary->verified_count++;
    walk->summary->attested_count += attested;
}

static int32_t check_payload(struct walk *walk, const EdsAuditRecord *record)
{
    struct eds_ledger *ledger = walk->check->ledger;
    const char *object_ref = (const char *)record->object_ref;
    uint8_t hash[EDS_HASH_SIZE];
    void *payload = NULL;
    size_t size = 0;
    int32_t rc = ledger->ops->object(ledger, object_ref, hash, walk->err);

    if (rc == EDS_ERR_NOT_FOUND) {
        report_at(walk, EDS_LEDGER_OBJECT_ABSENT, record->sequence);
        return EDS_OK;
    }
    if (rc != EDS_OK)
        return rc;
    if (memcmp(hash, record->payload_hash, sizeof hash) != 0)
        report_at(walk, EDS_LEDGER_OBJECT, record->sequence);
    rc = eds_payload_get(ledger, walk->check->objects, record, &payload, &size, walk->err);
    if (rc == EDS_ERR_NOT_FOUND && walk->check->objects == NULL) {
        walk->summary->payload_absent_count++;
        return EDS_OK;
    }
    if (rc == EDS_ERR_NOT_FOUND) {
        report_at(walk, EDS_LEDGER_PAYLOAD_ABSENT, record->sequence);
        return EDS_OK;
    }
    if (rc == EDS_ERR_TOO_LARGE) { /* than any that was accepted */
        report_at(walk, EDS_LEDGER_PAYLOAD, record->sequence);
        return EDS_OK;
    }
    if (rc != EDS_OK)
        return rc;
    eds_blake3(hash, payload, size);
    free(payload);
    if (memcmp(hash, record->payload_hash, sizeof hash) != 0)
        report_at(walk, EDS_LEDGER_PAYLOAD, record->sequence);
    walk->summary->payload_count++;
    walk->bytes += size;
    return EDS_OK;
}

static int32_t visit_record(void *context, const struct eds_stored *stored)
{
    struct walk *walk = context;
    const struct eds_ledger_check *check = walk->check;
    const char *device_id = (const char *)stored->entry->record.device_id;
    uint8_t hash[EDS_HASH_SIZE];
    int32_t rc;

    if (!walk->inside || strcmp(walk->device_id, device_id) != 0) {
        rc = end_device(walk);
        if (rc != EDS_OK)
            return rc;
        begin_device(walk, device_id);
    }
    check_link(walk, stored, hash);
    check_signatures(walk, stored, hash);
    rc = check_payload(walk, &stored->entry->record);
    walk->record_index++;
    walk->summary->record_count++;
    if (check->progress != NULL)
        check->progress(check->context, walk->summary->record_count, walk->bytes);
    return rc;
}

static int32_t visit_head(void *context, const char *device_id, const struct eds_head *head)
{
    struct walk *walk = context;
    struct eds_ledger *ledger = walk->check->ledger;
    uint8_t hash[EDS_HASH_SIZE];
    int32_t rc;

    if (head->sequence == 0)
        return EDS_OK;
    snprintf(walk->device_id, sizeof walk->device_id, "%s", device_id);
    rc = ledger->ops->record_hash(ledger, device_id, head->sequence, hash, walk->err);
    if (rc == EDS_ERR_NOT_FOUND) {
        report_at(walk, EDS_LEDGER_RECORDS_ABSENT, head->sequence);
        return EDS_OK;
    }
    if (rc == EDS_OK && memcmp(hash, head->record_hash, sizeof hash) != 0)
        report_at(walk, EDS_LEDGER_HEAD, head->sequence);
    return rc;
}

/* A kept fork must be a record in its own right, and another than the one that
 * was accepted under its sequence. */
static int32_t visit_conflict(void *context, const struct eds_stored *stored)
{
    struct walk *walk = context;
    struct eds_ledger *ledger = walk->check->ledger;
    const EdsAuditRecord *record = &stored->entry->record;
    uint8_t hash[EDS_HASH_SIZE];
    int32_t rc;

    snprintf(walk->device_id, sizeof walk->device_id, "%s", (const char *)record->device_id);
    walk->summary->conflict_count++;
    if (eds_record_digest(hash, record) != EDS_OK ||
        memcmp(hash, stored->record_hash, sizeof hash) != 0)
        report_at(walk, EDS_LEDGER_HASH, record->sequence);
    rc = ledger->ops->record_hash(ledger, walk->device_id, record->sequence, hash, walk->err);
    if (rc != EDS_OK && rc != EDS_ERR_NOT_FOUND)
        return rc;
    if (rc == EDS_ERR_NOT_FOUND || memcmp(hash, stored->record_hash, sizeof hash) == 0)
        report_at(walk, EDS_LEDGER_CONFLICT, record->sequence);
    return EDS_OK;
}

int32_t ledger_walk_run(const struct eds_ledger_check *check, struct eds_ledger_summary *summary,
                        struct eds_error *err)
{
    struct eds_ledger *ledger = check->ledger;
    struct walk *walk = calloc(1, sizeof *walk);
    int32_t rc;

    memset(summary, 0, sizeof *summary);
    if (walk == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    walk->check = check;
    walk->summary = summary;
    walk->err = err;
    rc = ledger->ops->scan(ledger, NULL, visit_record, walk, err);
    if (rc == EDS_OK)
        rc = end_device(walk);
    if (rc == EDS_OK)
        rc = ledger->ops->heads(ledger, visit_head, walk, err);
    if (rc == EDS_OK)
        rc = ledger->ops->conflicts(ledger, visit_conflict, walk, err);
    free(walk);
    return rc;
}

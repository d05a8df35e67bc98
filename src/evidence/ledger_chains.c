/* ledger_chains.c - see ledger_chains.h. */
#include "evidence/ledger_chains.h"

#include <stdio.h>
#include <string.h>

#include "evidence/dropped_note.h"

int32_t eds_ledger_chains_begin(struct eds_ledger_chains *chains,
                                const struct eds_ledger_check *check,
                                struct eds_ledger_summary *summary, struct eds_ledger_log *log,
                                struct eds_error *err)
{
    *chains =
        (struct eds_ledger_chains){.check = check, .summary = summary, .err = err, .log = log};
    return eds_ledger_has_gaps(check->ledger, &chains->has_gaps, err);
}

static void report(struct eds_ledger_chains *chains, struct eds_ledger_finding finding)
{
    chains->summary->finding_count++;
    if (chains->check->found != NULL)
        chains->check->found(chains->check->context, &finding);
}

static void report_at(struct eds_ledger_chains *chains, enum eds_ledger_fault fault,
                      uint64_t sequence)
{
    report(chains, (struct eds_ledger_finding){
                       .fault = fault, .device_id = chains->device_id, .sequence = sequence});
}

static void report_chain(struct eds_ledger_chains *chains, const struct eds_chain_finding *chain,
                         uint64_t sequence)
{
    struct eds_ledger_finding finding = {.fault = EDS_LEDGER_CHAIN,
                                         .device_id = chains->device_id,
                                         .sequence = sequence,
                                         .chain = *chain};

    finding.chain.index = chains->record_index;
    report(chains, finding);
}

/* Crosses the gaps before a record, or (NULL) behind the last one. */
static int32_t cross_gaps(struct eds_ledger_chains *chains, const EdsAuditRecord *record)
{
    uint64_t misplaced;
    int32_t rc = eds_gap_walk_to(
        &chains->gaps, &chains->chain, chains->device_id, record != NULL ? record->sequence : 0,
        record != NULL ? record->prev_record_hash : NULL, &misplaced, chains->err);

    if (rc == EDS_OK && misplaced != 0)
        report_at(chains, EDS_LEDGER_GAP_PLACE, misplaced);
    return rc;
}

/* The head must not stay behind the last record, nor name another one.  A head
 * that is ahead is check_heads'. */
static int32_t end_device(struct eds_ledger_chains *chains)
{
    struct eds_ledger *ledger = chains->check->ledger;
    struct eds_head head;
    int32_t rc;

    if (chains->device == NULL)
        return EDS_OK;
    rc = cross_gaps(chains, NULL);
    if (rc == EDS_OK)
        rc = ledger->ops->head(ledger, chains->device_id, &head, chains->err);
    if (rc != EDS_OK)
        return rc;
    if (head.sequence < chains->chain.sequence || (chains->attested && !head.attested))
        report_at(chains, EDS_LEDGER_HEAD, chains->chain.sequence);
    return EDS_OK;
}

static int32_t begin_device(struct eds_ledger_chains *chains,
                            const struct eds_ledger_device *device, const char *device_id)
{
    chains->device = device;
    chains->summary->device_count++;
    strcpy(chains->device_id, device_id);
    chains->attested = false;
    chains->record_index = 0;
    /* Ingest lets a chain begin with sequence 1 only: strict links, keys or not. */
    eds_chain_begin(&chains->chain, EDS_STRENGTH_SIGNATURES);
    return eds_gap_walk_begin(&chains->gaps, chains->check->ledger, device_id, !chains->has_gaps,
                              chains->err);
}

static int32_t link_record(struct eds_ledger_chains *chains, const struct eds_ledger_item *item,
                           struct eds_chain_finding *finding)
{
    if (item->has_hash)
        return eds_chain_link_hashed(&chains->chain, &item->entry.record, item->record_hash,
                                     finding);
    *finding = (struct eds_chain_finding){.fault = EDS_CHAIN_RECORD};
    return EDS_ERR_CHAIN_INVALID;
}

/* The link to the record before.  After a broken one the walk starts anew
 * behind this record: one missing record is one finding. */
static void check_link(struct eds_ledger_chains *chains, const struct eds_ledger_item *item)
{
    const EdsAuditRecord *record = &item->entry.record;
    struct eds_chain_finding finding;

    if (link_record(chains, item, &finding) != EDS_OK) {
        report_chain(chains, &finding, record->sequence);
        eds_chain_begin_after(&chains->chain, EDS_STRENGTH_SIGNATURES, record->sequence,
                              item->record_hash);
    }
    if (memcmp(item->record_hash, item->stored_hash, EDS_HASH_SIZE) != 0)
        report_at(chains, EDS_LEDGER_HASH, record->sequence);
}

static void check_signatures(struct eds_ledger_chains *chains, const struct eds_ledger_item *item)
{
    const struct eds_entry *entry = &item->entry;
    struct eds_chain_finding absent = {.fault = EDS_CHAIN_ATTESTATION_ABSENT};
    bool attested = entry->attestation.present;

    if (chains->attested && !attested) /* ingest takes no such record: no way back */
        report_chain(chains, &absent, entry->record.sequence);
    chains->attested = chains->attested || attested;
    if (item->device->key_count == 0)
        return;
    if (!item->is_signed && item->is_signed_at_all)
        report_at(chains, EDS_LEDGER_KEY, entry->record.sequence);
    else if (!item->is_signed)
        report_chain(chains, &item->finding, entry->record.sequence);
    chains->summary->verified_count++;
    chains->summary->attested_count += attested;
}

/* A device may say in its chain that it gave a payload up. */
static void tell_dropped(struct eds_ledger_chains *chains, const struct eds_ledger_piece *piece,
                         const struct eds_ledger_item *item)
{
    char text[EDS_DROPPED_TEXT_SIZE];

    if (item->payload != EDS_LEDGER_PAYLOAD_KEPT ||
        !eds_dropped_note_read(text, &item->entry.record, piece->payloads + item->payload_at,
                               item->payload_size))
        return;
    chains->summary->dropped_count++;
    if (chains->check->dropped != NULL)
        chains->check->dropped(chains->check->context, &item->entry.record, text);
}

static int32_t check_payload(struct eds_ledger_chains *chains, const struct eds_ledger_piece *piece,
                             const struct eds_ledger_item *item)
{
    const EdsAuditRecord *record = &item->entry.record;

    if (item->payload == EDS_LEDGER_PAYLOAD_UNNAMED) {
        report_at(chains, EDS_LEDGER_OBJECT_ABSENT, record->sequence);
        return EDS_OK;
    }
    if (memcmp(item->object_hash, record->payload_hash, EDS_HASH_SIZE) != 0)
        report_at(chains, EDS_LEDGER_OBJECT, record->sequence);
    if (item->payload_rc == EDS_ERR_NOT_FOUND && chains->check->objects == NULL) {
        chains->summary->payload_absent_count++;
        return EDS_OK;
    }
    if (item->payload_rc == EDS_ERR_NOT_FOUND) {
        report_at(chains, EDS_LEDGER_PAYLOAD_ABSENT, record->sequence);
        return EDS_OK;
    }
    if (item->payload_rc == EDS_ERR_TOO_LARGE) { /* than any that was accepted */
        report_at(chains, EDS_LEDGER_PAYLOAD, record->sequence);
        return EDS_OK;
    }
    if (item->payload_rc != EDS_OK) {
        if (chains->err != NULL)
            *chains->err = piece->err;
        return item->payload_rc;
    }
    if (memcmp(item->payload_hash, record->payload_hash, EDS_HASH_SIZE) != 0)
        report_at(chains, EDS_LEDGER_PAYLOAD, record->sequence);
    else
        tell_dropped(chains, piece, item);
    chains->summary->payload_count++;
    chains->bytes += item->payload_size;
    return EDS_OK;
}

int32_t eds_ledger_chains_add(struct eds_ledger_chains *chains,
                              const struct eds_ledger_piece *piece,
                              const struct eds_ledger_item *item)
{
    int32_t rc = EDS_OK;

    if (chains->device != item->device) {
        rc = end_device(chains);
        if (rc == EDS_OK)
            rc = begin_device(chains, item->device, (const char *)item->entry.record.device_id);
    }
    if (rc == EDS_OK)
        rc = cross_gaps(chains, &item->entry.record);
    if (rc != EDS_OK)
        return rc;
    eds_ledger_log_add(chains->log, &item->entry.record);
    check_link(chains, item);
    check_signatures(chains, item);
    rc = check_payload(chains, piece, item);
    chains->record_index++;
    chains->summary->record_count++;
    return rc;
}

int32_t eds_ledger_chains_end(struct eds_ledger_chains *chains)
{
    return end_device(chains);
}

static int32_t visit_head(void *context, const char *device_id, const struct eds_head *head)
{
    struct eds_ledger_chains *chains = context;
    struct eds_ledger *ledger = chains->check->ledger;
    uint8_t hash[EDS_HASH_SIZE];
    bool is_behind_gap = false;
    int32_t rc;

    if (head->sequence == 0)
        return EDS_OK;
    snprintf(chains->device_id, sizeof chains->device_id, "%s", device_id);
    rc = ledger->ops->record_hash(ledger, device_id, head->sequence, hash, chains->err);
    if (rc == EDS_ERR_NOT_FOUND) {
        rc = eds_ledger_gap_ends(ledger, device_id, head, &is_behind_gap, chains->err);
        if (rc == EDS_OK && !is_behind_gap)
            report_at(chains, EDS_LEDGER_RECORDS_ABSENT, head->sequence);
        return rc;
    }
    if (rc == EDS_OK && memcmp(hash, head->record_hash, sizeof hash) != 0)
        report_at(chains, EDS_LEDGER_HEAD, head->sequence);
    return rc;
}

int32_t eds_ledger_chains_check_heads(struct eds_ledger_chains *chains)
{
    struct eds_ledger *ledger = chains->check->ledger;

    return ledger->ops->heads(ledger, visit_head, chains, chains->err);
}

/* A kept fork must be a record in its own right, and another than the one that
 * was accepted under its sequence. */
static int32_t visit_conflict(void *context, const struct eds_stored *stored)
{
    struct eds_ledger_chains *chains = context;
    struct eds_ledger *ledger = chains->check->ledger;
    const EdsAuditRecord *record = &stored->entry->record;
    uint8_t hash[EDS_HASH_SIZE];
    int32_t rc;

    snprintf(chains->device_id, sizeof chains->device_id, "%s", (const char *)record->device_id);
    chains->summary->conflict_count++;
    if (eds_record_digest(hash, record) != EDS_OK ||
        memcmp(hash, stored->record_hash, sizeof hash) != 0)
        report_at(chains, EDS_LEDGER_HASH, record->sequence);
    rc = ledger->ops->record_hash(ledger, chains->device_id, record->sequence, hash, chains->err);
    if (rc != EDS_OK && rc != EDS_ERR_NOT_FOUND)
        return rc;
    if (rc == EDS_ERR_NOT_FOUND || memcmp(hash, stored->record_hash, sizeof hash) == 0)
        report_at(chains, EDS_LEDGER_CONFLICT, record->sequence);
    return EDS_OK;
}

int32_t eds_ledger_chains_check_forks(struct eds_ledger_chains *chains)
{
    struct eds_ledger *ledger = chains->check->ledger;

    return ledger->ops->conflicts(ledger, visit_conflict, chains, chains->err);
}

/* ledger_check.c - see ledger_check.h.
 *
 * Passes over the records, device by device, with the gaps between them; over the
 * heads, the forks and the gaps.  A server may append meanwhile, so a head that is
 * ahead of the records seen is no fault as long as its record is there.
 *
 * The records go by twice.  As the ledger gives them they are put into pieces, on
 * which the crew works (ledger_piece.c); a piece that comes back is walked over in
 * order: links, heads, and what was found in it. */
#include "evidence/ledger_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/chain_impl.h"
#include "edgesentry/attest.h"
#include "edgesentry/verifier.h"
#include "evidence/crew.h"
#include "evidence/dropped_note.h"
#include "evidence/ledger_gaps.h"
#include "evidence/ledger_log.h"
#include "evidence/ledger_piece.h"

struct walk {
    const struct eds_ledger_check *check;
    struct eds_ledger_summary *summary;
    struct eds_error *err;
    struct eds_ledger_log *log;
    uint64_t bytes;

    /* On the way to the crew. */
    struct eds_crew *crew;
    struct eds_key_cache *keys;
    struct eds_fetcher *fetcher;                     /* NULL: no other payloads */
    char filling_id[EDS_DEVICE_ID_SIZE];             /* whose records are coming in */
    struct eds_ledger_device *devices, *last_device; /* in order, those in pieces */

    int32_t visit_rc; /* of the last visit */

    /* On the way back: the device whose records are passing. */
    const struct eds_ledger_device *device; /* NULL: none yet */
    char device_id[EDS_DEVICE_ID_SIZE];
    bool attested; /* one of its records was: from then on all must be */
    struct eds_chain chain;
    struct eds_gap_walk gaps;
    bool has_gaps; /* any device, when the check began */
    uint64_t record_index;
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

/* Crosses the gaps before a record, or (NULL) behind the last one. */
static int32_t cross_gaps(struct walk *walk, const EdsAuditRecord *record)
{
    uint64_t misplaced;
    int32_t rc = eds_gap_walk_to(
        &walk->gaps, &walk->chain, walk->device_id, record != NULL ? record->sequence : 0,
        record != NULL ? record->prev_record_hash : NULL, &misplaced, walk->err);

    if (rc == EDS_OK && misplaced != 0)
        report_at(walk, EDS_LEDGER_GAP_PLACE, misplaced);
    return rc;
}

/* The head must not stay behind the last record, nor name another one.  A head
 * that is ahead is the second pass's. */
static int32_t end_device(struct walk *walk)
{
    struct eds_ledger *ledger = walk->check->ledger;
    struct eds_head head;
    int32_t rc;

    if (walk->device == NULL)
        return EDS_OK;
    rc = cross_gaps(walk, NULL);
    if (rc == EDS_OK)
        rc = ledger->ops->head(ledger, walk->device_id, &head, walk->err);
    if (rc != EDS_OK)
        return rc;
    if (head.sequence < walk->chain.sequence || (walk->attested && !head.attested))
        report_at(walk, EDS_LEDGER_HEAD, walk->chain.sequence);
    return EDS_OK;
}

static int32_t begin_device(struct walk *walk, const struct eds_ledger_device *device,
                            const char *device_id)
{
    while (walk->devices != device) { /* nothing of those before is in a piece any more */
        struct eds_ledger_device *before = walk->devices;

        walk->devices = before->next;
        free(before);
    }
    walk->device = device;
    walk->summary->device_count++;
    strcpy(walk->device_id, device_id);
    walk->attested = false;
    walk->record_index = 0;
    /* Ingest lets a chain begin with sequence 1 only: strict links, keys or not. */
    eds_chain_begin(&walk->chain, EDS_STRENGTH_SIGNATURES);
    return eds_gap_walk_begin(&walk->gaps, walk->check->ledger, device_id, !walk->has_gaps,
                              walk->err);
}

static int32_t link_record(struct walk *walk, const struct eds_ledger_item *item,
                           struct eds_chain_finding *finding)
{
    if (item->has_hash)
        return eds_chain_link_hashed(&walk->chain, &item->entry.record, item->record_hash, finding);
    *finding = (struct eds_chain_finding){.fault = EDS_CHAIN_RECORD};
    return EDS_ERR_CHAIN_INVALID;
}

/* The link to the record before.  After a broken one the walk starts anew
 * behind this record: one missing record is one finding. */
static void check_link(struct walk *walk, const struct eds_ledger_item *item)
{
    const EdsAuditRecord *record = &item->entry.record;
    struct eds_chain_finding finding;

    if (link_record(walk, item, &finding) != EDS_OK) {
        report_chain(walk, &finding, record->sequence);
        eds_chain_begin_after(&walk->chain, EDS_STRENGTH_SIGNATURES, record->sequence,
                              item->record_hash);
    }
    if (memcmp(item->record_hash, item->stored_hash, EDS_HASH_SIZE) != 0)
        report_at(walk, EDS_LEDGER_HASH, record->sequence);
}

static void check_signatures(struct walk *walk, const struct eds_ledger_item *item)
{
    const struct eds_entry *entry = &item->entry;
    struct eds_chain_finding absent = {.fault = EDS_CHAIN_ATTESTATION_ABSENT};
    bool attested = entry->attestation.present;

    if (walk->attested && !attested) /* ingest takes no such record: no way back */
        report_chain(walk, &absent, entry->record.sequence);
    walk->attested = walk->attested || attested;
    if (item->device->key_count == 0)
        return;
    if (!item->is_signed && item->is_signed_at_all)
        report_at(walk, EDS_LEDGER_KEY, entry->record.sequence);
    else if (!item->is_signed)
        report_chain(walk, &item->finding, entry->record.sequence);
    walk->summary->verified_count++;
    walk->summary->attested_count += attested;
}

/* A device may say in its chain that it gave a payload up. */
static void tell_dropped(struct walk *walk, const struct eds_ledger_piece *piece,
                         const struct eds_ledger_item *item)
{
    char text[EDS_DROPPED_TEXT_SIZE];

    if (item->payload != EDS_LEDGER_PAYLOAD_KEPT ||
        !eds_dropped_note_read(text, &item->entry.record, piece->payloads + item->payload_at,
                               item->payload_size))
        return;
    walk->summary->dropped_count++;
    if (walk->check->dropped != NULL)
        walk->check->dropped(walk->check->context, &item->entry.record, text);
}

static int32_t check_payload(struct walk *walk, const struct eds_ledger_piece *piece,
                             const struct eds_ledger_item *item)
{
    const EdsAuditRecord *record = &item->entry.record;

    if (item->payload == EDS_LEDGER_PAYLOAD_UNNAMED) {
        report_at(walk, EDS_LEDGER_OBJECT_ABSENT, record->sequence);
        return EDS_OK;
    }
    if (memcmp(item->object_hash, record->payload_hash, EDS_HASH_SIZE) != 0)
        report_at(walk, EDS_LEDGER_OBJECT, record->sequence);
    if (item->payload_rc == EDS_ERR_NOT_FOUND && walk->check->objects == NULL) {
        walk->summary->payload_absent_count++;
        return EDS_OK;
    }
    if (item->payload_rc == EDS_ERR_NOT_FOUND) {
        report_at(walk, EDS_LEDGER_PAYLOAD_ABSENT, record->sequence);
        return EDS_OK;
    }
    if (item->payload_rc == EDS_ERR_TOO_LARGE) { /* than any that was accepted */
        report_at(walk, EDS_LEDGER_PAYLOAD, record->sequence);
        return EDS_OK;
    }
    if (item->payload_rc != EDS_OK) {
        if (walk->err != NULL)
            *walk->err = piece->err;
        return item->payload_rc;
    }
    if (memcmp(item->payload_hash, record->payload_hash, EDS_HASH_SIZE) != 0)
        report_at(walk, EDS_LEDGER_PAYLOAD, record->sequence);
    else
        tell_dropped(walk, piece, item);
    walk->summary->payload_count++;
    walk->bytes += item->payload_size;
    return EDS_OK;
}

static int32_t walk_item(struct walk *walk, const struct eds_ledger_piece *piece,
                         const struct eds_ledger_item *item)
{
    int32_t rc = EDS_OK;

    if (walk->device != item->device) {
        rc = end_device(walk);
        if (rc == EDS_OK)
            rc = begin_device(walk, item->device, (const char *)item->entry.record.device_id);
    }
    if (rc == EDS_OK)
        rc = cross_gaps(walk, &item->entry.record);
    if (rc != EDS_OK)
        return rc;
    eds_ledger_log_add(walk->log, &item->entry.record);
    check_link(walk, item);
    check_signatures(walk, item);
    rc = check_payload(walk, piece, item);
    walk->record_index++;
    walk->summary->record_count++;
    return rc;
}

/* Takes the oldest piece back and walks over it.  EDS_ERR_NOT_FOUND if there is
 * none. */
static int32_t take_back(struct walk *walk)
{
    struct eds_ledger_piece *piece = eds_crew_take(walk->crew);
    const struct eds_ledger_check *check = walk->check;
    int32_t rc = EDS_OK;

    if (piece == NULL)
        return EDS_ERR_NOT_FOUND;
    for (size_t i = 0; i < piece->count && rc == EDS_OK; i++)
        rc = walk_item(walk, piece, &piece->items[i]);
    eds_ledger_piece_clear(piece);
    if (check->progress != NULL)
        check->progress(check->context, walk->summary->record_count, walk->bytes);
    return rc;
}

/* Hands a piece on; afterwards there is room for another one. */
static int32_t hand_on(struct walk *walk, const struct eds_ledger_piece *piece)
{
    if (piece->count == EDS_LEDGER_PIECE_MAX)
        (void)eds_verifier_init(); /* a small ledger is done before tables would be */
    eds_crew_add(walk->crew);
    return eds_crew_next(walk->crew) == NULL ? take_back(walk) : EDS_OK;
}

/* Makes a device of the next record's id, with its keys. */
static int32_t meet_device(struct walk *walk, const char *device_id)
{
    const struct eds_ledger_check *check = walk->check;
    const struct eds_enrolled_key *keys = NULL;
    size_t count = check->keys != NULL ? check->keys(check->context, device_id, &keys) : 0;
    struct eds_ledger_device *device;

    if (count > EDS_LEDGER_KEYS_MAX)
        count = EDS_LEDGER_KEYS_MAX;
    device = malloc(sizeof *device + count * sizeof device->keys[0]);
    if (device == NULL)
        return eds_error_set(walk->err, EDS_ERR_NO_MEMORY, "no memory for the keys of %s",
                             device_id);
    device->next = NULL;
    device->key_count = count;
    for (size_t i = 0; i < count; i++) {
        device->keys[i].enrolled = keys[i];
        eds_key_id(device->keys[i].key_id, keys[i].public_key);
    }
    if (walk->last_device != NULL)
        walk->last_device->next = device;
    else
        walk->devices = device;
    walk->last_device = device;
    strcpy(walk->filling_id, device_id);
    return EDS_OK;
}

static int32_t visit_record(void *context, const struct eds_stored *stored)
{
    struct walk *walk = context;
    const char *device_id = (const char *)stored->entry->record.device_id;
    struct eds_ledger_piece *piece = eds_crew_next(walk->crew);
    int32_t rc = EDS_OK;

    if (walk->last_device == NULL || strcmp(walk->filling_id, device_id) != 0)
        rc = meet_device(walk, device_id);
    if (rc == EDS_OK)
        rc = eds_ledger_piece_add(piece, stored, walk->last_device, walk->err);
    if (rc == EDS_OK && eds_ledger_piece_is_full(piece))
        rc = hand_on(walk, piece);
    walk->visit_rc = rc;
    return rc;
}

static void *create_desk(void *context)
{
    const struct walk *walk = context;

    return eds_ledger_desk_create(walk->keys);
}

static void destroy_desk(void *desk)
{
    eds_ledger_desk_destroy(desk);
}

static void inspect_piece(void *context, void *desk, void *piece)
{
    const struct walk *walk = context;

    eds_ledger_piece_inspect(piece, desk, walk->fetcher);
}

/* What the scan showed is walked over to the end, also if it then failed: what is
 * wrong with a record comes before what ended the scan. */
static int32_t scan_records(struct walk *walk)
{
    struct eds_ledger *ledger = walk->check->ledger;
    struct eds_error scan_err = {0};
    int32_t rc, scan_rc = ledger->ops->scan_whole(ledger, NULL, visit_record, walk, &scan_err);

    if (walk->visit_rc != EDS_OK)
        return walk->visit_rc;
    if (((struct eds_ledger_piece *)eds_crew_next(walk->crew))->count > 0)
        eds_crew_add(walk->crew);
    do {
        rc = take_back(walk);
    } while (rc == EDS_OK);
    if (rc != EDS_ERR_NOT_FOUND)
        return rc;
    if (scan_rc == EDS_OK)
        return end_device(walk);
    if (walk->err != NULL)
        *walk->err = scan_err;
    return scan_rc;
}

static int32_t check_records(struct walk *walk)
{
    const struct eds_crew_plan plan = {
        .thread_count = walk->check->thread_count,
        .piece_size = sizeof(struct eds_ledger_piece),
        .piece_free = eds_ledger_piece_free,
        .desk_create = create_desk,
        .desk_destroy = destroy_desk,
        .work = inspect_piece,
        .context = walk,
    };
    int32_t rc = EDS_ERR_NO_MEMORY;

    if (walk->check->objects != NULL)
        walk->fetcher = eds_fetcher_create(walk->check->objects);
    walk->keys = eds_key_cache_create(eds_crew_thread_count(plan.thread_count));
    if (walk->keys != NULL && (walk->check->objects == NULL || walk->fetcher != NULL))
        walk->crew = eds_crew_start(&plan);
    if (walk->crew != NULL) {
        rc = scan_records(walk);
        eds_crew_end(walk->crew);
    } else {
        eds_error_set(walk->err, rc, "no memory to check a ledger");
    }
    eds_fetcher_destroy(walk->fetcher);
    eds_key_cache_destroy(walk->keys);
    for (struct eds_ledger_device *next; walk->devices != NULL; walk->devices = next) {
        next = walk->devices->next;
        free(walk->devices);
    }
    return rc;
}

static int32_t visit_head(void *context, const char *device_id, const struct eds_head *head)
{
    struct walk *walk = context;
    struct eds_ledger *ledger = walk->check->ledger;
    uint8_t hash[EDS_HASH_SIZE];
    bool is_behind_gap = false;
    int32_t rc;

    if (head->sequence == 0)
        return EDS_OK;
    snprintf(walk->device_id, sizeof walk->device_id, "%s", device_id);
    rc = ledger->ops->record_hash(ledger, device_id, head->sequence, hash, walk->err);
    if (rc == EDS_ERR_NOT_FOUND) {
        rc = eds_ledger_gap_ends(ledger, device_id, head, &is_behind_gap, walk->err);
        if (rc == EDS_OK && !is_behind_gap)
            report_at(walk, EDS_LEDGER_RECORDS_ABSENT, head->sequence);
        return rc;
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

int32_t eds_ledger_check_run(const struct eds_ledger_check *check,
                             struct eds_ledger_summary *summary, struct eds_error *err)
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
    rc = eds_ledger_log_create(&walk->log, err);
    if (rc == EDS_OK && check->log_ledger != NULL && check->thread_count != 1)
        eds_ledger_log_read_beside(walk->log, check->log_ledger);
    if (rc == EDS_OK)
        rc = eds_ledger_has_gaps(ledger, &walk->has_gaps, err);
    if (rc == EDS_OK)
        rc = check_records(walk);
    if (rc == EDS_OK)
        rc = ledger->ops->heads(ledger, visit_head, walk, err);
    if (rc == EDS_OK)
        rc = ledger->ops->conflicts(ledger, visit_conflict, walk, err);
    if (rc == EDS_OK)
        rc = eds_ledger_gaps_check(check, summary, err);
    if (rc == EDS_OK)
        rc = eds_ledger_log_check(walk->log, check, summary, err);
    eds_ledger_log_destroy(walk->log);
    free(walk);
    return rc;
}

static const char *fault_text(enum eds_ledger_fault fault)
{
    switch (fault) {
    case EDS_LEDGER_CHAIN:
        break;
    case EDS_LEDGER_KEY:
        return "it is signed by a key of the device that was not valid when it came";
    case EDS_LEDGER_HASH:
        return "the stored hash is not the record's";
    case EDS_LEDGER_OBJECT:
        return "its reference stands for another payload";
    case EDS_LEDGER_OBJECT_ABSENT:
        return "its reference stands for nothing";
    case EDS_LEDGER_PAYLOAD:
        return "the payload kept here has another hash";
    case EDS_LEDGER_PAYLOAD_ABSENT:
        return "its payload is not there";
    case EDS_LEDGER_HEAD:
        return "the chain's head does not agree with the records";
    case EDS_LEDGER_RECORDS_ABSENT:
        return "the chain's head names this record, and it is not there";
    case EDS_LEDGER_CONFLICT:
        return "the fork kept is no other record than the accepted one";
    case EDS_LEDGER_GAP_SIGNATURE:
        return "the gap before it is signed by no key of its operator";
    case EDS_LEDGER_GAP_KEY:
        return "the gap before it is signed by a key of its operator that was not valid then";
    case EDS_LEDGER_LOG_ABSENT:
        return "the operation log has no line of its acceptance";
    case EDS_LEDGER_LOG_ALONE:
        return "the operation log says that it was accepted, and it is not there";
    case EDS_LEDGER_LOG_TWICE:
        return "the operation log says twice that it was accepted";
    case EDS_LEDGER_GAP_PLACE:
        return "the gap before it does not begin where the chain ends";
    }
    return "unknown fault";
}

void eds_ledger_finding_text(char *out, size_t size, const struct eds_ledger_finding *finding)
{
    char chain[160];

    if (finding->fault == EDS_LEDGER_CHAIN)
        eds_chain_finding_text(chain, sizeof chain, &finding->chain);
    snprintf(out, size, "device=%s sequence=%" PRIu64 ": %s", finding->device_id, finding->sequence,
             finding->fault == EDS_LEDGER_CHAIN ? chain : fault_text(finding->fault));
}

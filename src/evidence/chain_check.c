/* chain_check.c - see chain_check.h.
 *
 * The reading thread walks the links, which need the order; what can be seen
 * of an entry alone is inspected beside it (inspection.h).  Only entries that
 * are read and linked are inspected, so that a fault found there always comes
 * before the one that ended the reading. */
#include "evidence/chain_check.h"

#include <stdlib.h>
#include <string.h>

#include "evidence/inspection.h"
#include "evidence/sweep.h"

#define PROGRESS_STEP 1024u /* records from one report to the next */

struct walk {
    const struct eds_chain_check *check;
    struct eds_chain_reader *reader;
    struct eds_chain_summary *summary;
    struct eds_chain_finding *finding;
    struct eds_error *err;
    struct eds_chain chain;
    struct eds_inspection *inspection; /* NULL: links alone */
    size_t gap_next;                   /* the first one not crossed */
};

/* Gets the payload of the entry that was linked last. */
static int32_t take_payload(struct walk *walk, struct eds_inspection_item *item)
{
    const struct eds_chain_check *check = walk->check;
    int32_t rc;

    if (check->payload == NULL)
        return EDS_OK;
    rc = check->payload(check->context, walk->chain.count - 1, &item->entry, &item->payload,
                        &item->payload_size, walk->err);
    if (rc == EDS_ERR_NOT_FOUND) {
        item->payload = NULL;
        return EDS_OK;
    }
    if (rc == EDS_OK)
        walk->summary->payload_count++;
    return rc;
}

static void take_first(struct eds_chain_summary *summary, const EdsAuditRecord *record)
{
    summary->first_sequence = record->sequence;
    memcpy(summary->device_id, record->device_id, sizeof summary->device_id);
}

/* Crosses the gaps that there are between the last record and this one. */
static void cross_gaps(struct walk *walk, const EdsAuditRecord *record)
{
    const struct eds_chain_check *check = walk->check;

    while (walk->gap_next < check->gap_count) {
        const struct eds_gap *gap = &check->gaps[walk->gap_next];

        if (gap->resume_sequence > record->sequence ||
            strcmp(gap->device_id, (const char *)record->device_id) != 0 ||
            !eds_gap_cross(gap, &walk->chain))
            return;
        walk->gap_next++;
    }
}

/* Behind the last record gaps may follow, one after the other.  What then is left
 * over has no place in this chain. */
static int32_t cross_rest(struct walk *walk)
{
    const struct eds_chain_check *check = walk->check;
    struct eds_chain chain = walk->chain;
    bool is_here = true;

    while (is_here && walk->gap_next < check->gap_count) {
        const struct eds_gap *gap = &check->gaps[walk->gap_next];

        is_here = chain.count == 0 || strcmp(gap->device_id, (const char *)chain.device_id) == 0;
        is_here = is_here && eds_gap_cross(gap, &chain);
        walk->gap_next += is_here;
    }
    if (is_here)
        return EDS_OK;
    *walk->finding = (struct eds_chain_finding){.fault = EDS_CHAIN_GAP, .index = walk->gap_next};
    return EDS_ERR_CHAIN_INVALID;
}

/* Reads and links one entry. */
static int32_t step(struct walk *walk, struct eds_inspection_item *item)
{
    int32_t rc = eds_chain_reader_next(walk->reader, &item->entry, walk->err);

    if (rc == EDS_OK && walk->gap_next < walk->check->gap_count)
        cross_gaps(walk, &item->entry.record);
    if (rc == EDS_OK)
        rc = eds_chain_link(&walk->chain, &item->entry.record, item->record_hash, walk->finding);
    if (rc == EDS_OK && walk->chain.count == 1)
        take_first(walk->summary, &item->entry.record);
    if (rc == EDS_OK && walk->check->progress != NULL && walk->chain.count % PROGRESS_STEP == 0)
        walk->check->progress(walk->check->context, walk->chain.count, walk->reader->consumed);
    return rc;
}

static int32_t walk_links(struct walk *walk)
{
    struct eds_inspection_item item;
    int32_t rc;

    do {
        rc = step(walk, &item);
    } while (rc == EDS_OK);
    return rc;
}

static int32_t walk_and_inspect(struct walk *walk)
{
    struct eds_inspection_item *item;
    int32_t rc = EDS_OK;

    while ((item = eds_inspection_next(walk->inspection)) != NULL) {
        rc = step(walk, item);
        if (rc == EDS_OK)
            rc = take_payload(walk, item);
        if (rc != EDS_OK)
            break;
        walk->summary->attested_count += item->entry.attestation.present;
        eds_inspection_add(walk->inspection);
    }
    if (eds_inspection_finish(walk->inspection, walk->finding) != EDS_OK)
        rc = EDS_ERR_CHAIN_INVALID;
    return rc;
}

/* The words of a finding, for callers that print errors alike. */
static void say_finding(struct eds_error *err, const struct eds_chain_finding *finding)
{
    if (err == NULL)
        return;
    err->code = EDS_ERR_CHAIN_INVALID;
    (void)eds_chain_finding_text(err->text, sizeof err->text, finding);
}

/* What the sweep has left over; all of it, if there was none. */
static int32_t walk_on(struct walk *walk)
{
    const struct eds_chain_check *check = walk->check;

    if (walk->reader->rc == EDS_ERR_NOT_FOUND)
        return EDS_ERR_NOT_FOUND; /* the file's end */
    if (check->rules.strength < EDS_STRENGTH_SIGNATURES)
        return walk_links(walk);
    walk->inspection = eds_inspection_start(&check->rules, check->thread_count, walk->chain.count);
    if (walk->inspection == NULL)
        return eds_error_set(walk->err, EDS_ERR_NO_MEMORY, "no memory to check a chain");
    return walk_and_inspect(walk);
}

int32_t eds_chain_check_run(const struct eds_chain_check *check, struct eds_chain_reader *reader,
                            struct eds_chain_summary *summary, struct eds_chain_finding *finding,
                            struct eds_error *err)
{
    struct walk walk = {
        .check = check, .reader = reader, .summary = summary, .finding = finding, .err = err};
    struct eds_sweep *sweep;
    int32_t rc;

    memset(summary, 0, sizeof *summary);
    memset(finding, 0, sizeof *finding);
    eds_chain_begin(&walk.chain, check->rules.strength);
    sweep = eds_sweep_run(check, reader, &walk.chain, summary);
    rc = walk_on(&walk);
    eds_sweep_free(sweep);
    if (rc == EDS_ERR_NOT_FOUND && cross_rest(&walk) != EDS_OK)
        rc = EDS_ERR_CHAIN_INVALID;
    if (rc == EDS_ERR_CHAIN_INVALID)
        say_finding(err, finding);
    if (rc != EDS_ERR_NOT_FOUND) { /* not the file's end */
        memset(summary, 0, sizeof *summary);
        return rc;
    }
    summary->record_count = walk.chain.count;
    summary->last_sequence = walk.chain.sequence;
    memcpy(summary->last_record_hash, walk.chain.record_hash, EDS_HASH_SIZE);
    return EDS_OK;
}

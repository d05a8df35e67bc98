/* ledger_export.c - see ledger_export.h.
 *
 * The caller's thread reads the ledger and writes the files; in between a crew
 * makes the text of pieces (export_piece.c).  Payloads that are kept elsewhere are
 * asked for some records ahead of the one that is being written. */
#include "evidence/ledger_export.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "codec/json_gap.h"
#include "evidence/crew.h"
#include "evidence/export_piece.h"
#include "evidence/fetcher.h"

struct export
{
    const struct eds_ledger_export *job;
    struct eds_export_summary *summary;
    struct eds_error *err;
    struct eds_crew *crew;
    struct eds_fetcher *fetcher; /* NULL: payloads are wanted from the ledger only */
    int32_t visit_rc;            /* of the last visit */
    bool has_begun;              /* a piece was handed on */
    struct eds_fetch fetches[EDS_FETCHES_MAX];
};

static int32_t put(const struct export *export, void *file, const char *text)
{
    return export->job->write(file, text, strlen(text), export->err);
}

/* Writes a payload that was not in the ledger, or says that it is nowhere. */
static int32_t put_fetched(const struct export *export, const struct eds_export_item *item,
                           const struct eds_fetch *fetch)
{
    const struct eds_ledger_export *job = export->job;
    char digits[2 * 4096 + 1];
    int32_t rc;

    if (fetch == NULL || fetch->rc == EDS_ERR_NOT_FOUND)
        return eds_error_set(export->err, EDS_ERR_NOT_FOUND,
                             "the payload of sequence %" PRIu64 " is not kept %s",
                             item->entry.record.sequence,
                             fetch == NULL ? "in this ledger" : "anywhere that is given");
    if (fetch->rc != EDS_OK) {
        if (export->err != NULL)
            *export->err = fetch->err;
        return fetch->rc;
    }
    rc = put(export, job->payloads, eds_export_before_digits(export->summary->record_count == 0));
    for (size_t at = 0; at < fetch->size && rc == EDS_OK; at += sizeof digits / 2) {
        size_t piece = fetch->size - at < sizeof digits / 2 ? fetch->size - at : sizeof digits / 2;

        eds_hex_encode(digits, (const uint8_t *)fetch->payload + at, piece);
        rc = job->write(job->payloads, digits, 2 * piece, export->err);
    }
    return rc == EDS_OK ? put(export, job->payloads, EDS_EXPORT_AFTER_DIGITS) : rc;
}

/* Where a piece stands that is being written. */
struct progress {
    size_t text_at, digits_at; /* written so far */
    size_t asked;              /* items that were looked at for what to ask for */
    size_t ask_count, wait_count;
};

/* Asks for what will be needed soon. */
static void ask_ahead(struct export *export, const struct eds_export_piece *piece,
                      struct progress *at)
{
    while (at->asked < piece->count && at->ask_count - at->wait_count < EDS_FETCHES_MAX) {
        const struct eds_export_item *item = &piece->items[at->asked++];
        struct eds_fetch *fetch = &export->fetches[at->ask_count % EDS_FETCHES_MAX];

        if (item->is_kept)
            continue;
        *fetch = (struct eds_fetch){.record = &item->entry.record, .keep = true};
        eds_fetcher_ask(export->fetcher, fetch);
        at->ask_count++;
    }
}

static int32_t put_payload(struct export *export, const struct eds_export_piece *piece,
                           const struct eds_export_item *item, struct progress *at)
{
    const struct eds_ledger_export *job = export->job;
    struct eds_fetch *fetch;
    int32_t rc;

    if (item->is_kept) {
        rc = job->write(job->payloads, piece->digits.bytes + at->digits_at,
                        item->digits_end - at->digits_at, export->err);
        at->digits_at = item->digits_end;
        return rc;
    }
    if (export->fetcher == NULL)
        return put_fetched(export, item, NULL);
    ask_ahead(export, piece, at);
    fetch = &export->fetches[at->wait_count++ % EDS_FETCHES_MAX];
    eds_fetcher_wait(export->fetcher, fetch);
    rc = put_fetched(export, item, fetch);
    eds_fetcher_release(export->fetcher, fetch);
    return rc;
}

static int32_t put_item(struct export *export, const struct eds_export_piece *piece,
                        const struct eds_export_item *item, struct progress *at)
{
    const struct eds_ledger_export *job = export->job;
    struct eds_export_summary *summary = export->summary;
    uint64_t sequence = item->entry.record.sequence;
    int32_t rc;

    if (item->text_end == 0)
        return eds_error_set(export->err, EDS_ERR_MALFORMED,
                             "the record of sequence %" PRIu64 " cannot be encoded", sequence);
    rc = job->write(job->records, piece->records.bytes + at->text_at, item->text_end - at->text_at,
                    export->err);
    at->text_at = item->text_end;
    if (rc == EDS_OK && job->payloads != NULL)
        rc = put_payload(export, piece, item, at);
    if (rc != EDS_OK)
        return rc;
    if (summary->record_count == 0)
        summary->first_sequence = sequence;
    summary->last_sequence = sequence;
    memcpy(summary->last_record_hash, item->record_hash, EDS_HASH_SIZE);
    summary->record_count++;
    return EDS_OK;
}

/* Takes the oldest piece back and writes it.  EDS_ERR_NOT_FOUND and no words if
 * there is none. */
static int32_t take_back(struct export *export, bool *is_last)
{
    struct eds_export_piece *piece = eds_crew_take(export->crew);
    struct progress at = {0};
    int32_t rc = EDS_OK;

    *is_last = piece == NULL;
    if (piece == NULL)
        return EDS_OK;
    if (piece->has_failed)
        rc = eds_error_set(export->err, EDS_ERR_NO_MEMORY, "no memory for the text of records");
    for (size_t i = 0; i < piece->count && rc == EDS_OK; i++)
        rc = put_item(export, piece, &piece->items[i], &at);
    for (; at.wait_count < at.ask_count; at.wait_count++) { /* after an error */
        struct eds_fetch *fetch = &export->fetches[at.wait_count % EDS_FETCHES_MAX];

        eds_fetcher_wait(export->fetcher, fetch);
        eds_fetcher_release(export->fetcher, fetch);
    }
    eds_export_piece_clear(piece);
    return rc;
}

static int32_t hand_on(struct export *export, struct eds_export_piece *piece)
{
    bool is_last;

    piece->is_first = !export->has_begun;
    export->has_begun = true;
    eds_crew_add(export->crew);
    return eds_crew_next(export->crew) == NULL ? take_back(export, &is_last) : EDS_OK;
}

static int32_t visit(void *context, const struct eds_stored *stored)
{
    struct export *export = context;
    struct eds_export_piece *piece = eds_crew_next(export->crew);
    int32_t rc = eds_export_piece_add(piece, stored, export->err);

    if (rc == EDS_OK && eds_export_piece_is_full(piece))
        rc = hand_on(export, piece);
    export->visit_rc = rc;
    return rc;
}

static int32_t write_all(struct export *export)
{
    const struct eds_ledger_export *job = export->job;
    const struct eds_ledger_ops *ops = job->ledger->ops;
    struct eds_error scan_err = {0};
    bool is_last = false;
    int32_t rc, scan_rc = (job->payloads != NULL ? ops->scan_whole : ops->scan)(
                    job->ledger, job->device_id, visit, export, &scan_err);

    if (export->visit_rc != EDS_OK)
        return export->visit_rc;
    rc = hand_on(export, eds_crew_next(export->crew));
    while (rc == EDS_OK && !is_last)
        rc = take_back(export, &is_last);
    if (rc != EDS_OK || scan_rc == EDS_OK)
        return rc;
    if (export->err != NULL)
        *export->err = scan_err;
    return scan_rc;
}

static void *create_desk(void *context)
{
    return context; /* nothing is needed */
}

static void destroy_desk(void *desk)
{
    (void)desk;
}

static void write_piece(void *context, void *desk, void *piece)
{
    const struct export *export = context;

    (void)desk;
    eds_export_piece_write(piece, export->job->format);
}

static int32_t run(struct export *export)
{
    const struct eds_crew_plan plan = {
        .thread_count = export->job->thread_count,
        .piece_size = sizeof(struct eds_export_piece),
        .piece_free = eds_export_piece_free,
        .desk_create = create_desk,
        .desk_destroy = destroy_desk,
        .work = write_piece,
        .context = export,
    };
    bool is_outside = export->job->payloads != NULL && export->job->objects != NULL;
    int32_t rc = EDS_ERR_NO_MEMORY;

    if (is_outside)
        export->fetcher = eds_fetcher_create(export->job->objects);
    if (!is_outside || export->fetcher != NULL)
        export->crew = eds_crew_start(&plan);
    if (export->crew != NULL) {
        rc = write_all(export);
        eds_crew_end(export->crew);
    } else {
        eds_error_set(export->err, rc, "no memory to export a chain");
    }
    eds_fetcher_destroy(export->fetcher);
    return rc;
}

static int32_t put_gap(const struct export *export, const struct eds_gap *gap)
{
    char text[EDS_JSON_GAP_SIZE_MAX];
    int32_t rc;

    if (eds_json_gap_encode(text, sizeof text, gap, EDS_JSON_PRETTY, 2) == 0)
        return eds_error_set(export->err, EDS_ERR_MALFORMED,
                             "the gap before sequence %" PRIu64 " cannot be encoded",
                             gap->resume_sequence);
    rc = put(export, export->job->gaps, export->summary->gap_count == 0 ? "[\n  " : ",\n  ");
    return rc == EDS_OK ? put(export, export->job->gaps, text) : rc;
}

/* The gaps that the exported records have, and those behind them.  One that was
 * closed behind records that came meanwhile is of another export. */
static int32_t put_gaps(const struct export *export)
{
    const struct eds_ledger_export *job = export->job;
    struct eds_export_summary *summary = export->summary;
    struct eds_gap_place place = {.id = 0};
    struct eds_chain end;
    struct eds_gap gap;
    int32_t rc = EDS_OK;

    eds_chain_begin_after(&end, EDS_STRENGTH_LINKS, summary->last_sequence,
                          summary->last_record_hash);
    while (rc == EDS_OK) {
        rc = job->ledger->gaps->next(job->ledger, job->device_id, &place, &gap, export->err);
        if (rc != EDS_OK ||
            (gap.resume_sequence > summary->last_sequence && !eds_gap_cross(&gap, &end)))
            continue;
        if (job->gaps != NULL)
            rc = put_gap(export, &gap);
        summary->gap_count += rc == EDS_OK;
    }
    if (rc != EDS_ERR_NOT_FOUND || job->gaps == NULL)
        return rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
    return put(export, job->gaps, summary->gap_count == 0 ? "[]" : "\n]");
}

int32_t eds_ledger_export_run(const struct eds_ledger_export *job,
                              struct eds_export_summary *summary, struct eds_error *err)
{
    struct export export = {.job = job, .summary = summary, .err = err};
    int32_t rc;

    memset(summary, 0, sizeof *summary);
    rc = run(&export);
    if (rc == EDS_OK && summary->record_count == 0)
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "no record of device %s is in this ledger",
                             job->device_id);
    if (rc == EDS_OK && job->format == EDS_CHAIN_ARRAY)
        rc = put(&export, job->records, "\n]");
    if (rc == EDS_OK && job->payloads != NULL)
        rc = put(&export, job->payloads, "\n]");
    if (rc == EDS_OK)
        rc = put_gaps(&export);
    return rc;
}

/* ledger_export.c - see ledger_export.h.
 *
 * The array form is byte for byte what edgesentry-rs writes, so that a chain
 * that went in as a file comes out as the same file. */
#include "evidence/ledger_export.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "codec/json_gap.h"

struct export
{
    const struct eds_ledger_export *job;
    struct eds_export_summary *summary;
    struct eds_error *err;
};

static int32_t put(const struct export *export, void *file, const char *text)
{
    return export->job->write(file, text, strlen(text), export->err);
}

static int32_t put_record(const struct export *export, const struct eds_entry *entry)
{
    const struct eds_ledger_export *job = export->job;
    bool first = export->summary->record_count == 0;
    char text[EDS_JSON_ENTRY_SIZE_MAX + 8];
    size_t size = 0;
    size_t entry_size = 0;
    int32_t rc = EDS_OK;

    switch (job->format) {
    case EDS_CHAIN_ARRAY:
        size = 4; /* both beginnings */
        memcpy(text, first ? "[\n  " : ",\n  ", size);
        entry_size =
            eds_json_entry_encode(text + size, EDS_JSON_ENTRY_SIZE_MAX, entry, EDS_JSON_PRETTY, 2);
        size += entry_size;
        break;
    case EDS_CHAIN_NDJSON:
        entry_size =
            eds_json_entry_encode(text, EDS_JSON_ENTRY_SIZE_MAX, entry, EDS_JSON_COMPACT, 0);
        size = entry_size;
        text[size++] = '\n';
        break;
    case EDS_CHAIN_COMPACT:
        rc = eds_compact_encode((uint8_t *)text, &entry_size, entry);
        size = entry_size;
        break;
    }
    if (rc != EDS_OK || entry_size == 0)
        return eds_error_set(export->err, EDS_ERR_MALFORMED,
                             "the record of sequence %" PRIu64 " cannot be encoded",
                             entry->record.sequence);
    return job->write(job->records, text, size, export->err);
}

static int32_t put_payload(const struct export *export, const EdsAuditRecord *record)
{
    const struct eds_ledger_export *job = export->job;
    char digits[2 * 4096 + 1];
    void *payload = NULL;
    size_t size = 0;
    int32_t rc = eds_payload_get(job->ledger, job->objects, record, &payload, &size, export->err);

    if (rc == EDS_ERR_NOT_FOUND)
        return eds_error_set(export->err, rc, "the payload of sequence %" PRIu64 " is not kept %s",
                             record->sequence,
                             job->objects == NULL ? "in this ledger" : "anywhere that is given");
    if (rc != EDS_OK)
        return rc;
    rc = put(export, job->payloads, export->summary->record_count == 0 ? "[\n  \"" : ",\n  \"");
    for (size_t at = 0; at < size && rc == EDS_OK; at += sizeof digits / 2) {
        size_t piece = size - at < sizeof digits / 2 ? size - at : sizeof digits / 2;

        eds_hex_encode(digits, (const uint8_t *)payload + at, piece);
        rc = job->write(job->payloads, digits, 2 * piece, export->err);
    }
    free(payload);
    return rc == EDS_OK ? put(export, job->payloads, "\"") : rc;
}

static int32_t visit(void *context, const struct eds_stored *stored)
{
    const struct export *export = context;
    struct eds_export_summary *summary = export->summary;
    const EdsAuditRecord *record = &stored->entry->record;
    int32_t rc = put_record(export, stored->entry);

    if (rc == EDS_OK && export->job->payloads != NULL)
        rc = put_payload(export, record);
    if (rc != EDS_OK)
        return rc;
    if (summary->record_count == 0)
        summary->first_sequence = record->sequence;
    summary->last_sequence = record->sequence;
    memcpy(summary->last_record_hash, stored->record_hash, EDS_HASH_SIZE);
    summary->record_count++;
    return EDS_OK;
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
    struct export export = {job, summary, err};
    int32_t rc;

    memset(summary, 0, sizeof *summary);
    rc = job->ledger->ops->scan(job->ledger, job->device_id, visit, &export, err);
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

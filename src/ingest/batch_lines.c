/* batch_lines.c - what the operation log says of a batch. */
#include <inttypes.h>
#include <stdio.h>

#include "ingest/batch_parts.h"

static enum eds_decision decision_of(enum eds_verdict verdict)
{
    if (verdict == EDS_VERDICT_ACCEPTED)
        return EDS_DECISION_ACCEPTED;
    return verdict == EDS_VERDICT_QUARANTINED ? EDS_DECISION_QUARANTINED : EDS_DECISION_REJECTED;
}

void eds_batch_list(struct eds_batch *batch, struct eds_batch_item *item)
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

/* A rejection's line was not written. */
void eds_batch_line_lost(struct eds_batch *batch, const char *source)
{
    struct eds_flood flood = {.unlisted = 1};

    if (source != NULL)
        snprintf(flood.source, sizeof flood.source, "%.*s", (int)sizeof flood.source - 1, source);
    eds_books_unlisted(batch->keeper.books, &flood);
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
void eds_batch_tell_sums(struct eds_batch *batch, bool at_once)
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
    if (eds_batch_commit(batch, &err) == EDS_OK)
        return;
    batch->at = NULL;
    eds_batch_log_failure(batch, EDS_COMPONENT_OPERATION_LOG, "commit", &err);
    for (size_t i = 0; i < count; i++)
        eds_books_unlisted(batch->keeper.books, &batch->floods[i]);
}

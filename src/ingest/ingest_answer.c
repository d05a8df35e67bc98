/* ingest_answer.c - the end of a submission's way: with a line in the log or without one,
 * counted, answered, and in a client's words. */
#include <inttypes.h>
#include <string.h>

#include "ingest/ingest_parts.h"
#include "ingest/trail.h"

void eds_ingest_count_answer(struct eds_ingest *ingest, const struct eds_submission *submission)
{
    eds_books_count(&ingest->books, submission->verdict);
    eds_meter_observe(&ingest->books.meters.answer, eds_queue_now_ns() - submission->begun_ns);
    eds_trail_end(submission);
}

void eds_ingest_answer(struct eds_ingest *ingest, struct eds_submission *submission)
{
    eds_ingest_count_answer(ingest, submission);
    submission->done(submission); /* from here on it is not ours */
}

/* How many at the front were submitted at the same moment, as those of a batch are. */
static size_t count_as_old(struct eds_submission **submissions, size_t count)
{
    size_t same = 1;

    while (same < count && submissions[same]->begun_ns == submissions[0]->begun_ns)
        same++;
    return same;
}

void eds_ingest_answer_all(struct eds_ingest *ingest, struct eds_submission **submissions,
                           size_t count)
{
    size_t counts[EDS_VERDICT_OVERLOADED + 1] = {0};
    uint64_t now_ns = eds_queue_now_ns();

    for (size_t i = 0, same = 0; i < count; i += same) {
        same = count_as_old(submissions + i, count - i);
        eds_meter_observe_many(&ingest->books.meters.answer, now_ns - submissions[i]->begun_ns,
                               same);
    }
    for (size_t i = 0; i < count; i++) {
        counts[submissions[i]->verdict]++;
        eds_trail_end(submissions[i]);
    }
    eds_books_count_many(&ingest->books, counts);
    for (size_t i = 0; i < count; i++)
        submissions[i]->done(submissions[i]); /* from here on it is not ours */
}

/* Whether a checked submission has a place in the commit.  A rejection has if it
 * gets a line in the operation log; those that get none are summed up. */
bool eds_ingest_is_for_commit(struct eds_ingest *ingest, const struct eds_submission *submission)
{
    const char *source = submission->request.source;

    if (eds_verdict_is_kept(submission->verdict) || submission->verdict == EDS_VERDICT_STORE)
        return true;
    if (submission->verdict != EDS_VERDICT_RATE_LIMITED)
        return eds_books_list(&ingest->books, source);
    eds_books_limited(&ingest->books, source);
    return false;
}

void eds_ingest_answer_text(char out[EDS_ERROR_TEXT_SIZE], const struct eds_submission *submission)
{
    const EdsAuditRecord *record = &submission->request.entry->record;
    struct eds_error text; /* for its cutting at a character's border */

    switch (submission->verdict) {
    case EDS_VERDICT_ACCEPTED:
    case EDS_VERDICT_QUARANTINED:
        text.text[0] = '\0';
        break;
    case EDS_VERDICT_PAYLOAD_HASH:
    case EDS_VERDICT_PAYLOAD_ABSENT:
        eds_error_set(&text, 0, "%s for device=%s sequence=%" PRIu64, submission->message,
                      (const char *)record->device_id, record->sequence);
        break;
    case EDS_VERDICT_TOO_LARGE:
    case EDS_VERDICT_RATE_LIMITED:
    case EDS_VERDICT_STORE:
    case EDS_VERDICT_OVERLOADED:
        eds_error_set(&text, 0, "%s", submission->message);
        break;
    default:
        eds_error_set(&text, 0, "ingest verification failed: %s", submission->message);
        break;
    }
    memcpy(out, text.text, strlen(text.text) + 1);
}

/* ingest_submit.c - submissions on their way to the committer, or to its work done here. */
#include <stdio.h>

#include "base/latch.h"
#include "base/port.h"
#include "ingest/ingest_parts.h"
#include "ingest/trail.h"

void eds_ingest_refuse(struct eds_ingest *ingest, struct eds_submission *submission)
{
    submission->verdict = EDS_VERDICT_OVERLOADED;
    snprintf(submission->message, sizeof submission->message,
             "the server is busy: send the record again");
    eds_ingest_answer(ingest, submission);
}

/* Submissions that wait, for the store of payloads or the committer. */
size_t eds_ingest_waiting(struct eds_ingest *ingest)
{
    size_t uploading = ingest->uploads != NULL ? eds_uploads_count(ingest->uploads) : 0;

    return uploading + eds_queue_count(&ingest->queue);
}

static bool push(struct eds_ingest *ingest, struct eds_submission *submission)
{
    if (ingest->uploads != NULL)
        return eds_uploads_push(ingest->uploads, submission);
    return eds_queue_push(&ingest->queue, submission);
}

/* Fills in what is ours of a submission, behind so many that are still to be pushed;
 * false if there is no room. */
static bool prepare(struct eds_ingest *ingest, struct eds_submission *submission, size_t before)
{
    submission->begun_ns = eds_queue_now_ns();
    eds_trail_begin(submission);
    /* First, so that a server that can't keep up does not hash in vain. */
    if (eds_ingest_waiting(ingest) + before >= ingest->queue.max)
        return false;
    submission->request.now_ms = eds_port_time_ms();
    submission->payload_place = EDS_PAYLOAD_IN_COMMIT;
    submission->has_token = false;
    submission->is_checked = ingest->uploads != NULL || /* only good payloads are stored */
                             submission->request.payload_absent;
    if (submission->is_checked)
        eds_ingest_check_alone(ingest, submission);
    else if (ingest->checks.registry != NULL)
        eds_check_begin(submission);
    return true;
}

void eds_ingest_submit(struct eds_ingest *ingest, struct eds_submission *submission)
{
    if (!prepare(ingest, submission, 0) || !push(ingest, submission))
        eds_ingest_refuse(ingest, submission);
}

void eds_ingest_submit_all(struct eds_ingest *ingest, struct eds_submission **submissions,
                           size_t count)
{
    size_t ready = 0, pushed;

    for (size_t i = 0; i < count; i++)
        if (ingest->uploads != NULL)
            eds_ingest_submit(ingest, submissions[i]);
        else if (prepare(ingest, submissions[i], ready))
            submissions[ready++] = submissions[i];
        else
            eds_ingest_refuse(ingest, submissions[i]);
    pushed = eds_queue_push_all(&ingest->queue, submissions, ready);
    for (; pushed < ready; pushed++)
        eds_ingest_refuse(ingest, submissions[pushed]);
}

bool eds_ingest_submit_here(struct eds_ingest *ingest, struct eds_submission *submission)
{
    if (ingest->uploads != NULL || !eds_queue_enter(&ingest->queue))
        return false;
    if (ingest->keeper->count > 1 || ingest->keeper->commit_ns > ingest->quick_ns) {
        eds_queue_leave(&ingest->queue, false);
        return false;
    }
    submission->begun_ns = eds_queue_now_ns();
    eds_trail_begin(submission);
    submission->request.now_ms = eds_port_time_ms();
    submission->payload_place = EDS_PAYLOAD_IN_COMMIT;
    submission->has_token = false;
    eds_ingest_check_alone(ingest, submission);
    if (eds_ingest_is_for_commit(ingest, submission))
        ingest->keeper->keep(ingest->keeper, &submission, 1, false);
    /* The sum of what is not listed is the committer's to tell, in time. */
    eds_queue_leave(&ingest->queue, !eds_verdict_is_kept(submission->verdict));
    eds_ingest_count_answer(ingest, submission);
    return true;
}

static void set_latch(struct eds_submission *submission)
{
    eds_latch_set(submission->context);
}

enum eds_verdict eds_ingest_submit_wait(struct eds_ingest *ingest,
                                        struct eds_submission *submission)
{
    struct eds_latch answered = EDS_LATCH_INITIAL;

    submission->done = set_latch;
    submission->context = &answered;
    eds_ingest_submit(ingest, submission);
    eds_latch_wait(&answered);
    return submission->verdict;
}

/* ingest_admit.c - what may come in at all: by rates, by signatures, by payloads. */
#include <stdio.h>
#include <string.h>

#include "base/port.h"
#include "ingest/ingest_parts.h"

/* Keeps account of a request that was over a rate. */
static bool put_off(struct eds_ingest *ingest, const char *source)
{
    eds_books_count(&ingest->books, EDS_VERDICT_RATE_LIMITED);
    eds_books_limited(&ingest->books, source);
    return false;
}

bool eds_ingest_admit(struct eds_ingest *ingest, const char *source, size_t count,
                      unsigned *retry_after_s)
{
    return eds_limits_source(&ingest->limits, source, count, retry_after_s) ||
           put_off(ingest, source);
}

bool eds_ingest_admit_bytes(struct eds_ingest *ingest, const char *source, uint64_t size,
                            unsigned patience_ms, unsigned *wait_ms, unsigned *retry_after_s)
{
    return eds_limits_bytes(&ingest->limits, source, size, patience_ms, wait_ms, retry_after_s) ||
           put_off(ingest, source);
}

void eds_submission_miss_payload(struct eds_submission *submission)
{
    submission->verdict = EDS_VERDICT_PAYLOAD_ABSENT;
    snprintf(submission->message, sizeof submission->message, "payload not found");
}

/* Looks for a payload that did not come with its record.  Where payloads have a
 * store of their own that is done on the way to the committer (uploads.h). */
static void find_payload(struct eds_ingest *ingest, struct eds_submission *submission)
{
    struct eds_object_put put = {
        .name = {.object_ref = (const char *)submission->request.entry->record.object_ref},
        .only_look = true};
    int32_t rc = EDS_ERR_NOT_FOUND;

    memcpy(put.name.payload_hash, submission->request.entry->record.payload_hash, EDS_HASH_SIZE);
    if (ingest->uploaded != NULL)
        rc = eds_objects_put_wait(ingest->uploaded, &put);
    submission->payload_place = EDS_PAYLOAD_STORED;
    if (rc == EDS_ERR_NOT_FOUND)
        eds_submission_miss_payload(submission);
    else if (rc != EDS_OK)
        submission->verdict = EDS_VERDICT_STORE;
}

static const char *id_of(const struct eds_submission *submission)
{
    return (const char *)submission->request.entry->record.device_id;
}

/* Only what is good takes one, and only once, even if it is checked again. */
static bool needs_token(const struct eds_submission *submission)
{
    return eds_verdict_is_kept(submission->verdict) && !submission->has_token;
}

/* A good record of a device that has sent too many is put off. */
static void take_token(struct eds_ingest *ingest, struct eds_submission *submission)
{
    const char *device_id = id_of(submission);
    struct eds_error text; /* for its cutting at a character's border */

    if (!needs_token(submission) ||
        ingest->checks.registry == NULL) /* it may be somebody else who says so */
        return;
    submission->has_token =
        eds_limits_device(&ingest->limits, device_id, 1, &submission->retry_after_s);
    if (submission->has_token)
        return;
    submission->verdict = EDS_VERDICT_RATE_LIMITED;
    eds_error_set(&text, 0, "rate limit exceeded for device=%s", device_id);
    memcpy(submission->message, text.text, strlen(text.text) + 1);
}

/* How many records of the first one's device that need a token there are at the front. */
static size_t count_alike(struct eds_submission **submissions, size_t count)
{
    size_t alike = 0;

    while (alike < count && needs_token(submissions[alike]) &&
           strcmp(id_of(submissions[alike]), id_of(submissions[0])) == 0)
        alike++;
    return alike;
}

/* Those of one device that follow each other take their tokens at once; where these do
 * not suffice for all, each takes its own. */
void eds_ingest_take_tokens(struct eds_ingest *ingest, struct eds_submission **submissions,
                            size_t count)
{
    unsigned retry_after_s;

    while (count > 0) {
        size_t alike = count_alike(submissions, count), some = alike > 0 ? alike : 1;
        bool at_once = alike > 1 && eds_limits_device(&ingest->limits, id_of(submissions[0]), alike,
                                                      &retry_after_s);

        for (size_t i = 0; i < some; i++) {
            if (at_once)
                submissions[i]->has_token = true;
            take_token(ingest, submissions[i]);
        }
        submissions += some;
        count -= some;
    }
}

static void finish_check(struct eds_ingest *ingest, struct eds_submission *submission)
{
    if (submission->request.payload_absent && ingest->uploads == NULL &&
        eds_verdict_is_kept(submission->verdict))
        find_payload(ingest, submission);
}

void eds_ingest_finish_checks(struct eds_ingest *ingest, struct eds_submission **submissions,
                              size_t count)
{
    eds_ingest_take_tokens(ingest, submissions, count);
    for (size_t i = 0; i < count; i++)
        finish_check(ingest, submissions[i]);
}

void eds_ingest_check_alone(struct eds_ingest *ingest, struct eds_submission *submission)
{
    eds_check_alone(&ingest->checks, submission);
    take_token(ingest, submission);
    finish_check(ingest, submission);
}

enum eds_verdict eds_ingest_admit_object(struct eds_ingest *ingest, struct eds_request *request,
                                         char message[EDS_ERROR_TEXT_SIZE], unsigned *retry_after_s)
{
    struct eds_submission submission = {.request = *request};

    submission.request.payload_absent = true;
    submission.request.now_ms = eds_port_time_ms();
    eds_check_alone(&ingest->checks, &submission);
    take_token(ingest, &submission);
    memcpy(message, submission.message, sizeof submission.message);
    *retry_after_s = submission.retry_after_s;
    return eds_verdict_is_kept(submission.verdict) ? EDS_VERDICT_ACCEPTED : submission.verdict;
}

/* ingest_ahead.c - many submissions of one sender: checked by the thread that brings
 * them.
 *
 * It has just read them, so they are in its processor's cache, and they are many enough
 * to stand side by side.  The committer then finds them checked, and commits: the one
 * thing that only one thread can do. */
#include "base/port.h"
#include "ingest/ingest_parts.h"
#include "ingest/trail.h"

/* Whether there will be room for so many: else they would be checked in vain. */
static bool has_room(struct eds_ingest *ingest, size_t count)
{
    size_t waiting = eds_ingest_waiting(ingest);

    return waiting <= ingest->queue.max && count <= ingest->queue.max - waiting;
}

static uint64_t generation_of(const struct eds_ingest *ingest)
{
    return ingest->checks.registry != NULL ? eds_registry_generation(ingest->checks.registry) : 0;
}

static void begin(struct eds_ingest *ingest, struct eds_submission **submissions, size_t count)
{
    uint64_t generation = generation_of(ingest), now_ms = eds_port_time_ms();

    for (size_t i = 0; i < count; i++) {
        struct eds_submission *submission = submissions[i];

        submission->generation = generation;
        submission->request.now_ms = now_ms;
        submission->payload_place = EDS_PAYLOAD_IN_COMMIT;
        submission->is_checked = submission->has_token = false;
        eds_trail_begin(submission);
    }
}

static void check(struct eds_ingest *ingest, struct eds_check_desk *desk,
                  struct eds_submission **submissions, size_t count)
{
    for (size_t i = 0; i < count && ingest->checks.registry != NULL; i++)
        eds_check_begin(submissions[i]);
    eds_check_run(&ingest->checks, desk, submissions, count);
    for (size_t i = 0; i < count; i++)
        submissions[i]->is_checked = true;
    eds_ingest_finish_checks(ingest, submissions, count);
}

void eds_ingest_check_ahead(struct eds_ingest *ingest, struct eds_submission **submissions,
                            size_t count)
{
    struct eds_check_desk *desk = NULL;

    begin(ingest, submissions, count);
    /* Without tables a check takes so long that whatever else the thread serves had to
     * wait for it. */
    if (eds_verifier_get_level() != EDS_VERIFIER_LIBSODIUM && has_room(ingest, count))
        desk = eds_check_desks_take(&ingest->desks);
    if (desk == NULL)
        return;
    for (size_t at = 0; at < count; at += EDS_CHECK_MAX)
        check(ingest, desk, submissions + at,
              count - at < EDS_CHECK_MAX ? count - at : EDS_CHECK_MAX);
    eds_check_desks_give_back(&ingest->desks, desk);
}

/* The rest of a batch may have been long in coming: its answer is not slow for that, and
 * what was checked before the registry changed has to be checked again.  A device may be
 * revoked. */
static void begin_again(struct eds_ingest *ingest, struct eds_submission **submissions,
                        size_t count)
{
    uint64_t now_ns = eds_queue_now_ns(), now_ms = eds_port_time_ms();
    uint64_t generation = generation_of(ingest);

    for (size_t i = 0; i < count; i++) {
        submissions[i]->begun_ns = now_ns;
        if (submissions[i]->generation == generation)
            continue;
        submissions[i]->is_checked = false;
        submissions[i]->request.now_ms = now_ms;
    }
}

/* Checks what was not: by itself where the queue wants it so, else as far as is done
 * before. */
static void check_rest(struct eds_ingest *ingest, struct eds_submission *submission)
{
    if (submission->is_checked)
        return;
    submission->is_checked = ingest->uploads != NULL || submission->request.payload_absent;
    if (submission->is_checked)
        eds_ingest_check_alone(ingest, submission);
    else if (ingest->checks.registry != NULL)
        eds_check_begin(submission);
}

void eds_ingest_submit_ahead(struct eds_ingest *ingest, struct eds_submission **submissions,
                             size_t count)
{
    size_t ready = 0, pushed = 0;

    begin_again(ingest, submissions, count);
    while (ready < count && has_room(ingest, ready + 1))
        check_rest(ingest, submissions[ready++]);
    if (ingest->uploads == NULL)
        pushed = eds_queue_push_all(&ingest->queue, submissions, ready);
    else
        while (pushed < ready && eds_uploads_push(ingest->uploads, submissions[pushed]))
            pushed++;
    for (; pushed < count; pushed++)
        eds_ingest_refuse(ingest, submissions[pushed]);
}

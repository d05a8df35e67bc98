/* ingest_threads.c - the committer, and helpers that check when much waits. */
#include "ingest/ingest_parts.h"

static void check(struct eds_ingest *ingest, struct eds_check_desk *desk,
                  struct eds_submission **claimed, size_t count)
{
    eds_check_run(&ingest->checks, desk, claimed, count);
    eds_ingest_take_tokens(ingest, claimed, count);
    eds_queue_checked(&ingest->queue, claimed, count);
}

/* Checks what waits; false if that is nothing. */
static bool check_some(struct eds_ingest *ingest)
{
    struct eds_submission *claimed[EDS_CHECK_MAX];
    size_t count = eds_queue_claim(&ingest->queue, claimed, EDS_CHECK_MAX);

    if (count > 0)
        check(ingest, ingest->desk, claimed, count);
    return count > 0;
}

static void *helper_main(void *context)
{
    struct eds_helper *helper = context;
    struct eds_ingest *ingest = helper->ingest;
    struct eds_submission *claimed[EDS_CHECK_MAX];
    size_t count;

    while ((count = eds_queue_claim_overdue(&ingest->queue, claimed, EDS_CHECK_MAX)) > 0)
        check(ingest, helper->desk, claimed, count);
    return NULL;
}

/* Answers those that need no commit; returns how many are left. */
static size_t answer_early(struct eds_ingest *ingest, struct eds_submission **submissions,
                           size_t count)
{
    size_t left = 0;

    for (size_t i = 0; i < count; i++)
        if (eds_ingest_is_for_commit(ingest, submissions[i]))
            submissions[left++] = submissions[i];
        else
            eds_ingest_answer(ingest, submissions[i]);
    return left;
}

static void *committer_main(void *context)
{
    struct eds_ingest *ingest = context;
    enum eds_queue_turn turn;

    do {
        size_t count;

        /* All that has come so far goes into this commit, if there is room. */
        for (size_t at = 0; at < ingest->batch_max && check_some(ingest);)
            at += EDS_CHECK_MAX;
        turn = eds_queue_take(&ingest->queue, ingest->taken, &count, ingest->batch_max,
                              ingest->batch_size_max, eds_books_deadline(&ingest->books));
        if (turn == EDS_QUEUE_CHECK)
            continue;
        count = answer_early(ingest, ingest->taken, count);
        ingest->keeper->keep(ingest->keeper, ingest->taken, count, turn == EDS_QUEUE_END);
        eds_queue_leave(&ingest->queue, false);
        eds_ingest_answer_all(ingest, ingest->taken, count);
    } while (turn != EDS_QUEUE_END);
    return NULL;
}

/* Starts helpers, as many as can be had: the committer does without if it must. */
static void start_helpers(struct eds_ingest *ingest, size_t thread_count)
{
    while (ingest->helper_count + 1 < thread_count && ingest->helper_count < EDS_HELPERS_MAX) {
        struct eds_helper *helper = &ingest->helpers[ingest->helper_count];

        helper->ingest = ingest;
        helper->desk = eds_check_desk_create();
        if (helper->desk == NULL ||
            pthread_create(&helper->thread, NULL, helper_main, helper) != 0) {
            eds_check_desk_destroy(helper->desk);
            return;
        }
        ingest->helper_count++;
    }
}

int32_t eds_ingest_start_threads(struct eds_ingest *ingest, size_t thread_count)
{
    if (pthread_create(&ingest->committer, NULL, committer_main, ingest) != 0)
        return EDS_ERR_IO;
    start_helpers(ingest, thread_count);
    return EDS_OK;
}

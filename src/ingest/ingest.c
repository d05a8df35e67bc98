/* ingest.c - see ingest.h. */
#include "ingest/ingest.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/port.h"
#include "ingest/batch.h"
#include "ingest/books.h"
#include "ingest/check.h"
#include "ingest/limits.h"
#include "ingest/queue.h"
#include "ingest/trail.h"
#include "ingest/uploads.h"

#define KEY_TABLES_MAX  512u
#define QUEUE_MAX       4096u
#define BATCH_MAX       1024u
#define BATCH_SIZE_MAX  (64u << 20) /* bytes */
#define HEADS_MAX       65536u
#define LISTED_MAX      1000u      /* rejections a second */
#define LISTED_MAX_EACH 100u       /* of one source */
#define COUNT_LIMIT     (1u << 24) /* of either: above this it is a mistake */
#define HELPERS_MAX     15u
#define QUICK_NS        5000000u /* a commit that a transport's thread may wait for */

/* One who checks when much waits. */
struct helper {
    struct eds_ingest *ingest;
    struct eds_check_desk *desk;
    pthread_t thread;
};

struct eds_ingest {
    struct eds_checks checks;
    struct eds_objects *uploaded; /* NULL: no payload comes before its record */
    size_t batch_max, batch_size_max;
    uint64_t quick_ns;
    struct eds_queue queue;
    struct eds_uploads *uploads; /* NULL: payloads go into the ledger */
    struct eds_books books;
    struct eds_limits limits;
    bool queue_made, books_made;
    struct eds_keeper *keeper; /* of whoever has the turn: the batch, or the caller's own */
    struct eds_batch batch;
    struct eds_submission **taken; /* the committer's; batch_max of them */
    struct eds_check_desk *desk;   /* the committer's */
    pthread_t committer;
    struct helper helpers[HELPERS_MAX];
    unsigned helper_count; /* started */
};

static void count_answer(struct eds_ingest *ingest, const struct eds_submission *submission)
{
    eds_books_count(&ingest->books, submission->verdict);
    eds_meter_observe(&ingest->books.meters.answer, eds_queue_now_ns() - submission->begun_ns);
    eds_trail_end(submission);
}

static void answer(struct eds_ingest *ingest, struct eds_submission *submission)
{
    count_answer(ingest, submission);
    submission->done(submission); /* from here on it is not ours */
}

/* A good record of a device that has sent too many is put off. */
static void take_token(struct eds_ingest *ingest, struct eds_submission *submission)
{
    const char *device_id = (const char *)submission->request.entry->record.device_id;
    struct eds_error text; /* for its cutting at a character's border */

    if (!eds_verdict_is_kept(submission->verdict) ||
        ingest->checks.registry == NULL || /* it may be somebody else who says so */
        eds_limits_device(&ingest->limits, device_id, &submission->retry_after_s))
        return;
    submission->verdict = EDS_VERDICT_RATE_LIMITED;
    eds_error_set(&text, 0, "rate limit exceeded for device=%s", device_id);
    memcpy(submission->message, text.text, strlen(text.text) + 1);
}

static void check(struct eds_ingest *ingest, struct eds_check_desk *desk,
                  struct eds_submission **claimed, size_t count)
{
    eds_check_run(&ingest->checks, desk, claimed, count);
    for (size_t i = 0; i < count; i++)
        take_token(ingest, claimed[i]);
    eds_queue_checked(&ingest->queue, claimed, count);
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

static void check_alone(struct eds_ingest *ingest, struct eds_submission *submission)
{
    eds_check_alone(&ingest->checks, submission);
    take_token(ingest, submission);
    if (submission->request.payload_absent && ingest->uploads == NULL &&
        eds_verdict_is_kept(submission->verdict))
        find_payload(ingest, submission);
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
    struct helper *helper = context;
    struct eds_ingest *ingest = helper->ingest;
    struct eds_submission *claimed[EDS_CHECK_MAX];
    size_t count;

    while ((count = eds_queue_claim_overdue(&ingest->queue, claimed, EDS_CHECK_MAX)) > 0)
        check(ingest, helper->desk, claimed, count);
    return NULL;
}

/* Whether a checked submission has a place in the commit.  A rejection has if it
 * gets a line in the operation log; those that get none are summed up. */
static bool is_for_commit(struct eds_ingest *ingest, const struct eds_submission *submission)
{
    const char *source = submission->request.source;

    if (eds_verdict_is_kept(submission->verdict) || submission->verdict == EDS_VERDICT_STORE)
        return true;
    if (submission->verdict != EDS_VERDICT_RATE_LIMITED)
        return eds_books_list(&ingest->books, source);
    eds_books_limited(&ingest->books, source);
    return false;
}

/* Answers those that need no commit; returns how many are left. */
static size_t answer_early(struct eds_ingest *ingest, struct eds_submission **submissions,
                           size_t count)
{
    size_t left = 0;

    for (size_t i = 0; i < count; i++)
        if (is_for_commit(ingest, submissions[i]))
            submissions[left++] = submissions[i];
        else
            answer(ingest, submissions[i]);
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
        for (size_t i = 0; i < count; i++)
            answer(ingest, ingest->taken[i]);
    } while (turn != EDS_QUEUE_END);
    return NULL;
}

static size_t given_or(size_t given, size_t usual)
{
    return given != 0 ? given : usual;
}

/* Starts helpers, as many as can be had: the committer does without if it must. */
static void start_helpers(struct eds_ingest *ingest, unsigned thread_count)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t wanted = given_or(thread_count, cores > 0 ? (size_t)cores : 1);

    while (ingest->helper_count + 1 < wanted && ingest->helper_count < HELPERS_MAX) {
        struct helper *helper = &ingest->helpers[ingest->helper_count];

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

static int32_t make_keeper(struct eds_ingest *ingest, const struct eds_ingest_config *config)
{
    int32_t rc = EDS_OK;

    ingest->keeper = config->keeper != NULL ? config->keeper : &ingest->batch.keeper;
    if (config->keeper == NULL)
        rc = eds_batch_init(&ingest->batch, config, ingest->batch_max,
                            given_or(config->heads_max, HEADS_MAX));
    ingest->keeper->books = &ingest->books;
    return rc;
}

static int32_t make(struct eds_ingest *ingest, const struct eds_ingest_config *config)
{
    size_t listed_max = given_or(config->rejections_logged_per_second, LISTED_MAX);
    size_t listed_max_each = given_or(config->rejections_logged_per_source, LISTED_MAX_EACH);
    bool limiting = config->rate_per_source.per_second > 0 ||
                    config->bytes_per_source.per_second > 0 ||
                    config->rate_per_device.per_second > 0;
    int32_t rc;

    ingest->batch_max = given_or(config->batch_max, BATCH_MAX);
    ingest->uploaded = config->uploaded;
    ingest->batch_size_max = given_or(config->batch_size_max, BATCH_SIZE_MAX);
    ingest->quick_ns = config->quick_ns > 0 ? config->quick_ns : QUICK_NS;
    if (ingest->batch_max > COUNT_LIMIT || config->heads_max > COUNT_LIMIT ||
        config->key_tables_max > COUNT_LIMIT)
        return EDS_ERR_USAGE;
    ingest->queue_made = eds_queue_init(&ingest->queue, given_or(config->queue_max, QUEUE_MAX));
    ingest->books_made =
        eds_books_init(&ingest->books, (unsigned)listed_max, (unsigned)listed_max_each, limiting);
    if (!ingest->queue_made || !ingest->books_made)
        return EDS_ERR_NO_MEMORY;
    rc = eds_limits_init(&ingest->limits, config);
    if (rc != EDS_OK)
        return rc;
    ingest->checks = (struct eds_checks){
        .registry = config->registry,
        .key_tables = eds_key_tables_create(given_or(config->key_tables_max, KEY_TABLES_MAX))};
    ingest->desk = eds_check_desk_create();
    ingest->taken = calloc(ingest->batch_max, sizeof *ingest->taken);
    if (ingest->checks.key_tables == NULL || ingest->desk == NULL || ingest->taken == NULL)
        return EDS_ERR_NO_MEMORY;
    rc = make_keeper(ingest, config);
    if (rc == EDS_OK && config->objects != NULL)
        rc = eds_uploads_start(&ingest->uploads, config->objects, &ingest->queue);
    if (rc != EDS_OK)
        return rc;
    if (pthread_create(&ingest->committer, NULL, committer_main, ingest) != 0)
        return EDS_ERR_IO;
    start_helpers(ingest, config->thread_count);
    return EDS_OK;
}

static void unmake(struct eds_ingest *ingest)
{
    eds_uploads_stop(ingest->uploads);
    eds_batch_free(&ingest->batch);
    free(ingest->taken);
    eds_limits_free(&ingest->limits);
    eds_check_desk_destroy(ingest->desk);
    for (unsigned i = 0; i < ingest->helper_count; i++)
        eds_check_desk_destroy(ingest->helpers[i].desk);
    eds_key_tables_destroy(ingest->checks.key_tables);
    if (ingest->books_made)
        eds_books_free(&ingest->books);
    if (ingest->queue_made)
        eds_queue_free(&ingest->queue);
    free(ingest);
}

int32_t eds_ingest_start(struct eds_ingest **out, const struct eds_ingest_config *config,
                         struct eds_error *err)
{
    struct eds_ingest *ingest = calloc(1, sizeof *ingest);
    int32_t rc;

    if (ingest == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for ingest");
    rc = make(ingest, config);
    if (rc != EDS_OK) {
        unmake(ingest);
        return eds_error_set(err, rc, "cannot start ingest (batch_max %zu, heads_max %zu): %s",
                             config->batch_max, config->heads_max, eds_error_name(rc));
    }
    *out = ingest;
    return EDS_OK;
}

static void refuse(struct eds_ingest *ingest, struct eds_submission *submission)
{
    submission->verdict = EDS_VERDICT_OVERLOADED;
    snprintf(submission->message, sizeof submission->message,
             "the server is busy: send the record again");
    answer(ingest, submission);
}

/* Submissions that wait, for the store of payloads or the committer. */
static size_t waiting_count(struct eds_ingest *ingest)
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

int32_t eds_ingest_set_rates(struct eds_ingest *ingest, struct eds_rate per_source,
                             struct eds_rate bytes_per_source, struct eds_rate per_device,
                             struct eds_error *err)
{
    int32_t rc = eds_rate_limit_set(&ingest->limits.source, per_source);

    if (rc == EDS_OK)
        rc = eds_rate_limit_set(&ingest->limits.source_bytes, bytes_per_source);
    if (rc == EDS_OK)
        rc = eds_rate_limit_set(&ingest->limits.device, per_device);
    if (rc == EDS_OK &&
        (per_source.per_second > 0 || bytes_per_source.per_second > 0 || per_device.per_second > 0))
        eds_books_begin_limiting(&ingest->books);
    return rc == EDS_OK ? EDS_OK
                        : eds_error_set(err, rc, "cannot change a rate: %s", eds_error_name(rc));
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

/* Fills in what is ours of a submission, behind so many that are still to be pushed;
 * false if there is no room. */
static bool prepare(struct eds_ingest *ingest, struct eds_submission *submission, size_t before)
{
    submission->begun_ns = eds_queue_now_ns();
    eds_trail_begin(submission);
    /* First, so that a server that can't keep up does not hash in vain. */
    if (waiting_count(ingest) + before >= ingest->queue.max)
        return false;
    submission->request.now_ms = eds_port_time_ms();
    submission->payload_place = EDS_PAYLOAD_IN_COMMIT;
    submission->is_checked = ingest->uploads != NULL || /* only good payloads are stored */
                             submission->request.payload_absent;
    if (submission->is_checked)
        check_alone(ingest, submission);
    else if (ingest->checks.registry != NULL)
        eds_check_begin(submission);
    return true;
}

void eds_ingest_submit(struct eds_ingest *ingest, struct eds_submission *submission)
{
    if (!prepare(ingest, submission, 0) || !push(ingest, submission))
        refuse(ingest, submission);
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
            refuse(ingest, submissions[i]);
    pushed = eds_queue_push_all(&ingest->queue, submissions, ready);
    for (; pushed < ready; pushed++)
        refuse(ingest, submissions[pushed]);
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
    check_alone(ingest, submission);
    if (is_for_commit(ingest, submission))
        ingest->keeper->keep(ingest->keeper, &submission, 1, false);
    /* The sum of what is not listed is the committer's to tell, in time. */
    eds_queue_leave(&ingest->queue, !eds_verdict_is_kept(submission->verdict));
    count_answer(ingest, submission);
    return true;
}

/* Somebody who waits for one answer. */
struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    bool is_answered;
};

static void wake(struct eds_submission *submission)
{
    struct waiter *waiter = submission->context;

    /* Signalled under the lock: afterwards the waiter may be gone. */
    pthread_mutex_lock(&waiter->lock);
    waiter->is_answered = true;
    pthread_cond_signal(&waiter->answered);
    pthread_mutex_unlock(&waiter->lock);
}

enum eds_verdict eds_ingest_submit_wait(struct eds_ingest *ingest,
                                        struct eds_submission *submission)
{
    struct waiter waiter = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};

    submission->done = wake;
    submission->context = &waiter;
    eds_ingest_submit(ingest, submission);
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.is_answered)
        pthread_cond_wait(&waiter.answered, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
    pthread_mutex_destroy(&waiter.lock);
    pthread_cond_destroy(&waiter.answered);
    return submission->verdict;
}

void eds_ingest_counts(struct eds_ingest *ingest, struct eds_ingest_counts *out)
{
    eds_books_counts(&ingest->books, out);
    out->queued = waiting_count(ingest);
}

void eds_ingest_meters(struct eds_ingest *ingest, struct eds_meters_reading *out)
{
    eds_meters_read(&ingest->books.meters, out);
}

void eds_ingest_forget_key(struct eds_ingest *ingest, const uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    eds_key_tables_drop(ingest->checks.key_tables, public_key);
}

void eds_ingest_stop(struct eds_ingest *ingest)
{
    if (ingest == NULL)
        return;
    eds_uploads_stop(ingest->uploads); /* its last ones go into the queue */
    ingest->uploads = NULL;
    eds_queue_close(&ingest->queue);
    pthread_join(ingest->committer, NULL);
    for (unsigned i = 0; i < ingest->helper_count; i++)
        pthread_join(ingest->helpers[i].thread, NULL);
    unmake(ingest);
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

/* buffer_keeper.c - see buffer_keeper.h.
 *
 * A commit is one push of everything that came meanwhile: one sync for all of it.  A
 * push that does not fit is halved until what fits is in, and what does not is
 * refused for now; whoever is behind a refused record of its device is refused with
 * it (debts.h). */
#include "gateway/buffer_keeper.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/port.h"
#include "gateway/debts.h"
#include "ingest/books.h"
#include "ingest/queue.h"

#define DEVICE_MAX 10000u
#define BATCH_MAX  1024u
#define OWED_MS    60000u
#define NS_PER_MS  1000000u
#define NS_PER_S   1000000000u

struct eds_buffer_keeper {
    struct eds_keeper keeper; /* first */
    struct eds_buffer *buffer;
    size_t device_max, batch_max;
    struct eds_debts debts;
    struct eds_buffer_item *items;       /* of the commit under way, ... */
    struct eds_submission **submissions; /* ... and whose they are */
    size_t new_count;                    /* of them, records of devices never seen */
    uint64_t failure_logged_ns;          /* when a buffer that failed was last complained about */
    struct eds_flood floods[EDS_FLOODS_MAX];
    _Atomic uint64_t kept, repeated, full, behind, too_many, device_count;
};

static const char *device_of(const struct eds_submission *submission)
{
    return (const char *)submission->request.entry->record.device_id;
}

static uint64_t sequence_of(const struct eds_submission *submission)
{
    return submission->request.entry->record.sequence;
}

/* A record that may come again: the device is told so, and owes it. */
static void put_off(struct eds_buffer_keeper *keeper, struct eds_submission *submission,
                    enum eds_verdict verdict, const char *message)
{
    submission->verdict = verdict;
    snprintf(submission->message, sizeof submission->message, "%s", message);
    eds_debts_add(&keeper->debts, device_of(submission), sequence_of(submission),
                  eds_queue_now_ns());
}

static void accept(struct eds_buffer_keeper *keeper, struct eds_submission *submission)
{
    submission->verdict = EDS_VERDICT_ACCEPTED;
    submission->message[0] = '\0';
    eds_debts_pay(&keeper->debts, device_of(submission), sequence_of(submission));
    atomic_fetch_add_explicit(&keeper->kept, 1, memory_order_relaxed);
}

/* Whether a record before this one is owed; if so it is answered. */
static bool is_behind(struct eds_buffer_keeper *keeper, struct eds_submission *submission)
{
    if (!eds_debts_bar(&keeper->debts, device_of(submission), sequence_of(submission),
                       eds_queue_now_ns()))
        return false;
    submission->verdict = EDS_VERDICT_OVERLOADED;
    snprintf(submission->message, sizeof submission->message,
             "a record before this one was not kept: send that again first");
    atomic_fetch_add_explicit(&keeper->behind, 1, memory_order_relaxed);
    return true;
}

/* Whether this very record is the last one that came of its device. */
static bool is_repeated(const struct eds_submission *submission, const struct eds_buffer_head *head)
{
    uint8_t hash[EDS_HASH_SIZE];

    return head->sequence == sequence_of(submission) &&
           eds_record_digest(hash, &submission->request.entry->record) == EDS_OK &&
           memcmp(hash, head->record_hash, sizeof hash) == 0;
}

/* What can be said of a record without its chain: false if it is answered with that. */
static bool is_to_be_pushed(struct eds_buffer_keeper *keeper, struct eds_submission *submission)
{
    const struct eds_entry *entry = submission->request.entry;
    struct eds_buffer_head head;

    if (!eds_verdict_is_kept(submission->verdict)) /* the checks have refused it */
        return false;
    submission->verdict =
        eds_gate_check_attested(entry, submission->attest_required, submission->message);
    if (submission->verdict != EDS_VERDICT_ACCEPTED)
        return false;
    if (entry->record.sequence == 0) { /* of no chain, whatever came before */
        submission->verdict = EDS_VERDICT_SEQUENCE;
        snprintf(submission->message, sizeof submission->message,
                 "invalid sequence for device=%s: expected=1 actual=0", device_of(submission));
        return false;
    }
    if (is_behind(keeper, submission))
        return false;
    eds_buffer_head(keeper->buffer, device_of(submission), &head);
    if (is_repeated(submission, &head)) {
        atomic_fetch_add_explicit(&keeper->repeated, 1, memory_order_relaxed);
        accept(keeper, submission);
        return false;
    }
    if (head.sequence > 0)
        return true;
    if (atomic_load(&keeper->device_count) + keeper->new_count >= keeper->device_max) {
        put_off(keeper, submission, EDS_VERDICT_OVERLOADED,
                "the gateway has as many devices as it takes");
        atomic_fetch_add_explicit(&keeper->too_many, 1, memory_order_relaxed);
        return false;
    }
    keeper->new_count++;
    return true;
}

/* Counts that the buffer failed, and says so at most once a second. */
static void log_failure(struct eds_buffer_keeper *keeper, const struct eds_error *err)
{
    uint64_t now = eds_queue_now_ns();

    eds_meters_fail(&keeper->keeper.books->meters, EDS_COMPONENT_BUFFER);
    if (keeper->failure_logged_ns != 0 && now - keeper->failure_logged_ns < NS_PER_S)
        return;
    keeper->failure_logged_ns = now;
    EDS_LOG(EDS_LOG_ERROR, "buffer_push_failed", EDS_LOG_STRING("error", err->text));
}

/* A push of one record that failed: what its device is told. */
static void fail_one(struct eds_buffer_keeper *keeper, struct eds_submission *submission,
                     const struct eds_error *err)
{
    if (err->code == EDS_ERR_TOO_LARGE) {
        submission->verdict = EDS_VERDICT_TOO_LARGE;
        snprintf(submission->message, sizeof submission->message, "%s", err->text);
    } else if (err->code == EDS_ERR_BUSY) {
        put_off(keeper, submission, EDS_VERDICT_OVERLOADED,
                "the gateway's buffer is full: send the record again");
        atomic_fetch_add_explicit(&keeper->full, 1, memory_order_relaxed);
    } else {
        put_off(keeper, submission, EDS_VERDICT_STORE,
                "the record could not be stored: send it again");
    }
}

/* Leaves out those that a refusal of this commit has put behind; returns how many are
 * left, at the front. */
static size_t leave_out(struct eds_buffer_keeper *keeper, size_t first, size_t count)
{
    size_t left = 0;

    for (size_t i = first; i < first + count; i++) {
        if (is_behind(keeper, keeper->submissions[i]))
            continue;
        if (first + left < i) {
            keeper->submissions[first + left] = keeper->submissions[i];
            keeper->items[first + left] = keeper->items[i];
        }
        left++;
    }
    return left;
}

static int32_t push(struct eds_buffer_keeper *keeper, size_t first, size_t count,
                    struct eds_error *err)
{
    struct eds_meters *meters = &keeper->keeper.books->meters;
    uint64_t begun_ns = eds_queue_now_ns(), took_ns;
    int32_t rc = eds_buffer_push_many(keeper->buffer, &keeper->items[first], count, err);

    took_ns = eds_queue_now_ns() - begun_ns;
    keeper->keeper.commit_ns += took_ns;
    eds_meter_observe(&meters->commit, took_ns);
    if (rc != EDS_OK)
        return rc;
    eds_books_committed(keeper->keeper.books);
    atomic_store_explicit(&meters->committed_ms, eds_port_time_ms(), memory_order_relaxed);
    return EDS_OK;
}

static void push_range(struct eds_buffer_keeper *keeper, size_t first, size_t count)
{
    struct eds_error err;
    int32_t rc;

    count = leave_out(keeper, first, count);
    if (count == 0)
        return;
    rc = push(keeper, first, count, &err);
    if (count > 1 && (rc == EDS_ERR_BUSY || rc == EDS_ERR_TOO_LARGE)) {
        push_range(keeper, first, count / 2);
        push_range(keeper, first + count / 2, count - count / 2);
        return;
    }
    if (rc != EDS_OK && rc != EDS_ERR_BUSY && rc != EDS_ERR_TOO_LARGE)
        log_failure(keeper, &err);
    for (size_t i = first; i < first + count; i++)
        if (rc == EDS_OK)
            accept(keeper, keeper->submissions[i]);
        else
            fail_one(keeper, keeper->submissions[i], &err);
}

/* Tells of each source what was refused without a line of its own. */
static void tell_sums(struct eds_buffer_keeper *keeper, bool at_once)
{
    size_t count = eds_books_sums(keeper->keeper.books, keeper->floods, at_once);

    for (size_t i = 0; i < count; i++)
        EDS_LOG(EDS_LOG_WARN, "rejections_unlisted",
                EDS_LOG_STRING("source", keeper->floods[i].source),
                EDS_LOG_NUMBER("rejections", keeper->floods[i].unlisted),
                EDS_LOG_NUMBER("over_rate", keeper->floods[i].limited));
}

static void count_devices(struct eds_buffer_keeper *keeper)
{
    struct eds_buffer_counts counts;

    eds_buffer_counts(keeper->buffer, &counts);
    atomic_store(&keeper->device_count, counts.device_count);
}

static void keep(struct eds_keeper *base, struct eds_submission **submissions, size_t count,
                 bool at_once)
{
    struct eds_buffer_keeper *keeper = (struct eds_buffer_keeper *)base;
    _Atomic uint64_t *oldest_ns = &base->books->meters.oldest_ns;
    size_t item_count = 0;

    assert(count <= keeper->batch_max);
    base->count = count;
    base->commit_ns = 0;
    keeper->new_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct eds_request *request = &submissions[i]->request;

        if (!is_to_be_pushed(keeper, submissions[i]))
            continue;
        keeper->submissions[item_count] = submissions[i];
        keeper->items[item_count++] =
            (struct eds_buffer_item){.entry = *request->entry,
                                     .payload = request->payload,
                                     .payload_size = request->payload_size,
                                     .priority = EDS_PRIORITY_NORMAL};
    }
    if (item_count > 0) {
        atomic_store_explicit(oldest_ns, keeper->submissions[0]->begun_ns, memory_order_relaxed);
        push_range(keeper, 0, item_count);
        atomic_store_explicit(oldest_ns, 0, memory_order_relaxed);
    }
    if (keeper->new_count > 0)
        count_devices(keeper);
    tell_sums(keeper, at_once);
}

int32_t eds_buffer_keeper_create(struct eds_buffer_keeper **out,
                                 const struct eds_buffer_keeper_config *config,
                                 struct eds_error *err)
{
    struct eds_buffer_keeper *keeper = calloc(1, sizeof *keeper);

    if (keeper != NULL) {
        keeper->keeper.keep = keep;
        keeper->buffer = config->buffer;
        keeper->device_max = config->device_max > 0 ? config->device_max : DEVICE_MAX;
        keeper->batch_max = config->batch_max > 0 ? config->batch_max : BATCH_MAX;
        keeper->debts.duration_ns =
            (uint64_t)(config->owed_ms > 0 ? config->owed_ms : OWED_MS) * NS_PER_MS;
        keeper->items = calloc(keeper->batch_max, sizeof *keeper->items);
        keeper->submissions = calloc(keeper->batch_max, sizeof(struct eds_submission *));
    }
    if (keeper == NULL || keeper->items == NULL || keeper->submissions == NULL) {
        eds_buffer_keeper_free(keeper);
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the gateway");
    }
    count_devices(keeper);
    *out = keeper;
    return EDS_OK;
}

struct eds_keeper *eds_buffer_keeper_of(struct eds_buffer_keeper *keeper)
{
    return &keeper->keeper;
}

void eds_buffer_keeper_counts(const struct eds_buffer_keeper *keeper,
                              struct eds_buffer_keeper_counts *out)
{
    out->kept = atomic_load_explicit(&keeper->kept, memory_order_relaxed);
    out->repeated = atomic_load_explicit(&keeper->repeated, memory_order_relaxed);
    out->full = atomic_load_explicit(&keeper->full, memory_order_relaxed);
    out->behind = atomic_load_explicit(&keeper->behind, memory_order_relaxed);
    out->too_many = atomic_load_explicit(&keeper->too_many, memory_order_relaxed);
    out->device_count = atomic_load(&keeper->device_count);
}

void eds_buffer_keeper_free(struct eds_buffer_keeper *keeper)
{
    if (keeper == NULL)
        return;
    eds_debts_free(&keeper->debts);
    free(keeper->items);
    free(keeper->submissions);
    free(keeper);
}

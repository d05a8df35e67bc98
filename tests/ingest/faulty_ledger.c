/* faulty_ledger.c - see faulty_ledger.h.  Only what ingest calls is passed on;
 * tests read the inner ledger. */
#include "ingest/faulty_ledger.h"

#include <string.h>
#include <unistd.h>

static struct faulty_ledger *faulty_of(struct eds_ledger *ledger)
{
    return (struct faulty_ledger *)ledger;
}

/* Counts a call and says whether it is to fail, and whether it is made. */
static int32_t fault_now(struct faulty_ledger *ledger, enum faulty_call call, bool *made,
                         struct eds_error *err)
{
    struct faulty_fault *fault = &ledger->faults[call];
    int32_t rc = EDS_OK;

    *made = true;
    pthread_mutex_lock(&ledger->lock);
    fault->calls++;
    if (fault->fail_at != 0 && fault->calls >= fault->fail_at && fault->calls <= fault->fail_to) {
        rc = fault->code;
        *made = fault->after_the_fact;
    }
    if (call == FAULTY_COMMIT && ledger->fail_each != 0 && fault->calls % ledger->fail_each == 0) {
        rc = EDS_ERR_IO;
        *made = false;
    }
    pthread_mutex_unlock(&ledger->lock);
    return rc == EDS_OK ? rc : eds_error_set(err, rc, "disk full");
}

static void wait_released(struct faulty_ledger *ledger)
{
    unsigned delay_us;

    pthread_mutex_lock(&ledger->lock);
    delay_us = ledger->slow_us;
    while (ledger->hold) {
        ledger->held = true;
        pthread_cond_broadcast(&ledger->moved);
        pthread_cond_wait(&ledger->moved, &ledger->lock);
    }
    ledger->held = false;
    pthread_mutex_unlock(&ledger->lock);
    if (delay_us > 0)
        usleep(delay_us);
}

static bool is_poisoned(struct faulty_ledger *ledger, const struct eds_commit *all)
{
    bool poisoned = false;

    pthread_mutex_lock(&ledger->lock);
    for (size_t i = 0; ledger->poison != NULL && i < all->append_count; i++)
        if (strcmp((const char *)all->appends[i].entry->record.object_ref, ledger->poison) == 0)
            poisoned = true;
    pthread_mutex_unlock(&ledger->lock);
    return poisoned;
}

static int32_t commit(struct eds_ledger *base, const struct eds_commit *all, struct eds_error *err)
{
    struct faulty_ledger *ledger = faulty_of(base);
    bool made;
    int32_t rc, inner_rc = EDS_OK;

    wait_released(ledger);
    if (is_poisoned(ledger, all))
        return eds_error_set(err, EDS_ERR_HEAD_MOVED, "poison");
    rc = fault_now(ledger, FAULTY_COMMIT, &made, err);
    if (made)
        inner_rc = ledger->inner->ops->commit(ledger->inner, all, err);
    pthread_mutex_lock(&ledger->lock);
    if (all->append_count > ledger->batch_max)
        ledger->batch_max = all->append_count;
    pthread_mutex_unlock(&ledger->lock);
    return rc != EDS_OK ? rc : inner_rc;
}

static int32_t head(struct eds_ledger *base, const char *device_id, struct eds_head *out,
                    struct eds_error *err)
{
    struct faulty_ledger *ledger = faulty_of(base);
    bool made;
    int32_t rc = fault_now(ledger, FAULTY_HEAD, &made, err);

    return rc != EDS_OK ? rc : ledger->inner->ops->head(ledger->inner, device_id, out, err);
}

static int32_t record_hash(struct eds_ledger *base, const char *device_id, uint64_t sequence,
                           uint8_t out[EDS_HASH_SIZE], struct eds_error *err)
{
    struct faulty_ledger *ledger = faulty_of(base);
    bool made;
    int32_t rc = fault_now(ledger, FAULTY_RECORD_HASH, &made, err);

    return rc != EDS_OK
               ? rc
               : ledger->inner->ops->record_hash(ledger->inner, device_id, sequence, out, err);
}

static int32_t object(struct eds_ledger *base, const char *object_ref, uint8_t out[EDS_HASH_SIZE],
                      struct eds_error *err)
{
    struct faulty_ledger *ledger = faulty_of(base);
    bool made;
    int32_t rc = fault_now(ledger, FAULTY_OBJECT, &made, err);

    return rc != EDS_OK ? rc : ledger->inner->ops->object(ledger->inner, object_ref, out, err);
}

static const struct eds_ledger_ops faulty_ops = {
    .name = "faulty",
    .commit = commit,
    .head = head,
    .record_hash = record_hash,
    .object = object,
};

void faulty_make(struct faulty_ledger *ledger, struct eds_ledger *inner)
{
    *ledger = (struct faulty_ledger){
        .base = {.ops = &faulty_ops},
        .inner = inner,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .moved = PTHREAD_COND_INITIALIZER,
    };
}

void faulty_free(struct faulty_ledger *ledger)
{
    pthread_mutex_destroy(&ledger->lock);
    pthread_cond_destroy(&ledger->moved);
}

void faulty_fail(struct faulty_ledger *ledger, enum faulty_call call, uint64_t n, uint64_t count,
                 int32_t code)
{
    struct faulty_fault *fault = &ledger->faults[call];

    pthread_mutex_lock(&ledger->lock);
    fault->fail_at = fault->calls + n;
    fault->fail_to = count == UINT64_MAX ? count : fault->fail_at + count - 1;
    fault->code = code;
    fault->after_the_fact = false;
    pthread_mutex_unlock(&ledger->lock);
}

void faulty_fail_each(struct faulty_ledger *ledger, uint64_t n)
{
    pthread_mutex_lock(&ledger->lock);
    ledger->fail_each = n;
    pthread_mutex_unlock(&ledger->lock);
}

void faulty_slow(struct faulty_ledger *ledger, unsigned microseconds)
{
    pthread_mutex_lock(&ledger->lock);
    ledger->slow_us = microseconds;
    pthread_mutex_unlock(&ledger->lock);
}

void faulty_fail_after_the_fact(struct faulty_ledger *ledger)
{
    faulty_fail(ledger, FAULTY_COMMIT, 1, 1, EDS_ERR_IO);
    pthread_mutex_lock(&ledger->lock);
    ledger->faults[FAULTY_COMMIT].after_the_fact = true;
    pthread_mutex_unlock(&ledger->lock);
}

void faulty_heal(struct faulty_ledger *ledger)
{
    pthread_mutex_lock(&ledger->lock);
    for (unsigned i = 0; i < FAULTY_CALLS; i++)
        ledger->faults[i].fail_at = 0;
    pthread_mutex_unlock(&ledger->lock);
}

void faulty_poison(struct faulty_ledger *ledger, const char *object_ref)
{
    pthread_mutex_lock(&ledger->lock);
    ledger->poison = object_ref;
    pthread_mutex_unlock(&ledger->lock);
}

uint64_t faulty_calls(struct faulty_ledger *ledger, enum faulty_call call)
{
    uint64_t calls;

    pthread_mutex_lock(&ledger->lock);
    calls = ledger->faults[call].calls;
    pthread_mutex_unlock(&ledger->lock);
    return calls;
}

uint64_t faulty_batch_max(struct faulty_ledger *ledger)
{
    uint64_t batch_max;

    pthread_mutex_lock(&ledger->lock);
    batch_max = ledger->batch_max;
    pthread_mutex_unlock(&ledger->lock);
    return batch_max;
}

void faulty_hold(struct faulty_ledger *ledger)
{
    pthread_mutex_lock(&ledger->lock);
    ledger->hold = true;
    pthread_mutex_unlock(&ledger->lock);
}

void faulty_await(struct faulty_ledger *ledger)
{
    pthread_mutex_lock(&ledger->lock);
    while (!ledger->held)
        pthread_cond_wait(&ledger->moved, &ledger->lock);
    pthread_mutex_unlock(&ledger->lock);
}

void faulty_release(struct faulty_ledger *ledger)
{
    pthread_mutex_lock(&ledger->lock);
    ledger->hold = false;
    pthread_cond_broadcast(&ledger->moved);
    pthread_mutex_unlock(&ledger->lock);
}

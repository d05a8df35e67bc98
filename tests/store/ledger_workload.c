/* ledger_workload.c - see ledger_workload.h. */
#include "store/ledger_workload.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "store/ledger_dump.h"

static uint8_t big_payload[50000];

void workload_begin(struct workload *workload)
{
    memset(workload, 0, sizeof *workload);
    workload->chains[0] = chain_of("lift-01");
    workload->chains[1] = chain_of("crane-7");
    workload->chains[2] = chain_of("a door");
    workload->batch = batch_new(1795305600123u);
    batch_fill(big_payload, sizeof big_payload, 1);
}

void workload_end(struct workload *workload)
{
    batch_free(workload->batch);
}

/* Fills the batch with a step that follows the chains, and moves them. */
static void build(struct batch *batch, unsigned step, struct chain chains[WORKLOAD_DEVICES])
{
    batch_clear(batch);
    batch->commit.now_ms = 1795305600000u + step;
    batch_operation(batch, EDS_DECISION_REJECTED, "ghost", step, "unknown device: ghost");
    if (step == 4)
        return; /* nothing but a line */
    batch_append(batch, &chains[0]);
    for (unsigned i = 0; i < step * 3; i++)
        batch_append(batch, &chains[i % WORKLOAD_DEVICES]);
    batch_attest(batch->entries);
    if (step == 1 || step == 3) { /* more than a page */
        batch_last_append(batch)->payload = big_payload;
        batch_last_append(batch)->payload_size = sizeof big_payload;
    }
    if (step == 2) /* kept elsewhere */
        batch_last_append(batch)->payload = NULL;
    if (step % 2 == 1)
        batch_conflict(batch, "lift-01", 1, step);
    batch_operation(batch, EDS_DECISION_ACCEPTED, "lift-01", step, "accepted");
}

static void acknowledge(struct workload *workload, unsigned step,
                        const struct chain chains[WORKLOAD_DEVICES])
{
    memcpy(workload->chains, chains, sizeof workload->chains);
    workload->done[workload->done_count++] = step;
    workload->open_count = 0;
}

static bool is_done(const struct workload *workload, unsigned step)
{
    for (unsigned i = 0; i < workload->done_count; i++)
        if (workload->done[i] == step)
            return true;
    return false;
}

/* Tries a step once.  True if it is acknowledged now. */
static bool try_step(struct workload *workload, struct eds_ledger *ledger, unsigned step)
{
    struct chain chains[WORKLOAD_DEVICES];
    struct eds_error err = {.text = ""};
    int32_t rc;

    memcpy(chains, workload->chains, sizeof chains);
    build(workload->batch, step, chains);
    rc = ledger->ops->commit(ledger, &workload->batch->commit, &err);
    if (rc == EDS_OK) {
        acknowledge(workload, step, chains);
        return true;
    }
    workload->failed_count++;
    assert_true(err.text[0] != '\0');
    if (rc == EDS_ERR_HEAD_MOVED) { /* only by a step that was taken for failed */
        assert_true(workload->open_count > 0);
        return false;
    }
    if (rc != EDS_ERR_IO && rc != EDS_ERR_NO_MEMORY && rc != EDS_ERR_BUSY)
        fail_msg("step %u: %s %s", step, eds_error_name(rc), err.text);
    if (workload->open_count == 0 || workload->open[workload->open_count - 1] != step)
        workload->open[workload->open_count++] = step;
    return false;
}

void workload_run(struct workload *workload, struct eds_ledger *ledger)
{
    for (unsigned step = 0; step < WORKLOAD_STEPS; step++)
        if (!is_done(workload, step) && !try_step(workload, ledger, step))
            (void)try_step(workload, ledger, step);
}

/* What a good ledger holds after the acknowledged steps and perhaps one more
 * (WORKLOAD_STEPS: none). */
static char *expected_dump(const struct workload *workload, unsigned more)
{
    struct chain chains[WORKLOAD_DEVICES];
    struct workload fresh;
    struct eds_ledger *memory;
    struct eds_error err;
    char *text;

    workload_begin(&fresh);
    memcpy(chains, fresh.chains, sizeof chains);
    assert_int_equal(eds_ledger_open(&memory, "memory:", &err), EDS_OK);
    for (unsigned i = 0; i < workload->done_count + (more < WORKLOAD_STEPS ? 1u : 0u); i++) {
        build(fresh.batch, i < workload->done_count ? workload->done[i] : more, chains);
        if (memory->ops->commit(memory, &fresh.batch->commit, &err) != EDS_OK)
            fail_msg("the twin: %s", err.text);
    }
    text = ledger_dump(memory, &err);
    assert_non_null(text);
    memory->ops->close(memory);
    workload_end(&fresh);
    return text;
}

void workload_check(struct workload *workload, struct eds_ledger *ledger)
{
    struct eds_error err = {.text = ""};
    char *actual = ledger_dump(ledger, &err), *expected;

    if (actual == NULL)
        fail_msg("%s", err.text);
    for (unsigned i = 0; i < workload->open_count; i++) {
        unsigned step = workload->open[i];
        bool is_there;

        expected = expected_dump(workload, step);
        is_there = strcmp(actual, expected) == 0;
        free(expected);
        if (is_there) {
            build(workload->batch, step, workload->chains);
            workload->done[workload->done_count++] = step;
            break;
        }
    }
    workload->open_count = 0; /* known now */
    expected = expected_dump(workload, WORKLOAD_STEPS);
    assert_string_equal(actual, expected);
    free(expected);
    free(actual);
}

/* What fails is looked at by one thread: where it is ThreadSanitizer's turn, which makes
 * it ten times as slow, a look here and there is enough. */
#ifdef __SANITIZE_THREAD__
#define SPREAD 4
#else
#define SPREAD 32
#endif

uint64_t workload_next(uint64_t n)
{
    return getenv("EDS_TEST_THOROUGH") != NULL ? n + 1 : n + 1 + n / SPREAD;
}

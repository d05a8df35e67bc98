/* ledger_bench.c - see ledger_bench.h. */
#include "store/ledger_bench.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/ledger_dump.h"

void bench_commit(struct bench *bench)
{
    int32_t rc = bench->ops->commit(bench->ledger, &bench->batch->commit, &bench->err);

    if (rc != EDS_OK)
        fail_msg("commit: %s", bench->err.text);
    batch_clear(bench->batch);
}

static char *dump(struct bench *bench)
{
    char *text = ledger_dump(bench->ledger, &bench->err);

    if (text == NULL)
        fail_msg("dump: %s", bench->err.text);
    return text;
}

void bench_refuse(struct bench *bench, const char *why, int32_t expected)
{
    char *before = dump(bench), *after;
    int32_t rc;

    memset(&bench->err, 0, sizeof bench->err);
    rc = bench->ops->commit(bench->ledger, &bench->batch->commit, &bench->err);
    if (rc != expected)
        fail_msg("%s: %s (%s) instead of %s", why, eds_error_name(rc), bench->err.text,
                 eds_error_name(expected));
    assert_int_equal(bench->err.code, expected);
    assert_true(bench->err.text[0] != '\0');
    after = dump(bench);
    assert_string_equal(before, after);
    free(before);
    free(after);
    batch_clear(bench->batch);
}

struct eds_head bench_head(struct bench *bench, const char *device_id)
{
    struct eds_head head;

    memset(&head, 0xee, sizeof head);
    assert_int_equal(bench->ops->head(bench->ledger, device_id, &head, &bench->err), EDS_OK);
    return head;
}

struct eds_ledger_counts bench_counts(struct bench *bench)
{
    struct eds_ledger_counts counts;

    assert_int_equal(bench->ops->counts(bench->ledger, &counts, &bench->err), EDS_OK);
    return counts;
}

static int32_t next_seen(struct seen *seen)
{
    seen->count++;
    return seen->count == seen->stop_at ? seen->stop_with : EDS_OK;
}

int32_t see_stored(void *context, const struct eds_stored *stored)
{
    struct seen *seen = context;

    if (seen->count < 8) {
        seen->entries[seen->count] = *stored->entry;
        seen->stored[seen->count] = *stored;
    }
    if (seen->count < 16) {
        memcpy(seen->ids[seen->count], stored->entry->record.device_id, EDS_DEVICE_ID_SIZE);
        seen->sequences[seen->count] = stored->entry->record.sequence;
    }
    return next_seen(seen);
}

int32_t see_head(void *context, const char *device_id, const struct eds_head *head)
{
    struct seen *seen = context;

    if (seen->count < 8)
        seen->heads[seen->count] = *head;
    if (seen->count < 16)
        snprintf(seen->ids[seen->count], EDS_DEVICE_ID_SIZE, "%s", device_id);
    return next_seen(seen);
}

int32_t see_operation(void *context, const struct eds_operation *operation, uint64_t created_ms)
{
    struct seen *seen = context;

    if (seen->count < 16) {
        snprintf(seen->ids[seen->count], EDS_DEVICE_ID_SIZE, "%s", operation->message);
        seen->sequences[seen->count] = operation->sequence;
        seen->times[seen->count] = created_ms;
        seen->decisions[seen->count] = operation->decision;
    }
    return next_seen(seen);
}

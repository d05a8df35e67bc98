/* ledger_conformance_content.c - the conformance suite: odd ids, extreme numbers, payloads and
 * references. */
#include "store/ledger_bench.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void test_extreme_numbers(void **state)
{
    struct bench *bench = *state;
    static const uint64_t times[] = {0, 1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX};
    struct chain chain = chain_of("lift-01");
    struct seen seen = {.count = 0}, log = {.count = 0};

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        bench->batch->commit.now_ms = times[i];
        batch_append(bench->batch, &chain)->record.timestamp_ms = times[i];
        batch_operation(bench->batch, EDS_DECISION_REJECTED, "lift-01", times[i], "x");
        bench_commit(bench);
    }
    assert_int_equal(bench->ops->scan(bench->ledger, NULL, see_stored, &seen, NULL), EDS_OK);
    assert_int_equal(bench->ops->operations(bench->ledger, see_operation, &log, NULL), EDS_OK);
    assert_int_equal(seen.count, sizeof times / sizeof times[0]);
    assert_int_equal(log.count, seen.count);
    for (size_t i = 0; i < seen.count; i++) {
        assert_true(seen.entries[i].record.timestamp_ms == times[i]);
        assert_true(seen.stored[i].ingested_ms == times[i]);
        assert_true(log.sequences[i] == times[i]);
        assert_true(log.times[i] == times[i]);
    }
}

/* In byte order; every id is another one to a store. */
static const char *const odd_ids[] = {
    "",
    "\x01\x1f\x7f",
    " ",
    "%s%n",
    "' OR 1=1 --",
    "A",
    "a",
    "a ",
    "lift-1",
    "lift-10",
    "lift-2",
    "\xc3\xa9",                     /* e acute, composed */
    "\xe2\x80\xa8",                 /* line separator */
    "\xef\xbf\xbd",                 /* replacement character */
    "\xf0\x9f\x8f\x97\xef\xb8\x8f", /* a crane */
    "\xf4\x8f\xbf\xbf",             /* the last code point */
};
#define ODD_COUNT (sizeof odd_ids / sizeof odd_ids[0])

void test_odd_ids_in_byte_order(void **state)
{
    struct bench *bench = *state;
    struct seen seen = {.count = 0}, one;
    struct chain chains[ODD_COUNT];

    for (size_t i = 0; i < ODD_COUNT; i++) /* stored in some other order */
        chains[i] = chain_of(odd_ids[i]);
    for (size_t i = 0; i < ODD_COUNT; i++)
        batch_append(bench->batch, &chains[i * 7 % ODD_COUNT]);
    bench_commit(bench);
    assert_int_equal(bench->ops->heads(bench->ledger, see_head, &seen, NULL), EDS_OK);
    assert_int_equal(seen.count, ODD_COUNT);
    for (size_t i = 0; i < ODD_COUNT; i++)
        assert_string_equal(seen.ids[i], odd_ids[i]);
    memset(&seen, 0, sizeof seen);
    assert_int_equal(bench->ops->scan(bench->ledger, NULL, see_stored, &seen, NULL), EDS_OK);
    assert_int_equal(seen.count, ODD_COUNT);
    for (size_t i = 0; i < ODD_COUNT; i++) {
        assert_string_equal(seen.ids[i], odd_ids[i]);
        memset(&one, 0, sizeof one);
        assert_int_equal(bench->ops->scan(bench->ledger, odd_ids[i], see_stored, &one, NULL),
                         EDS_OK);
        assert_int_equal(one.count, 1);
        assert_string_equal(one.ids[0], odd_ids[i]);
        assert_memory_equal(bench_head(bench, odd_ids[i]).record_hash, chains[i].record_hash,
                            EDS_HASH_SIZE);
    }
}

void test_longest_strings(void **state)
{
    struct bench *bench = *state;
    char id[EDS_DEVICE_ID_SIZE + 8], ref[EDS_OBJECT_REF_SIZE], *message = malloc(100001);
    struct chain chain;
    struct seen seen = {.count = 0};
    struct eds_entry *entry;
    uint8_t hash[EDS_HASH_SIZE];

    memset(id, 'd', sizeof id);
    id[EDS_DEVICE_ID_SIZE - 1] = '\0';
    memset(ref, 'r', sizeof ref);
    ref[sizeof ref - 1] = '\0';
    assert_non_null(message);
    memset(message, 'm', 100000);
    message[100000] = '\0';
    chain = chain_of(id);
    entry = batch_append(bench->batch, &chain);
    memcpy(entry->record.object_ref, ref, sizeof ref);
    batch_operation(bench->batch, EDS_DECISION_REJECTED, message, 7, message);
    batch_operation(bench->batch, EDS_DECISION_REJECTED, "", 7, "");
    bench_commit(bench);
    assert_int_equal(bench->ops->object(bench->ledger, ref, hash, NULL), EDS_OK);
    ref[sizeof ref - 2] = '\0';
    assert_int_equal(bench->ops->object(bench->ledger, ref, hash, NULL), EDS_ERR_NOT_FOUND);
    assert_int_equal(bench_head(bench, id).sequence, 1);
    memset(id, 'd', sizeof id);
    id[sizeof id - 1] = '\0'; /* longer than any record's */
    assert_int_equal(bench_head(bench, id).sequence, 0);
    assert_int_equal(bench->ops->scan(bench->ledger, id, see_stored, &seen, NULL), EDS_OK);
    assert_int_equal(seen.count, 0);
    assert_int_equal(bench->ops->operations(bench->ledger, see_operation, &seen, NULL), EDS_OK);
    assert_int_equal(seen.count, 2);
    assert_int_equal(strlen(seen.ids[0]), EDS_DEVICE_ID_SIZE - 1); /* as far as it is kept */
    assert_string_equal(seen.ids[1], "");
    free(message);
}

void test_payload_sizes(void **state)
{
    struct bench *bench = *state;
    static const size_t sizes[] = {0, 1, 255, 4096, 65537, 1048576};
    struct chain chain = chain_of("lift-01");
    uint8_t *bytes = malloc(1048576);

    assert_non_null(bytes);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct eds_entry *entry = batch_append(bench->batch, &chain);
        char ref[EDS_OBJECT_REF_SIZE];
        void *payload = NULL;
        size_t size = 99;

        batch_fill(bytes, sizes[i], i);
        batch_last_append(bench->batch)->payload = bytes;
        batch_last_append(bench->batch)->payload_size = sizes[i];
        memcpy(ref, entry->record.object_ref, sizeof ref);
        bench_commit(bench);
        assert_int_equal(bench->ops->payload(bench->ledger, ref, &payload, &size, NULL), EDS_OK);
        assert_non_null(payload);
        assert_int_equal(size, sizes[i]);
        assert_memory_equal(payload, bytes, size);
        free(payload);
    }
    free(bytes);
}

/* Adds the chain's next record with a reference, a payload hash made of one
 * byte, and a payload that may be NULL. */
static void append_object(struct bench *bench, struct chain *chain, const char *ref, uint8_t hash,
                          const char *payload)
{
    struct eds_entry *entry = batch_append(bench->batch, chain);
    struct eds_append *append = batch_last_append(bench->batch);

    snprintf((char *)entry->record.object_ref, sizeof entry->record.object_ref, "%s", ref);
    memset(entry->record.payload_hash, hash, EDS_HASH_SIZE);
    append->payload = payload;
    append->payload_size = payload == NULL ? 0 : strlen(payload);
}

static void assert_payload(struct bench *bench, const char *ref, const char *expected)
{
    void *payload = NULL;
    size_t size = 0;
    int32_t rc = bench->ops->payload(bench->ledger, ref, &payload, &size, &bench->err);

    if (expected == NULL) {
        assert_int_equal(rc, EDS_ERR_NOT_FOUND);
        return;
    }
    assert_int_equal(rc, EDS_OK);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(payload, expected, size);
    free(payload);
}

void test_shared_references(void **state)
{
    struct bench *bench = *state;
    struct chain lift = chain_of("lift-01"), crane = chain_of("crane-7");
    uint8_t hash[EDS_HASH_SIZE];

    append_object(bench, &lift, "elsewhere", 1, NULL);
    append_object(bench, &lift, "here", 2, "two");
    append_object(bench, &lift, "", 3, "nameless");
    bench_commit(bench);
    assert_payload(bench, "elsewhere", NULL);
    assert_int_equal(bench->ops->object(bench->ledger, "elsewhere", hash, NULL), EDS_OK);
    assert_int_equal(hash[0], 1);
    assert_payload(bench, "here", "two");
    assert_payload(bench, "", "nameless");

    append_object(bench, &crane, "elsewhere", 1, NULL);
    append_object(bench, &crane, "elsewhere", 1, "one");
    append_object(bench, &crane, "here", 2, NULL);
    append_object(bench, &crane, "here", 2, "2");
    append_object(bench, &crane, "HERE", 4, "another");
    append_object(bench, &crane, "HERE", 4, "another");
    bench_commit(bench);
    assert_payload(bench, "elsewhere", "one"); /* it came later */
    assert_payload(bench, "here", "two");      /* the one that was there first */
    assert_payload(bench, "HERE", "another");
    assert_int_equal(bench_counts(bench).objects, 4);
    assert_int_equal(bench_counts(bench).records, 9);
}

void test_taken_references(void **state)
{
    struct bench *bench = *state;
    struct chain lift = chain_of("lift-01"), crane = chain_of("crane-7"), copy;

    append_object(bench, &lift, "elsewhere", 1, NULL);
    append_object(bench, &lift, "here", 2, "two");
    bench_commit(bench);
    copy = crane;
    append_object(bench, &copy, "elsewhere", 9, "nine");
    bench_refuse(bench, "taken by what is kept elsewhere", EDS_ERR_HEAD_MOVED);
    copy = crane;
    append_object(bench, &copy, "here", 9, NULL);
    bench_refuse(bench, "taken by what is kept here", EDS_ERR_HEAD_MOVED);
    copy = crane;
    append_object(bench, &copy, "new", 5, "five");
    append_object(bench, &copy, "elsewhere", 1, "one");
    append_object(bench, &copy, "new", 6, "six");
    batch_conflict(bench->batch, "lift-01", 1, 1);
    batch_operation(bench->batch, EDS_DECISION_ACCEPTED, "crane-7", 1, "accepted");
    bench_refuse(bench, "taken in the same commit", EDS_ERR_HEAD_MOVED);
    assert_payload(bench, "elsewhere", NULL);
    copy = crane;
    append_object(bench, &copy, "new", 6, "six"); /* free again */
    append_object(bench, &copy, "elsewhere", 1, "one");
    bench_commit(bench);
    assert_payload(bench, "new", "six");
    assert_payload(bench, "elsewhere", "one");
}

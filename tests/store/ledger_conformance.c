/* ledger_conformance.c - see ledger_conformance.h.
 *
 * "Nothing was written" is seen by dumping all that a ledger holds before and
 * after.  Written from store/ledger.h alone: no test knows how a store works. */
#include "store/ledger_conformance.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/ledger_batch.h"
#include "store/ledger_dump.h"

#define NOW_MS 1795305600123u /* 2026-11-22 */

/* What each test starts with. */
struct bench {
    struct eds_ledger *ledger;
    const struct eds_ledger_ops *ops;
    struct batch *batch;
    struct eds_error err;
};

static struct eds_ledger *(*open_empty)(void);
static void (*clean_up)(void);

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);

    assert_non_null(bench);
    bench->ledger = open_empty();
    assert_non_null(bench->ledger);
    bench->ops = bench->ledger->ops;
    bench->batch = batch_new(NOW_MS);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    bench->ops->close(bench->ledger);
    batch_free(bench->batch);
    free(bench);
    clean_up();
    return 0;
}

/* Commits the batch, which must work, and empties it. */
static void commit(struct bench *bench)
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

/* Commits the batch, which must be refused so, and leave no trace. */
static void refuse(struct bench *bench, const char *why, int32_t expected)
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

static struct eds_head head_of(struct bench *bench, const char *device_id)
{
    struct eds_head head;

    memset(&head, 0xee, sizeof head);
    assert_int_equal(bench->ops->head(bench->ledger, device_id, &head, &bench->err), EDS_OK);
    return head;
}

static struct eds_ledger_counts counts_of(struct bench *bench)
{
    struct eds_ledger_counts counts;

    assert_int_equal(bench->ops->counts(bench->ledger, &counts, &bench->err), EDS_OK);
    return counts;
}

/* A visitor that keeps what it is shown, up to a limit. */
struct seen {
    size_t count, stop_at;
    int32_t stop_with;
    struct eds_entry entries[8];
    struct eds_stored stored[8]; /* entry: not to be used */
    char ids[16][EDS_DEVICE_ID_SIZE];
    struct eds_head heads[8];
    uint64_t sequences[16], times[16];
    enum eds_decision decisions[16];
};

static int32_t next_seen(struct seen *seen)
{
    seen->count++;
    return seen->count == seen->stop_at ? seen->stop_with : EDS_OK;
}

static int32_t see_stored(void *context, const struct eds_stored *stored)
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

static int32_t see_head(void *context, const char *device_id, const struct eds_head *head)
{
    struct seen *seen = context;

    if (seen->count < 8)
        seen->heads[seen->count] = *head;
    if (seen->count < 16)
        snprintf(seen->ids[seen->count], EDS_DEVICE_ID_SIZE, "%s", device_id);
    return next_seen(seen);
}

static int32_t see_operation(void *context, const struct eds_operation *operation,
                             uint64_t created_ms)
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

static void test_empty(void **state)
{
    struct bench *bench = *state;
    static const uint8_t zero[EDS_HASH_SIZE];
    struct eds_head head = head_of(bench, "lift-01");
    struct eds_ledger_counts counts = counts_of(bench), none = {0};
    struct seen seen = {.count = 0};
    uint8_t hash[EDS_HASH_SIZE];
    void *payload = NULL;
    size_t size;

    assert_true(bench->ops->name[0] != '\0');
    assert_int_equal(head.sequence, 0);
    assert_memory_equal(head.record_hash, zero, sizeof zero);
    assert_false(head.attested);
    assert_int_equal(head.conflict_count, 0);
    assert_memory_equal(&counts, &none, sizeof none);
    assert_int_equal(bench->ops->record_hash(bench->ledger, "lift-01", 1, hash, &bench->err),
                     EDS_ERR_NOT_FOUND);
    assert_int_equal(bench->ops->object(bench->ledger, "x", hash, NULL), EDS_ERR_NOT_FOUND);
    assert_int_equal(bench->ops->payload(bench->ledger, "x", &payload, &size, &bench->err),
                     EDS_ERR_NOT_FOUND);
    assert_int_equal(bench->ops->scan(bench->ledger, NULL, see_stored, &seen, NULL), EDS_OK);
    assert_int_equal(bench->ops->scan(bench->ledger, "lift-01", see_stored, &seen, NULL), EDS_OK);
    assert_int_equal(bench->ops->heads(bench->ledger, see_head, &seen, NULL), EDS_OK);
    assert_int_equal(bench->ops->operations(bench->ledger, see_operation, &seen, NULL), EDS_OK);
    assert_int_equal(bench->ops->conflicts(bench->ledger, see_stored, &seen, NULL), EDS_OK);
    assert_int_equal(seen.count, 0);
    commit(bench); /* of nothing */
    counts = counts_of(bench);
    assert_memory_equal(&counts, &none, sizeof none);
}

static void test_record_comes_back(void **state)
{
    struct bench *bench = *state;
    struct chain chain = chain_of("lift-01");
    struct seen seen = {.count = 0};
    struct eds_entry sent[2];
    uint8_t hashes[2][EDS_HASH_SIZE], hash[EDS_HASH_SIZE];

    for (unsigned i = 0; i < 2; i++) {
        struct eds_entry *entry = batch_append(bench->batch, &chain);

        if (i == 1)
            batch_attest(entry);
        sent[i] = *entry;
        memcpy(hashes[i], chain.record_hash, EDS_HASH_SIZE);
    }
    commit(bench);
    assert_int_equal(bench->ops->scan(bench->ledger, "lift-01", see_stored, &seen, NULL), EDS_OK);
    assert_int_equal(seen.count, 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_memory_equal(&seen.entries[i].record, &sent[i].record, sizeof sent[i].record);
        assert_int_equal(seen.entries[i].attestation.present, i == 1);
        assert_memory_equal(seen.stored[i].record_hash, hashes[i], EDS_HASH_SIZE);
        assert_int_equal(seen.stored[i].ingested_ms, NOW_MS);
        assert_int_equal(bench->ops->record_hash(bench->ledger, "lift-01", i + 1, hash, NULL),
                         EDS_OK);
        assert_memory_equal(hash, hashes[i], EDS_HASH_SIZE);
        assert_int_equal(
            bench->ops->object(bench->ledger, (char *)sent[i].record.object_ref, hash, NULL),
            EDS_OK);
        assert_memory_equal(hash, sent[i].record.payload_hash, EDS_HASH_SIZE);
    }
    assert_memory_equal(seen.entries[1].attestation.key_id, sent[1].attestation.key_id,
                        EDS_KEY_ID_SIZE);
    assert_memory_equal(seen.entries[1].attestation.signature, sent[1].attestation.signature,
                        EDS_SIGNATURE_SIZE);
    assert_int_equal(bench->ops->record_hash(bench->ledger, "lift-01", 3, hash, NULL),
                     EDS_ERR_NOT_FOUND);
    assert_int_equal(bench->ops->record_hash(bench->ledger, "lift-01", 0, hash, NULL),
                     EDS_ERR_NOT_FOUND);
    assert_int_equal(bench->ops->record_hash(bench->ledger, "lift-0", 1, hash, NULL),
                     EDS_ERR_NOT_FOUND);
}

static void test_head_follows(void **state)
{
    struct bench *bench = *state;
    struct chain lift = chain_of("lift-01"), crane = chain_of("crane-7");
    struct eds_head head;

    batch_append(bench->batch, &lift);
    commit(bench);
    head = head_of(bench, "lift-01");
    assert_int_equal(head.sequence, 1);
    assert_memory_equal(head.record_hash, lift.record_hash, EDS_HASH_SIZE);
    assert_int_equal(head_of(bench, "crane-7").sequence, 0);

    for (unsigned i = 0; i < 5; i++) { /* interleaved */
        batch_append(bench->batch, &lift);
        batch_append(bench->batch, &crane);
    }
    commit(bench);
    head = head_of(bench, "lift-01");
    assert_int_equal(head.sequence, 6);
    assert_memory_equal(head.record_hash, lift.record_hash, EDS_HASH_SIZE);
    head = head_of(bench, "crane-7");
    assert_int_equal(head.sequence, 5);
    assert_memory_equal(head.record_hash, crane.record_hash, EDS_HASH_SIZE);
    assert_int_equal(counts_of(bench).records, 11);
    assert_int_equal(counts_of(bench).devices, 2);
    assert_int_equal(counts_of(bench).objects, 11);
}

static void test_attested_stays(void **state)
{
    struct bench *bench = *state;
    struct chain chain = chain_of("lift-01");

    batch_append(bench->batch, &chain);
    commit(bench);
    assert_false(head_of(bench, "lift-01").attested);
    batch_attest(batch_conflict(bench->batch, "lift-01", 1, 9));
    commit(bench);
    assert_false(head_of(bench, "lift-01").attested); /* a fork proves nothing */
    batch_append(bench->batch, &chain);
    batch_attest(batch_append(bench->batch, &chain));
    batch_append(bench->batch, &chain);
    commit(bench);
    assert_true(head_of(bench, "lift-01").attested);
    batch_append(bench->batch, &chain);
    commit(bench);
    assert_true(head_of(bench, "lift-01").attested);
    struct chain other = chain_of("lift-02");
    batch_attest(batch_append(bench->batch, &other));
    commit(bench);
    assert_true(head_of(bench, "lift-02").attested);
}

static void test_stale_heads(void **state)
{
    struct bench *bench = *state;
    struct chain chain = chain_of("lift-01"), first, second, other;

    first = chain;
    batch_append(bench->batch, &chain);
    second = chain;
    batch_append(bench->batch, &chain);
    commit(bench);

    other = first;
    batch_append(bench->batch, &other);
    refuse(bench, "the first record again", EDS_ERR_HEAD_MOVED);
    other = second;
    batch_append(bench->batch, &other);
    refuse(bench, "the second record again", EDS_ERR_HEAD_MOVED);
    other = chain;
    other.sequence++;
    batch_append(bench->batch, &other);
    refuse(bench, "a gap before", EDS_ERR_HEAD_MOVED);
    other = chain;
    other.record_hash[31] ^= 1;
    batch_append(bench->batch, &other);
    refuse(bench, "another hash before", EDS_ERR_HEAD_MOVED);
    other = chain_of("lift-02");
    other.record_hash[0] = 1;
    batch_append(bench->batch, &other);
    refuse(bench, "a first record after something", EDS_ERR_HEAD_MOVED);
    other = chain_of("lift-02");
    other.sequence = 4;
    batch_append(bench->batch, &other);
    refuse(bench, "an unknown device at 5", EDS_ERR_HEAD_MOVED);
    other = chain_of("lift-02");
    batch_append(bench->batch, &other);
    other = second;
    batch_append(bench->batch, &other);
    batch_operation(bench->batch, EDS_DECISION_ACCEPTED, "lift-02", 1, "accepted");
    refuse(bench, "one good device and one stale", EDS_ERR_HEAD_MOVED);

    batch_append(bench->batch, &chain);
    commit(bench);
    assert_int_equal(head_of(bench, "lift-01").sequence, 3);
}

/* Each row is a good commit with one thing wrong. */
static void test_misuse(void **state)
{
    struct bench *bench = *state;
    struct chain chain = chain_of("lift-01"), other = chain_of("lift-02");
    struct eds_entry *entry;

    batch_append(bench->batch, &chain);
    commit(bench);
    for (unsigned row = 0; row < 6; row++) {
        struct chain copy = chain;

        batch_append(bench->batch, &copy);
        batch_append(bench->batch, &other);
        entry = batch_append(bench->batch, &copy);
        batch_conflict(bench->batch, "lift-01", 1, 1);
        other = chain_of("lift-02");
        switch (row) {
        case 0:
            entry->record.sequence++;
            break;
        case 1:
            entry->record.prev_record_hash[0] ^= 1;
            break;
        case 2:
            bench->batch->entries[1].record.sequence = 0;
            break;
        case 3:
            memset(entry->record.device_id, 'x', sizeof entry->record.device_id);
            break;
        case 4:
            memset(entry->record.object_ref, 'x', sizeof entry->record.object_ref);
            break;
        case 5:
            batch_conflict(bench->batch, "lift-03", 1, 1);
            break;
        }
        refuse(bench, "misuse", EDS_ERR_USAGE);
    }
}

static void test_conflict_of_new_device(void **state)
{
    struct bench *bench = *state;
    struct chain chain = chain_of("lift-01");

    batch_append(bench->batch, &chain);
    batch_conflict(bench->batch, "lift-01", 1, 1);
    commit(bench); /* conflicts come after appends */
    assert_int_equal(head_of(bench, "lift-01").conflict_count, 1);
}

static void test_extreme_numbers(void **state)
{
    struct bench *bench = *state;
    static const uint64_t times[] = {0, 1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX};
    struct chain chain = chain_of("lift-01");
    struct seen seen = {.count = 0}, log = {.count = 0};

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        bench->batch->commit.now_ms = times[i];
        batch_append(bench->batch, &chain)->record.timestamp_ms = times[i];
        batch_operation(bench->batch, EDS_DECISION_REJECTED, "lift-01", times[i], "x");
        commit(bench);
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

static void test_odd_ids_in_byte_order(void **state)
{
    struct bench *bench = *state;
    struct seen seen = {.count = 0}, one;
    struct chain chains[ODD_COUNT];

    for (size_t i = 0; i < ODD_COUNT; i++) /* stored in some other order */
        chains[i] = chain_of(odd_ids[i]);
    for (size_t i = 0; i < ODD_COUNT; i++)
        batch_append(bench->batch, &chains[i * 7 % ODD_COUNT]);
    commit(bench);
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
        assert_memory_equal(head_of(bench, odd_ids[i]).record_hash, chains[i].record_hash,
                            EDS_HASH_SIZE);
    }
}

static void test_longest_strings(void **state)
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
    commit(bench);
    assert_int_equal(bench->ops->object(bench->ledger, ref, hash, NULL), EDS_OK);
    ref[sizeof ref - 2] = '\0';
    assert_int_equal(bench->ops->object(bench->ledger, ref, hash, NULL), EDS_ERR_NOT_FOUND);
    assert_int_equal(head_of(bench, id).sequence, 1);
    memset(id, 'd', sizeof id);
    id[sizeof id - 1] = '\0'; /* longer than any record's */
    assert_int_equal(head_of(bench, id).sequence, 0);
    assert_int_equal(bench->ops->scan(bench->ledger, id, see_stored, &seen, NULL), EDS_OK);
    assert_int_equal(seen.count, 0);
    assert_int_equal(bench->ops->operations(bench->ledger, see_operation, &seen, NULL), EDS_OK);
    assert_int_equal(seen.count, 2);
    assert_int_equal(strlen(seen.ids[0]), EDS_DEVICE_ID_SIZE - 1); /* as far as it is kept */
    assert_string_equal(seen.ids[1], "");
    free(message);
}

static void test_payload_sizes(void **state)
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
        commit(bench);
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

static void test_shared_references(void **state)
{
    struct bench *bench = *state;
    struct chain lift = chain_of("lift-01"), crane = chain_of("crane-7");
    uint8_t hash[EDS_HASH_SIZE];

    append_object(bench, &lift, "elsewhere", 1, NULL);
    append_object(bench, &lift, "here", 2, "two");
    append_object(bench, &lift, "", 3, "nameless");
    commit(bench);
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
    commit(bench);
    assert_payload(bench, "elsewhere", "one"); /* it came later */
    assert_payload(bench, "here", "two");      /* the one that was there first */
    assert_payload(bench, "HERE", "another");
    assert_int_equal(counts_of(bench).objects, 4);
    assert_int_equal(counts_of(bench).records, 9);
}

static void test_taken_references(void **state)
{
    struct bench *bench = *state;
    struct chain lift = chain_of("lift-01"), crane = chain_of("crane-7"), copy;

    append_object(bench, &lift, "elsewhere", 1, NULL);
    append_object(bench, &lift, "here", 2, "two");
    commit(bench);
    copy = crane;
    append_object(bench, &copy, "elsewhere", 9, "nine");
    refuse(bench, "taken by what is kept elsewhere", EDS_ERR_HEAD_MOVED);
    copy = crane;
    append_object(bench, &copy, "here", 9, NULL);
    refuse(bench, "taken by what is kept here", EDS_ERR_HEAD_MOVED);
    copy = crane;
    append_object(bench, &copy, "new", 5, "five");
    append_object(bench, &copy, "elsewhere", 1, "one");
    append_object(bench, &copy, "new", 6, "six");
    batch_conflict(bench->batch, "lift-01", 1, 1);
    batch_operation(bench->batch, EDS_DECISION_ACCEPTED, "crane-7", 1, "accepted");
    refuse(bench, "taken in the same commit", EDS_ERR_HEAD_MOVED);
    assert_payload(bench, "elsewhere", NULL);
    copy = crane;
    append_object(bench, &copy, "new", 6, "six"); /* free again */
    append_object(bench, &copy, "elsewhere", 1, "one");
    commit(bench);
    assert_payload(bench, "new", "six");
    assert_payload(bench, "elsewhere", "one");
}

static void test_forks(void **state)
{
    struct bench *bench = *state;
    struct chain lift = chain_of("lift-01"), crane = chain_of("crane-7");
    struct seen seen = {.count = 0};
    struct eds_entry *entry;

    batch_append(bench->batch, &lift);
    batch_append(bench->batch, &lift);
    batch_append(bench->batch, &crane);
    commit(bench);
    bench->batch->commit.now_ms = NOW_MS + 5;
    entry = batch_conflict(bench->batch, "lift-01", 2, 1);
    batch_attest(entry);
    batch_conflict(bench->batch, "crane-7", 1, 1);
    batch_conflict(bench->batch, "lift-01", 1, 1);
    batch_conflict(bench->batch, "lift-01", 2, 1); /* once more */
    commit(bench);
    batch_conflict(bench->batch, "lift-01", 2, 1); /* and later */
    batch_conflict(bench->batch, "lift-01", 2, 2);
    commit(bench);
    assert_int_equal(head_of(bench, "lift-01").conflict_count, 3);
    assert_int_equal(head_of(bench, "crane-7").conflict_count, 1);
    assert_int_equal(head_of(bench, "lift-01").sequence, 2);
    assert_int_equal(counts_of(bench).conflicts, 4);
    assert_int_equal(counts_of(bench).records, 3);
    assert_int_equal(bench->ops->conflicts(bench->ledger, see_stored, &seen, NULL), EDS_OK);
    assert_int_equal(seen.count, 4);
    assert_string_equal(seen.ids[0], "lift-01");
    assert_string_equal(seen.ids[1], "crane-7");
    assert_int_equal(seen.sequences[0], 2);
    assert_int_equal(seen.sequences[2], 1);
    assert_true(seen.entries[0].attestation.present);
    assert_false(seen.entries[1].attestation.present);
    assert_int_equal(seen.stored[0].ingested_ms, NOW_MS + 5);
    batch_conflict(bench->batch, "lift-01", 2, 1);
    assert_memory_equal(seen.stored[0].record_hash, bench->batch->conflicts[0].record_hash,
                        EDS_HASH_SIZE);
}

static void test_forks_are_bounded(void **state)
{
    struct bench *bench = *state;
    struct chain lift = chain_of("lift-01"), crane = chain_of("crane-7");

    batch_append(bench->batch, &lift);
    batch_append(bench->batch, &crane);
    commit(bench);
    for (unsigned i = 0; i < EDS_CONFLICTS_KEPT_MAX - 1; i++)
        batch_conflict(bench->batch, "lift-01", 1, 1 + i);
    commit(bench);
    assert_int_equal(head_of(bench, "lift-01").conflict_count, EDS_CONFLICTS_KEPT_MAX - 1);
    for (unsigned i = 0; i < 20; i++)
        batch_conflict(bench->batch, "lift-01", 1, 5000 + i);
    batch_conflict(bench->batch, "crane-7", 1, 1);
    commit(bench);
    assert_int_equal(head_of(bench, "lift-01").conflict_count, EDS_CONFLICTS_KEPT_MAX);
    assert_int_equal(head_of(bench, "crane-7").conflict_count, 1);
    assert_int_equal(counts_of(bench).conflicts, EDS_CONFLICTS_KEPT_MAX + 1);
}

static void test_operation_log(void **state)
{
    struct bench *bench = *state;
    struct chain chain = chain_of("lift-01");
    struct seen seen = {.count = 0};

    batch_append(bench->batch, &chain);
    batch_operation(bench->batch, EDS_DECISION_ACCEPTED, "lift-01", 1, "one");
    batch_operation(bench->batch, EDS_DECISION_REJECTED, "nobody", 77, "two\n'\"\xe2\x82\xac");
    commit(bench);
    bench->batch->commit.now_ms = NOW_MS - 1000; /* the clock was set back */
    batch_operation(bench->batch, EDS_DECISION_REJECTED, "lift-01", 1, "three");
    commit(bench);
    assert_int_equal(bench->ops->operations(bench->ledger, see_operation, &seen, NULL), EDS_OK);
    assert_int_equal(seen.count, 3);
    assert_string_equal(seen.ids[0], "one");
    assert_string_equal(seen.ids[1], "two\n'\"\xe2\x82\xac");
    assert_string_equal(seen.ids[2], "three");
    assert_int_equal(seen.decisions[0], EDS_DECISION_ACCEPTED);
    assert_int_equal(seen.decisions[1], EDS_DECISION_REJECTED);
    assert_int_equal(seen.sequences[1], 77);
    assert_int_equal(seen.times[0], NOW_MS);
    assert_int_equal(seen.times[2], NOW_MS - 1000);
    assert_int_equal(counts_of(bench).operations, 3);
    assert_int_equal(counts_of(bench).accepted, 1);
    assert_int_equal(counts_of(bench).rejected, 2);
}

static void test_visit_ends_scan(void **state)
{
    struct bench *bench = *state;
    struct chain lift = chain_of("lift-01"), crane = chain_of("crane-7");

    for (unsigned i = 0; i < 4; i++) {
        batch_append(bench->batch, &lift);
        batch_append(bench->batch, &crane);
        batch_conflict(bench->batch, "lift-01", 1, 1 + i);
        batch_operation(bench->batch, EDS_DECISION_ACCEPTED, "lift-01", 1 + i, "x");
    }
    commit(bench);
    for (unsigned which = 0; which < 5; which++) {
        struct seen seen = {.stop_at = 2, .stop_with = which % 2 == 0 ? 42 : EDS_ERR_BUSY};
        int32_t rc = EDS_OK;

        if (which == 0)
            rc = bench->ops->scan(bench->ledger, NULL, see_stored, &seen, &bench->err);
        else if (which == 1)
            rc = bench->ops->scan(bench->ledger, "lift-01", see_stored, &seen, &bench->err);
        else if (which == 2)
            rc = bench->ops->heads(bench->ledger, see_head, &seen, &bench->err);
        else if (which == 3)
            rc = bench->ops->operations(bench->ledger, see_operation, &seen, &bench->err);
        else
            rc = bench->ops->conflicts(bench->ledger, see_stored, &seen, &bench->err);
        assert_int_equal(rc, seen.stop_with);
        assert_int_equal(seen.count, 2);
    }
    batch_append(bench->batch, &lift); /* and nothing is left locked */
    commit(bench);
}

/* A visit that looks up and scans what it is being shown. */
static int32_t see_and_scan(void *context, const char *device_id, const struct eds_head *head)
{
    struct bench *bench = context;
    struct seen seen = {.count = 0};

    assert_int_equal(bench->ops->scan(bench->ledger, device_id, see_stored, &seen, NULL), EDS_OK);
    assert_int_equal(seen.count, head->sequence);
    assert_int_equal(head_of(bench, device_id).sequence, head->sequence);
    seen.count = 0;
    assert_int_equal(bench->ops->heads(bench->ledger, see_head, &seen, NULL), EDS_OK);
    assert_int_equal(seen.count, 3);
    bench->err.code++;
    return EDS_OK;
}

static void test_visit_may_read(void **state)
{
    struct bench *bench = *state;
    struct chain chains[] = {chain_of("a"), chain_of("b"), chain_of("c")};

    for (unsigned i = 0; i < 9; i++)
        batch_append(bench->batch, &chains[i % 4 % 3]);
    commit(bench);
    bench->err.code = 0;
    assert_int_equal(bench->ops->heads(bench->ledger, see_and_scan, bench, NULL), EDS_OK);
    assert_int_equal(bench->err.code, 3);
}

/* More rows than any store reads or writes at once. */
struct tally {
    char device_id[EDS_DEVICE_ID_SIZE];
    uint64_t sequence, record_count, device_count;
};

static int32_t tally_record(void *context, const struct eds_stored *stored)
{
    struct tally *tally = context;
    const char *device_id = (const char *)stored->entry->record.device_id;

    if (strcmp(tally->device_id, device_id) != 0) {
        assert_true(strcmp(tally->device_id, device_id) < 0);
        snprintf(tally->device_id, sizeof tally->device_id, "%s", device_id);
        tally->sequence = 0;
        tally->device_count++;
    }
    assert_int_equal(stored->entry->record.sequence, tally->sequence + 1);
    tally->sequence++;
    tally->record_count++;
    return EDS_OK;
}

static int32_t tally_head(void *context, const char *device_id, const struct eds_head *head)
{
    struct tally *tally = context;

    assert_true(tally->device_count == 0 || strcmp(tally->device_id, device_id) < 0);
    snprintf(tally->device_id, sizeof tally->device_id, "%s", device_id);
    tally->device_count++;
    tally->record_count += head->sequence;
    return EDS_OK;
}

static int32_t tally_operation(void *context, const struct eds_operation *operation,
                               uint64_t created_ms)
{
    struct tally *tally = context;

    (void)created_ms;
    assert_int_equal(operation->sequence, tally->record_count);
    tally->record_count++;
    return EDS_OK;
}

static void test_many_rows(void **state)
{
    struct bench *bench = *state;
    struct chain *chains = calloc(1100, sizeof *chains), big = chain_of("m");
    struct tally tally = {.sequence = 0};
    char id[16];

    assert_non_null(chains);
    for (unsigned i = 0; i < 1100; i++) {
        snprintf(id, sizeof id, "%c%u", i % 2 == 0 ? 'a' : 'z', i);
        chains[i] = chain_of(id);
        batch_append(bench->batch, &chains[i]);
        batch_operation(bench->batch, EDS_DECISION_ACCEPTED, id, i, "accepted");
    }
    commit(bench);
    for (unsigned i = 0; i < 2200; i++) {
        batch_append(bench->batch, &big);
        if (i % 1100 == 1099)
            commit(bench);
    }
    assert_int_equal(bench->ops->scan(bench->ledger, NULL, tally_record, &tally, NULL), EDS_OK);
    assert_int_equal(tally.record_count, 3300);
    assert_int_equal(tally.device_count, 1101);
    memset(&tally, 0, sizeof tally);
    assert_int_equal(bench->ops->scan(bench->ledger, "m", tally_record, &tally, NULL), EDS_OK);
    assert_int_equal(tally.record_count, 2200);
    memset(&tally, 0, sizeof tally);
    assert_int_equal(bench->ops->heads(bench->ledger, tally_head, &tally, NULL), EDS_OK);
    assert_int_equal(tally.record_count, 3300);
    assert_int_equal(tally.device_count, 1101);
    memset(&tally, 0, sizeof tally);
    assert_int_equal(bench->ops->operations(bench->ledger, tally_operation, &tally, NULL), EDS_OK);
    assert_int_equal(tally.record_count, 1100);
    free(chains);
}

#define BENCH_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int ledger_conformance_run(const char *name, struct eds_ledger *(*open)(void), void (*clean)(void))
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_empty),
        BENCH_TEST(test_record_comes_back),
        BENCH_TEST(test_head_follows),
        BENCH_TEST(test_attested_stays),
        BENCH_TEST(test_stale_heads),
        BENCH_TEST(test_misuse),
        BENCH_TEST(test_conflict_of_new_device),
        BENCH_TEST(test_extreme_numbers),
        BENCH_TEST(test_odd_ids_in_byte_order),
        BENCH_TEST(test_longest_strings),
        BENCH_TEST(test_payload_sizes),
        BENCH_TEST(test_shared_references),
        BENCH_TEST(test_taken_references),
        BENCH_TEST(test_forks),
        BENCH_TEST(test_forks_are_bounded),
        BENCH_TEST(test_operation_log),
        BENCH_TEST(test_visit_ends_scan),
        BENCH_TEST(test_visit_may_read),
        BENCH_TEST(test_many_rows),
    };

    open_empty = open;
    clean_up = clean;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

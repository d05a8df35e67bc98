/* ledger_conformance_commit.c - the conformance suite: what a commit does, and what it refuses. */
#include "store/ledger_bench.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void test_empty(void **state)
{
    struct bench *bench = *state;
    static const uint8_t zero[EDS_HASH_SIZE];
    struct eds_head head = bench_head(bench, "lift-01");
    struct eds_ledger_counts counts = bench_counts(bench), none = {0};
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
    bench_commit(bench); /* of nothing */
    counts = bench_counts(bench);
    assert_memory_equal(&counts, &none, sizeof none);
}

void test_record_comes_back(void **state)
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
    bench_commit(bench);
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

void test_head_follows(void **state)
{
    struct bench *bench = *state;
    struct chain lift = chain_of("lift-01"), crane = chain_of("crane-7");
    struct eds_head head;

    batch_append(bench->batch, &lift);
    bench_commit(bench);
    head = bench_head(bench, "lift-01");
    assert_int_equal(head.sequence, 1);
    assert_memory_equal(head.record_hash, lift.record_hash, EDS_HASH_SIZE);
    assert_int_equal(bench_head(bench, "crane-7").sequence, 0);

    for (unsigned i = 0; i < 5; i++) { /* interleaved */
        batch_append(bench->batch, &lift);
        batch_append(bench->batch, &crane);
    }
    bench_commit(bench);
    head = bench_head(bench, "lift-01");
    assert_int_equal(head.sequence, 6);
    assert_memory_equal(head.record_hash, lift.record_hash, EDS_HASH_SIZE);
    head = bench_head(bench, "crane-7");
    assert_int_equal(head.sequence, 5);
    assert_memory_equal(head.record_hash, crane.record_hash, EDS_HASH_SIZE);
    assert_int_equal(bench_counts(bench).records, 11);
    assert_int_equal(bench_counts(bench).devices, 2);
    assert_int_equal(bench_counts(bench).objects, 11);
}

void test_attested_stays(void **state)
{
    struct bench *bench = *state;
    struct chain chain = chain_of("lift-01");

    batch_append(bench->batch, &chain);
    bench_commit(bench);
    assert_false(bench_head(bench, "lift-01").attested);
    batch_attest(batch_conflict(bench->batch, "lift-01", 1, 9));
    bench_commit(bench);
    assert_false(bench_head(bench, "lift-01").attested); /* a fork proves nothing */
    batch_append(bench->batch, &chain);
    batch_attest(batch_append(bench->batch, &chain));
    batch_append(bench->batch, &chain);
    bench_commit(bench);
    assert_true(bench_head(bench, "lift-01").attested);
    batch_append(bench->batch, &chain);
    bench_commit(bench);
    assert_true(bench_head(bench, "lift-01").attested);
    struct chain other = chain_of("lift-02");
    batch_attest(batch_append(bench->batch, &other));
    bench_commit(bench);
    assert_true(bench_head(bench, "lift-02").attested);
}

void test_stale_heads(void **state)
{
    struct bench *bench = *state;
    struct chain chain = chain_of("lift-01"), first, second, other;

    first = chain;
    batch_append(bench->batch, &chain);
    second = chain;
    batch_append(bench->batch, &chain);
    bench_commit(bench);

    other = first;
    batch_append(bench->batch, &other);
    bench_refuse(bench, "the first record again", EDS_ERR_HEAD_MOVED);
    other = second;
    batch_append(bench->batch, &other);
    bench_refuse(bench, "the second record again", EDS_ERR_HEAD_MOVED);
    other = chain;
    other.sequence++;
    batch_append(bench->batch, &other);
    bench_refuse(bench, "a gap before", EDS_ERR_HEAD_MOVED);
    other = chain;
    other.record_hash[31] ^= 1;
    batch_append(bench->batch, &other);
    bench_refuse(bench, "another hash before", EDS_ERR_HEAD_MOVED);
    other = chain_of("lift-02");
    other.record_hash[0] = 1;
    batch_append(bench->batch, &other);
    bench_refuse(bench, "a first record after something", EDS_ERR_HEAD_MOVED);
    other = chain_of("lift-02");
    other.sequence = 4;
    batch_append(bench->batch, &other);
    bench_refuse(bench, "an unknown device at 5", EDS_ERR_HEAD_MOVED);
    other = chain_of("lift-02");
    batch_append(bench->batch, &other);
    other = second;
    batch_append(bench->batch, &other);
    batch_operation(bench->batch, EDS_DECISION_ACCEPTED, "lift-02", 1, "accepted");
    bench_refuse(bench, "one good device and one stale", EDS_ERR_HEAD_MOVED);

    batch_append(bench->batch, &chain);
    bench_commit(bench);
    assert_int_equal(bench_head(bench, "lift-01").sequence, 3);
}

/* Each row is a good commit with one thing wrong. */
void test_misuse(void **state)
{
    struct bench *bench = *state;
    struct chain chain = chain_of("lift-01"), other = chain_of("lift-02");
    struct eds_entry *entry;

    batch_append(bench->batch, &chain);
    bench_commit(bench);
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
        bench_refuse(bench, "misuse", EDS_ERR_USAGE);
    }
}

void test_conflict_of_new_device(void **state)
{
    struct bench *bench = *state;
    struct chain chain = chain_of("lift-01");

    batch_append(bench->batch, &chain);
    batch_conflict(bench->batch, "lift-01", 1, 1);
    bench_commit(bench); /* conflicts come after appends */
    assert_int_equal(bench_head(bench, "lift-01").conflict_count, 1);
}

void test_forks(void **state)
{
    struct bench *bench = *state;
    struct chain lift = chain_of("lift-01"), crane = chain_of("crane-7");
    struct seen seen = {.count = 0};
    struct eds_entry *entry;

    batch_append(bench->batch, &lift);
    batch_append(bench->batch, &lift);
    batch_append(bench->batch, &crane);
    bench_commit(bench);
    bench->batch->commit.now_ms = NOW_MS + 5;
    entry = batch_conflict(bench->batch, "lift-01", 2, 1);
    batch_attest(entry);
    batch_conflict(bench->batch, "crane-7", 1, 1);
    batch_conflict(bench->batch, "lift-01", 1, 1);
    batch_conflict(bench->batch, "lift-01", 2, 1); /* once more */
    bench_commit(bench);
    batch_conflict(bench->batch, "lift-01", 2, 1); /* and later */
    batch_conflict(bench->batch, "lift-01", 2, 2);
    bench_commit(bench);
    assert_int_equal(bench_head(bench, "lift-01").conflict_count, 3);
    assert_int_equal(bench_head(bench, "crane-7").conflict_count, 1);
    assert_int_equal(bench_head(bench, "lift-01").sequence, 2);
    assert_int_equal(bench_counts(bench).conflicts, 4);
    assert_int_equal(bench_counts(bench).records, 3);
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

void test_forks_are_bounded(void **state)
{
    struct bench *bench = *state;
    struct chain lift = chain_of("lift-01"), crane = chain_of("crane-7");

    batch_append(bench->batch, &lift);
    batch_append(bench->batch, &crane);
    bench_commit(bench);
    for (unsigned i = 0; i < EDS_CONFLICTS_KEPT_MAX - 1; i++)
        batch_conflict(bench->batch, "lift-01", 1, 1 + i);
    bench_commit(bench);
    assert_int_equal(bench_head(bench, "lift-01").conflict_count, EDS_CONFLICTS_KEPT_MAX - 1);
    for (unsigned i = 0; i < 20; i++)
        batch_conflict(bench->batch, "lift-01", 1, 5000 + i);
    batch_conflict(bench->batch, "crane-7", 1, 1);
    bench_commit(bench);
    assert_int_equal(bench_head(bench, "lift-01").conflict_count, EDS_CONFLICTS_KEPT_MAX);
    assert_int_equal(bench_head(bench, "crane-7").conflict_count, 1);
    assert_int_equal(bench_counts(bench).conflicts, EDS_CONFLICTS_KEPT_MAX + 1);
}

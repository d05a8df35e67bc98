/* ledger_fixture.c - see ledger_fixture.h. */
#include "evidence/ledger_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "edgesentry/attest.h"

const uint8_t fixture_seed_1[EDS_SEED_SIZE] = {1};
const uint8_t fixture_seed_2[EDS_SEED_SIZE] = {2};

size_t fixture_payload(char out[64], const char *device_id, uint64_t sequence)
{
    return (size_t)snprintf(out, 64, "%s saw event %llu", device_id, (unsigned long long)sequence);
}

static void make_entry(struct eds_entry *out, const char *device_id, uint64_t sequence,
                       uint64_t time_ms, const uint8_t *prev_hash, const uint8_t *seed)
{
    char payload[64], object_ref[64];
    size_t size = fixture_payload(payload, device_id, sequence);

    memset(out, 0, sizeof *out);
    snprintf(object_ref, sizeof object_ref, "mem://%s/%llu", device_id,
             (unsigned long long)sequence);
    assert_int_equal(eds_record_sign(&out->record, device_id, sequence, time_ms, payload, size,
                                     prev_hash, object_ref, seed, NULL),
                     EDS_OK);
}

static void append_chain(struct eds_ledger *ledger, const char *device_id, unsigned count,
                         const uint8_t *seed, bool attested)
{
    uint8_t hash[EDS_HASH_SIZE] = {0};

    for (uint64_t sequence = 1; sequence <= count; sequence++) {
        struct eds_entry entry;
        char payload[64];
        struct eds_append append = {.entry = &entry, .payload = payload};
        struct eds_operation operation = {
            .device_id = device_id, .sequence = sequence, .message = "accepted"};
        struct eds_commit commit = {.appends = &append,
                                    .append_count = 1,
                                    .operations = &operation,
                                    .operation_count = 1,
                                    .now_ms = FIXTURE_NOW_MS};

        make_entry(&entry, device_id, sequence, 1000 * sequence, hash, seed);
        append.payload_size = fixture_payload(payload, device_id, sequence);
        assert_int_equal(eds_record_digest(hash, &entry.record), EDS_OK);
        memcpy(append.record_hash, hash, sizeof hash);
        if (attested)
            eds_attest_sign(&entry.attestation, hash, seed);
        assert_int_equal(ledger->ops->commit(ledger, &commit, NULL), EDS_OK);
    }
}

struct eds_ledger *fixture_open(void)
{
    struct eds_ledger *ledger = NULL;
    struct eds_entry fork;
    struct eds_conflict conflict = {.entry = &fork};
    struct eds_commit commit = {.conflicts = &conflict, .conflict_count = 1, .now_ms = 5000};

    assert_int_equal(eds_ledger_open(&ledger, "memory:", NULL), EDS_OK);
    append_chain(ledger, "lift-01", 3, fixture_seed_1, true);
    append_chain(ledger, "lift-02", 2, fixture_seed_2, false);
    make_entry(&fork, "lift-02", 1, 7777, NULL, fixture_seed_2);
    assert_int_equal(eds_record_digest(conflict.record_hash, &fork.record), EDS_OK);
    assert_int_equal(ledger->ops->commit(ledger, &commit, NULL), EDS_OK);
    return ledger;
}

/* test_buffer_keeper.c - records of many devices, through ingest into a buffer: kept
 * in order, once, or refused so that they come again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/store.h"
#include "gateway/buffer_keeper.h"
#include "ingest/world.h"
#include "support/alloc.h"

/* A store that fails when a test says so: memory's, or nothing. */
struct odd_store {
    struct eds_buffer_store store; /* first */
    struct eds_buffer_store_ops ops;
    struct eds_buffer_store *inner;
    size_t count_max; /* items in one push, above it EDS_ERR_TOO_LARGE */
    size_t room;      /* items that it takes altogether, then EDS_ERR_BUSY */
    int32_t failing;  /* with this code, whatever is pushed */
    size_t pushes;    /* that succeeded */
};

static struct odd_store *odd(struct eds_buffer_store *store)
{
    return (struct odd_store *)store;
}

static int32_t odd_push(struct eds_buffer_store *store, struct eds_buffer_item *items,
                        const struct eds_buffer_head *heads, size_t count, struct eds_error *err)
{
    struct odd_store *it = odd(store);

    if (it->failing != EDS_OK)
        return eds_error_set(err, it->failing, "the disk is gone");
    if (count > it->count_max)
        return eds_error_set(err, EDS_ERR_TOO_LARGE, "%zu at once are too many", count);
    if (count > it->room)
        return eds_error_set(err, EDS_ERR_BUSY, "room for %zu only", it->room);
    it->room -= count;
    it->pushes++;
    return it->inner->ops->push(it->inner, items, heads, count, err);
}

static int32_t odd_next(struct eds_buffer_store *store, const char *device_id, uint64_t after,
                        bool dead, struct eds_buffer_item **out, struct eds_error *err)
{
    return odd(store)->inner->ops->next(odd(store)->inner, device_id, after, dead, out, err);
}

static int32_t odd_items(struct eds_buffer_store *store,
                         int32_t (*visit)(void *context, const struct eds_buffer_item *),
                         void *context, struct eds_error *err)
{
    return odd(store)->inner->ops->items(odd(store)->inner, visit, context, err);
}

static int32_t odd_heads(struct eds_buffer_store *store,
                         int32_t (*visit)(void *context, const char *device_id,
                                          const struct eds_buffer_head *),
                         void *context, struct eds_error *err)
{
    return odd(store)->inner->ops->heads(odd(store)->inner, visit, context, err);
}

static void odd_close(struct eds_buffer_store *store)
{
    odd(store)->inner->ops->close(odd(store)->inner);
}

/* A gateway on such a store. */
struct gate {
    struct odd_store store;
    struct eds_buffer *buffer;
    struct eds_buffer_keeper *keeper;
    struct eds_ingest *ingest;
};

static void gate_open(struct gate *gate, const struct eds_buffer_keeper_config *keeper,
                      const struct eds_registry *registry)
{
    struct eds_buffer_keeper_config config = *keeper;

    *gate = (struct gate){.store = {.count_max = SIZE_MAX, .room = SIZE_MAX}};
    assert_int_equal(eds_buffer_memory_open(&gate->store.inner, NULL), EDS_OK);
    gate->store.ops = (struct eds_buffer_store_ops){.name = "odd",
                                                    .is_durable = true,
                                                    .push = odd_push,
                                                    .next = odd_next,
                                                    .items = odd_items,
                                                    .heads = odd_heads,
                                                    .close = odd_close};
    gate->store.store.ops = &gate->store.ops;
    assert_int_equal(eds_buffer_open_store(&gate->buffer, &gate->store.store, NULL, NULL), EDS_OK);
    config.buffer = gate->buffer;
    assert_int_equal(eds_buffer_keeper_create(&gate->keeper, &config, NULL), EDS_OK);
    gate->ingest = start(&(struct eds_ingest_config){.keeper = eds_buffer_keeper_of(gate->keeper),
                                                     .registry = registry});
}

static void gate_close(struct gate *gate)
{
    eds_ingest_stop(gate->ingest);
    eds_buffer_keeper_free(gate->keeper);
    eds_buffer_close(gate->buffer);
}

static struct eds_buffer_keeper_counts counts_of(const struct gate *gate)
{
    struct eds_buffer_keeper_counts counts;

    eds_buffer_keeper_counts(gate->keeper, &counts);
    return counts;
}

/* Fails the test unless the buffer has these records of a device, byte for byte, in
 * this order and no more. */
static void assert_kept(const struct gate *gate, const char *device_id,
                        const struct parcel *const *parcels, size_t count)
{
    struct eds_buffer_item *item;
    uint64_t after = 0;

    for (size_t i = 0; i < count; i++) {
        assert_int_equal(eds_buffer_next(gate->buffer, device_id, after, false, &item, NULL),
                         EDS_OK);
        after = item->id;
        assert_memory_equal(&item->entry, &parcels[i]->entry, sizeof item->entry);
        assert_int_equal(item->payload_size, PAYLOAD_SIZE);
        assert_memory_equal(item->payload, parcels[i]->payload, PAYLOAD_SIZE);
        free(item);
    }
    assert_int_equal(eds_buffer_next(gate->buffer, device_id, after, false, &item, NULL),
                     EDS_ERR_NOT_FOUND);
}

static const struct eds_buffer_keeper_config usual;

static void records_are_kept_as_they_came(void **state)
{
    struct device lift, crane;
    struct parcel lift_1, lift_2, crane_1;
    struct gate gate;

    (void)state;
    device_make(&lift, "lift-01", 1);
    device_make(&crane, "crane-01", 2);
    lift.sequence = 41; /* the gateway was not there from the beginning */
    gate_open(&gate, &usual, NULL);
    device_next(&lift, &lift_1);
    parcel_attest(&lift_1, lift.seed);
    device_next(&lift, &lift_2);
    device_next(&crane, &crane_1);
    expect(gate.ingest, &lift_1, EDS_VERDICT_ACCEPTED, "");
    expect(gate.ingest, &crane_1, EDS_VERDICT_ACCEPTED, "");
    expect(gate.ingest, &lift_2, EDS_VERDICT_ACCEPTED, "");
    assert_kept(&gate, "lift-01", (const struct parcel *const[]){&lift_1, &lift_2}, 2);
    assert_kept(&gate, "crane-01", (const struct parcel *const[]){&crane_1}, 1);
    assert_int_equal(counts_of(&gate).kept, 3);
    assert_int_equal(counts_of(&gate).device_count, 2);
    gate_close(&gate);
}

/* The answer got lost, and the record comes again.  Another record under the same
 * sequence is no repetition: the server will say what it thinks of it. */
static void a_repeated_record_is_kept_once(void **state)
{
    struct device lift, twin;
    struct parcel one, two, other;
    struct gate gate;

    (void)state;
    device_make(&lift, "lift-01", 1);
    twin = lift;
    gate_open(&gate, &usual, NULL);
    device_next(&lift, &one);
    device_next(&lift, &two);
    device_next(&twin, &other);
    device_next(&twin, &other);
    other.entry.record.timestamp_ms++;
    expect(gate.ingest, &one, EDS_VERDICT_ACCEPTED, "");
    expect(gate.ingest, &two, EDS_VERDICT_ACCEPTED, "");
    expect(gate.ingest, &two, EDS_VERDICT_ACCEPTED, "");
    assert_kept(&gate, "lift-01", (const struct parcel *const[]){&one, &two}, 2);
    assert_int_equal(counts_of(&gate).repeated, 1);
    expect(gate.ingest, &other, EDS_VERDICT_ACCEPTED, "");
    assert_kept(&gate, "lift-01", (const struct parcel *const[]){&one, &two, &other}, 3);
    gate_close(&gate);
}

static void a_full_buffer_puts_off(void **state)
{
    struct device lift, crane;
    struct parcel first, second, third, apart;
    struct gate gate;

    (void)state;
    device_make(&lift, "lift-01", 1);
    device_make(&crane, "crane-01", 2);
    device_next(&lift, &first);
    device_next(&lift, &second);
    device_next(&lift, &third);
    device_next(&crane, &apart);
    gate_open(&gate, &usual, NULL);
    expect(gate.ingest, &first, EDS_VERDICT_ACCEPTED, "");
    gate.store.room = 0;
    expect(gate.ingest, &second, EDS_VERDICT_OVERLOADED,
           "the gateway's buffer is full: send the record again");
    gate.store.room = 9;
    /* There is room again, but the third must not overtake the second. */
    expect(gate.ingest, &third, EDS_VERDICT_OVERLOADED,
           "a record before this one was not kept: send that again first");
    expect(gate.ingest, &apart, EDS_VERDICT_ACCEPTED, "");
    expect(gate.ingest, &second, EDS_VERDICT_ACCEPTED, "");
    expect(gate.ingest, &third, EDS_VERDICT_ACCEPTED, "");
    assert_kept(&gate, "lift-01", (const struct parcel *const[]){&first, &second, &third}, 3);
    assert_int_equal(counts_of(&gate).full, 1);
    assert_int_equal(counts_of(&gate).behind, 1);
    gate_close(&gate);
}

/* A device that gives a record up is not locked out. */
static void a_debt_is_forgotten(void **state)
{
    const struct eds_buffer_keeper_config brief = {.owed_ms = 1};
    struct device lift;
    struct parcel first, second;
    struct gate gate;
    enum eds_verdict verdict;

    (void)state;
    device_make(&lift, "lift-01", 1);
    device_next(&lift, &first);
    device_next(&lift, &second);
    gate_open(&gate, &brief, NULL);
    gate.store.room = 0;
    assert_int_equal(deliver(gate.ingest, &first), EDS_VERDICT_OVERLOADED);
    gate.store.room = 9;
    do
        verdict = deliver(gate.ingest, &second);
    while (verdict == EDS_VERDICT_OVERLOADED);
    assert_int_equal(verdict, EDS_VERDICT_ACCEPTED);
    gate_close(&gate);
}

static void a_failing_disk_puts_off(void **state)
{
    struct device lift;
    struct parcel first;
    struct eds_ingest_counts counts;
    struct eds_meters_reading meters;
    struct gate gate;

    (void)state;
    device_make(&lift, "lift-01", 1);
    device_next(&lift, &first);
    gate_open(&gate, &usual, NULL);
    gate.store.failing = EDS_ERR_IO;
    expect(gate.ingest, &first, EDS_VERDICT_STORE, "the record could not be stored: send it again");
    gate.store.failing = EDS_OK;
    expect(gate.ingest, &first, EDS_VERDICT_ACCEPTED, "");
    eds_ingest_counts(gate.ingest, &counts);
    assert_int_equal(counts.store_failed, 1);
    assert_int_equal(counts.commits, 1);
    eds_ingest_meters(gate.ingest, &meters);
    assert_int_equal(meters.errors[EDS_COMPONENT_BUFFER], 1);
    assert_kept(&gate, "lift-01", (const struct parcel *const[]){&first}, 1);
    gate_close(&gate);
}

#define MANY 64u

/* However few go into the buffer at once, all that fit get in, in their order. */
static void a_push_is_divided(void **state)
{
    static struct parcel parcels[MANY];
    const struct parcel *expected[MANY];
    struct device devices[4];
    struct tally tally;
    struct gate gate;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        char id[8] = {'d', (char)('0' + i)};

        device_make(&devices[i], id, i);
    }
    gate_open(&gate, &usual, NULL);
    gate.store.count_max = 3;
    gate.store.room = 50;
    tally_make(&tally);
    for (unsigned i = 0; i < MANY; i++) {
        device_next(&devices[i % 4], &parcels[i]);
        tally_submit(&tally, gate.ingest, &parcels[i]);
    }
    tally_wait(&tally);
    for (unsigned d = 0; d < 4; d++) {
        size_t count = 0;
        bool ended = false;

        for (unsigned i = d; i < MANY; i += 4) {
            bool kept = parcels[i].submission.verdict == EDS_VERDICT_ACCEPTED;

            assert_false(kept && ended); /* none got in behind one that did not */
            ended |= !kept;
            if (kept)
                expected[count++] = &parcels[i];
        }
        assert_kept(&gate, devices[d].id, expected, count);
    }
    assert_int_equal(counts_of(&gate).kept, 50);
    assert_int_equal(gate.store.room, 0);
    tally_free(&tally);
    gate_close(&gate);
}

static void one_that_never_fits_is_refused(void **state)
{
    struct device lift;
    struct parcel first;
    struct gate gate;
    char text[EDS_ERROR_TEXT_SIZE];

    (void)state;
    device_make(&lift, "lift-01", 1);
    device_next(&lift, &first);
    gate_open(&gate, &usual, NULL);
    gate.store.count_max = 0;
    expect(gate.ingest, &first, EDS_VERDICT_TOO_LARGE, "1 at once are too many");
    eds_ingest_answer_text(text, &first.submission);
    assert_string_equal(text, "1 at once are too many");
    gate_close(&gate);
}

static void there_are_only_so_many_devices(void **state)
{
    const struct eds_buffer_keeper_config two = {.device_max = 2};
    struct device devices[3];
    struct parcel parcels[3], again;
    struct gate gate;

    (void)state;
    gate_open(&gate, &two, NULL);
    for (unsigned i = 0; i < 3; i++) {
        char id[8] = {'d', (char)('0' + i)};

        device_make(&devices[i], id, i);
        device_next(&devices[i], &parcels[i]);
        expect(gate.ingest, &parcels[i], i < 2 ? EDS_VERDICT_ACCEPTED : EDS_VERDICT_OVERLOADED,
               i < 2 ? "" : "the gateway has as many devices as it takes");
    }
    device_next(&devices[0], &again); /* one that is known goes on */
    expect(gate.ingest, &again, EDS_VERDICT_ACCEPTED, "");
    assert_int_equal(counts_of(&gate).too_many, 1);
    assert_int_equal(counts_of(&gate).device_count, 2);
    gate_close(&gate);
}

static void no_chain_has_a_record_0(void **state)
{
    struct device lift;
    struct parcel parcel;
    struct gate gate;

    (void)state;
    device_make(&lift, "lift-01", 1);
    parcel_fill(&parcel, lift.id, 0, NULL, NULL, lift.seed);
    gate_open(&gate, &usual, NULL);
    expect(gate.ingest, &parcel, EDS_VERDICT_SEQUENCE,
           "invalid sequence for device=lift-01: expected=1 actual=0");
    gate_close(&gate);
}

/* What a registry knows is checked; what the chain says is not. */
static void known_devices_are_verified(void **state)
{
    struct eds_registry *registry = eds_registry_create();
    struct device lift, strict;
    struct parcel parcel;
    struct gate gate;

    (void)state;
    device_make(&lift, "lift-01", 1);
    device_make(&strict, "strict-01", 2);
    device_register(&lift, registry, false);
    device_register(&strict, registry, true);
    gate_open(&gate, &usual, registry);
    device_next(&lift, &parcel);
    parcel.payload[0] ^= 1;
    expect(gate.ingest, &parcel, EDS_VERDICT_PAYLOAD_HASH, "payload hash mismatch");
    device_next(&lift, &parcel);
    parcel.entry.record.signature[7] ^= 1;
    expect(gate.ingest, &parcel, EDS_VERDICT_SIGNATURE, "invalid signature for device=lift-01");
    device_next(&strict, &parcel);
    expect(gate.ingest, &parcel, EDS_VERDICT_ATTESTATION_ABSENT,
           "missing attestation for device=strict-01");
    parcel_attest(&parcel, strict.seed);
    expect(gate.ingest, &parcel, EDS_VERDICT_ACCEPTED, "");
    device_next(&lift, &parcel);
    expect(gate.ingest, &parcel, EDS_VERDICT_ACCEPTED, "");
    assert_int_equal(eds_buffer_len(gate.buffer), 2);
    gate_close(&gate);
    eds_registry_destroy(registry);
}

/* Whatever allocation fails while records come: none is said to be kept that is not,
 * and all can come again. */
static void no_memory_loses_nothing(void **state)
{
    struct device lift;
    struct parcel parcels[8];
    const struct parcel *expected[8];
    struct gate gate;

    (void)state;
    device_make(&lift, "lift-01", 1);
    gate_open(&gate, &usual, NULL);
    for (unsigned i = 0; i < 8; i++) {
        enum eds_verdict verdict;

        device_next(&lift, &parcels[i]);
        expected[i] = &parcels[i];
        for (uint64_t n = 1;; n++) {
            alloc_fail_at(n);
            verdict = deliver(gate.ingest, &parcels[i]);
            alloc_fail_at(0);
            if (verdict == EDS_VERDICT_ACCEPTED)
                break;
            assert_int_equal(verdict, EDS_VERDICT_STORE);
            assert_int_equal(eds_buffer_len(gate.buffer), i);
        }
    }
    assert_kept(&gate, "lift-01", expected, 8);
    gate_close(&gate);
}

static void creation_without_memory_fails(void **state)
{
    struct eds_buffer *buffer;
    struct eds_buffer_keeper *keeper = NULL;
    struct eds_error err;
    int32_t rc = EDS_ERR_NO_MEMORY;

    (void)state;
    assert_int_equal(eds_buffer_open(&buffer, "memory:", NULL, NULL), EDS_OK);
    for (uint64_t n = 1; rc != EDS_OK; n++) {
        alloc_fail_at(n);
        rc = eds_buffer_keeper_create(&keeper, &(struct eds_buffer_keeper_config){.buffer = buffer},
                                      &err);
        alloc_fail_at(0);
        assert_true(rc == EDS_OK || (rc == EDS_ERR_NO_MEMORY && n <= 3));
    }
    eds_buffer_keeper_free(keeper);
    eds_buffer_keeper_free(NULL);
    eds_buffer_close(buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_kept_as_they_came),
        cmocka_unit_test(a_repeated_record_is_kept_once),
        cmocka_unit_test(a_full_buffer_puts_off),
        cmocka_unit_test(a_debt_is_forgotten),
        cmocka_unit_test(a_failing_disk_puts_off),
        cmocka_unit_test(a_push_is_divided),
        cmocka_unit_test(one_that_never_fits_is_refused),
        cmocka_unit_test(there_are_only_so_many_devices),
        cmocka_unit_test(no_chain_has_a_record_0),
        cmocka_unit_test(known_devices_are_verified),
        cmocka_unit_test(no_memory_loses_nothing),
        cmocka_unit_test(creation_without_memory_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

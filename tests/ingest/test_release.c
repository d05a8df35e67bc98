/* test_release.c - records of a quarantined device, kept apart and released. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/release.h"
#include "ingest/world.h"
#include "store/objects.h"
#include "support/temp_dir.h"

#define RECORD_COUNT 150u /* more than one commit's */

struct stage {
    struct eds_ledger *ledger;
    struct eds_registry *registry;
    struct eds_ingest *ingest;
    struct eds_ingest_config config;
    struct device device;
    struct eds_enrolment it;
    struct parcel *parcels;
    struct eds_release_report report;
    struct eds_error err;
};

/* Changes the device in the ledger and in the registry; ingest does not run. */
static void change(struct stage *stage)
{
    struct eds_roster_change one = {&stage->it, "changed", "alice", ""};

    if (stage->ledger->roster->change(stage->ledger, &one, 1, 1, &stage->err) != EDS_OK)
        fail_msg("%s", stage->err.text);
    assert_int_equal(stage->ledger->roster->find(stage->ledger, EDS_ROLE_DEVICE, stage->it.id,
                                                 &stage->it, &stage->err),
                     EDS_OK);
    assert_int_equal(eds_registry_put(stage->registry, &stage->it, &stage->err), EDS_OK);
}

static int set_stage(void **state)
{
    struct stage *stage = calloc(1, sizeof *stage);

    assert_non_null(stage);
    *state = stage;
    stage->parcels = calloc(RECORD_COUNT, sizeof *stage->parcels);
    stage->ledger = open_ledger("memory:");
    stage->registry = eds_registry_create();
    device_make(&stage->device, "lift-a", 1);
    strcpy(stage->it.id, "lift-a");
    stage->it.key_count = 1;
    device_key(&stage->device, stage->it.keys[0].public_key);
    stage->it.keys[0].not_after_ms = stage->it.keys[0].not_after_sequence = EDS_KEY_NO_END;
    stage->it.state = EDS_DEVICE_QUARANTINED;
    change(stage);
    stage->config =
        (struct eds_ingest_config){.ledger = stage->ledger, .registry = stage->registry};
    stage->ingest = start(&stage->config);
    return 0;
}

static int end_stage(void **state)
{
    struct stage *stage = *state;

    eds_ingest_stop(stage->ingest);
    stage->ledger->ops->close(stage->ledger);
    eds_registry_destroy(stage->registry);
    free(stage->parcels);
    free(stage);
    return 0;
}

static void send(struct stage *stage, unsigned first, unsigned count, enum eds_verdict verdict)
{
    for (unsigned i = first; i < first + count; i++)
        expect(stage->ingest, &stage->parcels[i], verdict, NULL);
}

/* Stops ingest, whose ledger this is, and releases what can be. */
static void release(struct stage *stage, uint64_t moved, uint64_t left)
{
    eds_ingest_stop(stage->ingest);
    stage->ingest = NULL;
    assert_int_equal(stage->ledger->roster->find(stage->ledger, EDS_ROLE_DEVICE, "lift-a",
                                                 &stage->it, &stage->err),
                     EDS_OK);
    stage->report = (struct eds_release_report){.moved = 0};
    if (eds_release_records(stage->ledger, &stage->it, 5, &stage->report, &stage->err) != EDS_OK)
        fail_msg("%s", stage->err.text);
    assert_int_equal(stage->report.moved, moved);
    assert_int_equal(stage->report.left, left);
}

static void make_records(struct stage *stage, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        device_next(&stage->device, &stage->parcels[i]);
}

static int32_t is_old(void *context, const struct eds_stored *stored)
{
    (void)context;
    assert_true(stored->ingested_ms > 5); /* when it came, not when it was released */
    return EDS_OK;
}

static void test_all_in_order(void **state)
{
    struct stage *stage = *state;
    struct eds_ledger_counts counts;

    make_records(stage, RECORD_COUNT);
    for (unsigned i = RECORD_COUNT; i > 0; i--) /* the other way round */
        expect(stage->ingest, &stage->parcels[i - 1], EDS_VERDICT_QUARANTINED,
               "device is quarantined: lift-a");
    send(stage, 0, 3, EDS_VERDICT_QUARANTINED); /* again: kept once */
    assert_int_equal(stored_count(stage->ledger, "lift-a"), 0);
    release(stage, RECORD_COUNT, 0);
    assert_int_equal(stored_count(stage->ledger, "lift-a"), RECORD_COUNT);
    assert_int_equal(stage->ledger->ops->scan(stage->ledger, NULL, is_old, NULL, NULL), EDS_OK);
    assert_int_equal(stage->ledger->ops->counts(stage->ledger, &counts, NULL), EDS_OK);
    assert_int_equal(counts.accepted, RECORD_COUNT);
    assert_int_equal(counts.quarantined, RECORD_COUNT + 3);
    release(stage, 0, 0);
    stage->ingest = start(&stage->config);
    send(stage, 0, 2, EDS_VERDICT_DUPLICATE); /* though the device is quarantined still */
}

/* A payload that was brought before is in the chain's store, not here: released, its
 * record has none in the ledger, and an empty payload is one. */
static void test_payload_elsewhere(void **state)
{
    struct stage *stage = *state;
    struct eds_objects *objects;
    struct parcel *p = stage->parcels;
    struct eds_object_put put = {.payload_size = PAYLOAD_SIZE};
    char dir[EDS_TEMP_DIR_SIZE], beside[EDS_TEMP_DIR_SIZE + 16];
    void *payload;
    size_t size;

    temp_dir_make(dir);
    snprintf(beside, sizeof beside, "%s/ledger.db", dir);
    assert_int_equal(eds_objects_open_beside(&objects, beside, false, &stage->err), EDS_OK);
    eds_ingest_stop(stage->ingest);
    stage->config.uploaded = objects;
    stage->ingest = start(&stage->config);
    make_records(stage, 2);
    p[0].submission.request.payload_absent = true;
    expect(stage->ingest, &p[0], EDS_VERDICT_PAYLOAD_ABSENT, "payload not found");
    put.payload = p[0].payload;
    memcpy(put.name.payload_hash, p[0].entry.record.payload_hash, EDS_HASH_SIZE);
    assert_int_equal(eds_objects_put_wait(objects, &put), EDS_OK);
    send(stage, 0, 2, EDS_VERDICT_QUARANTINED);
    release(stage, 2, 0);
    assert_int_equal(stage->ledger->ops->payload(stage->ledger,
                                                 (char *)p[0].entry.record.object_ref, &payload,
                                                 &size, &stage->err),
                     EDS_ERR_NOT_FOUND);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(eds_payload_get(stage->ledger, objects, &p[i].entry.record, &payload,
                                         &size, &stage->err),
                         EDS_OK);
        assert_int_equal(size, PAYLOAD_SIZE);
        assert_memory_equal(payload, p[i].payload, size);
        free(payload);
    }
    stage->config.uploaded = NULL;
    objects->ops->close(objects);
    temp_dir_remove(dir);
}

static void test_what_does_not_follow_stays(void **state)
{
    struct stage *stage = *state;

    make_records(stage, 6);
    send(stage, 0, 2, EDS_VERDICT_QUARANTINED);
    send(stage, 3, 3, EDS_VERDICT_QUARANTINED); /* the third is missing */
    release(stage, 2, 3);
    assert_string_equal(stage->report.first_left,
                        "invalid sequence for device=lift-a: expected=3 actual=4");
    stage->ingest = start(&stage->config);
    send(stage, 2, 1, EDS_VERDICT_QUARANTINED);
    release(stage, 4, 0);
    assert_int_equal(stored_count(stage->ledger, "lift-a"), 6);
}

/* Of two records under one sequence the one that came first goes on. */
static void test_fork(void **state)
{
    struct stage *stage = *state;
    struct parcel fork;

    make_records(stage, 2);
    parcel_fill(&fork, "lift-a", 1, NULL, NULL, stage->device.seed);
    send(stage, 0, 2, EDS_VERDICT_QUARANTINED);
    expect(stage->ingest, &fork, EDS_VERDICT_QUARANTINED, NULL);
    release(stage, 2, 1);
    assert_string_equal(stage->report.first_left, "conflicting record for device=lift-a "
                                                  "sequence=1: another record is already accepted");
}

static void test_two_that_want_one_reference(void **state)
{
    struct stage *stage = *state;
    struct parcel first, second;
    uint8_t hash[EDS_HASH_SIZE];

    parcel_fill(&first, "lift-a", 1, NULL, "ref", stage->device.seed);
    parcel_hash(&first, hash);
    parcel_fill(&second, "lift-a", 2, hash, "ref", stage->device.seed);
    expect(stage->ingest, &first, EDS_VERDICT_QUARANTINED, NULL);
    expect(stage->ingest, &second, EDS_VERDICT_QUARANTINED, NULL);
    release(stage, 1, 1);
    assert_string_equal(stage->report.first_left,
                        "object reference already taken for device=lift-a: ref");
}

static void test_a_key_revoked_meanwhile(void **state)
{
    struct stage *stage = *state;

    make_records(stage, 2);
    send(stage, 0, 2, EDS_VERDICT_QUARANTINED);
    eds_ingest_stop(stage->ingest);
    assert_int_equal(stage->ledger->roster->find(stage->ledger, EDS_ROLE_DEVICE, "lift-a",
                                                 &stage->it, &stage->err),
                     EDS_OK);
    stage->it.keys[0].revoked = true;
    change(stage);
    stage->ingest = start(&stage->config);
    release(stage, 0, 2);
    assert_string_equal(stage->report.first_left, "key revoked for device=lift-a");
}

static void forge_nothing(void *context)
{
    struct stage *stage = context;

    assert_int_equal(eds_registry_put(stage->registry, &stage->it, &stage->err), EDS_OK);
}

/* The device was released, and the server did not know yet: it asks, and the
 * record goes into the chain. */
static void test_released_just_then(void **state)
{
    struct stage *stage = *state;

    make_records(stage, 2);
    send(stage, 0, 1, EDS_VERDICT_QUARANTINED);
    release(stage, 1, 0);
    stage->it.state = EDS_DEVICE_ACTIVE;
    assert_int_equal(stage->ledger->roster->find(stage->ledger, EDS_ROLE_DEVICE, "lift-a",
                                                 &stage->it, &stage->err),
                     EDS_OK);
    stage->it.state = EDS_DEVICE_ACTIVE;
    struct eds_roster_change one = {&stage->it, "released", "alice", ""};
    assert_int_equal(stage->ledger->roster->change(stage->ledger, &one, 1, 1, &stage->err), EDS_OK);
    stage->config.refresh = forge_nothing;
    stage->config.refresh_context = stage;
    stage->ingest = start(&stage->config);
    send(stage, 1, 1, EDS_VERDICT_ACCEPTED);
    assert_int_equal(stored_count(stage->ledger, "lift-a"), 2);
}

/* Another node's release, all of it, while this server decides. */
static void release_elsewhere(struct stage *stage)
{
    struct eds_roster_change one = {&stage->it, "released", "alice", ""};

    assert_int_equal(stage->ledger->roster->find(stage->ledger, EDS_ROLE_DEVICE, "lift-a",
                                                 &stage->it, &stage->err),
                     EDS_OK);
    if (stage->it.state == EDS_DEVICE_ACTIVE)
        return;
    assert_int_equal(eds_release_records(stage->ledger, &stage->it, 5, &stage->report, &stage->err),
                     EDS_OK);
    assert_int_equal(stage->ledger->roster->find(stage->ledger, EDS_ROLE_DEVICE, "lift-a",
                                                 &stage->it, &stage->err),
                     EDS_OK);
    stage->it.state = EDS_DEVICE_ACTIVE;
    assert_int_equal(stage->ledger->roster->change(stage->ledger, &one, 1, 1, &stage->err), EDS_OK);
}

/* Two records are kept apart by another node; this one has heard nothing of it. */
static void start_unaware(struct stage *stage)
{
    make_records(stage, 3);
    send(stage, 0, 2, EDS_VERDICT_QUARANTINED);
    eds_ingest_stop(stage->ingest);
    stage->it.state = EDS_DEVICE_ACTIVE;
    assert_int_equal(eds_registry_put(stage->registry, &stage->it, &stage->err), EDS_OK);
    stage->ingest = start(&stage->config);
}

static void release_at_refresh(void *context)
{
    struct stage *stage = context;

    release_elsewhere(stage);
    assert_int_equal(eds_registry_put(stage->registry, &stage->it, &stage->err), EDS_OK);
}

/* They are released just when the registry is looked at: the record behind them is
 * put off, and not refused. */
static void test_released_at_refresh(void **state)
{
    struct stage *stage = *state;

    stage->config.refresh = release_at_refresh;
    stage->config.refresh_context = stage;
    start_unaware(stage);
    send(stage, 2, 1, EDS_VERDICT_STORE);
    send(stage, 2, 1, EDS_VERDICT_ACCEPTED);
}

static struct stage *racing;
static const struct eds_quarantine_ops *usual;

static int32_t next_after_release(struct eds_ledger *ledger, const char *device_id,
                                  struct eds_quarantine_place *place, struct eds_quarantined *out,
                                  struct eds_error *err)
{
    ledger->quarantine = usual;
    release_elsewhere(racing);
    return usual->next(ledger, device_id, place, out, err);
}

static const struct eds_quarantine_ops racing_ops = {.next = next_after_release};

/* They are released after the head was read, and before quarantine is looked at. */
static void test_released_behind_the_head(void **state)
{
    racing = *state;
    usual = racing->ledger->quarantine;
    start_unaware(racing);
    racing->ledger->quarantine = &racing_ops;
    send(racing, 2, 1, EDS_VERDICT_ACCEPTED);
}

/* A record that no release could take in is judged by the head of now, which another
 * node's release has moved; here the registry has heard nothing of it. */
static void test_judged_behind_a_release(void **state)
{
    struct stage *stage = *state;
    struct parcel impossible;

    make_records(stage, 2);
    send(stage, 0, 2, EDS_VERDICT_QUARANTINED);
    parcel_fill(&impossible, "lift-a", 0, NULL, NULL, stage->device.seed);
    expect(stage->ingest, &impossible, EDS_VERDICT_SEQUENCE,
           "invalid sequence for device=lift-a: expected=1 actual=0");
    release_elsewhere(stage);
    expect(stage->ingest, &impossible, EDS_VERDICT_SEQUENCE,
           "invalid sequence for device=lift-a: expected=3 actual=0");
}

static void test_forged_is_not_kept(void **state)
{
    struct stage *stage = *state;

    make_records(stage, 1);
    stage->parcels[0].entry.record.signature[3] ^= 1;
    send(stage, 0, 1, EDS_VERDICT_SIGNATURE);
    release(stage, 0, 0);
}

#define STAGE_TEST(test) cmocka_unit_test_setup_teardown(test, set_stage, end_stage)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(test_all_in_order),
        STAGE_TEST(test_payload_elsewhere),
        STAGE_TEST(test_what_does_not_follow_stays),
        STAGE_TEST(test_fork),
        STAGE_TEST(test_two_that_want_one_reference),
        STAGE_TEST(test_a_key_revoked_meanwhile),
        STAGE_TEST(test_released_just_then),
        STAGE_TEST(test_released_at_refresh),
        STAGE_TEST(test_released_behind_the_head),
        STAGE_TEST(test_judged_behind_a_release),
        STAGE_TEST(test_forged_is_not_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

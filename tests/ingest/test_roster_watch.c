/* test_roster_watch.c - a running ingest follows the registry in the store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/features.h"
#include "edgesentry/ed25519.h"
#include "ingest/roster_watch.h"
#include "ingest/world.h"

#define NOTICE_MS   1000u /* what is promised, and held where nothing else runs */
#define PATIENCE_MS 120000u

struct stage {
    char url[128];
    struct eds_ledger *ledger, *operators; /* the committer's, and another program's */
    struct eds_registry *registry;
    struct eds_ingest *ingest;
    struct eds_roster_watch *watch;
    struct device a, b;
};

static void change(struct stage *stage, struct eds_enrolment *it, const char *message)
{
    struct eds_roster_change one = {it, message, "alice", ""};
    struct eds_error err;

    if (stage->operators->roster->change(stage->operators, &one, 1, 1, &err) != EDS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(stage->operators->roster->find(stage->operators, it->role, it->id, it, &err),
                     EDS_OK);
}

static struct eds_enrolment enrol(struct stage *stage, const struct device *device)
{
    struct eds_enrolment it = {.key_count = 1};

    strcpy(it.id, device->id);
    device_key(device, it.keys[0].public_key);
    it.keys[0].not_after_ms = it.keys[0].not_after_sequence = EDS_KEY_NO_END;
    change(stage, &it, "device added");
    return it;
}

static int set_stage(void **state)
{
    struct stage *stage = calloc(1, sizeof *stage);
    struct eds_ingest_config config;
    struct eds_error err;

    assert_non_null(stage);
    *state = stage;
    if (!EDS_STORE_SQLITE)
        return 0;
    temporary_url(stage->url);
    stage->ledger = open_ledger(stage->url);
    stage->operators = open_ledger(stage->url);
    stage->registry = eds_registry_create();
    device_make(&stage->a, "lift-a", 1);
    device_make(&stage->b, "lift-b", 2);
    config = (struct eds_ingest_config){.ledger = stage->ledger, .registry = stage->registry};
    if (eds_roster_watch_create(&stage->watch, open_ledger(stage->url), stage->registry, &err) !=
        EDS_OK)
        fail_msg("%s", err.text);
    config.sightings = eds_roster_watch_sightings(stage->watch);
    stage->ingest = start(&config);
    assert_int_equal(eds_roster_watch_start(stage->watch, stage->ingest, &err), EDS_OK);
    return 0;
}

static int end_stage(void **state)
{
    struct stage *stage = *state;

    if (EDS_STORE_SQLITE) {
        eds_roster_watch_stop(stage->watch);
        eds_ingest_stop(stage->ingest);
        stage->ledger->ops->close(stage->ledger);
        stage->operators->ops->close(stage->operators);
        eds_registry_destroy(stage->registry);
        temporary_remove(stage->url);
    }
    free(stage);
    return 0;
}

/* Delivers copies of a parcel until they are answered so. */
static void await(struct stage *stage, const struct parcel *parcel, enum eds_verdict verdict)
{
    enum eds_verdict got = EDS_VERDICT_ACCEPTED;

    unsigned most_ms = getenv("EDS_TEST_TIMES") != NULL ? NOTICE_MS : PATIENCE_MS;

    for (unsigned waited_ms = 0; waited_ms <= most_ms; waited_ms += 10) {
        struct parcel copy = *parcel;

        copy.submission.request.entry = &copy.entry;
        copy.submission.request.payload = copy.payload;
        got = deliver(stage->ingest, &copy);
        if (got == verdict)
            return;
        usleep(10000);
    }
    fail_msg("%s instead of %s after %u ms", eds_verdict_name(got), eds_verdict_name(verdict),
             most_ms);
}

static void test_follows(void **state)
{
    struct stage *stage = *state;
    struct eds_enrolment it;
    struct parcel first, second, third, probe; /* probe: out of order, never accepted */

    NEEDS_SQLITE();
    parcel_fill(&probe, "lift-a", 9, NULL, NULL, stage->a.seed);
    device_next(&stage->a, &first);
    device_next(&stage->a, &second);
    device_next(&stage->a, &third);
    await(stage, &first, EDS_VERDICT_UNKNOWN_DEVICE);
    it = enrol(stage, &stage->a);
    await(stage, &first, EDS_VERDICT_ACCEPTED);
    it.keys[0].not_after_sequence = 1;
    change(stage, &it, "key ended");
    await(stage, &probe, EDS_VERDICT_KEY);
    assert_int_equal(deliver(stage->ingest, &second), EDS_VERDICT_KEY);
    it.keys[0].not_after_sequence = EDS_KEY_NO_END;
    change(stage, &it, "key again");
    await(stage, &second, EDS_VERDICT_ACCEPTED);
    it.state = EDS_DEVICE_REVOKED;
    change(stage, &it, "device revoked");
    await(stage, &probe, EDS_VERDICT_DEVICE_STATE);
    assert_int_equal(deliver(stage->ingest, &third), EDS_VERDICT_DEVICE_STATE);
    assert_int_equal(stored_count(stage->ledger, "lift-a"), 2);
}

/* An operator's key lets no device in. */
static void test_operators_are_no_devices(void **state)
{
    struct stage *stage = *state;
    struct eds_enrolment it = {.role = EDS_ROLE_OPERATOR, .key_count = 1};
    struct parcel first;
    struct eds_error err;

    NEEDS_SQLITE();
    strcpy(it.id, stage->b.id);
    device_key(&stage->b, it.keys[0].public_key);
    it.keys[0].not_after_ms = it.keys[0].not_after_sequence = EDS_KEY_NO_END;
    change(stage, &it, "operator added");
    device_next(&stage->b, &first);
    assert_int_equal(eds_roster_watch_refresh(stage->watch, &err), EDS_OK);
    assert_int_equal(deliver(stage->ingest, &first), EDS_VERDICT_UNKNOWN_DEVICE);
}

static void test_refresh_at_once(void **state)
{
    struct stage *stage = *state;
    struct parcel first;
    struct eds_error err;

    NEEDS_SQLITE();
    (void)enrol(stage, &stage->b);
    device_next(&stage->b, &first);
    assert_int_equal(eds_roster_watch_refresh(stage->watch, &err), EDS_OK);
    assert_int_equal(deliver(stage->ingest, &first), EDS_VERDICT_ACCEPTED);
}

/* An accepted note says which firmware runs, and the registry knows it soon. */
static void test_firmware_seen(void **state)
{
    static const char note[] = "{\"note\":\"firmware\",\"text\":\"7\"}";
    struct stage *stage = *state;
    struct eds_enrolment it;
    struct parcel parcel;
    struct eds_error err;

    NEEDS_SQLITE();
    (void)enrol(stage, &stage->b);
    assert_int_equal(eds_roster_watch_refresh(stage->watch, &err), EDS_OK);
    parcel_fill(&parcel, "lift-b", 1, NULL, NULL, stage->b.seed);
    assert_int_equal(eds_record_sign(&parcel.entry.record, "lift-b", 1, 5, note, sizeof note - 1,
                                     NULL, "edgesentry:note/lift-b/1", stage->b.seed, &err),
                     EDS_OK);
    parcel.submission.request.payload = note;
    parcel.submission.request.payload_size = sizeof note - 1;
    assert_int_equal(deliver(stage->ingest, &parcel), EDS_VERDICT_ACCEPTED);
    for (unsigned waited_ms = 0;; waited_ms += 10) {
        assert_int_equal(
            stage->operators->roster->find(stage->operators, EDS_ROLE_DEVICE, "lift-b", &it, &err),
            EDS_OK);
        if (strcmp(it.firmware, "7") == 0)
            return;
        assert_true(waited_ms < PATIENCE_MS);
        usleep(10000);
    }
}

/* A roster of many devices, of which the one visited as number change_at makes that
 * `changed_id` is revoked; the walk still has it as it was before. */
#define CROWD 2000u

struct crowd {
    struct eds_ledger ledger;
    struct eds_roster_ops roster;
    struct eds_registry *registry; /* of who watches */
    uint64_t version;
    size_t visited, known_at; /* known_at: when the registry knew; 0: not yet */
    size_t change_at;
    unsigned later_count; /* devices changed at once, changed_id the first */
    const char *changed_id;
};

static void crowd_device(struct eds_enrolment *out, unsigned number, uint64_t revision)
{
    uint8_t seed[EDS_SEED_SIZE] = {9};

    memset(out, 0, sizeof *out);
    memcpy(seed + 1, &number, sizeof number);
    snprintf(out->id, sizeof out->id, "crowd-%04u", number);
    eds_ed25519_public_key(out->keys[0].public_key, seed);
    out->keys[0].not_after_ms = out->keys[0].not_after_sequence = EDS_KEY_NO_END;
    out->key_count = 1;
    out->revision = revision;
}

static int32_t crowd_version(struct eds_ledger *ledger, uint64_t *out, struct eds_error *err)
{
    (void)err;
    *out = ((struct crowd *)ledger)->version;
    return EDS_OK;
}

/* Those that were changed while the others are being read. */
static int32_t visit_later(struct crowd *crowd, eds_roster_visit *visit, void *context)
{
    int32_t rc = EDS_OK;

    for (unsigned i = 0; rc == EDS_OK && i < crowd->later_count; i++) {
        struct eds_enrolment it;

        crowd_device(&it, CROWD - 1 - i, 2);
        it.state = EDS_DEVICE_REVOKED;
        rc = visit(context, &it);
    }
    return rc;
}

static int32_t crowd_changed(struct eds_ledger *ledger, uint64_t since, eds_roster_visit *visit,
                             void *context, struct eds_error *err)
{
    struct crowd *crowd = (struct crowd *)ledger;
    struct eds_device found;
    bool is_known;
    int32_t rc = EDS_OK;

    (void)err;
    if (since >= 1)
        return since == 1 && crowd->version == 2 ? visit_later(crowd, visit, context) : EDS_OK;
    for (unsigned i = 0; rc == EDS_OK && i < CROWD; i++) {
        struct eds_enrolment it;

        crowd_device(&it, i, 1);
        rc = visit(context, &it);
        if (++crowd->visited == crowd->change_at)
            crowd->version = 2;
        is_known = eds_registry_find(crowd->registry, crowd->changed_id, &found) == EDS_OK &&
                   found.state == EDS_DEVICE_REVOKED;
        if (is_known && crowd->known_at == 0)
            crowd->known_at = crowd->visited;
        assert_true(is_known == (crowd->known_at > 0)); /* once known, known */
    }
    return rc;
}

static void crowd_close(struct eds_ledger *ledger)
{
    (void)ledger;
}

static void read_crowd(struct crowd *crowd, unsigned later_count)
{
    static const struct eds_ledger_ops ops = {.close = crowd_close};
    struct eds_roster_watch *watch;
    struct eds_device found;
    struct eds_error err;

    *crowd = (struct crowd){.roster = {.version = crowd_version, .changed = crowd_changed},
                            .registry = eds_registry_create(),
                            .version = 1,
                            .change_at = 300,
                            .later_count = later_count,
                            .changed_id = "crowd-1999"};
    assert_non_null(crowd->registry);
    crowd->ledger.ops = &ops;
    crowd->ledger.roster = &crowd->roster;
    assert_int_equal(eds_roster_watch_create(&watch, &crowd->ledger, crowd->registry, &err),
                     EDS_OK);
    /* And the next reading takes what this one did not. */
    assert_int_equal(eds_roster_watch_refresh(watch, &err), EDS_OK);
    for (unsigned i = 0; i < later_count; i++) {
        char id[32];

        snprintf(id, sizeof id, "crowd-%04u", CROWD - 1 - i);
        assert_int_equal(eds_registry_find(crowd->registry, id, &found), EDS_OK);
        assert_int_equal(found.state, EDS_DEVICE_REVOKED);
    }
    assert_int_equal(eds_registry_count(crowd->registry), CROWD);
    eds_roster_watch_stop(watch);
    eds_registry_destroy(crowd->registry);
}

/* A device that is revoked while a fleet is read is not believed until its end, and
 * what the reading still has of it from before does not revive it. */
static void test_a_revocation_overtakes_a_fleet(void **state)
{
    struct crowd crowd;

    (void)state;
    read_crowd(&crowd, 1);
    assert_true(crowd.known_at > 300 && crowd.known_at <= 300 + 256);
    read_crowd(&crowd, 200);
    assert_true(crowd.known_at > 300 && crowd.known_at <= 300 + 256);
    read_crowd(&crowd, 1000); /* more than are taken ahead: the first of them are */
    assert_true(crowd.known_at > 300 && crowd.known_at <= 300 + 256);
}

#define STAGE_TEST(test) cmocka_unit_test_setup_teardown(test, set_stage, end_stage)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(test_follows),
        STAGE_TEST(test_operators_are_no_devices),
        STAGE_TEST(test_refresh_at_once),
        STAGE_TEST(test_firmware_seen),
        cmocka_unit_test(test_a_revocation_overtakes_a_fleet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

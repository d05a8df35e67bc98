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
#include "ingest/roster_watch.h"
#include "ingest/world.h"

#define NOTICE_MS 1000u /* what is promised */

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

    for (unsigned waited_ms = 0; waited_ms <= NOTICE_MS; waited_ms += 10) {
        struct parcel copy = *parcel;

        copy.submission.request.entry = &copy.entry;
        copy.submission.request.payload = copy.payload;
        got = deliver(stage->ingest, &copy);
        if (got == verdict)
            return;
        usleep(10000);
    }
    fail_msg("%s instead of %s after %u ms", eds_verdict_name(got), eds_verdict_name(verdict),
             NOTICE_MS);
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

#define STAGE_TEST(test) cmocka_unit_test_setup_teardown(test, set_stage, end_stage)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(test_follows),
        STAGE_TEST(test_operators_are_no_devices),
        STAGE_TEST(test_refresh_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

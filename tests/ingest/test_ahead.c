/* test_ahead.c - what many submissions of one sender get when he has them checked
 * first: what they would get otherwise, and before anybody else looks at them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "ingest/check_desks.h"
#include "ingest/held_objects.h"
#include "ingest/queue.h"
#include "ingest/scene.h"

#define ALL_MAX 8u

/* Submissions that go together. */
struct all {
    struct eds_submission *list[ALL_MAX];
    size_t count;
};

static void add(struct all *all, struct scene *s, struct parcel *parcel)
{
    tally_add(&s->tally, parcel);
    parcel->submission.is_checked = false;
    all->list[all->count++] = &parcel->submission;
}

static void add_next(struct all *all, struct scene *s, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        device_next(&s->a, &s->parcels[i]);
        add(all, s, &s->parcels[i]);
    }
}

/* Without tables that takes too long to be done ahead. */
static bool is_quick(void)
{
    return eds_verifier_get_level() != EDS_VERIFIER_LIBSODIUM;
}

static void submit(struct scene *s, struct all *all)
{
    eds_ingest_submit_ahead(s->ingest, all->list, all->count);
    tally_wait(&s->tally);
}

static void test_checked_by_who_brings_it(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;
    struct all all = {.count = 0};
    struct eds_ingest_counts counts;
    struct eds_meters_reading meters;

    add_next(&all, s, 2);
    parcel_fill(&p[2], "lift-b", 1, NULL, NULL, s->a.seed); /* by another's key */
    parcel_fill(&p[3], "nobody", 1, NULL, NULL, s->a.seed);
    device_next(&s->b, &p[4]);
    device_next(&s->b, &p[5]);
    p[5].payload[0] ^= 1;
    device_next(&s->a, &p[6]);
    for (unsigned i = 2; i < 7; i++)
        add(&all, s, &p[i]);
    eds_ingest_check_ahead(s->ingest, all.list, all.count);
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(p[i].submission.is_checked, is_quick());
    if (is_quick())
        answered(&p[2], EDS_VERDICT_SIGNATURE);
    assert_int_equal(s->tally.done, 0); /* nothing is decided */
    submit(s, &all);
    for (unsigned i = 0; i < 7; i++)
        answered(&p[i], i == 2   ? EDS_VERDICT_SIGNATURE
                        : i == 3 ? EDS_VERDICT_UNKNOWN_DEVICE
                        : i == 5 ? EDS_VERDICT_PAYLOAD_HASH
                                 : EDS_VERDICT_ACCEPTED);
    scene_stored(s, "lift-a", 3);
    scene_stored(s, "lift-b", 1);
    eds_ingest_counts(s->ingest, &counts);
    assert_int_equal(counts.accepted, 4);
    assert_int_equal(counts.rejected, 3);
    assert_int_equal(counts.by_verdict[EDS_VERDICT_SIGNATURE], 1);
    eds_ingest_meters(s->ingest, &meters);
    assert_int_equal(meters.answer.count, 7);
}

/* Behind the first that there is no room for, nothing goes in. */
static void test_no_room(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;
    struct all all = {.count = 0};
    struct eds_ingest_counts counts;

    s->config.queue_max = 5;
    scene_restart(s);
    batch_begin(s);
    add_next(&all, s, 6);
    eds_ingest_check_ahead(s->ingest, all.list, all.count);
    for (unsigned i = 0; i < 6; i++) /* that would be in vain */
        assert_false(p[i].submission.is_checked);
    eds_ingest_submit_ahead(s->ingest, all.list, all.count);
    answered(&p[5], EDS_VERDICT_OVERLOADED);
    eds_ingest_counts(s->ingest, &counts);
    assert_int_equal(counts.queued, 5);
    batch_end(s);
    for (unsigned i = 0; i < 5; i++)
        answered(&p[i], EDS_VERDICT_ACCEPTED);
    eds_ingest_counts(s->ingest, &counts);
    assert_int_equal(counts.commits, 2); /* one of them all */
}

/* Those of a device that follow each other take their tokens at once if the device may
 * send so many, else each by itself: the first ones go in. */
static void test_tokens(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    for (unsigned burst = 1; burst <= 6; burst++) {
        struct all all = {.count = 0};
        struct device after_last = s->a; /* after the last that went in */
        uint64_t stored = stored_count(s->inner, "lift-a");

        s->config.rate_per_device = (struct eds_rate){1, burst};
        scene_restart(s);
        for (unsigned i = 0; i < 6; i++) { /* two, and behind another's three more */
            device_next(i == 2 ? &s->b : &s->a, &p[i]);
            if (s->a.sequence <= stored + burst)
                after_last = s->a;
            add(&all, s, &p[i]);
        }
        eds_ingest_check_ahead(s->ingest, all.list, all.count);
        submit(s, &all);
        for (unsigned i = 0, sent = 0; i < 6; i++)
            if (i != 2)
                answered(&p[i], sent++ < burst ? EDS_VERDICT_ACCEPTED : EDS_VERDICT_RATE_LIMITED);
        answered(&p[2], EDS_VERDICT_ACCEPTED);
        s->a = after_last; /* the device goes on where its chain is */
        scene_stored(s, "lift-a", s->a.sequence);
    }
}

/* A batch may take its time to come: what is checked by then is judged by what is known
 * of its device when the last of it is there, and takes no second token for that. */
static void test_revoked_meanwhile(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;
    struct all all = {.count = 0};

    s->config.rate_per_device = (struct eds_rate){1, 2};
    scene_restart(s);
    add_next(&all, s, 2);
    for (unsigned i = 2; i < 4; i++) {
        device_next(&s->b, &p[i]);
        add(&all, s, &p[i]);
    }
    eds_ingest_check_ahead(s->ingest, all.list, all.count);
    assert_int_equal(eds_registry_set_state(s->registry, "lift-a", EDS_DEVICE_REVOKED), EDS_OK);
    submit(s, &all);
    answered(&p[0], EDS_VERDICT_DEVICE_STATE);
    answered(&p[1], EDS_VERDICT_DEVICE_STATE);
    answered(&p[2], EDS_VERDICT_ACCEPTED);
    answered(&p[3], EDS_VERDICT_ACCEPTED);
    scene_stored(s, "lift-a", 0);
    scene_stored(s, "lift-b", 2);
}

/* Nor is a server slow whose client is: an answer's time begins with the submission. */
static void test_time_of_answer(void **state)
{
    struct scene *s = *state;
    struct all all = {.count = 0};
    uint64_t now_ns;

    add_next(&all, s, 2);
    eds_ingest_check_ahead(s->ingest, all.list, all.count);
    now_ns = eds_queue_now_ns();
    submit(s, &all);
    for (unsigned i = 0; i < 2; i++)
        assert_true(s->parcels[i].submission.begun_ns >= now_ns);
}

/* A payload that did not come is looked for here as well. */
static void test_absent_payload(void **state)
{
    struct scene *s = *state;
    struct all all = {.count = 0};

    add_next(&all, s, 2);
    s->parcels[1].submission.request.payload_absent = true;
    s->parcels[1].submission.request.payload = NULL;
    s->parcels[1].submission.request.payload_size = 0;
    eds_ingest_check_ahead(s->ingest, all.list, all.count);
    submit(s, &all);
    answered(&s->parcels[0], EDS_VERDICT_ACCEPTED);
    answered(&s->parcels[1], EDS_VERDICT_PAYLOAD_ABSENT);
}

/* Where payloads have a store of their own, they are there first. */
static void test_payload_before_row(void **state)
{
    struct scene *s = *state;
    struct held_objects objects;
    struct all all = {.count = 0};

    held_make(&objects, true);
    s->config.objects = &objects.base;
    scene_restart(s);
    add_next(&all, s, 1);
    device_next(&s->b, &s->parcels[1]);
    s->parcels[1].entry.record.signature[0] ^= 1;
    add(&all, s, &s->parcels[1]);
    eds_ingest_check_ahead(s->ingest, all.list, all.count);
    eds_ingest_submit_ahead(s->ingest, all.list, all.count);
    held_answer(&objects, 0, EDS_OK);
    tally_wait(&s->tally);
    answered(&s->parcels[0], EDS_VERDICT_ACCEPTED);
    answered(&s->parcels[1], EDS_VERDICT_SIGNATURE);
    assert_int_equal(held_count(&objects), 1);
    s->config.objects = NULL;
    scene_restart(s);
    held_free(&objects);
}

/* There are no more desks than may be used at once. */
static void test_desks(void **state)
{
    struct eds_check_desks desks;
    struct eds_check_desk *one, *two;

    (void)state;
    assert_true(eds_check_desks_init(&desks, 2));
    one = eds_check_desks_take(&desks);
    two = eds_check_desks_take(&desks);
    assert_true(one != NULL && two != NULL && one != two);
    assert_null(eds_check_desks_take(&desks));
    eds_check_desks_give_back(&desks, one);
    assert_ptr_equal(eds_check_desks_take(&desks), one);
    eds_check_desks_give_back(&desks, two);
    eds_check_desks_give_back(&desks, one);
    eds_check_desks_free(&desks);
    assert_true(eds_check_desks_init(&desks, EDS_CHECK_DESKS_MAX + 1));
    assert_int_equal(desks.max, EDS_CHECK_DESKS_MAX);
    eds_check_desks_free(&desks);
}

#define SCENE_TEST(f) cmocka_unit_test_setup_teardown(f, scene_set, scene_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(test_checked_by_who_brings_it),
        SCENE_TEST(test_no_room),
        SCENE_TEST(test_tokens),
        SCENE_TEST(test_revoked_meanwhile),
        SCENE_TEST(test_time_of_answer),
        SCENE_TEST(test_absent_payload),
        SCENE_TEST(test_payload_before_row),
        cmocka_unit_test(test_desks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

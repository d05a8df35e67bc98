/* test_failures.c - the whole way in, with a ledger that fails or loses races:
 * what was accepted is stored, what was not can come again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "ingest/scene.h"
#include "support/vectors.h"

/* The original's scenario with a store that fails once: there the retry was a
 * "duplicate" of a record that nobody had. */
static void test_original_storage_failure(void **state)
{
    json_t *rows = vector_load("peer/storage_failure.json"), *row;
    size_t i, scenarios = 0;

    (void)state;
    json_array_foreach(rows, i, row)
    {
        void *fresh = NULL;
        struct scene *s;
        struct parcel *p;

        if (json_object_get(row, "store_that_fails_once") == NULL)
            continue; /* the offline buffer's */
        assert_non_null(strstr(vector_string(row, "seq1_retry"), "duplicate")); /* the loss */
        scenarios++;
        scene_set(&fresh);
        s = fresh;
        p = s->parcels;
        device_next(&s->a, &p[0]);
        device_next(&s->a, &p[1]);
        faulty_fail(&s->ledger, FAULTY_COMMIT, 1, 1, EDS_ERR_IO);
        expect(s->ingest, &p[0], EDS_VERDICT_STORE,
               "the record could not be stored: send it again");
        scene_stored(s, "lift-a", 0);
        expect(s->ingest, &p[0], EDS_VERDICT_ACCEPTED, "");
        expect(s->ingest, &p[1], EDS_VERDICT_ACCEPTED, "");
        scene_stored(s, "lift-a", 2);
        scene_end(&fresh);
    }
    assert_int_equal(scenarios, 3);
    json_decref(rows);
}

static void test_store_down_for_long(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    for (unsigned i = 0; i < 5; i++)
        device_next(&s->a, &p[i]);
    expect(s->ingest, &p[0], EDS_VERDICT_ACCEPTED, "");
    faulty_fail(&s->ledger, FAULTY_COMMIT, 1, UINT64_MAX, EDS_ERR_IO);
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 1; i < 5; i++)
            if (i == 1)
                expect(s->ingest, &p[i], EDS_VERDICT_STORE, NULL);
            else /* what is missing is missing, store or not */
                expect(s->ingest, &p[i], EDS_VERDICT_SEQUENCE, NULL);
    expect(s->ingest, &p[0], EDS_VERDICT_DUPLICATE, NULL); /* stored before: that holds */
    scene_stored(s, "lift-a", 1);
    faulty_heal(&s->ledger);
    for (unsigned i = 1; i < 5; i++)
        expect(s->ingest, &p[i], EDS_VERDICT_ACCEPTED, "");
    scene_stored(s, "lift-a", 5);
}

/* Nothing of a failed batch is answered by what was not stored. */
static void test_failed_batch(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    device_next(&s->b, &p[10]);
    expect(s->ingest, &p[10], EDS_VERDICT_ACCEPTED, "");
    batch_begin(s);
    for (unsigned i = 0; i < 3; i++) {
        device_next(&s->a, &p[i]);
        batch_add(s, &p[i]);
    }
    p[3] = p[0];
    batch_add(s, &p[3]); /* a duplicate of a pending record */
    parcel_fill(&p[4], "lift-a", 1, NULL, NULL, s->a.seed);
    batch_add(s, &p[4]); /* a conflict with one */
    parcel_fill(&p[5], "lift-a", 9, s->a.record_hash, NULL, s->a.seed);
    batch_add(s, &p[5]); /* a gap after one */
    p[6] = p[10];
    batch_add(s, &p[6]); /* a duplicate of a stored record */
    parcel_fill(&p[7], "lift-b", 1, NULL, NULL, s->b.seed);
    batch_add(s, &p[7]); /* a conflict with one: evidence that is not kept */
    parcel_fill(&p[8], "lift-b", 5, NULL, NULL, s->b.seed);
    batch_add(s, &p[8]); /* a gap after one */
    parcel_fill(&p[9], "lift-b", 2, s->b.record_hash, NULL, s->a.seed);
    batch_add(s, &p[9]); /* not signed by b */
    parcel_fill(&p[11], "lift-b", 2, s->b.record_hash, (const char *)p[2].entry.record.object_ref,
                s->b.seed);
    batch_add(s, &p[11]); /* a reference taken by a pending record */
    faulty_fail(&s->ledger, FAULTY_COMMIT, 2, 1, EDS_ERR_IO);
    batch_end(s);
    answered(&s->plug_parcel, EDS_VERDICT_ACCEPTED);
    for (unsigned i = 0; i < 6; i++)
        answered(&p[i], EDS_VERDICT_STORE);
    answered(&p[6], EDS_VERDICT_DUPLICATE);
    answered(&p[7], EDS_VERDICT_STORE);
    answered(&p[8], EDS_VERDICT_SEQUENCE);
    answered(&p[9], EDS_VERDICT_SIGNATURE);
    answered(&p[11], EDS_VERDICT_STORE);
    scene_stored(s, "lift-a", 0);
    assert_int_equal(scene_counts(s).conflicts, 0);
    for (unsigned i = 0; i < 3; i++)
        expect(s->ingest, &p[i], EDS_VERDICT_ACCEPTED, "");
    expect(s->ingest, &p[3], EDS_VERDICT_DUPLICATE, NULL);
    expect(s->ingest, &p[4], EDS_VERDICT_CONFLICT, NULL);
    expect(s->ingest, &p[7], EDS_VERDICT_CONFLICT, NULL);
    expect(s->ingest, &p[11], EDS_VERDICT_OBJECT_TAKEN, NULL);
    assert_int_equal(scene_counts(s).conflicts, 2);
}

/* A look-up that fails stops its device for the batch, and nobody else. */
static void test_failed_lookups(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    batch_begin(s);
    faulty_fail(&s->ledger, FAULTY_HEAD, 1, 1, EDS_ERR_IO);
    for (unsigned i = 0; i < 3; i++) {
        device_next(&s->a, &p[i]);
        batch_add(s, &p[i]);
    }
    device_next(&s->b, &p[3]);
    batch_add(s, &p[3]);
    batch_end(s);
    for (unsigned i = 0; i < 3; i++)
        answered(&p[i], EDS_VERDICT_STORE);
    answered(&p[3], EDS_VERDICT_ACCEPTED);
    batch_begin(s);
    faulty_fail(&s->ledger, FAULTY_COMMIT, 2, 1, EDS_ERR_HEAD_MOVED); /* so that it is asked */
    faulty_fail(&s->ledger, FAULTY_OBJECT, 2, 1, EDS_ERR_BUSY);       /* at a's second record */
    for (unsigned i = 0; i < 3; i++)
        batch_add(s, &p[i]);
    device_next(&s->b, &p[4]);
    batch_add(s, &p[4]);
    batch_end(s);
    answered(&p[0], EDS_VERDICT_ACCEPTED);
    answered(&p[1], EDS_VERDICT_STORE);
    answered(&p[2], EDS_VERDICT_STORE);
    answered(&p[4], EDS_VERDICT_ACCEPTED);
    batch_begin(s);
    faulty_fail(&s->ledger, FAULTY_RECORD_HASH, 1, 1, EDS_ERR_NO_MEMORY);
    for (unsigned i = 0; i < 3; i++)
        batch_add(s, &p[i]);
    p[5] = p[3];
    batch_add(s, &p[5]);
    batch_end(s);
    for (unsigned i = 0; i < 3; i++)
        answered(&p[i], EDS_VERDICT_STORE);
    answered(&p[5], EDS_VERDICT_DUPLICATE);
    expect(s->ingest, &p[0], EDS_VERDICT_DUPLICATE, NULL);
    expect(s->ingest, &p[1], EDS_VERDICT_ACCEPTED, "");
    expect(s->ingest, &p[2], EDS_VERDICT_ACCEPTED, "");
    scene_stored(s, "lift-a", 3);
    scene_stored(s, "lift-b", 2);
}

/* The commit was made, but the answer got lost: the head in memory is too old,
 * and the retry must be found to be a duplicate. */
static void test_failed_after_the_fact(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    for (unsigned i = 0; i < 3; i++)
        device_next(&s->a, &p[i]);
    expect(s->ingest, &p[0], EDS_VERDICT_ACCEPTED, "");
    faulty_fail_after_the_fact(&s->ledger);
    expect(s->ingest, &p[1], EDS_VERDICT_STORE, NULL);
    scene_stored(s, "lift-a", 2);
    expect(s->ingest, &p[1], EDS_VERDICT_DUPLICATE, NULL);
    expect(s->ingest, &p[2], EDS_VERDICT_ACCEPTED, "");
}

/* A race that is lost a few times is decided again, without anyone noticing. */
static void test_lost_races(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    for (unsigned lost = 1; lost <= 3; lost++) {
        batch_begin(s);
        for (unsigned i = 0; i < 4; i++) {
            device_next(i % 2 == 0 ? &s->a : &s->b, &p[i]);
            batch_add(s, &p[i]);
        }
        p[4] = p[0];
        batch_add(s, &p[4]);
        faulty_fail(&s->ledger, FAULTY_COMMIT, 2, lost, EDS_ERR_HEAD_MOVED);
        batch_end(s);
        for (unsigned i = 0; i < 4; i++)
            answered(&p[i], EDS_VERDICT_ACCEPTED);
        answered(&p[4], EDS_VERDICT_DUPLICATE);
        scene_stored(s, "lift-a", 2 * lost);
        scene_stored(s, "lift-b", 2 * lost);
    }
    faulty_fail(&s->ledger, FAULTY_COMMIT, 1, UINT64_MAX, EDS_ERR_HEAD_MOVED);
    device_next(&s->a, &p[0]);
    expect(s->ingest, &p[0], EDS_VERDICT_STORE, NULL);
    faulty_heal(&s->ledger);
    expect(s->ingest, &p[0], EDS_VERDICT_ACCEPTED, "");
}

/* Deciding again takes no second line for the same rejection. */
static void test_lost_races_count_once(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;
    struct eds_ingest_counts counts;

    s->config.rejections_logged_per_second = 3;
    scene_restart(s);
    device_next(&s->a, &p[0]);
    expect(s->ingest, &p[0], EDS_VERDICT_ACCEPTED, "");
    batch_begin(s);
    for (unsigned i = 1; i < 4; i++) {
        p[i] = p[0];
        batch_add(s, &p[i]);
    }
    device_next(&s->a, &p[4]);
    batch_add(s, &p[4]);
    faulty_fail(&s->ledger, FAULTY_COMMIT, 2, 3, EDS_ERR_HEAD_MOVED);
    batch_end(s);
    for (unsigned i = 1; i < 4; i++)
        answered(&p[i], EDS_VERDICT_DUPLICATE);
    answered(&p[4], EDS_VERDICT_ACCEPTED);
    eds_ingest_counts(s->ingest, &counts);
    assert_int_equal(counts.unlisted, 0);
    assert_int_equal(counts.duplicate, 3);
    assert_int_equal(scene_counts(s).operations, 6);
}

/* A record that the ledger will not have holds up its device and no other. */
static void test_poison(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    batch_begin(s);
    for (unsigned i = 0; i < 20; i++) {
        device_next(i % 2 == 0 ? &s->a : &s->b, &p[i]);
        if (i == 6)
            faulty_poison(&s->ledger, (const char *)p[i].entry.record.object_ref);
        batch_add(s, &p[i]);
    }
    batch_end(s);
    for (unsigned i = 0; i < 20; i++)
        answered(&p[i], i % 2 == 0 && i >= 6 ? EDS_VERDICT_STORE : EDS_VERDICT_ACCEPTED);
    scene_stored(s, "lift-a", 3);
    scene_stored(s, "lift-b", 10);
    faulty_poison(&s->ledger, NULL);
    for (unsigned i = 6; i < 20; i += 2)
        expect(s->ingest, &p[i], EDS_VERDICT_ACCEPTED, "");
}

#define SCENE_TEST(f) cmocka_unit_test_setup_teardown(f, scene_set, scene_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_original_storage_failure),
        SCENE_TEST(test_store_down_for_long),
        SCENE_TEST(test_failed_batch),
        SCENE_TEST(test_failed_lookups),
        SCENE_TEST(test_failed_after_the_fact),
        SCENE_TEST(test_lost_races),
        SCENE_TEST(test_lost_races_count_once),
        SCENE_TEST(test_poison),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

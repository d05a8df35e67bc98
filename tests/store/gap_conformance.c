/* gap_conformance.c - see gap_conformance.h.  Written from store/gaps.h alone. */
#include "store/gap_conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "store/gap_sample.h"
#include "store/ledger_fixture.h"
#include "store/ledger_dump.h"
#include "store/roster_sample.h"

#define NOW_MS UINT64_C(1795305600123)

struct scene {
    struct eds_ledger *ledger;
    struct batch *batch;
    struct chain lift; /* "lift-01", with records 1 to 3 */
    uint64_t alice;    /* her revision */
    struct eds_error err;
};

static void must_commit(struct scene *scene)
{
    if (scene->ledger->ops->commit(scene->ledger, &scene->batch->commit, &scene->err) != EDS_OK)
        fail_msg("%s", scene->err.text);
    batch_clear(scene->batch);
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    assert_non_null(scene);
    scene->ledger = ledger_fixture_open();
    scene->batch = batch_new(NOW_MS);
    scene->lift = chain_of("lift-01");
    scene->alice = gap_add_operator(scene->ledger);
    for (int i = 0; i < 3; i++)
        batch_attest(batch_append(scene->batch, &scene->lift));
    must_commit(scene);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    ledger_fixture_close(scene->ledger);
    batch_free(scene->batch);
    free(scene);
    return 0;
}

static int32_t close_gap(struct scene *scene, const struct eds_gap *gap)
{
    return gap_close(scene->ledger, gap, scene->alice, &scene->err);
}

static void must_close(struct scene *scene, struct chain *chain, const struct eds_gap *gap)
{
    if (close_gap(scene, gap) != EDS_OK)
        fail_msg("%s", scene->err.text);
    gap_move_on(chain, gap);
}

static void expect_head(struct scene *scene, const struct chain *chain, bool attested)
{
    struct eds_head head;

    assert_int_equal(scene->ledger->ops->head(scene->ledger, chain->device_id, &head, &scene->err),
                     EDS_OK);
    assert_int_equal(head.sequence, chain->sequence);
    assert_memory_equal(head.record_hash, chain->record_hash, EDS_HASH_SIZE);
    assert_int_equal(head.attested, attested);
}

static void expect_next(struct scene *scene, const char *device_id, struct eds_gap_place *place,
                        const struct eds_gap *wanted)
{
    struct eds_gap found;

    memset(&found, 0xaa, sizeof found);
    if (scene->ledger->gaps->next(scene->ledger, device_id, place, &found, &scene->err) != EDS_OK)
        fail_msg("%s", scene->err.text);
    assert_memory_equal(&found, wanted, sizeof found);
    assert_string_equal(place->device_id, wanted->device_id);
}

static void expect_end(struct scene *scene, const char *device_id, struct eds_gap_place *place)
{
    struct eds_gap found;

    assert_int_equal(
        scene->ledger->gaps->next(scene->ledger, device_id, place, &found, &scene->err),
        EDS_ERR_NOT_FOUND);
}

/* A record behind the head as it was before the gap, of a copy of the chain. */
static void expect_stale(struct scene *scene, struct chain stale)
{
    batch_append(scene->batch, &stale);
    assert_int_equal(scene->ledger->ops->commit(scene->ledger, &scene->batch->commit, &scene->err),
                     EDS_ERR_HEAD_MOVED);
    batch_clear(scene->batch);
}

/* The head moves over it, the next record follows, and what is missing is free of
 * records: not there, and not to be had. */
static void test_chain_goes_on(void **state)
{
    struct scene *scene = *state;
    struct eds_gap gap = gap_sample(&scene->lift, 9, 1);
    struct chain stale = scene->lift;
    struct eds_gap_place place = {.id = 0};
    struct eds_ledger_counts counts;
    uint8_t hash[EDS_HASH_SIZE];

    must_close(scene, &scene->lift, &gap);
    expect_head(scene, &scene->lift, true);
    expect_stale(scene, stale); /* 4, which the gap is over */
    batch_append(scene->batch, &scene->lift);
    batch_append(scene->batch, &scene->lift);
    must_commit(scene);
    expect_head(scene, &scene->lift, true);
    assert_int_equal(scene->lift.sequence, 10);
    for (uint64_t sequence = 1; sequence <= 12; sequence++) {
        bool is_there = sequence <= 3 || sequence == 9 || sequence == 10;

        assert_int_equal(
            scene->ledger->ops->record_hash(scene->ledger, "lift-01", sequence, hash, &scene->err),
            is_there ? EDS_OK : EDS_ERR_NOT_FOUND);
    }
    expect_stale(scene, stale);
    expect_next(scene, "lift-01", &place, &gap);
    expect_end(scene, "lift-01", &place);
    assert_int_equal(scene->ledger->ops->counts(scene->ledger, &counts, &scene->err), EDS_OK);
    assert_int_equal(counts.records, 5);
    assert_int_equal(counts.changed, 2); /* the operator, and the gap */
}

/* A line in the operation log says who and why. */
static void test_line(void **state)
{
    struct scene *scene = *state;
    struct eds_gap gap = gap_sample(&scene->lift, 9, 1);
    char *text;

    must_close(scene, &scene->lift, &gap);
    text = ledger_dump(scene->ledger, &scene->err);
    assert_non_null(text);
    assert_non_null(strstr(text, "operation changed lift-01 9 1795305600123 gap closed who=alice "
                                 "why=flash replaced\n"));
    free(text);
}

/* Where a device's first records are missing there is no head yet. */
static void test_before_the_first(void **state)
{
    struct scene *scene = *state;
    struct chain crane = chain_of("crane-07");
    struct eds_gap gap = gap_sample(&crane, 5, 2);

    must_close(scene, &crane, &gap);
    expect_head(scene, &crane, false);
    batch_append(scene->batch, &crane);
    must_commit(scene);
    expect_head(scene, &crane, false);
    assert_int_equal(crane.sequence, 5);
}

/* A gap begins where the head is, and nowhere else. */
static void test_only_at_the_head(void **state)
{
    struct scene *scene = *state;
    struct chain elsewhere = scene->lift;
    struct eds_gap gap = gap_sample(&scene->lift, 9, 1), wrong = gap;
    struct eds_gap_place place = {.id = 0};

    wrong.last_sequence = 2;
    assert_int_equal(close_gap(scene, &wrong), EDS_ERR_HEAD_MOVED);
    wrong = gap;
    wrong.last_record_hash[31] ^= 1;
    assert_int_equal(close_gap(scene, &wrong), EDS_ERR_HEAD_MOVED);
    elsewhere.sequence = 0;
    memset(elsewhere.record_hash, 0, sizeof elsewhere.record_hash);
    wrong = gap_sample(&elsewhere, 9, 1);
    assert_int_equal(close_gap(scene, &wrong), EDS_ERR_HEAD_MOVED);
    wrong = gap;
    strcpy(wrong.device_id, "lift-02");
    assert_int_equal(close_gap(scene, &wrong), EDS_ERR_HEAD_MOVED);
    expect_end(scene, NULL, &place);
    expect_head(scene, &scene->lift, true);
    must_close(scene, &scene->lift, &gap);
    assert_int_equal(close_gap(scene, &gap), EDS_ERR_HEAD_MOVED); /* once */
    place = (struct eds_gap_place){.id = 0};
    expect_next(scene, NULL, &place, &gap);
    expect_end(scene, NULL, &place);
}

/* Of an operator as he was when his key was looked at. */
static void test_only_by_the_operator(void **state)
{
    struct scene *scene = *state;
    struct eds_gap gap = gap_sample(&scene->lift, 9, 1), wrong = gap;
    struct eds_enrolment alice;

    assert_int_equal(gap_close(scene->ledger, &gap, scene->alice + 1, &scene->err),
                     EDS_ERR_HEAD_MOVED);
    strcpy(wrong.operator_name, "bob");
    assert_int_equal(close_gap(scene, &wrong), EDS_ERR_HEAD_MOVED);
    assert_int_equal(
        scene->ledger->roster->find(scene->ledger, EDS_ROLE_OPERATOR, "alice", &alice, &scene->err),
        EDS_OK);
    alice.state = EDS_DEVICE_REVOKED;
    sample_must_put(scene->ledger, &alice, "operator revoked");
    assert_int_equal(close_gap(scene, &gap), EDS_ERR_HEAD_MOVED);
    expect_head(scene, &scene->lift, true);
    alice = sample_device("bob", 99); /* a device of the operator's name */
    sample_must_put(scene->ledger, &alice, "device added");
    assert_int_equal(gap_close(scene->ledger, &wrong, alice.revision, &scene->err),
                     EDS_ERR_HEAD_MOVED);
}

static void test_no_gap_at_all(void **state)
{
    struct scene *scene = *state;
    struct eds_gap gap = gap_sample(&scene->lift, 3, 1);

    assert_int_equal(close_gap(scene, &gap), EDS_ERR_USAGE);
    gap = gap_sample(&scene->lift, 9, 1);
    gap.reason[0] = '\0';
    assert_int_equal(close_gap(scene, &gap), EDS_ERR_USAGE);
    memset(gap.reason, 'x', sizeof gap.reason);
    assert_int_equal(close_gap(scene, &gap), EDS_ERR_STRING_TOO_LONG);
    expect_head(scene, &scene->lift, true);
}

/* One behind the other, also without a record in between, and also a correction
 * that ends at the same sequence with another hash; at the last number there is,
 * with the longest texts. */
static void test_many(void **state)
{
    struct scene *scene = *state;
    struct chain crane = chain_of("crane-07"), last = chain_of("\xc3\xa9lan");
    struct eds_gap gaps[5];
    struct eds_gap_place place = {.id = 0};

    gaps[0] = gap_sample(&scene->lift, 9, 1);
    must_close(scene, &scene->lift, &gaps[0]);
    gaps[1] = gap_sample(&crane, 2, 2);
    must_close(scene, &crane, &gaps[1]);
    gaps[2] = gap_sample(&scene->lift, 9, 3);
    must_close(scene, &scene->lift, &gaps[2]);
    batch_append(scene->batch, &scene->lift);
    must_commit(scene);
    gaps[3] = gap_sample(&scene->lift, 12, 4);
    must_close(scene, &scene->lift, &gaps[3]);
    gaps[4] = gap_sample(&last, UINT64_MAX, 5);
    gaps[4].closed_ms = UINT64_MAX;
    memset(gaps[4].reason, 'r', sizeof gaps[4].reason - 1);
    must_close(scene, &last, &gaps[4]);
    expect_head(scene, &last, false);
    expect_next(scene, NULL, &place, &gaps[1]);
    expect_next(scene, NULL, &place, &gaps[0]);
    expect_next(scene, NULL, &place, &gaps[2]);
    expect_next(scene, NULL, &place, &gaps[3]);
    expect_next(scene, NULL, &place, &gaps[4]);
    expect_end(scene, NULL, &place);
    place = (struct eds_gap_place){.id = 0};
    expect_next(scene, "lift-01", &place, &gaps[0]);
    expect_next(scene, "lift-01", &place, &gaps[2]);
    expect_next(scene, "lift-01", &place, &gaps[3]);
    expect_end(scene, "lift-01", &place);
    place = (struct eds_gap_place){.id = 0};
    expect_end(scene, "nobody", &place);
}

#define SCENE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int gap_conformance_run(const char *name, struct eds_ledger *(*open)(void), void (*clean)(void))
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(test_chain_goes_on),
        SCENE_TEST(test_line),
        SCENE_TEST(test_before_the_first),
        SCENE_TEST(test_only_at_the_head),
        SCENE_TEST(test_only_by_the_operator),
        SCENE_TEST(test_no_gap_at_all),
        SCENE_TEST(test_many),
    };

    ledger_fixture_use(open, clean);
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

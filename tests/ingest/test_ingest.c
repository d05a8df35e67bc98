/* test_ingest.c - the whole way in: batches, restarts, several nodes, bounds and
 * stopping.  What fails is in test_failures.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ingest/queue.h"
#include "ingest/scene.h"

#define SECOND_NS 1000000000u

/* Everything that records of one batch can do to each other, in one commit. */
static void test_one_batch(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;
    struct device fork;
    uint64_t commits;

    batch_begin(s);
    commits = faulty_calls(&s->ledger, FAULTY_COMMIT);
    for (unsigned i = 0; i < 3; i++) {
        device_next(&s->a, &p[i]);
        batch_add(s, &p[i]);
    }
    p[3] = p[1];
    batch_add(s, &p[3]); /* the same again */
    device_make(&fork, "lift-a", 1);
    device_next(&fork, &p[4]);
    batch_add(s, &p[4]); /* another first record */
    parcel_fill(&p[5], "lift-b", 1, NULL, (const char *)p[0].entry.record.object_ref, s->b.seed);
    batch_add(s, &p[5]); /* a reference that is taken a moment ago */
    device_next(&s->b, &p[6]);
    batch_add(s, &p[6]);
    parcel_fill(&p[7], "lift-a", 5, s->a.record_hash, NULL, s->a.seed);
    batch_add(s, &p[7]); /* a gap after what is pending */
    batch_end(s);
    for (unsigned i = 0; i < 3; i++)
        answered(&p[i], EDS_VERDICT_ACCEPTED);
    answered(&p[3], EDS_VERDICT_DUPLICATE);
    answered(&p[4], EDS_VERDICT_CONFLICT);
    answered(&p[5], EDS_VERDICT_OBJECT_TAKEN);
    answered(&p[6], EDS_VERDICT_ACCEPTED);
    answered(&p[7], EDS_VERDICT_SEQUENCE);
    assert_string_equal(p[7].submission.message,
                        "invalid sequence for device=lift-a: expected=4 actual=5");
    assert_int_equal(faulty_calls(&s->ledger, FAULTY_COMMIT), commits + 2); /* the plug's, ours */
    scene_stored(s, "lift-a", 3);
    scene_stored(s, "lift-b", 1);
    assert_int_equal(scene_counts(s).conflicts, 1);
    assert_int_equal(scene_counts(s).operations, 9);
}

/* The same payload under the same reference is no clash. */
static void test_shared_reference(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    batch_begin(s);
    parcel_fill(&p[0], "lift-a", 1, NULL, "shared", s->a.seed);
    memcpy(p[1].payload, p[0].payload, PAYLOAD_SIZE);
    p[1].submission.request = (struct eds_request){
        .entry = &p[1].entry, .payload = p[1].payload, .payload_size = PAYLOAD_SIZE};
    assert_int_equal(eds_record_sign(&p[1].entry.record, "lift-b", 1, 7, p[1].payload, PAYLOAD_SIZE,
                                     NULL, "shared", s->b.seed, NULL),
                     EDS_OK);
    batch_add(s, &p[0]);
    batch_add(s, &p[1]);
    batch_end(s);
    answered(&p[0], EDS_VERDICT_ACCEPTED);
    answered(&p[1], EDS_VERDICT_ACCEPTED);
    parcel_fill(&p[2], "plug", 2, s->plug.record_hash, "shared", s->plug.seed);
    expect(s->ingest, &p[2], EDS_VERDICT_OBJECT_TAKEN,
           "object reference already taken for device=plug: shared");
}

/* Two nodes on one file take a device's records in turns: each finds out from
 * the ledger what the other has done. */
static void test_two_nodes(void **state)
{
    struct scene *s = *state;
    struct eds_ledger *ledgers[2];
    struct eds_ingest *nodes[2];
    struct parcel *p = s->parcels;
    char url[128];

    NEEDS_SQLITE();
    temporary_url(url);
    for (unsigned i = 0; i < 2; i++) {
        s->config.ledger = ledgers[i] = open_ledger(url);
        nodes[i] = start(&s->config);
    }
    for (unsigned i = 0; i < 30; i++) {
        unsigned node = i % 3 == 0 ? 0 : 1;

        device_next(&s->a, &p[i]);
        if (i >= 10)
            parcel_attest(&p[i], s->a.seed);
        expect(nodes[node], &p[i], EDS_VERDICT_ACCEPTED, "");
        expect(nodes[1 - node], &p[i], EDS_VERDICT_DUPLICATE, NULL);
    }
    /* The ratchet is the ledger's: a node that has seen nothing knows it too. */
    parcel_fill(&p[30], "lift-a", 31, s->a.record_hash, NULL, s->a.seed);
    for (unsigned i = 0; i < 2; i++)
        expect(nodes[i], &p[30], EDS_VERDICT_ATTESTATION_ABSENT,
               "missing attestation for device=lift-a");
    /* One node knows b's first record; the second, not attested, goes to the other,
     * and comes again to the first when b must attest: still a duplicate. */
    device_next(&s->b, &p[31]);
    device_next(&s->b, &p[32]);
    expect(nodes[0], &p[31], EDS_VERDICT_ACCEPTED, "");
    expect(nodes[1], &p[32], EDS_VERDICT_ACCEPTED, "");
    device_register(&s->b, s->registry, true);
    expect(nodes[0], &p[32], EDS_VERDICT_DUPLICATE, NULL);
    for (unsigned i = 0; i < 2; i++)
        eds_ingest_stop(nodes[i]);
    assert_int_equal(stored_count(ledgers[0], "lift-a"), 30);
    for (unsigned i = 0; i < 2; i++)
        ledgers[i]->ops->close(ledgers[i]);
    temporary_remove(url);
    s->config.ledger = &s->ledger.base;
}

static void test_restart(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;
    struct eds_ledger *ledger;
    char url[128];

    NEEDS_SQLITE();
    temporary_url(url);
    for (unsigned i = 0; i < 3; i++)
        device_next(&s->a, &p[i]);
    parcel_attest(&p[1], s->a.seed);
    parcel_fill(&p[3], "lift-a", 1, NULL, NULL, s->a.seed);
    parcel_attest(&p[3], s->a.seed);
    for (unsigned i = 0; i < 3; i++) {
        s->config.ledger = ledger = open_ledger(url);
        scene_restart(s);
        if (i < 2)
            expect(s->ingest, &p[i], EDS_VERDICT_ACCEPTED, "");
        else
            expect(s->ingest, &p[2], EDS_VERDICT_ATTESTATION_ABSENT, NULL);
        if (i == 2) {
            parcel_attest(&p[2], s->a.seed);
            expect(s->ingest, &p[2], EDS_VERDICT_ACCEPTED, "");
        }
        for (unsigned j = 0; j <= i; j++) /* p[0] without what is required by now */
            expect(s->ingest, &p[j], EDS_VERDICT_DUPLICATE, NULL);
        expect(s->ingest, &p[3], EDS_VERDICT_CONFLICT, NULL);
        s->config.ledger = &s->ledger.base;
        scene_restart(s);
        assert_int_equal(stored_count(ledger, "lift-a"), i + 1);
        ledger->ops->close(ledger);
    }
    temporary_remove(url);
}

static void test_registry_requires_attestation(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    device_next(&s->a, &p[0]);
    expect(s->ingest, &p[0], EDS_VERDICT_ACCEPTED, "");
    device_register(&s->a, s->registry, true);
    device_next(&s->a, &p[1]);
    expect(s->ingest, &p[1], EDS_VERDICT_ATTESTATION_ABSENT,
           "missing attestation for device=lift-a");
    expect(s->ingest, &p[0], EDS_VERDICT_DUPLICATE, NULL);
    parcel_fill(&p[2], "lift-a", 1, NULL, NULL, s->a.seed);
    expect(s->ingest, &p[2], EDS_VERDICT_ATTESTATION_ABSENT, NULL); /* no conflict: no flag */
    parcel_attest(&p[1], s->a.seed);
    expect(s->ingest, &p[1], EDS_VERDICT_ACCEPTED, "");
    assert_int_equal(scene_counts(s).conflicts, 0);
}

static void test_state_changes(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    device_next(&s->a, &p[0]);
    eds_registry_set_state(s->registry, "lift-a", EDS_DEVICE_REVOKED);
    expect(s->ingest, &p[0], EDS_VERDICT_DEVICE_STATE, "device is revoked: lift-a");
    eds_registry_set_state(s->registry, "lift-a", EDS_DEVICE_ACTIVE);
    expect(s->ingest, &p[0], EDS_VERDICT_ACCEPTED, "");
}

static void test_queue_full(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;
    struct eds_ingest_counts counts;

    s->config.queue_max = 3;
    scene_restart(s);
    batch_begin(s);
    for (unsigned i = 0; i < 6; i++) {
        device_next(&s->a, &p[i]);
        batch_add(s, &p[i]);
    }
    for (unsigned i = 3; i < 6; i++) /* answered at once, while the others wait */
        answered(&p[i], EDS_VERDICT_OVERLOADED);
    assert_string_equal(p[3].submission.message, "the server is busy: send the record again");
    eds_ingest_counts(s->ingest, &counts);
    assert_int_equal(counts.queued, 3);
    assert_int_equal(counts.overloaded, 3);
    batch_end(s);
    for (unsigned i = 0; i < 3; i++)
        answered(&p[i], EDS_VERDICT_ACCEPTED);
    for (unsigned i = 3; i < 6; i++)
        expect(s->ingest, &p[i], EDS_VERDICT_ACCEPTED, "");
    eds_ingest_counts(s->ingest, &counts);
    assert_int_equal(counts.queued, 0);
    assert_int_equal(counts.accepted, 7);
    assert_int_equal(counts.rejected, 0);
}

/* Handed over at once, they are one batch; what there is no room for is answered as
 * when it comes alone. */
static void test_submit_all(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;
    struct eds_submission *all[6];
    struct eds_ingest_counts counts;

    s->config.queue_max = 5;
    scene_restart(s);
    batch_begin(s);
    for (unsigned i = 0; i < 6; i++) {
        device_next(&s->a, &p[i]);
        tally_add(&s->tally, &p[i]);
        all[i] = &p[i].submission;
    }
    eds_ingest_submit_all(s->ingest, all, 6);
    answered(&p[5], EDS_VERDICT_OVERLOADED);
    eds_ingest_counts(s->ingest, &counts);
    assert_int_equal(counts.queued, 5);
    batch_end(s);
    for (unsigned i = 0; i < 5; i++)
        answered(&p[i], EDS_VERDICT_ACCEPTED);
    eds_ingest_counts(s->ingest, &counts);
    assert_int_equal(counts.commits, 2); /* and the one that held them up */
}

static void test_batches_are_bounded(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    for (unsigned by_size = 0; by_size < 2; by_size++) {
        s->config.batch_max = by_size ? 0 : 4;
        s->config.batch_size_max = by_size ? 2 * PAYLOAD_SIZE + 1 : 0;
        scene_restart(s);
        faulty_free(&s->ledger);
        faulty_make(&s->ledger, s->inner);
        batch_begin(s);
        for (unsigned i = 0; i < 10; i++) {
            device_next(&s->a, &p[i]);
            batch_add(s, &p[i]);
        }
        batch_end(s);
        assert_int_equal(faulty_calls(&s->ledger, FAULTY_COMMIT), by_size ? 1 + 5 : 1 + 3);
        assert_int_equal(faulty_batch_max(&s->ledger), by_size ? 2 : 4);
    }
    /* A payload above the bound still goes, alone. */
    s->config.batch_size_max = 1;
    scene_restart(s);
    for (unsigned i = 0; i < 10; i++)
        answered(&p[i], EDS_VERDICT_ACCEPTED);
    device_next(&s->a, &p[0]);
    expect(s->ingest, &p[0], EDS_VERDICT_ACCEPTED, "");
}

static void test_stop_finishes_what_was_taken(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    s->config.batch_max = 7;
    scene_restart(s);
    batch_begin(s);
    for (unsigned i = 0; i < 50; i++) {
        device_next(i % 2 == 0 ? &s->a : &s->b, &p[i]);
        batch_add(s, &p[i]);
    }
    faulty_release(&s->ledger);
    scene_restart(s);                               /* stops the first one */
    assert_int_equal(s->tally.done, s->tally.sent); /* the committer is gone: no lock needed */
    for (unsigned i = 0; i < 50; i++)
        answered(&p[i], EDS_VERDICT_ACCEPTED);
    scene_stored(s, "lift-a", 25);
    scene_stored(s, "lift-b", 25);
}

struct chained {
    struct eds_ingest *ingest;
    struct parcel *next;
    struct tally *tally;
};

static void count_chained(struct eds_submission *submission)
{
    struct chained *chained = submission->context;

    pthread_mutex_lock(&chained->tally->lock);
    chained->tally->done++;
    pthread_cond_signal(&chained->tally->answered);
    pthread_mutex_unlock(&chained->tally->lock);
}

static void submit_next(struct eds_submission *submission)
{
    struct chained *chained = submission->context;

    chained->next->submission.done = count_chained;
    chained->next->submission.context = chained;
    eds_ingest_submit(chained->ingest, &chained->next->submission);
}

/* A done may submit, on whatever thread it runs. */
static void test_submit_from_done(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;
    struct chained chained = {s->ingest, &p[1], &s->tally};

    device_next(&s->a, &p[0]);
    device_next(&s->a, &p[1]);
    p[0].submission.done = submit_next;
    p[0].submission.context = &chained;
    s->tally.sent = 1;
    eds_ingest_submit(s->ingest, &p[0].submission);
    tally_wait(&s->tally);
    answered(&p[0], EDS_VERDICT_ACCEPTED);
    answered(&p[1], EDS_VERDICT_ACCEPTED);
}

#define SCENE_TEST(f) cmocka_unit_test_setup_teardown(f, scene_set, scene_end)

static void never(struct eds_submission *submission)
{
    (void)submission;
    abort();
}

/* A lone request needs no other thread; one beside others does. */
static void test_submit_here(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;
    struct parcel stranger;
    uint64_t commits;

    s->config.quick_ns = UINT64_MAX; /* how quick this disk is, is another matter */
    scene_restart(s);
    commits = faulty_calls(&s->ledger, FAULTY_COMMIT);
    for (unsigned i = 0; i < 3; i++) {
        device_next(&s->a, &p[i]);
        p[i].submission.done = never;
        assert_true(eds_ingest_submit_here(s->ingest, &p[i].submission));
        answered(&p[i], EDS_VERDICT_ACCEPTED);
        scene_stored(s, "lift-a", i + 1);
    }
    assert_true(eds_ingest_submit_here(s->ingest, &p[1].submission));
    answered(&p[1], EDS_VERDICT_DUPLICATE);
    parcel_fill(&stranger, "nobody", 1, NULL, NULL, s->a.seed);
    assert_true(eds_ingest_submit_here(s->ingest, &stranger.submission));
    answered(&stranger, EDS_VERDICT_UNKNOWN_DEVICE);
    assert_int_equal(faulty_calls(&s->ledger, FAULTY_COMMIT), commits + 5);
    batch_begin(s); /* the committer has something in hand */
    device_next(&s->a, &p[3]);
    assert_false(eds_ingest_submit_here(s->ingest, &p[3].submission));
    batch_add(s, &p[3]); /* behind what it has in hand */
    device_next(&s->b, &p[4]);
    batch_add(s, &p[4]);
    batch_end(s);
    answered(&p[3], EDS_VERDICT_ACCEPTED);
    scene_restart(s);
    batch_begin(s);
    device_next(&s->a, &p[5]);
    device_next(&s->b, &p[6]);
    batch_add(s, &p[5]);
    batch_add(s, &p[6]);
    batch_end(s);
    device_next(&s->a, &p[7]); /* two came together: there may be more */
    assert_false(eds_ingest_submit_here(s->ingest, &p[7].submission));
}

/* After a slow commit nobody is made to wait for the next one. */
static void test_submit_here_to_a_slow_store(void **state)
{
    struct scene *s = *state;

    s->config.quick_ns = 1000000000; /* a busy machine's memory is quicker than that */
    scene_restart(s);
    device_next(&s->a, &s->parcels[0]);
    faulty_slow(&s->ledger, 1050000);
    assert_true(eds_ingest_submit_here(s->ingest, &s->parcels[0].submission));
    device_next(&s->a, &s->parcels[1]);
    assert_false(eds_ingest_submit_here(s->ingest, &s->parcels[1].submission));
    faulty_slow(&s->ledger, 0);
    expect(s->ingest, &s->parcels[1], EDS_VERDICT_ACCEPTED, "");
    /* The committer tells first, and ends its turn a moment later; and on a busy machine
     * a commit may be slow by itself, so that only the one after it is done here. */
    for (unsigned i = 0; i < 10000; i++) {
        device_next(&s->a, &s->parcels[2]);
        if (eds_ingest_submit_here(s->ingest, &s->parcels[2].submission)) {
            answered(&s->parcels[2], EDS_VERDICT_ACCEPTED);
            return;
        }
        expect(s->ingest, &s->parcels[2], EDS_VERDICT_ACCEPTED, "");
    }
    fail_msg("no record is ever committed here again");
}

static uint64_t commit_count(struct scene *s)
{
    struct eds_ingest_counts counts;

    eds_ingest_counts(s->ingest, &counts);
    return counts.commits;
}

/* Rejects twenty records here.  False if a second may have ended meanwhile, and with it the
 * books of the first ones. */
static bool flood(struct scene *s)
{
    uint64_t begun_ns = eds_queue_now_ns();
    struct parcel stranger;
    unsigned here = 0;

    parcel_fill(&stranger, "nobody", 1, NULL, NULL, s->a.seed);
    for (unsigned i = 0; i < 20; i++)
        here += eds_ingest_submit_here(s->ingest, &stranger.submission);
    if (eds_queue_now_ns() - begun_ns >= SECOND_NS)
        return false;
    assert_int_equal(here, 20);
    return true;
}

/* What is not listed of a flood is summed up, though nothing else comes. */
static void test_flood_here(void **state)
{
    struct scene *s = *state;
    uint64_t before;

    s->config.rejections_logged_per_second = 5;
    s->config.quick_ns = UINT64_MAX;
    do {
        scene_restart(s);
        before = scene_counts(s).operations;
    } while (!flood(s));
    for (unsigned i = 0; i < 1200 && commit_count(s) < 6; i++)
        usleep(100000);
    assert_int_equal(commit_count(s), 6); /* five lines and their sum */
    scene_restart(s);                     /* the ledger is the committer's while there is one */
    assert_int_equal(scene_counts(s).operations, before + 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(test_one_batch),
        SCENE_TEST(test_shared_reference),
        SCENE_TEST(test_two_nodes),
        SCENE_TEST(test_restart),
        SCENE_TEST(test_registry_requires_attestation),
        SCENE_TEST(test_state_changes),
        SCENE_TEST(test_queue_full),
        SCENE_TEST(test_submit_all),
        SCENE_TEST(test_batches_are_bounded),
        SCENE_TEST(test_stop_finishes_what_was_taken),
        SCENE_TEST(test_submit_from_done),
        SCENE_TEST(test_submit_here),
        SCENE_TEST(test_submit_here_to_a_slow_store),
        SCENE_TEST(test_flood_here),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

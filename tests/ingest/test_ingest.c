/* test_ingest.c - the whole way in, with a ledger that can be held, fail, or
 * lose a race: what was accepted is stored, what was not can come again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ingest/faulty_ledger.h"
#include "ingest/world.h"
#include "support/vectors.h"

#define PARCEL_MAX 64u

struct scene {
    struct eds_registry *registry;
    struct eds_ledger *inner;
    struct faulty_ledger ledger;
    struct eds_ingest_config config;
    struct eds_ingest *ingest;
    struct device a, b, plug; /* the plug's record keeps the committer waiting */
    struct parcel parcels[PARCEL_MAX], plug_parcel;
    struct tally tally;
};

static int set_scene(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    assert_non_null(scene);
    scene->registry = eds_registry_create();
    assert_non_null(scene->registry);
    scene->inner = open_ledger("memory:");
    faulty_make(&scene->ledger, scene->inner);
    device_make(&scene->a, "lift-a", 1);
    device_make(&scene->b, "lift-b", 2);
    device_make(&scene->plug, "plug", 3);
    device_register(&scene->a, scene->registry, false);
    device_register(&scene->b, scene->registry, false);
    device_register(&scene->plug, scene->registry, false);
    scene->config =
        (struct eds_ingest_config){.ledger = &scene->ledger.base, .registry = scene->registry};
    scene->ingest = start(&scene->config);
    tally_make(&scene->tally);
    *state = scene;
    return 0;
}

static int end_scene(void **state)
{
    struct scene *scene = *state;

    eds_ingest_stop(scene->ingest);
    faulty_free(&scene->ledger);
    scene->inner->ops->close(scene->inner);
    eds_registry_destroy(scene->registry);
    tally_free(&scene->tally);
    free(scene);
    return 0;
}

static void restart(struct scene *scene)
{
    eds_ingest_stop(scene->ingest);
    scene->ingest = start(&scene->config);
}

/* From here on what is submitted waits, and is then one batch. */
static void begin_batch(struct scene *scene)
{
    faulty_hold(&scene->ledger);
    device_next(&scene->plug, &scene->plug_parcel);
    tally_submit(&scene->tally, scene->ingest, &scene->plug_parcel);
    faulty_await(&scene->ledger);
}

static void add(struct scene *scene, struct parcel *parcel)
{
    tally_submit(&scene->tally, scene->ingest, parcel);
}

static void end_batch(struct scene *scene)
{
    faulty_release(&scene->ledger);
    tally_wait(&scene->tally);
}

static void is(const struct parcel *parcel, enum eds_verdict verdict)
{
    if (parcel->submission.verdict != verdict)
        fail_msg("%s instead of %s: %s", eds_verdict_name(parcel->submission.verdict),
                 eds_verdict_name(verdict), parcel->submission.message);
    assert_int_equal(strlen(parcel->submission.message) == 0, verdict == EDS_VERDICT_ACCEPTED);
}

static void is_stored(struct scene *scene, const char *device_id, uint64_t count)
{
    assert_int_equal(stored_count(scene->inner, device_id), count);
}

static struct eds_ledger_counts stored_counts(struct scene *scene)
{
    struct eds_ledger_counts counts;

    assert_int_equal(scene->inner->ops->counts(scene->inner, &counts, NULL), EDS_OK);
    return counts;
}

/* Everything that records of one batch can do to each other, in one commit. */
static void test_one_batch(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;
    struct device fork;
    uint64_t commits;

    begin_batch(s);
    commits = faulty_calls(&s->ledger, FAULTY_COMMIT);
    for (unsigned i = 0; i < 3; i++) {
        device_next(&s->a, &p[i]);
        add(s, &p[i]);
    }
    p[3] = p[1];
    add(s, &p[3]); /* the same again */
    device_make(&fork, "lift-a", 1);
    device_next(&fork, &p[4]);
    add(s, &p[4]); /* another first record */
    parcel_fill(&p[5], "lift-b", 1, NULL, (const char *)p[0].entry.record.object_ref, s->b.seed);
    add(s, &p[5]); /* a reference that is taken a moment ago */
    device_next(&s->b, &p[6]);
    add(s, &p[6]);
    parcel_fill(&p[7], "lift-a", 5, s->a.record_hash, NULL, s->a.seed);
    add(s, &p[7]); /* a gap after what is pending */
    end_batch(s);
    for (unsigned i = 0; i < 3; i++)
        is(&p[i], EDS_VERDICT_ACCEPTED);
    is(&p[3], EDS_VERDICT_DUPLICATE);
    is(&p[4], EDS_VERDICT_CONFLICT);
    is(&p[5], EDS_VERDICT_OBJECT_TAKEN);
    is(&p[6], EDS_VERDICT_ACCEPTED);
    is(&p[7], EDS_VERDICT_SEQUENCE);
    assert_string_equal(p[7].submission.message,
                        "invalid sequence for device=lift-a: expected=4 actual=5");
    assert_int_equal(faulty_calls(&s->ledger, FAULTY_COMMIT), commits + 2); /* the plug's, ours */
    is_stored(s, "lift-a", 3);
    is_stored(s, "lift-b", 1);
    assert_int_equal(stored_counts(s).conflicts, 1);
    assert_int_equal(stored_counts(s).operations, 9);
}

/* The same payload under the same reference is no clash. */
static void test_shared_reference(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    begin_batch(s);
    parcel_fill(&p[0], "lift-a", 1, NULL, "shared", s->a.seed);
    memcpy(p[1].payload, p[0].payload, PAYLOAD_SIZE);
    p[1].submission.request = (struct eds_request){
        .entry = &p[1].entry, .payload = p[1].payload, .payload_size = PAYLOAD_SIZE};
    assert_int_equal(eds_record_sign(&p[1].entry.record, "lift-b", 1, 7, p[1].payload, PAYLOAD_SIZE,
                                     NULL, "shared", s->b.seed, NULL),
                     EDS_OK);
    add(s, &p[0]);
    add(s, &p[1]);
    end_batch(s);
    is(&p[0], EDS_VERDICT_ACCEPTED);
    is(&p[1], EDS_VERDICT_ACCEPTED);
    parcel_fill(&p[2], "plug", 2, s->plug.record_hash, "shared", s->plug.seed);
    expect(s->ingest, &p[2], EDS_VERDICT_OBJECT_TAKEN,
           "object reference already taken for device=plug: shared");
}

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
        set_scene(&fresh);
        s = fresh;
        p = s->parcels;
        device_next(&s->a, &p[0]);
        device_next(&s->a, &p[1]);
        faulty_fail(&s->ledger, FAULTY_COMMIT, 1, 1, EDS_ERR_IO);
        expect(s->ingest, &p[0], EDS_VERDICT_STORE,
               "the record could not be stored: send it again");
        is_stored(s, "lift-a", 0);
        expect(s->ingest, &p[0], EDS_VERDICT_ACCEPTED, "");
        expect(s->ingest, &p[1], EDS_VERDICT_ACCEPTED, "");
        is_stored(s, "lift-a", 2);
        end_scene(&fresh);
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
    is_stored(s, "lift-a", 1);
    faulty_heal(&s->ledger);
    for (unsigned i = 1; i < 5; i++)
        expect(s->ingest, &p[i], EDS_VERDICT_ACCEPTED, "");
    is_stored(s, "lift-a", 5);
}

/* Nothing of a failed batch is answered by what was not stored. */
static void test_failed_batch(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    device_next(&s->b, &p[10]);
    expect(s->ingest, &p[10], EDS_VERDICT_ACCEPTED, "");
    begin_batch(s);
    for (unsigned i = 0; i < 3; i++) {
        device_next(&s->a, &p[i]);
        add(s, &p[i]);
    }
    p[3] = p[0];
    add(s, &p[3]); /* a duplicate of a pending record */
    parcel_fill(&p[4], "lift-a", 1, NULL, NULL, s->a.seed);
    add(s, &p[4]); /* a conflict with one */
    parcel_fill(&p[5], "lift-a", 9, s->a.record_hash, NULL, s->a.seed);
    add(s, &p[5]); /* a gap after one */
    p[6] = p[10];
    add(s, &p[6]); /* a duplicate of a stored record */
    parcel_fill(&p[7], "lift-b", 1, NULL, NULL, s->b.seed);
    add(s, &p[7]); /* a conflict with one: evidence that is not kept */
    parcel_fill(&p[8], "lift-b", 5, NULL, NULL, s->b.seed);
    add(s, &p[8]); /* a gap after one */
    parcel_fill(&p[9], "lift-b", 2, s->b.record_hash, NULL, s->a.seed);
    add(s, &p[9]); /* not signed by b */
    parcel_fill(&p[11], "lift-b", 2, s->b.record_hash, (const char *)p[2].entry.record.object_ref,
                s->b.seed);
    add(s, &p[11]); /* a reference taken by a pending record */
    faulty_fail(&s->ledger, FAULTY_COMMIT, 2, 1, EDS_ERR_IO);
    end_batch(s);
    is(&s->plug_parcel, EDS_VERDICT_ACCEPTED);
    for (unsigned i = 0; i < 6; i++)
        is(&p[i], EDS_VERDICT_STORE);
    is(&p[6], EDS_VERDICT_DUPLICATE);
    is(&p[7], EDS_VERDICT_STORE);
    is(&p[8], EDS_VERDICT_SEQUENCE);
    is(&p[9], EDS_VERDICT_SIGNATURE);
    is(&p[11], EDS_VERDICT_STORE);
    is_stored(s, "lift-a", 0);
    assert_int_equal(stored_counts(s).conflicts, 0);
    for (unsigned i = 0; i < 3; i++)
        expect(s->ingest, &p[i], EDS_VERDICT_ACCEPTED, "");
    expect(s->ingest, &p[3], EDS_VERDICT_DUPLICATE, NULL);
    expect(s->ingest, &p[4], EDS_VERDICT_CONFLICT, NULL);
    expect(s->ingest, &p[7], EDS_VERDICT_CONFLICT, NULL);
    expect(s->ingest, &p[11], EDS_VERDICT_OBJECT_TAKEN, NULL);
    assert_int_equal(stored_counts(s).conflicts, 2);
}

/* A look-up that fails stops its device for the batch, and nobody else. */
static void test_failed_lookups(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    begin_batch(s);
    faulty_fail(&s->ledger, FAULTY_HEAD, 1, 1, EDS_ERR_IO);
    for (unsigned i = 0; i < 3; i++) {
        device_next(&s->a, &p[i]);
        add(s, &p[i]);
    }
    device_next(&s->b, &p[3]);
    add(s, &p[3]);
    end_batch(s);
    for (unsigned i = 0; i < 3; i++)
        is(&p[i], EDS_VERDICT_STORE);
    is(&p[3], EDS_VERDICT_ACCEPTED);
    begin_batch(s);
    faulty_fail(&s->ledger, FAULTY_OBJECT, 2, 1, EDS_ERR_BUSY); /* at a's second record */
    for (unsigned i = 0; i < 3; i++)
        add(s, &p[i]);
    device_next(&s->b, &p[4]);
    add(s, &p[4]);
    end_batch(s);
    is(&p[0], EDS_VERDICT_ACCEPTED);
    is(&p[1], EDS_VERDICT_STORE);
    is(&p[2], EDS_VERDICT_STORE);
    is(&p[4], EDS_VERDICT_ACCEPTED);
    begin_batch(s);
    faulty_fail(&s->ledger, FAULTY_RECORD_HASH, 1, 1, EDS_ERR_NO_MEMORY);
    for (unsigned i = 0; i < 3; i++)
        add(s, &p[i]);
    p[5] = p[3];
    add(s, &p[5]);
    end_batch(s);
    for (unsigned i = 0; i < 3; i++)
        is(&p[i], EDS_VERDICT_STORE);
    is(&p[5], EDS_VERDICT_DUPLICATE);
    expect(s->ingest, &p[0], EDS_VERDICT_DUPLICATE, NULL);
    expect(s->ingest, &p[1], EDS_VERDICT_ACCEPTED, "");
    expect(s->ingest, &p[2], EDS_VERDICT_ACCEPTED, "");
    is_stored(s, "lift-a", 3);
    is_stored(s, "lift-b", 2);
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
    is_stored(s, "lift-a", 2);
    expect(s->ingest, &p[1], EDS_VERDICT_DUPLICATE, NULL);
    expect(s->ingest, &p[2], EDS_VERDICT_ACCEPTED, "");
}

/* A race that is lost a few times is decided again, without anyone noticing. */
static void test_lost_races(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    for (unsigned lost = 1; lost <= 3; lost++) {
        begin_batch(s);
        for (unsigned i = 0; i < 4; i++) {
            device_next(i % 2 == 0 ? &s->a : &s->b, &p[i]);
            add(s, &p[i]);
        }
        p[4] = p[0];
        add(s, &p[4]);
        faulty_fail(&s->ledger, FAULTY_COMMIT, 2, lost, EDS_ERR_HEAD_MOVED);
        end_batch(s);
        for (unsigned i = 0; i < 4; i++)
            is(&p[i], EDS_VERDICT_ACCEPTED);
        is(&p[4], EDS_VERDICT_DUPLICATE);
        is_stored(s, "lift-a", 2 * lost);
        is_stored(s, "lift-b", 2 * lost);
    }
    faulty_fail(&s->ledger, FAULTY_COMMIT, 1, UINT64_MAX, EDS_ERR_HEAD_MOVED);
    device_next(&s->a, &p[0]);
    expect(s->ingest, &p[0], EDS_VERDICT_STORE, NULL);
    faulty_heal(&s->ledger);
    expect(s->ingest, &p[0], EDS_VERDICT_ACCEPTED, "");
}

/* A record that the ledger will not have holds up its device and no other. */
static void test_poison(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    begin_batch(s);
    for (unsigned i = 0; i < 20; i++) {
        device_next(i % 2 == 0 ? &s->a : &s->b, &p[i]);
        if (i == 6)
            faulty_poison(&s->ledger, (const char *)p[i].entry.record.object_ref);
        add(s, &p[i]);
    }
    end_batch(s);
    for (unsigned i = 0; i < 20; i++)
        is(&p[i], i % 2 == 0 && i >= 6 ? EDS_VERDICT_STORE : EDS_VERDICT_ACCEPTED);
    is_stored(s, "lift-a", 3);
    is_stored(s, "lift-b", 10);
    faulty_poison(&s->ledger, NULL);
    for (unsigned i = 6; i < 20; i += 2)
        expect(s->ingest, &p[i], EDS_VERDICT_ACCEPTED, "");
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

    temporary_url(url);
    for (unsigned i = 0; i < 3; i++)
        device_next(&s->a, &p[i]);
    parcel_attest(&p[1], s->a.seed);
    parcel_fill(&p[3], "lift-a", 1, NULL, NULL, s->a.seed);
    parcel_attest(&p[3], s->a.seed);
    for (unsigned i = 0; i < 3; i++) {
        s->config.ledger = ledger = open_ledger(url);
        restart(s);
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
        restart(s);
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
    assert_int_equal(stored_counts(s).conflicts, 0);
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
    restart(s);
    begin_batch(s);
    for (unsigned i = 0; i < 6; i++) {
        device_next(&s->a, &p[i]);
        add(s, &p[i]);
    }
    for (unsigned i = 3; i < 6; i++) /* answered at once, while the others wait */
        is(&p[i], EDS_VERDICT_OVERLOADED);
    assert_string_equal(p[3].submission.message, "the server is busy: send the record again");
    eds_ingest_counts(s->ingest, &counts);
    assert_int_equal(counts.queued, 3);
    assert_int_equal(counts.overloaded, 3);
    end_batch(s);
    for (unsigned i = 0; i < 3; i++)
        is(&p[i], EDS_VERDICT_ACCEPTED);
    for (unsigned i = 3; i < 6; i++)
        expect(s->ingest, &p[i], EDS_VERDICT_ACCEPTED, "");
    eds_ingest_counts(s->ingest, &counts);
    assert_int_equal(counts.queued, 0);
    assert_int_equal(counts.accepted, 7);
    assert_int_equal(counts.rejected, 0);
}

static void test_batches_are_bounded(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    for (unsigned by_size = 0; by_size < 2; by_size++) {
        s->config.batch_max = by_size ? 0 : 4;
        s->config.batch_size_max = by_size ? 2 * PAYLOAD_SIZE + 1 : 0;
        restart(s);
        faulty_free(&s->ledger);
        faulty_make(&s->ledger, s->inner);
        begin_batch(s);
        for (unsigned i = 0; i < 10; i++) {
            device_next(&s->a, &p[i]);
            add(s, &p[i]);
        }
        end_batch(s);
        assert_int_equal(faulty_calls(&s->ledger, FAULTY_COMMIT), by_size ? 1 + 5 : 1 + 3);
        assert_int_equal(faulty_batch_max(&s->ledger), by_size ? 2 : 4);
    }
    /* A payload above the bound still goes, alone. */
    s->config.batch_size_max = 1;
    restart(s);
    for (unsigned i = 0; i < 10; i++)
        is(&p[i], EDS_VERDICT_ACCEPTED);
    device_next(&s->a, &p[0]);
    expect(s->ingest, &p[0], EDS_VERDICT_ACCEPTED, "");
}

static void test_stop_finishes_what_was_taken(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    s->config.batch_max = 7;
    restart(s);
    begin_batch(s);
    for (unsigned i = 0; i < 50; i++) {
        device_next(i % 2 == 0 ? &s->a : &s->b, &p[i]);
        add(s, &p[i]);
    }
    faulty_release(&s->ledger);
    restart(s);                                     /* stops the first one */
    assert_int_equal(s->tally.done, s->tally.sent); /* the committer is gone: no lock needed */
    for (unsigned i = 0; i < 50; i++)
        is(&p[i], EDS_VERDICT_ACCEPTED);
    is_stored(s, "lift-a", 25);
    is_stored(s, "lift-b", 25);
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
    is(&p[0], EDS_VERDICT_ACCEPTED);
    is(&p[1], EDS_VERDICT_ACCEPTED);
}

#define SCENE_TEST(f) cmocka_unit_test_setup_teardown(f, set_scene, end_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(test_one_batch),
        SCENE_TEST(test_shared_reference),
        cmocka_unit_test(test_original_storage_failure),
        SCENE_TEST(test_store_down_for_long),
        SCENE_TEST(test_failed_batch),
        SCENE_TEST(test_failed_lookups),
        SCENE_TEST(test_failed_after_the_fact),
        SCENE_TEST(test_lost_races),
        SCENE_TEST(test_poison),
        SCENE_TEST(test_two_nodes),
        SCENE_TEST(test_restart),
        SCENE_TEST(test_registry_requires_attestation),
        SCENE_TEST(test_state_changes),
        SCENE_TEST(test_queue_full),
        SCENE_TEST(test_batches_are_bounded),
        SCENE_TEST(test_stop_finishes_what_was_taken),
        SCENE_TEST(test_submit_from_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_threads.c - many threads submit at once; a ledger that fails now and
 * then; stopping under load; allocations that fail.  Worth most under
 * ThreadSanitizer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/faulty_ledger.h"
#include "ingest/world.h"
#include "support/alloc.h"

#define THREAD_COUNT     8u
#define DEVICES_A_THREAD 2u
#define RECORDS_A_DEVICE 40u
#define PARCELS_A_THREAD (DEVICES_A_THREAD * RECORDS_A_DEVICE)

struct load {
    struct eds_ingest *ingest;
    struct device devices[DEVICES_A_THREAD];
    struct parcel parcels[PARCELS_A_THREAD]; /* the devices' records in turns */
    unsigned first;                          /* thread number */
    pthread_t thread;
    atomic_uint refused; /* by a full queue or a failed store */
};

struct scene {
    struct eds_registry *registry;
    struct eds_ledger *inner;
    struct faulty_ledger ledger;
    struct load loads[THREAD_COUNT];
};

static int set_scene(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    assert_non_null(scene);
    scene->registry = eds_registry_create();
    scene->inner = open_ledger("memory:");
    faulty_make(&scene->ledger, scene->inner);
    for (unsigned t = 0; t < THREAD_COUNT; t++)
        for (unsigned d = 0; d < DEVICES_A_THREAD; d++) {
            struct load *load = &scene->loads[t];
            char id[16];

            snprintf(id, sizeof id, "lift-%u-%u", t, d);
            device_make(&load->devices[d], id, 10 * t + d);
            device_register(&load->devices[d], scene->registry, false);
            for (unsigned i = d; i < PARCELS_A_THREAD; i += DEVICES_A_THREAD)
                device_next(&load->devices[d], &load->parcels[i]);
        }
    *state = scene;
    return 0;
}

static int end_scene(void **state)
{
    struct scene *scene = *state;

    faulty_free(&scene->ledger);
    scene->inner->ops->close(scene->inner);
    eds_registry_destroy(scene->registry);
    free(scene);
    return 0;
}

static void run(struct scene *scene, const struct eds_ingest_config *config, void *(*body)(void *))
{
    struct eds_ingest *ingest = start(config);

    for (unsigned t = 0; t < THREAD_COUNT; t++) {
        struct load *load = &scene->loads[t];

        load->ingest = ingest;
        load->first = t;
        assert_int_equal(pthread_create(&load->thread, NULL, body, load), 0);
    }
    for (unsigned t = 0; t < THREAD_COUNT; t++)
        assert_int_equal(pthread_join(scene->loads[t].thread, NULL), 0);
    eds_ingest_stop(ingest); /* perhaps with much still queued */
}

static void all_are_stored(struct scene *scene)
{
    for (unsigned t = 0; t < THREAD_COUNT; t++)
        for (unsigned d = 0; d < DEVICES_A_THREAD; d++)
            assert_int_equal(stored_count(scene->inner, scene->loads[t].devices[d].id),
                             RECORDS_A_DEVICE);
}

/* Submits everything without waiting for an answer. */
static void *submit_all(void *context)
{
    struct load *load = context;
    struct tally tally;

    tally_make(&tally);
    for (unsigned i = 0; i < PARCELS_A_THREAD; i++)
        tally_submit(&tally, load->ingest, &load->parcels[i]);
    tally_wait(&tally);
    tally_free(&tally);
    return NULL;
}

static void test_all_in_order(void **state)
{
    struct scene *s = *state;
    struct eds_ingest_config config = {.ledger = &s->ledger.base, .registry = s->registry};

    run(s, &config, submit_all);
    for (unsigned t = 0; t < THREAD_COUNT; t++)
        for (unsigned i = 0; i < PARCELS_A_THREAD; i++)
            assert_int_equal(s->loads[t].parcels[i].submission.verdict, EDS_VERDICT_ACCEPTED);
    all_are_stored(s);
}

/* As a client does: one at a time, and again until it is accepted. */
static void *insist(void *context)
{
    struct load *load = context;

    for (unsigned i = 0; i < PARCELS_A_THREAD; i++) {
        enum eds_verdict verdict;

        while ((verdict = deliver(load->ingest, &load->parcels[i])) == EDS_VERDICT_STORE ||
               verdict == EDS_VERDICT_OVERLOADED)
            atomic_fetch_add(&load->refused, 1);
        if (verdict != EDS_VERDICT_ACCEPTED)
            abort();
    }
    return NULL;
}

/* Every third commit fails and the queue is short: all is stored once in the
 * end, because nothing was answered "accepted" or "duplicate" that was not. */
static void test_clients_that_insist(void **state)
{
    struct scene *s = *state;
    struct eds_ingest_config config = {.ledger = &s->ledger.base,
                                       .registry = s->registry,
                                       .queue_max = 4,
                                       .batch_max = 3,
                                       .heads_max = 8};
    unsigned refused = 0;

    faulty_fail_each(&s->ledger, 3);
    run(s, &config, insist);
    for (unsigned t = 0; t < THREAD_COUNT; t++)
        refused += atomic_load(&s->loads[t].refused);
    assert_true(refused > THREAD_COUNT);
    all_are_stored(s);
}

static void forget(struct eds_submission *submission)
{
    atomic_uint *answered = submission->context;

    atomic_fetch_add(answered, 1);
}

static atomic_uint answered_under_load;

static void *submit_and_leave(void *context)
{
    struct load *load = context;

    for (unsigned i = 0; i < PARCELS_A_THREAD; i++) {
        load->parcels[i].submission.done = forget;
        load->parcels[i].submission.context = &answered_under_load;
        eds_ingest_submit(load->ingest, &load->parcels[i].submission);
    }
    return NULL;
}

static void test_stop_under_load(void **state)
{
    struct scene *s = *state;
    struct eds_ingest_config config = {
        .ledger = &s->ledger.base, .registry = s->registry, .batch_max = 5};

    atomic_store(&answered_under_load, 0);
    faulty_slow(&s->ledger, 200);
    run(s, &config, submit_and_leave);
    assert_int_equal(atomic_load(&answered_under_load), THREAD_COUNT * PARCELS_A_THREAD);
    all_are_stored(s);
}

static void *read_counts(void *context)
{
    struct load *load = context;
    uint64_t before = 0;

    for (unsigned i = 0; i < 2000; i++) {
        struct eds_ingest_counts counts;

        eds_ingest_counts(load->ingest, &counts);
        if (counts.accepted < before)
            abort();
        before = counts.accepted;
    }
    return NULL;
}

static void *submit_or_read(void *context)
{
    struct load *load = context;

    return load->first == 0 ? read_counts(load) : submit_all(load);
}

static void test_counts_while_running(void **state)
{
    struct scene *s = *state;
    struct eds_ingest_config config = {.ledger = &s->ledger.base, .registry = s->registry};

    run(s, &config, submit_or_read);
    for (unsigned t = 1; t < THREAD_COUNT; t++)
        assert_int_equal(stored_count(s->inner, s->loads[t].devices[0].id), RECORDS_A_DEVICE);
}

/* Every allocation of start and submit fails once. */
static void test_no_memory(void **state)
{
    struct scene *s = *state;
    struct parcel *parcels = s->loads[0].parcels;
    struct eds_ingest_config config = {.ledger = &s->ledger.base, .registry = s->registry};
    unsigned failed_starts = 0, at = 0;

    for (uint64_t n = 1; at < PARCELS_A_THREAD; n++) {
        struct eds_ingest *ingest = NULL;
        struct eds_error err;
        int32_t rc;
        bool failed;

        alloc_fail_at(n);
        rc = eds_ingest_start(&ingest, &config, &err);
        failed = rc != EDS_OK;
        if (failed) {
            assert_int_equal(rc, EDS_ERR_NO_MEMORY);
            assert_null(ingest);
            assert_true(strlen(err.text) > 0);
            failed_starts++;
            continue;
        }
        while (at < PARCELS_A_THREAD && !failed) { /* until the ledger's turn comes */
            enum eds_verdict verdict = deliver(ingest, &parcels[at]);

            failed = verdict == EDS_VERDICT_STORE;
            if (!failed)
                assert_int_equal(verdict, EDS_VERDICT_ACCEPTED);
            if (!failed || deliver(ingest, &parcels[at]) == EDS_VERDICT_ACCEPTED)
                at++;
        }
        eds_ingest_stop(ingest);
    }
    alloc_fail_at(0);
    assert_true(failed_starts >= 10);
    for (unsigned d = 0; d < DEVICES_A_THREAD; d++)
        assert_int_equal(stored_count(s->inner, s->loads[0].devices[d].id), RECORDS_A_DEVICE);
}

static int32_t keep_nothing(struct eds_ledger *ledger, const struct eds_commit *all,
                            struct eds_error *err)
{
    (void)ledger;
    (void)all;
    (void)err;
    return EDS_OK;
}

static int32_t zero_head(struct eds_ledger *ledger, const char *device_id, struct eds_head *out,
                         struct eds_error *err)
{
    (void)ledger;
    (void)device_id;
    (void)err;
    *out = (struct eds_head){0};
    return EDS_OK;
}

static int32_t free_object(struct eds_ledger *ledger, const char *object_ref,
                           uint8_t out[EDS_HASH_SIZE], struct eds_error *err)
{
    (void)ledger;
    (void)object_ref;
    (void)out;
    (void)err;
    return EDS_ERR_NOT_FOUND;
}

static void test_no_allocation_after_start(void **state)
{
    static const struct eds_ledger_ops ops = {
        .commit = keep_nothing, .head = zero_head, .object = free_object};
    struct scene *s = *state;
    struct eds_ledger null_ledger = {.ops = &ops};
    struct eds_ingest_config config = {.ledger = &null_ledger, .registry = s->registry};
    struct eds_ingest *ingest = start(&config);
    struct parcel stranger;

    alloc_fail_at(0); /* counts anew */
    for (unsigned i = 0; i < PARCELS_A_THREAD; i++)
        expect(ingest, &s->loads[0].parcels[i], EDS_VERDICT_ACCEPTED, "");
    parcel_fill(&stranger, "nobody", 1, NULL, NULL, s->loads[0].devices[0].seed);
    expect(ingest, &stranger, EDS_VERDICT_UNKNOWN_DEVICE, "unknown device: nobody");
    assert_int_equal(alloc_count(), 0);
    eds_ingest_stop(ingest);
}

static void test_absurd_sizes(void **state)
{
    struct scene *s = *state;
    struct eds_ingest_config config = {
        .ledger = &s->ledger.base, .registry = s->registry, .batch_max = SIZE_MAX};
    struct eds_ingest *ingest = NULL;

    assert_int_equal(eds_ingest_start(&ingest, &config, NULL), EDS_ERR_USAGE);
    config.batch_max = 1;
    config.heads_max = SIZE_MAX;
    assert_int_equal(eds_ingest_start(&ingest, &config, NULL), EDS_ERR_USAGE);
    assert_null(ingest);
}

#define SCENE_TEST(f) cmocka_unit_test_setup_teardown(f, set_scene, end_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(test_all_in_order),    SCENE_TEST(test_clients_that_insist),
        SCENE_TEST(test_stop_under_load), SCENE_TEST(test_counts_while_running),
        SCENE_TEST(test_no_memory),       SCENE_TEST(test_no_allocation_after_start),
        SCENE_TEST(test_absurd_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

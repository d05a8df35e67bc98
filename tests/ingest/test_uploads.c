/* test_uploads.c - payloads in a store of their own: each is there before its
 * row, nobody waits for another's, and a failed one can come again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/held_objects.h"
#include "ingest/scene.h"
#include "support/dice.h"
#include "support/temp_dir.h"

static struct held_objects objects;

/* A scene whose payloads go to the held store. */
static int begin(void **state, bool by_hash)
{
    struct scene *s;

    held_make(&objects, by_hash);
    if (scene_set(state) != 0)
        return -1;
    s = *state;
    s->config.objects = &objects.base;
    s->config.queue_max = 8;
    scene_restart(s);
    return 0;
}

static int by_hash(void **state)
{
    return begin(state, true);
}

static int by_reference(void **state)
{
    return begin(state, false);
}

static int end(void **state)
{
    int rc = scene_end(state);

    held_free(&objects);
    return rc;
}

static size_t done_count(struct scene *s)
{
    size_t done;

    pthread_mutex_lock(&s->tally.lock);
    done = s->tally.done;
    pthread_mutex_unlock(&s->tally.lock);
    return done;
}

static void wait_for(struct scene *s, size_t count)
{
    pthread_mutex_lock(&s->tally.lock);
    while (s->tally.done < count)
        pthread_cond_wait(&s->tally.answered, &s->tally.lock);
    pthread_mutex_unlock(&s->tally.lock);
}

/* Submits the device's next count records. */
static void send(struct scene *s, struct device *device, struct parcel *parcels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        device_next(device, &parcels[i]);
        batch_add(s, &parcels[i]);
    }
}

static void test_payload_before_row(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;
    uint8_t hash[EDS_HASH_SIZE];
    struct eds_error err;
    size_t size;
    void *payload;

    send(s, &s->a, p, 1);
    assert_int_equal(held_count(&objects), 1);
    assert_ptr_equal(objects.held[0]->payload, p->payload);
    assert_int_equal(objects.held[0]->payload_size, PAYLOAD_SIZE);
    assert_string_equal(objects.held[0]->name.object_ref, (char *)p->entry.record.object_ref);
    assert_memory_equal(objects.held[0]->name.payload_hash, p->entry.record.payload_hash,
                        EDS_HASH_SIZE);
    assert_int_equal(done_count(s), 0);
    scene_stored(s, "lift-a", 0);
    assert_int_equal(scene_counts(s).operations, 0);
    held_answer(&objects, 0, EDS_OK);
    tally_wait(&s->tally);
    answered(p, EDS_VERDICT_ACCEPTED);
    scene_stored(s, "lift-a", 1);
    /* The ledger knows what the reference stands for, and has not the payload. */
    assert_int_equal(
        s->inner->ops->object(s->inner, (char *)p->entry.record.object_ref, hash, &err), EDS_OK);
    assert_memory_equal(hash, p->entry.record.payload_hash, sizeof hash);
    assert_int_equal(
        s->inner->ops->payload(s->inner, (char *)p->entry.record.object_ref, &payload, &size, &err),
        EDS_ERR_NOT_FOUND);
}

static void test_nobody_waits_for_another(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    send(s, &s->a, &p[0], 1); /* waits to the end */
    send(s, &s->b, &p[1], 1);
    held_answer(&objects, 1, EDS_OK);
    wait_for(s, 1);
    answered(&p[1], EDS_VERDICT_ACCEPTED);
    /* What needs no payload stored: a repetition, and what is refused at once,
     * of the waiting device too. */
    p[2] = p[1];
    batch_add(s, &p[2]);
    wait_for(s, 2);
    answered(&p[2], EDS_VERDICT_DUPLICATE);
    parcel_fill(&p[3], "lift-a", 2, s->a.record_hash, NULL, s->b.seed);
    batch_add(s, &p[3]);
    wait_for(s, 3);
    answered(&p[3], EDS_VERDICT_SIGNATURE);
    assert_int_equal(held_count(&objects), 2);
    held_answer(&objects, 0, EDS_OK);
    tally_wait(&s->tally);
    answered(&p[0], EDS_VERDICT_ACCEPTED);
}

static void test_order_of_a_device(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    send(s, &s->a, p, 4);
    assert_int_equal(held_count(&objects), 4); /* all under way together */
    held_answer(&objects, 2, EDS_OK);
    held_answer(&objects, 1, EDS_OK);
    held_answer(&objects, 3, EDS_OK);
    assert_int_equal(done_count(s), 0);
    held_answer(&objects, 0, EDS_OK);
    tally_wait(&s->tally);
    for (unsigned i = 0; i < 4; i++)
        answered(&p[i], EDS_VERDICT_ACCEPTED);
    scene_stored(s, "lift-a", 4);
}

/* A payload known as stored waits behind one that is not, in its device's line. */
static void test_known_in_line(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    send(s, &s->a, &p[0], 1);
    held_answer(&objects, 0, EDS_OK);
    tally_wait(&s->tally);
    send(s, &s->a, &p[1], 1);
    p[2] = p[0];
    batch_add(s, &p[2]);
    assert_int_equal(held_count(&objects), 2);
    assert_int_equal(done_count(s), 1);
    held_answer(&objects, 1, EDS_OK);
    tally_wait(&s->tally);
    answered(&p[1], EDS_VERDICT_ACCEPTED);
    answered(&p[2], EDS_VERDICT_DUPLICATE);
}

/* The n-th put fails: what comes before is accepted, what comes after must come
 * again, and then each is stored once. */
static void test_failed_put(void **state)
{
    for (size_t failing = 0; failing < 3; failing++) {
        struct scene *s;
        struct parcel *p;
        size_t put = 0;

        assert_int_equal(by_hash(state), 0);
        s = *state;
        p = s->parcels;
        send(s, &s->a, p, 3);
        send(s, &s->b, &p[3], 1);
        held_answer(&objects, 3, EDS_OK);
        for (; put < 3; put++)
            held_answer(&objects, put, put == failing ? EDS_ERR_IO : EDS_OK);
        tally_wait(&s->tally);
        answered(&p[3], EDS_VERDICT_ACCEPTED);
        for (size_t i = 0; i < 3; i++)
            answered(&p[i], i < failing ? EDS_VERDICT_ACCEPTED : EDS_VERDICT_STORE);
        scene_stored(s, "lift-a", failing);
        assert_int_equal(scene_counts(s).operations, failing + 1);
        for (size_t i = 0; i < 3; i++)
            batch_add(s, &p[i]);
        held_answer(&objects, 4, EDS_OK); /* only the failed one is put again */
        tally_wait(&s->tally);
        assert_int_equal(held_count(&objects), 5);
        for (size_t i = 0; i < 3; i++)
            answered(&p[i], i < failing ? EDS_VERDICT_DUPLICATE : EDS_VERDICT_ACCEPTED);
        scene_stored(s, "lift-a", 3);
        assert_int_equal(end(state), 0);
    }
}

/* A failure is for what had come by then, not for what comes after it, or a
 * device that always has something under way would never get on. */
static void test_failure_ends(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    send(s, &s->a, p, 2);
    held_answer(&objects, 0, EDS_ERR_IO);
    wait_for(s, 1);
    answered(&p[0], EDS_VERDICT_STORE);
    p[2] = p[0];
    batch_add(s, &p[2]); /* again, while the second is still under way */
    p[3] = p[1];
    batch_add(s, &p[3]);
    held_answer(&objects, 1, EDS_OK);
    wait_for(s, 2);
    answered(&p[1], EDS_VERDICT_STORE);
    held_answer(&objects, 2, EDS_OK);
    held_answer(&objects, 3, EDS_OK);
    tally_wait(&s->tally);
    answered(&p[2], EDS_VERDICT_ACCEPTED);
    answered(&p[3], EDS_VERDICT_ACCEPTED);
    scene_stored(s, "lift-a", 2);
}

static void test_changed_from_outside(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    send(s, &s->a, p, 1);
    held_answer(&objects, 0, EDS_ERR_EXISTS);
    tally_wait(&s->tally);
    answered(p, EDS_VERDICT_STORE); /* no fault of the device */
    scene_stored(s, "lift-a", 0);
}

static void test_taken_reference(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;
    struct device before = s->a;

    send(s, &s->a, p, 1);
    held_answer(&objects, 0, EDS_ERR_EXISTS);
    tally_wait(&s->tally);
    answered(p, EDS_VERDICT_OBJECT_TAKEN);
    assert_non_null(strstr(p->submission.message, "object reference already taken"));
    scene_stored(s, "lift-a", 0);
    assert_int_equal(scene_counts(s).rejected, 1);
    /* A record that could not follow anyway hears of that first. */
    parcel_fill(&p[1], "lift-a", 7, NULL, NULL, s->a.seed);
    batch_add(s, &p[1]);
    held_answer(&objects, 1, EDS_ERR_EXISTS);
    tally_wait(&s->tally);
    answered(&p[1], EDS_VERDICT_SEQUENCE);
    /* Under another reference it is welcome. */
    s->a = before;
    send(s, &s->a, &p[2], 1);
    held_answer(&objects, 2, EDS_OK);
    tally_wait(&s->tally);
    answered(&p[2], EDS_VERDICT_ACCEPTED);
}

static void test_bounded(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;
    struct device before;

    send(s, &s->a, p, 8); /* queue_max */
    before = s->a;
    send(s, &s->a, &p[8], 1);
    wait_for(s, 1);
    answered(&p[8], EDS_VERDICT_OVERLOADED);
    assert_int_equal(held_count(&objects), 8);
    for (size_t i = 0; i < 8; i++)
        held_answer(&objects, i, EDS_OK);
    tally_wait(&s->tally);
    s->a = before;
    send(s, &s->a, &p[9], 1);
    held_answer(&objects, 8, EDS_OK);
    tally_wait(&s->tally);
    answered(&p[9], EDS_VERDICT_ACCEPTED);
    scene_stored(s, "lift-a", 9);
}

/* Stopping waits for what is under way. */
/* A record whose payload was brought before: the store is only asked. */
static void test_payload_absent(void **state)
{
    struct scene *s = *state;
    struct parcel *p = s->parcels;

    for (unsigned i = 0; i < 3; i++) {
        device_next(&s->a, &p[i]);
        p[i].submission.request.payload_absent = true;
        batch_add(s, &p[i]);
        assert_true(objects.held[i]->only_look);
    }
    held_answer(&objects, 0, EDS_OK);
    wait_for(s, 1);
    held_answer(&objects, 1, EDS_ERR_NOT_FOUND);
    wait_for(s, 2);
    held_answer(&objects, 2, EDS_ERR_IO);
    tally_wait(&s->tally);
    answered(&p[0], EDS_VERDICT_ACCEPTED);
    answered(&p[1], EDS_VERDICT_PAYLOAD_ABSENT);
    assert_string_equal(p[1].submission.message, "payload not found");
    answered(&p[2], EDS_VERDICT_STORE);
    scene_stored(s, "lift-a", 1);
    /* A bad signature asks the store nothing. */
    parcel_fill(&p[3], "lift-a", 2, s->a.record_hash, NULL, s->b.seed);
    p[3].submission.request.payload_absent = true;
    batch_add(s, &p[3]);
    tally_wait(&s->tally);
    answered(&p[3], EDS_VERDICT_SIGNATURE);
    assert_int_equal(held_count(&objects), 3);
}

static void *answer_late(void *context)
{
    (void)context;
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    held_answer(&objects, 1, EDS_OK);
    held_answer(&objects, 0, EDS_OK);
    return NULL;
}

static void test_stop(void **state)
{
    struct scene *s = *state;
    pthread_t thread;

    send(s, &s->a, s->parcels, 2);
    assert_int_equal(pthread_create(&thread, NULL, answer_late, NULL), 0);
    eds_ingest_stop(s->ingest);
    s->ingest = NULL;
    pthread_join(thread, NULL);
    answered(&s->parcels[0], EDS_VERDICT_ACCEPTED);
    answered(&s->parcels[1], EDS_VERDICT_ACCEPTED);
    scene_stored(s, "lift-a", 2);
}

/* A directory that fails now and then, under devices that send on several
 * threads until each record is in. */
struct flaky {
    struct eds_objects base;
    struct eds_objects *inner;
    pthread_mutex_t lock;
    struct dice dice;
    atomic_uint failed;
};

static void put_or_fail(struct eds_objects *base, struct eds_object_put *put)
{
    struct flaky *flaky = (struct flaky *)base;
    size_t thrown;

    pthread_mutex_lock(&flaky->lock);
    thrown = dice_below(&flaky->dice, 10);
    pthread_mutex_unlock(&flaky->lock);
    if (thrown >= 2) {
        flaky->inner->ops->put(flaky->inner, put);
        return;
    }
    atomic_fetch_add(&flaky->failed, 1);
    if (thrown == 1) /* stored, and yet reported as failed */
        eds_objects_put_wait(flaky->inner,
                             &(struct eds_object_put){.name = put->name,
                                                      .payload = put->payload,
                                                      .payload_size = put->payload_size});
    put->rc = eds_error_set(&put->err, EDS_ERR_IO, "as thrown");
    put->done(put);
}

#define SENDERS      4u
#define RECORDS_EACH 40u
#define AT_ONCE      5u

struct sender {
    struct eds_ingest *ingest;
    struct device device;
    struct parcel parcels[RECORDS_EACH];
};

static void *send_until_in(void *context)
{
    struct sender *sender = context;
    struct tally tally;

    tally_make(&tally);
    for (size_t first = 0; first < RECORDS_EACH;) {
        size_t count = RECORDS_EACH - first < AT_ONCE ? RECORDS_EACH - first : AT_ONCE;

        for (size_t i = first; i < first + count; i++)
            tally_submit(&tally, sender->ingest, &sender->parcels[i]);
        tally_wait(&tally);
        for (; count > 0 && (sender->parcels[first].submission.verdict == EDS_VERDICT_ACCEPTED ||
                             sender->parcels[first].submission.verdict == EDS_VERDICT_DUPLICATE);
             count--)
            first++;
    }
    tally_free(&tally);
    return NULL;
}

static void check_all(struct scene *s, struct eds_objects *store, const struct sender *senders)
{
    for (unsigned t = 0; t < SENDERS; t++) {
        scene_stored(s, senders[t].device.id, RECORDS_EACH);
        for (unsigned i = 0; i < RECORDS_EACH; i++) {
            const struct parcel *parcel = &senders[t].parcels[i];
            struct eds_error err;
            size_t size;
            void *bytes;

            assert_int_equal(
                eds_payload_get(s->inner, store, &parcel->entry.record, &bytes, &size, &err),
                EDS_OK);
            assert_int_equal(size, PAYLOAD_SIZE);
            assert_memory_equal(bytes, parcel->payload, size);
            free(bytes);
        }
    }
}

static void test_flaky_store(void **state)
{
    static const struct eds_objects_ops ops = {.name = "flaky", .put = put_or_fail};
    struct flaky flaky = {.base = {.ops = &ops, .by_hash = true},
                          .lock = PTHREAD_MUTEX_INITIALIZER};
    struct sender *senders = calloc(SENDERS, sizeof *senders);
    char directory[EDS_TEMP_DIR_SIZE], url[EDS_TEMP_DIR_SIZE + 8], id[16];
    pthread_t threads[SENDERS];
    struct scene *s = *state;
    struct eds_error err;

    assert_non_null(senders);
    dice_seed(&flaky.dice);
    temp_dir_make(directory);
    snprintf(url, sizeof url, "file:%s", directory);
    assert_int_equal(eds_objects_open(&flaky.inner, url, false, &err), EDS_OK);
    for (unsigned t = 0; t < SENDERS; t++) {
        snprintf(id, sizeof id, "sender-%u", t);
        device_make(&senders[t].device, id, 100 + t);
        device_register(&senders[t].device, s->registry, false);
        for (unsigned i = 0; i < RECORDS_EACH; i++)
            device_next(&senders[t].device, &senders[t].parcels[i]);
    }
    s->config.objects = &flaky.base;
    s->config.queue_max = 16; /* fewer than all send at once: some hear "busy" */
    faulty_fail_each(&s->ledger, 7);
    scene_restart(s);
    for (unsigned t = 0; t < SENDERS; t++) {
        senders[t].ingest = s->ingest;
        assert_int_equal(pthread_create(&threads[t], NULL, send_until_in, &senders[t]), 0);
    }
    for (unsigned t = 0; t < SENDERS; t++)
        pthread_join(threads[t], NULL);
    assert_true(atomic_load(&flaky.failed) > 0);
    check_all(s, flaky.inner, senders);
    assert_int_equal(scene_counts(s).records, SENDERS * RECORDS_EACH);
    assert_int_equal(scene_counts(s).accepted, SENDERS * RECORDS_EACH);
    s->config.objects = NULL;
    scene_restart(s);
    flaky.inner->ops->close(flaky.inner);
    temp_dir_remove(directory);
    free(senders);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_payload_before_row, by_hash, end),
        cmocka_unit_test_setup_teardown(test_nobody_waits_for_another, by_hash, end),
        cmocka_unit_test_setup_teardown(test_order_of_a_device, by_hash, end),
        cmocka_unit_test_setup_teardown(test_known_in_line, by_hash, end),
        cmocka_unit_test(test_failed_put),
        cmocka_unit_test_setup_teardown(test_failure_ends, by_hash, end),
        cmocka_unit_test_setup_teardown(test_changed_from_outside, by_hash, end),
        cmocka_unit_test_setup_teardown(test_taken_reference, by_reference, end),
        cmocka_unit_test_setup_teardown(test_bounded, by_hash, end),
        cmocka_unit_test_setup_teardown(test_stop, by_hash, end),
        cmocka_unit_test_setup_teardown(test_payload_absent, by_hash, end),
        cmocka_unit_test_setup_teardown(test_flaky_store, scene_set, scene_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* objects_conformance.c - see objects_conformance.h. */
#include "store/objects_conformance.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/spool.h"

static const struct objects_place *place;

struct eds_object_name objects_name(const char *object_ref, const void *payload, size_t size)
{
    struct eds_object_name name = {.object_ref = object_ref};

    eds_blake3(name.payload_hash, payload, size);
    return name;
}

int32_t objects_put(struct eds_objects *objects, const char *object_ref, const void *payload,
                    size_t size, struct eds_error *err)
{
    struct eds_object_put put = {
        .name = objects_name(object_ref, payload, size), .payload = payload, .payload_size = size};
    int32_t rc = eds_objects_put_wait(objects, &put);

    *err = put.err;
    return rc;
}

void objects_expect(struct eds_objects *objects, const char *object_ref, const void *payload,
                    size_t size)
{
    struct eds_object_name name = objects_name(object_ref, payload, size);
    struct eds_error err = {.text = ""};
    void *bytes = NULL;
    size_t got = 0;
    int32_t rc = objects->ops->get(objects, &name, &bytes, &got, &err);

    if (rc != EDS_OK)
        fail_msg("'%s' is not there: %s", object_ref, err.text);
    assert_int_equal(got, size);
    if (size > 0)
        assert_memory_equal(bytes, payload, size);
    free(bytes);
}

static void put_good(struct eds_objects *objects, const char *object_ref, const void *payload,
                     size_t size)
{
    struct eds_error err;

    if (objects_put(objects, object_ref, payload, size, &err) != EDS_OK)
        fail_msg("'%s' was not stored: %s", object_ref, err.text);
}

static int set_up(void **state)
{
    *state = place->open();
    return *state != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    struct eds_objects *objects = *state;

    objects->ops->close(objects);
    place->clean();
    return 0;
}

static void test_absent(void **state)
{
    struct eds_objects *objects = *state;
    struct eds_object_name name = objects_name("nowhere", "x", 1);
    struct eds_error err = {.text = ""};
    void *bytes;
    size_t size;

    assert_int_equal(objects->ops->get(objects, &name, &bytes, &size, &err), EDS_ERR_NOT_FOUND);
    assert_true(err.text[0] != '\0');
}

static void test_sizes(void **state)
{
    static const size_t sizes[] = {0, 1, 31, 4096, 65535, 65536, 65537, 1u << 20};
    struct eds_objects *objects = *state;
    uint8_t *payload = malloc(1u << 20);
    char ref[32];

    assert_non_null(payload);
    for (size_t i = 0; i < (1u << 20); i++)
        payload[i] = (uint8_t)(i % 251);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        snprintf(ref, sizeof ref, "size/%zu", sizes[i]);
        put_good(objects, ref, payload, sizes[i]);
        objects_expect(objects, ref, payload, sizes[i]);
    }
    free(payload);
}

static void test_again(void **state)
{
    struct eds_objects *objects = *state, *other;

    put_good(objects, "lift-01/1", "door closed", 11);
    put_good(objects, "lift-01/1", "door closed", 11);
    objects_expect(objects, "lift-01/1", "door closed", 11);
    /* The same payload under another reference is no other payload. */
    put_good(objects, "lift-01/2", "door closed", 11);
    objects_expect(objects, "lift-01/2", "door closed", 11);
    objects_expect(objects, "lift-01/1", "door closed", 11);
    /* It is there for whoever opens the place next. */
    other = place->open();
    assert_non_null(other);
    objects_expect(other, "lift-01/1", "door closed", 11);
    put_good(other, "lift-01/1", "door closed", 11);
    other->ops->close(other);
}

/* What is kept under a name stays, whoever brings something else: a payload of
 * the same size, a shorter one, a longer one, none. */
static void test_written_once(void **state)
{
    static const char *const others[] = {"door opened", "door", "door closed, maybe", ""};
    struct eds_objects *objects = *state;
    struct eds_object_name name = objects_name("lift-01/1", "door closed", 11);
    struct eds_error err;

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        size_t size = strlen(others[i]);
        void *bytes;
        size_t got;

        err.text[0] = '\0';
        if (objects->by_hash) {
            place->spoil(&name, others[i], size);
            assert_int_equal(objects_put(objects, "lift-01/1", "door closed", 11, &err),
                             EDS_ERR_EXISTS);
            assert_true(err.text[0] != '\0');
            assert_int_equal(objects->ops->get(objects, &name, &bytes, &got, &err), EDS_OK);
            assert_int_equal(got, size);
            assert_memory_equal(bytes, others[i], size);
            free(bytes);
        } else {
            put_good(objects, "lift-01/1", "door closed", 11);
            assert_int_equal(objects_put(objects, "lift-01/1", others[i], size, &err),
                             EDS_ERR_EXISTS);
            assert_true(err.text[0] != '\0');
            objects_expect(objects, "lift-01/1", "door closed", 11);
        }
    }
}

/* References as devices may send them; each must be a name of its own. */
static void test_odd_references(void **state)
{
    char longest[EDS_OBJECT_REF_SIZE];
    const char *const refs[] = {
        "s3://bucket/lift-01/1.bin",
        "plain",
        "Plain",
        "a b",
        "a+b",
        "a%20b",
        "a/b",
        "a//b",
        "/a",
        "a/",
        "../a",
        "a/../b",
        "a/./b",
        "?query=1&x",
        "#fragment",
        "a\\b",
        "*!'();:@&=$,[]",
        "\"<>^`{|}~",
        "\xc3\xa9t\xc3\xa9/\xe4\xb8\xad",
        "line\nbreak",
        longest,
    };
    const size_t count = sizeof refs / sizeof refs[0];
    struct eds_objects *objects = *state;
    char payload[64];

    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    for (size_t i = 0; i < count; i++) {
        int size = snprintf(payload, sizeof payload, "payload %zu", i);

        put_good(objects, refs[i], payload, (size_t)size);
    }
    for (size_t i = 0; i < count; i++) {
        int size = snprintf(payload, sizeof payload, "payload %zu", i);

        objects_expect(objects, refs[i], payload, (size_t)size);
    }
}

static int32_t look(struct eds_objects *objects, const char *object_ref, const void *payload,
                    size_t size)
{
    struct eds_object_put put = {.name = objects_name(object_ref, payload, size),
                                 .only_look = true};

    return eds_objects_put_wait(objects, &put);
}

/* Whoever only looks brings nothing, and is told whether it is there. */
static void test_look(void **state)
{
    struct eds_objects *objects = *state;

    assert_int_equal(look(objects, "lift-01/1", "door closed", 11), EDS_ERR_NOT_FOUND);
    assert_int_equal(look(objects, "lift-01/1", "door closed", 11), EDS_ERR_NOT_FOUND);
    put_good(objects, "lift-01/1", "door closed", 11);
    assert_int_equal(look(objects, "lift-01/1", "door closed", 11), EDS_OK);
    assert_int_equal(look(objects, "lift-01/2", "door opened", 11), EDS_ERR_NOT_FOUND);
    if (!objects->by_hash)
        assert_int_equal(look(objects, "lift-01/1", "door opened", 11), EDS_ERR_EXISTS);
}

/* A payload that came in as a file is stored like any other, once, and leaves nothing
 * behind; of no size is a size, too. */
static void test_spooled(void **state)
{
    static const size_t sizes[] = {0, 1, 70000};
    struct eds_objects *objects = *state;
    uint8_t *payload = malloc(70000);
    char ref[32], path[PATH_MAX];
    struct eds_object_put put;
    struct eds_spool spool;
    struct eds_error err = {.text = ""};

    assert_non_null(payload);
    memset(payload, 0x5e, 70000);
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
        size_t size = sizes[i / 2];

        snprintf(ref, sizeof ref, "spooled/%zu", i / 2);
        if (eds_spool_open(&spool, objects, &err) != EDS_OK)
            fail_msg("%s", err.text);
        strcpy(path, spool.path);
        for (size_t at = 0; at < size; at += at + 1) /* in growing pieces */
            assert_int_equal(eds_spool_write(&spool, payload + at,
                                             size - at < at + 1 ? size - at : at + 1, &err),
                             EDS_OK);
        assert_int_equal(eds_spool_finish(&spool, &put, &err), EDS_OK);
        assert_int_equal(put.payload_size, size);
        put.name.object_ref = ref;
        if (eds_objects_put_wait(objects, &put) != EDS_OK)
            fail_msg("%s", put.err.text);
        eds_spool_close(&spool);
        assert_true(path[0] == '\0' || access(path, F_OK) != 0);
        objects_expect(objects, ref, payload, size);
    }
    free(payload);
}

#define CROWD_THREADS 4
#define CROWD_EACH    60

/* Puts of several threads, all under way together. */
struct crowd {
    struct eds_objects *objects;
    unsigned thread;
    atomic_uint *answered;
    struct eds_object_put puts[CROWD_EACH];
    atomic_uint calls[CROWD_EACH]; /* of done; must be 1 each */
    char refs[CROWD_EACH][32];
    char payloads[CROWD_EACH][32];
};

static void count_answer(struct eds_object_put *put)
{
    struct crowd *crowd = put->context;

    atomic_fetch_add(&crowd->calls[put - crowd->puts], 1);
    atomic_fetch_add(crowd->answered, 1);
}

static void *put_many(void *context)
{
    struct crowd *crowd = context;

    for (unsigned i = 0; i < CROWD_EACH; i++) {
        /* Every third payload is the same in all threads. */
        unsigned owner = i % 3 == 0 ? 0 : crowd->thread;
        int size = snprintf(crowd->payloads[i], sizeof crowd->payloads[i], "crowd %u/%u", owner, i);
        struct eds_object_put *put = &crowd->puts[i];

        snprintf(crowd->refs[i], sizeof crowd->refs[i], "crowd/%u/%u", owner, i);
        put->name = objects_name(crowd->refs[i], crowd->payloads[i], (size_t)size);
        put->payload = crowd->payloads[i];
        put->payload_size = (size_t)size;
        put->done = count_answer;
        put->context = crowd;
        crowd->objects->ops->put(crowd->objects, put);
    }
    return NULL;
}

static void test_many_at_once(void **state)
{
    struct eds_objects *objects = *state;
    struct crowd *crowds = calloc(CROWD_THREADS, sizeof *crowds);
    pthread_t threads[CROWD_THREADS];
    atomic_uint answered = 0;

    assert_non_null(crowds);
    for (unsigned i = 0; i < CROWD_THREADS; i++) {
        crowds[i].objects = objects;
        crowds[i].thread = i;
        crowds[i].answered = &answered;
        assert_int_equal(pthread_create(&threads[i], NULL, put_many, &crowds[i]), 0);
    }
    for (unsigned i = 0; i < CROWD_THREADS; i++)
        pthread_join(threads[i], NULL);
    while (atomic_load(&answered) < CROWD_THREADS * CROWD_EACH)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    for (unsigned t = 0; t < CROWD_THREADS; t++)
        for (unsigned i = 0; i < CROWD_EACH; i++) {
            if (crowds[t].puts[i].rc != EDS_OK)
                fail_msg("%s: %s", crowds[t].refs[i], crowds[t].puts[i].err.text);
            assert_int_equal(atomic_load(&crowds[t].calls[i]), 1);
            objects_expect(objects, crowds[t].refs[i], crowds[t].payloads[i],
                           strlen(crowds[t].payloads[i]));
        }
    free(crowds);
}

#define PLACE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int objects_conformance_run(const struct objects_place *tested)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(test_absent),         PLACE_TEST(test_sizes),
        PLACE_TEST(test_again),          PLACE_TEST(test_written_once),
        PLACE_TEST(test_odd_references), PLACE_TEST(test_many_at_once),
        PLACE_TEST(test_look),           PLACE_TEST(test_spooled),
    };

    place = tested;
    return cmocka_run_group_tests_name(tested->name, tests, NULL, NULL);
}

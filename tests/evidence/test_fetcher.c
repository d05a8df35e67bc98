/* test_fetcher.c - payloads are asked for side by side, and each answer goes to who
 * asked for it. */
#include "evidence/fetcher.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define FETCH_COUNT (3u * EDS_FETCHES_MAX)

/* A store that answers the first few at once, and then gives no answer before as many
 * have asked as may at a time. */
struct slow_store {
    struct eds_objects base;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned waiting, most, answered;
    bool gave_up;
};

static int32_t get_slowly(struct eds_objects *objects, const struct eds_object_name *name,
                          void **out, size_t *out_size, struct eds_error *err)
{
    struct slow_store *store = (struct slow_store *)objects;
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 60; /* only for a fetcher that asks for too few */
    pthread_mutex_lock(&store->lock);
    store->waiting++;
    if (store->waiting > store->most)
        store->most = store->waiting;
    pthread_cond_broadcast(&store->changed);
    while (store->answered >= 8 && store->most < EDS_FETCHES_MAX && !store->gave_up)
        if (pthread_cond_timedwait(&store->changed, &store->lock, &end) != 0)
            store->gave_up = true;
    store->waiting--;
    store->answered++;
    pthread_mutex_unlock(&store->lock);
    if (strcmp(name->object_ref, "5") == 0)
        return eds_error_set(err, EDS_ERR_IO, "the fifth fails");
    if (strcmp(name->object_ref, "6") == 0)
        return EDS_ERR_NOT_FOUND;
    *out = strdup(name->object_ref);
    *out_size = strlen(name->object_ref);
    return EDS_OK;
}

static void test_side_by_side(void **state)
{
    static const struct eds_objects_ops ops = {.name = "slow", .get = get_slowly};
    struct slow_store store = {.base = {.ops = &ops},
                               .lock = PTHREAD_MUTEX_INITIALIZER,
                               .changed = PTHREAD_COND_INITIALIZER,
                               .most = 0};
    struct eds_fetcher *fetcher = eds_fetcher_create(&store.base);
    struct eds_fetch *fetches = calloc(FETCH_COUNT, sizeof *fetches);
    EdsAuditRecord *records = calloc(FETCH_COUNT, sizeof *records);

    (void)state;
    assert_non_null(fetcher);
    assert_non_null(fetches);
    assert_non_null(records);
    for (unsigned i = 0; i < FETCH_COUNT; i++) {
        snprintf((char *)records[i].object_ref, sizeof records[i].object_ref, "%u", i);
        fetches[i] = (struct eds_fetch){.record = &records[i], .keep = i % 2 == 0};
        eds_fetcher_ask(fetcher, &fetches[i]);
    }
    for (unsigned i = 0; i < FETCH_COUNT; i++) {
        const char *ref = (const char *)records[i].object_ref;
        uint8_t hash[EDS_HASH_SIZE];

        eds_fetcher_wait(fetcher, &fetches[i]);
        assert_int_equal(fetches[i].rc, i == 5 ? EDS_ERR_IO : i == 6 ? EDS_ERR_NOT_FOUND : EDS_OK);
        if (i == 5)
            assert_string_equal(fetches[i].err.text, "the fifth fails");
        if (fetches[i].rc != EDS_OK)
            continue;
        eds_blake3(hash, ref, strlen(ref));
        assert_memory_equal(fetches[i].hash, hash, sizeof hash);
        assert_int_equal(fetches[i].size, strlen(ref));
        if (i % 2 == 0)
            assert_memory_equal(fetches[i].payload, ref, fetches[i].size);
        else
            assert_null(fetches[i].payload);
        eds_fetcher_release(fetcher, &fetches[i]);
        assert_null(fetches[i].payload);
    }
    eds_fetcher_destroy(fetcher);
    assert_false(store.gave_up);
    assert_int_equal(store.most, EDS_FETCHES_MAX);
    free(fetches);
    free(records);
}

/* Gives payloads of 100 MiB that nobody writes to, and counts those in memory. */
static int32_t get_large(struct eds_objects *objects, const struct eds_object_name *name,
                         void **out, size_t *out_size, struct eds_error *err)
{
    struct slow_store *store = (struct slow_store *)objects;

    (void)name;
    (void)err;
    pthread_mutex_lock(&store->lock);
    store->waiting++;
    if (store->waiting > store->most)
        store->most = store->waiting;
    pthread_mutex_unlock(&store->lock);
    *out_size = 100u << 20;
    *out = calloc(1, *out_size);
    return *out != NULL ? EDS_OK : EDS_ERR_NO_MEMORY;
}

/* Of what is kept no more is in memory than there is room for. */
static void test_large_ones(void **state)
{
    static const struct eds_objects_ops ops = {.name = "large", .get = get_large};
    struct slow_store store = {.base = {.ops = &ops},
                               .lock = PTHREAD_MUTEX_INITIALIZER,
                               .changed = PTHREAD_COND_INITIALIZER,
                               .most = 0};
    struct eds_fetcher *fetcher = eds_fetcher_create(&store.base);
    struct eds_fetch fetches[6];
    EdsAuditRecord record = {.sequence = 1};

    (void)state;
    assert_non_null(fetcher);
    for (size_t i = 0; i < 6; i++) {
        fetches[i] = (struct eds_fetch){.record = &record, .keep = true};
        eds_fetcher_ask(fetcher, &fetches[i]);
    }
    for (size_t i = 0; i < 6; i++) {
        eds_fetcher_wait(fetcher, &fetches[i]);
        assert_int_equal(fetches[i].rc, EDS_OK);
        pthread_mutex_lock(&store.lock);
        store.waiting--;
        pthread_mutex_unlock(&store.lock);
        eds_fetcher_release(fetcher, &fetches[i]);
    }
    eds_fetcher_destroy(fetcher);
    assert_true(store.most <= EDS_FETCHES_ROOM / (100u << 20));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_side_by_side),
                                       cmocka_unit_test(test_large_ones)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* store_conformance.c - see store_conformance.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/maker.h"
#include "device/store_conformance.h"
#include "support/alloc.h"
#include "support/dice.h"

static const char *the_scheme, *the_options;

static int set_up(void **state)
{
    struct store_place *place = calloc(1, sizeof *place);

    temp_dir_make(place->directory);
    place->is_durable = strcmp(the_scheme, "memory:") != 0;
    if (place->is_durable)
        snprintf(place->url, sizeof place->url, "%s%s/deep/er/buffer%s", the_scheme,
                 place->directory, the_options);
    else
        strcpy(place->url, the_scheme);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct store_place *place = *state;

    temp_dir_remove(place->directory);
    free(place);
    return 0;
}

static struct eds_buffer *open_buffer(const struct store_place *place)
{
    struct eds_buffer *buffer = NULL;
    struct eds_error err;

    if (eds_buffer_open(&buffer, place->url, NULL, &err) != EDS_OK)
        fail_msg("%s", err.text);
    return buffer;
}

/* Closes and opens again, where the store keeps anything. */
static struct eds_buffer *reopen(const struct store_place *place, struct eds_buffer *buffer)
{
    if (!place->is_durable)
        return buffer;
    eds_buffer_close(buffer);
    return open_buffer(place);
}

static struct eds_buffer_item *next(struct eds_buffer *buffer, const char *device_id,
                                    uint64_t after, bool dead)
{
    struct eds_buffer_item *item;
    struct eds_error err;
    int32_t rc = eds_buffer_next(buffer, device_id, after, dead, &item, &err);

    if (rc != EDS_OK && rc != EDS_ERR_NOT_FOUND)
        fail_msg("%s", err.text);
    if (rc == EDS_ERR_NOT_FOUND)
        assert_null(item);
    return item;
}

static void settle(struct eds_buffer *buffer, const struct eds_buffer_item *item,
                   enum eds_settlement how, const char *reason)
{
    struct eds_error err;

    if (eds_buffer_settle(buffer, item, how, reason, &err) != EDS_OK)
        fail_msg("%s", err.text);
}

static void test_empty(void **state)
{
    const struct store_place *place = *state;
    struct eds_buffer *buffer = open_buffer(place);
    struct eds_buffer_head head;
    struct eds_buffer_counts counts;

    buffer = reopen(place, buffer);
    assert_true(eds_buffer_is_empty(buffer));
    assert_int_equal(eds_buffer_is_durable(buffer), place->is_durable);
    assert_null(next(buffer, NULL, 0, false));
    assert_null(next(buffer, "a", 0, false));
    assert_null(next(buffer, NULL, 0, true));
    eds_buffer_head(buffer, "a", &head);
    assert_int_equal(head.sequence, 0);
    eds_buffer_counts(buffer, &counts);
    assert_int_equal(counts.waiting + counts.dead + counts.size + counts.device_count, 0);
    eds_buffer_close(buffer);
}

/* What goes in comes out, whole, in its order, also after a restart. */
static void test_round_trip(void **state)
{
    static const size_t sizes[] = {0, 1, 100, 4096, 5000, 65536, 3};
    const struct store_place *place = *state;
    struct eds_buffer *buffer = open_buffer(place);
    struct maker maker;
    struct eds_buffer_head head;
    uint64_t after = 0;

    maker_init(&maker, "lift-01");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        maker_push(&maker, buffer, sizes[i]);
    buffer = reopen(place, buffer);
    assert_int_equal(eds_buffer_len(buffer), 7);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct eds_buffer_item *item = next(buffer, NULL, after, false);

        assert_non_null(item);
        assert_int_equal(item->payload_size, sizes[i]);
        assert_made(item, "lift-01", i + 1);
        assert_true(item->id > after);
        assert_int_equal(item->priority, EDS_PRIORITY_NORMAL);
        assert_false(item->is_dead);
        after = item->id;
        free(item);
    }
    assert_null(next(buffer, NULL, after, false));
    eds_buffer_head(buffer, "lift-01", &head);
    assert_int_equal(head.sequence, 7);
    assert_int_equal(head.timestamp_ms, 1700000000007);
    assert_int_equal(head.command_counter, 1);
    assert_memory_equal(head.record_hash, maker.record_hash, EDS_HASH_SIZE);
    eds_buffer_close(buffer);
}

/* A head outlives its items. */
static void test_head_after_delivery(void **state)
{
    const struct store_place *place = *state;
    struct eds_buffer *buffer = open_buffer(place);
    struct maker maker;
    struct eds_buffer_head head;
    struct eds_buffer_item *item;

    maker_init(&maker, "lift-01");
    for (int i = 0; i < 3; i++)
        maker_push(&maker, buffer, 10);
    while ((item = next(buffer, NULL, 0, false)) != NULL) {
        settle(buffer, item, EDS_SETTLE_REMOVE, NULL);
        free(item);
    }
    buffer = reopen(place, buffer);
    assert_true(eds_buffer_is_empty(buffer));
    eds_buffer_head(buffer, "lift-01", &head);
    assert_int_equal(head.sequence, 3);
    assert_memory_equal(head.record_hash, maker.record_hash, EDS_HASH_SIZE);
    eds_buffer_close(buffer);
}

/* The last order that was answered is known when its answer is long gone; it is each
 * device's own, only rises, and is no smaller for a lower one. */
static void test_orders_answered(void **state)
{
    const struct store_place *place = *state;
    struct eds_buffer *buffer = open_buffer(place);
    struct maker a, b;

    maker_init(&a, "a");
    maker_init(&b, "b");
    maker_push_answer(&a, buffer, 7);
    maker_push_answer(&b, buffer, UINT64_MAX);
    maker_push_answer(&a, buffer, 3);
    for (int i = 0; i < 3; i++)
        maker_push(&b, buffer, 10);
    assert_counter(buffer, "a", 7);
    for (int i = 0; i < 2; i++) {
        struct eds_buffer_item *item;

        buffer = reopen(place, buffer);
        assert_counter(buffer, "a", 7);
        assert_counter(buffer, "b", UINT64_MAX);
        assert_counter(buffer, "c", 0);
        while ((item = next(buffer, NULL, 0, false)) != NULL) {
            settle(buffer, item, EDS_SETTLE_REMOVE, NULL);
            free(item);
        }
    }
    maker_push_answer(&a, buffer, 8);
    buffer = reopen(place, buffer);
    assert_counter(buffer, "a", 8);
    eds_buffer_close(buffer);
}

/* The same device's items are found whatever stands between. */
static void test_devices(void **state)
{
    const struct store_place *place = *state;
    struct eds_buffer *buffer = open_buffer(place);
    struct maker makers[5];
    char id[16];

    for (int i = 0; i < 5; i++) {
        snprintf(id, sizeof id, "device-%d", i);
        maker_init(&makers[i], id);
    }
    for (int round = 0; round < 20; round++)
        for (int i = 0; i < 5; i++)
            maker_push(&makers[i], buffer, (size_t)(round + i));
    buffer = reopen(place, buffer);
    for (int i = 0; i < 5; i++) {
        struct eds_buffer_item *item;
        uint64_t after = 0;

        for (uint64_t sequence = 1; sequence <= 20; sequence++) {
            item = next(buffer, makers[i].id, after, false);
            assert_non_null(item);
            assert_made(item, makers[i].id, sequence);
            after = item->id;
            free(item);
        }
        assert_null(next(buffer, makers[i].id, after, false));
    }
    assert_null(next(buffer, "device-9", 0, false));
    eds_buffer_close(buffer);
}

static void test_dead_letters(void **state)
{
    const struct store_place *place = *state;
    struct eds_buffer *buffer = open_buffer(place);
    struct maker maker;
    struct eds_buffer_item *item, *dead;
    struct eds_buffer_counts before, after;
    char long_reason[2 * EDS_REASON_SIZE];

    maker_init(&maker, "lift-01");
    for (int i = 0; i < 4; i++)
        maker_push(&maker, buffer, 10);
    eds_buffer_counts(buffer, &before);
    memset(long_reason, 'r', sizeof long_reason);
    memcpy(long_reason, "no\x1b[1m\n", 7);
    long_reason[sizeof long_reason - 1] = '\0';
    item = next(buffer, NULL, 0, false);
    settle(buffer, item, EDS_SETTLE_BURY, long_reason);
    free(item);
    item = next(buffer, NULL, 0, false);
    assert_made(item, "lift-01", 2);
    settle(buffer, item, EDS_SETTLE_BURY, "conflict");

    buffer = reopen(place, buffer);
    assert_int_equal(eds_buffer_len(buffer), 2);
    dead = next(buffer, NULL, 0, true);
    assert_made(dead, "lift-01", 1);
    assert_true(dead->is_dead);
    assert_int_equal(strlen(dead->reason), EDS_REASON_SIZE - 1);
    assert_int_equal(strncmp(dead->reason, "no [1m rrr", 10), 0);
    settle(buffer, dead, EDS_SETTLE_REVIVE, NULL);
    free(dead);
    dead = next(buffer, "lift-01", 0, true);
    assert_made(dead, "lift-01", 2);
    assert_string_equal(dead->reason, "conflict");
    assert_int_equal(dead->id, item->id);
    assert_int_equal(eds_buffer_settle(buffer, dead, EDS_SETTLE_BURY, "x", NULL), EDS_ERR_USAGE);
    free(item);

    buffer = reopen(place, buffer);
    eds_buffer_counts(buffer, &after);
    assert_int_equal(after.waiting, 3);
    assert_int_equal(after.dead, 1);
    assert_int_equal(after.size, before.size);
    item = next(buffer, NULL, 0, false); /* the revived one is first again */
    assert_made(item, "lift-01", 1);
    assert_string_equal(item->reason, "");
    assert_int_equal(eds_buffer_settle(buffer, item, EDS_SETTLE_REVIVE, NULL, NULL), EDS_ERR_USAGE);
    free(item);
    settle(buffer, dead, EDS_SETTLE_REMOVE, NULL); /* somebody has looked at it */
    free(dead);
    buffer = reopen(place, buffer);
    assert_null(next(buffer, NULL, 0, true));
    eds_buffer_close(buffer);
}

static void test_settle_unknown(void **state)
{
    const struct store_place *place = *state;
    struct eds_buffer *buffer = open_buffer(place);
    struct maker maker;
    struct eds_buffer_item *item;

    maker_init(&maker, "lift-01");
    maker_push(&maker, buffer, 10);
    item = next(buffer, NULL, 0, false);
    settle(buffer, item, EDS_SETTLE_REMOVE, NULL);
    assert_int_equal(eds_buffer_settle(buffer, item, EDS_SETTLE_REMOVE, NULL, NULL),
                     EDS_ERR_NOT_FOUND);
    assert_int_equal(eds_buffer_settle(buffer, item, EDS_SETTLE_BURY, "x", NULL),
                     EDS_ERR_NOT_FOUND);
    free(item);
    eds_buffer_close(buffer);
}

/* All of them or none; ids rise. */
static void test_push_many(void **state)
{
    const struct store_place *place = *state;
    struct eds_buffer *buffer = open_buffer(place);
    static struct made made[6];
    struct eds_buffer_item items[6];
    struct maker a, b;
    struct eds_buffer_head head;

    maker_init(&a, "a");
    maker_init(&b, "b");
    for (int i = 0; i < 6; i++) {
        maker_next(i % 2 == 0 ? &a : &b, 50, &made[i]);
        items[i] = (struct eds_buffer_item){.entry = made[i].entry,
                                            .payload = made[i].payload,
                                            .payload_size = made[i].payload_size,
                                            .priority = EDS_PRIORITY_ALARM};
    }
    assert_int_equal(eds_buffer_push_many(buffer, items, 0, NULL), EDS_OK);
    items[5].entry.record.object_ref[3] = 0xff;
    assert_int_equal(eds_buffer_push_many(buffer, items, 6, NULL), EDS_ERR_INVALID_UTF8);
    buffer = reopen(place, buffer);
    assert_true(eds_buffer_is_empty(buffer));
    eds_buffer_head(buffer, "a", &head);
    assert_int_equal(head.sequence, 0);
    items[5].entry = made[5].entry;
    items[2].priority = EDS_PRIORITY_COUNT;
    assert_int_equal(eds_buffer_push_many(buffer, items, 6, NULL), EDS_ERR_USAGE);
    items[2].priority = EDS_PRIORITY_ALARM;
    assert_int_equal(eds_buffer_push_many(buffer, items, 6, NULL), EDS_OK);
    for (int i = 1; i < 6; i++)
        assert_true(items[i].id > items[i - 1].id);
    buffer = reopen(place, buffer);
    assert_int_equal(eds_buffer_len(buffer), 6);
    eds_buffer_head(buffer, "b", &head);
    assert_int_equal(head.sequence, 3);
    assert_memory_equal(head.record_hash, b.record_hash, EDS_HASH_SIZE);
    eds_buffer_close(buffer);
}

/* A head only moves forward: an old record pushed once more is no new start. */
static void test_head_moves_forward(void **state)
{
    const struct store_place *place = *state;
    struct eds_buffer *buffer = open_buffer(place);
    static struct made first;
    struct maker maker, same;
    struct eds_buffer_head head;

    maker_init(&maker, "a");
    maker_init(&same, "a");
    maker_next(&same, 5, &first);
    maker_push(&maker, buffer, 5);
    maker_push(&maker, buffer, 5);
    assert_int_equal(
        eds_buffer_push(buffer, &first.entry, first.payload, 5, EDS_PRIORITY_NORMAL, NULL), EDS_OK);
    buffer = reopen(place, buffer);
    eds_buffer_head(buffer, "a", &head);
    assert_int_equal(head.sequence, 2);
    assert_memory_equal(head.record_hash, maker.record_hash, EDS_HASH_SIZE);
    eds_buffer_close(buffer);
}

/* Ids are never used twice, so that what was meant for a delivered item cannot
 * hit another one after a restart. */
static void test_ids(void **state)
{
    const struct store_place *place = *state;
    struct eds_buffer *buffer = open_buffer(place);
    struct maker maker;
    uint64_t last = 0;

    maker_init(&maker, "a");
    for (int i = 0; i < 5; i++) {
        struct eds_buffer_item *item;

        maker_push(&maker, buffer, 5);
        item = next(buffer, NULL, 0, false);
        assert_true(item->id > last);
        last = item->id;
        settle(buffer, item, EDS_SETTLE_REMOVE, NULL);
        free(item);
        maker_push(&maker, buffer, 5); /* what happened before it is durable with it */
        buffer = reopen(place, buffer);
        item = next(buffer, NULL, 0, false);
        assert_true(item->id > last);
        last = item->id;
        settle(buffer, item, EDS_SETTLE_REMOVE, NULL);
        free(item);
    }
    eds_buffer_close(buffer);
}

/* A file belongs to one process at a time. */
static void test_alone(void **state)
{
    const struct store_place *place = *state;
    struct eds_buffer *buffer = open_buffer(place), *second = NULL;
    struct eds_error err;

    if (!place->is_durable) {
        eds_buffer_close(buffer);
        skip();
    }
    assert_int_equal(eds_buffer_open(&second, place->url, NULL, &err), EDS_ERR_BUSY);
    assert_null(second);
    eds_buffer_close(buffer);
    eds_buffer_close(open_buffer(place));
}

/* Memory runs out at every allocation of ours: an error, and nothing in part. */
static void test_no_memory(void **state)
{
    const struct store_place *place = *state;
    static struct made made;
    struct maker maker;
    struct eds_buffer *buffer = NULL;
    struct eds_error err;
    int32_t rc = EDS_ERR_NO_MEMORY;
    uint64_t failures = 0;

    maker_init(&maker, "a");
    for (uint64_t n = 1; rc == EDS_ERR_NO_MEMORY; n++) {
        alloc_fail_at(n);
        rc = eds_buffer_open(&buffer, place->url, NULL, &err);
        alloc_fail_at(0);
        failures += rc == EDS_ERR_NO_MEMORY ? 1 : 0;
    }
    assert_int_equal(rc, EDS_OK);
    for (unsigned round = 0; round < 70; round++) { /* past where an index grows */
        maker_next(&maker, 100, &made);
        rc = EDS_ERR_NO_MEMORY;
        for (uint64_t n = 1; rc == EDS_ERR_NO_MEMORY; n++) {
            alloc_fail_at(n);
            rc = eds_buffer_push(buffer, &made.entry, made.payload, made.payload_size,
                                 EDS_PRIORITY_NORMAL, &err);
            alloc_fail_at(0);
            failures += rc == EDS_ERR_NO_MEMORY ? 1 : 0;
            assert_int_equal(eds_buffer_len(buffer), round + (rc == EDS_OK ? 1 : 0));
        }
        assert_int_equal(rc, EDS_OK);
    }
    for (uint64_t sequence = 1; sequence <= 70; sequence++) {
        struct eds_buffer_item *item = NULL;

        rc = EDS_ERR_NO_MEMORY;
        for (uint64_t n = 1; rc == EDS_ERR_NO_MEMORY; n++) {
            alloc_fail_at(n);
            rc = eds_buffer_next(buffer, NULL, 0, false, &item, &err);
            alloc_fail_at(0);
        }
        assert_int_equal(rc, EDS_OK);
        assert_made(item, "a", sequence);
        settle(buffer, item, EDS_SETTLE_REMOVE, NULL);
        free(item);
    }
    assert_true(failures > 3);
    eds_buffer_close(buffer);
}

/* A model beside it, and anything that may happen in any order. */
#define MODEL_MAX 400u

struct model {
    struct maker makers[3];
    struct {
        uint64_t id, sequence;
        int device;
        bool dead;
    } items[MODEL_MAX];
    size_t count;
};

static void model_push(struct model *model, struct eds_buffer *buffer, struct dice *dice)
{
    static struct made made;
    int device = (int)dice_below(dice, 3);
    struct eds_buffer_item item;

    maker_next(&model->makers[device], dice_below(dice, 600), &made);
    item = (struct eds_buffer_item){
        .entry = made.entry, .payload = made.payload, .payload_size = made.payload_size};
    assert_int_equal(eds_buffer_push_many(buffer, &item, 1, NULL), EDS_OK);
    model->items[model->count].id = item.id;
    model->items[model->count].sequence = made.entry.record.sequence;
    model->items[model->count].dead = false;
    model->items[model->count++].device = device;
}

static void model_settle(struct model *model, struct eds_buffer *buffer, struct dice *dice)
{
    size_t at = dice_below(dice, model->count);
    bool dead = model->items[at].dead;
    struct eds_buffer_item *item = next(buffer, NULL, model->items[at].id - 1, dead);
    enum eds_settlement how = dice_below(dice, 3) > 0 ? EDS_SETTLE_REMOVE
                              : dead                  ? EDS_SETTLE_REVIVE
                                                      : EDS_SETTLE_BURY;

    assert_int_equal(item->id, model->items[at].id);
    settle(buffer, item, how, "because");
    free(item);
    model->items[at].dead = how == EDS_SETTLE_BURY;
    if (how == EDS_SETTLE_REMOVE) {
        memmove(&model->items[at], &model->items[at + 1],
                (model->count - at - 1) * sizeof model->items[0]);
        model->count--;
    }
}

static void model_compare(const struct model *model, struct eds_buffer *buffer)
{
    uint64_t after[2] = {0, 0};

    for (size_t i = 0; i < model->count; i++) {
        bool dead = model->items[i].dead;
        struct eds_buffer_item *item = next(buffer, NULL, after[dead], dead);

        assert_non_null(item);
        assert_int_equal(item->id, model->items[i].id);
        assert_made(item, model->makers[model->items[i].device].id, model->items[i].sequence);
        after[dead] = item->id;
        free(item);
    }
    assert_null(next(buffer, NULL, after[0], false));
    assert_null(next(buffer, NULL, after[1], true));
    for (int i = 0; i < 3; i++) {
        struct eds_buffer_head head;

        eds_buffer_head(buffer, model->makers[i].id, &head);
        assert_int_equal(head.sequence, model->makers[i].sequence);
        assert_memory_equal(head.record_hash, model->makers[i].record_hash, EDS_HASH_SIZE);
        assert_int_equal(head.command_counter, head.sequence / MADE_ANSWER_EVERY);
    }
}

static void test_model(void **state)
{
    const struct store_place *place = *state;
    struct eds_buffer *buffer = open_buffer(place);
    static struct model model;
    struct dice dice;

    memset(&model, 0, sizeof model);
    dice_seed(&dice);
    maker_init(&model.makers[0], "a");
    maker_init(&model.makers[1], "b");
    maker_init(&model.makers[2], "a/b");
    for (int step = 0; step < 1500; step++) {
        size_t luck = dice_below(&dice, 100);

        if (luck < 2)
            buffer = reopen(place, buffer);
        else if (luck < 5)
            model_compare(&model, buffer);
        else if ((luck < 52 && model.count < 200) || model.count == 0)
            model_push(&model, buffer, &dice);
        else
            model_settle(&model, buffer, &dice);
    }
    buffer = reopen(place, buffer);
    model_compare(&model, buffer);
    eds_buffer_close(buffer);
}

#define PLACE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int store_conformance(const char *scheme, const char *options)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(test_empty),
        PLACE_TEST(test_round_trip),
        PLACE_TEST(test_head_after_delivery),
        PLACE_TEST(test_orders_answered),
        PLACE_TEST(test_devices),
        PLACE_TEST(test_dead_letters),
        PLACE_TEST(test_settle_unknown),
        PLACE_TEST(test_push_many),
        PLACE_TEST(test_head_moves_forward),
        PLACE_TEST(test_ids),
        PLACE_TEST(test_alone),
        PLACE_TEST(test_no_memory),
        PLACE_TEST(test_model),
    };

    the_scheme = scheme;
    the_options = options;
    if (access("/dev/shm", W_OK) == 0) /* where a sync costs nothing: this is not about disks */
        setenv("TMPDIR", "/dev/shm", 0);
    return cmocka_run_group_tests_name(scheme, tests, NULL, NULL);
}

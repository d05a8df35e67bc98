/* order_conformance.c - see order_conformance.h.  Written from store/orders.h alone. */
#include "store/order_conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "store/gap_sample.h"
#include "store/orders.h"

#define NOW_MS UINT64_C(1795305600123)

static struct eds_ledger *(*open_empty)(void);
static void (*clean_up)(void);

struct scene {
    struct eds_ledger *ledger;
    uint64_t alice; /* her revision */
    struct eds_error err;
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    assert_non_null(scene);
    scene->ledger = open_empty();
    assert_non_null(scene->ledger);
    scene->alice = gap_add_operator(scene->ledger);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    scene->ledger->ops->close(scene->ledger);
    free(scene);
    clean_up();
    return 0;
}

static struct eds_order order_of(const char *device_id, uint64_t counter)
{
    struct eds_order order = {.counter = counter,
                              .kind = EDS_ORDER_CONFIG,
                              .issued_ms = NOW_MS,
                              .not_after_ms = NOW_MS + 1000,
                              .operator_name = "alice",
                              .body = "buffer-age-max=60\n"};

    strcpy(order.device_id, device_id);
    return order;
}

static struct eds_order_word word_of(const struct eds_order *order)
{
    struct eds_order_word word;

    memset(word.key_id, (int)order->counter & 0xff, sizeof word.key_id);
    memset(word.signature, (int)(order->counter + 1) & 0xff, sizeof word.signature);
    return word;
}

static int32_t give_at(struct scene *scene, const struct eds_order *order, uint64_t revision,
                       uint64_t now_ms)
{
    struct eds_order_word word = word_of(order);
    struct eds_order_giving giving = {.order = order,
                                      .word = &word,
                                      .operator_revision = revision,
                                      .message = "command given",
                                      .why = "ticket 1",
                                      .now_ms = now_ms};

    return scene->ledger->orders->give(scene->ledger, &giving, &scene->err);
}

static void must_give(struct scene *scene, const struct eds_order *order)
{
    if (give_at(scene, order, scene->alice, NOW_MS) != EDS_OK)
        fail_msg("%s", scene->err.text);
}

static uint64_t last_of(struct scene *scene, const char *device_id)
{
    uint64_t last = 99;

    if (scene->ledger->orders->last(scene->ledger, device_id, &last, &scene->err) != EDS_OK)
        fail_msg("%s", scene->err.text);
    return last;
}

/* The next order: 0 if there is none. */
static uint64_t next_of(struct scene *scene, const char *device_id, uint64_t after,
                        uint64_t open_ms, struct eds_stored_order *out)
{
    int32_t rc =
        scene->ledger->orders->next(scene->ledger, device_id, after, open_ms, out, &scene->err);

    if (rc == EDS_ERR_NOT_FOUND)
        return 0;
    if (rc != EDS_OK)
        fail_msg("%s", scene->err.text);
    return out->order.counter;
}

static int32_t settle(struct scene *scene, const char *device_id, uint64_t counter,
                      enum eds_order_result result, uint64_t sequence, const char *message)
{
    struct eds_order_settling settling = {.device_id = device_id,
                                          .counter = counter,
                                          .result = result,
                                          .sequence = sequence,
                                          .message = message,
                                          .now_ms = NOW_MS + sequence};

    return scene->ledger->orders->settle(scene->ledger, &settling, &scene->err);
}

/* The lines of the operation log that are about orders. */
struct lines {
    struct line {
        char device_id[EDS_DEVICE_ID_SIZE], message[64], who[64], why[64];
        uint64_t sequence, created_ms;
    } list[8];
    size_t count;
};

static int32_t take_line(void *context, const struct eds_operation *operation, uint64_t created_ms)
{
    struct lines *lines = context;
    struct line *line = &lines->list[lines->count];

    if (strstr(operation->message, "command") == NULL)
        return EDS_OK;
    assert_in_range(lines->count, 0, 7);
    assert_int_equal(operation->decision, EDS_DECISION_CHANGED);
    strcpy(line->device_id, operation->device_id);
    strcpy(line->message, operation->message);
    strcpy(line->who, operation->who);
    strcpy(line->why, operation->why);
    line->sequence = operation->sequence;
    line->created_ms = created_ms;
    lines->count++;
    return EDS_OK;
}

static size_t read_lines(struct scene *scene, struct lines *lines)
{
    lines->count = 0;
    if (scene->ledger->ops->operations(scene->ledger, take_line, lines, &scene->err) != EDS_OK)
        fail_msg("%s", scene->err.text);
    return lines->count;
}

/* What is given is there as it was given, each device's own, in the order of counters. */
static void test_give(void **state)
{
    struct scene *scene = *state;
    struct eds_order first = order_of("lift-01", 1), second = order_of("lift-01", 900), other;
    struct eds_order_word word;
    struct eds_stored_order found;
    struct lines lines;

    assert_int_equal(last_of(scene, "lift-01"), 0);
    assert_int_equal(next_of(scene, "lift-01", 0, 0, &found), 0);
    must_give(scene, &first);
    memset(second.body, 0, sizeof second.body);
    for (char *at = second.body; at < second.body + 1024; at += 256) {
        memset(at, 'v', 256);
        at[0] = (char)('a' + (at - second.body) / 256);
        at[1] = '=';
        at[255] = '\n';
    }
    second.kind = 255;
    second.not_after_ms = INT64_MAX;
    must_give(scene, &second);
    memset(first.device_id, 'd', 255);
    other = first;
    must_give(scene, &other);
    assert_int_equal(last_of(scene, "lift-01"), 900);
    assert_int_equal(last_of(scene, "lift-0"), 0);
    assert_int_equal(next_of(scene, "lift-01", 0, 0, &found), 1);
    assert_int_equal(next_of(scene, "lift-01", 1, 0, &found), 900);
    word = word_of(&second);
    assert_memory_equal(&found.order, &second, sizeof second);
    assert_memory_equal(&found.word, &word, sizeof word);
    assert_int_equal(found.taken_ms, 0);
    assert_int_equal(found.result, EDS_ORDER_UNANSWERED);
    assert_int_equal(found.result_ms + found.result_sequence, 0);
    assert_int_equal(next_of(scene, "lift-01", 900, 0, &found), 0);
    assert_int_equal(next_of(scene, other.device_id, 0, 0, &found), 1);
    assert_int_equal(read_lines(scene, &lines), 3);
    assert_string_equal(lines.list[0].device_id, "lift-01");
    assert_string_equal(lines.list[0].who, "alice");
    assert_string_equal(lines.list[0].why, "ticket 1");
    assert_string_equal(lines.list[0].message, "command given");
    assert_int_equal(lines.list[0].sequence, 0);
    assert_int_equal(lines.list[0].created_ms, NOW_MS);
}

/* Each row is one edit away from what is taken; after each of them nothing has changed. */
static void test_give_refused(void **state)
{
    struct scene *scene = *state;
    struct eds_order good = order_of("lift-01", 5), order;
    struct lines lines;

    must_give(scene, &good);
#define ROW(edit, revision, wanted)                                                                \
    order = order_of("lift-01", 6);                                                                \
    edit;                                                                                          \
    assert_int_equal(give_at(scene, &order, revision, NOW_MS), wanted);                            \
    assert_int_equal(last_of(scene, "lift-01"), 5)
    ROW(order.counter = 5, scene->alice, EDS_ERR_HEAD_MOVED);
    ROW(order.counter = 4, scene->alice, EDS_ERR_HEAD_MOVED);
    ROW((void)0, scene->alice + 1, EDS_ERR_HEAD_MOVED);
    ROW(order.operator_name[0] = 'b', scene->alice, EDS_ERR_HEAD_MOVED);
    ROW(order.counter = 0, scene->alice, EDS_ERR_USAGE);
    ROW(order.counter = (uint64_t)INT64_MAX + 1, scene->alice, EDS_ERR_USAGE);
    ROW(order.not_after_ms = (uint64_t)INT64_MAX + 1, scene->alice, EDS_ERR_USAGE);
    ROW(order.body[0] = '\0', scene->alice, EDS_ERR_USAGE);
#undef ROW
    assert_int_equal(read_lines(scene, &lines), 1);
    order = order_of("lift-01", 6);
    must_give(scene, &order);
}

/* So many may be open and no more; what is answered, or over, makes room. */
static void test_bounded(void **state)
{
    struct scene *scene = *state;
    struct eds_order order;

    for (uint64_t counter = 1; counter <= EDS_ORDERS_OPEN_MAX; counter++) {
        order = order_of("lift-01", counter);
        order.not_after_ms = NOW_MS + 1000 * counter;
        must_give(scene, &order);
    }
    order = order_of("lift-01", 17);
    assert_int_equal(give_at(scene, &order, scene->alice, NOW_MS + 1000), EDS_ERR_BUSY);
    assert_non_null(strstr(scene->err.text, "lift-01"));
    assert_int_equal(last_of(scene, "lift-01"), 16);
    must_give(scene, &(struct eds_order[]){order_of("lift-02", 17)}[0]);
    assert_int_equal(settle(scene, "lift-01", 16, EDS_ORDER_REFUSED, 1, "command 16"), EDS_OK);
    assert_int_equal(give_at(scene, &order, scene->alice, NOW_MS), EDS_OK);
    order.counter++;
    assert_int_equal(give_at(scene, &order, scene->alice, NOW_MS), EDS_ERR_BUSY);
    order.not_after_ms = NOW_MS + 5000;
    assert_int_equal(give_at(scene, &order, scene->alice, NOW_MS + 1001), EDS_OK);
}

/* Open is what is not answered and not over. */
static void test_open(void **state)
{
    struct scene *scene = *state;
    struct eds_stored_order found;

    for (uint64_t counter = 1; counter <= 3; counter++) {
        struct eds_order order = order_of("lift-01", counter);

        order.not_after_ms = NOW_MS + 1000 * counter;
        must_give(scene, &order);
    }
    assert_int_equal(next_of(scene, "lift-01", 0, NOW_MS + 1000, &found), 1);
    assert_int_equal(next_of(scene, "lift-01", 0, NOW_MS + 1001, &found), 2);
    assert_int_equal(next_of(scene, "lift-01", 2, NOW_MS, &found), 3);
    assert_int_equal(settle(scene, "lift-01", 2, EDS_ORDER_DONE, 7, "command 2"), EDS_OK);
    assert_int_equal(next_of(scene, "lift-01", 0, NOW_MS + 1001, &found), 3);
    assert_int_equal(next_of(scene, "lift-01", 0, NOW_MS + 3001, &found), 0);
    assert_int_equal(next_of(scene, "lift-01", 1, 0, &found), 2);
}

/* The first time counts, of taking and of answers. */
static void test_take_and_settle(void **state)
{
    struct scene *scene = *state;
    const struct eds_order_ops *orders = scene->ledger->orders;
    struct eds_order order = order_of("lift-01", 3);
    struct eds_stored_order found;
    struct lines lines;

    must_give(scene, &order);
    assert_int_equal(orders->take(scene->ledger, "lift-01", 2, NOW_MS, &scene->err),
                     EDS_ERR_NOT_FOUND);
    assert_int_equal(orders->take(scene->ledger, "lift-02", 3, NOW_MS, &scene->err),
                     EDS_ERR_NOT_FOUND);
    assert_int_equal(orders->take(scene->ledger, "lift-01", 3, NOW_MS + 5, &scene->err), EDS_OK);
    assert_int_equal(orders->take(scene->ledger, "lift-01", 3, NOW_MS + 6, &scene->err), EDS_OK);
    assert_int_equal(next_of(scene, "lift-01", 0, NOW_MS, &found), 3); /* it is still open */
    assert_int_equal(found.taken_ms, NOW_MS + 5);
    assert_int_equal(settle(scene, "lift-01", 2, EDS_ORDER_DONE, 1, "command"), EDS_ERR_NOT_FOUND);
    assert_int_equal(settle(scene, "lift-01", 4, EDS_ORDER_DONE, 1, "command"), EDS_ERR_NOT_FOUND);
    assert_int_equal(settle(scene, "lift-02", 3, EDS_ORDER_DONE, 1, "command"), EDS_ERR_NOT_FOUND);
    assert_int_equal(settle(scene, "lift-01", 3, EDS_ORDER_REFUSED, 70, "command 3: no"), EDS_OK);
    assert_int_equal(settle(scene, "lift-01", 3, EDS_ORDER_DONE, 71, "command 3: yes"), EDS_OK);
    assert_int_equal(next_of(scene, "lift-01", 0, 0, &found), 3);
    assert_int_equal(found.result, EDS_ORDER_REFUSED);
    assert_int_equal(found.result_ms, NOW_MS + 70);
    assert_int_equal(found.result_sequence, 70);
    assert_int_equal(read_lines(scene, &lines), 2);
    assert_string_equal(lines.list[1].message, "command 3: no");
    assert_string_equal(lines.list[1].who, "lift-01");
    assert_string_equal(lines.list[1].why, "");
    assert_int_equal(lines.list[1].sequence, 70);
    assert_int_equal(lines.list[1].created_ms, NOW_MS + 70);
}

int order_conformance_run(const char *name, struct eds_ledger *(*open)(void), void (*clean)(void))
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_give, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_give_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_take_and_settle, set_up, tear_down),
    };

    open_empty = open;
    clean_up = clean;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

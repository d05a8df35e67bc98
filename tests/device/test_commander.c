/* test_commander.c - a device that obeys: each reason not to, and once in spite of
 * everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/agent_bench.h"
#include "device/log_medium.h"
#include "edgesentry/commander.h"

#define MEDIUM_SIZE (512u * 1024u)

static const uint8_t server_seed[EDS_SEED_SIZE] = {3}, other_seed[EDS_SEED_SIZE] = {4};
static uint8_t server_keys[1][EDS_PUBLIC_KEY_SIZE];

/* What the handlers of a device do, and what they remember. */
struct doing {
    unsigned calls;
    uint64_t counter; /* of the last order that was done, kept beside what it did */
    unsigned applied; /* how often something was done */
    int32_t rc;
    bool refuses;
};

static int32_t set_config(void *context, const struct eds_order *order,
                          struct eds_order_outcome *outcome, struct eds_error *err)
{
    struct doing *doing = context;

    doing->calls++;
    if (doing->rc != EDS_OK)
        return eds_error_set(err, doing->rc, "not now");
    outcome->done = !doing->refuses;
    strcpy(outcome->text, doing->refuses ? "a \"no\"" : "a=1");
    if (outcome->done && order->counter > doing->counter) {
        doing->counter = order->counter;
        doing->applied++;
    }
    return EDS_OK;
}

static struct eds_commander *open_commander(struct bench *bench, struct doing *doing)
{
    struct eds_commander_config config = {.agent = bench->agent,
                                          .buffer = bench->buffer,
                                          .device_id = "lift-01",
                                          .keys = (const uint8_t(*)[32])server_keys,
                                          .key_count = 1,
                                          .handlers = {[EDS_ORDER_CONFIG] = set_config},
                                          .context = doing};
    struct eds_commander *commander = NULL;

    eds_ed25519_public_key(server_keys[0], server_seed);
    assert_int_equal(eds_commander_open(&commander, &config, NULL), EDS_OK);
    return commander;
}

static struct eds_signed_order order_of(uint64_t counter)
{
    return (struct eds_signed_order){.order = {.device_id = "lift-01",
                                               .counter = counter,
                                               .kind = EDS_ORDER_CONFIG,
                                               .issued_ms = START_MS,
                                               .not_after_ms = START_MS + DAY_MS,
                                               .operator_name = "carol",
                                               .body = "a=1\n"}};
}

/* Asks, has the order signed for this question, and takes it. */
static int32_t command(struct eds_commander *commander, struct eds_signed_order it,
                       struct eds_error *err)
{
    assert_int_equal(eds_commander_ask(commander, it.nonce, err), EDS_OK);
    assert_int_equal(eds_signed_order_sign(&it, server_seed, NULL), EDS_OK);
    return eds_commander_take(commander, &it, err);
}

static void drain(struct eds_buffer *buffer)
{
    struct eds_buffer_item *item;

    while (eds_buffer_next(buffer, NULL, 0, false, &item, NULL) == EDS_OK) {
        assert_int_equal(eds_buffer_settle(buffer, item, EDS_SETTLE_REMOVE, NULL, NULL), EDS_OK);
        free(item);
    }
}

/* The last record answers that order so. */
static void expect_answer(struct bench *bench, uint64_t counter, bool done, const char *payload)
{
    struct eds_order_answer answer = {.counter = 0};
    char found[1024];
    EdsAuditRecord last;
    struct eds_buffer_head head;

    (void)bench_check_chain(bench, found, &last);
    assert_true(eds_order_answer_read(&answer, &last));
    assert_int_equal(answer.counter, counter);
    assert_int_equal(answer.done, done);
    if (strstr(found, payload) == NULL)
        fail_msg("%s", found);
    eds_buffer_head(bench->buffer, "lift-01", &head);
    assert_true(head.command_counter >= counter);
}

static void test_done(void **state)
{
    struct bench *bench = *state;
    struct doing doing = {.calls = 0};
    struct eds_commander *commander = open_commander(bench, &doing);
    struct eds_error err;

    assert_int_equal(command(commander, order_of(3), &err), EDS_OK);
    assert_int_equal(err.code, EDS_OK);
    assert_string_equal(err.text, "a=1");
    expect_answer(bench, 3, true,
                  "{\"command\":3,\"kind\":\"config\",\"result\":\"done\",\"order_hash\":\"");
    expect_answer(bench, 3, true, "\",\"text\":\"a=1\"}");
    doing.refuses = true;
    assert_int_equal(command(commander, order_of(7), &err), EDS_OK);
    assert_int_equal(err.code, EDS_ERR_REFUSED);
    expect_answer(bench, 7, false, "\"refused\"");
    expect_answer(bench, 7, false, "\"text\":\"a \\\"no\\\"\"}");
    assert_int_equal(doing.calls, 2);
    eds_commander_close(commander);
}

/* What may be anybody's word: each is one step away from what is done, is refused for
 * its own reason, and leaves nothing. */
static void test_not_taken(void **state)
{
    struct bench *bench = *state;
    struct doing doing = {.calls = 0};
    struct eds_commander *commander = open_commander(bench, &doing);
    const uint8_t *seed;
    struct eds_signed_order it;
    struct eds_error err;

    it = order_of(1);
    assert_int_equal(eds_signed_order_sign(&it, server_seed, NULL), EDS_OK);
    assert_int_equal(eds_commander_take(commander, &it, &err), EDS_ERR_BAD_SIGNATURE);
    assert_non_null(strstr(err.text, "nobody has asked"));
#define ROW(before, after, said)                                                                   \
    it = order_of(1);                                                                              \
    seed = server_seed;                                                                            \
    assert_int_equal(eds_commander_ask(commander, it.nonce, &err), EDS_OK);                        \
    before;                                                                                        \
    assert_int_equal(eds_signed_order_sign(&it, seed, NULL), EDS_OK);                              \
    after;                                                                                         \
    assert_int_equal(eds_commander_take(commander, &it, &err), EDS_ERR_BAD_SIGNATURE);             \
    assert_non_null(strstr(err.text, said))
    ROW(it.order.device_id[6] = '2', (void)0, "another device");
    ROW(it.nonce[0] ^= 1, (void)0, "another question");
    ROW(seed = other_seed, (void)0, "may not command");
    ROW((void)0, it.signature[0] ^= 1, "signature is not valid");
    ROW((void)0, it.order.counter++, "signature is not valid");
    ROW((void)0, it.order.body[2] = '2', "signature is not valid");
#undef ROW
    assert_int_equal(doing.calls, 0);
    assert_true(eds_buffer_is_empty(bench->buffer));
    assert_int_equal(command(commander, order_of(1), &err), EDS_OK);
    eds_commander_close(commander);
}

/* One answer a question: what was taken, or refused, is not taken again. */
static void test_one_answer(void **state)
{
    struct bench *bench = *state;
    struct doing doing = {.calls = 0};
    struct eds_commander *commander = open_commander(bench, &doing);
    struct eds_signed_order it = order_of(1), first;
    struct eds_error err;

    assert_int_equal(eds_commander_ask(commander, it.nonce, &err), EDS_OK);
    assert_int_equal(eds_signed_order_sign(&it, server_seed, NULL), EDS_OK);
    first = it;
    it.signature[0] ^= 1;
    assert_int_equal(eds_commander_take(commander, &it, &err), EDS_ERR_BAD_SIGNATURE);
    assert_int_equal(eds_commander_take(commander, &first, &err), EDS_ERR_BAD_SIGNATURE);
    assert_int_equal(eds_commander_ask(commander, it.nonce, &err), EDS_OK);
    assert_int_equal(eds_commander_take(commander, &first, &err), EDS_ERR_BAD_SIGNATURE);
    assert_non_null(strstr(err.text, "another question"));
    assert_int_equal(doing.calls, 0);
    eds_commander_close(commander);
}

/* What the server says, freshly, and what is not done all the same: an answer says so,
 * and the next order is not held up. */
static void test_refused(void **state)
{
    struct bench *bench = *state;
    struct doing doing = {.calls = 0};
    struct eds_commander *commander = open_commander(bench, &doing);
    struct eds_signed_order it;
    struct eds_error err;

    it = order_of(5);
    it.order.not_after_ms = START_MS + 1;
    bench_pass(bench, 2000);
    assert_int_equal(command(commander, it, &err), EDS_OK);
    assert_int_equal(err.code, EDS_ERR_REFUSED);
    expect_answer(bench, 5, false, "\"text\":\"its time is over\"");
    it = order_of(6);
    it.order.kind = 77;
    assert_int_equal(command(commander, it, &err), EDS_OK);
    expect_answer(bench, 6, false, "\"kind\":\"unknown\"");
    it = order_of(7);
    it.order.kind = EDS_ORDER_ROTATE_KEY;
    assert_int_equal(command(commander, it, &err), EDS_OK);
    expect_answer(bench, 7, false, "this device does not do that");
    assert_int_equal(command(commander, order_of(6), &err), EDS_OK); /* a server's old copy */
    expect_answer(bench, 6, false, "counter is below");
    assert_int_equal(doing.calls, 0);
    assert_int_equal(command(commander, order_of(8), &err), EDS_OK);
    assert_int_equal(doing.calls, 1);
    eds_commander_close(commander);
}

/* A clock that is behind does not keep a fresh order from being done. */
static void test_wrong_clock(void **state)
{
    struct bench *bench = *state;
    struct doing doing = {.calls = 0};
    struct eds_commander *commander = open_commander(bench, &doing);
    struct eds_error err;

    bench->wall_ms = 5; /* 1970 */
    assert_int_equal(command(commander, order_of(1), &err), EDS_OK);
    assert_int_equal(doing.applied, 1);
    eds_commander_close(commander);
}

/* The same order again: nothing while its answer waits to be delivered; once more when
 * the server should have it; never done again. */
static void test_again(void **state)
{
    struct bench *bench = *state;
    struct doing doing = {.calls = 0};
    struct eds_commander *commander = open_commander(bench, &doing);
    struct eds_error err;

    assert_int_equal(command(commander, order_of(1), &err), EDS_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(command(commander, order_of(1), &err), EDS_ERR_EXISTS);
    drain(bench->buffer);
    for (int i = 0; i < 2; i++) /* it may be at a gateway yet */
        assert_int_equal(command(commander, order_of(1), &err), EDS_ERR_EXISTS);
    assert_int_equal(command(commander, order_of(1), &err), EDS_OK);
    assert_int_equal(eds_buffer_len(bench->buffer), 1);
    drain(bench->buffer);
    for (int i = 0; i < 5; i++)
        assert_int_equal(command(commander, order_of(1), &err), EDS_ERR_EXISTS);
    assert_true(eds_buffer_is_empty(bench->buffer));
    eds_commander_close(commander);
    bench_restart(bench); /* it is known after a restart, too */
    commander = open_commander(bench, &doing);
    for (int i = 0; i < 2; i++)
        assert_int_equal(command(commander, order_of(1), &err), EDS_ERR_EXISTS);
    assert_int_equal(command(commander, order_of(1), &err), EDS_OK);
    assert_int_equal(err.code, EDS_ERR_REFUSED);
    assert_int_equal(command(commander, order_of(2), &err), EDS_OK);
    assert_int_equal(err.code, EDS_OK);
    assert_int_equal(doing.applied, 2);
    eds_commander_close(commander);
}

/* "Not now", from the handler or for want of room: no answer, and it comes again. */
static void test_not_now(void **state)
{
    struct bench *bench = *state;
    struct doing doing = {.rc = EDS_ERR_IO};
    struct eds_commander *commander = open_commander(bench, &doing);
    static char payload[100000];
    struct eds_buffer_head head;
    struct eds_error err;

    assert_int_equal(command(commander, order_of(1), &err), EDS_ERR_IO);
    assert_string_equal(err.text, "not now");
    assert_true(eds_buffer_is_empty(bench->buffer));
    doing.rc = EDS_OK;
    memset(payload, 'p', sizeof payload - 1);
    for (size_t size = sizeof payload - 1; size > 0; size /= 2) {
        payload[size] = '\0';
        while (bench_try_record(bench, payload) == EDS_OK)
            continue;
    }
    assert_int_equal(command(commander, order_of(1), &err), EDS_ERR_BUSY);
    eds_buffer_head(bench->buffer, "lift-01", &head);
    assert_int_equal(head.command_counter, 0);
    drain(bench->buffer);
    assert_int_equal(command(commander, order_of(1), &err), EDS_OK);
    eds_buffer_head(bench->buffer, "lift-01", &head);
    assert_int_equal(head.command_counter, 1);
    assert_int_equal(eds_buffer_len(bench->buffer), 1);
    assert_int_equal(doing.calls, 3);
    assert_int_equal(doing.applied, 1);
    eds_commander_close(commander);
}

static void test_config(void **state)
{
    struct bench *bench = *state;
    static const uint8_t weak[1][EDS_PUBLIC_KEY_SIZE] = {{1}}; /* the neutral element */
    struct eds_commander_config good = {.agent = bench->agent,
                                        .buffer = bench->buffer,
                                        .device_id = "lift-01",
                                        .keys = (const uint8_t(*)[32])server_keys,
                                        .key_count = 1},
                                config;
    struct eds_commander *commander;
    char long_id[300];

    memset(long_id, 'd', sizeof long_id);
    long_id[256] = '\0';
    eds_ed25519_public_key(server_keys[0], server_seed);
#define ROW(edit, wanted)                                                                          \
    config = good;                                                                                 \
    edit;                                                                                          \
    assert_int_equal(eds_commander_open(&commander, &config, NULL), wanted)
    ROW(config.agent = NULL, EDS_ERR_USAGE);
    ROW(config.buffer = NULL, EDS_ERR_USAGE);
    ROW(config.device_id = NULL, EDS_ERR_USAGE);
    ROW(config.device_id = "", EDS_ERR_USAGE);
    ROW(config.device_id = long_id, EDS_ERR_USAGE);
    ROW(config.key_count = 0, EDS_ERR_USAGE);
    ROW(config.key_count = EDS_COMMANDER_KEYS_MAX + 1, EDS_ERR_USAGE);
    ROW(config.keys = weak, EDS_ERR_INVALID_KEY);
    ROW((void)0, EDS_OK);
#undef ROW
    eds_commander_close(commander);
}

/* A server, and a device that loses its power. */
struct scene {
    struct log_medium medium;
    struct bench *bench;
    struct doing doing; /* what the device keeps elsewhere, and durably */
};

/* One life of the device: it asks until orders 1 to 3 are answered, or the power goes. */
static void live(struct scene *scene)
{
    struct bench *bench = scene->bench;
    struct eds_commander *commander;
    struct eds_error err;

    assert_int_equal(medium_open(&scene->medium, &bench->buffer, &err), EDS_OK);
    bench->config.buffer = bench->buffer;
    assert_int_equal(eds_agent_open(&bench->agent, &bench->config, &err), EDS_OK);
    commander = open_commander(bench, &scene->doing);
    for (int round = 0; round < 8; round++) {
        struct eds_buffer_head head;

        (void)bench_try_record(bench, "between");
        eds_buffer_head(bench->buffer, "lift-01", &head);
        if (head.command_counter < 3) /* the server knows it by the answers */
            (void)command(commander, order_of(head.command_counter + 1), &err);
    }
    eds_commander_close(commander);
}

static void die(struct scene *scene, struct dice *dice)
{
    struct bench *bench = scene->bench;

    medium_fail(&scene->medium, 1, true); /* the dead process's last words reach nothing */
    eds_agent_close(bench->agent);
    eds_buffer_close(bench->buffer);
    bench->agent = NULL;
    bench->buffer = NULL;
    medium_cut(&scene->medium, dice);
    medium_fail(&scene->medium, 0, false);
}

/* How often each order is answered in the chain; the chain is whole. */
static void count_answers(struct bench *bench, unsigned answers[4])
{
    struct eds_buffer_item *item;
    uint64_t after = 0, sequence = 0;

    memset(answers, 0, 4 * sizeof answers[0]);
    while (eds_buffer_next(bench->buffer, NULL, after, false, &item, NULL) == EDS_OK) {
        struct eds_order_answer answer;

        assert_int_equal(item->entry.record.sequence, ++sequence);
        if (eds_order_answer_read(&answer, &item->entry.record)) {
            assert_true(answer.done);
            assert_in_range(answer.counter, 1, 3);
            answers[answer.counter]++;
        }
        after = item->id;
        free(item);
    }
}

/* Wherever the power goes: each order is done once and answered once, in its order. */
static void test_power_cuts(void **state)
{
    struct bench *bench = *state;
    struct dice dice;
    unsigned answers[4], cuts = 0;

    dice_seed(&dice);
    bench_stop(bench);
    for (uint64_t n = 1; n <= 40; n++) {
        struct scene scene = {.bench = bench};

        medium_make(&scene.medium, MEDIUM_SIZE);
        medium_fail(&scene.medium, n, true);
        live(&scene);
        cuts += scene.medium.operations >= n ? 1 : 0;
        die(&scene, &dice);
        live(&scene);
        count_answers(bench, answers);
        assert_int_equal(answers[1] + answers[2] + answers[3], 3);
        assert_true(answers[1] == 1 && answers[2] == 1);
        assert_int_equal(scene.doing.applied, 3);
        assert_int_equal(scene.doing.counter, 3);
        die(&scene, &dice);
        medium_free(&scene.medium);
    }
    printf("%u power cuts\n", cuts);
    assert_true(cuts > 10);
    bench_start(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_done),    BENCH_TEST(test_not_taken),   BENCH_TEST(test_one_answer),
        BENCH_TEST(test_refused), BENCH_TEST(test_wrong_clock), BENCH_TEST(test_again),
        BENCH_TEST(test_not_now), BENCH_TEST(test_config),      BENCH_TEST(test_power_cuts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_ledger_desk.c - who is given an order, and what its answer settles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/latch.h"
#include "base/port.h"
#include "ingest/ledger_desk.h"
#include "ingest/world.h"
#include "store/orders.h"
#include "store/roster.h"

static const uint8_t server_seed[EDS_SEED_SIZE] = {0xd0}, other_seed[EDS_SEED_SIZE] = {0xd1};

struct stage {
    char url[128];
    struct eds_ledger *ledger; /* the committer's; the desk has its own */
    struct eds_registry *registry;
    struct eds_ingest *ingest;
    struct eds_ledger_desk *desk;
    struct device lift, carol; /* carol: an operator's key */
    uint64_t now_ms;
};

static void enrol(struct stage *stage, enum eds_role role, const struct device *device,
                  enum eds_device_state state)
{
    struct eds_enrolment it = {.key_count = 1};
    struct eds_roster_change change = {&it, "a test", "alice", ""};
    struct eds_error err;
    int32_t rc = stage->ledger->roster->find(stage->ledger, role, device->id, &it, &err);

    if (rc == EDS_ERR_NOT_FOUND) {
        memset(&it, 0, sizeof it);
        it.key_count = 1;
        strcpy(it.id, device->id);
        device_key(device, it.keys[0].public_key);
        it.keys[0].not_after_ms = it.keys[0].not_after_sequence = EDS_KEY_NO_END;
    }
    it.role = role;
    it.state = state;
    if (stage->ledger->roster->change(stage->ledger, &change, 1, 1, &err) != EDS_OK)
        fail_msg("%s", err.text);
}

static int set_stage(void **state)
{
    struct stage *stage = calloc(1, sizeof *stage);
    struct eds_ingest_config config;
    struct eds_error err;

    assert_non_null(stage);
    *state = stage;
    if (!EDS_STORE_SQLITE)
        return 0;
    temporary_url(stage->url);
    stage->ledger = open_ledger(stage->url);
    stage->now_ms = eds_port_time_ms();
    stage->registry = eds_registry_create();
    device_make(&stage->lift, "lift-01", 1);
    device_make(&stage->carol, "carol", 2);
    device_register(&stage->lift, stage->registry, false);
    enrol(stage, EDS_ROLE_OPERATOR, &stage->carol, EDS_DEVICE_ACTIVE);
    config = (struct eds_ingest_config){.ledger = stage->ledger, .registry = stage->registry};
    stage->ingest = start(&config);
    if (eds_ledger_desk_open(&stage->desk, open_ledger(stage->url), server_seed, &err) != EDS_OK)
        fail_msg("%s", err.text);
    return 0;
}

static int clear_stage(void **state)
{
    struct stage *stage = *state;

    if (EDS_STORE_SQLITE) {
        eds_ledger_desk_close(stage->desk);
        eds_ingest_stop(stage->ingest);
        stage->ledger->ops->close(stage->ledger);
        eds_registry_destroy(stage->registry);
        temporary_remove(stage->url);
    }
    free(stage);
    return 0;
}

/* Gives an order by carol's key, or what a test has changed behind her back. */
static void give(struct stage *stage, uint64_t counter, const struct device *signer,
                 const char *said)
{
    struct eds_order order = {.device_id = "lift-01",
                              .counter = counter,
                              .kind = EDS_ORDER_CONFIG,
                              .issued_ms = stage->now_ms,
                              .not_after_ms = stage->now_ms + 3600000,
                              .operator_name = "carol",
                              .body = "a=1\n"};
    struct eds_order_word word;
    struct eds_enrolment carol;
    struct eds_order_giving giving = {
        .order = &order, .word = &word, .message = "given", .why = "", .now_ms = stage->now_ms};
    struct eds_error err;

    assert_int_equal(eds_order_sign(&word, &order, signer->seed, NULL), EDS_OK);
    if (said != NULL)
        strcpy(order.body, said);
    assert_int_equal(
        stage->ledger->roster->find(stage->ledger, EDS_ROLE_OPERATOR, "carol", &carol, &err),
        EDS_OK);
    giving.operator_revision = carol.revision;
    if (stage->ledger->orders->give(stage->ledger, &giving, &err) != EDS_OK)
        fail_msg("%s", err.text);
}

static void set_latch(struct eds_command_question *question)
{
    eds_latch_set(question->context);
}

/* Asks and waits: the counter of the order, or 0. */
static uint64_t ask(struct stage *stage, const char *device_id, uint8_t nonce,
                    struct eds_signed_order *out)
{
    struct eds_latch answered = EDS_LATCH_INITIAL;
    struct eds_command_question question = {
        .nonce = {nonce}, .done = set_latch, .context = &answered};

    strcpy(question.device_id, device_id);
    eds_ledger_desk_of(stage->desk)->ask(eds_ledger_desk_of(stage->desk), &question);
    eds_latch_wait(&answered);
    if (question.rc == EDS_ERR_NOT_FOUND)
        return 0;
    if (question.rc != EDS_OK)
        fail_msg("%s", question.err.text);
    if (out != NULL)
        *out = question.signed_order;
    return question.signed_order.order.counter;
}

static struct eds_stored_order stored(struct stage *stage, uint64_t counter)
{
    struct eds_stored_order out;

    assert_int_equal(
        stage->ledger->orders->next(stage->ledger, "lift-01", counter - 1, 0, &out, NULL), EDS_OK);
    assert_int_equal(out.order.counter, counter);
    return out;
}

/* The oldest order, signed for this nonce, again and again until it is answered. */
static void test_given(void **state)
{
    struct stage *stage = *state;
    struct eds_signed_order one, other;
    uint8_t key[EDS_PUBLIC_KEY_SIZE];
    uint64_t taken_ms;

    if (!EDS_STORE_SQLITE)
        skip();
    eds_ed25519_public_key(key, server_seed);
    assert_int_equal(ask(stage, "lift-01", 1, NULL), 0);
    give(stage, 1, &stage->carol, NULL);
    give(stage, 5, &stage->carol, NULL);
    assert_int_equal(ask(stage, "lift-02", 1, NULL), 0);
    assert_int_equal(stored(stage, 1).taken_ms, 0);
    assert_int_equal(ask(stage, "lift-01", 1, &one), 1);
    taken_ms = stored(stage, 1).taken_ms;
    assert_true(taken_ms >= stage->now_ms);
    assert_int_equal(ask(stage, "lift-01", 2, &other), 1);
    assert_int_equal(stored(stage, 1).taken_ms, taken_ms);
    assert_true(eds_signed_order_verify(&one, key));
    assert_true(eds_signed_order_verify(&other, key));
    assert_int_equal(one.nonce[0], 1);
    assert_string_equal(one.order.body, "a=1\n");
    assert_memory_not_equal(one.signature, other.signature, EDS_SIGNATURE_SIZE);
    eds_ledger_desk_set_key(stage->desk, other_seed);
    assert_int_equal(ask(stage, "lift-01", 1, &one), 1);
    assert_false(eds_signed_order_verify(&one, key));
    eds_ed25519_public_key(key, other_seed);
    assert_true(eds_signed_order_verify(&one, key));
}

/* The ledger's row is not believed for standing there. */
static void test_not_believed(void **state)
{
    struct stage *stage = *state;

    if (!EDS_STORE_SQLITE)
        skip();
    give(stage, 1, &stage->lift, NULL);     /* another's key */
    give(stage, 2, &stage->carol, "a=2\n"); /* not what was signed */
    give(stage, 3, &stage->carol, NULL);
    assert_int_equal(ask(stage, "lift-01", 1, NULL), 3);
    assert_int_equal(stored(stage, 1).result, EDS_ORDER_REFUSED);
    assert_int_equal(stored(stage, 2).result, EDS_ORDER_REFUSED);
    assert_int_equal(stored(stage, 2).result_sequence, 0);
    assert_int_equal(stored(stage, 3).result, EDS_ORDER_UNANSWERED);
    enrol(stage, EDS_ROLE_OPERATOR, &stage->carol, EDS_DEVICE_REVOKED);
    assert_int_equal(ask(stage, "lift-01", 1, NULL), 0);
    assert_int_equal(stored(stage, 3).result, EDS_ORDER_REFUSED);
}

/* A revoked device gets none, a quarantined one does: it may be told to mend itself. */
static void test_states(void **state)
{
    struct stage *stage = *state;

    if (!EDS_STORE_SQLITE)
        skip();
    give(stage, 1, &stage->carol, NULL);
    enrol(stage, EDS_ROLE_DEVICE, &stage->lift, EDS_DEVICE_QUARANTINED);
    assert_int_equal(ask(stage, "lift-01", 1, NULL), 1);
    enrol(stage, EDS_ROLE_DEVICE, &stage->lift, EDS_DEVICE_REVOKED);
    assert_int_equal(ask(stage, "lift-01", 1, NULL), 0);
    assert_int_equal(stored(stage, 1).result, EDS_ORDER_UNANSWERED);
}

static void send_answer(struct stage *stage, struct device *device, const char *of,
                        uint64_t counter, bool is_done, enum eds_verdict wanted)
{
    struct eds_order_answer answer = {.counter = counter, .done = is_done};
    char reference[EDS_OBJECT_REF_SIZE];
    struct parcel parcel;

    eds_order_answer_write(reference, &answer, of, device->sequence + 1);
    parcel_fill(&parcel, device->id, device->sequence + 1, device->record_hash, reference,
                device->seed);
    expect(stage->ingest, &parcel, wanted, NULL);
    if (wanted != EDS_VERDICT_ACCEPTED)
        return;
    device->sequence++;
    parcel_hash(&parcel, device->record_hash);
}

/* The device's record settles the order; nobody else's does, and none that is refused. */
static void test_answers(void **state)
{
    struct stage *stage = *state;
    struct device crane;

    if (!EDS_STORE_SQLITE)
        skip();
    device_make(&crane, "crane-01", 3);
    device_register(&crane, stage->registry, false);
    give(stage, 1, &stage->carol, NULL);
    give(stage, 2, &stage->carol, NULL);
    send_answer(stage, &crane, "lift-01", 1, true, EDS_VERDICT_OBJECT_TAKEN);
    assert_int_equal(stored(stage, 1).result, EDS_ORDER_UNANSWERED);
    stage->lift.sequence = 4; /* as if records were missing */
    send_answer(stage, &stage->lift, "lift-01", 1, true, EDS_VERDICT_SEQUENCE);
    stage->lift.sequence = 0;
    assert_int_equal(stored(stage, 1).result, EDS_ORDER_UNANSWERED);
    send_answer(stage, &stage->lift, "lift-01", 7, true, EDS_VERDICT_ACCEPTED); /* there is none */
    send_answer(stage, &stage->lift, "lift-01", 1, true, EDS_VERDICT_ACCEPTED);
    assert_int_equal(stored(stage, 1).result, EDS_ORDER_DONE);
    assert_int_equal(stored(stage, 1).result_sequence, 2);
    assert_int_equal(ask(stage, "lift-01", 1, NULL), 2);
    send_answer(stage, &stage->lift, "lift-01", 2, false, EDS_VERDICT_ACCEPTED);
    assert_int_equal(stored(stage, 2).result, EDS_ORDER_REFUSED);
    assert_int_equal(ask(stage, "lift-01", 1, NULL), 0);
}

static void *ask_much(void *context)
{
    for (int i = 0; i < 50; i++)
        assert_int_equal(ask(context, "lift-01", (uint8_t)i, NULL), 1);
    return NULL;
}

/* Many at once, and the key changes meanwhile: each has its answer. */
static void test_many(void **state)
{
    struct stage *stage = *state;
    pthread_t threads[4];

    if (!EDS_STORE_SQLITE)
        skip();
    give(stage, 1, &stage->carol, NULL);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_much, stage), 0);
    for (int i = 0; i < 50; i++)
        eds_ledger_desk_set_key(stage->desk, i % 2 == 0 ? other_seed : server_seed);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

/* A device's key, or an operator's, is no server's. */
static void test_keys(void **state)
{
    struct stage *stage = *state;
    struct eds_ledger_desk *desk = NULL;
    struct eds_error err;

    if (!EDS_STORE_SQLITE)
        skip();
    assert_int_equal(eds_ledger_desk_open(&desk, open_ledger(stage->url), stage->carol.seed, &err),
                     EDS_ERR_USAGE);
    assert_non_null(strstr(err.text, "is registered for operator carol"));
    assert_null(desk);
}

int main(void)
{
#define STAGE_TEST(test) cmocka_unit_test_setup_teardown(test, set_stage, clear_stage)
    const struct CMUnitTest tests[] = {
        STAGE_TEST(test_given),   STAGE_TEST(test_not_believed), STAGE_TEST(test_states),
        STAGE_TEST(test_answers), STAGE_TEST(test_many),         STAGE_TEST(test_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

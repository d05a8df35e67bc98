/* Questions for commands at a server that listens to a broker, with a desk that answers
 * when the test says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "transport/mqtt_questions.h"

#define AGAIN_MS 2000u
#define TEN_MIN  600000u

struct lab {
    struct eds_command_desk desk; /* first */
    struct mqtt_questions questions;
    struct eds_command_question *asked[2 * EDS_QUESTIONS_MAX];
    size_t asked_count;
    char topic[128], text[EDS_JSON_SIGNED_ORDER_SIZE_MAX]; /* published last */
    size_t published;
    uint64_t now_ms;
};

static void desk_ask(struct eds_command_desk *desk, struct eds_command_question *question)
{
    struct lab *lab = (struct lab *)desk;

    assert_true(lab->asked_count < 2 * EDS_QUESTIONS_MAX);
    lab->asked[lab->asked_count++] = question;
}

static void publish(void *context, const char *topic, const char *text, size_t size)
{
    struct lab *lab = context;

    assert_int_equal(strlen(text), size);
    snprintf(lab->topic, sizeof lab->topic, "%s", topic);
    snprintf(lab->text, sizeof lab->text, "%s", text);
    lab->published++;
}

static int set_up(void **state)
{
    struct lab *lab = calloc(1, sizeof *lab);

    assert_non_null(lab);
    lab->desk = (struct eds_command_desk){.ask = desk_ask, .ask_again_ms = AGAIN_MS};
    lab->now_ms = 1000000;
    mqtt_questions_init(&lab->questions, &lab->desk, eventfd(0, EFD_CLOEXEC));
    *state = lab;
    return 0;
}

/* The desk gives back what it has. */
static void give_back(struct lab *lab, int32_t rc)
{
    for (size_t i = 0; i < lab->asked_count; i++) {
        struct eds_command_question *question = lab->asked[i];
        struct eds_order *order = &question->signed_order.order;

        question->rc = rc;
        strcpy(order->device_id, question->device_id);
        memcpy(question->signed_order.nonce, question->nonce, EDS_NONCE_SIZE);
        order->counter = order->kind = 1;
        order->not_after_ms = 2;
        order->issued_ms = 1;
        strcpy(order->operator_name, "carol");
        question->done(question);
    }
    lab->asked_count = 0;
}

static int tear_down(void **state)
{
    struct lab *lab = *state;

    give_back(lab, EDS_ERR_NOT_FOUND);
    mqtt_questions_free(&lab->questions);
    close(lab->questions.wake_fd);
    free(lab);
    return 0;
}

static void serve(struct lab *lab, uint64_t later_ms)
{
    lab->now_ms += later_ms;
    mqtt_questions_serve(&lab->questions, lab->now_ms, publish, lab);
}

static void take(struct lab *lab, const char *device_id, uint8_t nonce)
{
    struct eds_question question = {.nonce = {nonce}};

    strcpy(question.device_id, device_id);
    assert_int_equal(mqtt_questions_take(&lab->questions, "sites/7", &question), EDS_OK);
}

static void test_none_then_one(void **state)
{
    struct lab *lab = *state;
    struct eds_signed_order order;

    take(lab, "lift-01", 5);
    serve(lab, 0);
    assert_int_equal(lab->asked_count, 1);
    assert_int_equal(lab->asked[0]->nonce[0], 5);
    give_back(lab, EDS_ERR_NOT_FOUND);
    serve(lab, 0);
    assert_string_equal(lab->topic, "sites/7/lift-01/command");
    assert_string_equal(lab->text, "{\"commands\":\"none\",\"device_id\":\"lift-01\",\"nonce\":"
                                   "\"05000000000000000000000000000000\"}");
    serve(lab, AGAIN_MS - 1);
    assert_int_equal(lab->asked_count, 0);
    serve(lab, 600); /* not looked at each millisecond */
    assert_int_equal(lab->asked_count, 1);
    give_back(lab, EDS_ERR_NOT_FOUND);
    serve(lab, AGAIN_MS);
    assert_int_equal(lab->published, 1); /* told once that there is none */
    serve(lab, AGAIN_MS);
    give_back(lab, EDS_OK);
    serve(lab, 0);
    assert_int_equal(lab->published, 2);
    assert_int_equal(eds_json_signed_order_decode(&order, lab->text, strlen(lab->text), NULL),
                     EDS_OK);
    assert_int_equal(order.nonce[0], 5);
    assert_int_equal(lab->questions.count, 0);
    serve(lab, TEN_MIN);
    assert_int_equal(lab->asked_count, 0);
}

static void test_desk_that_cannot_know(void **state)
{
    struct lab *lab = *state;

    take(lab, "lift-01", 5);
    serve(lab, 0);
    give_back(lab, EDS_ERR_BUSY);
    serve(lab, 0);
    assert_int_equal(lab->published, 0); /* neither yes nor no */
    serve(lab, AGAIN_MS);
    assert_int_equal(lab->asked_count, 1);
    give_back(lab, EDS_ERR_UNSUPPORTED);
    serve(lab, 0);
    assert_non_null(strstr(lab->text, "\"never\""));
    assert_int_equal(lab->questions.count, 0);
}

static void test_asked_anew(void **state)
{
    struct lab *lab = *state;

    take(lab, "lift-01", 1);
    serve(lab, 0);
    take(lab, "lift-01", 2); /* while the desk has the first */
    take(lab, "lift-02", 3);
    take(lab, "lift-02", 4); /* while nobody has it */
    assert_int_equal(lab->questions.count, 3);
    give_back(lab, EDS_OK);
    serve(lab, 0);
    assert_int_equal(lab->published, 0); /* nobody waits for an order with that nonce */
    assert_int_equal(lab->questions.count, 2);
    assert_int_equal(lab->asked_count, 2);
    assert_int_equal(lab->asked[0]->nonce[0], 2);
    assert_int_equal(lab->asked[1]->nonce[0], 4);
}

static void test_bounds(void **state)
{
    struct lab *lab = *state;
    char name[32];

    for (int i = 0; i < (int)EDS_QUESTIONS_MAX + 10; i++) {
        snprintf(name, sizeof name, "lift-%d", i);
        take(lab, name, 1);
    }
    assert_int_equal(lab->questions.count, EDS_QUESTIONS_MAX);
    serve(lab, 0);
    assert_int_equal(lab->asked_count, EDS_QUESTIONS_MAX);
    assert_string_equal(lab->asked[0]->device_id, "lift-10"); /* the oldest made way */
    give_back(lab, EDS_ERR_NOT_FOUND);
    serve(lab, 0);
    serve(lab, TEN_MIN); /* nobody is there any more */
    assert_int_equal(lab->questions.count, 0);
    assert_int_equal(lab->asked_count, 0);
}

static void test_no_desk(void **state)
{
    struct lab *lab = *state;

    lab->questions.desk = NULL;
    take(lab, "lift-01", 5);
    serve(lab, 0);
    assert_int_equal(lab->asked_count, 0);
    assert_int_equal(lab->published, 1);
    assert_non_null(strstr(lab->text, "\"never\""));
    assert_int_equal(lab->questions.count, 0);
}

static void test_long_topic(void **state)
{
    struct lab *lab = *state;
    struct eds_question question = {.device_id = "lift-01"};
    char *topic = malloc(65536);

    assert_non_null(topic);
    memset(topic, 'a', 65535);
    topic[65535] = '\0';
    assert_int_equal(mqtt_questions_take(&lab->questions, topic, &question), EDS_ERR_TOO_LARGE);
    assert_int_equal(lab->questions.count, 0);
    free(topic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_none_then_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_desk_that_cannot_know, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_asked_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_desk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_topic, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

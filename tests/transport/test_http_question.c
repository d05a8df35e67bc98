/* Devices that ask for commands: what is a question, what each answer looks like, and a
 * relay in between. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "edgesentry/json.h"
#include "transport/http_lab.h"
#include "transport/http_relay.h"

#define NONCE "000102030405060708090a0b0c0d0e0f"

/* A desk that answers as a test wants: at once, or when it says so. */
struct fake_desk {
    struct eds_command_desk desk; /* first */
    pthread_mutex_t lock;         /* for all below */
    int32_t rc;
    bool holds;
    struct eds_command_question *held;
    unsigned asked;
    char device_id[EDS_DEVICE_ID_SIZE]; /* of the last question */
};

struct scene {
    struct http_lab lab;
    struct fake_desk fake;
    struct lab_peer peer;
    struct lab_reply reply;
};

static void answer(struct fake_desk *fake, struct eds_command_question *question)
{
    struct eds_signed_order *it = &question->signed_order;

    memset(it, 0, sizeof *it);
    it->order = (struct eds_order){.counter = 3,
                                   .kind = EDS_ORDER_REPORT_STATUS,
                                   .issued_ms = 1,
                                   .not_after_ms = 2,
                                   .operator_name = "carol"};
    strcpy(it->order.device_id, question->device_id);
    memcpy(it->nonce, question->nonce, sizeof it->nonce);
    pthread_mutex_lock(&fake->lock);
    question->rc = eds_error_set(&question->err, fake->rc, "as the test says");
    pthread_mutex_unlock(&fake->lock);
    question->done(question);
}

static void take(struct eds_command_desk *desk, struct eds_command_question *question)
{
    struct fake_desk *fake = (struct fake_desk *)desk;
    bool holds;

    pthread_mutex_lock(&fake->lock);
    fake->asked++;
    strcpy(fake->device_id, question->device_id);
    holds = fake->holds;
    if (holds)
        fake->held = question;
    pthread_mutex_unlock(&fake->lock);
    if (!holds)
        answer(fake, question);
}

static void set_rc(struct fake_desk *fake, int32_t rc, bool holds)
{
    pthread_mutex_lock(&fake->lock);
    fake->rc = rc;
    fake->holds = holds;
    pthread_mutex_unlock(&fake->lock);
}

/* The question that the desk holds, once it has come. */
static struct eds_command_question *wait_for(struct fake_desk *fake)
{
    struct eds_command_question *held = NULL;

    while (held == NULL) {
        lab_rest(1);
        pthread_mutex_lock(&fake->lock);
        held = fake->held;
        fake->held = NULL;
        pthread_mutex_unlock(&fake->lock);
    }
    return held;
}

static void expect_asked(struct fake_desk *fake, unsigned asked, const char *device_id)
{
    pthread_mutex_lock(&fake->lock);
    assert_int_equal(fake->asked, asked);
    if (device_id != NULL)
        assert_string_equal(fake->device_id, device_id);
    pthread_mutex_unlock(&fake->lock);
}

static int begin(void **state)
{
    struct scene *s = calloc(1, sizeof *s);

    assert_non_null(s);
    *state = s;
    s->fake.desk.ask = take;
    pthread_mutex_init(&s->fake.lock, NULL);
    lab_start(&s->lab, &(struct eds_http_config){.desk = &s->fake.desk}, NULL);
    lab_connect(&s->peer, &s->lab);
    return 0;
}

static int end(void **state)
{
    struct scene *s = *state;

    lab_close(&s->peer);
    lab_stop(&s->lab);
    free(s);
    return 0;
}

static unsigned get(struct scene *s, const char *query)
{
    assert_true(lab_print(&s->peer, "GET /api/v1/commands%s HTTP/1.1\r\nHost: lab\r\n\r\n", query));
    lab_read(&s->peer, &s->reply, true);
    return s->reply.status;
}

static void test_answers(void **state)
{
    struct scene *s = *state;
    struct eds_signed_order it;

    assert_int_equal(get(s, "?device=lift-01&nonce=" NONCE), 200);
    assert_int_equal(eds_json_signed_order_decode(&it, s->reply.body, s->reply.body_size, NULL),
                     EDS_OK);
    assert_string_equal(it.order.device_id, "lift-01");
    assert_int_equal(it.nonce[15], 15);
    assert_non_null(strstr(s->reply.head, "application/json"));
    static const struct {
        int32_t rc;
        unsigned status;
    } rows[] = {{EDS_ERR_NOT_FOUND, 204},
                {EDS_ERR_BUSY, 503},
                {EDS_ERR_UNSUPPORTED, 501},
                {EDS_ERR_IO, 503},
                {EDS_ERR_REFUSED, 503}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        set_rc(&s->fake, rows[i].rc, false);
        assert_int_equal(get(s, "?device=lift-01&nonce=" NONCE), rows[i].status);
        assert_null(strstr(s->reply.body, "as the test says")); /* for the log, not for peers */
    }
    set_rc(&s->fake, EDS_OK, false);
    assert_int_equal(get(s, "?device=lift-01&nonce=" NONCE), 200);
}

/* Each row is one edit away from a question; none of them comes to the desk. */
static void test_questions(void **state)
{
    struct scene *s = *state;
    static const char *const good[] = {"?device=lift-01&nonce=" NONCE,
                                       "?nonce=" NONCE "&device=lift-01",
                                       "?device=lift-01&nonce=" NONCE "&other=1",
                                       "?device=l%69ft-01&nonce=" NONCE},
                             *const bad[] = {
                                 "",
                                 "?",
                                 "?device=lift-01",
                                 "?nonce=" NONCE,
                                 "?device&nonce=" NONCE,
                                 "?device=&nonce=" NONCE,
                                 "?device=lift-01&nonce",
                                 "?device=lift-01&nonce=",
                                 "?device=lift-01&nonce=" NONCE "0",
                                 "?device=lift-01&nonce=" NONCE "00",
                                 "?device=lift-01&nonce=00",
                                 "?device=lift-01&nonce=000102030405060708090A0b0c0d0e0f",
                                 "?device=lift-01&nonce=000102030405060708090g0b0c0d0e0f",
                                 "?device=lift-01&device=lift-01&nonce=" NONCE,
                                 "?device=lift-01&nonce=" NONCE "&nonce=" NONCE,
                                 "?Device=lift-01&nonce=" NONCE,
                                 "?device=lift%00&nonce=" NONCE,
                                 "?device=lift%ff&nonce=" NONCE,
                                 "?device=lift%0&nonce=" NONCE,
                                 "?device=lift%&nonce=" NONCE,
                                 "?device=lift%zz&nonce=" NONCE};
    char query[1200], id[3 * 256 + 1] = "";

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(get(s, good[i]), 200);
        expect_asked(&s->fake, (unsigned)i + 1, "lift-01");
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (get(s, bad[i]) != 400 || strstr(s->reply.body, "expected ") == NULL)
            fail_msg("%s: %u %s", bad[i], s->reply.status, s->reply.body);
        lab_close(&s->peer); /* as after every bad request */
        lab_connect(&s->peer, &s->lab);
    }
    for (size_t i = 0; i < 255; i++)
        strcat(id, "%64");
    snprintf(query, sizeof query, "?device=%s&nonce=" NONCE, id);
    assert_int_equal(get(s, query), 200);
    memset(query, 'd', 255);
    query[255] = '\0';
    expect_asked(&s->fake, 5, query);
    strcat(id, "%64");
    snprintf(query, sizeof query, "?device=%s&nonce=" NONCE, id);
    assert_int_equal(get(s, query), 400);
    expect_asked(&s->fake, 5, NULL);
}

static void test_method_and_body(void **state)
{
    struct scene *s = *state;

    assert_true(lab_print(&s->peer, "POST /api/v1/commands?device=a&nonce=" NONCE
                                    " HTTP/1.1\r\nHost: lab\r\nContent-Length: 0\r\n\r\n"));
    lab_read(&s->peer, &s->reply, true);
    assert_int_equal(s->reply.status, 405);
    assert_non_null(strstr(s->reply.head, "Allow: GET"));
    assert_true(lab_print(&s->peer, "GET /api/v1/commands?device=a&nonce=" NONCE
                                    " HTTP/1.1\r\nHost: lab\r\nContent-Length: 1\r\n\r\nx"));
    lab_read(&s->peer, &s->reply, true);
    assert_int_equal(s->reply.status, 400);
    expect_asked(&s->fake, 0, NULL);
}

/* Who asks may wait, and others are served meanwhile; he may also go. */
static void test_slow_desk(void **state)
{
    struct scene *s = *state;
    struct eds_command_question *held;
    struct lab_peer other;

    set_rc(&s->fake, EDS_OK, true);
    assert_true(lab_print(&s->peer, "GET /api/v1/commands?device=a&nonce=" NONCE
                                    " HTTP/1.1\r\nHost: lab\r\n\r\n"));
    held = wait_for(&s->fake);
    lab_connect(&other, &s->lab);
    assert_true(lab_print(&other, "GET /nothing HTTP/1.1\r\nHost: lab\r\n\r\n"));
    lab_read(&other, &s->reply, true);
    assert_int_equal(s->reply.status, 404);
    answer(&s->fake, held);
    lab_read(&s->peer, &s->reply, true);
    assert_int_equal(s->reply.status, 200);
    assert_true(lab_print(&other, "GET /api/v1/commands?device=a&nonce=" NONCE
                                  " HTTP/1.1\r\nHost: lab\r\n\r\n"));
    held = wait_for(&s->fake);
    lab_close(&other); /* and its answer meets nobody */
    lab_rest(20);
    answer(&s->fake, held);
    set_rc(&s->fake, EDS_OK, false);
    assert_int_equal(get(s, "?device=a&nonce=" NONCE), 200);
}

/* A question through a gateway's relay: the same answers, from the server. */
static void test_relay(void **state)
{
    struct scene *s = *state;
    char url[64];
    struct eds_http_asker_config config = {.url = url};
    struct eds_http_relay *relay = NULL;
    struct scene *gateway = calloc(1, sizeof *gateway);
    struct eds_signed_order it;

    assert_non_null(gateway);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/api/v1/ingest", s->lab.port);
    assert_int_equal(eds_http_relay_open(&relay, &config, NULL), EDS_OK);
    lab_start(&gateway->lab, &(struct eds_http_config){.desk = eds_http_relay_of(relay)}, NULL);
    lab_connect(&gateway->peer, &gateway->lab);
    assert_int_equal(get(gateway, "?device=lift%20%26%C3%BC&nonce=" NONCE), 200);
    assert_int_equal(
        eds_json_signed_order_decode(&it, gateway->reply.body, gateway->reply.body_size, NULL),
        EDS_OK);
    assert_string_equal(it.order.device_id, "lift &\xc3\xbc");
    assert_int_equal(it.nonce[15], 15);
    set_rc(&s->fake, EDS_ERR_NOT_FOUND, false);
    assert_int_equal(get(gateway, "?device=a&nonce=" NONCE), 204);
    set_rc(&s->fake, EDS_ERR_UNSUPPORTED, false);
    assert_int_equal(get(gateway, "?device=a&nonce=" NONCE), 501);
    set_rc(&s->fake, EDS_ERR_IO, false);
    assert_int_equal(get(gateway, "?device=a&nonce=" NONCE), 503);
    set_rc(&s->fake, EDS_OK, false);
    assert_int_equal(get(gateway, "?device=a&nonce=" NONCE), 200);
    lab_close(&gateway->peer);
    lab_stop(&gateway->lab);
    eds_http_relay_close(relay);
    free(gateway);
}

static void test_no_desk(void **state)
{
    struct scene *s = calloc(1, sizeof *s);

    (void)state;
    assert_non_null(s);
    lab_start(&s->lab, &(struct eds_http_config){.desk = NULL}, NULL);
    lab_connect(&s->peer, &s->lab);
    assert_int_equal(get(s, "?device=a&nonce=" NONCE), 501);
    lab_close(&s->peer);
    lab_stop(&s->lab);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers, begin, end),
        cmocka_unit_test_setup_teardown(test_questions, begin, end),
        cmocka_unit_test_setup_teardown(test_method_and_body, begin, end),
        cmocka_unit_test_setup_teardown(test_slow_desk, begin, end),
        cmocka_unit_test_setup_teardown(test_relay, begin, end),
        cmocka_unit_test(test_no_desk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

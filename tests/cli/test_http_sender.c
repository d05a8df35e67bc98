/* test_http_sender.c - the way of records to a server that follows a script: what goes
 * together, what each answer means for each of them, and what is done about a server
 * that cannot take many at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sender.h"
#include "support/http_script.h"

#define ITEMS 4u

#define ACCEPTED HTTP_ANSWER("202 Accepted", "", "21", "{\"status\":\"accepted\"}")
#define SINGLE   "POST /api/v1/ingest HTTP/1.1"
#define MANY     "POST /api/v1/ingest/batch HTTP/1.1"

struct bench {
    struct http_script script;
    struct eds_sender *sender;
    struct eds_buffer_item items[ITEMS];
    const struct eds_buffer_item *list[ITEMS];
};

static void begin(struct bench *bench, const char *const *steps, const char *path)
{
    struct eds_sender_config config = {.batch_max = 100};
    struct eds_error err;
    char url[128];

    memset(bench, 0, sizeof *bench);
    for (size_t i = 0; i < HTTP_SCRIPT_STEPS && steps[i] != NULL; i++)
        bench->script.steps[i] = steps[i];
    for (size_t i = 0; i < ITEMS; i++) {
        EdsAuditRecord *record = &bench->items[i].entry.record;

        record->sequence = i + 1;
        strcpy((char *)record->device_id, "lift-01");
        snprintf((char *)record->object_ref, sizeof record->object_ref, "file:%zu", i);
        bench->items[i].payload = "door closed in 2.1 s";
        bench->items[i].payload_size = 4 * i;
        bench->list[i] = &bench->items[i];
    }
    http_script_start(&bench->script);
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", bench->script.port, path);
    config.url = url;
    if (eds_sender_open(&bench->sender, &config, &err) != EDS_OK)
        fail_msg("%s", err.text);
}

static void end(struct bench *bench)
{
    eds_sender_close(bench->sender);
    http_script_stop(&bench->script);
}

/* An answer of its own length; each call's until the fourth after it. */
static const char *answer(const char *status, const char *body)
{
    static char texts[4][2048];
    static unsigned next;
    char *text = texts[next++ % 4];

    snprintf(text, sizeof texts[0], "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status,
             strlen(body), body);
    return text;
}

#define R(list)     "{\"accepted\":0,\"rejected\":0,\"results\":[" list "]}"
#define TAKEN       "{\"status\":\"accepted\"}"
#define APART       "{\"status\":\"quarantined\"}"
#define REFUSED     "{\"status\":\"rejected\",\"error\":\"ingest verification failed: "
#define UNDECIDED   "{\"status\":\"rejected\",\"error\":\"database is locked\",\"retry\":true}"
#define DUPLICATE   REFUSED "duplicate record for device=lift-01 sequence=1\"}"
#define CONFLICTING REFUSED "conflicting record for device=lift-01 sequence=2\"}"
#define WRONG       REFUSED "payload hash mismatch for device=lift-01 sequence=4\"}"
#define UNKNOWN     REFUSED "unknown device: lift-01\"}"
#define REVOKED     REFUSED "device is revoked: lift-01\"}"
#define EXPIRED     REFUSED "key expired for device=lift-01\"}"
#define FORBIDDEN   "{\"status\":\"rejected\",\"error\":\"not allowed\"}"
#define STOPPING    "{\"status\":\"rejected\",\"error\":\"stopping\"}"

/* What the four items come to: A accepted, D duplicate, C conflict, R rejected, H held,
 * W away, L later, - not sent; and how many requests there were. */
static const struct {
    const char *name, *status, *body, *replies;
    unsigned requests;
} answers[] = {
    {"all accepted", "202 X", R(TAKEN "," TAKEN "," TAKEN "," APART), "AAAA", 1},
    {"each its own", "207 X", R(DUPLICATE "," CONFLICTING "," UNDECIDED "," WRONG), "DCLR", 1},
    {"of the device", "207 X", R(UNKNOWN "," REVOKED "," EXPIRED "," TAKEN), "HHHA", 1},
    {"fewer results than records", "207 X", R(TAKEN "," TAKEN), "AA--", 1},
    {"more results", "202 X", R(TAKEN "," TAKEN "," TAKEN "," TAKEN "," TAKEN), "AAAA", 1},
    {"no results", "202 X", R(""), "WWWW", 1},
    {"one verdict for all", "202 X", TAKEN, "WWWW", 1},
    {"results that break off", "202 X", "{\"results\":[" TAKEN ",", "WWWW", 1},
    {"under another status", "200 X", R(TAKEN "," TAKEN "," TAKEN "," TAKEN), "WWWW", 1},
    {"a page", "200 X", "<html>Welcome to our Wi-Fi</html>", "WWWW", 1},
    {"busy", "503 X", STOPPING, "WWWW", 1},
    {"not from here", "403 X", FORBIDDEN, "HHHH", 1},
    {"nothing is there", "404 X", "", "H---", 2},
};

static void assert_replies(const char *name, const struct eds_reply *replies, size_t count,
                           const char *expected)
{
    static const char letters[] = "ADCRHWL";
    char got[ITEMS + 1];

    for (size_t i = 0; i < ITEMS; i++)
        got[i] = i < count ? letters[replies[i].outcome] : '-';
    got[ITEMS] = '\0';
    if (strcmp(got, expected) != 0)
        fail_msg("%s: %s, not %s", name, got, expected);
}

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const char *steps[] = {answer(answers[i].status, answers[i].body), NULL};
        struct eds_reply replies[ITEMS];
        struct bench bench;
        size_t count;

        begin(&bench, steps, "");
        count = bench.sender->send_many(bench.sender, bench.list, ITEMS, replies);
        assert_replies(answers[i].name, replies, count, answers[i].replies);
        assert_int_equal(bench.script.requests, answers[i].requests);
        assert_string_equal(bench.script.targets[0], MANY);
        end(&bench);
    }
}

/* Where many are not taken one is sent alone, and the next batch is smaller. */
static void test_fewer(void **state)
{
    static const struct {
        const char *status;
        size_t batch_max;
    } rows[] = {{"404 X", 1}, {"405 X", 1}, {"415 X", 1}, {"413 X", 2}, {"400 X", 2}, {"422 X", 2}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *steps[] = {answer(rows[i].status, ""), ACCEPTED, NULL};
        struct eds_reply replies[ITEMS];
        struct bench bench;
        size_t count;

        begin(&bench, steps, "");
        count = bench.sender->send_many(bench.sender, bench.list, ITEMS, replies);
        assert_replies(rows[i].status, replies, count, "A---");
        assert_string_equal(bench.script.targets[1], SINGLE);
        assert_non_null(strstr(bench.script.head, "Content-Type: application/json"));
        assert_int_equal(bench.sender->batch_max, rows[i].batch_max);
        bench.sender->send(bench.sender, bench.list[1], replies);
        assert_int_equal(bench.sender->batch_max, rows[i].batch_max); /* not so soon again */
        end(&bench);
    }
}

/* A batch that a link breaks under is smaller the next time, and grows again. */
static void test_broken_link(void **state)
{
    const char *steps[] = {"close", "close", ACCEPTED, answer("202 X", R(TAKEN "," TAKEN)), NULL};
    static const struct {
        const char *replies;
        size_t batch_max; /* afterwards */
    } rows[] = {{"WWWW", 2}, {"WW--", 1}, {"A---", 2}, {"AA--", 4}};
    struct eds_reply replies[ITEMS];
    struct bench bench;

    (void)state;
    begin(&bench, steps, "");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t count = strcspn(rows[i].replies, "-");

        if (count == 1)
            bench.sender->send(bench.sender, bench.list[0], replies);
        else
            (void)bench.sender->send_many(bench.sender, bench.list, count, replies);
        assert_replies(rows[i].replies, replies, count, rows[i].replies);
        assert_int_equal(bench.sender->batch_max, rows[i].batch_max);
    }
    end(&bench);
    begin(&bench, steps, "");
    http_script_stop(&bench.script); /* nobody listens: that is no matter of the size */
    assert_int_equal(bench.sender->send_many(bench.sender, bench.list, ITEMS, replies), ITEMS);
    assert_replies("nobody", replies, ITEMS, "WWWW");
    assert_int_equal(bench.sender->batch_max, 100);
    eds_sender_close(bench.sender);
}

/* A URL with a path of its own says nothing of where many would go. */
static void test_own_path(void **state)
{
    const char *steps[] = {ACCEPTED, NULL};
    struct eds_reply replies[ITEMS];
    struct bench bench;
    size_t count;

    (void)state;
    begin(&bench, steps, "/records");
    count = bench.sender->send_many(bench.sender, bench.list, ITEMS, replies);
    assert_replies("own path", replies, count, "A---");
    assert_string_equal(bench.script.targets[0], "POST /records HTTP/1.1");
    assert_int_equal(bench.sender->batch_max, 1);
    end(&bench);
    begin(&bench, steps, "/edge/api/v1/ingest");
    (void)bench.sender->send_many(bench.sender, bench.list, ITEMS, replies);
    assert_string_equal(bench.script.targets[0], "POST /edge/api/v1/ingest/batch HTTP/1.1");
    end(&bench);
}

/* What is no word of an ingest server buries nothing. */
static void test_single(void **state)
{
    static const struct {
        const char *status, *body;
        enum eds_outcome outcome;
    } rows[] = {
        {"202 X", "{\"status\":\"accepted\"}", EDS_OUTCOME_ACCEPTED},
        {"200 X", "{\"status\":\"accepted\"}", EDS_OUTCOME_AWAY},
        {"400 X", "{\"status\":\"rejected\",\"error\":\"no record\"}", EDS_OUTCOME_REJECTED},
        {"400 X", "<html>The plain HTTP request was sent to HTTPS port", EDS_OUTCOME_HELD},
        {"422 X", "{\"status\":\"rejected\",\"error\":\"payload hash mismatch\"}",
         EDS_OUTCOME_REJECTED},
        {"422 X", "Unprocessable Entity", EDS_OUTCOME_HELD},
        {"413 X", "<html>", EDS_OUTCOME_REJECTED},
        {"404 X", "<html>", EDS_OUTCOME_HELD},
        {"302 X", "", EDS_OUTCOME_AWAY},
        {"502 X", "<html>", EDS_OUTCOME_AWAY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *steps[] = {answer(rows[i].status, rows[i].body), NULL};
        struct eds_reply reply;
        struct bench bench;

        begin(&bench, steps, "");
        bench.sender->send(bench.sender, bench.list[0], &reply);
        if (reply.outcome != rows[i].outcome)
            fail_msg("%s %s: %d", rows[i].status, rows[i].body, (int)reply.outcome);
        end(&bench);
    }
}

static void test_files(void **state)
{
    struct eds_sender_config config = {.url = "https://127.0.0.1:1",
                                       .cert_file = "/nowhere/client.crt",
                                       .key_file = "/nowhere/client.key"};
    struct eds_sender *sender;
    struct eds_error err;

    (void)state;
    assert_int_equal(eds_sender_open(&sender, &config, &err), EDS_ERR_IO);
    assert_string_equal(err.text, "cannot read /nowhere/client.crt: No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),  cmocka_unit_test(test_fewer),
        cmocka_unit_test(test_own_path), cmocka_unit_test(test_single),
        cmocka_unit_test(test_files),    cmocka_unit_test(test_broken_link),
    };

    return cmocka_run_group_tests_name("http_sender", tests, NULL, NULL);
}

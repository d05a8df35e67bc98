/* The sender, against a server that follows a script: what it makes of good,
 * bad, broken and missing answers, and how often it tries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "support/http_script.h"
#include "transport/http_client.h"
#include "transport/http_lab.h"

#define ACCEPTED HTTP_ANSWER("202 Accepted", "", "21", "{\"status\":\"accepted\"}")
#define REJECTED HTTP_ANSWER("422 X", "", "37", "{\"status\":\"rejected\",\"error\":\"no no\"}")
#define BUSY     HTTP_ANSWER("503 X", "", "0", "")

static struct eds_http_client *open_client(unsigned port, const struct eds_http_client_config *base)
{
    struct eds_http_client_config config = *base;
    struct eds_http_client *client;
    struct eds_error err;
    char url[64];

    snprintf(url, sizeof url, "http://127.0.0.1:%u", port);
    config.url = url;
    if (config.backoff_ms_first == 0)
        config.backoff_ms_first = 1;
    if (eds_http_client_open(&client, &config, &err) != EDS_OK)
        fail_msg("%s", err.text);
    return client;
}

static const struct exchange {
    const char *name;
    const char *steps[HTTP_SCRIPT_STEPS];
    int32_t rc;
    unsigned status, attempts;
    bool accepted;
    const char *says; /* in the answer's or the client's error */
} exchanges[] = {
    {"accepted", {ACCEPTED}, EDS_OK, 202, 1, true, ""},
    {"rejected", {REJECTED}, EDS_OK, 422, 1, false, "no no"},
    {"403 without a body", {HTTP_ANSWER("403 X", "", "0", "")}, EDS_OK, 403, 1, false, "HTTP 403"},
    {"404 in HTML", {HTTP_ANSWER("404 X", "", "6", "<html>")}, EDS_OK, 404, 1, false, "HTTP 404"},
    {"busy, then not", {BUSY, BUSY, ACCEPTED}, EDS_OK, 202, 3, true, ""},
    {"429, then not", {HTTP_ANSWER("429 X", "", "0", ""), ACCEPTED}, EDS_OK, 202, 2, true, ""},
    {"broken, then not", {"close", ACCEPTED}, EDS_OK, 202, 2, true, ""},
    {"broken, then a duplicate", {"close", REJECTED}, EDS_OK, 422, 2, false, "no no"},
    {"half an answer", {"HTTP/1.1 202 Acc", ACCEPTED}, EDS_OK, 202, 2, true, ""},
    {"half a body",
     {"HTTP/1.1 202 A\r\nContent-Length : 21\r\nContent-length: 21\r\n\r\n{\"sta", ACCEPTED},
     EDS_OK,
     202,
     2,
     true,
     ""},
    {"202 and no verdict",
     {HTTP_ANSWER("202 X", "", "2", "{}"), ACCEPTED},
     EDS_OK,
     202,
     2,
     true,
     ""},
    {"200 and a verdict",
     {HTTP_ANSWER("200 X", "", "21", "{\"status\":\"accepted\"}")},
     EDS_ERR_IO,
     200,
     3,
     false,
     "without a verdict"},
    {"202 and a rejection",
     {HTTP_ANSWER("202 X", "", "37", "{\"status\":\"rejected\",\"error\":\"no no\"}")},
     EDS_ERR_IO,
     202,
     3,
     false,
     "without a verdict"},
    {"422 and an acceptance",
     {HTTP_ANSWER("422 X", "", "21", "{\"status\":\"accepted\"}")},
     EDS_OK,
     422,
     1,
     false,
     "HTTP 422"},
    {"always busy", {BUSY}, EDS_ERR_IO, 503, 3, false, "answered HTTP 503"},
    {"always broken", {"close"}, EDS_ERR_IO, 0, 3, false, "(3 attempts)"},
    {"not HTTP", {"\x15\x03\x01 no HTTP at all\r\n\r\n"}, EDS_ERR_IO, 0, 3, false, "no verdict"},
    {"moved",
     {HTTP_ANSWER("308 X", "Location: http://127.0.0.9:1/x\r\n", "0", "")},
     EDS_ERR_IO,
     308,
     1,
     false,
     "http://127.0.0.9:1/x"},
    {"never answering", {HTTP_SILENT}, EDS_ERR_IO, 0, 3, false, "no verdict"},
};

/* Only who waits in vain waits for a short time. */
static bool is_silent(const struct exchange *row)
{
    for (size_t i = 0; i < sizeof row->steps / sizeof row->steps[0]; i++)
        if (row->steps[i] != NULL && strcmp(row->steps[i], HTTP_SILENT) == 0)
            return true;
    return false;
}

static void try_exchange(const struct exchange *row)
{
    struct http_script script = {.listen_fd = -1};
    struct eds_http_client *client;
    struct eds_delivery out;
    struct eds_error err = {.text = ""};
    const char *said;
    int32_t rc;

    memcpy(script.steps, row->steps, sizeof script.steps);
    http_script_start(&script);
    client =
        open_client(script.port, &(struct eds_http_client_config){
                                     .attempt_max = 3, .timeout_ms = is_silent(row) ? 100 : 60000});
    rc = eds_http_client_send(client, "{}", 2, &out, &err);
    said = rc == EDS_OK ? out.answer.error : err.text;
    if (rc != row->rc || out.status != row->status || out.attempts != row->attempts ||
        (rc == EDS_OK && out.answer.accepted != row->accepted) || strstr(said, row->says) == NULL)
        fail_msg("%s: rc %d, status %u, attempts %u: %s", row->name, rc, out.status, out.attempts,
                 said);
    eds_http_client_close(client);
    http_script_stop(&script);
}

static void scripts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof exchanges / sizeof exchanges[0]; i++)
        try_exchange(&exchanges[i]);
}

static void request_head(void **state)
{
    static const char *const fields[] = {"X-One: 1", "X-Two: 2", NULL};
    struct http_script script = {.steps = {ACCEPTED}};
    struct eds_http_client *client;
    struct eds_delivery out;
    struct eds_error err;

    (void)state;
    http_script_start(&script);
    client = open_client(script.port, &(struct eds_http_client_config){.fields = fields});
    for (int i = 0; i < 10; i++)
        assert_int_equal(eds_http_client_send(client, "{\"a\":1}", 7, &out, &err), EDS_OK);
    assert_int_equal(atomic_load(&script.requests), 10);
    assert_int_equal(atomic_load(&script.connections), 1); /* kept open */
    eds_http_client_close(client);
    http_script_stop(&script);
    assert_int_equal(strncmp(script.head, "POST /api/v1/ingest HTTP/1.1\r\n", 30), 0);
    assert_non_null(strstr(script.head, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(script.head, "\r\nContent-Length: 7\r\n"));
    assert_null(strstr(script.head, "Expect"));
    assert_non_null(strstr(script.head, "\r\nX-One: 1\r\n"));
    assert_non_null(strstr(script.head, "\r\nX-Two: 2\r\n"));
}

static void retry_after(void **state)
{
    struct http_script script = {
        .steps = {HTTP_ANSWER("503 X", "Retry-After: 1\r\n", "0", ""), ACCEPTED}};
    struct eds_http_client *client;
    struct eds_delivery out;
    struct eds_error err;
    uint64_t begun_ms = lab_now_ms();

    (void)state;
    http_script_start(&script);
    client = open_client(script.port, &(struct eds_http_client_config){.url = NULL});
    assert_int_equal(eds_http_client_send(client, "{}", 2, &out, &err), EDS_OK);
    assert_true(lab_now_ms() - begun_ms >= 1000);
    eds_http_client_close(client);
    http_script_stop(&script);
}

/* An answer that does not end is not read to its end. */
static void long_answers(void **state)
{
    static char answer[200100];
    struct http_script script = {.steps = {answer}};
    struct eds_http_client *client;
    struct eds_delivery out;
    struct eds_error err;
    int used = snprintf(answer, sizeof answer,
                        "HTTP/1.1 422 X\r\nContent-Length: 200000\r\n\r\n{\"error\":\"");

    (void)state;
    memset(answer + used, 'x', sizeof answer - (size_t)used - 1);
    http_script_start(&script);
    client = open_client(script.port, &(struct eds_http_client_config){.attempt_max = 2});
    assert_int_equal(eds_http_client_send(client, "{}", 2, &out, &err), EDS_ERR_IO);
    assert_non_null(strstr(err.text, "more than 65536 bytes"));
    eds_http_client_close(client);
    http_script_stop(&script);
}

static void urls(void **state)
{
    static const struct {
        const char *url;
        int32_t rc;
        const char *says; /* of a send to it, where nobody listens */
    } rows[] = {
        {"http://127.0.0.1:1", EDS_OK, "http://127.0.0.1:1/api/v1/ingest:"},
        {"http://127.0.0.1:1/", EDS_OK, "http://127.0.0.1:1/api/v1/ingest:"},
        {"http://127.0.0.1:1/x", EDS_OK, "http://127.0.0.1:1/x:"},
        {"http://[::1]:1", EDS_OK, "http://[::1]:1/api/v1/ingest:"},
        {"http://me:secret@127.0.0.1:1", EDS_OK, "http://127.0.0.1:1/api/v1/ingest:"},
        {"", EDS_ERR_USAGE, "bad URL"},
        {"127.0.0.1:1", EDS_ERR_USAGE, "bad URL"},
        {"ftp://127.0.0.1/", EDS_ERR_USAGE, "bad URL"},
        {"file:///etc/passwd", EDS_ERR_USAGE, "bad URL"},
        {"http://127.0.0.1:66666", EDS_ERR_USAGE, "bad URL"},
        {"http://", EDS_ERR_USAGE, "bad URL"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct eds_http_client_config config = {.url = rows[i].url, .attempt_max = 1};
        struct eds_http_client *client;
        struct eds_delivery out;
        struct eds_error err = {.text = ""};
        int32_t rc = eds_http_client_open(&client, &config, &err);

        if (rc != rows[i].rc)
            fail_msg("'%s': %d %s", rows[i].url, rc, err.text);
        if (rc == EDS_OK) {
            assert_int_equal(eds_http_client_send(client, "{}", 2, &out, &err), EDS_ERR_IO);
            assert_int_equal(out.status, 0);
            assert_non_null(strstr(err.text, "cannot reach "));
            eds_http_client_close(client);
        }
        if (strstr(err.text, rows[i].says) == NULL || strstr(err.text, "secret") != NULL)
            fail_msg("'%s': %s", rows[i].url, err.text);
    }
}

/* The two halves of this project, together. */
static void real_server(void **state)
{
    struct http_lab lab;
    struct lab_device device;
    struct eds_http_client *client;
    struct eds_delivery out;
    struct eds_error err;
    char body[LAB_BODY_SIZE];
    size_t size;

    (void)state;
    lab_start(&lab, &(struct eds_http_config){.address = NULL}, NULL);
    lab_device_make(&device, &lab, 1);
    client = open_client(lab.port, &(struct eds_http_client_config){.url = NULL});
    size = lab_envelope(&device, body, sizeof body, 90);
    assert_int_equal(eds_http_client_send(client, body, size, &out, &err), EDS_OK);
    assert_true(out.answer.accepted);
    assert_int_equal(eds_http_client_send(client, body, size, &out, &err), EDS_OK);
    assert_false(out.answer.accepted);
    assert_int_equal(out.status, 422);
    assert_string_equal(out.answer.error, "ingest verification failed: duplicate record for "
                                          "device=lift-001 sequence=1");
    eds_http_client_close(client);
    lab_stop(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts),     cmocka_unit_test(request_head),
        cmocka_unit_test(retry_after), cmocka_unit_test(long_answers),
        cmocka_unit_test(urls),        cmocka_unit_test(real_server),
    };

    return cmocka_run_group_tests_name("http_client", tests, NULL, NULL);
}

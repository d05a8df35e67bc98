/* The sender, against a server that follows a script: what it makes of good,
 * bad, broken and missing answers, and how often it tries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "transport/http_client.h"
#include "transport/http_lab.h"

#define STEPS_MAX 8

/* What the script does with one request: the bytes to answer, or NULL to close
 * the connection without one.  SILENT keeps it open and says nothing. */
#define SILENT "silent"

struct script {
    const char *steps[STEPS_MAX]; /* the last one repeats */
    int listen_fd;
    unsigned port;
    pthread_t thread;
    atomic_uint requests, connections;
    atomic_bool ended;
    char head[2048]; /* of the last request */
};

#define ANSWER(status, fields, length, body)                                                       \
    "HTTP/1.1 " status "\r\n" fields "Content-Length: " length "\r\n\r\n" body

#define ACCEPTED ANSWER("202 Accepted", "", "21", "{\"status\":\"accepted\"}")
#define REJECTED ANSWER("422 X", "", "37", "{\"status\":\"rejected\",\"error\":\"no no\"}")
#define BUSY     ANSWER("503 X", "", "0", "")

/* Reads one request; false at the end of the connection. */
static bool read_request(struct script *script, int fd)
{
    char buf[65536];
    size_t used = 0, body = 0, wanted = 0;
    char *end = NULL;

    while (end == NULL || body < wanted) {
        ssize_t size = recv(fd, buf + used, sizeof buf - 1 - used, 0);

        if (size <= 0)
            return false;
        used += (size_t)size;
        buf[used] = '\0';
        end = strstr(buf, "\r\n\r\n");
        if (end != NULL) {
            const char *length = strstr(buf, "Content-Length: ");

            wanted = length != NULL ? (size_t)strtoul(length + 16, NULL, 10) : 0;
            body = used - (size_t)(end + 4 - buf);
        }
    }
    snprintf(script->head, sizeof script->head, "%.*s", (int)(end + 4 - buf), buf);
    return true;
}

static void serve(struct script *script, int fd)
{
    struct timeval patience = {.tv_sec = 5};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    while (read_request(script, fd)) {
        unsigned at = atomic_fetch_add(&script->requests, 1);
        const char *step;

        while (at >= STEPS_MAX || script->steps[at] == NULL)
            at--; /* the last one again */
        step = script->steps[at];
        if (strcmp(step, "close") == 0)
            return;
        if (strcmp(step, SILENT) == 0) {
            char one;

            (void)!recv(fd, &one, 1, 0);
            return;
        }
        if (send(fd, step, strlen(step), MSG_NOSIGNAL) < 0 ||
            strstr(step, "Content-Length") == NULL)
            return;
    }
}

static void *run_script(void *context)
{
    struct script *script = context;

    while (!atomic_load(&script->ended)) {
        struct pollfd fd = {.fd = script->listen_fd, .events = POLLIN};
        int peer = poll(&fd, 1, 20) > 0 ? accept(script->listen_fd, NULL, NULL) : -1;

        if (peer < 0)
            continue;
        atomic_fetch_add(&script->connections, 1);
        serve(script, peer);
        close(peer);
    }
    return NULL;
}

static void script_start(struct script *script)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    script->listen_fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(script->listen_fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(script->listen_fd, 16), 0);
    getsockname(script->listen_fd, (struct sockaddr *)&address, &size);
    script->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&script->thread, NULL, run_script, script), 0);
}

static void script_stop(struct script *script)
{
    atomic_store(&script->ended, true);
    pthread_join(script->thread, NULL);
    close(script->listen_fd);
}

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
    const char *steps[STEPS_MAX];
    int32_t rc;
    unsigned status, attempts;
    bool accepted;
    const char *says; /* in the answer's or the client's error */
} exchanges[] = {
    {"accepted", {ACCEPTED}, EDS_OK, 202, 1, true, ""},
    {"rejected", {REJECTED}, EDS_OK, 422, 1, false, "no no"},
    {"403 without a body", {ANSWER("403 X", "", "0", "")}, EDS_OK, 403, 1, false, "HTTP 403"},
    {"404 in HTML", {ANSWER("404 X", "", "6", "<html>")}, EDS_OK, 404, 1, false, "HTTP 404"},
    {"busy, then not", {BUSY, BUSY, ACCEPTED}, EDS_OK, 202, 3, true, ""},
    {"429, then not", {ANSWER("429 X", "", "0", ""), ACCEPTED}, EDS_OK, 202, 2, true, ""},
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
    {"202 and no verdict", {ANSWER("202 X", "", "2", "{}"), ACCEPTED}, EDS_OK, 202, 2, true, ""},
    {"200 and a verdict",
     {ANSWER("200 X", "", "21", "{\"status\":\"accepted\"}")},
     EDS_ERR_IO,
     200,
     3,
     false,
     "without a verdict"},
    {"202 and a rejection",
     {ANSWER("202 X", "", "37", "{\"status\":\"rejected\",\"error\":\"no no\"}")},
     EDS_ERR_IO,
     202,
     3,
     false,
     "without a verdict"},
    {"422 and an acceptance",
     {ANSWER("422 X", "", "21", "{\"status\":\"accepted\"}")},
     EDS_OK,
     422,
     1,
     false,
     "HTTP 422"},
    {"always busy", {BUSY}, EDS_ERR_IO, 503, 3, false, "answered HTTP 503"},
    {"always broken", {"close"}, EDS_ERR_IO, 0, 3, false, "(3 attempts)"},
    {"not HTTP", {"\x15\x03\x01 no HTTP at all\r\n\r\n"}, EDS_ERR_IO, 0, 3, false, "no verdict"},
    {"moved",
     {ANSWER("308 X", "Location: http://127.0.0.9:1/x\r\n", "0", "")},
     EDS_ERR_IO,
     308,
     1,
     false,
     "http://127.0.0.9:1/x"},
    {"never answering", {SILENT}, EDS_ERR_IO, 0, 3, false, "no verdict"},
};

static void try_exchange(const struct exchange *row)
{
    struct script script = {.listen_fd = -1};
    struct eds_http_client *client;
    struct eds_delivery out;
    struct eds_error err = {.text = ""};
    const char *said;
    int32_t rc;

    memcpy(script.steps, row->steps, sizeof script.steps);
    script_start(&script);
    client = open_client(script.port,
                         &(struct eds_http_client_config){.attempt_max = 3, .timeout_ms = 100});
    rc = eds_http_client_send(client, "{}", 2, &out, &err);
    said = rc == EDS_OK ? out.answer.error : err.text;
    if (rc != row->rc || out.status != row->status || out.attempts != row->attempts ||
        (rc == EDS_OK && out.answer.accepted != row->accepted) || strstr(said, row->says) == NULL)
        fail_msg("%s: rc %d, status %u, attempts %u: %s", row->name, rc, out.status, out.attempts,
                 said);
    eds_http_client_close(client);
    script_stop(&script);
}

static void scripts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof exchanges / sizeof exchanges[0]; i++)
        try_exchange(&exchanges[i]);
}

static void request_head(void **state)
{
    struct script script = {.steps = {ACCEPTED}};
    struct eds_http_client *client;
    struct eds_delivery out;
    struct eds_error err;

    (void)state;
    script_start(&script);
    client = open_client(script.port, &(struct eds_http_client_config){.url = NULL});
    for (int i = 0; i < 10; i++)
        assert_int_equal(eds_http_client_send(client, "{\"a\":1}", 7, &out, &err), EDS_OK);
    assert_int_equal(atomic_load(&script.requests), 10);
    assert_int_equal(atomic_load(&script.connections), 1); /* kept open */
    eds_http_client_close(client);
    script_stop(&script);
    assert_int_equal(strncmp(script.head, "POST /api/v1/ingest HTTP/1.1\r\n", 30), 0);
    assert_non_null(strstr(script.head, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(script.head, "\r\nContent-Length: 7\r\n"));
    assert_null(strstr(script.head, "Expect"));
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void retry_after(void **state)
{
    struct script script = {.steps = {ANSWER("503 X", "Retry-After: 1\r\n", "0", ""), ACCEPTED}};
    struct eds_http_client *client;
    struct eds_delivery out;
    struct eds_error err;
    uint64_t begun_ms = now_ms();

    (void)state;
    script_start(&script);
    client = open_client(script.port, &(struct eds_http_client_config){.url = NULL});
    assert_int_equal(eds_http_client_send(client, "{}", 2, &out, &err), EDS_OK);
    assert_in_range(now_ms() - begun_ms, 1000, 4000);
    eds_http_client_close(client);
    script_stop(&script);
}

/* An answer that does not end is not read to its end. */
static void long_answers(void **state)
{
    static char answer[200100];
    struct script script = {.steps = {answer}};
    struct eds_http_client *client;
    struct eds_delivery out;
    struct eds_error err;
    int used = snprintf(answer, sizeof answer,
                        "HTTP/1.1 422 X\r\nContent-Length: 200000\r\n\r\n{\"error\":\"");

    (void)state;
    memset(answer + used, 'x', sizeof answer - (size_t)used - 1);
    script_start(&script);
    client = open_client(script.port, &(struct eds_http_client_config){.attempt_max = 2});
    assert_int_equal(eds_http_client_send(client, "{}", 2, &out, &err), EDS_ERR_IO);
    assert_non_null(strstr(err.text, "more than 65536 bytes"));
    eds_http_client_close(client);
    script_stop(&script);
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

/* What a server bears: slow clients, many clients, bodies without end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "transport/http_filter.h"
#include "transport/http_lab.h"

#define HEAD "POST /api/v1/ingest HTTP/1.1\r\nHost: lab\r\nContent-Type: application/json\r\n"

static const struct eds_http_config defaults = {.address = NULL};

/* Sends the device's next record on a fresh connection. */
static unsigned send_one(struct http_lab *lab, struct lab_device *device)
{
    struct lab_peer peer;
    struct lab_reply reply;
    char body[LAB_BODY_SIZE];
    size_t size = lab_envelope(device, body, sizeof body, 90);

    lab_connect(&peer, lab);
    lab_post(&peer, body, size);
    lab_read(&peer, &reply, true);
    lab_close(&peer);
    return reply.status;
}

/* Two that send a byte or a line now and then. */
struct drips {
    struct lab_peer head, body;
    bool head_open, body_open;
};

static void drips_begin(struct drips *drips, struct http_lab *lab)
{
    lab_connect(&drips->head, lab);
    lab_connect(&drips->body, lab);
    drips->head_open = lab_print(&drips->head, HEAD);
    drips->body_open = lab_print(&drips->body, HEAD "Content-Length: 1000\r\n\r\n");
}

static void drip(struct drips *drips)
{
    lab_rest(200);
    drips->head_open = lab_send(&drips->head, "X: y\r\n", 6) && drips->head_open;
    drips->body_open = lab_send(&drips->body, " ", 1) && drips->body_open;
}

/* Clients that stop somewhere are gone a second or two after their time; so is
 * one that sends, but too little to come to an end.  One that is only slow is
 * not. */
static void slow_clients(void **state)
{
    static const char *const beginnings[] = {
        "",
        "POST /api/v1",
        "POST /api/v1/ingest HTTP/1.1\r\nHost: lab\r\nConten",
        HEAD "Content-Length: 1000\r\n\r\n",
        HEAD "Content-Length: 1000\r\n\r\n{\"record\":",
        HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
        "GET /nope HTTP/1.1\r\nHost: lab\r\n\r\n", /* answered, and then silence */
    };
    enum { COUNT = sizeof beginnings / sizeof beginnings[0] };
    struct http_lab lab;
    struct lab_device device;
    struct lab_peer peers[COUNT], stalled, slow;
    struct drips drips;
    struct lab_reply reply;
    char body[4 * LAB_BODY_SIZE], blanks[40000];
    size_t size, sent = 0;
    bool slow_open = true, in_time = true;

    (void)state;
    lab_start(&lab, &(struct eds_http_config){.idle_timeout_s = 1}, NULL);
    lab_device_make(&device, &lab, 1);
    for (size_t i = 0; i < COUNT; i++) {
        lab_connect(&peers[i], &lab);
        lab_send(&peers[i], beginnings[i], strlen(beginnings[i]));
    }
    drips_begin(&drips, &lab);
    lab_connect(&stalled, &lab); /* quick at first */
    memset(blanks, ' ', sizeof blanks);
    lab_print(&stalled, HEAD "Content-Length: 50000\r\n\r\n");
    lab_send(&stalled, blanks, sizeof blanks);
    lab_connect(&slow, &lab);
    size = lab_envelope(&device, body, sizeof body, 6000); /* some 5 kB a second */
    lab_print(&slow, HEAD "Content-Length: %zu\r\n\r\n", size);
    for (int i = 0; i < 9; i++) { /* 1.8 s */
        size_t some = i < 8 ? size / 9 : size - sent;
        uint64_t begun_ms = lab_now_ms();

        drip(&drips);
        slow_open = lab_send(&slow, body + sent, some) && slow_open;
        sent += some;
        in_time = in_time && lab_now_ms() - begun_ms < 400;
    }
    for (int tries = 0; (drips.head_open || drips.body_open) && tries < 600; tries++)
        drip(&drips);
    assert_false(drips.head_open || drips.body_open);
    for (size_t i = 0; i < COUNT; i++) {
        if (!lab_closed(&peers[i], LAB_PATIENCE_MS))
            fail_msg("still open: '%s'", beginnings[i]);
        lab_close(&peers[i]);
    }
    assert_true(lab_closed(&stalled, LAB_PATIENCE_MS));
    lab_read(&slow, &reply, true);
    if (in_time) { /* else this machine is slower than slow */
        assert_true(slow_open);
        assert_int_equal(reply.status, 202);
    }
    lab_close(&drips.head);
    lab_close(&drips.body);
    lab_close(&stalled);
    lab_close(&slow);
    lab_stop(&lab);
}

static void aborted_uploads(void **state)
{
    struct http_lab lab;
    struct lab_device device;
    struct lab_peer peer;
    char half[2000];
    uint64_t begun_ms;

    (void)state;
    /* So little memory that it would be gone if broken uploads kept theirs. */
    lab_start(&lab, &(struct eds_http_config){.body_memory_max = 256 * 1024}, NULL);
    lab_device_make(&device, &lab, 1);
    memset(half, ' ', sizeof half);
    for (int i = 0; i < 200; i++) {
        lab_connect(&peer, &lab);
        lab_print(&peer, HEAD "Content-Length: 4000\r\n\r\n");
        lab_send(&peer, half, sizeof half);
        lab_close(&peer);
    }
    for (int tries = 0; tries < 12000 && send_one(&lab, &device) != 202; tries++) {
        device.sequence = 0; /* make the first record once more */
        lab_rest(10);
    }
    assert_true(lab_head(&lab, device.device_id) == 1);
    for (int i = 0; i < 20; i++) { /* again, for who stops now */
        lab_connect(&peer, &lab);
        lab_print(&peer, HEAD "Content-Length: 4000\r\n\r\n%.900s", half);
        lab_close(&peer);
    }
    begun_ms = lab_now_ms();
    lab_stop(&lab);
    assert_true(lab_now_ms() - begun_ms < 60000); /* it does not wait for the dead */
}

/* As large a head as the filter lets through, of as many fields, is served: the library
 * has the memory for it. */
static void largest_head(void **state)
{
    struct http_lab lab;
    struct lab_device device;
    struct lab_peer peer;
    struct lab_reply reply;
    char head[HTTP_HEAD_SIZE_MAX + 1], body[4096];
    size_t body_size, size;

    (void)state;
    lab_start(&lab, &(struct eds_http_config){.body_size_max = 0}, NULL);
    lab_device_make(&device, &lab, 1);
    body_size = lab_envelope(&device, body, sizeof body, 100);
    size = (size_t)snprintf(head, sizeof head, HEAD "Content-Length: %zu\r\n", body_size);
    for (unsigned i = 3; i < HTTP_FIELDS_MAX; i++) { /* behind those three */
        size_t left = sizeof head - 1 - 2 - size;
        size_t room = i + 1 < HTTP_FIELDS_MAX ? left / (HTTP_FIELDS_MAX - i) : left;

        size += (size_t)snprintf(head + size, sizeof head - size, "X-%02u: %0*u\r\n", i,
                                 (int)(room - strlen("X-00: \r\n")), 0u);
    }
    size += (size_t)snprintf(head + size, sizeof head - size, "\r\n");
    assert_int_equal(size, HTTP_HEAD_SIZE_MAX);
    lab_connect(&peer, &lab);
    for (unsigned i = 0; i < 2; i++) { /* the same connection once more */
        assert_true(lab_send(&peer, head, size));
        assert_true(lab_send(&peer, body, body_size));
        lab_read(&peer, &reply, true);
        assert_int_equal(reply.status, i == 0 ? 202 : 422); /* a duplicate */
    }
    lab_close(&peer);
    lab_stop(&lab);
}

/* Peers that reset their connections while ingest has their records: these are taken,
 * and nothing is freed before. */
static void gone_meanwhile(void **state)
{
    enum { COUNT = 10 };
    const struct linger reset = {.l_onoff = 1};
    struct eds_ingest_counts ingest = {.queued = 0};
    struct eds_http_counts counts = {.connections = 1};
    struct lab_device devices[COUNT];
    struct lab_peer peers[COUNT];
    char body[8192];
    struct http_lab lab;

    (void)state;
    lab_start(&lab, &(struct eds_http_config){.body_size_max = 0}, NULL);
    lab_hold(&lab);
    for (unsigned i = 0; i < COUNT; i++) {
        size_t size;

        lab_device_make(&devices[i], &lab, i + 1);
        size = lab_envelope(&devices[i], body, sizeof body, 1000);
        lab_connect(&peers[i], &lab);
        assert_true(lab_post(&peers[i], body, size));
    }
    lab_await_queued(&lab, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        setsockopt(peers[i].fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        lab_close(&peers[i]);
    }
    for (unsigned tries = 0; tries < 120000 && counts.connections > 0; tries++) {
        lab_rest(1);
        eds_http_server_counts(lab.server, &counts);
    }
    assert_int_equal(counts.connections, 0);
    lab_release(&lab);
    for (unsigned tries = 0; tries < 120000 && ingest.accepted < COUNT; tries++) {
        lab_rest(1);
        eds_ingest_counts(lab.ingest, &ingest);
    }
    assert_int_equal(ingest.accepted, COUNT);
    lab_stop(&lab);
}

static void await_body_memory(struct http_lab *lab, uint64_t size)
{
    struct eds_http_counts counts = {.body_memory = size + 1};

    for (unsigned i = 0; i < LAB_PATIENCE_MS && counts.body_memory > size; i++) {
        lab_rest(1);
        eds_http_server_counts(lab->server, &counts);
    }
    assert_true(counts.body_memory <= size);
}

static void body_memory(void **state)
{
    struct http_lab lab;
    struct lab_device device;
    struct lab_peer first, second;
    struct lab_reply reply;
    struct eds_http_counts counts = {.body_memory = 0};
    char *body = calloc(1, 100000);
    size_t size;

    (void)state;
    assert_non_null(body);
    lab_start(&lab, &(struct eds_http_config){.body_memory_max = 100000}, NULL);
    lab_device_make(&device, &lab, 1);
    size = lab_envelope(&device, body, 100000, 30000); /* over 60,000 bytes */

    lab_connect(&first, &lab); /* has most of its body there */
    lab_print(&first, HEAD "Content-Length: %zu\r\n\r\n", size);
    lab_send(&first, body, size - 1);
    for (unsigned ms = 0; counts.body_memory < size - 1; ms++) {
        assert_true(ms < LAB_PATIENCE_MS);
        lab_rest(1);
        eds_http_server_counts(lab.server, &counts);
    }
    lab_connect(&second, &lab);
    lab_print(&second, HEAD "Content-Length: %zu\r\n\r\n", size);
    lab_send(&second, body, size);
    lab_read(&second, &reply, true);
    assert_int_equal(reply.status, 503);
    assert_non_null(strstr(reply.head, "\r\nRetry-After: 1\r\n"));
    lab_send(&first, body + size - 1, 1);
    lab_read(&first, &reply, true);
    assert_int_equal(reply.status, 202);
    await_body_memory(&lab, 0); /* the answer comes a moment before it is given back */

    size = lab_envelope(&device, body, 100000, 30000);
    assert_true(lab_post(&second, body, size)); /* the same connection, now that there is room */
    lab_read(&second, &reply, true);
    assert_int_equal(reply.status, 202);
    lab_close(&first);
    lab_close(&second);
    lab_stop(&lab);
    free(body);
}

/* A big announcement costs nothing until something comes of it. */
static void announcements(void **state)
{
    struct http_lab lab;
    struct lab_device device;
    struct lab_peer peers[50];

    (void)state;
    lab_start(&lab, &(struct eds_http_config){.body_memory_max = 1000000}, NULL);
    lab_device_make(&device, &lab, 1);
    for (size_t i = 0; i < 50; i++) {
        lab_connect(&peers[i], &lab);
        lab_print(&peers[i], HEAD "Content-Length: 2097152\r\n\r\n{\"record\"");
    }
    lab_rest(50);
    assert_int_equal(send_one(&lab, &device), 202);
    for (size_t i = 0; i < 50; i++)
        lab_close(&peers[i]);
    lab_stop(&lab);
}

/* The longest body there may be, and one byte more, announced and in chunks. */
static void body_sizes(void **state)
{
    enum { MOST = 2097152 };
    struct http_lab lab;
    struct lab_device device;
    struct lab_peer peer;
    struct lab_reply reply;
    char *body = malloc(MOST + 1);
    size_t size;

    (void)state;
    assert_non_null(body);
    lab_start(&lab, &defaults, NULL);
    lab_device_make(&device, &lab, 1);
    size = lab_envelope(&device, body, MOST, 1048000);
    memset(body + size, ' ', MOST + 1 - size);
    lab_connect(&peer, &lab);
    assert_true(lab_post(&peer, body, MOST));
    lab_read(&peer, &reply, true);
    assert_int_equal(reply.status, 202);

    for (int extra = 0; extra <= 1; extra++) { /* a duplicate if it is read at all */
        lab_print(&peer, HEAD "Transfer-Encoding: chunked\r\n\r\n%X\r\n", MOST + extra);
        assert_true(lab_send(&peer, body, (size_t)MOST + (size_t)extra));
        lab_print(&peer, "\r\n0\r\n\r\n");
        lab_read(&peer, &reply, true);
        assert_int_equal(reply.status, extra == 0 ? 422 : 413);
    }
    lab_close(&peer);
    lab_stop(&lab);
    free(body);
}

/* A client that sends all of its request before it reads gets the answer that was given
 * to the head, and no reset. */
static void early_answers(void **state)
{
    static const struct {
        const char *path;
        size_t size;
        unsigned status;
    } rows[] = {
        {"/api/v1/ingest", 2097153, 413},
        {"/nowhere", 1000000, 404},
        {"/api/v1/ingest?no=query", 0, 400},
        {"/api/v1/objects/0", 200000, 404},
    };
    struct http_lab lab;
    struct lab_peer peer;
    struct lab_reply reply;
    char *body = calloc(1, 2097153);

    (void)state;
    assert_non_null(body);
    lab_start(&lab, &defaults, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        lab_connect(&peer, &lab);
        lab_print(&peer,
                  "POST %s HTTP/1.1\r\nHost: lab\r\nContent-Type: application/json\r\n"
                  "Content-Length: %zu\r\n\r\n",
                  rows[i].path, rows[i].size);
        if (!lab_send(&peer, body, rows[i].size))
            fail_msg("%s: reset", rows[i].path);
        lab_read(&peer, &reply, true);
        if (reply.status != rows[i].status)
            fail_msg("%s: %u", rows[i].path, reply.status);
        lab_close(&peer);
    }
    lab_stop(&lab);
    free(body);
}

/* Chunks that never end are not read for ever. */
static void endless_chunks(void **state)
{
    struct http_lab lab;
    struct lab_device device;
    struct lab_peer peer;
    char chunk[65536 + 2];
    size_t sent = 0;

    (void)state;
    lab_start(&lab, &defaults, NULL);
    lab_device_make(&device, &lab, 1);
    memset(chunk, 'x', 65536);
    memcpy(chunk + 65536, "\r\n", 2);
    lab_connect(&peer, &lab);
    lab_print(&peer, HEAD "Transfer-Encoding: chunked\r\n\r\n");
    while (sent < 64 * sizeof chunk * 4 && lab_print(&peer, "10000\r\n") &&
           lab_send(&peer, chunk, sizeof chunk))
        sent += sizeof chunk;
    assert_true(sent < 64 * sizeof chunk * 4);
    lab_close(&peer);
    assert_int_equal(send_one(&lab, &device), 202);
    lab_stop(&lab);
}

static void many_connections(void **state)
{
    enum { COUNT = 200, EACH = 3 };
    static struct lab_peer peers[COUNT];
    static struct lab_device devices[COUNT];
    struct http_lab lab;
    struct lab_reply reply;
    char body[LAB_BODY_SIZE];

    (void)state;
    lab_start(&lab, &defaults, NULL);
    for (unsigned i = 0; i < COUNT; i++) {
        lab_device_make(&devices[i], &lab, i);
        lab_connect(&peers[i], &lab);
    }
    for (int round = 0; round < EACH; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            size_t size = lab_envelope(&devices[i], body, sizeof body, 90);

            assert_true(lab_post(&peers[i], body, size));
        }
        for (size_t i = 0; i < COUNT; i++) {
            lab_read(&peers[i], &reply, true);
            assert_int_equal(reply.status, 202);
        }
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(lab_head(&lab, devices[i].device_id) == EACH);
        lab_close(&peers[i]);
    }
    lab_stop(&lab);
}

/* More clients than connection_max: they wait for their turn, and get it. */
static void full_house(void **state)
{
    enum { COUNT = 100 };
    struct http_lab lab;
    struct lab_device devices[COUNT];
    struct lab_peer peers[COUNT];
    struct lab_reply reply;
    char body[LAB_BODY_SIZE];

    (void)state;
    lab_start(&lab, &(struct eds_http_config){.connection_max = 4}, NULL);
    for (unsigned i = 0; i < COUNT; i++) {
        size_t size;

        lab_device_make(&devices[i], &lab, i);
        lab_connect(&peers[i], &lab);
        size = lab_envelope(&devices[i], body, sizeof body, 90);
        assert_true(lab_post(&peers[i], body, size));
    }
    for (size_t i = 0; i < COUNT; i++) {
        lab_read(&peers[i], &reply, true);
        if (reply.status != 202)
            fail_msg("client %zu: %u", i, reply.status);
        lab_close(&peers[i]);
    }
    lab_stop(&lab);
}

/* Strangers who stay cannot keep a friend out. */
static void many_strangers(void **state)
{
    enum { COUNT = 100 };
    struct http_lab lab;
    struct lab_peer peers[COUNT];
    unsigned answered = 0, dropped = 0;
    struct lab_reply reply;

    (void)state;
    lab_start(&lab, &(struct eds_http_config){.connection_max = 60}, "10.0.0.1");
    for (size_t i = 0; i < COUNT; i++)
        lab_connect(&peers[i], &lab);
    lab_rest(100);
    for (size_t i = 0; i < COUNT; i++) {
        lab_print(&peers[i], "GET / HTTP/1.1\r\nHost: lab\r\n\r\n");
        lab_read(&peers[i], &reply, true);
        assert_true(reply.status == 403 || reply.status == 0);
        *(reply.status == 403 ? &answered : &dropped) += 1;
        lab_close(&peers[i]);
    }
    assert_true(answered >= 32); /* HTTP_DENIED_MAX, and they could not have more at once */
    assert_true(dropped > 0);
    lab_stop(&lab);
}

/* With no descriptor left the server waits, and goes on when there is one. */
static void no_descriptors(void **state)
{
    struct http_lab lab;
    struct lab_device device;
    struct lab_peer peer, waiting;
    struct lab_reply reply;
    struct rlimit before, tight;
    char body[LAB_BODY_SIZE];
    size_t size;

    (void)state;
    lab_start(&lab, &defaults, NULL);
    lab_device_make(&device, &lab, 1);
    lab_connect(&peer, &lab);
    lab_print(&peer, "GET / HTTP/1.1\r\nHost: lab\r\n\r\n");
    lab_read(&peer, &reply, true);
    lab_connect(&waiting, &lab); /* perhaps taken in before the limit: then this is easy */
    lab_close(&waiting);
    getrlimit(RLIMIT_NOFILE, &before);
    tight = before;
    waiting.fd = dup(peer.fd);
    tight.rlim_cur = (rlim_t)waiting.fd; /* nothing from here on */
    close(waiting.fd);
    lab_rest(20);
    lab_connect(&waiting, &lab); /* uses the last one below the limit */
    setrlimit(RLIMIT_NOFILE, &tight);
    size = lab_envelope(&device, body, sizeof body, 90);
    lab_post(&waiting, body, size);
    lab_rest(150);
    setrlimit(RLIMIT_NOFILE, &before);
    lab_read(&waiting, &reply, true);
    assert_int_equal(reply.status, 202);
    lab_close(&waiting);
    lab_close(&peer);
    lab_stop(&lab);
}

/* What is logged of a flood: some lines, no byte of a payload, and a count. */
static void log_lines(void **state)
{
    struct http_lab lab;
    struct lab_device device;
    struct lab_peer peer;
    struct lab_reply reply;
    char body[LAB_BODY_SIZE], line[4096];
    size_t size;
    unsigned lines = 0;
    FILE *log = tmpfile();
    int before = dup(STDERR_FILENO);

    (void)state;
    assert_non_null(log);
    lab_start(&lab, &defaults, NULL);
    eds_log_configure(EDS_LOG_WARN, EDS_LOG_LOGFMT);
    lab_device_make(&device, &lab, 1);
    size = lab_envelope(&device, body, sizeof body, 40);
    memcpy(strstr(body, "\"raw_payload_hex\":\"") + 19, "decade", 6);
    fflush(stderr);
    dup2(fileno(log), STDERR_FILENO);
    lab_connect(&peer, &lab);
    for (int i = 0; i < 300; i++) {
        lab_post(&peer, body, size);
        lab_read(&peer, &reply, true);
        assert_int_equal(reply.status, 422);
        assert_null(strstr(reply.body, "decade"));
    }
    lab_close(&peer);
    lab_stop(&lab);
    dup2(before, STDERR_FILENO);
    close(before);
    rewind(log);
    while (fgets(line, sizeof line, log) != NULL) {
        lines++;
        assert_null(strstr(line, "decade"));
        assert_non_null(strstr(line, "event=payload_hash_mismatch device_id=lift-001 sequence=1"));
        assert_non_null(strstr(line, "source=127.0.0.1"));
    }
    assert_in_range(lines, 1, 200); /* 20 a second, and a slow machine has many seconds */
    fclose(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_clients),   cmocka_unit_test(aborted_uploads),
        cmocka_unit_test(gone_meanwhile), cmocka_unit_test(largest_head),
        cmocka_unit_test(body_memory),    cmocka_unit_test(announcements),
        cmocka_unit_test(body_sizes),     cmocka_unit_test(endless_chunks),
        cmocka_unit_test(early_answers),  cmocka_unit_test(many_connections),
        cmocka_unit_test(full_house),     cmocka_unit_test(many_strangers),
        cmocka_unit_test(no_descriptors), cmocka_unit_test(log_lines),
    };

    return cmocka_run_group_tests_name("http_limits", tests, NULL, NULL);
}

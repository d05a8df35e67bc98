/* Requests as bytes on a socket, and what must come back.
 *
 * Each row of the table is one edit away from a request that is accepted, so
 * that it can be refused for one reason only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "transport/http_lab.h"

#define LINE   "POST /api/v1/ingest HTTP/1.1"
#define HOST   "Host: lab\r\n"
#define TYPE   "Content-Type: application/json\r\n"
#define LENGTH "Content-Length: %zu\r\n"

#define NOT_JSON "Expected request with `Content-Type: application/json`"
#define TOO_LONG "Failed to buffer the request body: length limit exceeded"

#define NO_LINE    "a control character, or a line that does not end in CR LF"
#define NO_VERSION "HTTP/1.1 and HTTP/1.0 are spoken here"

struct row {
    const char *name;
    const char *line;
    const char *fields; /* "%zu" stands for the body's size */
    unsigned status;
    const char *error; /* in the JSON body; "" for an empty body; NULL: not ours to say */
    bool stays_open;
};

static const struct row rows[] = {
    {"as it should be", LINE, HOST TYPE LENGTH, 202, NULL, true},
    {"a query", LINE "?x=1", HOST TYPE LENGTH, 400, "the request line has no HTTP version", false},
    {"a query in its place", "POST /api/v1/ingest?x=1 HTTP/1.1", HOST TYPE LENGTH, 202, NULL, true},
    {"HTTP/1.0", "POST /api/v1/ingest HTTP/1.0", TYPE LENGTH, 202, NULL, false},
    {"HTTP/1.0, kept", "POST /api/v1/ingest HTTP/1.0", "Connection: keep-alive\r\n" TYPE LENGTH,
     202, NULL, true},
    {"to be closed", LINE, "Connection: close\r\n" HOST TYPE LENGTH, 202, NULL, false},
    {"names in capitals", LINE,
     "HOST: a\r\nCONTENT-TYPE: APPLICATION/JSON\r\nCONTENT-LENGTH: %zu\r\n", 202, NULL, true},
    {"a charset", LINE, HOST "Content-Type: application/json; charset=utf-8\r\n" LENGTH, 202, NULL,
     true},
    {"a vendor's JSON", LINE, HOST "Content-Type: application/vnd.lift+json\r\n" LENGTH, 202, NULL,
     true},

    {"root", "POST / HTTP/1.1", HOST TYPE LENGTH, 404, "", true},
    {"a slash too many", "POST /api/v1/ingest/ HTTP/1.1", HOST TYPE LENGTH, 404, "", true},
    {"a slash twice", "POST //api/v1/ingest HTTP/1.1", HOST TYPE LENGTH, 404, "", true},
    {"a letter escaped", "POST /api/v1/inges%74 HTTP/1.1", HOST TYPE LENGTH, 404, "", true},
    {"a NUL escaped", "POST /api/v1/ingest%00 HTTP/1.1", HOST TYPE LENGTH, 404, "", true},
    {"in capitals", "POST /API/v1/ingest HTTP/1.1", HOST TYPE LENGTH, 404, "", true},
    {"PUT", "PUT /api/v1/ingest HTTP/1.1", HOST TYPE LENGTH, 405, "", true},
    {"PATCH", "PATCH /api/v1/ingest HTTP/1.1", HOST TYPE LENGTH, 405, "", true},
    {"a method in small letters", "post /api/v1/ingest HTTP/1.1", HOST TYPE LENGTH, 405, "", true},
    {"no type", LINE, HOST LENGTH, 415, NOT_JSON, true},
    {"another type", LINE, HOST "Content-Type: text/json\r\n" LENGTH, 415, NOT_JSON, true},

    {"a body that is refused, announced in chunks", "POST / HTTP/1.1",
     HOST "Transfer-Encoding: chunked\r\n", 404, "", false},
    {"2 MiB and one byte", LINE, HOST TYPE "Content-Length: 2097153\r\n", 413, TOO_LONG, false},
    {"3 GB", LINE, HOST TYPE "Content-Length: 3000000000\r\n", 413, TOO_LONG, false},
    {"2^64 bytes", LINE, HOST TYPE "Content-Length: 18446744073709551616\r\n", 413,
     "the body is too large", false},

    {"two lengths", LINE, HOST TYPE LENGTH "Content-Length: 5\r\n", 400,
     "ambiguous message framing", false},
    {"a length and chunks", LINE, HOST TYPE LENGTH "Transfer-Encoding: chunked\r\n", 400,
     "ambiguous message framing", false},
    {"an unknown encoding", LINE, HOST TYPE "Transfer-Encoding: gzip, chunked\r\n", 400,
     "ambiguous message framing", false},
    {"a space in a name", LINE, HOST TYPE "Content-Length : %zu\r\n", 400,
     "ambiguous message framing", false},
    {"chunks in HTTP/1.0", "POST /api/v1/ingest HTTP/1.0", TYPE "Transfer-Encoding: chunked\r\n",
     400, "ambiguous message framing", false},
    {"a length with a sign", LINE, HOST TYPE "Content-Length: +%zu\r\n", 400,
     "ambiguous message framing", false},
    {"a length in words", LINE, HOST TYPE "Content-Length: many\r\n", 400,
     "ambiguous message framing", false},
    {"a field without a colon", LINE, HOST TYPE "Content-Length\r\n", 400,
     "ambiguous message framing", false},
    {"a folded line", LINE, HOST TYPE "X: a\r\n b\r\n" LENGTH, 400, "ambiguous message framing",
     false},
    {"a line that ends in LF", LINE, HOST TYPE "X: a\n" LENGTH, 400, NO_LINE, false},
    {"no host", LINE, TYPE LENGTH, 400, "one Host field is required", false},
    {"two hosts", LINE, HOST HOST TYPE LENGTH, 400, "one Host field is required", false},
    {"a space in the path", "POST /api/v1/ingest x HTTP/1.1", HOST TYPE LENGTH, 400,
     "a space in the request target", false},
    {"a space in the query", "POST /api/v1/ingest?a b HTTP/1.1", HOST TYPE LENGTH, 400,
     "a space in the request target", false},
    {"a control character", LINE, HOST "X: a\x01\r\n" TYPE LENGTH, 400, NO_LINE, false},
    {"HTTP/2.0", "POST /api/v1/ingest HTTP/2.0", HOST TYPE LENGTH, 505, NO_VERSION, false},
    {"HTTP/0.9", "POST /api/v1/ingest HTTP/0.9", HOST TYPE LENGTH, 505, NO_VERSION, false},
    {"no version", "POST /api/v1/ingest", HOST TYPE LENGTH, 400, "the request line has no target",
     false},
};

static void expect_error(const char *name, const struct lab_reply *reply, const char *error)
{
    char body[1024];

    if (*error == '\0') {
        if (reply->body_size != 0)
            fail_msg("%s: a body: %s", name, reply->body);
        return;
    }
    snprintf(body, sizeof body, "{\"status\":\"rejected\",\"error\":\"%s\"}", error);
    if (strcmp(reply->body, body) != 0)
        fail_msg("%s: %s", name, reply->body);
    if (strstr(reply->head, "\r\nContent-Type: application/json\r\n") == NULL)
        fail_msg("%s: %s", name, reply->head);
}

static void try_row(struct http_lab *lab, const struct row *row, struct lab_device *device)
{
    struct lab_device before = *device;
    char body[LAB_BODY_SIZE], head[1024];
    size_t body_size = lab_envelope(device, body, sizeof body, 90);
    struct lab_peer peer;
    struct lab_reply reply;
    int size = snprintf(head, sizeof head, row->fields, body_size);

    assert_true(size > 0 && (size_t)size < sizeof head);
    lab_connect(&peer, lab);
    lab_print(&peer, "%s\r\n%s\r\n", row->line, head);
    lab_send(&peer, body, body_size); /* the server may have closed by now */
    lab_read(&peer, &reply, true);
    if (reply.status != row->status)
        fail_msg("%s: %u %s", row->name, reply.status, reply.head);
    if (reply.status == 202)
        assert_string_equal(reply.body, LAB_ACCEPTED);
    else
        *device = before; /* nothing of it was taken */
    if (row->error != NULL)
        expect_error(row->name, &reply, row->error);
    if (reply.status == 405)
        assert_non_null(strstr(reply.head, "\r\nAllow: POST\r\n"));
    if (row->stays_open) { /* the connection is at the start of a request again */
        body_size = lab_envelope(device, body, sizeof body, 90);
        assert_true(lab_post(&peer, body, body_size));
        lab_read(&peer, &reply, true);
        if (reply.status != 202)
            fail_msg("%s: and then %u %s", row->name, reply.status, reply.body);
    } else if (!lab_closed(&peer, LAB_PATIENCE_MS)) {
        fail_msg("%s: still open", row->name);
    }
    lab_close(&peer);
}

static void table(void **state)
{
    struct http_lab lab;
    struct lab_device device;

    (void)state;
    lab_start(&lab, &(struct eds_http_config){.address = NULL}, NULL);
    lab_device_make(&device, &lab, 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        try_row(&lab, &rows[i], &device);
        if (lab_head(&lab, device.device_id) != device.sequence)
            fail_msg("%s: the ledger does not hold what was answered", rows[i].name);
    }
    lab_stop(&lab);
}

/* Bodies that are wrong in one place, behind a head that is right. */
static void bodies(void **state)
{
    static const struct {
        const char *name, *from, *to;
        unsigned status;
        const char *error; /* the answer has this in it */
    } edits[] = {
        {"an odd digit", "00\"}", "0\"}", 400, "invalid hex payload: Odd number of digits"},
        {"no digit", "\"raw_payload_hex\":\"00", "\"raw_payload_hex\":\"0z", 400,
         "invalid hex payload: Invalid character 'z' at position 1"},
        {"a field too many", "{\"record\"", "{\"x\":1,\"record\"", 400, "x"},
        {"a field missing", "\"sequence\":1,", "", 400, "sequence"},
        {"a number as text", "\"sequence\":1,", "\"sequence\":\"1\",", 400, "sequence"},
        {"something behind", "\"}", "\"}x", 400, ""},
        {"an array", "{\"record\"", "[{\"record\"", 400, ""},
        {"another payload", "\"raw_payload_hex\":\"00", "\"raw_payload_hex\":\"01", 422,
         "payload hash mismatch for device=lift-001 sequence=1"},
        {"another device", "lift-001\"", "lift-009\"", 422,
         "ingest verification failed: unknown device: lift-009"},
        {"another sequence", "\"sequence\":1,", "\"sequence\":2,", 422,
         "ingest verification failed: invalid sequence for device=lift-001: expected=1 actual=2"},
        {"another previous hash", "\"prev_record_hash\":[0,", "\"prev_record_hash\":[1,", 422,
         "ingest verification failed: invalid previous hash for device=lift-001"},
    };
    struct http_lab lab;
    struct lab_device device;
    struct lab_peer peer;
    struct lab_reply reply;
    char good[LAB_BODY_SIZE], body[LAB_BODY_SIZE];

    (void)state;
    lab_start(&lab, &(struct eds_http_config){.address = NULL}, NULL);
    lab_device_make(&device, &lab, 1);
    lab_envelope(&device, good, sizeof good, 1); /* payload 00 */
    lab_connect(&peer, &lab);
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        const char *at = strstr(good, edits[i].from);

        assert_non_null(at);
        snprintf(body, sizeof body, "%.*s%s%s", (int)(at - good), good, edits[i].to,
                 at + strlen(edits[i].from));
        assert_true(lab_post(&peer, body, strlen(body)));
        lab_read(&peer, &reply, true);
        if (reply.status != edits[i].status || strstr(reply.body, edits[i].error) == NULL)
            fail_msg("%s: %u %s", edits[i].name, reply.status, reply.body);
        assert_int_equal(strncmp(reply.body, "{\"status\":\"rejected\",\"error\":\"", 30), 0);
    }
    lab_post(&peer, "", 0);
    lab_read(&peer, &reply, true);
    assert_int_equal(reply.status, 400);
    lab_post(&peer, good, strlen(good)); /* after all that, as good as ever */
    lab_read(&peer, &reply, true);
    assert_int_equal(reply.status, 202);
    lab_close(&peer);
    lab_stop(&lab);
}

static void no_body_methods(void **state)
{
    static const struct {
        const char *line;
        unsigned status;
        bool has_body;
    } lines[] = {
        {"GET /api/v1/ingest", 405, true},
        {"HEAD /api/v1/ingest", 405, false},
        {"OPTIONS /api/v1/ingest", 405, true},
        {"DELETE /api/v1/ingest", 405, true},
        {"TRACE /api/v1/ingest", 405, true},
        {"OPTIONS *", 404, true},
        {"GET /nope", 404, true},
        {"HEAD /nope", 404, false},
    };
    struct http_lab lab;
    struct lab_peer peer;
    struct lab_reply reply;

    (void)state;
    lab_start(&lab, &(struct eds_http_config){.address = NULL}, NULL);
    lab_connect(&peer, &lab); /* one connection for all */
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        lab_print(&peer, "%s HTTP/1.1\r\n" HOST "\r\n", lines[i].line);
        lab_read(&peer, &reply, lines[i].has_body);
        if (reply.status != lines[i].status || reply.body_size != 0)
            fail_msg("%s: %u %s", lines[i].line, reply.status, reply.body);
    }
    lab_close(&peer);
    lab_stop(&lab);
}

static void pipelining(void **state)
{
    struct http_lab lab;
    struct lab_device device;
    struct lab_peer peer;
    struct lab_reply reply;
    char all[3 * (LAB_BODY_SIZE + 200)], body[LAB_BODY_SIZE];
    size_t used = 0;

    (void)state;
    lab_start(&lab, &(struct eds_http_config){.address = NULL}, NULL);
    lab_device_make(&device, &lab, 1);
    for (int i = 0; i < 3; i++) {
        size_t size = lab_envelope(&device, body, sizeof body, 90);

        used += (size_t)snprintf(all + used, sizeof all - used,
                                 LINE "\r\n" HOST TYPE LENGTH "\r\n%s", size, body);
    }
    lab_connect(&peer, &lab);
    assert_true(lab_send(&peer, all, used));
    for (int i = 0; i < 3; i++) {
        lab_read(&peer, &reply, true);
        assert_int_equal(reply.status, 202);
    }
    assert_true(lab_head(&lab, device.device_id) == 3);
    lab_close(&peer);
    lab_stop(&lab);
}

/* One body, in chunks of every size from a byte on. */
static void chunks(void **state)
{
    struct http_lab lab;
    struct lab_device device;
    struct lab_peer peer;
    struct lab_reply reply;
    char body[LAB_BODY_SIZE];

    (void)state;
    lab_start(&lab, &(struct eds_http_config){.address = NULL}, NULL);
    lab_device_make(&device, &lab, 1);
    lab_connect(&peer, &lab);
    for (size_t step = 1; step < LAB_BODY_SIZE; step *= 5) {
        size_t size = lab_envelope(&device, body, sizeof body, 9);

        lab_print(&peer, LINE "\r\n" HOST TYPE "Transfer-Encoding: chunked\r\n\r\n");
        for (size_t at = 0; at < size; at += step) {
            size_t some = size - at < step ? size - at : step;

            lab_print(&peer, "%zX\r\n%.*s\r\n", some, (int)some, body + at);
        }
        lab_print(&peer, "0\r\n\r\n");
        lab_read(&peer, &reply, true);
        assert_int_equal(reply.status, 202);
    }
    lab_close(&peer);
    lab_stop(&lab);
}

/* What a client that asks first is told, and that it is not told to go on
 * when there is no use in it. */
static void expecting(void **state)
{
    static const struct {
        const char *allowed, *line, *fields;
        unsigned status; /* of the first answer */
    } asks[] = {
        {"127.0.0.1", LINE, TYPE LENGTH, 100},
        {"127.0.0.1", LINE, TYPE "Content-Length: 2097153\r\n", 413},
        {"127.0.0.1", LINE, LENGTH, 415},
        {"127.0.0.1", "POST /x HTTP/1.1", TYPE LENGTH, 404},
        {"127.0.0.1", "PUT /api/v1/ingest HTTP/1.1", TYPE LENGTH, 405},
        {"10.0.0.1", LINE, TYPE LENGTH, 403},
    };

    (void)state;
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
        struct http_lab lab;
        struct lab_device device;
        struct lab_peer peer;
        struct lab_reply reply;
        char body[LAB_BODY_SIZE], fields[256];
        size_t size;

        lab_start(&lab, &(struct eds_http_config){.address = NULL}, asks[i].allowed);
        lab_device_make(&device, &lab, 1);
        size = lab_envelope(&device, body, sizeof body, 90);
        snprintf(fields, sizeof fields, asks[i].fields, size);
        lab_connect(&peer, &lab);
        lab_print(&peer, "%s\r\n" HOST "Expect: 100-continue\r\n%s\r\n", asks[i].line, fields);
        lab_read(&peer, &reply, true);
        assert_int_equal(reply.status, asks[i].status);
        if (reply.status == 100) {
            lab_send(&peer, body, size);
            lab_read(&peer, &reply, true);
            assert_int_equal(reply.status, 202);
        } else {
            assert_true(lab_closed(&peer, LAB_PATIENCE_MS));
        }
        lab_close(&peer);
        lab_stop(&lab);
    }
}

/* A stranger gets the same answer to anything, before his body is read. */
static void strangers(void **state)
{
    static const char *const heads[] = {
        LINE "\r\n" HOST TYPE "Content-Length: 1000\r\n\r\n",
        LINE "\r\n" HOST TYPE "Content-Length: 2097153\r\n\r\n",
        LINE "\r\n" HOST TYPE "Transfer-Encoding: chunked\r\n\r\n",
        LINE "\r\n" HOST TYPE "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        LINE "\r\n" HOST "\r\n",
        "GET /nope HTTP/1.1\r\n" HOST "\r\n",
    };
    struct http_lab lab;
    struct lab_peer peer;
    struct lab_reply reply;

    (void)state;
    lab_start(&lab, &(struct eds_http_config){.address = NULL}, "10.0.0.1,127.0.0.2");
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        lab_connect(&peer, &lab);
        lab_send(&peer, heads[i], strlen(heads[i]));
        lab_read(&peer, &reply, true);
        assert_int_equal(reply.status, 403);
        expect_error(heads[i], &reply, "source 127.0.0.1 is not in the allowlist");
        assert_true(lab_closed(&peer, LAB_PATIENCE_MS));
        lab_close(&peer);
    }
    lab_stop(&lab);
}

/* On [::] an IPv4 peer arrives as ::ffff:127.0.0.1, and is 127.0.0.1. */
static void dual_stack(void **state)
{
    struct http_lab lab;
    struct lab_device device;
    struct lab_peer peer;
    struct lab_reply reply;
    char body[LAB_BODY_SIZE];
    size_t size;
    int fd = socket(AF_INET6, SOCK_STREAM, 0);

    (void)state;
    if (fd < 0) {
        print_message("skipped: this system has no IPv6\n");
        skip();
    }
    close(fd);
    lab_start(&lab, &(struct eds_http_config){.address = "[::]:0"}, NULL);
    lab_device_make(&device, &lab, 1);
    size = lab_envelope(&device, body, sizeof body, 90);
    lab_connect(&peer, &lab);
    lab_post(&peer, body, size);
    lab_read(&peer, &reply, true);
    assert_int_equal(reply.status, 202);
    lab_close(&peer);
    lab_stop(&lab);

    lab_start(&lab, &(struct eds_http_config){.address = "[::]:0"}, "::1");
    lab_connect(&peer, &lab);
    lab_post(&peer, body, size);
    lab_read(&peer, &reply, true);
    assert_int_equal(reply.status, 403);
    expect_error("dual stack", &reply, "source 127.0.0.1 is not in the allowlist");
    lab_close(&peer);
    lab_stop(&lab);
}

static void starting(void **state)
{
    struct http_lab lab;
    struct eds_http_server *second;
    struct eds_http_config config;
    struct eds_error err;
    char address[32];

    (void)state;
    lab_start(&lab, &(struct eds_http_config){.address = NULL}, NULL);
    snprintf(address, sizeof address, "127.0.0.1:%u", lab.port);
    config = (struct eds_http_config){
        .address = address, .netpolicy = &lab.netpolicy, .ingest = lab.ingest};
    assert_int_equal(eds_http_server_start(&second, &config, &err), EDS_ERR_IO);
    assert_string_equal(err.text, "server error: Address already in use (os error 98)");
    config.address = "192.0.2.1:1";
    assert_int_equal(eds_http_server_start(&second, &config, &err), EDS_ERR_IO);
    assert_string_equal(err.text, "server error: Cannot assign requested address (os error 99)");
    config.address = "localhost:1";
    assert_int_equal(eds_http_server_start(&second, &config, &err), EDS_ERR_USAGE);
    assert_string_equal(err.text, "invalid socket address syntax");
    lab_stop(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),           cmocka_unit_test(bodies),
        cmocka_unit_test(no_body_methods), cmocka_unit_test(pipelining),
        cmocka_unit_test(chunks),          cmocka_unit_test(expecting),
        cmocka_unit_test(strangers),       cmocka_unit_test(dual_stack),
        cmocka_unit_test(starting),
    };

    return cmocka_run_group_tests_name("http_server", tests, NULL, NULL);
}

/* Requests that others collected because servers got them wrong: heads that mean
 * two things, errors that parsers overlook.  Whatever comes, one request has at
 * most one answer, nothing in a body is taken for a request, nothing is
 * accepted, and afterwards an honest record is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "support/vectors.h"
#include "transport/http_lab.h"

#define BATCH 100

/* What came back on one connection. */
struct outcome {
    struct lab_peer peer;
    const char *name;
    char answers[2048]; /* the beginning */
    size_t used;
    bool closed;
};

/* Bytes of a text that stands for them as latin-1. */
static size_t to_bytes(char *out, size_t out_size, const char *text)
{
    size_t used = 0;

    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;

        assert_true(used < out_size);
        if (byte >= 0xc0)
            byte = (unsigned char)((byte & 3) << 6 | ((unsigned char)*++text & 0x3f));
        out[used++] = (char)byte;
    }
    return used;
}

/* Reads what is there; false when the connection has ended. */
static bool read_some(struct outcome *outcome)
{
    ssize_t size = recv(outcome->peer.fd, outcome->answers + outcome->used,
                        sizeof outcome->answers - 1 - outcome->used, MSG_DONTWAIT);

    if (size > 0)
        outcome->used += (size_t)size;
    return size > 0 || (size < 0 && errno == EAGAIN);
}

/* Waits until all connections of a batch have ended or are silent. */
static void collect(struct outcome *outcomes, size_t count)
{
    struct pollfd fds[BATCH];
    size_t open = count;

    while (open > 0) {
        for (size_t i = 0; i < count; i++)
            fds[i] = (struct pollfd){.fd = outcomes[i].closed ? -1 : outcomes[i].peer.fd,
                                     .events = POLLIN};
        if (poll(fds, (nfds_t)count, 60) <= 0)
            break;
        for (size_t i = 0; i < count; i++)
            if (fds[i].revents != 0 && !read_some(&outcomes[i])) {
                outcomes[i].closed = true;
                open--;
            }
    }
    for (size_t i = 0; i < count; i++) {
        outcomes[i].answers[outcomes[i].used] = '\0';
        lab_close(&outcomes[i].peer);
    }
}

static unsigned status_of(const struct outcome *outcome)
{
    return strncmp(outcome->answers, "HTTP/1.", 7) == 0
               ? (unsigned)strtoul(outcome->answers + 9, NULL, 10)
               : 0;
}

static unsigned count_answers(const struct outcome *outcome)
{
    unsigned count = 0;

    for (const char *at = outcome->answers; (at = strstr(at, "HTTP/1.")) != NULL; at++)
        count += at == outcome->answers || at[-1] == '\n' || at[-1] == '}';
    return count;
}

/* "POST /api/v1/ingest", its odd encoding, and a second request in the body for
 * whoever stops reading at "0". */
static void smuggler(void **state)
{
    static const char body[] = "0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n";
    json_t *heads = vector_load("http1-smuggler/heads.json");
    static struct outcome outcomes[BATCH];
    size_t count = json_array_size(heads), ended = 0;
    struct http_lab lab;

    (void)state;
    lab_start(&lab, &(struct eds_http_config){.address = NULL}, NULL);
    for (size_t first = 0; first < count; first += BATCH) {
        size_t some = count - first < BATCH ? count - first : BATCH;

        memset(outcomes, 0, sizeof outcomes);
        for (size_t i = 0; i < some; i++) {
            const json_t *row = json_array_get(heads, first + i);
            const char *rest = json_string_value(json_array_get(row, 1));
            char head[2048];
            const char *host = strstr(rest, "__HOST__"), *length = strstr(rest, "__REPLACE_CL__");

            outcomes[i].name = json_string_value(json_array_get(row, 0));
            assert_true(host != NULL && length != NULL && host < length);
            assert_int_equal(strncmp(rest, "__METHOD__ __ENDPOINT__", 23), 0);
            snprintf(head, sizeof head, "POST /api/v1/ingest%.*slab%.*s%zu%s",
                     (int)(host - rest - 23), rest + 23, (int)(length - host - 8), host + 8,
                     strlen(body), length + 14);
            lab_connect(&outcomes[i].peer, &lab);
            lab_send(&outcomes[i].peer, head, to_bytes(head, sizeof head, head));
            lab_print(&outcomes[i].peer, "Content-Type: application/json\r\n\r\n%s", body);
        }
        collect(outcomes, some);
        for (size_t i = 0; i < some; i++) {
            if (status_of(&outcomes[i]) != 400 || count_answers(&outcomes[i]) != 1)
                fail_msg("%s: %s", outcomes[i].name, outcomes[i].answers);
            ended += outcomes[i].closed;
        }
    }
    lab_stop(&lab);
    json_decref(heads);
    /* The others have no Transfer-Encoding by any reading, and a body that is
     * no record: their connection may go on. */
    assert_true(count - ended <= 10);
}

struct parsed {
    const char *file, *name_field;
    bool (*is_error)(const json_t *row);
};

static bool has_error(const json_t *row)
{
    return json_is_string(json_object_get(row, "error"));
}

static bool is_expected_error(const json_t *row)
{
    return strcmp(vector_string(row, "expected"), "error") == 0;
}

/* What another parser refuses is not accepted here, and never has two answers;
 * nothing of it makes the server fail. */
static void parsers(void **state)
{
    static const struct parsed files[] = {
        {"http1-llhttp/requests.json", "title", has_error},
        {"http1-picohttpparser/requests.json", "comment", is_expected_error},
    };
    static struct outcome outcomes[BATCH];
    struct http_lab lab;

    (void)state;
    lab_start(&lab, &(struct eds_http_config){.address = NULL}, NULL);
    for (size_t f = 0; f < 2; f++) {
        json_t *rows = vector_load(files[f].file);
        size_t count = json_array_size(rows);

        assert_in_range(count, 20, BATCH);
        memset(outcomes, 0, sizeof outcomes);
        for (size_t i = 0; i < count; i++) {
            const json_t *row = json_array_get(rows, i);
            static char bytes[65536];

            outcomes[i].name = vector_string(row, files[f].name_field);
            lab_connect(&outcomes[i].peer, &lab);
            lab_send(&outcomes[i].peer, bytes,
                     to_bytes(bytes, sizeof bytes, vector_string(row, "request")));
        }
        collect(outcomes, count);
        for (size_t i = 0; i < count; i++) {
            unsigned status = status_of(&outcomes[i]);
            bool is_error = files[f].is_error(json_array_get(rows, i));

            if (status != 0 && (status < 400 || (status >= 500 && status != 505)))
                fail_msg("%s: %s", outcomes[i].name, outcomes[i].answers);
            if (is_error && count_answers(&outcomes[i]) > 1)
                fail_msg("%s: %s", outcomes[i].name, outcomes[i].answers);
        }
        json_decref(rows);
    }
    lab_stop(&lab);
}

/* Bytes at random, some of them from a request: the server stays. */
static void noise(void **state)
{
    static const char *const pieces[] = {
        "POST /api/v1/ingest HTTP/1.1\r\n",
        "Host: a\r\n",
        "Content-Length: 3\r\n",
        "\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Content-Type: application/json\r\n",
        "0\r\n\r\n",
        "ffffffffffffffff\r\n",
        "Expect: 100-continue\r\n",
        "{\"record\":",
        "\x80\xff\n",
        " ",
        ":",
    };
    static struct outcome outcomes[BATCH];
    struct http_lab lab;
    struct lab_device device;
    struct lab_reply reply;
    char body[LAB_BODY_SIZE];
    uint64_t random = 88172645463325252u;
    size_t size;

    (void)state;
    lab_start(&lab, &(struct eds_http_config){.address = NULL}, NULL);
    lab_device_make(&device, &lab, 1);
    for (int round = 0; round < 5; round++) {
        memset(outcomes, 0, sizeof outcomes);
        for (size_t i = 0; i < BATCH; i++) {
            lab_connect(&outcomes[i].peer, &lab);
            for (unsigned j = 0; j < 12; j++) {
                const char *piece;

                random ^= random << 13; /* xorshift64 */
                random ^= random >> 7;
                random ^= random << 17;
                piece = pieces[random % (sizeof pieces / sizeof pieces[0])];
                lab_send(&outcomes[i].peer, piece, strlen(piece));
            }
        }
        collect(outcomes, BATCH);
        for (size_t i = 0; i < BATCH; i++)
            if (status_of(&outcomes[i]) >= 200 && status_of(&outcomes[i]) < 400)
                fail_msg("%s", outcomes[i].answers);
    }
    size = lab_envelope(&device, body, sizeof body, 90);
    lab_connect(&outcomes[0].peer, &lab);
    lab_post(&outcomes[0].peer, body, size);
    lab_read(&outcomes[0].peer, &reply, true);
    assert_int_equal(reply.status, 202);
    lab_close(&outcomes[0].peer);
    lab_stop(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(smuggler), cmocka_unit_test(parsers),
                                       cmocka_unit_test(noise)};

    return cmocka_run_group_tests_name("http_hostile", tests, NULL, NULL);
}

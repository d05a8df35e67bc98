/* Requests that others collected because servers got them wrong: heads that mean
 * two things, errors that parsers overlook.  Whatever comes, one request has at
 * most one answer, in our words; nothing in a body is taken for a request; what cannot
 * be believed is refused at once and its connection closed; nothing is accepted, and
 * afterwards an honest record is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "base/log.h"
#include "support/vectors.h"
#include "transport/http_admin.h"
#include "transport/http_filter.h"
#include "transport/http_lab.h"

#define BATCH    100
#define PATIENCE 4000 /* rounds of 30 ms, for a machine that is busy */

/* One connection: what was sent, and what came back. */
struct outcome {
    struct lab_peer peer;
    const char *name;
    bool must_end; /* what was sent cannot be believed: an answer, and the end */
    unsigned head_count;
    char answers[4096]; /* the beginning */
    size_t used;
    bool closed;
};

/* What a corpus came to. */
struct figures {
    size_t sent, refused, silent;
    size_t served, doubled, hangs, failed, foreign; /* of which there must be none */
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
    outcome->closed = size == 0 || (size < 0 && errno != EAGAIN);
    return size > 0;
}

/* Says which requests are in the bytes, and whether they end in a fault. */
static void foretell(struct outcome *outcome, const char *bytes, size_t size)
{
    static char out[sizeof outcome->peer.buf + 65536];
    struct http_filter filter;
    size_t used;

    http_filter_init(&filter);
    (void)http_filter_run(&filter, bytes, size, &used, out, sizeof out);
    outcome->must_end = filter.fault_status != 0;
    outcome->head_count = filter.head_count;
}

/* Waits until all connections of a batch have ended, or are silent as they may be. */
static void collect(struct outcome *outcomes, size_t count)
{
    struct pollfd fds[BATCH];

    for (unsigned quiet = 0, rounds = 0; rounds < PATIENCE; rounds++) {
        bool waiting = false, open = false;

        for (size_t i = 0; i < count; i++) {
            fds[i] = (struct pollfd){.fd = outcomes[i].closed ? -1 : outcomes[i].peer.fd,
                                     .events = POLLIN};
            open |= !outcomes[i].closed;
            waiting |= !outcomes[i].closed && outcomes[i].must_end;
        }
        if (!open || (!waiting && quiet > 1))
            break;
        quiet = poll(fds, (nfds_t)count, 30) <= 0 ? quiet + 1 : 0;
        for (size_t i = 0; i < count; i++)
            if (!outcomes[i].closed && fds[i].revents != 0)
                (void)read_some(&outcomes[i]);
    }
    for (size_t i = 0; i < count; i++) {
        outcomes[i].answers[outcomes[i].used] = '\0';
        lab_close(&outcomes[i].peer);
    }
}

/* The status of the last answer, and how many there are but for "100 Continue". */
static unsigned read_answers(const struct outcome *outcome, unsigned *count)
{
    unsigned status = 0;

    *count = 0;
    for (const char *at = outcome->answers; (at = strstr(at, "HTTP/1.")) != NULL; at++) {
        if (at != outcome->answers && at[-1] != '\n' && at[-1] != '}')
            continue;
        status = (unsigned)strtoul(at + 9, NULL, 10);
        *count += status != 100;
    }
    return status;
}

/* Adds what came back to the figures; each row's worst shows in the log. */
static void judge(struct figures *figures, const struct outcome *outcome)
{
    unsigned count, status = read_answers(outcome, &count);
    bool served = status >= 200 && status < 400;
    bool doubled = count > outcome->head_count, failed = status >= 500 && status != 505;
    bool hangs = outcome->must_end && (count == 0 || !outcome->closed);
    bool foreign = strcasestr(outcome->answers, "<html") != NULL;

    figures->sent++;
    figures->refused += outcome->must_end;
    figures->silent += count == 0;
    figures->served += served;
    figures->doubled += doubled;
    figures->failed += failed;
    figures->hangs += hangs;
    figures->foreign += foreign;
    if (served || doubled || failed || hangs || foreign)
        print_message("%s: %u answers to %u heads: %s\n", outcome->name, count, outcome->head_count,
                      outcome->answers);
}

static void report(const char *corpus, const struct figures *figures)
{
    print_message("%s: %zu sent, %zu refused and closed, %zu without a whole request; served %zu, "
                  "doubled %zu, hangs %zu, 5xx %zu, not in our words %zu\n",
                  corpus, figures->sent, figures->refused, figures->silent, figures->served,
                  figures->doubled, figures->hangs, figures->failed, figures->foreign);
    assert_int_equal(figures->served + figures->doubled + figures->hangs + figures->failed +
                         figures->foreign,
                     0);
}

/* "POST /api/v1/ingest", its odd encoding, and a second request in the body for
 * whoever stops reading at "0". */
static size_t make_smuggled(char *out, size_t out_size, const json_t *row)
{
    static const char body[] = "0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n";
    const char *rest = json_string_value(json_array_get(row, 1));
    const char *host = strstr(rest, "__HOST__"), *length = strstr(rest, "__REPLACE_CL__");
    char head[2048];
    size_t size;

    assert_true(host != NULL && length != NULL && host < length);
    assert_int_equal(strncmp(rest, "__METHOD__ __ENDPOINT__", 23), 0);
    snprintf(head, sizeof head, "POST /api/v1/ingest%.*slab%.*s%zu%s", (int)(host - rest - 23),
             rest + 23, (int)(length - host - 8), host + 8, strlen(body), length + 14);
    size = to_bytes(out, out_size, head);
    return size + (size_t)snprintf(out + size, out_size - size,
                                   "Content-Type: application/json\r\n\r\n%s", body);
}

static size_t make_plain(char *out, size_t out_size, const json_t *row)
{
    return to_bytes(out, out_size, json_string_value(json_array_get(row, 1)));
}

static size_t make_request(char *out, size_t out_size, const json_t *row)
{
    return to_bytes(out, out_size, vector_string(row, "request"));
}

static const char *name_of(const json_t *row)
{
    static const char *const fields[] = {"title", "comment"};
    const char *name = json_string_value(json_array_get(row, 0));

    for (size_t i = 0; i < 2 && name == NULL; i++)
        name = json_string_value(json_object_get(row, fields[i]));
    return name != NULL ? name : "?";
}

typedef size_t make_bytes(char *out, size_t out_size, const json_t *row);

/* Sends a corpus to a listener, each row on a connection of its own, so many at once. */
static void send_corpus(const struct http_lab *lab, size_t at_once, const char *file,
                        make_bytes *make)
{
    static struct outcome outcomes[BATCH];
    static char bytes[65536];
    struct figures figures = {.sent = 0};
    json_t *rows = vector_load(file);
    size_t count = json_array_size(rows);

    assert_true(count >= 10);
    for (size_t first = 0; first < count; first += at_once) {
        size_t some = count - first < at_once ? count - first : at_once;

        memset(outcomes, 0, sizeof outcomes);
        for (size_t i = 0; i < some; i++) {
            const json_t *row = json_array_get(rows, first + i);
            size_t size = make(bytes, sizeof bytes, row);

            outcomes[i].name = name_of(row);
            foretell(&outcomes[i], bytes, size);
            lab_connect(&outcomes[i].peer, lab);
            lab_send(&outcomes[i].peer, bytes, size);
        }
        collect(outcomes, some);
        for (size_t i = 0; i < some; i++)
            judge(&figures, &outcomes[i]);
    }
    json_decref(rows);
    report(file, &figures);
}

static const struct {
    const char *file;
    make_bytes *make;
} corpora[] = {
    {"http1-smuggler/heads.json", make_smuggled},
    {"http1-llhttp/requests.json", make_request},
    {"http1-picohttpparser/requests.json", make_request},
    {"http1-h2o/requests.json", make_plain},
    {"http1-unit/requests.json", make_plain},
};

static void to_ingest(void **state)
{
    struct http_lab lab;

    (void)state;
    lab_start(&lab, &(struct eds_http_config){.address = NULL}, NULL);
    for (size_t i = 0; i < sizeof corpora / sizeof corpora[0]; i++)
        send_corpus(&lab, BATCH, corpora[i].file, corpora[i].make);
    lab_stop(&lab);
}

static void write_nothing(void *context, struct eds_metrics *page)
{
    (void)context;
    eds_metrics_counter(page, "edgesentry_nothing_total", "Nothing.", 0);
}

static int32_t say_ready(void *context, struct eds_error *err)
{
    (void)context;
    (void)err;
    return EDS_OK;
}

/* The listener for those who watch has the same filter.  It takes few connections at
 * once; after all of that it answers as ever. */
static void to_admin(void **state)
{
    struct eds_http_admin_config config = {.write_metrics = write_nothing,
                                           .check_ready = say_ready};
    struct http_lab lab = {.port = 0};
    struct eds_http_admin *admin;
    struct lab_peer peer;
    struct lab_reply reply;
    struct eds_error err;

    (void)state;
    eds_log_configure(EDS_LOG_ERROR, EDS_LOG_LOGFMT);
    assert_int_equal(eds_http_admin_start(&admin, "127.0.0.1:0", &config, &err), EDS_OK);
    lab.port = eds_http_admin_port(admin);
    for (size_t i = 0; i < sizeof corpora / sizeof corpora[0]; i++)
        send_corpus(&lab, 20, corpora[i].file, corpora[i].make);
    lab_connect(&peer, &lab);
    for (int i = 0; i < 3; i++) { /* on one connection */
        lab_print(&peer, "GET /metrics HTTP/1.1\r\nHost: lab\r\n\r\n");
        lab_read(&peer, &reply, true);
        assert_int_equal(reply.status, 200);
        assert_non_null(strstr(reply.body, "edgesentry_nothing_total 0\n"));
    }
    lab_print(&peer, "GET /livez HTTP/1.1\r\nHost: lab\r\nContent-Length: 5\r\n\r\nHTTP/");
    lab_read(&peer, &reply, true);
    assert_int_equal(reply.status, 413);
    assert_true(lab_closed(&peer, LAB_PATIENCE_MS));
    lab_close(&peer);
    eds_http_admin_stop(admin);
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
    struct figures figures = {.sent = 0};
    char bytes[1024];
    size_t size;

    (void)state;
    lab_start(&lab, &(struct eds_http_config){.address = NULL}, NULL);
    lab_device_make(&device, &lab, 1);
    for (int round = 0; round < 5; round++) {
        memset(outcomes, 0, sizeof outcomes);
        for (size_t i = 0; i < BATCH; i++) {
            size_t used = 0;

            outcomes[i].name = "noise";
            lab_connect(&outcomes[i].peer, &lab);
            for (unsigned j = 0; j < 12; j++) {
                const char *piece;

                random ^= random << 13; /* xorshift64 */
                random ^= random >> 7;
                random ^= random << 17;
                piece = pieces[random % (sizeof pieces / sizeof pieces[0])];
                memcpy(bytes + used, piece, strlen(piece));
                used += strlen(piece);
                lab_send(&outcomes[i].peer, piece, strlen(piece));
            }
            foretell(&outcomes[i], bytes, used);
        }
        collect(outcomes, BATCH);
        for (size_t i = 0; i < BATCH; i++)
            judge(&figures, &outcomes[i]);
    }
    report("noise", &figures);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(to_ingest), cmocka_unit_test(to_admin),
                                       cmocka_unit_test(noise)};

    return cmocka_run_group_tests_name("http_hostile", tests, NULL, NULL);
}

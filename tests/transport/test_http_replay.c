/* The conversation that edgesentry-rs had over HTTP, held again with this
 * server: the same requests in the same order.  Statuses and JSON bodies are
 * the same but for the rows of the table, each with the rule that decides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "support/vectors.h"
#include "transport/http_lab.h"

/* Whatever the original says in text/plain is said here as a JSON rejection,
 * and a body that is no ingest request is 400 whether its JSON or its shape is
 * wrong: both are applied to every row, without being listed. */

enum rule {
    UNKNOWN_FIELDS = 1, /* refused here: a record has one form */
    ARRAY_FORM,         /* refused here, for the same reason */
    NOT_SENT_BEFORE,    /* an earlier row of the original was refused here */
    SENT_BEFORE,        /* an earlier row that the original refused was accepted here */
    SOURCE_FIRST,       /* the allowlist decides before the body is looked at */
    MAPPED_ADDRESS,     /* ::ffff:127.0.0.1 is 127.0.0.1 */
    HEX_CHARACTER,      /* a character that is not ASCII is named whole */
    VERSION,            /* a version that is not spoken is not a malformed one */
    EARLY_ANSWER,       /* the original waits for the body */
    BROUGHT_BEFORE,     /* null says here that the payload came before its record */
};

static const struct difference {
    const char *name;
    enum rule rule;
    unsigned status;
    const char *error; /* NULL: any; "" : no JSON body */
} differences[] = {
    {"upper-case hex + vendor json + unknown fields", UNKNOWN_FIELDS, 400, NULL},
    {"duplicate of 3", NOT_SENT_BEFORE, 202, ""},
    {"envelope as array (serde)", ARRAY_FORM, 400, NULL},
    {"raw_payload_hex null", BROUGHT_BEFORE, 422,
     "payload not found for device=lift-01 sequence=1"},
    {"hex non-ascii", HEX_CHARACTER, 400, NULL},
    {"content-length too big announced 3 GB, no body", EARLY_ANSWER, 413, NULL},
    {"HTTP/2.0 in request line", VERSION, 505, "HTTP/1.1 and HTTP/1.0 are spoken here"},
    {"denied source, malformed json (400: body is parsed before the allowlist)", SOURCE_FIRST, 403,
     "source 127.0.0.1 is not in the allowlist"},
    {"denied source, no content-type", SOURCE_FIRST, 403,
     "source 127.0.0.1 is not in the allowlist"},
    {"denied source, data error", SOURCE_FIRST, 403, "source 127.0.0.1 is not in the allowlist"},
    {"denied source, oversize", SOURCE_FIRST, 403, "source 127.0.0.1 is not in the allowlist"},
    {"denied source, 404", SOURCE_FIRST, 403, "source 127.0.0.1 is not in the allowlist"},
    {"IPv4 client on a dual-stack socket", MAPPED_ADDRESS, 202, ""},
    {"IPv6 client", SENT_BEFORE, 422,
     "ingest verification failed: duplicate record for device=lift-01 sequence=1"},
};

/* Rows that are not one request and its answer; tests beside this one hold the
 * same conversations: slow clients, pipelining, heads without end. */
static const char *const elsewhere[] = {
    "bare GET line",
    "h2 prior knowledge preface",
    "no Host header",
    "101+ headers",
    "500 kB header",
    "3 pipelined requests",
    "slow client: partial request line",
    "slow client: partial headers",
    "slow client: stalled body",
    "slow client: idle connection",
    "server stdout/stderr over the whole run",
    "garbage request", /* two control characters as a method: told apart below */
};

static const struct difference *difference_of(const char *name)
{
    for (size_t i = 0; i < sizeof differences / sizeof differences[0]; i++)
        if (strcmp(differences[i].name, name) == 0)
            return &differences[i];
    return NULL;
}

static bool is_elsewhere(const char *name)
{
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++)
        if (strcmp(elsewhere[i], name) == 0)
            return true;
    return false;
}

/* The body of a row: as it stands, or of a size and made here. */
static char *make_body(const json_t *row, const json_t *good, size_t *size)
{
    const char *text = vector_string(row, "request_body");
    char *body;

    *size = strlen(text);
    if (strncmp(text, "<", 1) != 0) {
        char *replaced;

        body = malloc(*size + 1);
        assert_non_null(body);
        memcpy(body, text, *size + 1);
        replaced = strstr(body, "\xef\xbf\xbd"); /* what the transcript writes for a lone 0xff */
        if (replaced != NULL) {
            *replaced = '\xff';
            memmove(replaced + 1, replaced + 3, strlen(replaced + 3) + 1);
            *size -= 2;
        }
        return body;
    }
    *size = (size_t)strtoul(text + 1, NULL, 10);
    body = malloc(*size + 1);
    assert_non_null(body);
    memset(body, ' ', *size + 1);
    if (*size >= 2097152) { /* a good record with a payload that is not its own: "00" and blanks */
        const char *record = json_string_value(json_object_get(good, "request_body"));
        const char *hex = strstr(record, "\"raw_payload_hex\":\"") + 19;

        memcpy(body, record, (size_t)(hex - record));
        memcpy(body + (hex - record), "00\"}", 4);
    }
    return body;
}

static void compare(const json_t *row, const struct lab_reply *reply)
{
    const char *name = vector_string(row, "name"), *body = vector_string(row, "response_body");
    const struct difference *difference = difference_of(name);
    unsigned status = (unsigned)strtoul(vector_string(row, "response_head") + 9, NULL, 10);
    bool is_json = *body == '{';
    char expected[1024] = "";

    if (difference != NULL) {
        status = difference->status;
        is_json = difference->error != NULL && *difference->error != '\0';
        if (is_json)
            snprintf(expected, sizeof expected, "{\"status\":\"rejected\",\"error\":\"%s\"}",
                     difference->error);
    } else if (status == 422 && !is_json) {
        status = 400;
    } else if (is_json) {
        snprintf(expected, sizeof expected, "%s", body);
    }
    if (reply->status != status)
        fail_msg("%s: %u instead of %u: %s", name, reply->status, status, reply->body);
    if (is_json && strcmp(reply->body, expected) != 0)
        fail_msg("%s: %s instead of %s", name, reply->body, expected);
    if (difference == NULL && *body == '\0' && reply->body_size > 0)
        fail_msg("%s: a body: %s", name, reply->body);
    if (*body != '\0' && !is_json && status >= 400 && status != 505 &&
        strncmp(reply->body, "{\"status\":\"rejected\",\"error\":\"", 30) != 0)
        fail_msg("%s: not a rejection: %s", name, reply->body);
}

static void replay_row(const struct http_lab *lab, const json_t *row, const json_t *good)
{
    const char *head = vector_string(row, "request_head");
    struct lab_peer peer;
    struct lab_reply reply;
    size_t size;
    char *body = make_body(row, good, &size);

    if (strcmp(vector_string(row, "name"), "IPv6 client") == 0)
        lab_connect_ipv6(&peer, lab);
    else
        lab_connect(&peer, lab);
    lab_send(&peer, head, strlen(head));
    lab_send(&peer, "\r\n\r\n", 4);
    if (strstr(head, "expect: 100-continue") != NULL) {
        lab_read(&peer, &reply, true);
        assert_int_equal(reply.status, 100);
        lab_send(&peer, body, size);
        lab_read(&peer, &reply, true);
        assert_int_equal(reply.status, 422);
        assert_non_null(strstr(vector_string(row, "response_body"), reply.body));
    } else {
        lab_send(&peer, body, size);
        lab_read(&peer, &reply, strncmp(head, "HEAD", 4) != 0);
        compare(row, &reply);
    }
    lab_close(&peer);
    free(body);
}

static void register_demo_device(struct http_lab *lab)
{
    uint8_t seed[EDS_SEED_SIZE], public_key[EDS_PUBLIC_KEY_SIZE];
    struct eds_error err;

    memset(seed, 1, sizeof seed);
    eds_ed25519_public_key(public_key, seed);
    assert_int_equal(eds_registry_add_key(lab->registry, "lift-01", public_key, false, &err),
                     EDS_OK);
}

static void replay(void **state)
{
    json_t *rows = vector_load("peer/http_transcripts.json");
    const json_t *row, *good = NULL;
    size_t i, replayed = 0, skipped = 0, different = 0;
    struct http_lab lab;
    const char *server = "main";

    (void)state;
    json_array_foreach(rows, i, row)
    {
        if (strcmp(vector_string(row, "name"), "accepted") == 0)
            good = row;
    }
    assert_non_null(good);
    lab_start(&lab, &(struct eds_http_config){.address = NULL}, NULL);
    register_demo_device(&lab);
    json_array_foreach(rows, i, row)
    {
        const char *name = vector_string(row, "name");
        const json_t *other = json_object_get(row, "server");

        if (is_elsewhere(name)) {
            skipped++;
            continue;
        }
        if (strcmp(json_string_value(other), server) != 0) { /* the original's next server */
            server = json_string_value(other);
            lab_stop(&lab);
            if (strncmp(server, "bound to [::]", 13) == 0)
                lab_start(&lab, &(struct eds_http_config){.address = "[::]:0"}, "127.0.0.1,::1");
            else
                lab_start(&lab, &(struct eds_http_config){.address = NULL}, "10.0.0.1");
            register_demo_device(&lab);
        }
        replay_row(&lab, row, good);
        replayed++;
        different += difference_of(name) != NULL;
    }
    lab_stop(&lab);
    json_decref(rows);
    assert_int_equal(different, sizeof differences / sizeof differences[0]);
    assert_int_equal(skipped, sizeof elsewhere / sizeof elsewhere[0]);
    assert_int_equal(replayed, 80 - sizeof elsewhere / sizeof elsewhere[0]);
}

/* What the original's table has as bare bytes. */
static void bare_bytes(void **state)
{
    static const struct {
        const char *bytes;
        unsigned status;
        unsigned original;
    } rows[] = {
        {"GET /\r\n\r\n", 400, 400},
        {"POST /api/v1/ingest HTTP/1.1\r\nContent-Type: application/json\r\n"
         "Content-Length: 2\r\n\r\n{}",
         400, 422}, /* no Host: wrong by RFC 9112, 3.2; the original takes it */
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, 0},
        {"\x01\x02 /api/v1/ingest HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 400, 400},
    };
    struct http_lab lab;
    struct lab_peer peer;
    struct lab_reply reply;
    static char head[600000];
    size_t used;

    (void)state;
    lab_start(&lab, &(struct eds_http_config){.address = NULL}, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        lab_connect(&peer, &lab);
        lab_send(&peer, rows[i].bytes, strlen(rows[i].bytes));
        lab_read(&peer, &reply, true);
        if (reply.status != rows[i].status)
            fail_msg("%s: %u", rows[i].bytes, reply.status);
        lab_close(&peer);
    }

    used = (size_t)snprintf(head, sizeof head, "POST /api/v1/ingest HTTP/1.1\r\nHost: x\r\nX: ");
    memset(head + used, 'a', 500000);
    used += 500000;
    used += (size_t)snprintf(head + used, sizeof head - used, "\r\n\r\n");
    lab_connect(&peer, &lab);
    lab_send(&peer, head, used); /* may break off: the server does not read on */
    lab_read(&peer, &reply, true);
    assert_true(reply.status == 431 || reply.status == 0);
    lab_close(&peer);

    used = (size_t)snprintf(head, sizeof head, "POST /api/v1/ingest HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 2000; i++)
        used += (size_t)snprintf(head + used, sizeof head - used, "X-%d: y\r\n", i);
    used += (size_t)snprintf(head + used, sizeof head - used, "\r\n");
    lab_connect(&peer, &lab);
    lab_send(&peer, head, used);
    lab_read(&peer, &reply, true);
    assert_int_equal(reply.status, 431);
    lab_close(&peer);
    lab_stop(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(replay), cmocka_unit_test(bare_bytes)};

    return cmocka_run_group_tests_name("http_replay", tests, NULL, NULL);
}

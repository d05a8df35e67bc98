/* A server behind proxies: whose requests they are, who may say so, and that the
 * allowlist and the rates go by that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "transport/http_lab.h"

#define V2_HEAD        "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
#define V2(a, b, c, d) V2_HEAD a b c d "\xc6\x33\x64\x02\x13\x88\x01\xbb" /* 28 bytes */

static struct eds_netpolicy proxies;

static void start_behind(struct http_lab *lab, const char *trusted, const char *allowed,
                         enum eds_forwarded_kind kind)
{
    proxies.network_count = 0;
    assert_int_equal(eds_netpolicy_allow_list(&proxies, trusted, NULL), EDS_OK);
    lab_start(lab, &(struct eds_http_config){.trusted_proxies = &proxies, .forwarded_kind = kind},
              allowed);
}

/* Sends the device's next record, with bytes before the head and fields in it. */
static unsigned send_with(struct http_lab *lab, struct lab_device *device, const void *before,
                          size_t before_size, const char *fields, char words[1024])
{
    struct lab_device unsent = *device;
    struct lab_peer peer;
    struct lab_reply reply;
    char body[LAB_BODY_SIZE];
    size_t size = lab_envelope(device, body, sizeof body, 90);

    lab_connect(&peer, lab);
    lab_send(&peer, before, before_size);
    lab_print(&peer,
              "POST /api/v1/ingest HTTP/1.1\r\nHost: lab\r\nContent-Type: application/json\r\n%s"
              "Content-Length: %zu\r\n\r\n",
              fields, size);
    lab_send(&peer, body, size);
    lab_read(&peer, &reply, true);
    lab_close(&peer);
    snprintf(words, 1024, "%.1000s", reply.body);
    if (reply.status != 202)
        *device = unsent;
    return reply.status;
}

/* 203.0.113.0/24 may send, 127.0.0.1 is a proxy, and may not speak for itself. */
static void headers(void **state)
{
    static const struct {
        const char *name, *before;
        size_t size;
        const char *fields;
        unsigned status;
        const char *words;
    } rows[] = {
#define ROW(name, before, fields, status, words)                                                   \
    {name, before, sizeof(before) - 1, fields, status, words}
        ROW("neither", "", "", 403, "source 127.0.0.1 is not in the allowlist"),
        ROW("v2", V2("\xcb", "\0", "\x71", "\x07"), "", 202, "accepted"),
        ROW("v1", "PROXY TCP4 203.0.113.7 198.51.100.2 5000 443\r\n", "", 202, "accepted"),
        ROW("v2 of another", V2("\xc0", "\0", "\x02", "\x01"), "", 403,
            "source 192.0.2.1 is not in the allowlist"),
        ROW("v1 of another", "PROXY TCP4 192.0.2.1 198.51.100.2 5000 443\r\n", "", 403,
            "source 192.0.2.1 is not in the allowlist"),
        ROW("v2 of the proxy itself", "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", "", 403,
            "source 127.0.0.1 is not in the allowlist"),
        ROW("v2 of another who says more", V2("\xc0", "\0", "\x02", "\x01"),
            "X-Forwarded-For: 203.0.113.7\r\n", 403, "source 192.0.2.1 is not in the allowlist"),
        ROW("v2 twice", V2("\xcb", "\0", "\x71", "\x07") V2("\xcb", "\0", "\x71", "\x07"), "", 400,
            ""),
        ROW("a field", "", "X-Forwarded-For: 203.0.113.7\r\n", 202, "accepted"),
        ROW("a list", "", "X-Forwarded-For: 192.0.2.1, 203.0.113.7\r\n", 202, "accepted"),
        ROW("two fields", "", "X-Forwarded-For: 192.0.2.1\r\nx-forwarded-for: 203.0.113.7\r\n", 202,
            "accepted"),
        ROW("of another", "", "X-Forwarded-For: 203.0.113.7, 192.0.2.1\r\n", 403,
            "source 192.0.2.1 is not in the allowlist"),
        ROW("the other field", "", "Forwarded: for=203.0.113.7\r\n", 403,
            "source 127.0.0.1 is not in the allowlist"),
        ROW("no address", "", "X-Forwarded-For: 203.0.113.7, unknown\r\n", 400,
            "X-Forwarded-For has no address from its proxy"),
    };
    struct http_lab lab;
    struct lab_device device;

    (void)state;
    start_behind(&lab, "127.0.0.1", "203.0.113.0/24", EDS_FORWARDED_FOR);
    lab_device_make(&device, &lab, 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char words[1024];
        unsigned status =
            send_with(&lab, &device, rows[i].before, rows[i].size, rows[i].fields, words);

        if (status != rows[i].status || strstr(words, rows[i].words) == NULL)
            fail_msg("%s: %u %s", rows[i].name, status, words);
    }
    lab_stop(&lab);
}

/* Whoever is no proxy is himself, whatever he says. */
static void strangers(void **state)
{
    struct http_lab lab;
    struct lab_device device;
    char words[1024];

    (void)state;
    start_behind(&lab, "10.0.0.0/8", "127.0.0.1", EDS_FORWARDED_FOR);
    lab_device_make(&device, &lab, 1);
    assert_int_equal(send_with(&lab, &device, "", 0, "X-Forwarded-For: 192.0.2.1\r\n", words), 202);
    assert_int_equal(send_with(&lab, &device, V2("\xcb", "\0", "\x71", "\x07"), 28, "", words),
                     400);
    assert_int_equal(send_with(&lab, &device, "PROXY UNKNOWN\r\n", 15, "", words), 400);
    lab_stop(&lab);
    start_behind(&lab, "10.0.0.0/8", "10.0.0.0/8", EDS_FORWARDED_FOR);
    lab_device_make(&device, &lab, 1);
    assert_int_equal(send_with(&lab, &device, "", 0, "X-Forwarded-For: 10.0.0.1\r\n", words), 403);
    assert_non_null(strstr(words, "source 127.0.0.1 is not in the allowlist"));
    lab_stop(&lab);
}

/* Each request of a kept connection is its own sender's. */
static void one_connection(void **state)
{
    static const struct {
        const char *address;
        unsigned status;
    } rows[] = {{"203.0.113.7", 404}, {"203.0.113.8", 404}, {"192.0.2.1", 403}};
    struct http_lab lab;
    struct lab_peer peer;
    struct lab_reply reply;

    (void)state;
    start_behind(&lab, "127.0.0.1", "203.0.113.0/24", EDS_FORWARDED_RFC);
    lab_connect(&peer, &lab);
    for (size_t i = 0; i < 3; i++) {
        lab_print(&peer, "GET /x HTTP/1.1\r\nHost: lab\r\nForwarded: for=%s\r\n\r\n",
                  rows[i].address);
        lab_read(&peer, &reply, true);
        assert_int_equal(reply.status, rows[i].status);
    }
    lab_close(&peer);
    lab_stop(&lab);
}

/* A header in pieces, and one that never ends. */
static void slow_header(void **state)
{
    static const char header[] = "PROXY TCP4 203.0.113.7 198.51.100.2 5000 443\r\n";
    struct http_lab lab;
    struct lab_peer peer;
    struct lab_reply reply;

    (void)state;
    start_behind(&lab, "127.0.0.1", "203.0.113.0/24", EDS_FORWARDED_FOR);
    lab_connect(&peer, &lab);
    for (size_t i = 0; i < sizeof header - 1; i++) {
        lab_send(&peer, header + i, 1);
        if (i % 8 == 0)
            lab_rest(1);
    }
    lab_print(&peer, "GET /x HTTP/1.1\r\nHost: lab\r\n\r\n");
    lab_read(&peer, &reply, true);
    assert_int_equal(reply.status, 404);
    lab_close(&peer);
    lab_connect(&peer, &lab);
    lab_print(&peer, "PROXY TCP4 203.0.113.7 198.51.100.2 5000 443%080d", 0);
    assert_true(lab_closed(&peer, LAB_PATIENCE_MS));
    lab_close(&peer);
    lab_stop(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers),
        cmocka_unit_test(strangers),
        cmocka_unit_test(one_connection),
        cmocka_unit_test(slow_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

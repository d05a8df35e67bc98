/* The small parts: which heads are believed, which types are JSON, where a
 * server may listen, and when a line may be logged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "transport/http_head.h"
#include "transport/log_throttle.h"
#include "transport/socket_address.h"

static void content_types(void **state)
{
    static const struct {
        const char *text;
        bool is_json;
    } rows[] = {
        {"application/json", true},
        {"Application/JSON", true},
        {" application/json", true},
        {"application/json;charset=utf-8", true},
        {"application/json ; charset=utf-8", true},
        {"application/json;", true},
        {"application/vnd.x+json", true},
        {"application/vnd.x+JSON; v=1", true},
        {"application/json+json", true},
        {"", false},
        {"json", false},
        {"application", false},
        {"application/", false},
        {"application/jso", false},
        {"application/jsonx", false},
        {"application/xjson", false},
        {"application/+json", false},
        {"application/x-json", false},
        {"application/json+xml", false},
        {"application/json,text/plain", false},
        {"application/json charset=utf-8", false},
        {"application /json", false},
        {"text/json", false},
        {"xapplication/json", false},
        {"application/json\x80", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (eds_http_is_json(rows[i].text) != rows[i].is_json)
            fail_msg("'%s'", rows[i].text);
}

/* Each head is one field away from one that holds. */
static void framing(void **state)
{
    static const struct {
        const char *name;
        const char *fields[3][2]; /* beside a Host, but for 1.0 */
        bool is_http_1_0, is_trusted;
    } rows[] = {
        {"no body", {{"Accept", "a"}}, false, true},
        {"no host, 1.0", {{"Accept", "a"}}, true, true},
        {"a host, 1.0", {{"Host", "a"}}, true, true},
        {"two hosts", {{"Host", "a"}}, false, false},
        {"two hosts, 1.0", {{"Host", "a"}, {"Host", "a"}}, true, false},
        {"a tab in a value", {{"X", "a\tb"}}, false, true},
        {"a byte over 127 in a value", {{"X", "a\xa0"}}, false, true},
        {"a return in a value", {{"X", "a\rTransfer-Encoding: chunked"}}, false, false},
        {"a control character in a value", {{"X", "a\x01"}}, false, false},
        {"a DEL in a value", {{"X", "a\x7f"}}, false, false},
        {"a length", {{"Content-Length", "3"}}, false, true},
        {"a length, 1.0", {{"Content-Length", "3"}}, true, true},
        {"leading zeros", {{"Content-Length", "003"}}, false, true},
        {"chunks", {{"Transfer-Encoding", "chunked"}}, false, true},
        {"chunks in capitals", {{"transfer-encoding", "CHUNKED"}}, false, true},
        {"an odd but good name", {{"x!#$%&'*+-.^_`|~9", ""}}, false, true},
        {"chunks, 1.0", {{"Transfer-Encoding", "chunked"}}, true, false},
        {"two lengths", {{"Content-Length", "3"}, {"Content-Length", "3"}}, false, false},
        {"length and chunks",
         {{"Content-Length", "3"}, {"Transfer-Encoding", "chunked"}},
         false,
         false},
        {"chunks twice",
         {{"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}},
         false,
         false},
        {"another encoding", {{"Transfer-Encoding", "gzip"}}, false, false},
        {"two encodings", {{"Transfer-Encoding", "gzip, chunked"}}, false, false},
        {"an encoding and a tab", {{"Transfer-Encoding", "chunked\t"}}, false, false},
        {"identity", {{"Transfer-Encoding", "identity"}}, false, false},
        {"an empty length", {{"Content-Length", ""}}, false, false},
        {"a signed length", {{"Content-Length", "+3"}}, false, false},
        {"a list of lengths", {{"Content-Length", "3,3"}}, false, false},
        {"a length in hex", {{"Content-Length", "0x3"}}, false, false},
        {"a length of 2^64", {{"Content-Length", "18446744073709551616"}}, false, false},
        {"a space in a name", {{"Content-Length ", "3"}}, false, false},
        {"a space before a name", {{" Content-Length", "3"}}, false, false},
        {"no name", {{"", "3"}}, false, false},
        {"a byte over 127 in a name", {{"X\xff", "3"}}, false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct eds_http_head head = {.content_type = NULL};

        if (!rows[i].is_http_1_0)
            eds_http_head_take(&head, "Host", "lab");
        for (size_t j = 0; j < 3 && rows[i].fields[j][0] != NULL; j++)
            eds_http_head_take(&head, rows[i].fields[j][0], rows[i].fields[j][1]);
        if ((eds_http_head_fault(&head, rows[i].is_http_1_0) == NULL) != rows[i].is_trusted)
            fail_msg("%s", rows[i].name);
    }
}

static void head_values(void **state)
{
    struct eds_http_head head = {.content_type = NULL};

    (void)state;
    assert_string_equal(eds_http_head_fault(&head, false), "one Host field is required");
    eds_http_head_take(&head, "content-length", "2097153");
    eds_http_head_take(&head, "CONTENT-TYPE", "application/json");
    eds_http_head_take(&head, "Content-Type", "text/plain");
    eds_http_head_take(&head, "expect", "100-continue");
    assert_true(head.content_length == 2097153);
    assert_string_equal(head.content_type, "application/json");
    assert_true(head.expects_continue);
}

static void socket_addresses(void **state)
{
    static const struct {
        const char *text;
        const char *again; /* NULL: refused */
    } rows[] = {
        {"127.0.0.1:8080", "127.0.0.1:8080"},
        {"0.0.0.0:0", "0.0.0.0:0"},
        {"255.255.255.255:65535", "255.255.255.255:65535"},
        {"127.0.0.1:0080", "127.0.0.1:80"},
        {"[::]:8080", "[::]:8080"},
        {"[::1]:65535", "[::1]:65535"},
        {"[FE80::1%3]:80", "[fe80::1%3]:80"},
        {"[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]:80"},
        {"", NULL},
        {":8080", NULL},
        {"127.0.0.1", NULL},
        {"127.0.0.1:", NULL},
        {"127.0.0.1:65536", NULL},
        {"127.0.0.1:99999999999999999999", NULL},
        {"127.0.0.1:-1", NULL},
        {"127.0.0.1:+1", NULL},
        {"127.0.0.1: 1", NULL},
        {"127.0.0.1:80 ", NULL},
        {" 127.0.0.1:80", NULL},
        {"127.0.0:80", NULL},
        {"127.0.0.01:80", NULL},
        {"localhost:80", NULL},
        {"::1:80", NULL},
        {"::1", NULL},
        {"[::1]", NULL},
        {"[::1]:", NULL},
        {"[::1]80", NULL},
        {"[::1:80", NULL},
        {"[127.0.0.1]:80", NULL},
        {"[::1%]:80", NULL},
        {"[::1%eth0]:80", NULL},
        {"[::1%4294967296]:80", NULL},
        {"[]:80", NULL},
    };
    struct eds_socket_address address;
    struct eds_error err;
    char text[EDS_SOCKET_ADDRESS_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int32_t rc = eds_socket_address_parse(&address, rows[i].text, &err);

        if ((rc == EDS_OK) != (rows[i].again != NULL))
            fail_msg("'%s'", rows[i].text);
        if (rc == EDS_OK) {
            eds_socket_address_text(text, &address);
            assert_string_equal(text, rows[i].again);
        } else {
            assert_int_equal(rc, EDS_ERR_USAGE);
            assert_string_equal(err.text, "invalid socket address syntax");
        }
    }
}

static void peers(void **state)
{
    struct eds_socket_address address;
    struct eds_address peer;
    struct sockaddr other = {.sa_family = AF_UNIX};
    char text[EDS_ADDRESS_TEXT_SIZE];

    (void)state;
    assert_int_equal(eds_socket_address_parse(&address, "[::ffff:10.1.2.3]:9", NULL), EDS_OK);
    assert_true(eds_socket_address_peer(&peer, (struct sockaddr *)&address.storage));
    eds_address_text(text, &peer);
    assert_string_equal(text, "10.1.2.3");
    assert_int_equal(eds_socket_address_parse(&address, "[fd00::1]:9", NULL), EDS_OK);
    assert_true(eds_socket_address_peer(&peer, (struct sockaddr *)&address.storage));
    eds_address_text(text, &peer);
    assert_string_equal(text, "fd00::1");
    assert_false(eds_socket_address_peer(&peer, &other));
}

static void throttle(void **state)
{
    struct eds_log_throttle throttle;
    uint64_t suppressed = 99;

    (void)state;
    eds_log_throttle_init(&throttle, 2);
    assert_true(eds_log_throttle_pass(&throttle, 5000, &suppressed));
    assert_true(suppressed == 0);
    assert_true(eds_log_throttle_pass(&throttle, 5999, &suppressed));
    for (int i = 0; i < 7; i++)
        assert_false(eds_log_throttle_pass(&throttle, 5999, &suppressed));
    assert_true(eds_log_throttle_pass(&throttle, 6000, &suppressed));
    assert_true(suppressed == 7);
    assert_true(eds_log_throttle_pass(&throttle, 6000, &suppressed));
    assert_true(suppressed == 0);
    eds_log_throttle_destroy(&throttle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_types), cmocka_unit_test(framing),
        cmocka_unit_test(head_values),   cmocka_unit_test(socket_addresses),
        cmocka_unit_test(peers),         cmocka_unit_test(throttle),
    };

    return cmocka_run_group_tests_name("http_head", tests, NULL, NULL);
}

/* test_http_filter.c - heads and chunks, each row one edit away from what is let
 * through, and all of them in pieces of any size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transport/http_filter.h"

#define LINE    "POST /x HTTP/1.1\r\n"
#define HOST    "Host: a\r\n"
#define CHUNKED LINE HOST "Transfer-Encoding: chunked\r\n\r\n"
#define FAULT   "GET / HTTP/1.1\r\nHost: fault\r\n\r\n"

struct result {
    char *out;
    size_t size;
    struct http_filter filter;
};

/* Lets in through, piece bytes at a time. */
static struct result run(const char *in, size_t size, size_t piece)
{
    struct result result = {.out = calloc(1, 2 * size + 4096)};
    char *held = malloc(HTTP_FILTER_ROOM);
    size_t held_size = 0, used;

    assert_true(result.out != NULL && held != NULL);
    http_filter_init(&result.filter);
    for (size_t at = 0; at <= size;) {
        size_t more = size - at < piece ? size - at : piece;

        memcpy(held + held_size, in + at, more);
        held_size += more;
        at += more;
        result.size += http_filter_run(&result.filter, held, held_size, &used,
                                       result.out + result.size, 2 * size + 4095 - result.size);
        held_size -= used;
        memmove(held, held + used, held_size);
        if (more == 0)
            break;
    }
    free(held);
    return result;
}

/* What comes out, whatever the pieces; NULL: the same as went in. */
static void expect(const char *name, const char *in, size_t size, const char *out, unsigned status)
{
    static const size_t pieces[] = {4096, 1, 7, 100};

    if (out == NULL)
        out = in;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct result result = run(in, size, pieces[i]);

        if (strcmp(result.out, out) != 0 || result.filter.fault_status != status)
            fail_msg("%s, in pieces of %zu: %u: %s", name, pieces[i], result.filter.fault_status,
                     result.out);
        free(result.out);
    }
}

#define ROW(name, in, out, status)                                                                 \
    {                                                                                              \
        name, in, sizeof(in) - 1, out, status                                                      \
    }

static const struct {
    const char *name, *in;
    size_t size;
    const char *out;
    unsigned status;
} rows[] = {
    ROW("no body", LINE HOST "\r\n", NULL, 0),
    ROW("a body", LINE HOST "Content-Length: 3\r\n\r\nabc", NULL, 0),
    ROW("two requests", LINE HOST "Content-Length: 3\r\n\r\nabc" LINE HOST "\r\n", NULL, 0),
    ROW("a body like a request", LINE HOST "Content-Length: 18\r\n\r\n" LINE, NULL, 0),
    ROW("HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", NULL, 0),
    ROW("a length of 0", LINE HOST "Content-Length: 0\r\n\r\n" LINE HOST "\r\n", NULL, 0),
    ROW("zeros in front", LINE HOST "Content-Length: 003\r\n\r\nabc", NULL, 0),
    ROW("bytes above ASCII", LINE HOST "X: \xc3\xa9\xff\r\n\r\n", NULL, 0),
    ROW("an empty line before", "\r\n" LINE HOST "\r\n", LINE HOST "\r\n", 0),
    ROW("not the whole head", LINE HOST, "", 0),

    ROW("no Host", LINE "\r\n", FAULT, 400),
    ROW("two Hosts", LINE HOST HOST "\r\n", FAULT, 400),
    ROW("two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\n" HOST HOST "\r\n", FAULT, 400),
    ROW("LF alone", LINE "Host: a\n\r\n", FAULT, 400),
    ROW("CR alone", LINE "Host: a\rb\r\n\r\n", FAULT, 400),
    ROW("CR CR LF", LINE "Host: a\r\r\n\r\n", FAULT, 400),
    ROW("NUL", LINE "Host: a\0b\r\n\r\n", FAULT, 400),
    ROW("DEL", LINE "Host: a\x7f\r\n\r\n", FAULT, 400),
    ROW("folded", LINE HOST " b\r\n\r\n", FAULT, 400),
    ROW("a name with a space", LINE "Host : a\r\n\r\n", FAULT, 400),
    ROW("a name above ASCII", LINE HOST "X\xc3\xa9: a\r\n\r\n", FAULT, 400),
    ROW("no name", LINE HOST ": a\r\n\r\n", FAULT, 400),
    ROW("no colon", LINE HOST "X\r\n\r\n", FAULT, 400),
    ROW("no length", LINE HOST "Content-Length:\r\n\r\n", FAULT, 400),
    ROW("a length with a sign", LINE HOST "Content-Length: +3\r\n\r\nabc", FAULT, 400),
    ROW("a length in hex", LINE HOST "Content-Length: 0x3\r\n\r\nabc", FAULT, 400),
    ROW("two lengths in one", LINE HOST "Content-Length: 3, 3\r\n\r\nabc", FAULT, 400),
    ROW("the same length twice", LINE HOST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        FAULT, 400),
    ROW("a length of 20 digits", LINE HOST "Content-Length: 18446744073709551616\r\n\r\n", FAULT,
        413),
    ROW("a length and chunks",
        LINE HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", FAULT, 400),
    ROW("gzip, chunked", LINE HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", FAULT, 400),
    ROW("identity", LINE HOST "Transfer-Encoding: identity\r\n\r\n", FAULT, 400),
    ROW("chunks in HTTP/1.0", "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", FAULT, 400),
    ROW("no method", " /x HTTP/1.1\r\n" HOST "\r\n", FAULT, 400),
    ROW("a method that is no token", "PO(ST /x HTTP/1.1\r\n" HOST "\r\n", FAULT, 400),
    ROW("no target", "POST HTTP/1.1\r\n" HOST "\r\n", FAULT, 400),
    ROW("two spaces", "POST  /x HTTP/1.1\r\n" HOST "\r\n", FAULT, 400),
    ROW("a space in the target", "POST /x y HTTP/1.1\r\n" HOST "\r\n", FAULT, 400),
    ROW("a target above ASCII", "POST /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", FAULT, 400),
    ROW("a tab in the target", "POST /x\ty HTTP/1.1\r\n" HOST "\r\n", FAULT, 400),
    ROW("no version", "POST /x\r\n" HOST "\r\n", FAULT, 400),
    ROW("a version in small letters", "POST /x http/1.1\r\n" HOST "\r\n", FAULT, 400),
    ROW("HTTP/1.2", "POST /x HTTP/1.2\r\n" HOST "\r\n", FAULT, 505),
    ROW("HTTP/2.0", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", FAULT, 505),
    ROW("TLS", "\x16\x03\x01\x02\0\1\0\1\xfc\3\3", FAULT, 400),
    ROW("nothing but empty lines", "\r\n\r\n\r\n\r\n\r\n\r\n" LINE HOST "\r\n", FAULT, 400),
    ROW("what follows a fault", LINE "\r\n" LINE HOST "\r\n", FAULT, 400),

    ROW("chunks", CHUNKED "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", NULL, 0),
    ROW("a request behind chunks", CHUNKED "3\r\nabc\r\n0\r\n\r\n" LINE HOST "\r\n", NULL, 0),
    ROW("zeros before a size", CHUNKED "00003\r\nabc\r\n000\r\n\r\n",
        CHUNKED "3\r\nabc\r\n0\r\n\r\n", 0),
    ROW("a size without digits", CHUNKED "\r\nabc", CHUNKED "0\r\n\r\n", 400),
    ROW("a size with a sign", CHUNKED "+3\r\nabc", CHUNKED "0\r\n\r\n", 400),
    ROW("a size with 0x", CHUNKED "0x3\r\nabc", CHUNKED "0\r\n\r\n", 400),
    ROW("a size with a space", CHUNKED "3 \r\nabc", CHUNKED "0\r\n\r\n", 400),
    ROW("an extension", CHUNKED "3;a=b\r\nabc", CHUNKED "0\r\n\r\n", 400),
    ROW("a size of 9 digits", CHUNKED "000000003\r\nabc", CHUNKED "0\r\n\r\n", 400),
    ROW("LF behind a size", CHUNKED "3\nabc", CHUNKED "0\r\n\r\n", 400),
    ROW("CR alone behind a size", CHUNKED "3\rXabc", CHUNKED "0\r\n\r\n", 400),
    ROW("a chunk too long", CHUNKED "3\r\nabcd\r\n", CHUNKED "3\r\nabc\r\n0\r\n\r\n", 400),
    ROW("a field behind the last", CHUNKED "0\r\nX: y\r\n\r\n", CHUNKED "0\r\n\r\n", 400),
    ROW("LF behind the last", CHUNKED "0\r\n\n", CHUNKED "0\r\n\r\n", 400),
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect(rows[i].name, rows[i].in, rows[i].size, rows[i].out, rows[i].status);
}

static void test_limits(void **state)
{
    static char head[2 * HTTP_HEAD_SIZE_MAX];
    size_t size;

    (void)state;
    for (size_t total = HTTP_HEAD_SIZE_MAX - 1; total <= HTTP_HEAD_SIZE_MAX + 1; total++) {
        size = (size_t)snprintf(head, sizeof head, LINE HOST "X: ");
        memset(head + size, 'a', total - 4 - size);
        memcpy(head + total - 4, "\r\n\r\n", 5);
        expect("size", head, total, total > HTTP_HEAD_SIZE_MAX ? FAULT : NULL,
               total > HTTP_HEAD_SIZE_MAX ? 431 : 0);
    }
    for (unsigned fields = HTTP_FIELDS_MAX; fields <= HTTP_FIELDS_MAX + 1; fields++) {
        size = (size_t)snprintf(head, sizeof head, LINE HOST);
        for (unsigned i = 1; i < fields; i++)
            size += (size_t)snprintf(head + size, sizeof head - size, "X%u: y\r\n", i);
        size += (size_t)snprintf(head + size, sizeof head - size, "\r\n");
        expect("fields", head, size, fields > HTTP_FIELDS_MAX ? FAULT : NULL,
               fields > HTTP_FIELDS_MAX ? 431 : 0);
    }
}

/* Whose answer the fault's is. */
static void test_counting(void **state)
{
    static const char in[] = LINE HOST "\r\n" LINE HOST "\r\n" LINE "\r\n";
    static const char chunks[] = LINE HOST "\r\n" CHUNKED "x";
    struct result result = run(in, sizeof in - 1, 4096);

    (void)state;
    assert_int_equal(result.filter.head_count, 3);
    assert_true(result.filter.is_fault_in_head);
    free(result.out);
    result = run(chunks, sizeof chunks - 1, 4096);
    assert_int_equal(result.filter.head_count, 2);
    assert_int_equal(result.filter.fault_status, 400);
    assert_false(result.filter.is_fault_in_head);
    free(result.out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_limits),
                                       cmocka_unit_test(test_counting)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

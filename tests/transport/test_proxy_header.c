/* test_proxy_header.c - headers of the PROXY protocol: those of its specification, and
 * rows that are each one edit away from a good one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "transport/proxy_header.h"

#define SIG     "\r\n\r\n\0\r\nQUIT\n"
#define V4      "\xc0\x00\x02\x01\xc6\x33\x64\x02\x13\x88\x01\xbb"
#define V6_ADDR "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define V6      V6_ADDR V6_ADDR "\x13\x88\x01\xbb"
#define MAPPED  "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x01"
#define TEXT4   "TCP4 192.0.2.1 198.51.100.2 5000 443\r\n"

#define ROW(name, bytes, verdict, address)                                                         \
    {                                                                                              \
        name, bytes, sizeof(bytes) - 1, verdict, address                                           \
    }

static const struct {
    const char *name, *bytes;
    size_t size;
    enum eds_proxy_header verdict;
    const char *address;
} rows[] = {
    ROW("v2, IPv4", SIG "\x21\x11\0\x0c" V4, EDS_PROXY_SOURCE, "192.0.2.1"),
    ROW("v2, datagrams", SIG "\x21\x12\0\x0c" V4, EDS_PROXY_SOURCE, "192.0.2.1"),
    ROW("v2, IPv6", SIG "\x21\x21\0\x24" V6, EDS_PROXY_SOURCE, "2001:db8::1"),
    ROW("v2, mapped", SIG "\x21\x21\0\x24" MAPPED MAPPED "\0\1\0\2", EDS_PROXY_SOURCE, "192.0.2.1"),
    ROW("v2, more besides", SIG "\x21\x11\0\x13" V4 "\x04\0\4abcd", EDS_PROXY_SOURCE, "192.0.2.1"),
    ROW("v2, local", SIG "\x20\0\0\0", EDS_PROXY_LOCAL, ""),
    ROW("v2, local with an address", SIG "\x20\x11\0\x0c" V4, EDS_PROXY_LOCAL, ""),
    ROW("v2, unspecified", SIG "\x21\0\0\0", EDS_PROXY_LOCAL, ""),
    ROW("v2, other version", SIG "\x11\x11\0\x0c" V4, EDS_PROXY_MALFORMED, ""),
    ROW("v2, other command", SIG "\x22\x11\0\x0c" V4, EDS_PROXY_MALFORMED, ""),
    ROW("v2, other family", SIG "\x21\x41\0\x0c" V4, EDS_PROXY_MALFORMED, ""),
    ROW("v2, other protocol", SIG "\x21\x13\0\x0c" V4, EDS_PROXY_MALFORMED, ""),
    ROW("v2, too short for IPv4", SIG "\x21\x11\0\x0b" V4, EDS_PROXY_MALFORMED, ""),
    ROW("v2, too short for IPv6", SIG "\x21\x21\0\x23" V6, EDS_PROXY_MALFORMED, ""),
    ROW("v2, too long", SIG "\x21\x11\x07\xf1" V4, EDS_PROXY_MALFORMED, ""),
    ROW("v2, other signature", "\r\n\r\n\0\r\nQUIT\r\x21\x11\0\x0c" V4, EDS_PROXY_NONE, ""),
    ROW("v1, IPv4", "PROXY " TEXT4, EDS_PROXY_SOURCE, "192.0.2.1"),
    ROW("v1, IPv6", "PROXY TCP6 2001:db8::1 2001:db8::2 5000 443\r\n", EDS_PROXY_SOURCE,
        "2001:db8::1"),
    ROW("v1, unknown", "PROXY UNKNOWN\r\n", EDS_PROXY_LOCAL, ""),
    ROW("v1, unknown and more", "PROXY UNKNOWN ff:f 65535 x\r\n", EDS_PROXY_LOCAL, ""),
    ROW("v1, LF alone", "PROXY TCP4 192.0.2.1 198.51.100.2 5000 443\n", EDS_PROXY_MALFORMED, ""),
    ROW("v1, two spaces", "PROXY  " TEXT4, EDS_PROXY_MALFORMED, ""),
    ROW("v1, IPv6 as IPv4", "PROXY TCP4 2001:db8::1 198.51.100.2 5000 443\r\n", EDS_PROXY_MALFORMED,
        ""),
    ROW("v1, IPv4 as IPv6", "PROXY TCP6 192.0.2.1 2001:db8::2 5000 443\r\n", EDS_PROXY_MALFORMED,
        ""),
    ROW("v1, no address", "PROXY TCP4 192.0.2 198.51.100.2 5000 443\r\n", EDS_PROXY_MALFORMED, ""),
    ROW("v1, zero in front", "PROXY TCP4 192.0.2.1 198.51.100.2 05000 443\r\n", EDS_PROXY_MALFORMED,
        ""),
    ROW("v1, port too large", "PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n",
        EDS_PROXY_MALFORMED, ""),
    ROW("v1, a word too few", "PROXY TCP4 192.0.2.1 198.51.100.2 5000\r\n", EDS_PROXY_MALFORMED,
        ""),
    ROW("v1, a word too many", "PROXY TCP4 192.0.2.1 198.51.100.2 5000 443 1\r\n",
        EDS_PROXY_MALFORMED, ""),
    ROW("v1, a space at the end", "PROXY TCP4 192.0.2.1 198.51.100.2 5000 443 \r\n",
        EDS_PROXY_MALFORMED, ""),
    ROW("v1, other family", "PROXY UDP4 192.0.2.1 198.51.100.2 5000 443\r\n", EDS_PROXY_MALFORMED,
        ""),
    ROW("v1, small letters", "proxy " TEXT4, EDS_PROXY_NONE, ""),
    ROW("HTTP", "POST /api/v1/ingest HTTP/1.1\r\n\r\n", EDS_PROXY_NONE, ""),
    ROW("HTTP that begins alike", "PROPFIND / HTTP/1.1\r\n\r\n", EDS_PROXY_NONE, ""),
    ROW("TLS", "\x16\x03\x01\x02\x00\x01\x00\x01", EDS_PROXY_NONE, ""),
};

/* As it stands, with bytes behind it, and never decided otherwise by less of it. */
static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool is_header = rows[i].verdict == EDS_PROXY_SOURCE || rows[i].verdict == EDS_PROXY_LOCAL;
        struct eds_address source;
        char text[EDS_ADDRESS_TEXT_SIZE], more[512];
        size_t used;

        if (eds_proxy_header_read(&source, rows[i].bytes, rows[i].size, &used) != rows[i].verdict)
            fail_msg("%s", rows[i].name);
        assert_int_equal(used, is_header ? rows[i].size : 0);
        if (rows[i].verdict == EDS_PROXY_SOURCE) {
            eds_address_text(text, &source);
            assert_string_equal(text, rows[i].address);
        }
        memcpy(more, rows[i].bytes, rows[i].size);
        memcpy(more + rows[i].size, "\r\nGET", 5);
        assert_int_equal(eds_proxy_header_read(&source, more, rows[i].size + 5, &used),
                         rows[i].verdict);
        assert_int_equal(used, is_header ? rows[i].size : 0);
        for (size_t cut = 0; cut < rows[i].size; cut++) {
            enum eds_proxy_header part = eds_proxy_header_read(&source, rows[i].bytes, cut, &used);

            if (part != EDS_PROXY_PART && (is_header || part != rows[i].verdict))
                fail_msg("%s after %zu bytes: %d", rows[i].name, cut, (int)part);
        }
    }
}

/* A text line has 107 bytes at most. */
static void test_longest_line(void **state)
{
    char line[200] = "PROXY UNKNOWN ";
    struct eds_address source;
    size_t used;

    (void)state;
    memset(line + 14, 'f', sizeof line - 14);
    memcpy(line + 105, "\r\n", 2);
    assert_int_equal(eds_proxy_header_read(&source, line, 107, &used), EDS_PROXY_LOCAL);
    assert_int_equal(used, 107);
    memcpy(line + 105, "f\r\n", 3);
    assert_int_equal(eds_proxy_header_read(&source, line, 106, &used), EDS_PROXY_PART);
    assert_int_equal(eds_proxy_header_read(&source, line, 107, &used), EDS_PROXY_MALFORMED);
    assert_int_equal(eds_proxy_header_read(&source, line, 108, &used), EDS_PROXY_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows),
                                       cmocka_unit_test(test_longest_line)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

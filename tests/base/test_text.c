/* Texts in fixed buffers: all of a piece or nothing, and never past the end. */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/port.h"
#include "base/wipe.h"

static void test_pieces(void **state)
{
    static const uint8_t bytes[3] = {0x00, 0x9f, 0xff};
    struct eds_text text;
    char out[64];

    (void)state;
    eds_text_begin(&text, out, sizeof out);
    assert_string_equal(out, "");
    eds_text_string(&text, "a");
    eds_text_char(&text, 'b');
    eds_text_bytes(&text, "cde", 2);
    eds_text_spaces(&text, 3);
    eds_text_u64(&text, 0);
    eds_text_char(&text, ' ');
    eds_text_u64(&text, UINT64_MAX);
    eds_text_char(&text, ' ');
    eds_text_hex(&text, bytes, sizeof bytes);
    assert_string_equal(out, "abcd   0 18446744073709551615 009fff");
    assert_int_equal(eds_text_end(&text), strlen(out));
}

static void test_numbers(void **state)
{
    (void)state;
    for (uint64_t number = 1, step = 0; step < 20; step++, number *= 10)
        for (unsigned less = 0; less < 2; less++) {
            struct eds_text text;
            char out[32], expected[32];

            snprintf(expected, sizeof expected, "%llu", (unsigned long long)(number - less));
            eds_text_begin(&text, out, sizeof out);
            eds_text_u64(&text, number - less);
            assert_string_equal(out, expected);
        }
}

/* Each kind of piece, 4 characters long, into every size of buffer. */
static void append(struct eds_text *text, unsigned kind)
{
    static const uint8_t bytes[2] = {0x12, 0x34};

    if (kind == 0)
        eds_text_string(text, "1234");
    else if (kind == 1)
        eds_text_bytes(text, "1234", 4);
    else if (kind == 2)
        eds_text_u64(text, 1234);
    else
        eds_text_hex(text, bytes, sizeof bytes);
}

static void test_every_buffer_size(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++)
        for (size_t size = 1; size <= 10; size++) {
            struct eds_text text;
            char out[16];

            memset(out, '#', sizeof out);
            eds_text_begin(&text, out, size);
            append(&text, kind);
            append(&text, kind);
            assert_string_equal(out, size >= 9 ? "12341234" : size >= 5 ? "1234" : "");
            assert_int_equal(eds_text_end(&text), size >= 9 ? 8 : 0);
            for (size_t i = size; i < sizeof out; i++)
                assert_int_equal(out[i], '#');
            eds_text_begin(&text, out, size); /* full is over with a new text */
            assert_false(text.full);
        }
}

/* After a piece was dropped a shorter one may not slip in behind the gap. */
static void test_no_gap(void **state)
{
    struct eds_text text;
    char out[4];

    (void)state;
    eds_text_begin(&text, out, sizeof out);
    eds_text_string(&text, "ab");
    eds_text_string(&text, "cd");
    eds_text_char(&text, 'e');
    eds_text_hex(&text, "", 0);
    assert_string_equal(out, "ab");
    assert_true(text.full);
}

static void test_wipe(void **state)
{
    uint8_t secret[40];

    (void)state;
    memset(secret, 0x5a, sizeof secret);
    eds_wipe(secret + 1, 38);
    assert_int_equal(secret[0], 0x5a);
    assert_int_equal(secret[39], 0x5a);
    for (unsigned i = 1; i < 39; i++)
        assert_int_equal(secret[i], 0);
    eds_wipe(NULL, 0);
}

static void test_ports(void **state)
{
    uint8_t first[64] = {0}, second[64] = {0};
    unsigned zeros = 0;

    (void)state;
    assert_int_equal(eds_port_random(first, sizeof first), 0);
    assert_int_equal(eds_port_random(second, sizeof second), 0);
    assert_memory_not_equal(first, second, sizeof first);
    for (unsigned i = 0; i < sizeof first; i++)
        zeros += first[i] == 0;
    assert_true(zeros < 16); /* all of it was filled */
    assert_int_equal(eds_port_random(NULL, 0), 0);
    assert_true(eds_port_time_ms() > 1700000000000u); /* after 2023, in milliseconds */
    assert_true(eds_port_time_ms() < 4102444800000u); /* and before 2100 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_every_buffer_size),
        cmocka_unit_test(test_no_gap),
        cmocka_unit_test(test_wipe),
        cmocka_unit_test(test_ports),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_address.c - addresses as text: exactly what Rust's IpAddr takes, and
 * written as it writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "ingest/netpolicy.h"
#include "support/dice.h"
#include "support/vectors.h"

/* Compares one text with the bytes that Rust reads in it; NULL: it refuses. */
static void expect_bytes(const char *text, const char *digits)
{
    struct eds_address address;
    struct eds_error err;
    uint8_t bytes[16];
    size_t size;
    int32_t rc = eds_address_parse(&address, text, strlen(text), &err);

    if (digits == NULL) {
        char expected[EDS_ERROR_TEXT_SIZE];

        snprintf(expected, sizeof expected, "invalid IP '%s': invalid IP address syntax", text);
        if (rc != EDS_ERR_MALFORMED)
            fail_msg("'%s' was taken", text);
        assert_string_equal(err.text, expected);
        return;
    }
    if (rc != EDS_OK)
        fail_msg("'%s' was refused", text);
    size = hex_bytes(bytes, sizeof bytes, digits);
    assert_int_equal(size, address.is_v6 ? 16 : 4);
    assert_memory_equal(address.bytes, bytes, size);
}

static void test_rust_own_tests(void **state)
{
    json_t *rows = vector_load("ip-cidr/rust-std-parse.json"), *row;
    size_t i;

    (void)state;
    assert_int_equal(json_array_size(rows), 19);
    json_array_foreach(rows, i, row)
        expect_bytes(vector_string(row, "in"), json_string_value(json_object_get(row, "bytes")));
    json_decref(rows);
}

static void test_rust_verdicts(void **state)
{
    json_t *rows = vector_load("ip-cidr/rust-verdicts.json"), *row;
    size_t i, taken = 0;

    (void)state;
    json_array_foreach(rows, i, row)
    {
        const char *in = vector_string(row, "in");
        const char *digits = json_string_value(json_object_get(row, "bytes"));

        expect_bytes(in, digits);
        if (digits != NULL) {
            struct eds_address address;
            char text[EDS_ADDRESS_TEXT_SIZE];

            taken++;
            assert_int_equal(eds_address_parse(&address, in, strlen(in), NULL), EDS_OK);
            eds_address_text(text, &address);
            assert_string_equal(text, vector_string(row, "text"));
        }
    }
    assert_true(taken > 500 && i - taken > 500);
    json_decref(rows);
}

/* Rust's rules on top of those of the lists, each one edit away from valid. */
static void test_edges(void **state)
{
    static const struct {
        const char *text, *digits;
    } rows[] = {
        {"1.2.3.4", "01020304"},
        {"1.2.3.04", NULL},
        {"1.2.3.0", "01020300"},
        {"1.2.3.00", NULL},
        {"1.2.3.255", "010203ff"},
        {"1.2.3.256", NULL},
        {"1.2.3.0255", NULL},
        {"1.2.3.4 ", NULL},
        {" 1.2.3.4", NULL},
        {"+1.2.3.4", NULL},
        {"1.2.3", NULL},
        {"1.2.3.4.", NULL},
        {"1.2.3.4:80", NULL},
        {"0x1.2.3.4", NULL},
        {"1:2:3:4:5:6:7:8", "00010002000300040005000600070008"},
        {"1:2:3:4:5:6:7:00008", NULL},
        {"1:2:3:4:5:6:7:0008", "00010002000300040005000600070008"},
        {"1:2:3:4:5:6:7", NULL},
        {"1:2:3:4:5:6:7::", "00010002000300040005000600070000"},
        {"::2:3:4:5:6:7:8", "00000002000300040005000600070008"},
        {"1::2:3:4:5:6:7:8", NULL},
        {"1:2:3:4:5:6:7:8::", NULL},
        {"1:2:3:4:5:6:7:8:", NULL},
        {":1:2:3:4:5:6:7", NULL},
        {":::", NULL},
        {"1:::2", NULL},
        {"1::2::3", NULL},
        {"::1.2.3.4", "00000000000000000000000001020304"},
        {"::1.2.3.04", NULL},
        {"1.2.3.4::", NULL},
        {"::1.2.3.4:5", NULL},
        {"1:2:3:4:5:6:1.2.3.4", "00010002000300040005000601020304"},
        {"1:2:3:4:5:6:7:1.2.3.4", NULL},
        {"1:2:3:4:5:1.2.3.4", NULL},
        {"1:2:3:4:5::1.2.3.4", "00010002000300040005000001020304"},
        {"1:2:3:4:5:6::1.2.3.4", NULL},
        {"fe80::1%eth0", NULL},
        {"[::1]", NULL},
        {"::g", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_bytes(rows[i].text, rows[i].digits);
}

static void test_size_is_respected(void **state)
{
    struct eds_address address;
    struct eds_error err;

    (void)state;
    assert_int_equal(eds_address_parse(&address, "1.2.3.45", 7, NULL), EDS_OK);
    assert_int_equal(address.bytes[3], 4);
    assert_int_equal(eds_address_parse(&address, "1.2.3.4\0", 8, NULL), EDS_ERR_MALFORMED);
    assert_int_equal(eds_address_parse(&address, "::1", 0, NULL), EDS_ERR_MALFORMED);
    /* What is not UTF-8 does not get into a message. */
    assert_int_equal(eds_address_parse(&address, "1.2.\xff", 5, &err), EDS_ERR_MALFORMED);
    assert_string_equal(err.text, "invalid IP '1.2.': invalid IP address syntax");
}

static void test_failure_leaves_out_alone(void **state)
{
    struct eds_address address = {true, {1, 2, 3}}, before = address;

    (void)state;
    assert_int_equal(eds_address_parse(&address, "9.9.9.x", 7, NULL), EDS_ERR_MALFORMED);
    assert_memory_equal(&address, &before, sizeof address);
}

static void test_unmap(void **state)
{
    static const struct {
        const char *from, *to;
    } rows[] = {
        {"::ffff:10.1.2.3", "10.1.2.3"},         {"::ffff:0:0", "0.0.0.0"},
        {"::fffe:10.1.2.3", "::fffe:a01:203"},   {"::10.1.2.3", "::a01:203"},
        {"1::ffff:10.1.2.3", "1::ffff:a01:203"}, {"10.1.2.3", "10.1.2.3"},
        {"0.0.255.255", "0.0.255.255"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct eds_address address;
        char text[EDS_ADDRESS_TEXT_SIZE];

        assert_int_equal(eds_address_parse(&address, rows[i].from, strlen(rows[i].from), NULL),
                         EDS_OK);
        eds_address_unmap(&address);
        eds_address_text(text, &address);
        assert_string_equal(text, rows[i].to);
    }
}

/* Random addresses with many zero groups: the system writes them the same way,
 * but for ::a.b.c.d, whose old form Rust and RFC 5952 don't use; and what is
 * written reads back. */
static void test_text_as_the_system_writes_it(void **state)
{
    struct dice dice;

    (void)state;
    dice_seed(&dice);
    for (unsigned i = 0; i < 20000; i++) {
        struct eds_address address = {.is_v6 = i % 8 != 0}, again;
        char text[EDS_ADDRESS_TEXT_SIZE], expected[EDS_ADDRESS_TEXT_SIZE];
        bool compatible = true;

        if (address.is_v6)
            for (unsigned g = 0; g < 8; g++)
                if (dice_below(&dice, 3) == 0)
                    dice_bytes(&dice, address.bytes + 2 * g, 1 + dice_below(&dice, 2));
        if (address.is_v6 && dice_below(&dice, 16) == 0)
            memcpy(address.bytes, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
        if (!address.is_v6)
            dice_bytes(&dice, address.bytes, 4);
        for (unsigned b = 0; b < 12; b++)
            compatible = compatible && address.bytes[b] == 0;
        eds_address_text(text, &address);
        assert_int_equal(eds_address_parse(&again, text, strlen(text), NULL), EDS_OK);
        assert_memory_equal(&again, &address, sizeof again);
        inet_ntop(address.is_v6 ? AF_INET6 : AF_INET, address.bytes, expected, sizeof expected);
#ifdef __GLIBC__ /* others have their own taste in zeros */
        if (!address.is_v6 || !compatible)
            assert_string_equal(text, expected);
#endif
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rust_own_tests),
        cmocka_unit_test(test_rust_verdicts),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_size_is_respected),
        cmocka_unit_test(test_failure_leaves_out_alone),
        cmocka_unit_test(test_unmap),
        cmocka_unit_test(test_text_as_the_system_writes_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

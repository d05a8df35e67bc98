/* Envelopes: the payload's hex is decoded in place, and its mistakes are told in
 * the original's words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sample.h"
#include "support/dice.h"

/* Writes an envelope with this text as its payload's string. */
static size_t write_envelope(char *out, size_t out_size, const char *hex, size_t hex_size)
{
    struct eds_entry entry;
    struct sample sample;
    size_t used;

    sample_entry(&entry, true);
    sample_encode(&sample, &entry, EDS_JSON_COMPACT);
    used = (size_t)snprintf(out, out_size, "{\"record\":%.*s,\"raw_payload_hex\":\"",
                            (int)sample.size, sample.text);
    assert_true(used + hex_size + 3 < out_size);
    memcpy(out + used, hex, hex_size);
    memcpy(out + used + hex_size, "\"}", 3);
    return used + hex_size + 2;
}

/* Decodes an exactly sized copy; the payload is copied out. */
static int32_t decode(const char *text, size_t size, struct eds_envelope *out, uint8_t *payload,
                      struct eds_error *err)
{
    char *copy = sample_exact(text, size);
    int32_t rc = eds_json_envelope_decode(out, copy, size, err);

    if (rc == EDS_OK && !out->payload_absent) {
        assert_in_range((uintptr_t)out->payload, (uintptr_t)copy, (uintptr_t)copy + size);
        memcpy(payload, out->payload, out->payload_size);
        out->payload = payload;
    }
    free(copy);
    return rc;
}

static void test_there_and_back(void **state)
{
    struct dice dice;
    struct eds_entry entry;
    static uint8_t payload[5000], back[5000];
    static char text[20000];

    (void)state;
    dice_seed(&dice);
    for (size_t size = 0; size < sizeof payload; size += 1 + size / 7) {
        struct eds_envelope envelope;
        struct eds_error err = {EDS_OK, ""};
        size_t text_size;

        dice_bytes(&dice, payload, size);
        sample_entry(&entry, size % 2 == 0);
        text_size =
            eds_json_envelope_encode(text, eds_json_envelope_size(size), &entry, payload, size);
        assert_true(text_size > 0 && text_size < eds_json_envelope_size(size));
        assert_int_equal(eds_json_envelope_encode(text, text_size, &entry, payload, size), 0);
        assert_int_equal(eds_json_envelope_encode(text, text_size + 1, &entry, payload, size),
                         text_size);
        if (decode(text, text_size, &envelope, back, &err) != EDS_OK)
            fail_msg("%s", err.text);
        assert_int_equal(envelope.payload_size, size);
        assert_memory_equal(back, payload, size);
        assert_entries_equal(&envelope.entry, &entry);
    }
    assert_int_equal(eds_json_envelope_size(SIZE_MAX), SIZE_MAX);
    assert_int_equal(eds_json_envelope_size(SIZE_MAX / 2), SIZE_MAX);
    assert_int_equal(eds_json_envelope_encode(text, sizeof text, &entry, payload, SIZE_MAX / 2 + 1),
                     0);
}

static void test_spelling(void **state)
{
    struct eds_entry entry;
    struct sample sample;
    char text[4096], expected[4096];
    size_t size;

    (void)state;
    sample_entry(&entry, false);
    sample_encode(&sample, &entry, EDS_JSON_COMPACT);
    snprintf(expected, sizeof expected, "{\"record\":%.*s,\"raw_payload_hex\":\"00ff7f\"}",
             (int)sample.size, sample.text);
    size = eds_json_envelope_encode(text, sizeof text, &entry, "\x00\xff\x7f", 3);
    assert_int_equal(size, strlen(expected));
    assert_string_equal(text, expected);
}

static const struct {
    const char *hex;
    const char *error; /* NULL: good, and the payload is "hello, record" */
} payloads[] = {
    {"68656c6c6f2c207265636f7264", NULL},
    {"68656C6C6F2C207265636F7264", NULL},
    {"\\u0036\\u0038656c6c6f2c207265636f7264", NULL},
    {"68656c6c6f2c207265636f726\\u0034", NULL},
    {"6\\u0038656c6c\\u0036f2c207265636f7264", NULL},
    {"z8656c6c6f2c207265636f7264", "invalid hex payload: Invalid character 'z' at position 0"},
    {"6z656c6c6f2c207265636f7264", "invalid hex payload: Invalid character 'z' at position 1"},
    {"68656c6c6f2c207265636f726z", "invalid hex payload: Invalid character 'z' at position 25"},
    {"68656c6c6f2c20z265636f72yz", "invalid hex payload: Invalid character 'z' at position 14"},
    {"68656c6c6f2c20 265636f7264", "invalid hex payload: Invalid character ' ' at position 14"},
    {"68\\\"", "invalid hex payload: Odd number of digits"},
    {"68\\\"0", "invalid hex payload: Invalid character '\"' at position 2"},
    {"68\\n0", "invalid hex payload: Invalid character '\\n' at position 2"},
    {"68\\u001f0", "invalid hex payload: Invalid character '\\u{1f}' at position 2"},
    {"68\xc3\xa9", "invalid hex payload: Invalid character '\xc3\x83' at position 2"},
    {"680\\u0439", "invalid hex payload: Odd number of digits"},
    {"680\\u04390", "invalid hex payload: Invalid character '\xc3\x90' at position 3"},
    {"6", "invalid hex payload: Odd number of digits"},
    {"z", "invalid hex payload: Odd number of digits"},
    {"68z", "invalid hex payload: Odd number of digits"},
    {"0x68", "invalid hex payload: Invalid character 'x' at position 1"},
    {"68\xff"
     "6",
     "raw_payload_hex: expected UTF-8, found byte 0xff at line 1 column 790 (byte 789)"},
    {"68\n6", "raw_payload_hex: expected an escaped control character, found byte 0x0a at line 1 "
              "column 790 (byte 789)"},
    {"6868686868\\x", "raw_payload_hex: expected one of \"\\/bfnrtu after the backslash, found 'x' "
                      "at line 1 column 799 (byte 798)"},
    {"68\\u0000",
     "raw_payload_hex: NUL is not allowed in a string at line 1 column 790 (byte 789)"},
};

static void test_payloads(void **state)
{
    char text[4096];
    uint8_t payload[64];

    (void)state;
    for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++) {
        struct eds_envelope envelope;
        struct eds_error err = {EDS_OK, ""};
        size_t size = write_envelope(text, sizeof text, payloads[i].hex, strlen(payloads[i].hex));
        int32_t rc = decode(text, size, &envelope, payload, &err);

        if (payloads[i].error == NULL) {
            if (rc != EDS_OK)
                fail_msg("%s: %s", payloads[i].hex, err.text);
            assert_int_equal(envelope.payload_size, 13);
            assert_memory_equal(payload, "hello, record", 13);
            continue;
        }
        assert_int_equal(rc, EDS_ERR_MALFORMED);
        assert_string_equal(err.text, payloads[i].error);
    }
}

/* Any byte at any place: a digit, or refused. */
static void test_every_digit(void **state)
{
    char text[4096];
    uint8_t payload[64];
    struct eds_envelope envelope;

    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t at = 0; at < 20; at++) {
            char hex[21] = "00112233445566778899";
            bool digit = byte != 0 && strchr("0123456789abcdefABCDEF", (int)byte) != NULL;
            size_t size;

            hex[at] = (char)byte;
            size = write_envelope(text, sizeof text, hex, 20);
            assert_int_equal(decode(text, size, &envelope, payload, NULL) == EDS_OK, digit);
        }
    }
}

static const struct {
    const char *text, *error;
} shapes[] = {
    {"{\"raw_payload_hex\":\"\"}",
     "envelope: missing field \"record\" at line 1 column 22 (byte 21)"},
    {"{\"raw_payload_hex\":\"\",\"raw_payload_hex\":\"\"}",
     "envelope: repeated field \"raw_payload_hex\" at line 1 column 23 (byte 22)"},
    {"{\"raw_payload_hex\":true}",
     "raw_payload_hex: expected a string of hex digits, found 't' at line 1 column 20 (byte 19)"},
    {"{\"raw_payload_hex\":nul}",
     "raw_payload_hex: expected true, false or null, found '}' at line 1 column 23 (byte 22)"},
    {"{\"raw_payload_hex\":null}",
     "envelope: missing field \"record\" at line 1 column 24 (byte 23)"},
    {"{\"record\":[]}", "record: expected an object, found '[' at line 1 column 11 (byte 10)"},
    {"{\"record\":{}}", "record: missing field \"device_id\" at line 1 column 12 (byte 11)"},
    {"{\"record\":{\"sequence\":x}}",
     "record.sequence: expected a whole number, found 'x' at line 1 column 23 (byte 22)"},
    {"{\"record\":{\"attest\":{\"key_id\":0}}}",
     "record.attest.key_id: expected a string, found '0' at line 1 column 31 (byte 30)"},
    {"{\"x\":1}", "envelope: unknown field \"x\" at line 1 column 2 (byte 1)"},
    {"[]", "envelope: expected an object, found '[' at line 1 column 1 (byte 0)"},
    /* The payload's bytes are line breaks by then, and count as none. */
    {"{\n\"raw_payload_hex\":\"0a0a0a0a\",\"x\":1}",
     "envelope: unknown field \"x\" at line 2 column 30 (byte 31)"},
    {"{\n\"raw_payload_hex\":\"0a0a0a0a\"\n,\n\"x\":1}",
     "envelope: unknown field \"x\" at line 4 column 1 (byte 33)"},
    {"{\"raw_payload_hex\":\"0a\\n\\n\\q",
     "raw_payload_hex: expected one of \"\\/bfnrtu after the backslash, found 'q' at line 1 column "
     "28 (byte 27)"},
};

static void test_shapes(void **state)
{
    uint8_t payload[64];

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct eds_envelope envelope, before;
        struct eds_error err = {EDS_OK, ""};

        memset(&envelope, 0x5a, sizeof envelope);
        before = envelope;
        assert_int_equal(decode(shapes[i].text, strlen(shapes[i].text), &envelope, payload, &err),
                         EDS_ERR_MALFORMED);
        assert_string_equal(err.text, shapes[i].error);
        assert_memory_equal(&envelope, &before, sizeof envelope);
    }
}

static void test_prefixes(void **state)
{
    char text[4096];
    uint8_t payload[64];
    size_t size = write_envelope(text, sizeof text, "00\\u0030f7f", 11);

    (void)state;
    for (size_t cut = 0; cut < size; cut++) {
        struct eds_envelope envelope;
        struct eds_error err = {EDS_OK, ""};

        if (decode(text, cut, &envelope, payload, &err) != EDS_ERR_TRUNCATED)
            fail_msg("%zu bytes: %s", cut, err.text);
    }
}

/* The payload may come first, with white space everywhere. */
static void test_payload_first(void **state)
{
    struct eds_entry entry;
    struct sample sample;
    struct eds_envelope envelope;
    struct eds_error err = {EDS_OK, ""};
    char text[8192];
    uint8_t payload[64];
    size_t size;

    (void)state;
    sample_entry(&entry, true);
    sample_encode(&sample, &entry, EDS_JSON_PRETTY);
    size = (size_t)snprintf(text, sizeof text,
                            " {\n \"raw_payload_hex\" :\t\"0A22\" , \"record\": %.*s\r\n} ",
                            (int)sample.size, sample.text);
    if (decode(text, size, &envelope, payload, &err) != EDS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(envelope.payload_size, 2);
    assert_memory_equal(payload, "\n\"", 2);
    assert_entries_equal(&envelope.entry, &entry);
}

/* null stands for a payload that is kept already, and for nothing else: the empty
 * payload is "". */
static void test_payload_absent(void **state)
{
    struct eds_entry entry;
    struct eds_envelope envelope;
    struct eds_error err = {EDS_OK, ""};
    char text[EDS_JSON_ENTRY_SIZE_MAX + 64];
    uint8_t payload[64];
    size_t size;

    (void)state;
    sample_entry(&entry, true);
    size = eds_json_envelope_encode_bare(text, sizeof text, &entry);
    assert_string_equal(text + size - 24, ",\"raw_payload_hex\":null}");
    assert_int_equal(eds_json_envelope_encode_bare(text, size, &entry), 0);
    assert_int_equal(eds_json_envelope_encode_bare(text, size + 1, &entry), size);
    if (decode(text, size, &envelope, payload, &err) != EDS_OK)
        fail_msg("%s", err.text);
    assert_true(envelope.payload_absent);
    assert_null(envelope.payload);
    assert_int_equal(envelope.payload_size, 0);
    assert_entries_equal(&envelope.entry, &entry);
    for (size_t cut = 0; cut < size; cut++)
        assert_int_equal(decode(text, cut, &envelope, payload, NULL), EDS_ERR_TRUNCATED);
    size = eds_json_envelope_encode(text, sizeof text, &entry, "", 0);
    assert_int_equal(decode(text, size, &envelope, payload, NULL), EDS_OK);
    assert_false(envelope.payload_absent);
    assert_non_null(envelope.payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_spelling),
        cmocka_unit_test(test_payloads),       cmocka_unit_test(test_every_digit),
        cmocka_unit_test(test_shapes),         cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_payload_first),  cmocka_unit_test(test_payload_absent),
    };

    return run_on_all_levels(tests);
}

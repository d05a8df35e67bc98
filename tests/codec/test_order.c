/* A signed order as JSON: each row is one edit away from a good one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "edgesentry/json.h"

#define SIGNATURE                                                                                  \
    "5050505050505050505050505050505050505050505050505050505050505050"                             \
    "5050505050505050505050505050505050505050505050505050505050505051"

static const char good[] =
    "{\"version\":1,\"device_id\":\"lift-01\",\"counter\":3,\"kind\":2,\"issued_ms\":1000,"
    "\"not_after_ms\":18446744073709551615,\"operator\":\"carol\",\"body\":\"a=1\\nb=\xc3\xbc\\n\","
    "\"nonce\":\"000102030405060708090a0b0c0d0e0f\",\"key_id\":\"d10eb78182bbf203\","
    "\"signature\":\"" SIGNATURE "\"}";

static void test_there_and_back(void **state)
{
    char text[EDS_JSON_SIGNED_ORDER_SIZE_MAX];
    struct eds_signed_order it;
    size_t size;

    (void)state;
    assert_int_equal(eds_json_signed_order_decode(&it, good, strlen(good), NULL), EDS_OK);
    assert_string_equal(it.order.device_id, "lift-01");
    assert_int_equal(it.order.counter, 3);
    assert_int_equal(it.order.kind, EDS_ORDER_CONFIG);
    assert_int_equal(it.order.issued_ms, 1000);
    assert_true(it.order.not_after_ms == UINT64_MAX);
    assert_string_equal(it.order.operator_name, "carol");
    assert_string_equal(it.order.body, "a=1\nb=\xc3\xbc\n");
    assert_int_equal(it.nonce[15], 15);
    assert_int_equal(it.key_id[0], 0xd1);
    assert_int_equal(it.signature[63], 0x51);
    size = eds_json_signed_order_encode(text, sizeof text, &it);
    assert_int_equal(size, strlen(good));
    assert_string_equal(text, good);
    assert_int_equal(eds_json_signed_order_encode(text, size, &it), 0);
}

/* The longest texts, of characters that take most. */
static void test_longest(void **state)
{
    static char text[EDS_JSON_SIGNED_ORDER_SIZE_MAX];
    struct eds_signed_order it = {.order = {.counter = UINT64_MAX,
                                            .kind = 255,
                                            .issued_ms = UINT64_MAX - 1,
                                            .not_after_ms = UINT64_MAX}},
                            again;
    char *at = it.order.body;
    size_t size;

    (void)state;
    memset(it.order.device_id, 1, 255);
    memset(it.order.operator_name, 1, 255);
    for (char key = 'a'; key <= 'd'; key++, at += 256) {
        memset(at, '"', 256);
        at[0] = key;
        at[1] = '=';
        at[255] = '\n';
    }
    size = eds_json_signed_order_encode(text, sizeof text, &it);
    assert_in_range(size, 4000, sizeof text - 1);
    assert_int_equal(eds_json_signed_order_decode(&again, text, size, NULL), EDS_OK);
    assert_memory_equal(&again, &it, sizeof it);
}

static const struct {
    const char *part, *text; /* the one is put in place of the other */
    const char *error;       /* NULL: still good */
} edits[] = {
    {"{", " { ", NULL},
    {"\"kind\":2", "\"kind\":255", NULL},
    {"\"kind\":2", "\"kind\":256", "command: kind must be 255 at most"},
    {"\"kind\":2", "\"kind\":1", "command: body must be empty"},
    {"\"kind\":2", "\"kind\":0", "command: kind must be 1 at least"},
    {"\"kind\":2", "\"kind\":\"config\"", "command.kind: "},
    {"\"version\":1", "\"version\":2", "command: version is none that this program knows"},
    {"\"version\":1,", "", "command: missing field \"version\""},
    {"\"counter\":3", "\"counter\":0", "command: counter must be 1 at least"},
    {"\"counter\":3", "\"counter\":-3", "command.counter: "},
    {"\"counter\":3", "\"counter\":3,\"counter\":3", "command: repeated field \"counter\""},
    {"\"counter\":3", "\"counter\":3,\"note\":3", "command: unknown field \"note\""},
    {"18446744073709551615", "18446744073709551616", "command.not_after_ms: "},
    {"18446744073709551615", "1000", "command: not_after_ms must be after issued_ms"},
    {"\"carol\"", "\"\"", "command: operator must not be empty"},
    {"lift", "\\u0000", "command.device_id: "},
    {"a=1\\n", "a=1\\na=1\\n", "command: body: keys stand in their order"},
    {"0001", "00", "command.nonce: expected 32 lower-case hex digits"},
    {"0e0f", "0e0F", "command.nonce: expected 32 lower-case hex digits"},
    {"d10e", "d1", "command.key_id: "},
    {"5051", "50515", "command.signature: "},
    {"\"}", "\"}}", "command: expected nothing after the value"},
};

static void test_edits(void **state)
{
    struct eds_signed_order out, untouched;
    struct eds_error err;
    char text[2 * sizeof good];

    (void)state;
    memset(&untouched, 0x5a, sizeof untouched);
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        const char *at = strstr(good, edits[i].part);
        int32_t rc;

        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, edits[i].text,
                 at + strlen(edits[i].part));
        out = untouched;
        rc = eds_json_signed_order_decode(&out, text, strlen(text), &err);
        if ((rc == EDS_OK) != (edits[i].error == NULL) ||
            (rc != EDS_OK && (strstr(err.text, edits[i].error) != err.text ||
                              memcmp(&out, &untouched, sizeof out) != 0)))
            fail_msg("row %zu: %s", i, rc == EDS_OK ? "good" : err.text);
    }
}

static void test_truncated(void **state)
{
    struct eds_signed_order out;

    (void)state;
    for (size_t size = 0; size < strlen(good); size++)
        assert_int_equal(eds_json_signed_order_decode(&out, good, size, NULL), EDS_ERR_TRUNCATED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_edits),
        cmocka_unit_test(test_truncated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

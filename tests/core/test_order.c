/* Orders to devices: one byte form, two signatures, and each reason to refuse one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/order.h"
#include "support/vectors.h"

static const uint8_t server_seed[32] = {3}, other_seed[32] = {4};
static uint8_t server_keys[2][32]; /* of other_seed and server_seed */

static struct eds_signed_order sample(void)
{
    struct eds_signed_order it = {.order = {.device_id = "lift-01",
                                            .counter = 7,
                                            .kind = EDS_ORDER_CONFIG,
                                            .issued_ms = 1000,
                                            .not_after_ms = 2000,
                                            .operator_name = "carol",
                                            .body = "a=1\nb-2=x y\n"},
                                  .nonce = {1, 2, 3}};

    assert_int_equal(eds_signed_order_sign(&it, server_seed, NULL), EDS_OK);
    return it;
}

static int set_up(void **state)
{
    (void)state;
    eds_ed25519_public_key(server_keys[0], other_seed);
    eds_ed25519_public_key(server_keys[1], server_seed);
    return 0;
}

static void copy_text(char *out, size_t out_size, const json_t *vector, const char *name)
{
    assert_true(snprintf(out, out_size, "%s", vector_string(vector, name)) < (int)out_size);
}

static void take_order(struct eds_order *out, const json_t *vector)
{
    memset(out, 0, sizeof *out);
    copy_text(out->device_id, sizeof out->device_id, vector, "device_id");
    copy_text(out->operator_name, sizeof out->operator_name, vector, "operator");
    copy_text(out->body, sizeof out->body, vector, "body");
    out->counter = vector_u64(vector, "counter");
    out->kind = (uint8_t)vector_u64(vector, "kind");
    out->issued_ms = vector_u64(vector, "issued_ms");
    out->not_after_ms = vector_u64(vector, "not_after_ms");
}

static void check_vector(const json_t *vector, const uint8_t operator_key[32],
                         const uint8_t server_key[32])
{
    static const uint8_t operator_twos[32] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
                                              2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
    uint8_t seed[32], bytes[EDS_SIGNED_ORDER_SIZE_MAX], hash[EDS_HASH_SIZE];
    struct eds_signed_order made = {.nonce = {0}}, read;
    struct eds_order_word word;

    take_order(&made.order, vector);
    (void)vector_hex(vector, "nonce", made.nonce, sizeof made.nonce);
    assert_hex(bytes, eds_order_encode(bytes, &made.order), vector_string(vector, "order"));
    eds_order_digest(hash, &made.order);
    assert_hex(hash, sizeof hash, vector_string(vector, "order_hash"));
    assert_int_equal(eds_order_sign(&word, &made.order, operator_twos, NULL), EDS_OK);
    assert_hex(word.signature, 64, vector_string(vector, "operator_signature"));
    assert_true(eds_order_verify(&word, &made.order, operator_key));
    memset(seed, 3, sizeof seed);
    assert_int_equal(eds_signed_order_sign(&made, seed, NULL), EDS_OK);
    assert_hex(made.signature, 64, vector_string(vector, "signature"));
    assert_true(eds_signed_order_verify(&made, server_key));
    assert_hex(bytes, eds_signed_order_encode(bytes, &made), vector_string(vector, "command"));
    memset(&read, 0xff, sizeof read);
    assert_int_equal(
        eds_signed_order_decode(&read, bytes, strlen(vector_string(vector, "command")) / 2, NULL),
        EDS_OK);
    assert_memory_equal(&read, &made, sizeof made);
}

/* Made without this project's code: tests/vectors/command/make.py. */
static void test_vectors(void **state)
{
    json_t *file = vector_load("command/commands.json"), *vector;
    uint8_t operator_key[32], server_key[32];
    size_t i;

    (void)state;
    (void)vector_hex(file, "operator_key", operator_key, sizeof operator_key);
    (void)vector_hex(file, "server_key", server_key, sizeof server_key);
    assert_int_equal(json_array_size(vector_get(file, "vectors")), 5);
    json_array_foreach(vector_get(file, "vectors"), i, vector)
        check_vector(vector, operator_key, server_key);
    json_decref(file);
}

static const char k32[] = "abcdefghijklmnopqrstuvwxyz012345=\n";

/* Each row is one edit away from an order that can be one. */
static void test_what_can_be_an_order(void **state)
{
    struct eds_order order;
    struct eds_error err;

    (void)state;
#define ROW(edit, wanted)                                                                          \
    order = sample().order;                                                                        \
    (void)(edit);                                                                                  \
    err.code = EDS_OK;                                                                             \
    assert_int_equal(eds_order_check(&order, &err), wanted);                                       \
    assert_int_equal(err.code, wanted)
    ROW(order.counter = UINT64_MAX, EDS_OK);
    ROW(order.counter = 0, EDS_ERR_USAGE);
    ROW(order.kind = 0, EDS_ERR_USAGE);
    ROW(order.kind = 255, EDS_OK);
    ROW(order.kind = EDS_ORDER_ROTATE_KEY, EDS_OK);
    ROW(order.kind = EDS_ORDER_REPORT_STATUS, EDS_ERR_USAGE); /* it has a body */
    ROW(order.body[0] = '\0', EDS_ERR_USAGE);                 /* and config none */
    ROW(order.issued_ms = 1999, EDS_OK);
    ROW(order.issued_ms = 2000, EDS_ERR_USAGE);
    ROW(order.device_id[0] = '\0', EDS_ERR_USAGE);
    ROW(memset(order.device_id, 'd', 255), EDS_OK);
    ROW(memset(order.device_id, 'd', 256), EDS_ERR_STRING_TOO_LONG);
    ROW(order.device_id[2] = '\xff', EDS_ERR_INVALID_UTF8);
    ROW(order.operator_name[0] = '\0', EDS_ERR_USAGE);
    ROW(memset(order.operator_name, 'o', 256), EDS_ERR_STRING_TOO_LONG);
    ROW(order.operator_name[0] = '\xc0', EDS_ERR_INVALID_UTF8);
    ROW(strcpy(order.body, k32), EDS_OK);
    ROW(strcpy(order.body, "6") && memcpy(order.body + 1, k32, sizeof k32), EDS_ERR_USAGE);
    ROW(strcpy(order.body, "a=1\nb=2"), EDS_ERR_USAGE); /* no newline at the end */
    ROW(strcpy(order.body, "a=1\n\n"), EDS_ERR_USAGE);  /* an empty line */
    ROW(strcpy(order.body, "=1\n"), EDS_ERR_USAGE);     /* an empty key */
    ROW(strcpy(order.body, "a\n"), EDS_ERR_USAGE);      /* no value */
    ROW(strcpy(order.body, "A=1\n"), EDS_ERR_USAGE);
    ROW(strcpy(order.body, "a=\n"), EDS_OK);
    ROW(strcpy(order.body, "a==\n"), EDS_OK);
    ROW(strcpy(order.body, "a=1\r\n"), EDS_ERR_USAGE);
    ROW(strcpy(order.body, "a=1\nb=\xff\n"), EDS_ERR_INVALID_UTF8);
    ROW(strcpy(order.body, "a=1\na=2\n"), EDS_ERR_USAGE); /* twice */
    ROW(strcpy(order.body, "b=1\na=2\n"), EDS_ERR_USAGE); /* not in order */
    ROW(strcpy(order.body, "ab=1\na=2\n"), EDS_ERR_USAGE);
    ROW(strcpy(order.body, "a=1\nab=2\n"), EDS_OK);
    ROW(memset(strcpy(order.body, "a=") + 2, 'v', 255) && strcpy(order.body + 257, "\n"), EDS_OK);
    ROW(memset(strcpy(order.body, "a=") + 2, 'v', 256) && strcpy(order.body + 258, "\n"),
        EDS_ERR_STRING_TOO_LONG);
    ROW(memset(order.body, 'a', sizeof order.body), EDS_ERR_STRING_TOO_LONG);
#undef ROW
}

/* Whatever is changed, it is another order's signature, and another command's. */
static void test_each_field_is_signed(void **state)
{
    struct eds_signed_order good = sample(), changed;
    struct eds_order_word word, other;

    (void)state;
    assert_int_equal(eds_order_sign(&word, &good.order, server_seed, NULL), EDS_OK);
    assert_true(eds_order_verify(&word, &good.order, server_keys[1]));
#define CHANGED(what)                                                                              \
    changed = good;                                                                                \
    changed.what;                                                                                  \
    assert_false(eds_signed_order_verify(&changed, server_keys[1]));                               \
    assert_false(eds_order_verify(&word, &changed.order, server_keys[1]))
    CHANGED(order.device_id[6] = '2');
    CHANGED(order.counter++);
    CHANGED(order.kind = EDS_ORDER_ROTATE_KEY);
    CHANGED(order.issued_ms++);
    CHANGED(order.not_after_ms++);
    CHANGED(order.operator_name[0] = 'd');
    CHANGED(order.body[2] = '2');
#undef CHANGED
    changed = good;
    changed.nonce[15] ^= 1;
    assert_false(eds_signed_order_verify(&changed, server_keys[1]));
    changed = good;
    changed.key_id[0] ^= 1;
    assert_false(eds_signed_order_verify(&changed, server_keys[1]));
    changed = good;
    changed.signature[63] ^= 1;
    assert_false(eds_signed_order_verify(&changed, server_keys[1]));
    assert_false(eds_signed_order_verify(&good, server_keys[0]));
    /* An operator's word is no command, whatever key it is. */
    memcpy(changed.signature, word.signature, sizeof changed.signature);
    assert_false(eds_signed_order_verify(&changed, server_keys[1]));
    other = word;
    other.key_id[7] ^= 1;
    assert_false(eds_order_verify(&other, &good.order, server_keys[1]));
}

/* Each row is one step away from what a device does. */
static void test_judge(void **state)
{
    struct eds_signed_order good = sample(), it;
    struct eds_order_test fits = {.device_id = "lift-01",
                                  .nonce = good.nonce,
                                  .now_ms = 2000,
                                  .keys = (const uint8_t(*)[32])server_keys,
                                  .key_count = 2,
                                  .counter = 6},
                          test;
    uint8_t nonce[EDS_NONCE_SIZE] = {1, 2, 4};

    (void)state;
#define ROW(edit, wanted)                                                                          \
    it = good;                                                                                     \
    test = fits;                                                                                   \
    (void)(edit);                                                                                  \
    assert_int_equal(eds_signed_order_judge(&it, &test), wanted)
    ROW(0, EDS_ORDER_IS_GOOD);
    ROW(test.counter = 0, EDS_ORDER_IS_GOOD);
    ROW(test.now_ms = 0, EDS_ORDER_IS_GOOD); /* a clock that is behind: the nonce shows it is new */
    ROW(test.device_id = "lift-02", EDS_ORDER_IS_OTHER_DEVICE);
    ROW(test.nonce = nonce, EDS_ORDER_IS_OTHER_NONCE);
    ROW(test.key_count = 1, EDS_ORDER_IS_UNKNOWN_KEY);
    ROW(test.key_count = 0, EDS_ORDER_IS_UNKNOWN_KEY);
    ROW(it.signature[5] ^= 1, EDS_ORDER_IS_BAD_SIGNATURE);
    ROW(it.order.counter = 8, EDS_ORDER_IS_BAD_SIGNATURE);
    ROW(test.counter = 7, EDS_ORDER_IS_ANSWERED);
    ROW(test.counter = 8, EDS_ORDER_IS_REPLAYED);
    ROW(test.now_ms = 2001, EDS_ORDER_IS_EXPIRED);
    ROW((it.order.kind = 4, eds_signed_order_sign(&it, server_seed, NULL)),
        EDS_ORDER_IS_UNKNOWN_KIND);
    /* What comes first is said first. */
    ROW((test.counter = 8, test.now_ms = 2001), EDS_ORDER_IS_REPLAYED);
    ROW((it.signature[5] ^= 1, test.counter = 8), EDS_ORDER_IS_BAD_SIGNATURE);
#undef ROW
    for (int i = EDS_ORDER_IS_GOOD; i <= EDS_ORDER_IS_UNKNOWN_KIND; i++)
        for (int j = EDS_ORDER_IS_GOOD; j < i; j++)
            assert_string_not_equal(eds_order_verdict_text((enum eds_order_verdict)i),
                                    eds_order_verdict_text((enum eds_order_verdict)j));
}

/* However it is cut or spelled otherwise: never taken, and never half taken. */
static void test_decode(void **state)
{
    struct eds_signed_order good = sample(), out, untouched;
    uint8_t bytes[EDS_SIGNED_ORDER_SIZE_MAX + 1], edited[EDS_SIGNED_ORDER_SIZE_MAX];
    size_t size = eds_signed_order_encode(bytes, &good);
    struct eds_error err;

    (void)state;
    memset(&untouched, 0x5a, sizeof untouched);
    out = untouched;
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(eds_signed_order_decode(&out, bytes, cut, &err), EDS_ERR_TRUNCATED);
        assert_memory_equal(&out, &untouched, sizeof out);
    }
    bytes[size] = 0;
    assert_int_equal(eds_signed_order_decode(&out, bytes, size + 1, &err), EDS_ERR_MALFORMED);
#define ROW(at, byte, wanted, said)                                                                \
    memcpy(edited, bytes, size);                                                                   \
    edited[at] = (byte);                                                                           \
    assert_int_equal(eds_signed_order_decode(&out, edited, size, &err), wanted);                   \
    assert_int_equal(err.code, wanted);                                                            \
    assert_non_null(strstr(err.text, said));                                                       \
    assert_memory_equal(&out, &untouched, sizeof out)
    ROW(0, 2, EDS_ERR_UNSUPPORTED, "version");
    ROW(2, 0, EDS_ERR_MALFORMED, "device_id at byte 1: there is a NUL");
    ROW(2, 0xff, EDS_ERR_MALFORMED, "device_id at byte 1: the string is not valid UTF-8");
    ROW(9, 0, EDS_ERR_MALFORMED, "counter must be 1 at least");
    ROW(10, 0, EDS_ERR_MALFORMED, "kind must be 1 at least");
    ROW(10, 1, EDS_ERR_MALFORMED, "body must be empty");
    ROW(22, 'A', EDS_ERR_MALFORMED, "body: a key");
#undef ROW
}

static void test_settings(void **state)
{
    struct eds_order order = sample().order;
    char key[EDS_SETTING_KEY_SIZE], value[EDS_SETTING_TEXT_SIZE];
    size_t at = 0;

    (void)state;
    assert_true(eds_order_next_setting(&order, &at, key, value));
    assert_string_equal(key, "a");
    assert_string_equal(value, "1");
    assert_true(eds_order_next_setting(&order, &at, key, value));
    assert_string_equal(key, "b-2");
    assert_string_equal(value, "x y");
    assert_false(eds_order_next_setting(&order, &at, key, value));
}

static void test_kinds(void **state)
{
    uint8_t kind = 99;

    (void)state;
    assert_true(eds_order_kind_parse(&kind, "rotate-key"));
    assert_int_equal(kind, EDS_ORDER_ROTATE_KEY);
    assert_string_equal(eds_order_kind_name(EDS_ORDER_CONFIG), "config");
    assert_string_equal(eds_order_kind_name(0), "unknown");
    assert_string_equal(eds_order_kind_name(4), "unknown");
    assert_false(eds_order_kind_parse(&kind, "unknown"));
    assert_false(eds_order_kind_parse(&kind, ""));
    assert_int_equal(kind, EDS_ORDER_ROTATE_KEY);
}

/* Each row is one edit away from an answer. */
static void test_answers(void **state)
{
    static const struct {
        const char *reference;
        bool is_answer;
    } rows[] = {
        {"edgesentry:command/lift-01/7/done/12", true},
        {"edgesentry:command/lift-01/7/refused/12", true},
        {"edgesentry:command/lift-01/18446744073709551615/done/12", true},
        {"edgesentry:command/lift-01/18446744073709551616/done/12", false},
        {"edgesentry:command/lift-01/0/done/12", false},
        {"edgesentry:command/lift-01/07/done/12", false},
        {"edgesentry:command/lift-01//done/12", false},
        {"edgesentry:command/lift-01/7/done/13", false}, /* another record's */
        {"edgesentry:command/lift-01/7/done/012", false},
        {"edgesentry:command/lift-01/7/done/12 ", false},
        {"edgesentry:command/lift-01/7/done/", false},
        {"edgesentry:command/lift-01/7/ignored/12", false},
        {"edgesentry:command/lift-02/7/done/12", false}, /* another device's */
        {"edgesentry:command/lift-0/7/done/12", false},
        {"edgesentry:command/lift-011/7/done/12", false},
        {"edgesentry:command/", false},
        {"edgesentry:note/lift-01/12", false},
        {"", false},
    };
    EdsAuditRecord record = {.sequence = 12, .device_id = "lift-01"};
    struct eds_order_answer answer = {.counter = 5};
    char text[EDS_OBJECT_REF_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        strcpy((char *)record.object_ref, rows[i].reference);
        if (eds_order_answer_read(&answer, &record) != rows[i].is_answer)
            fail_msg("row %zu", i);
        if (!rows[i].is_answer)
            continue;
        eds_order_answer_write(text, &answer, "lift-01", 12);
        assert_string_equal(text, rows[i].reference);
    }
    memset(record.object_ref, 'x', sizeof record.object_ref); /* no NUL */
    memcpy(record.object_ref, "edgesentry:command/", 19);
    assert_false(eds_order_answer_read(&answer, &record));
    memset(record.device_id, 'd', 255);
    record.device_id[255] = '\0';
    record.sequence = UINT64_MAX;
    answer = (struct eds_order_answer){.counter = UINT64_MAX};
    eds_order_answer_write((char *)record.object_ref, &answer, (char *)record.device_id,
                           UINT64_MAX);
    assert_true(eds_order_answer_read(&answer, &record));
    assert_true(answer.counter == UINT64_MAX && !answer.done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_what_can_be_an_order),
        cmocka_unit_test(test_each_field_is_signed),
        cmocka_unit_test(test_judge),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_answers),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}

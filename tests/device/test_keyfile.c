/* Key files: what is read back is what was written, and no damaged byte gets
 * through.  The forms and their errors: tests/e2e/test_cli_keys.sh. */
#include "device/keyfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device/flat_json.h"
#include "support/dice.h"

static const char passphrase[] = "correct horse";

static void test_plain(void **state)
{
    struct eds_key key, again;
    char text[EDS_KEYFILE_SIZE_MAX];
    size_t size;

    (void)state;
    assert_int_equal(eds_ed25519_keygen(key.seed, key.public_key), EDS_OK);
    size = eds_keyfile_format(text, &key);
    assert_false(eds_keyfile_is_encrypted(text, size));
    assert_int_equal(eds_keyfile_parse(&again, text, size, NULL, 0, NULL), EDS_OK);
    assert_memory_equal(&again, &key, sizeof key);
}

/* The same key twice under the same passphrase makes two different files, and
 * neither holds the key. */
static void test_encrypted(void **state)
{
    struct eds_key key = {.seed = {42}}, again;
    char text[2][EDS_KEYFILE_SIZE_MAX];
    size_t size[2];

    (void)state;
    eds_ed25519_public_key(key.public_key, key.seed);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            eds_keyfile_encrypt(text[i], &size[i], &key, passphrase, sizeof passphrase - 1, NULL),
            EDS_OK);
        assert_true(eds_keyfile_is_encrypted(text[i], size[i]));
        assert_null(memmem(text[i], size[i], "2a0000", 6));
    }
    assert_string_not_equal(text[0], text[1]);
    assert_int_equal(
        eds_keyfile_parse(&again, text[0], size[0], passphrase, sizeof passphrase - 1, NULL),
        EDS_OK);
    assert_memory_equal(&again, &key, sizeof key);
}

/* A failure leaves nothing of the key behind. */
static void test_wiped(void **state)
{
    static const struct eds_key zero;
    struct eds_key key = {.seed = {42}}, other = {.seed = {43}};
    char text[EDS_KEYFILE_SIZE_MAX];
    size_t size;

    (void)state;
    eds_ed25519_public_key(key.public_key, other.seed); /* not its own */
    size = eds_keyfile_format(text, &key);
    assert_int_equal(eds_keyfile_parse(&other, text, size, NULL, 0, NULL), EDS_ERR_INVALID_KEY);
    assert_memory_equal(&other, &zero, sizeof zero);
}

/* Cut anywhere, and with any few bytes changed, a plain file is the same key
 * or none: public_key_hex vouches for private_key_hex. */
static void test_damage(void **state)
{
    struct eds_key key, again;
    char text[EDS_KEYFILE_SIZE_MAX], copy[EDS_KEYFILE_SIZE_MAX];
    struct dice dice;
    size_t size;

    (void)state;
    dice_seed(&dice);
    assert_int_equal(eds_ed25519_keygen(key.seed, key.public_key), EDS_OK);
    size = eds_keyfile_format(text, &key);
    for (size_t cut = 0; cut < size; cut++) {
        char *exact = malloc(cut + 1); /* so that a sanitizer sees a byte too far */

        assert_non_null(exact);
        memcpy(exact, text, cut);
        assert_int_not_equal(eds_keyfile_parse(&again, exact, cut, NULL, 0, NULL), EDS_OK);
        free(exact);
    }
    for (int round = 0; round < 20000; round++) {
        memcpy(copy, text, size);
        for (size_t n = 1 + dice_below(&dice, 3); n > 0; n--)
            copy[dice_below(&dice, size)] = (char)dice_u64(&dice);
        if (eds_keyfile_parse(&again, copy, size, NULL, 0, NULL) == EDS_OK)
            assert_memory_equal(&again, &key, sizeof key);
    }
}

static const struct {
    const char *text;
    const char *error; /* NULL: it parses, with a = "x" and n = 12 */
} objects[] = {
    {"{\"a\":\"x\",\"n\":12}", NULL},
    {" {\t\"n\" : 12 ,\n\"a\"\r: \"x\" } ", NULL},
    {"", "expected '{' at byte 0"},
    {"[]", "expected '{' at byte 0"},
    {"{", "expected a field's name in quotes at byte 1"},
    {"{\"a\"", "expected ':' at byte 4"},
    {"{\"a\":", "field `a`: expected a plain string"},
    {"{\"a\":1}", "field `a`: expected a plain string"},
    {"{\"a\":\"\\\"\"}", "field `a`: expected a plain string"},
    {"{\"a\":\"\n\"}", "field `a`: expected a plain string"},
    {"{\"a\":\"x\"", "expected ',' or '}' at byte 8"},
    {"{\"a\":\"x\",}", "expected a field's name in quotes at byte 9"},
    {"{\"a\":\"x\"}}", "expected nothing after '}' at byte 9"},
    {"{\"a\":\"x\",\"a\":\"x\"}", "duplicate field `a`"},
    {"{\"n\":\"12\"}", "field `n`: expected a number"},
    {"{\"n\":-1}", "field `n`: expected a number"},
    {"{\"n\":1.5}", "expected ',' or '}' at byte 6"},
    {"{\"secret\":\"x\"}", "unknown field at byte 2"},
};

static void test_objects(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
        struct eds_flat_field fields[] = {{.name = "a"}, {.name = "n", .is_number = true}};
        size_t size = strlen(objects[i].text);
        char *exact = malloc(size + 1);
        struct eds_error err = {0, ""};
        int32_t rc;

        assert_non_null(exact);
        memcpy(exact, objects[i].text, size);
        rc = eds_flat_json_parse(fields, 2, exact, size, &err);
        if (objects[i].error != NULL) {
            assert_int_equal(rc, EDS_ERR_MALFORMED);
            assert_string_equal(err.text, objects[i].error);
        } else {
            assert_int_equal(rc, EDS_OK);
            assert_int_equal(fields[0].size, 1);
            assert_memory_equal(fields[0].value, "x", 1);
            assert_int_equal(fields[1].size, 2);
            assert_memory_equal(fields[1].value, "12", 2);
        }
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),   cmocka_unit_test(test_encrypted),
        cmocka_unit_test(test_wiped),   cmocka_unit_test(test_damage),
        cmocka_unit_test(test_objects),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

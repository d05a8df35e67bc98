/* test_verifier_vectors.c - every level decides the published test vectors as
 * libsodium does, and as their authors say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/vectors.h"
#include "verifier_levels.h"

/* A growing list of cases. */
struct list {
    struct verifier_case *cases;
    size_t count, room;
};

static struct verifier_case *append(struct list *list)
{
    if (list->count == list->room) {
        list->room = 2 * list->room + 64;
        list->cases = realloc(list->cases, list->room * sizeof *list->cases);
        assert_non_null(list->cases);
    }
    memset(&list->cases[list->count], 0, sizeof *list->cases);
    return &list->cases[list->count++];
}

/* Reads the three fields of a case by the names they have in a file. */
static struct verifier_case *append_json(struct list *list, const json_t *key_owner,
                                         const char *key, const json_t *object, const char *message,
                                         const char *signature)
{
    struct verifier_case *one = append(list);

    assert_int_equal(vector_hex(key_owner, key, one->public_key, sizeof one->public_key),
                     sizeof one->public_key);
    assert_int_equal(vector_hex(object, signature, one->signature, sizeof one->signature),
                     sizeof one->signature);
    one->message_size = vector_hex(object, message, one->message, sizeof one->message);
    return one;
}

static void judge_and_free(struct list *list, size_t wanted_count, size_t wanted_good)
{
    size_t good;

    assert_int_equal(list->count, wanted_count);
    judge_all(list->cases, list->count, &good);
    assert_int_equal(good, wanted_good);
    free(list->cases);
}

static void wycheproof(void **state)
{
    json_t *file = vector_load("wycheproof-ed25519/ed25519_test.json");
    struct list list = {NULL, 0, 0};
    size_t group_index, test_index, valid = 0;
    json_t *group, *test;

    (void)state;
    json_array_foreach(vector_get(file, "testGroups"), group_index, group)
        json_array_foreach(vector_get(group, "tests"), test_index, test)
    {
        if (strlen(vector_string(test, "sig")) != 2 * EDS_SIGNATURE_SIZE)
            continue; /* not 64 bytes: no job can be made of it */
        append_json(&list, vector_get(group, "publicKey"), "pk", test, "msg", "sig");
        valid += strcmp(vector_string(test, "result"), "valid") == 0;
    }
    judge_and_free(&list, 93, valid);
    json_decref(file);
}

/* The signatures of RFC 8032 and its authors: all good. */
static void rfc8032(void **state)
{
    json_t *file = vector_load("rfc8032/ed25519_sign.json");
    struct list list = {NULL, 0, 0};
    size_t index;
    json_t *test;

    (void)state;
    json_array_foreach(file, index, test) append_json(&list, test, "pub", test, "msg", "sig");
    judge_and_free(&list, 343, 343);
    json_decref(file);
}

/* Which of these libsodium takes is the rule's business (test_ed25519_vectors);
 * here it is the judge. */
static void speccheck(void **state)
{
    json_t *file = vector_load("ed25519-speccheck/cases.json");
    struct list list = {NULL, 0, 0};
    size_t index;
    json_t *test;

    (void)state;
    json_array_foreach(file, index, test)
        append_json(&list, test, "pub_key", test, "message", "signature");
    judge_all(list.cases, list.count, NULL);
    assert_true(list.count >= 8);
    free(list.cases);
    json_decref(file);
}

static void cctv(void **state)
{
    json_t *file = vector_load("cctv-ed25519/ed25519vectors.json");
    struct list list = {NULL, 0, 0};
    size_t index, good;
    json_t *test;

    (void)state;
    json_array_foreach(file, index, test)
    {
        struct verifier_case *one = append(&list);
        const char *message = vector_string(test, "msg");

        vector_hex(test, "key", one->public_key, sizeof one->public_key);
        vector_hex(test, "sig", one->signature, sizeof one->signature);
        one->message_size = strlen(message);
        memcpy(one->message, message, one->message_size);
    }
    assert_int_equal(list.count, 610);
    judge_all(list.cases, list.count, &good);
    assert_true(good > 0 && good < list.count);
    free(list.cases);
    json_decref(file);
}

/* Keys and R with every component of small order, S out of range, and more. */
static void torsion_grid(void **state)
{
    json_t *file = vector_load("peer/ed25519_verify_semantics.json");
    struct list list = {NULL, 0, 0};
    size_t index, good;
    json_t *test;

    (void)state;
    json_array_foreach(file, index, test) append_json(&list, test, "pub", test, "msg", "sig");
    assert_int_equal(list.count, 289);
    judge_all(list.cases, list.count, &good);
    assert_true(good > 0 && good < list.count);
    free(list.cases);
    json_decref(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wycheproof), cmocka_unit_test(rfc8032),      cmocka_unit_test(speccheck),
        cmocka_unit_test(cctv),       cmocka_unit_test(torsion_grid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

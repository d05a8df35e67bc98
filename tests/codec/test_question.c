/* Questions for commands as JSON: each row is one edit away from a good one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/json_question.h"

#define NONCE "000102030405060708090a0b0c0d0e0f"

static const char good[] =
    "{\"commands\":\"ask\",\"device_id\":\"lift-01\",\"nonce\":\"" NONCE "\"}";

static void test_good(void **state)
{
    static const char *const words[] = {"ask", "none", "never"};
    struct eds_question question;
    char text[EDS_JSON_QUESTION_SIZE_MAX];

    (void)state;
    assert_int_equal(eds_json_question_decode(&question, good, strlen(good), NULL), EDS_OK);
    assert_int_equal(question.word, EDS_QUESTION_ASK);
    assert_string_equal(question.device_id, "lift-01");
    assert_int_equal(question.nonce[15], 15);
    for (int i = 0; i < 3; i++) {
        struct eds_question again;

        question.word = (enum eds_question_word)i;
        assert_true(eds_json_question_encode(text, sizeof text, &question) > 0);
        assert_true(eds_json_is_question(text, strlen(text)));
        assert_non_null(strstr(text, words[i]));
        assert_int_equal(eds_json_question_decode(&again, text, strlen(text), NULL), EDS_OK);
        assert_memory_equal(&again, &question, sizeof again);
    }
    question.word = EDS_QUESTION_ASK;
    assert_int_equal(eds_json_question_encode(text, sizeof text, &question), strlen(good));
    assert_string_equal(text, good);
}

static void test_longest(void **state)
{
    struct eds_question question = {.word = EDS_QUESTION_NEVER}, again;
    char text[EDS_JSON_QUESTION_SIZE_MAX];

    (void)state;
    memset(question.device_id, 1, sizeof question.device_id - 1); /* six bytes each */
    assert_true(eds_json_question_encode(text, sizeof text, &question) > 0);
    assert_int_equal(eds_json_question_decode(&again, text, strlen(text), NULL), EDS_OK);
    assert_memory_equal(&again, &question, sizeof again);
}

static void test_refused(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"{\"commands\":\"asks\",\"device_id\":\"lift-01\",\"nonce\":\"" NONCE "\"}",
         "expected ask, none or never"},
        {"{\"commands\":1,\"device_id\":\"lift-01\",\"nonce\":\"" NONCE "\"}", "string"},
        {"{\"commands\":\"ask\",\"device_id\":\"\",\"nonce\":\"" NONCE "\"}", "is empty"},
        {"{\"commands\":\"ask\",\"device_id\":\"lift-01\",\"nonce\":\"000102030405060708090a0b0c0d"
         "0e\"}",
         "nonce"},
        {"{\"commands\":\"ask\",\"device_id\":\"lift-01\",\"nonce\":\"000102030405060708090A0b0c0d"
         "0e0f\"}",
         "nonce"},
        {"{\"commands\":\"ask\",\"nonce\":\"" NONCE "\"}", "device_id"},
        {"{\"commands\":\"ask\",\"device_id\":\"lift-01\",\"nonce\":\"" NONCE "\",\"more\":1}",
         "more"},
        {"{\"commands\":\"ask\",\"device_id\":\"lift-01\",\"nonce\":\"" NONCE "\"}}", "}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct eds_question question;
        struct eds_error err;

        assert_int_equal(
            eds_json_question_decode(&question, rows[i].text, strlen(rows[i].text), &err),
            EDS_ERR_MALFORMED);
        if (strstr(err.text, rows[i].says) == NULL)
            fail_msg("row %zu says %s", i, err.text);
    }
    for (size_t size = 0; size < strlen(good); size++) { /* at its exact size, for ASan */
        struct eds_question question;
        char *part = malloc(size + 1);

        assert_non_null(part);
        memcpy(part, good, size);
        assert_int_not_equal(eds_json_question_decode(&question, part, size, NULL), EDS_OK);
        assert_int_equal(eds_json_is_question(part, size), size >= strlen("{\"commands\":"));
        free(part);
    }
    assert_false(eds_json_is_question("{\"record\":{}}", 13));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

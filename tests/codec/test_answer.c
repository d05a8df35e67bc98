/* Answers: what servers say, and what clients make of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "sample.h"

static int32_t decode(const char *text, size_t size, struct eds_answer *out, struct eds_error *err)
{
    char *copy = sample_exact(text, size);
    int32_t rc = eds_json_answer_decode(out, copy, size, err);

    free(copy);
    return rc;
}

static void test_spelling(void **state)
{
    struct eds_answer answer = {.accepted = true, .error = "is not said"};
    char text[128];

    (void)state;
    assert_int_equal(eds_json_answer_encode(text, sizeof text, &answer), 21);
    assert_string_equal(text, "{\"status\":\"accepted\"}");
    assert_int_equal(eds_json_answer_encode(text, 22, &answer), 21);
    assert_int_equal(eds_json_answer_encode(text, 21, &answer), 0);
    assert_int_equal(eds_json_answer_encode(text, 0, &answer), 0);
    answer.accepted = false;
    strcpy(answer.error, "unknown device: \"a\\b\"\n\x01\x7f/\xc3\xa9\xe2\x80\xa8");
    assert_int_equal(eds_json_answer_encode(text, sizeof text, &answer), 71);
    assert_string_equal(text, "{\"status\":\"rejected\",\"error\":\"unknown device: \\\"a\\\\b\\\""
                              "\\n\\u0001\x7f/\xc3\xa9\xe2\x80\xa8\"}");
    strcpy(answer.error, "a\xff\xe2\x82z");
    eds_json_answer_encode(text, sizeof text, &answer);
    assert_string_equal(text, "{\"status\":\"rejected\",\"error\":\"a\xef\xbf\xbd\xef\xbf\xbdz\"}");
}

static const struct {
    const char *text;
    bool accepted;
    const char *error; /* of the server; NULL: not decoded */
    const char *why;   /* not decoded */
} answers[] = {
    {"{\"status\":\"accepted\"}", true, "", NULL},
    {"{\"status\":\"rejected\",\"error\":\"no\"}", false, "no", NULL},
    {"{\"error\":\"no\",\"status\":\"rejected\"}", false, "no", NULL},
    {"{\"status\":\"rejected\"}", false, "", NULL},
    {"{\"device_id\":\"a\",\"sequence\":1,\"status\":\"accepted\"}", true, "", NULL},
    {"{\"a\":{\"b\":[1,-2.5e+3,{},[],true,false,null,\"\\u0000\\ud83d\\ude00\",[[0]]]},"
     "\"a\":0,\"status\":\"accepted\"}",
     true, "", NULL},
    {"{\"status\":\"rejected\",\"error\":\"a\\u0000b\"}", false,
     "a\xef\xbf\xbd"
     "b",
     NULL},
    {"{\"status\":\"maybe\"}", false, NULL,
     "answer.status: expected \"accepted\", \"quarantined\" or \"rejected\" at line 1 column 11 "
     "(byte 10)"},
    {"{\"status\":\"accepted, and more of it\"}", false, NULL,
     "answer.status: expected \"accepted\", \"quarantined\" or \"rejected\" at line 1 column 11 "
     "(byte 10)"},
    {"{\"status\":null}", false, NULL,
     "answer.status: expected a string, found 'n' at line 1 column 11 (byte 10)"},
    {"{\"status\":\"accepted\",\"status\":\"accepted\"}", false, NULL,
     "answer: repeated field \"status\" at line 1 column 22 (byte 21)"},
    {"{\"error\":\"no\"}", false, NULL,
     "answer: missing field \"status\" at line 1 column 14 (byte 13)"},
    {"{\"x\":01,\"status\":\"accepted\"}", false, NULL,
     "answer: expected ',' or '}', found '1' at line 1 column 7 (byte 6)"},
    {"{\"x\":1.,\"status\":\"accepted\"}", false, NULL,
     "answer: expected a digit, found ',' at line 1 column 8 (byte 7)"},
    {"{\"x\":-,\"status\":\"accepted\"}", false, NULL,
     "answer: expected a digit, found ',' at line 1 column 7 (byte 6)"},
    {"{\"x\":tru,\"status\":\"accepted\"}", false, NULL,
     "answer: expected true, false or null, found ',' at line 1 column 9 (byte 8)"},
    {"{\"x\":[1,],\"status\":\"accepted\"}", false, NULL,
     "answer: expected a value, found ']' at line 1 column 9 (byte 8)"},
    {"{\"x\":{\"y\"},\"status\":\"accepted\"}", false, NULL,
     "answer: expected ':', found '}' at line 1 column 10 (byte 9)"},
    {"{\"x\":{1:2},\"status\":\"accepted\"}", false, NULL,
     "answer: expected a string, found '1' at line 1 column 7 (byte 6)"},
    {"{\"x\":[1},\"status\":\"accepted\"}", false, NULL,
     "answer: expected ',' or the end of the array or object, found '}' at line 1 column 8 (byte "
     "7)"},
    {"{\"x\":\"\\ud83d\",\"status\":\"accepted\"}", false, NULL,
     "answer: expected the second half of a surrogate pair, found '\"' at line 1 column 13 (byte "
     "12)"},
    {"accepted", false, NULL, "answer: expected an object, found 'a' at line 1 column 1 (byte 0)"},
};

static void test_decode(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct eds_answer answer = {.accepted = !answers[i].accepted};
        struct eds_error err = {EDS_OK, ""};
        int32_t rc = decode(answers[i].text, strlen(answers[i].text), &answer, &err);

        if (answers[i].error == NULL) {
            assert_int_equal(rc, EDS_ERR_MALFORMED);
            assert_string_equal(err.text, answers[i].why);
            assert_int_equal(answer.accepted, !answers[i].accepted); /* untouched */
            continue;
        }
        if (rc != EDS_OK)
            fail_msg("%s: %s", answers[i].text, err.text);
        assert_int_equal(answer.accepted, answers[i].accepted);
        assert_string_equal(answer.error, answers[i].error);
        for (size_t cut = 0; cut < strlen(answers[i].text); cut++)
            assert_int_equal(decode(answers[i].text, cut, &answer, &err), EDS_ERR_TRUNCATED);
    }
}

/* Unknown values may be 32 deep, and no deeper. */
static void test_depth(void **state)
{
    struct eds_answer answer;
    struct eds_error err = {EDS_OK, ""};

    (void)state;
    for (size_t depth = 31; depth <= 33; depth++) {
        char text[512] = "{\"x\":";

        for (size_t i = 0; i < depth; i++)
            strcat(text, i % 2 == 0 ? "[" : "{\"\":");
        strcat(text, "0");
        for (size_t i = depth; i > 0; i--)
            strcat(text, i % 2 == 1 ? "]" : "}");
        strcat(text, ",\"status\":\"accepted\"}");
        assert_int_equal(decode(text, strlen(text), &answer, &err),
                         depth <= 32 ? EDS_OK : EDS_ERR_MALFORMED);
    }
    assert_string_equal(err.text, "answer: arrays and objects more than 32 deep at line 1 column "
                                  "86 (byte 85)");
}

/* An error longer than ours can be is cut between two characters. */
static void test_long_error(void **state)
{
    static const char *const characters[] = {
        "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\\u20ac", "\\n"};
    struct eds_answer answer, again;
    struct eds_error err = {EDS_OK, ""};

    (void)state;
    for (size_t k = 0; k < sizeof characters / sizeof characters[0]; k++) {
        static char text[16 * 1024], back[16 * 1024];
        size_t size = (size_t)sprintf(text, "{\"status\":\"rejected\",\"error\":\"");

        for (size_t i = 0; i < 700; i++)
            size += (size_t)sprintf(text + size, "%s", characters[k]);
        size += (size_t)sprintf(text + size, "\"}");
        assert_int_equal(decode(text, size, &answer, &err), EDS_OK);
        assert_in_range(strlen(answer.error), EDS_ERROR_TEXT_SIZE - 4, EDS_ERROR_TEXT_SIZE - 1);
        assert_true(eds_utf8_valid(answer.error, strlen(answer.error)));
        size = eds_json_answer_encode(back, sizeof back, &answer);
        assert_int_equal(decode(back, size, &again, &err), EDS_OK);
        assert_string_equal(answer.error, again.error);
    }
}

/* Once something was dropped nothing that is shorter slips in behind it. */
static void test_cut_is_final(void **state)
{
    struct eds_answer answer;
    struct eds_error err = {EDS_OK, ""};
    char text[1024],
        tail[][16] = {"\xc3\xa9\\n", "\xc3\xa9z", "\\u00e9\\n", "\\u00e9z", "\\u00e9zzz"};

    (void)state;
    for (size_t i = 0; i < sizeof tail / sizeof tail[0]; i++) {
        size_t size = (size_t)sprintf(text, "{\"error\":\"%0*d%s\",\"status\":\"rejected\"}",
                                      (int)EDS_ERROR_TEXT_SIZE - 2, 0, tail[i]);

        assert_int_equal(decode(text, size, &answer, &err), EDS_OK);
        assert_int_equal(strlen(answer.error), EDS_ERROR_TEXT_SIZE - 2);
    }
}

/* Writes "a" for accepted, "r" for rejected, "R" for one to be sent again. */
static void note_result(void *context, size_t index, const struct eds_result *result)
{
    ((char *)context)[index] = result->answer.accepted ? 'a' : result->retry ? 'R' : 'r';
}

static void test_results(void **state)
{
    static const struct {
        const char *text, *results;
        int32_t rc;
    } rows[] = {
        {"{\"results\":[]}", "", EDS_OK},
        {"{\"accepted\":1,\"results\":[{\"status\":\"accepted\"}],\"more\":[{}]}", "a", EDS_OK},
        {"{\"results\" : [ {\"status\":\"rejected\",\"error\":\"\\\",\\\"retry\\\":true}\"} ,"
         " {\"retry\":true,\"status\":\"rejected\"}, {\"status\":\"rejected\",\"retry\":false},"
         " {\"status\":\"rejected\",\"retry\":\"true\"}]}",
         "rRrr", EDS_OK},
        {"{\"results\":[{\"status\":\"accepted\"},{\"status\":\"later\"}]}", "a",
         EDS_ERR_MALFORMED},
        {"{\"results\":[{\"status\":\"accepted\"} {\"status\":\"accepted\"}]}", "a",
         EDS_ERR_MALFORMED},
        {"{\"results\":[{\"status\":\"accepted\"},]}", "a", EDS_ERR_MALFORMED},
        {"{\"results\":[{\"status\":\"accepted\"},", "a", EDS_ERR_TRUNCATED},
        {"{\"results\":{}}", "", EDS_ERR_MALFORMED},
        {"{\"accepted\":0}", "", EDS_ERR_MALFORMED},
        {"{\"results\":[]}}", "", EDS_ERR_MALFORMED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char results[8] = "";

        assert_int_equal(
            eds_json_results_decode(rows[i].text, strlen(rows[i].text), note_result, results, NULL),
            rows[i].rc);
        assert_string_equal(results, rows[i].results);
    }
}

/* With the record that it is about, which must be there. */
static void test_about(void **state)
{
    static const struct {
        const char *text;
        int32_t rc;
    } rows[] = {
        {"{\"device_id\":\"lift-01\",\"sequence\":7,\"status\":\"accepted\"}", EDS_OK},
        {"{\"status\":\"accepted\",\"at\":[1],\"sequence\":7,\"device_id\":\"lift-01\"}", EDS_OK},
        {"{\"device_id\":\"lift-01\",\"sequence\":\"7\",\"status\":\"accepted\"}",
         EDS_ERR_MALFORMED},
        {"{\"device_id\":7,\"sequence\":7,\"status\":\"accepted\"}", EDS_ERR_MALFORMED},
        {"{\"device_id\":\"lift-01\",\"status\":\"accepted\"}", EDS_ERR_MALFORMED},
        {"{\"sequence\":7,\"status\":\"accepted\"}", EDS_ERR_MALFORMED},
        {"{\"device_id\":\"lift-01\",\"sequence\":7}", EDS_ERR_MALFORMED},
        {"{\"device_id\":\"lift-01\",\"sequence\":7,\"status\":\"accept\"}", EDS_ERR_MALFORMED},
        {"{\"device_id\":\"lift-01\",\"sequence\":7,\"status\":\"accepted\"} ]", EDS_ERR_MALFORMED},
        {"{\"device_id\":\"lift-01\",\"sequence\":7,\"status\":\"accepted\"", EDS_ERR_TRUNCATED},
    };
    char long_id[EDS_DEVICE_ID_SIZE + 128] =
        "{\"status\":\"accepted\",\"sequence\":7,\"device_id\":\"";
    size_t used = strlen(long_id);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *copy = sample_exact(rows[i].text, strlen(rows[i].text));
        char device_id[EDS_DEVICE_ID_SIZE] = "";
        struct eds_answer answer = {.accepted = false};
        uint64_t sequence = 0;
        int32_t rc = eds_json_answer_decode_for(device_id, &sequence, &answer, copy,
                                                strlen(rows[i].text), NULL);

        if (rc != rows[i].rc || answer.accepted != (rc == EDS_OK) ||
            (rc == EDS_OK && (strcmp(device_id, "lift-01") != 0 || sequence != 7)))
            fail_msg("%s: %d", rows[i].text, (int)rc);
        free(copy);
    }
    memset(long_id + used, 'x', EDS_DEVICE_ID_SIZE);
    strcpy(long_id + used + EDS_DEVICE_ID_SIZE, "\"}");
    {
        char device_id[EDS_DEVICE_ID_SIZE];
        struct eds_answer answer;
        uint64_t sequence;

        assert_int_equal(eds_json_answer_decode_for(device_id, &sequence, &answer, long_id,
                                                    strlen(long_id), NULL),
                         EDS_ERR_MALFORMED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spelling),     cmocka_unit_test(test_decode),
        cmocka_unit_test(test_depth),        cmocka_unit_test(test_long_error),
        cmocka_unit_test(test_cut_is_final), cmocka_unit_test(test_results),
        cmocka_unit_test(test_about),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

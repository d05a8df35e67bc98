/* A file of gap records: each row is one edit away from a good one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/json_gap.h"

#define LAST   "4444444444444444444444444444444444444444444444444444444444444444"
#define RESUME "99999999999999999999999999999999999999999999999999999999999999ab"
#define SIGNATURE                                                                                  \
    "5050505050505050505050505050505050505050505050505050505050505050"                             \
    "5050505050505050505050505050505050505050505050505050505050505050"

static const char good[] =
    "[{\"device_id\":\"lift-01\",\"last_sequence\":4,\"last_record_hash\":\"" LAST
    "\",\"resume_sequence\":9,\"resume_hash\":\"" RESUME
    "\",\"closed_ms\":1795305600123,\"operator\":\"alice\",\"reason\":\"flash replaced\","
    "\"key_id\":\"d10eb78182bbf203\",\"signature\":\"" SIGNATURE "\"}]";

struct seen {
    struct eds_gap gaps[4];
    size_t count;
    int32_t answer;
};

static int32_t take(void *context, const struct eds_gap *gap)
{
    struct seen *seen = context;

    assert_in_range(seen->count, 0, 3);
    seen->gaps[seen->count++] = *gap;
    return seen->answer;
}

static int32_t decode(const char *text, size_t size, struct seen *seen, struct eds_error *err)
{
    *seen = (struct seen){.count = 0};
    *err = (struct eds_error){.code = EDS_OK};
    return eds_json_gaps_decode(text, size, take, seen, err);
}

static void test_good(void **state)
{
    struct seen seen;
    struct eds_error err;
    const struct eds_gap *gap = &seen.gaps[0];

    (void)state;
    assert_int_equal(decode(good, strlen(good), &seen, &err), EDS_OK);
    assert_int_equal(seen.count, 1);
    assert_string_equal(gap->device_id, "lift-01");
    assert_int_equal(gap->last_sequence, 4);
    assert_int_equal(gap->last_record_hash[31], 0x44);
    assert_int_equal(gap->resume_sequence, 9);
    assert_int_equal(gap->resume_hash[31], 0xab);
    assert_int_equal(gap->closed_ms, 1795305600123);
    assert_string_equal(gap->operator_name, "alice");
    assert_string_equal(gap->reason, "flash replaced");
    assert_int_equal(gap->key_id[0], 0xd1);
    assert_int_equal(gap->signature[63], 0x50);
}

static const struct {
    const char *part, *text; /* the one is put in place of the other */
    const char *error;       /* NULL: still good */
} edits[] = {
    {"[{", " [ { ", NULL},
    {"\"last_sequence\":4,", "\"last_sequence\":8,", NULL},
    {"\"last_sequence\":4,", "\"last_sequence\":9,",
     "gaps[0]: resume_sequence must be above last_sequence at line 1 column 2 (byte 1)"},
    {"\"last_sequence\":4,", "", "gaps[0]: missing field \"last_sequence\""},
    {"\"last_sequence\":4,", "\"last_sequence\":4,\"last_sequence\":4,",
     "gaps[0]: repeated field \"last_sequence\""},
    {"\"last_sequence\":4,", "\"last_sequence\":4,\"note\":1,", "gaps[0]: unknown field \"note\""},
    {"\"last_sequence\":4,", "\"last_sequence\":4.0,", "gaps[0].last_sequence: "},
    {"\"last_sequence\":4,", "\"last_sequence\":18446744073709551616,", "gaps[0].last_sequence: "},
    {LAST, "4" LAST, "gaps[0].last_record_hash: "},
    {RESUME, "AB", "gaps[0].resume_hash: expected 64 lower-case hex digits"},
    {"99ab", "99AB", "gaps[0].resume_hash: expected 64 lower-case hex digits"},
    {"\"alice\"", "\"\"", "gaps[0]: operator must not be empty"},
    {"\"alice\"", "null", "gaps[0].operator: "},
    {"flash", "\\u0000", "gaps[0].reason: "},
    {"flash", "\\n", "gaps[0]: reason has a control character"},
    {"flash", "\xff", "gaps[0].reason: "},
    {"d10e", "d10", "gaps[0].key_id: expected 16 lower-case hex digits"},
    {"5050\"}", "5050\"},", "gaps[1]: expected an object"},
    {"[{", "{", "gaps[0]: expected an array"},
    {"}]", "}]]", "gaps[1]: expected nothing after the value"},
    {"}]", "}", "gaps[1]: expected ',' or ']'"},
};

static char *edited(const char *part, const char *text)
{
    const char *at = strstr(good, part);
    size_t size = sizeof good + strlen(text);
    char *out = malloc(size);

    assert_non_null(at);
    assert_non_null(out);
    snprintf(out, size, "%.*s%s%s", (int)(at - good), good, text, at + strlen(part));
    return out;
}

static void test_edits(void **state)
{
    struct seen seen;
    struct eds_error err;

    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        char *text = edited(edits[i].part, edits[i].text);
        int32_t rc = decode(text, strlen(text), &seen, &err);

        if ((rc == EDS_OK) != (edits[i].error == NULL) ||
            (edits[i].error != NULL && strstr(err.text, edits[i].error) != err.text))
            fail_msg("row %zu: %s", i, rc == EDS_OK ? "good" : err.text);
        free(text);
    }
}

/* However much is missing: cut short, and never good. */
static void test_truncated(void **state)
{
    struct seen seen;
    struct eds_error err;

    (void)state;
    for (size_t size = 0; size < strlen(good); size++)
        assert_int_equal(decode(good, size, &seen, &err), EDS_ERR_TRUNCATED);
}

static void test_none_and_many(void **state)
{
    struct seen seen;
    struct eds_error err;
    char text[4 * sizeof good];
    int size;

    (void)state;
    assert_int_equal(decode(" [ ] ", 5, &seen, &err), EDS_OK);
    assert_int_equal(seen.count, 0);
    size = snprintf(text, sizeof text, "[%.*s , %.*s]", (int)strlen(good) - 2, good + 1,
                    (int)strlen(good) - 2, good + 1);
    assert_int_equal(decode(text, (size_t)size, &seen, &err), EDS_OK);
    assert_int_equal(seen.count, 2);
    assert_memory_equal(&seen.gaps[0], &seen.gaps[1], sizeof seen.gaps[0]);
    seen = (struct seen){.answer = -77};
    assert_int_equal(eds_json_gaps_decode(text, (size_t)size, take, &seen, &err), -77);
    assert_int_equal(seen.count, 1);
}

/* What is written is read as the same, and fits, with the longest texts that have
 * to be escaped. */
static void test_written(void **state)
{
    char text[EDS_JSON_GAP_SIZE_MAX + 2];
    struct seen seen;
    struct eds_error err;
    struct eds_gap gap;
    size_t size;

    (void)state;
    assert_int_equal(decode(good, strlen(good), &seen, &err), EDS_OK);
    gap = seen.gaps[0];
    size = eds_json_gap_encode(text, sizeof text, &gap, EDS_JSON_COMPACT, 0);
    assert_int_equal(size, strlen(good) - 2);
    assert_memory_equal(text, good + 1, size);
    memset(gap.device_id, '"', sizeof gap.device_id - 1);
    memset(gap.operator_name, '\\', sizeof gap.operator_name - 1);
    memset(gap.reason, '"', sizeof gap.reason - 1);
    gap.last_sequence = UINT64_MAX - 1;
    gap.resume_sequence = gap.closed_ms = UINT64_MAX;
    text[0] = '[';
    size = eds_json_gap_encode(text + 1, EDS_JSON_GAP_SIZE_MAX, &gap, EDS_JSON_PRETTY, 8);
    assert_in_range(size, 1, EDS_JSON_GAP_SIZE_MAX - 1);
    text[size + 1] = ']';
    assert_int_equal(decode(text, size + 2, &seen, &err), EDS_OK);
    assert_memory_equal(&seen.gaps[0], &gap, sizeof gap);
    assert_int_equal(eds_json_gap_encode(text, 100, &gap, EDS_JSON_COMPACT, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),      cmocka_unit_test(test_edits),
        cmocka_unit_test(test_truncated), cmocka_unit_test(test_none_and_many),
        cmocka_unit_test(test_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

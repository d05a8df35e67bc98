/* JSONTestSuite: as whole texts, and as the value of every field of a record and
 * of an envelope.  None of it is a record; most of it is not even JSON. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sample.h"
#include "support/vectors.h"

static const char *const fields[] = {"device_id",    "sequence",  "timestamp_ms",
                                     "payload_hash", "signature", "prev_record_hash",
                                     "object_ref",   "attest"};

/* Puts a text in place of a field's value; true if that is a record. */
static bool is_record_with(const char *field, const char *text, size_t size,
                           struct eds_entry *entry)
{
    struct eds_error err = {EDS_OK, ""}, again = {EDS_OK, ""};
    struct eds_entry good;
    struct sample sample;
    char *whole, *at, *end, quoted[32];
    size_t whole_size;
    int32_t rc;
    bool sure, expected;

    sample_entry(&good, true);
    sample_encode(&sample, &good, EDS_JSON_COMPACT);
    snprintf(quoted, sizeof quoted, "\"%s\":", field);
    at = strstr(sample.text, quoted) + strlen(quoted);
    end = strcmp(field, "attest") == 0 ? sample.text + sample.size - 1 : strstr(at, ",\"");
    if (strcmp(field, "object_ref") == 0)
        assert_non_null(strstr(end, "\"attest\""));
    whole_size = (size_t)(at - sample.text) + size + strlen(end);
    whole = malloc(whole_size);
    assert_non_null(whole);
    memcpy(whole, sample.text, (size_t)(at - sample.text));
    memcpy(whole + (at - sample.text), text, size);
    memcpy(whole + (at - sample.text) + size, end, strlen(end));
    rc = eds_json_entry_decode(entry, whole, whole_size, &err);
    assert_int_equal(eds_json_entry_decode(entry, whole, whole_size, &again), rc); /* stable */
    assert_string_equal(err.text, again.text);
    expected = sample_is_record(whole, whole_size, &sure);
    if (sure && (rc == EDS_OK) != expected)
        fail_msg("%s: %.*s: %s", field, (int)size, text, err.text);
    free(whole);
    return rc == EDS_OK;
}

static void check_text(const char *name, const char *text, size_t size, unsigned *taken)
{
    struct eds_entry entry;
    struct eds_envelope envelope;
    struct eds_answer answer;
    struct eds_error err;
    char *copy = sample_exact(text, size);

    assert_int_not_equal(eds_json_entry_decode(&entry, copy, size, &err), EDS_OK);
    assert_int_not_equal(eds_json_answer_decode(&answer, copy, size, &err), EDS_OK);
    assert_int_not_equal(eds_json_envelope_decode(&envelope, copy, size, &err), EDS_OK);
    free(copy);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        bool is_record = is_record_with(fields[i], text, size, &entry);

        if (is_record && name[0] != 'y')
            fail_msg("%s is taken as %s", name, fields[i]);
        *taken += is_record;
    }
}

/* As the value of a field that an answer may have: whatever is JSON is skipped,
 * and nothing else. */
static void check_skipped(const char *name, const char *text, size_t size)
{
    static const char before[] = "{\"more\":", after[] = ",\"status\":\"accepted\"}";
    size_t whole_size = strlen(before) + size + strlen(after);
    char *whole = malloc(whole_size);
    struct eds_answer answer;
    struct eds_error err = {EDS_OK, ""};
    int32_t rc;

    assert_non_null(whole);
    memcpy(whole, before, strlen(before));
    memcpy(whole + strlen(before), text, size);
    memcpy(whole + strlen(before) + size, after, strlen(after));
    rc = eds_json_answer_decode(&answer, whole, whole_size, &err);
    if ((name[0] == 'y' && rc != EDS_OK) || (name[0] == 'n' && rc == EDS_OK))
        fail_msg("%s: %s", name, err.text);
    free(whole);
}

static void test_files(void **state)
{
    DIR *dir = opendir(EDS_TEST_VECTORS "/jsontestsuite");
    struct dirent *file;
    unsigned count = 0, taken = 0;

    (void)state;
    assert_non_null(dir);
    while ((file = readdir(dir)) != NULL) {
        char path[512], *text;
        size_t size;

        if (strstr(file->d_name, ".json") == NULL)
            continue;
        snprintf(path, sizeof path, "jsontestsuite/%s", file->d_name);
        text = vector_file(path, &size);
        check_text(file->d_name, text, size, &taken);
        check_skipped(file->d_name, text, size);
        free(text);
        count++;
    }
    closedir(dir);
    assert_int_equal(count, 210);
    assert_int_equal(taken, 8); /* a lone string or whole number, where one may be */
}

static void test_deep(void **state)
{
    static char text[400000];
    unsigned taken = 0;

    (void)state;
    memset(text, '[', 100000);
    check_text("n_structure_100000_opening_arrays", text, 100000, &taken);
    check_skipped("n_structure_100000_opening_arrays", text, 100000);
    for (size_t i = 0; i < 50000; i++)
        memcpy(text + 5 * i, "[{\"\":", 5);
    check_text("n_structure_open_array_object", text, 250000, &taken);
    check_skipped("n_structure_open_array_object", text, 250000);
    assert_int_equal(taken, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_deep),
    };

    return run_on_all_levels(tests);
}

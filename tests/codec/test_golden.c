/* The original's own records: read, written byte for byte, and read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sample.h"
#include "support/vectors.h"

/* Reads what the original wrote and writes it as the original did. */
static void check_text(const char *text, enum eds_json_style style,
                       const struct eds_entry *expected)
{
    struct eds_entry entry;
    struct eds_error err = {0};
    struct sample again;

    memset(&entry, 0xa5, sizeof entry);
    if (sample_decode(&entry, text, strlen(text), &err) != EDS_OK)
        fail_msg("%s", err.text);
    assert_entries_equal(&entry, expected);
    sample_encode(&again, &entry, style);
    assert_int_equal(again.size, strlen(text));
    assert_string_equal(again.text, text);
}

static void check_record(const json_t *vector, const json_t *record)
{
    struct eds_entry expected = {0};

    vector_record(&expected.record, record);
    check_text(vector_string(vector, "json_compact"), EDS_JSON_COMPACT, &expected);
    check_text(vector_string(vector, "json_pretty"), EDS_JSON_PRETTY, &expected);
}

/* What this project refuses and the original took, by its error; or NULL. */
static const char *refusal(const json_t *record)
{
    const json_t *id = json_object_get(record, "device_id");
    const json_t *ref = json_object_get(record, "object_ref");

    if (strlen(json_string_value(id)) < json_string_length(id) ||
        strlen(json_string_value(ref)) < json_string_length(ref))
        return "NUL is not allowed in a string";
    if (json_string_length(id) >= EDS_DEVICE_ID_SIZE)
        return "record.device_id: the string is longer than 255 bytes";
    if (json_string_length(ref) >= EDS_OBJECT_REF_SIZE)
        return "record.object_ref: the string is longer than 511 bytes";
    return NULL;
}

static void check_vector(const json_t *vector, size_t *refused_count)
{
    const char *text = vector_string(vector, "json_compact"), *words;
    json_t *record = vector_parse(text);
    struct eds_entry entry;
    struct eds_error err = {0};

    words = refusal(record);
    if (words == NULL) {
        check_record(vector, record);
    } else {
        assert_int_equal(sample_decode(&entry, text, strlen(text), &err), EDS_ERR_MALFORMED);
        if (strstr(err.text, words) == NULL)
            fail_msg("%s", err.text);
        ++*refused_count;
    }
    json_decref(record);
}

static void check_file(const char *path, size_t count, size_t refused_count)
{
    json_t *vectors = vector_load(path), *vector;
    size_t i, refused = 0;

    assert_int_equal(json_array_size(vectors), count);
    json_array_foreach(vectors, i, vector)
    {
        check_vector(vector, &refused);
    }
    assert_int_equal(refused, refused_count);
    json_decref(vectors);
}

static void test_demo_chain(void **state)
{
    (void)state;
    check_file("peer/demo_chain.json", 3, 0);
}

static void test_edge_records(void **state)
{
    (void)state;
    check_file("peer/edge_records.json", 104, 12);
}

/* The pretty file's records, written compactly one after the other, are the
 * compact file byte for byte; it has the line's end that a text file has. */
static void test_demo_compact(void **state)
{
    size_t size, used = 0, i;
    char *text = vector_file("peer/demo_records_compact.json", &size);
    json_t *records = vector_load("peer/demo_records.json"), *record;
    char *made = malloc(size + 2);

    (void)state;
    assert_non_null(made);
    assert_int_equal(json_array_size(records), 3);
    json_array_foreach(records, i, record)
    {
        struct eds_entry entry = {0};

        vector_record(&entry.record, record);
        made[used++] = i == 0 ? '[' : ',';
        assert_true(used < size);
        used += eds_json_entry_encode(made + used, size - used, &entry, EDS_JSON_COMPACT, 0);
    }
    made[used++] = ']';
    assert_true(used == size || (used + 1 == size && text[used] == '\n'));
    assert_memory_equal(made, text, used);
    free(made);
    free(text);
    json_decref(records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_demo_chain),
        cmocka_unit_test(test_edge_records),
        cmocka_unit_test(test_demo_compact),
    };

    return run_on_all_levels(tests);
}

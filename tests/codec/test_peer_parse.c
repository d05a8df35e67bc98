/* Texts that the original was given: what it took is taken, and what it refused
 * is refused, but for the differences that docs/DESIGN.md lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sample.h"
#include "support/vectors.h"

/* Where we refuse what the original took, each by its rule: a record is an
 * object, all its fields are known, and no string holds a NUL. */
static const struct {
    const char *name, *words;
} refused[] = {
    {"struct as array (accepted by serde)", "expected an object, found '['"},
    {"unknown field (ignored)", "unknown field \""},
    {"zk_proof field null (ignored)", "unknown field \"zk_proof\""},
    {"duplicate unknown field", "unknown field \""},
    {"unknown field nested 126 deep", "unknown field \""},
    {"unknown field nested 127 deep", "unknown field \""},
    {"unknown field nested 128 deep", "unknown field \""},
    {"unknown field nested 5000 deep", "unknown field \""},
    {"unknown field 1e999", "unknown field \""},
    {"unknown field lone surrogate", "unknown field \""},
    {"device_id escaped NUL", "record.device_id: NUL is not allowed"},
    {"object_ref escaped NUL", "record.object_ref: NUL is not allowed"},
};

#define REFUSED_COUNT (sizeof refused / sizeof refused[0])

static const char *find_refusal(const char *name)
{
    for (size_t i = 0; i < REFUSED_COUNT; i++)
        if (strcmp(refused[i].name, name) == 0)
            return refused[i].words;
    return NULL;
}

/* The text of a case, as text or in hex. */
static size_t case_text(const json_t *vector, char *out, size_t out_size)
{
    const json_t *input = json_object_get(vector, "input");

    if (input == NULL)
        return vector_hex(vector, "input_hex", out, out_size);
    assert_true(json_string_length(input) <= out_size);
    memcpy(out, json_string_value(input), json_string_length(input));
    return json_string_length(input);
}

static void check_taken(const json_t *vector, const struct eds_entry *entry)
{
    struct eds_entry expected = {0};
    json_t *record = vector_parse(vector_string(vector, "record_json"));
    uint8_t digest[EDS_HASH_SIZE];

    vector_record(&expected.record, record);
    assert_entries_equal(entry, &expected);
    assert_int_equal(eds_record_digest(digest, &entry->record), EDS_OK);
    assert_hex(digest, sizeof digest, vector_string(vector, "record_hash_hex"));
    json_decref(record);
}

static void test_records(void **state)
{
    json_t *vectors = vector_load("peer/json_record_parse.json"), *vector;
    static char text[64 * 1024];
    size_t i, differences = 0;

    (void)state;
    assert_int_equal(json_array_size(vectors), 179);
    json_array_foreach(vectors, i, vector)
    {
        const char *name = vector_string(vector, "name"), *words = find_refusal(name);
        bool taken = strcmp(vector_string(vector, "result"), "ok") == 0;
        size_t size = case_text(vector, text, sizeof text);
        struct eds_entry entry;
        struct eds_error err = {EDS_OK, ""};
        int32_t rc = sample_decode(&entry, text, size, &err);

        if ((rc == EDS_OK) != (taken && words == NULL))
            fail_msg("%s: %s", name, err.text);
        if (words != NULL) {
            assert_true(taken);
            if (strstr(err.text, words) == NULL)
                fail_msg("%s: %s", name, err.text);
            differences++;
        }
        if (rc == EDS_OK)
            check_taken(vector, &entry);
        else
            assert_true(err.code == rc && err.text[0] != '\0');
    }
    assert_int_equal(differences, REFUSED_COUNT);
    json_decref(vectors);
}

/* A text as a file. */
struct source {
    const char *text;
    size_t size, at;
};

static ptrdiff_t read_source(void *context, void *buf, size_t size)
{
    struct source *source = context;
    size_t left = source->size - source->at;

    size = size < left ? size : left;
    memcpy(buf, source->text + source->at, size);
    source->at += size;
    return (ptrdiff_t)size;
}

static void test_files(void **state)
{
    json_t *vectors = vector_load("peer/json_file_parse.json"), *vector;
    static char text[64 * 1024], buf[2 * EDS_JSON_ENTRY_TEXT_MAX];
    size_t i;

    (void)state;
    assert_int_equal(json_array_size(vectors), 11);
    json_array_foreach(vectors, i, vector)
    {
        struct source source = {text, case_text(vector, text, sizeof text), 0};
        struct eds_chain_reader reader;
        struct eds_entry entry;
        struct eds_error err = {EDS_OK, ""};
        bool taken = strcmp(vector_string(vector, "result"), "ok") == 0;

        eds_chain_reader_init(&reader, EDS_CHAIN_ARRAY, read_source, &source, buf, sizeof buf);
        while (eds_chain_reader_next(&reader, &entry, &err) == EDS_OK)
            continue;
        if ((err.code == EDS_ERR_NOT_FOUND) != taken)
            fail_msg("%s: %s", vector_string(vector, "name"), err.text);
        if (taken)
            assert_int_equal(reader.count, vector_u64(vector, "count"));
    }
    json_decref(vectors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_files),
    };

    return run_on_all_levels(tests);
}

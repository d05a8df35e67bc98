/* The payloads file's reader, alone and by a thread ahead: however the bytes arrive, and
 * whatever is wrong. */
#include "evidence/payload_ahead.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/alloc.h"

struct source {
    const char *text;
    size_t size, at;
    size_t step;  /* bytes a read */
    bool failing; /* at the end */
};

static ptrdiff_t read_source(void *context, void *buf, size_t size)
{
    struct source *source = context;
    size_t left = source->size - source->at;

    size = size < source->step ? size : source->step;
    size = size < left ? size : left;
    if (size == 0 && source->failing) {
        errno = EIO;
        return -1;
    }
    memcpy(buf, source->text + source->at, size);
    source->at += size;
    return (ptrdiff_t)size;
}

/* A reader, and who reads ahead, if anybody. */
struct reading {
    struct eds_payload_reader reader;
    struct eds_payload_ahead *ahead;
};

static int32_t next(struct reading *reading, void **out, size_t *out_size, struct eds_error *err)
{
    return reading->ahead != NULL ? eds_payload_ahead_next(reading->ahead, out, out_size, err)
                                  : eds_payload_reader_next(&reading->reader, out, out_size, err);
}

/* Reads to the end or the first error; *count is the payloads read. */
static int32_t read_by(bool is_ahead, struct source source, size_t *count, struct eds_error *err)
{
    struct reading *reading = calloc(1, sizeof *reading);
    void *payload;
    size_t payload_size;
    int32_t rc;

    assert_non_null(reading);
    eds_payload_reader_init(&reading->reader, read_source, &source);
    if (is_ahead) {
        reading->ahead = eds_payload_ahead_start(&reading->reader);
        assert_non_null(reading->ahead);
    }
    for (*count = 0; (rc = next(reading, &payload, &payload_size, err)) == EDS_OK; ++*count) {
        assert_non_null(payload);
        for (size_t i = 0; i < payload_size; i++) /* payload k is k bytes of value k */
            assert_int_equal(((uint8_t *)payload)[i], *count);
        assert_int_equal(payload_size, *count);
        free(payload);
    }
    if (rc == EDS_ERR_NOT_FOUND || is_ahead) /* the end stays the end */
        assert_int_equal(next(reading, &payload, &payload_size, err), rc);
    eds_payload_ahead_end(reading->ahead);
    free(reading);
    return rc;
}

/* Both ways, which must give the same. */
static int32_t read_all(const char *text, size_t size, size_t step, bool failing, size_t *count,
                        struct eds_error *err)
{
    const struct source source = {text, size, 0, step, failing};
    struct eds_error ahead_err = {0, ""};
    size_t ahead_count;
    int32_t rc = read_by(false, source, count, err);

    assert_int_equal(read_by(true, source, &ahead_count, &ahead_err), rc);
    assert_int_equal(ahead_count, *count);
    if (rc != EDS_ERR_NOT_FOUND)
        assert_string_equal(ahead_err.text, err->text);
    return rc;
}

static const struct row {
    const char *text;
    int32_t rc;
    size_t count;
    const char *error; /* what *err must hold; NULL at the proper end */
} rows[] = {
    {"[]", EDS_ERR_NOT_FOUND, 0, NULL},
    {" [ \n ] \t\r\n", EDS_ERR_NOT_FOUND, 0, NULL},
    {"[\"\"]", EDS_ERR_NOT_FOUND, 1, NULL},
    {"[\"\",\"01\",\"0202\"]", EDS_ERR_NOT_FOUND, 3, NULL},
    {" [ \"\" , \"01\" , \"0202\" ] ", EDS_ERR_NOT_FOUND, 3, NULL},
    {"", EDS_ERR_TRUNCATED, 0, "ends too early at byte 0 (payload 0)"},
    {"[", EDS_ERR_TRUNCATED, 0, "ends too early at byte 1"},
    {"[\"", EDS_ERR_TRUNCATED, 0, "ends too early at byte 2"},
    {"[\"\"", EDS_ERR_TRUNCATED, 1, "ends too early at byte 3 (payload 1)"},
    {"[\"\",", EDS_ERR_TRUNCATED, 1, "ends too early at byte 4"},
    {"[\"\",\"0", EDS_ERR_TRUNCATED, 1, "ends too early at byte 6"},
    {"{}", EDS_ERR_MALFORMED, 0, "expected '['"},
    {"x", EDS_ERR_MALFORMED, 0, "at byte 0"},
    {"[1]", EDS_ERR_MALFORMED, 0, "expected a hex string at byte 1"},
    {"[\"\" \"01\"]", EDS_ERR_MALFORMED, 1, "expected ',' or ']' at byte 4"},
    {"[\"\",]", EDS_ERR_MALFORMED, 1, "expected a hex string at byte 4"},
    {"[,\"\"]", EDS_ERR_MALFORMED, 0, "expected a hex string at byte 1"},
    {"[\"\"]x", EDS_ERR_MALFORMED, 1, "expected nothing after ']' at byte 4"},
    {"[\"\"][]", EDS_ERR_MALFORMED, 1, "at byte 4"},
    {"[\"\",\"0\"]", EDS_ERR_MALFORMED, 1, "Odd number of digits at byte 5 (payload 1)"},
    {"[\"\",\"0g\"]", EDS_ERR_MALFORMED, 1, "Invalid character 'g' at position 1 at byte 5"},
    {"[\"\",\"\\u0030\"]", EDS_ERR_MALFORMED, 1, "Invalid character '\\\\' at position 0"},
    {"[\"\",\"0\n\"]", EDS_ERR_MALFORMED, 1, "Invalid character '\\n' at position 1"},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];

        for (size_t step = 1; step <= strlen(row->text) + 1; step++) {
            struct eds_error err = {0, ""};
            size_t count;

            assert_int_equal(read_all(row->text, strlen(row->text), step, false, &count, &err),
                             row->rc);
            assert_int_equal(count, row->count);
            if (row->error != NULL && strstr(err.text, row->error) == NULL)
                fail_msg("%s: '%s' has no '%s'", row->text, err.text, row->error);
        }
    }
}

static void test_nul(void **state)
{
    struct eds_error err;
    size_t count;

    (void)state;
    assert_int_equal(read_all("[\0]", 3, 9, false, &count, &err), EDS_ERR_MALFORMED);
    assert_string_equal(err.text, "payloads file: a NUL byte at byte 1 (payload 0)");
}

/* A read that fails is no end. */
static void test_read_failure(void **state)
{
    static const char text[] = "[\"\",\"01\"]";

    (void)state;
    for (size_t size = 0; size < sizeof text; size++) {
        struct eds_error err;
        size_t count;

        assert_int_equal(
            read_all(text, size < sizeof text - 1 ? size : sizeof text - 1, 3, true, &count, &err),
            EDS_ERR_IO);
        assert_string_equal(err.text, "Input/output error (os error 5): payloads file");
    }
}

/* 255 payloads with many growths of memory and refills in between, and one
 * byte more than is allowed. */
static void test_sizes(void **state)
{
    char *text = malloc(2 * (size_t)EDS_PAYLOAD_SIZE_MAX + 16);
    struct eds_error err;
    size_t size = 0;
    size_t count;

    (void)state;
    assert_non_null(text);
    text[size++] = '[';
    for (size_t k = 0; k < 255; k++) {
        text[size++] = '"';
        for (size_t i = 0; i < k; i++)
            size += (size_t)sprintf(text + size, "%02zx", k);
        text[size++] = '"';
        text[size++] = k < 254 ? ',' : ']';
    }
    assert_int_equal(read_all(text, size, 1000, false, &count, &err), EDS_ERR_NOT_FOUND);
    assert_int_equal(count, 255);
    memset(text, '0', 2 * (size_t)EDS_PAYLOAD_SIZE_MAX + 16);
    memcpy(text, "[\"", 2);
    assert_int_equal(
        read_all(text, 2 * (size_t)EDS_PAYLOAD_SIZE_MAX + 16, SIZE_MAX, false, &count, &err),
        EDS_ERR_TOO_LARGE);
    free(text);
}

/* More than are ahead, and payload k is the number k; ended in the middle, and at once. */
static void test_ahead(void **state)
{
    enum { COUNT = 5000, DIGITS = 512 };
    char *text = malloc((size_t)COUNT * (DIGITS + 3) + 3), *at = text;

    (void)state;
    assert_non_null(text);
    for (unsigned k = 0; k < COUNT; k++)
        at += sprintf(at, "%c\"%0*x\"", k == 0 ? '[' : ',', DIGITS, k);
    *at++ = ']';
    for (unsigned wanted = 0; wanted <= COUNT; wanted += COUNT / 2) {
        struct source source = {text, (size_t)(at - text), 0, 4096, false};
        struct reading *reading = calloc(1, sizeof *reading);

        assert_non_null(reading);
        eds_payload_reader_init(&reading->reader, read_source, &source);
        reading->ahead = eds_payload_ahead_start(&reading->reader);
        assert_non_null(reading->ahead);
        for (unsigned k = 0; k < wanted; k++) {
            const uint8_t last[2] = {(uint8_t)(k >> 8), (uint8_t)k};
            uint8_t *payload;
            size_t size;

            assert_int_equal(next(reading, (void **)&payload, &size, NULL), EDS_OK);
            assert_int_equal(size, DIGITS / 2);
            assert_memory_equal(payload + size - 2, last, sizeof last);
            free(payload);
        }
        eds_payload_ahead_end(reading->ahead);
        if (wanted == 0) /* memory is bounded */
            assert_true(reading->reader.count < COUNT / 2);
        free(reading);
    }
    free(text);
}

static void test_no_memory(void **state)
{
    static const char text[] = "[\"\"]";
    struct source source = {text, sizeof text - 1, 0, 100, false};
    struct eds_payload_reader *reader = malloc(sizeof *reader);
    struct eds_error err;
    void *payload;
    size_t size;

    (void)state;
    assert_non_null(reader);
    eds_payload_reader_init(reader, read_source, &source);
    alloc_fail_at(1);
    assert_int_equal(eds_payload_reader_next(reader, &payload, &size, &err), EDS_ERR_NO_MEMORY);
    alloc_fail_at(0);
    free(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),         cmocka_unit_test(test_nul),
        cmocka_unit_test(test_read_failure), cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_ahead),        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Files of records: the same entries and the same errors however the bytes come
 * in, in a buffer of fixed size. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sample.h"
#include "support/dice.h"

static const size_t read_sizes[] = {1, 2, 3, 7, 4096, SIZE_MAX};
#define READ_SIZES (sizeof read_sizes / sizeof read_sizes[0])

/* A file that gives at most read_size bytes a call, and fails at fail_at. */
struct source {
    const char *text;
    size_t size, at, read_size, fail_at;
    bool ended; /* has said so: not to be asked again */
};

static ptrdiff_t read_source(void *context, void *buf, size_t size)
{
    struct source *source = context;
    size_t left = source->size - source->at;

    assert_true(size > 0 && !source->ended);
    if (source->at >= source->fail_at) {
        errno = EIO;
        return -1;
    }
    size = size < source->read_size ? size : source->read_size;
    size = size < left ? size : left;
    if (size > 0)
        memcpy(buf, source->text + source->at, size);
    source->at += size;
    source->ended = size == 0;
    return (ptrdiff_t)size;
}

/* What a file holds. */
struct outcome {
    uint64_t count, consumed;
    uint64_t sum; /* of something in each entry and its place */
    int32_t rc;
    struct eds_error err;
};

static struct outcome read_all(enum eds_chain_format format, const char *text, size_t size,
                               size_t read_size)
{
    struct source source = {text, size, 0, read_size, SIZE_MAX, false};
    size_t buf_size = 2 * EDS_JSON_ENTRY_TEXT_MAX;
    char *buf = malloc(buf_size);
    struct eds_chain_reader reader;
    struct eds_entry entry;
    struct eds_error again = {EDS_OK, ""};
    struct outcome outcome = {0};

    assert_non_null(buf);
    eds_chain_reader_init(&reader, format, read_source, &source, buf, buf_size);
    while ((outcome.rc = eds_chain_reader_next(&reader, &entry, &outcome.err)) == EDS_OK) {
        outcome.count++;
        outcome.sum = outcome.sum * 31 + entry.record.sequence + entry.record.signature[5];
        assert_int_equal(reader.count, outcome.count);
    }
    outcome.consumed = reader.consumed;
    assert_int_equal(outcome.err.code, outcome.rc);
    assert_true(outcome.err.text[0] != '\0');
    assert_int_equal(eds_chain_reader_next(&reader, &entry, &again), outcome.rc); /* it stays */
    assert_int_equal(eds_chain_reader_next(&reader, &entry, NULL), outcome.rc);
    assert_int_equal(again.code, outcome.rc);
    free(buf);
    return outcome;
}

/* Reads in pieces of all sizes; they must not differ. */
static struct outcome read_in_all_sizes(enum eds_chain_format format, const char *text, size_t size)
{
    struct outcome first = read_all(format, text, size, read_sizes[0]);

    for (size_t i = 1; i < READ_SIZES; i++) {
        struct outcome other = read_all(format, text, size, read_sizes[i]);

        if (strcmp(first.err.text, other.err.text) != 0)
            fail_msg("by %zu: %s\nby %zu: %s", read_sizes[0], first.err.text, read_sizes[i],
                     other.err.text);
        assert_int_equal(first.rc, other.rc);
        assert_true(first.count == other.count && first.sum == other.sum);
        assert_int_equal(first.consumed, other.consumed);
    }
    return first;
}

/* Writes count records: style and what stands before, between and after them. */
static size_t write_file(char *out, size_t out_size, size_t count, enum eds_json_style style,
                         const char *before, const char *between, const char *after)
{
    size_t used = (size_t)snprintf(out, out_size, "%s", before);

    for (size_t i = 0; i < count; i++) {
        struct eds_entry entry;
        struct sample sample;

        sample_entry(&entry, i % 3 == 1);
        entry.record.sequence = i + 1;
        entry.record.signature[5] = (uint8_t)(i * 7);
        sample_encode(&sample, &entry, style);
        used += (size_t)snprintf(out + used, out_size - used, "%s%.*s", i > 0 ? between : "",
                                 (int)sample.size, sample.text);
    }
    used += (size_t)snprintf(out + used, out_size - used, "%s", after);
    assert_true(used < out_size);
    return used;
}

static char file[4 * 1024 * 1024];

static const struct {
    enum eds_chain_format format;
    enum eds_json_style style;
    const char *before, *between, *after;
} good[] = {
    {EDS_CHAIN_ARRAY, EDS_JSON_COMPACT, "[", ",", "]"},
    {EDS_CHAIN_ARRAY, EDS_JSON_COMPACT, " \r\n[\t", "\n , \n", "\n]\n\n"},
    {EDS_CHAIN_ARRAY, EDS_JSON_PRETTY, "[\n", ",\n", "\n]"},
    {EDS_CHAIN_NDJSON, EDS_JSON_COMPACT, "", "\n", "\n"},
    {EDS_CHAIN_NDJSON, EDS_JSON_COMPACT, "", "\n", ""},
    {EDS_CHAIN_NDJSON, EDS_JSON_COMPACT, "\n \n", "\t\r\n\n \r\n ", "\r\n\n"},
};

static void test_good_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        for (size_t count = 0; count <= 200; count = count * 3 + 1) {
            size_t size = write_file(file, sizeof file, count, good[i].style, good[i].before,
                                     good[i].between, good[i].after);
            struct outcome outcome = read_in_all_sizes(good[i].format, file, size);

            if (outcome.rc != EDS_ERR_NOT_FOUND)
                fail_msg("%s", outcome.err.text);
            assert_int_equal(outcome.count, count);
            assert_int_equal(outcome.consumed, size);
        }
    }
}

/* Many buffers long, in reads that fall anywhere. */
static void test_long_file(void **state)
{
    static const size_t sizes[] = {1009, 65536, 99991, SIZE_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        size_t size = write_file(file, sizeof file, 2000, good[i].style, good[i].before,
                                 good[i].between, good[i].after);
        uint64_t sum = 0;

        for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
            struct outcome outcome = read_all(good[i].format, file, size, sizes[k]);

            assert_int_equal(outcome.rc, EDS_ERR_NOT_FOUND);
            assert_int_equal(outcome.count, 2000);
            assert_true(k == 0 || outcome.sum == sum);
            sum = outcome.sum;
        }
    }
}

/* Cut anywhere, a file ends too early, unless only white space is missing. */
static void test_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        size_t size = write_file(file, sizeof file, 3, good[i].style, good[i].before,
                                 good[i].between, good[i].after);
        size_t step = good[i].style == EDS_JSON_PRETTY ? 3 : 1;

        for (size_t cut = 0; cut < size; cut += step) {
            struct outcome outcome = read_all(good[i].format, file, cut, read_sizes[cut % 3]);
            struct outcome whole = read_all(good[i].format, file, cut, SIZE_MAX);
            bool ended = cut == 0 || strchr("}\r\n \t", file[cut - 1]) != NULL;

            if (outcome.rc == EDS_ERR_NOT_FOUND)
                assert_true(good[i].format == EDS_CHAIN_NDJSON ? ended
                                                               : strchr(file + cut, ']') == NULL);
            else if (outcome.rc != EDS_ERR_TRUNCATED)
                fail_msg("%zu bytes: %s", cut, outcome.err.text);
            assert_string_equal(outcome.err.text, whole.err.text);
            assert_int_equal(outcome.count, whole.count);
        }
    }
}

#define R1                                                                                         \
    "{\"device_id\":\"a\",\"sequence\":1,\"timestamp_ms\":1,\"payload_hash\":[0,0,0,0,0,0,0,0,0,"  \
    "0,0,"                                                                                         \
    "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],\"signature\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0," \
    "0,"                                                                                           \
    "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]" \
    ","                                                                                            \
    "\"prev_record_hash\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"      \
    "\"object_ref\":\"\"}"

static const struct {
    enum eds_chain_format format;
    const char *text;
    int32_t rc;
    uint64_t count;
    const char *error;
} bad[] = {
    {EDS_CHAIN_ARRAY, "", EDS_ERR_TRUNCATED, 0,
     "records: expected an array of records, found the end of the file at line 1 column 1 (byte "
     "0)"},
    {EDS_CHAIN_ARRAY, "\n {", EDS_ERR_MALFORMED, 0,
     "records: expected an array of records, found '{' at line 2 column 2 (byte 2)"},
    {EDS_CHAIN_ARRAY, "[}", EDS_ERR_MALFORMED, 0,
     "records[0]: expected an object, found '}' at line 1 column 2 (byte 1)"},
    {EDS_CHAIN_ARRAY, "[,", EDS_ERR_MALFORMED, 0,
     "records[0]: expected an object, found ',' at line 1 column 2 (byte 1)"},
    {EDS_CHAIN_ARRAY, "[]]", EDS_ERR_MALFORMED, 0,
     "records: expected nothing after the array, found ']' at line 1 column 3 (byte 2)"},
    {EDS_CHAIN_ARRAY, "[\n" R1 "\n" R1, EDS_ERR_MALFORMED, 1,
     "records: expected ',' or ']', found '{' at line 3 column 1 (byte 374)"},
    {EDS_CHAIN_ARRAY, "[" R1 ",\n]", EDS_ERR_MALFORMED, 1,
     "records[1]: expected an object, found ']' at line 2 column 1 (byte 374)"},
    {EDS_CHAIN_ARRAY, "[" R1 ",\r\n \"x\"]", EDS_ERR_MALFORMED, 1,
     "records[1]: expected an object, found '\"' at line 2 column 2 (byte 376)"},
    {EDS_CHAIN_ARRAY, "[" R1 ",\n {\n \"sequence\" : -1}]", EDS_ERR_MALFORMED, 1,
     "records[1].sequence: expected a whole number, found '-' at line 3 column 15 (byte 391)"},
    {EDS_CHAIN_ARRAY, "[" R1, EDS_ERR_TRUNCATED, 1,
     "records: expected ',' or ']', found the end of the file at line 1 column 373 (byte 372)"},
    {EDS_CHAIN_ARRAY, "[" R1 ",{\"sequence\":1", EDS_ERR_TRUNCATED, 1,
     "records[1].sequence: expected a number without fraction and exponent, found the end of the "
     "file at line 1 column 387 (byte 386)"},
    {EDS_CHAIN_NDJSON, "[" R1 "]", EDS_ERR_MALFORMED, 0,
     "records[0]: expected an object, found '[' at line 1 column 1 (byte 0)"},
    {EDS_CHAIN_NDJSON, R1 "\n\n" R1 ",\n", EDS_ERR_MALFORMED, 1,
     "records[1]: expected nothing after the value, found ',' at line 3 column 372 (byte 744)"},
    {EDS_CHAIN_NDJSON, R1 " " R1, EDS_ERR_MALFORMED, 0,
     "records[0]: expected nothing after the value, found '{' at line 1 column 373 (byte 372)"},
    {EDS_CHAIN_NDJSON, "{\n}", EDS_ERR_MALFORMED, 0,
     "records[0]: expected a field's name in quotes, found the end of the line at line 1 column 2 "
     "(byte 1)"},
    {EDS_CHAIN_NDJSON, R1 "\n{", EDS_ERR_TRUNCATED, 1,
     "records[1]: expected a field's name in quotes, found the end of the file at line 2 column 2 "
     "(byte 373)"},
};

static void test_bad_files(void **state)
{
    (void)state;
    assert_int_equal(strlen(R1), 371);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct outcome outcome = read_in_all_sizes(bad[i].format, bad[i].text, strlen(bad[i].text));

        assert_string_equal(outcome.err.text, bad[i].error);
        assert_int_equal(outcome.rc, bad[i].rc);
        assert_int_equal(outcome.count, bad[i].count);
    }
}

/* A record may take so many bytes, white space in it included, and no more;
 * white space between records is without limit. */
static void test_limit(void **state)
{
    const size_t limit = EDS_JSON_ENTRY_TEXT_MAX, pad = limit - strlen(R1);
    struct outcome outcome;

    (void)state;
    for (size_t over = 0; over <= 1; over++) {
        size_t used = 0;

        memset(file, ' ', 200000);
        file[0] = '[';
        used = 200000;
        file[used++] = '{';
        memset(file + used, '\t', pad + over);
        used += pad + over;
        memcpy(file + used, &R1[1], strlen(R1) - 1);
        used += strlen(R1) - 1;
        memset(file + used, '\n', 200000);
        used += 200000;
        file[used++] = ']';
        outcome = read_in_all_sizes(EDS_CHAIN_ARRAY, file, used);
        assert_int_equal(outcome.rc, over == 0 ? EDS_ERR_NOT_FOUND : EDS_ERR_TOO_LARGE);
        assert_int_equal(outcome.count, 1 - over);
        if (over == 1)
            assert_string_equal(outcome.err.text,
                                "records[0]: the text of a record is longer than 65536 bytes at "
                                "line 1 column 200001 (byte 200000)");
        file[0] = ' ';
        file[used - 1] = '\n';
        outcome = read_in_all_sizes(EDS_CHAIN_NDJSON, file, used);
        assert_int_equal(outcome.rc, over == 0 ? EDS_ERR_NOT_FOUND : EDS_ERR_TOO_LARGE);
    }
    memset(file, '}', sizeof file); /* never a record, whatever comes */
    file[0] = '[';
    outcome = read_in_all_sizes(EDS_CHAIN_ARRAY, file, 300000);
    assert_int_equal(outcome.rc, EDS_ERR_MALFORMED);
    memset(file, ' ', sizeof file); /* begun, and no end to it */
    memcpy(file, "[{", 2);
    outcome = read_in_all_sizes(EDS_CHAIN_ARRAY, file, 300000);
    assert_int_equal(outcome.rc, EDS_ERR_TOO_LARGE);
    memset(file, '"', sizeof file);
    outcome = read_in_all_sizes(EDS_CHAIN_NDJSON, file, 300000);
    assert_int_equal(outcome.rc, EDS_ERR_TOO_LARGE);
}

static void test_read_errors(void **state)
{
    static char buf[2 * EDS_JSON_ENTRY_TEXT_MAX];
    size_t size = write_file(file, sizeof file, 3, EDS_JSON_COMPACT, "[", ",", "]");

    (void)state;
    for (int format = EDS_CHAIN_ARRAY; format <= EDS_CHAIN_COMPACT; format++) {
        struct source source = {file + (format == EDS_CHAIN_NDJSON), size, 0, 7, 5, false};
        struct eds_chain_reader reader;
        struct eds_entry entry;
        struct eds_error err = {EDS_OK, ""};
        char expected[128];

        snprintf(expected, sizeof expected, "records: cannot read on at byte 7: %s (os error 5)",
                 strerror(5));
        eds_chain_reader_init(&reader, (enum eds_chain_format)format, read_source, &source, buf,
                              sizeof buf);
        assert_int_equal(eds_chain_reader_next(&reader, &entry, &err), EDS_ERR_IO);
        assert_string_equal(err.text, expected);
        source.fail_at = SIZE_MAX;
        assert_int_equal(eds_chain_reader_next(&reader, &entry, &err), EDS_ERR_IO);
    }
}

/* What is wrong already is told, and not that reading failed behind it, however
 * little of it was read at a time. */
static void test_fault_before_read_error(void **state)
{
    static char buf[2 * EDS_JSON_ENTRY_TEXT_MAX];
    size_t size = write_file(file, sizeof file, 1, EDS_JSON_COMPACT, "[", ",", "]");
    size_t colon = (size_t)(strchr(file, ':') - file);

    (void)state;
    file[colon] = ';';
    for (size_t piece = 1; piece < 64; piece++) {
        struct source source = {file, size, 0, piece, colon + 20, false};
        struct eds_chain_reader reader;
        struct eds_entry entry;

        eds_chain_reader_init(&reader, EDS_CHAIN_ARRAY, read_source, &source, buf, sizeof buf);
        assert_int_equal(eds_chain_reader_next(&reader, &entry, NULL), EDS_ERR_MALFORMED);
    }
}

static void test_compact(void **state)
{
    size_t ends[40], size = 0, used;

    (void)state;
    for (size_t i = 0; i < 40; i++) {
        struct eds_entry entry;

        sample_entry(&entry, i % 3 == 1);
        entry.record.sequence = i + 1;
        assert_int_equal(eds_compact_encode((uint8_t *)file + size, &used, &entry), EDS_OK);
        size += used;
        ends[i] = size;
    }
    for (size_t cut = 0; cut <= size; cut += cut < ends[1] ? 1 : 97) {
        struct outcome outcome = read_in_all_sizes(EDS_CHAIN_COMPACT, file, cut);
        size_t count = 0;

        while (count < 40 && ends[count] <= cut)
            count++;
        assert_int_equal(outcome.count, count);
        assert_int_equal(outcome.consumed, count > 0 ? ends[count - 1] : 0);
        assert_int_equal(outcome.rc,
                         outcome.consumed == cut ? EDS_ERR_NOT_FOUND : EDS_ERR_TRUNCATED);
    }
    file[ends[4] + 1] = '\xff'; /* in the id of the sixth */
    assert_int_equal(read_in_all_sizes(EDS_CHAIN_COMPACT, file, size).rc, EDS_ERR_MALFORMED);
    used = (size_t)snprintf(file + size, 64, "records[5] at byte %zu: ", ends[4]);
    assert_memory_equal(read_all(EDS_CHAIN_COMPACT, file, size, 7).err.text, file + size, used);
}

static void test_random_damage(void **state)
{
    struct dice dice;

    (void)state;
    dice_seed(&dice);
    for (unsigned i = 0; i < 600; i++) {
        size_t which = dice_below(&dice, sizeof good / sizeof good[0]);
        size_t size = write_file(file, sizeof file, 3, good[which].style, good[which].before,
                                 good[which].between, good[which].after);
        size_t at = dice_below(&dice, size), run = dice_below(&dice, size - at);

        switch (dice_below(&dice, 3)) {
        case 0:
            file[at] = (char)dice_below(&dice, 256);
            break;
        case 1:
            memmove(file + at, file + at + run, size - at - run);
            size -= run;
            break;
        default:
            memmove(file + at + 1, file + at, size - at);
            file[at] = "{}[],:\"\n\\ 0-"[dice_below(&dice, 12)];
            size++;
        }
        (void)read_in_all_sizes(good[which].format, file, size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_files),
        cmocka_unit_test(test_long_file),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_read_errors),
        cmocka_unit_test(test_fault_before_read_error),
        cmocka_unit_test(test_compact),
        cmocka_unit_test(test_random_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

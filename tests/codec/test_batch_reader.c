/* test_batch_reader.c - batches in both forms: what is read, and what is said of
 * what cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/batch_reader.h"
#include "edgesentry/attest.h"

#define RECORD_COUNT 3u

static struct eds_entry entries[RECORD_COUNT];
static uint8_t payloads[RECORD_COUNT][300];
static const size_t payload_sizes[RECORD_COUNT] = {0, 5, 300}; /* a size of one byte and of two */
static char lines[3 * 8192], bytes[3 * 2048];
static size_t lines_size, bytes_size, byte_ends[RECORD_COUNT];

static int make_batches(void **state)
{
    uint8_t seed[EDS_SEED_SIZE] = {1}, hash[EDS_HASH_SIZE] = {0};

    (void)state;
    for (unsigned i = 0; i < RECORD_COUNT; i++) {
        size_t size;

        memset(payloads[i], (int)i + 1, sizeof payloads[i]);
        assert_int_equal(eds_record_sign(&entries[i].record, "lift-01", i + 1, 5, payloads[i],
                                         payload_sizes[i], hash, "s3://b/1", seed, NULL),
                         EDS_OK);
        assert_int_equal(eds_record_digest(hash, &entries[i].record), EDS_OK);
        if (i == 1)
            eds_attest_sign(&entries[i].attestation, hash, seed);
        lines_size += eds_json_envelope_encode(lines + lines_size, sizeof lines - lines_size,
                                               &entries[i], payloads[i], payload_sizes[i]);
        lines[lines_size++] = '\n';
        assert_int_equal(eds_batch_write_bytes((uint8_t *)bytes + bytes_size, &size, &entries[i],
                                               payloads[i], payload_sizes[i]),
                         EDS_OK);
        bytes_size += size;
        byte_ends[i] = bytes_size;
    }
    return 0;
}

static void is_record(const struct eds_envelope *envelope, unsigned i)
{
    assert_memory_equal(&envelope->entry.record, &entries[i].record, sizeof entries[i].record);
    assert_memory_equal(&envelope->entry.attestation, &entries[i].attestation,
                        sizeof entries[i].attestation);
    assert_int_equal(envelope->payload_size, payload_sizes[i]);
    assert_memory_equal(envelope->payload, payloads[i], payload_sizes[i]);
}

/* Reads text as it is given and expects the records numbered in `wanted` ("012"),
 * with '!' for a fault of these words. */
static void expect(enum eds_batch_format format, const char *text, size_t size, const char *wanted,
                   const char *words)
{
    char *copy = malloc(size + 1);
    struct eds_batch_reader reader;
    size_t at = 0, used;

    assert_non_null(copy);
    memcpy(copy, text, size);
    eds_batch_reader_init(&reader, format);
    for (;; wanted++) {
        struct eds_envelope envelope;
        struct eds_error err;
        int32_t rc =
            eds_batch_reader_next(&reader, copy + at, size - at, true, &used, &envelope, &err);

        at += used;
        if (rc == EDS_ERR_NOT_FOUND)
            break;
        if (rc == EDS_OK) {
            assert_true(*wanted >= '0' && *wanted < '0' + (char)RECORD_COUNT);
            is_record(&envelope, (unsigned)(*wanted - '0'));
        } else {
            assert_int_equal(*wanted, '!');
            assert_int_equal(rc, EDS_ERR_MALFORMED);
            if (strncmp(err.text, words, strlen(words)) != 0)
                fail_msg("'%s' instead of '%s'", err.text, words);
        }
    }
    assert_int_equal(*wanted, '\0');
    assert_int_equal(at, size);
    free(copy);
}

static void test_lines(void **state)
{
    char text[3 * 8192 + 64];
    size_t first = (size_t)(strchr(lines, '\n') - lines) + 1;

    (void)state;
    expect(EDS_BATCH_LINES, lines, lines_size, "012", "");
    expect(EDS_BATCH_LINES, lines, lines_size - 1, "012", ""); /* the last break is no must */
    expect(EDS_BATCH_LINES, "", 0, "", "");
    expect(EDS_BATCH_LINES, "\n \r\n\t\n", 6, "", "");
    memcpy(text, "\n{}\n", 4);
    memcpy(text + 4, lines, lines_size);
    expect(EDS_BATCH_LINES, text, lines_size + 4, "!012", "line 2: envelope: ");
    memcpy(text, lines, lines_size);
    text[first - 1] = ' '; /* two in one line */
    expect(EDS_BATCH_LINES, text, lines_size, "!2", "line 1: ");
    text[first - 1] = '\n';
    text[first + 20] = '\n'; /* one in two */
    expect(EDS_BATCH_LINES, text, first + 21, "0!", "line 2: ");
}

static void test_bytes(void **state)
{
    char text[sizeof bytes];
    size_t size_at = byte_ends[0] - 1; /* of record 0: its payload has 0 bytes */

    (void)state;
    expect(EDS_BATCH_BYTES, bytes, bytes_size, "012", "");
    expect(EDS_BATCH_BYTES, "", 0, "", "");
    memcpy(text, bytes, sizeof text);
    text[size_at] = (char)0x80; /* the next record's first byte, 7, ends the size: 896 bytes */
    expect(EDS_BATCH_BYTES, text, bytes_size, "!", "record 1 at byte 0: payload: it ends before");
    memcpy(text, bytes, sizeof text);
    text[byte_ends[0]] = (char)0xff;
    expect(EDS_BATCH_BYTES, text, bytes_size, "0!", "record 2 at byte ");
    expect(EDS_BATCH_BYTES, bytes, bytes_size - 1, "01!", "record 3 at byte ");
}

/* A size in more bytes than it needs, or beyond all numbers. */
static void test_sizes_have_one_spelling(void **state)
{
    static const struct {
        const char *spelling;
        size_t size;
        const char *words;
    } rows[] = {
        {"\x00", 1, NULL},
        {"\x80\x00", 2, "record 1 at byte 0: payload: its size is not a varint in shortest form"},
        {"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, "record 1 at byte 0: payload: it ends"},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, "record 1 at byte 0: payload: its size"},
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", 10, "record 1 at byte 0: payload: its size"},
        {"\x80", 1, "record 1 at byte 0: payload: it ends before its size"},
    };
    char text[2048];
    size_t entry_size = byte_ends[0] - 1;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memcpy(text, bytes, entry_size);
        memcpy(text + entry_size, rows[i].spelling, rows[i].size);
        expect(EDS_BATCH_BYTES, text, entry_size + rows[i].size, rows[i].words == NULL ? "0" : "!",
               rows[i].words);
    }
}

/* The largest size of all says that the payload is not here, and what follows is the
 * next record. */
static void test_payload_absent(void **state)
{
    uint8_t text[2 * EDS_BATCH_AROUND_MAX];
    struct eds_batch_reader reader;
    struct eds_envelope envelope;
    size_t size, more, used;

    (void)state;
    assert_int_equal(eds_batch_write_bare(text, &size, &entries[1]), EDS_OK);
    assert_memory_equal(text + size - 10, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10);
    assert_int_equal(eds_batch_write_bytes(text + size, &more, &entries[0], NULL, 0), EDS_OK);
    eds_batch_reader_init(&reader, EDS_BATCH_BYTES);
    for (size_t cut = 1; cut < size; cut++)
        assert_int_equal(
            eds_batch_reader_next(&reader, (char *)text, cut, false, &used, &envelope, NULL),
            EDS_ERR_TRUNCATED);
    assert_int_equal(
        eds_batch_reader_next(&reader, (char *)text, size + more, true, &used, &envelope, NULL),
        EDS_OK);
    assert_int_equal(used, size);
    assert_true(envelope.payload_absent);
    assert_null(envelope.payload);
    assert_int_equal(envelope.payload_size, 0);
    assert_memory_equal(&envelope.entry.record, &entries[1].record, sizeof envelope.entry.record);
    assert_int_equal(
        eds_batch_reader_next(&reader, (char *)text + size, more, true, &used, &envelope, NULL),
        EDS_OK);
    assert_false(envelope.payload_absent);
    is_record(&envelope, 0);
}

/* Byte by byte: nothing is given before it is whole, nothing is lost. */
static void pieces(enum eds_batch_format format, const char *text, size_t size)
{
    struct eds_batch_reader reader;
    size_t start = 0;
    unsigned count = 0;

    eds_batch_reader_init(&reader, format);
    for (size_t there = 0; there <= size; there++) {
        char copy[2 * 8192];
        struct eds_envelope envelope;
        size_t used;
        int32_t rc;

        assert_true(there - start < sizeof copy);
        memcpy(copy, text + start, there - start);
        rc = eds_batch_reader_next(&reader, copy, there - start, false, &used, &envelope, NULL);
        start += used;
        if (rc == EDS_OK)
            is_record(&envelope, count++);
        else
            assert_int_equal(rc, EDS_ERR_TRUNCATED);
    }
    assert_int_equal(count, RECORD_COUNT);
    assert_int_equal(start, size);
}

static void test_pieces(void **state)
{
    (void)state;
    pieces(EDS_BATCH_LINES, lines, lines_size);
    pieces(EDS_BATCH_BYTES, bytes, bytes_size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_sizes_have_one_spelling),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_payload_absent),
    };

    return cmocka_run_group_tests(tests, make_batches, NULL);
}

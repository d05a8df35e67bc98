/* test_sweep.c - a file checked in parts by many threads gives what it gives in
 * one piece: verdict, place, words, summary, whatever is wrong with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edgesentry/attest.h"
#include "evidence/chain_check.h"
#include "support/dice.h"

#define RECORD_COUNT 60u
#define ROUND_COUNT  150u
#define TEXT_SIZE    (RECORD_COUNT * 2 * EDS_JSON_ENTRY_SIZE_MAX)

static uint8_t seed[EDS_SEED_SIZE] = {3}, public_key[1][EDS_PUBLIC_KEY_SIZE];
static struct eds_entry entries[RECORD_COUNT];
static char good[TEXT_SIZE], text[TEXT_SIZE];
static char buf[2 * EDS_JSON_ENTRY_TEXT_MAX];

struct file {
    const char *text;
    size_t size, at;
    size_t fails_at; /* reading fails there; SIZE_MAX: nowhere */
    size_t piece;    /* bytes that a read gives at most */
};

static ptrdiff_t read_file(void *context, void *out, size_t size)
{
    struct file *file = context;
    size_t end = file->fails_at < file->size ? file->fails_at : file->size;

    if (file->at == end && end == file->fails_at) {
        errno = EIO;
        return -1;
    }
    if (size > end - file->at)
        size = end - file->at;
    if (size > file->piece)
        size = file->piece;
    memcpy(out, file->text + file->at, size);
    file->at += size;
    return (ptrdiff_t)size;
}

/* Makes the careful way the only one. */
static int32_t no_payload(void *context, uint64_t index, const struct eds_entry *entry, void **out,
                          size_t *out_size, struct eds_error *err)
{
    (void)context;
    (void)index;
    (void)entry;
    (void)out;
    (void)out_size;
    (void)err;
    return EDS_ERR_NOT_FOUND;
}

static int sign_chain(void **state)
{
    uint8_t previous[EDS_HASH_SIZE] = {0};

    (void)state;
    eds_ed25519_public_key(public_key[0], seed);
    for (unsigned i = 0; i < RECORD_COUNT; i++) {
        /* One reference looks like the space between two records. */
        const char *object_ref = i % 5 == 3 ? "s3://b/},{" : "s3://bucket/lift-01/1.bin";

        assert_int_equal(eds_record_sign(&entries[i].record, "lift-01", i + 1, 1000 + i, &i,
                                         sizeof i, previous, object_ref, seed, NULL),
                         EDS_OK);
        assert_int_equal(eds_record_digest(previous, &entries[i].record), EDS_OK);
        if (i % 3 == 1)
            eds_attest_sign(&entries[i].attestation, previous, seed);
    }
    return 0;
}

static size_t write_chain(char *out, enum eds_chain_format format, enum eds_json_style style)
{
    size_t used = 0;

    if (format == EDS_CHAIN_ARRAY)
        out[used++] = '[';
    for (unsigned i = 0; i < RECORD_COUNT; i++) {
        if (i > 0 && format == EDS_CHAIN_ARRAY)
            used += (size_t)sprintf(out + used, style == EDS_JSON_PRETTY ? ",\n  " : ",");
        used += eds_json_entry_encode(out + used, EDS_JSON_ENTRY_SIZE_MAX, &entries[i], style, 2);
        if (format == EDS_CHAIN_NDJSON)
            out[used++] = '\n';
    }
    if (format == EDS_CHAIN_ARRAY)
        used += (size_t)sprintf(out + used, "\n]");
    return used;
}

/* Removes size bytes and puts others in their place. */
static size_t splice(size_t all, size_t at, size_t size, const char *others, size_t others_size)
{
    memmove(text + at + others_size, text + at + size, all - at - size);
    memcpy(text + at, others, others_size);
    return all - size + others_size;
}

/* One random thing happens to the text, or nothing. */
static size_t damage(struct dice *dice, size_t size)
{
    static const char *const inserts[] = {"\n", " ", "},{", "\n\n\n", ",",
                                          "]",  "{", "x",   "\0",     "1"};
    size_t at = dice_below(dice, size), length = 1 + dice_below(dice, 40);
    char piece[4096];

    switch (dice_below(dice, 8)) {
    case 0:
        return size; /* as it should be */
    case 1:
        text[at] = (char)dice_below(dice, 256);
        return size;
    case 2:
        if (text[at] >= '0' && text[at] <= '9') /* still a number, but another one */
            text[at] = (char)('0' + dice_below(dice, 10));
        return size;
    case 3:
        return at; /* the end is missing */
    case 4:
        return splice(size, at, at + length < size ? length : 0, "", 0);
    case 5:
        return splice(size, at, 0, inserts[dice_below(dice, 10)], 1);
    case 6: /* white space that takes more than a part */
        memset(piece, ' ', sizeof piece);
        return splice(size, at, 0, piece, sizeof piece);
    default: /* something twice */
        length = 200 + dice_below(dice, 1200);
        if (at + length > size)
            return size;
        memcpy(piece, text + at, length);
        return splice(size, at, 0, piece, length);
    }
}

struct outcome {
    int32_t rc;
    struct eds_chain_summary summary;
    struct eds_chain_finding finding;
    struct eds_error err;
};

static struct outcome run(const struct eds_chain_check *check, enum eds_chain_format format,
                          struct file file)
{
    struct eds_chain_reader reader;
    struct outcome outcome;

    memset(&outcome, 0, sizeof outcome);
    eds_chain_reader_init(&reader, format, read_file, &file, buf, sizeof buf);
    outcome.rc =
        eds_chain_check_run(check, &reader, &outcome.summary, &outcome.finding, &outcome.err);
    if (outcome.rc == EDS_OK) /* which says nothing then */
        memset(&outcome.err, 0, sizeof outcome.err);
    if (outcome.rc != EDS_ERR_CHAIN_INVALID)
        memset(&outcome.finding, 0, sizeof outcome.finding);
    assert_ptr_equal(reader.context, &file);
    return outcome;
}

static void compare(const struct outcome *swept, const struct outcome *careful)
{
    assert_int_equal(swept->rc, careful->rc);
    assert_string_equal(swept->err.text, careful->err.text);
    assert_int_equal(swept->err.code, careful->err.code);
    assert_int_equal(swept->finding.fault, careful->finding.fault);
    assert_int_equal(swept->finding.index, careful->finding.index);
    assert_int_equal(swept->finding.expected, careful->finding.expected);
    assert_int_equal(swept->finding.actual, careful->finding.actual);
    assert_int_equal(swept->summary.record_count, careful->summary.record_count);
    assert_int_equal(swept->summary.attested_count, careful->summary.attested_count);
    assert_int_equal(swept->summary.first_sequence, careful->summary.first_sequence);
    assert_int_equal(swept->summary.last_sequence, careful->summary.last_sequence);
    assert_memory_equal(swept->summary.last_record_hash, careful->summary.last_record_hash,
                        EDS_HASH_SIZE);
    assert_string_equal(swept->summary.device_id, careful->summary.device_id);
}

static void try_one(struct dice *dice, enum eds_chain_format format, size_t size, unsigned seen[2])
{
    struct eds_chain_check check = {
        .rules = {.strength =
                      dice_below(dice, 4) == 0 ? EDS_STRENGTH_LINKS : EDS_STRENGTH_SIGNATURES,
                  .public_keys = (const uint8_t(*)[EDS_PUBLIC_KEY_SIZE])public_key,
                  .public_key_count = 1},
        .thread_count = 1 + (unsigned)dice_below(dice, 3),
        .part_size = 300 + dice_below(dice, 6000),
    };
    struct file file = {text, size, 0, SIZE_MAX, 1 + dice_below(dice, 5000)};
    struct outcome swept, careful;

    if (dice_below(dice, 16) == 0)
        file.fails_at = dice_below(dice, size + 1);
    swept = run(&check, format, file);
    check.payload = no_payload;
    careful = run(&check, format, file);
    compare(&swept, &careful);
    seen[careful.rc == EDS_OK]++;
}

static void check_rounds(enum eds_chain_format format, enum eds_json_style style)
{
    size_t size = write_chain(good, format, style);
    unsigned seen[2] = {0};
    struct dice dice;

    dice_seed(&dice);
    for (unsigned round = 0; round < ROUND_COUNT; round++) {
        memcpy(text, good, size);
        try_one(&dice, format, damage(&dice, size), seen);
    }
    assert_true(seen[0] > ROUND_COUNT / 4);
    assert_true(seen[1] > ROUND_COUNT / 8);
}

static void test_lines(void **state)
{
    (void)state;
    check_rounds(EDS_CHAIN_NDJSON, EDS_JSON_COMPACT);
}

static void test_array(void **state)
{
    (void)state;
    check_rounds(EDS_CHAIN_ARRAY, EDS_JSON_COMPACT);
}

static void test_pretty_array(void **state)
{
    (void)state;
    check_rounds(EDS_CHAIN_ARRAY, EDS_JSON_PRETTY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_array),
        cmocka_unit_test(test_pretty_array),
    };

    return cmocka_run_group_tests(tests, sign_chain, NULL);
}

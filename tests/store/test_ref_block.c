/* test_ref_block.c - references in blocks: written, read, found, damaged. */
#include "store/ref_block.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/dice.h"

#define REF_COUNT 400u

struct ref {
    char text[EDS_OBJECT_REF_SIZE];
    int64_t id;
};

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct ref *)a)->text, ((const struct ref *)b)->text);
}

/* References in their order, all different, and of the kinds that come: counted,
 * random, one the beginning of the next one, long ones, bytes above 127. */
static void make_refs(struct ref refs[REF_COUNT], struct dice *dice)
{
    for (unsigned i = 0; i < REF_COUNT; i++) {
        struct ref *ref = &refs[i];

        switch (i % 5) {
        case 0:
            snprintf(ref->text, sizeof ref->text, "s3://bucket/lift-01/inspection-%u.bin", i);
            break;
        case 1:
            snprintf(ref->text, sizeof ref->text, "%016llx%u", (unsigned long long)dice_u64(dice),
                     i);
            break;
        case 2:
            memset(ref->text, 'a', i);
            ref->text[i] = '\0';
            break;
        case 3:
            snprintf(ref->text, sizeof ref->text, "%.*s%03u", (int)sizeof ref->text - 4,
                     "\xc3\xbc\xc3\xa4\xf0\x9f\x94\x91", i);
            break;
        default:
            memset(ref->text, 'b', sizeof ref->text - 1);
            snprintf(ref->text + sizeof ref->text - 4, 4, "%03u", i);
            break;
        }
        ref->id = (int64_t)(1 + dice_below(dice, i % 7 == 0 ? INT64_MAX : 1000));
    }
    qsort(refs, REF_COUNT, sizeof *refs, compare);
}

/* Reads a block and looks for every reference in it. */
static void check_block(const struct eds_ref_block *block, const struct ref *refs,
                        const struct ref *all)
{
    struct eds_ref_reader reader;
    int64_t id = 0;

    eds_ref_reader_begin(&reader, block->first_ref, block->bytes, block->size);
    for (size_t i = 0; i < block->count; i++) {
        assert_int_equal(eds_ref_reader_next(&reader), EDS_REF_READ);
        assert_string_equal(reader.ref, refs[i].text);
        assert_int_equal(reader.id, refs[i].id);
    }
    assert_int_equal(eds_ref_reader_next(&reader), EDS_REF_END);
    for (const struct ref *ref = refs; ref < all + REF_COUNT; ref++) {
        bool is_here = ref < refs + block->count;

        assert_int_equal(
            eds_ref_block_find(block->first_ref, block->bytes, block->size, ref->text, &id),
            is_here ? EDS_REF_READ : EDS_REF_END);
        if (is_here)
            assert_int_equal(id, ref->id);
    }
}

/* Looks for what is not there: each reference with a byte more, less, or another. */
static void check_others(const struct eds_ref_block *block, const struct ref *refs)
{
    int64_t id;

    for (size_t i = 0; i < block->count; i++) {
        for (unsigned edit = 0; edit < 3; edit++) {
            size_t size = strlen(refs[i].text);
            char text[EDS_OBJECT_REF_SIZE + 1];
            bool is_here = false;

            memcpy(text, refs[i].text, size + 1);
            if (edit == 0 && size + 1 < EDS_OBJECT_REF_SIZE)
                strcpy(text + size, "!");
            else if (edit == 1 && size > 0)
                text[size - 1] = '\0';
            else if (size > 0)
                text[size / 2] = (char)(text[size / 2] + 1);
            for (size_t n = 0; n < block->count; n++)
                is_here = is_here || strcmp(refs[n].text, text) == 0;
            if (strcmp(text, block->first_ref) < 0)
                continue;
            assert_int_equal(
                eds_ref_block_find(block->first_ref, block->bytes, block->size, text, &id),
                is_here ? EDS_REF_READ : EDS_REF_END);
        }
    }
}

static void test_blocks(void **state)
{
    static struct ref refs[REF_COUNT];
    struct eds_ref_block block = {.count = 0};
    struct dice dice;
    size_t block_count = 0;

    (void)state;
    dice_seed(&dice);
    make_refs(refs, &dice);
    for (size_t i = 0, first = 0; i <= REF_COUNT; i++) {
        if (i < REF_COUNT &&
            eds_ref_block_add(&block, refs[i].text, refs[i].id, EDS_REF_BLOCK_SIZE_MAX))
            continue;
        assert_true(block.size <= EDS_REF_BLOCK_SIZE_MAX);
        assert_int_equal(block.count, i - first);
        check_block(&block, refs + first, refs);
        check_others(&block, refs + first);
        first = i;
        block.count = 0;
        block_count++;
        if (i < REF_COUNT)
            assert_true(eds_ref_block_add(&block, refs[i].text, refs[i].id, 0)); /* the first */
    }
    assert_true(block_count > 5);
}

/* Two references, and the same block with one edit. */
static void test_bad_bytes(void **state)
{
    static const struct {
        const char *name;
        const char *bytes;
        size_t size;
        enum eds_ref_read read; /* the second one */
    } rows[] = {
        {"obj/1, obj/2", "\x0a\x04\x01\x32\x02", 5, EDS_REF_READ},
        {"one alone", "\x0a", 1, EDS_REF_END},
        {"cut in the number", "\x0a\x04\x01\x32", 4, EDS_REF_DAMAGED},
        {"cut in the text", "\x0a\x04\x01", 3, EDS_REF_DAMAGED},
        {"more text than bytes", "\x0a\x04\x03\x32\x02", 5, EDS_REF_DAMAGED},
        {"more shared than there is", "\x0a\x06\x01\x32\x02", 5, EDS_REF_DAMAGED},
        {"all shared", "\x0a\x05\x01\x32\x02", 5, EDS_REF_READ},
        {"nothing new", "\x0a\x04\x00\x02", 4, EDS_REF_DAMAGED},
        {"the same again", "\x0a\x04\x01\x31\x02", 5, EDS_REF_DAMAGED},
        {"below the one before", "\x0a\x04\x01\x30\x02", 5, EDS_REF_DAMAGED},
        {"a NUL inside", "\x0a\x04\x02\x32\x00\x02", 6, EDS_REF_DAMAGED},
        {"row 0", "\x0a\x04\x01\x32\x09", 5, EDS_REF_DAMAGED},
        {"row 1", "\x0a\x04\x01\x32\x07", 5, EDS_REF_READ},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct eds_ref_reader reader;

        eds_ref_reader_begin(&reader, "obj/1", rows[i].bytes, rows[i].size);
        assert_int_equal(eds_ref_reader_next(&reader), EDS_REF_READ);
        assert_int_equal(reader.id, 5);
        if (eds_ref_reader_next(&reader) != rows[i].read)
            fail_msg("%s", rows[i].name);
    }
}

/* A reference of the greatest length fits, one more byte does not. */
static void test_longest(void **state)
{
    uint8_t bytes[600] = {0x0a, 0x01, 0xfe, 0x03}; /* 1 shared, 510 more */
    struct eds_ref_reader reader;

    (void)state;
    memset(bytes + 4, 'b', 520);
    bytes[4 + 510] = 0x02;
    eds_ref_reader_begin(&reader, "a", bytes, 4 + 510 + 1);
    assert_int_equal(eds_ref_reader_next(&reader), EDS_REF_READ);
    assert_int_equal(eds_ref_reader_next(&reader), EDS_REF_READ);
    assert_int_equal(strlen(reader.ref), EDS_OBJECT_REF_SIZE - 1);
    bytes[2] = 0xff; /* 511 */
    bytes[4 + 510] = 'b';
    bytes[4 + 511] = 0x02;
    eds_ref_reader_begin(&reader, "a", bytes, 4 + 511 + 1);
    assert_int_equal(eds_ref_reader_next(&reader), EDS_REF_READ);
    assert_int_equal(eds_ref_reader_next(&reader), EDS_REF_DAMAGED);
}

/* Any bytes lead to references in their order, an end or a refusal. */
static void test_random_bytes(void **state)
{
    struct dice dice;

    (void)state;
    dice_seed(&dice);
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t bytes[64];
        size_t size = dice_below(&dice, sizeof bytes);
        char before[EDS_OBJECT_REF_SIZE] = "obj/1";
        struct eds_ref_reader reader;
        bool is_first = true;
        int64_t id;

        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)dice_below(&dice, round % 2 == 0 ? 8 : 256);
        eds_ref_reader_begin(&reader, before, bytes, size);
        while (eds_ref_reader_next(&reader) == EDS_REF_READ) {
            assert_true(is_first || strcmp(reader.ref, before) > 0);
            assert_true(reader.id > 0 && reader.id <= INT64_MAX);
            strcpy(before, reader.ref);
            is_first = false;
        }
        (void)eds_ref_block_find("obj/1", bytes, size, "obj/12", &id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_bad_bytes),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_random_bytes),
    };

    return cmocka_run_group_tests_name("ref block", tests, NULL, NULL);
}

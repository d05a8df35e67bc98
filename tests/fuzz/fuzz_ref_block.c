/* fuzz_ref_block.c - any bytes as a block of a ledger's references: the first one, a NUL,
 * and the block.
 *
 * What can be read is in order; is found, by itself and not by what is close to it; and is
 * read as the very same from a block that is made of it. */
#include <stdlib.h>
#include <string.h>

#include "store/ref_block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* A block whose every reference can be read. */
struct whole {
    char first_ref[EDS_OBJECT_REF_SIZE];
    const uint8_t *bytes;
    size_t size, count;
};

static bool is_in(const struct whole *whole, const char *ref, int64_t *id)
{
    struct eds_ref_reader reader;

    eds_ref_reader_begin(&reader, whole->first_ref, whole->bytes, whole->size);
    while (eds_ref_reader_next(&reader) == EDS_REF_READ)
        if (strcmp(reader.ref, ref) == 0) {
            *id = (int64_t)reader.id;
            return true;
        }
    return false;
}

/* Looking it up gives what reading it from end to end gives. */
static void check_find(const struct whole *whole, const char *ref)
{
    int64_t wanted = 0, found = 0;
    bool is_there = is_in(whole, ref, &wanted);

    if (strcmp(ref, whole->first_ref) < 0)
        return;
    check(eds_ref_block_find(whole->first_ref, whole->bytes, whole->size, ref, &found) ==
          (is_there ? EDS_REF_READ : EDS_REF_END));
    check(!is_there || found == wanted);
}

static void check_close(const struct whole *whole, const char *ref)
{
    char other[EDS_OBJECT_REF_SIZE + 1];
    size_t size = strlen(ref);

    check_find(whole, ref);
    memcpy(other, ref, size + 1);
    if (size + 1 < EDS_OBJECT_REF_SIZE) {
        memcpy(other + size, "!", 2);
        check_find(whole, other);
    }
    if (size > 0) {
        other[size] = '\0';
        other[size - 1] = (char)(ref[size - 1] + 1);
        check_find(whole, other);
        other[size - 1] = '\0';
        check_find(whole, other);
    }
}

/* Whether all of it can be read. */
static bool read_whole(struct whole *whole)
{
    struct eds_ref_reader reader;
    char before[EDS_OBJECT_REF_SIZE] = "";
    enum eds_ref_read read;

    eds_ref_reader_begin(&reader, whole->first_ref, whole->bytes, whole->size);
    while ((read = eds_ref_reader_next(&reader)) == EDS_REF_READ) {
        check(reader.ref_size == strlen(reader.ref) && reader.ref_size < EDS_OBJECT_REF_SIZE);
        check(reader.id > 0 && reader.id <= INT64_MAX);
        check(whole->count == 0 ? strcmp(reader.ref, whole->first_ref) == 0
                                : strcmp(reader.ref, before) > 0);
        check(memcmp(reader.ref, before, reader.shared) == 0);
        strcpy(before, reader.ref);
        whole->count++;
    }
    return read == EDS_REF_END;
}

static void check_again(const struct whole *whole)
{
    static struct eds_ref_block block;
    struct eds_ref_reader reader, again;
    size_t count = 0;

    block.count = 0;
    eds_ref_reader_begin(&reader, whole->first_ref, whole->bytes, whole->size);
    while (eds_ref_reader_next(&reader) == EDS_REF_READ &&
           eds_ref_block_add(&block, reader.ref, (int64_t)reader.id, EDS_REF_BLOCK_SIZE_MAX))
        count++;
    check(count > 0 && count == block.count && block.size <= EDS_REF_BLOCK_SIZE_MAX);
    eds_ref_reader_begin(&reader, whole->first_ref, whole->bytes, whole->size);
    eds_ref_reader_begin(&again, block.first_ref, block.bytes, block.size);
    while (eds_ref_reader_next(&again) == EDS_REF_READ) {
        check(eds_ref_reader_next(&reader) == EDS_REF_READ);
        check(strcmp(reader.ref, again.ref) == 0 && reader.id == again.id);
        count--;
    }
    check(count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct whole whole = {.count = 0};
    struct eds_ref_reader reader;
    const uint8_t *end =
        memchr(data, '\0', size < EDS_OBJECT_REF_SIZE ? size : EDS_OBJECT_REF_SIZE);
    int64_t id;

    if (end == NULL)
        return 0;
    memcpy(whole.first_ref, data, (size_t)(end - data) + 1);
    whole.bytes = end + 1;
    whole.size = size - (size_t)(end + 1 - data);
    if (!read_whole(&whole)) {
        (void)eds_ref_block_find(whole.first_ref, whole.bytes, whole.size, "zebra", &id);
        return 0;
    }
    check_again(&whole);
    eds_ref_reader_begin(&reader, whole.first_ref, whole.bytes, whole.size);
    for (size_t i = 0; i < 40 && eds_ref_reader_next(&reader) == EDS_REF_READ; i++)
        check_close(&whole, reader.ref);
    return 0;
}

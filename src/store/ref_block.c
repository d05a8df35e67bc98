/* ref_block.c - see ref_block.h. */
#include "store/ref_block.h"

#include <assert.h>
#include <string.h>

#include "base/varint.h"

#define ENTRY_SIZE_MAX (2u + 2u + EDS_OBJECT_REF_SIZE + EDS_VARINT_SIZE_MAX)

_Static_assert(EDS_VARINT_SIZE_MAX + ENTRY_SIZE_MAX <= EDS_REF_BLOCK_SIZE_MAX, "two fit");

/* Small steps to both sides become small numbers. */
static uint64_t zigzag(uint64_t step)
{
    return step << 1 ^ (step >> 63 != 0 ? UINT64_MAX : 0);
}

static uint64_t unzigzag(uint64_t number)
{
    return number >> 1 ^ ((number & 1) != 0 ? UINT64_MAX : 0);
}

static size_t common_size(const char *a, const char *b)
{
    size_t size = 0;

    while (a[size] != '\0' && a[size] == b[size])
        size++;
    return size;
}

bool eds_ref_block_add(struct eds_ref_block *block, const char *ref, int64_t id, size_t size_max)
{
    size_t ref_size = strlen(ref), shared = 0;
    uint8_t entry[ENTRY_SIZE_MAX], *at = entry;

    assert(ref_size < EDS_OBJECT_REF_SIZE && size_max <= EDS_REF_BLOCK_SIZE_MAX);
    if (block->count == 0) {
        memcpy(block->first_ref, ref, ref_size + 1);
        block->last_id = block->size = 0;
    } else {
        assert(strcmp(ref, block->last_ref) > 0);
        shared = common_size(block->last_ref, ref);
        at = eds_varint_put(at, shared);
        at = eds_varint_put(at, ref_size - shared);
        memcpy(at, ref + shared, ref_size - shared);
        at += ref_size - shared;
    }
    at = eds_varint_put(at, zigzag((uint64_t)id - block->last_id));
    if (block->count > 0 && block->size + (size_t)(at - entry) > size_max)
        return false;
    memcpy(block->bytes + block->size, entry, (size_t)(at - entry));
    block->size += (size_t)(at - entry);
    memcpy(block->last_ref + shared, ref + shared, ref_size - shared + 1);
    block->last_size = ref_size;
    block->last_id = (uint64_t)id;
    block->count++;
    return true;
}

void eds_ref_reader_begin(struct eds_ref_reader *reader, const char *first_ref, const void *bytes,
                          size_t size)
{
    reader->at = bytes;
    reader->end = size > 0 ? (const uint8_t *)bytes + size : bytes;
    reader->is_begun = false;
    reader->shared = 0;
    reader->ref_size = strlen(first_ref);
    reader->id = 0;
    assert(reader->ref_size < EDS_OBJECT_REF_SIZE);
    memcpy(reader->ref, first_ref, reader->ref_size + 1);
}

/* What tells an entry from the one before it. */
struct entry {
    size_t shared, suffix_size;
    const char *suffix;
};

/* The next entry; ref stays as it was, its size and id are those of the entry. */
static enum eds_ref_read take(struct eds_ref_reader *reader, struct entry *entry)
{
    uint64_t shared = reader->ref_size, suffix_size = 0, step;

    if (reader->at == reader->end && reader->is_begun)
        return EDS_REF_END;
    if (reader->is_begun) {
        if (!eds_varint_take(&reader->at, reader->end, &shared) ||
            !eds_varint_take(&reader->at, reader->end, &suffix_size) || shared > reader->ref_size ||
            suffix_size == 0 || suffix_size >= EDS_OBJECT_REF_SIZE - shared ||
            suffix_size > (size_t)(reader->end - reader->at))
            return EDS_REF_DAMAGED;
    }
    *entry = (struct entry){(size_t)shared, (size_t)suffix_size, (const char *)reader->at};
    reader->at += suffix_size;
    if (!eds_varint_take(&reader->at, reader->end, &step))
        return EDS_REF_DAMAGED;
    reader->is_begun = true;
    reader->ref_size = entry->shared + entry->suffix_size;
    reader->id += unzigzag(step);
    return reader->id == 0 || reader->id > INT64_MAX ? EDS_REF_DAMAGED : EDS_REF_READ;
}

enum eds_ref_read eds_ref_reader_next(struct eds_ref_reader *reader)
{
    struct entry entry;
    bool is_first = !reader->is_begun;
    enum eds_ref_read read = take(reader, &entry);

    if (read != EDS_REF_READ || is_first)
        return read;
    /* Above the one before it, and without a NUL inside. */
    if (memchr(entry.suffix, '\0', entry.suffix_size) != NULL ||
        (uint8_t)entry.suffix[0] <= (uint8_t)reader->ref[entry.shared])
        return EDS_REF_DAMAGED;
    reader->shared = entry.shared;
    memcpy(reader->ref + entry.shared, entry.suffix, entry.suffix_size);
    reader->ref[reader->ref_size] = '\0';
    return EDS_REF_READ;
}

/* What an entry shares with the one before it tells most of the time how it
 * compares with ref, without a look at its bytes: at is how many bytes that one has
 * in common with ref, which is above it. */
enum eds_ref_read eds_ref_block_find(const char *first_ref, const void *bytes, size_t size,
                                     const char *ref, int64_t *id)
{
    struct eds_ref_reader reader;
    size_t at = common_size(first_ref, ref);
    struct entry entry;
    enum eds_ref_read read;

    eds_ref_reader_begin(&reader, first_ref, bytes, size);
    read = take(&reader, &entry);
    if (read == EDS_REF_READ && strcmp(first_ref, ref) == 0) {
        *id = (int64_t)reader.id;
        return EDS_REF_READ;
    }
    while (read == EDS_REF_READ) {
        size_t common = 0;

        read = take(&reader, &entry);
        if (read != EDS_REF_READ || entry.shared > at)
            continue; /* as far from ref as the one before it */
        if (entry.shared < at)
            return EDS_REF_END;
        while (common < entry.suffix_size && ref[at + common] != '\0' &&
               entry.suffix[common] == ref[at + common])
            common++;
        at += common;
        if (common == entry.suffix_size && ref[at] == '\0') {
            *id = (int64_t)reader.id;
            return EDS_REF_READ;
        }
        if (common < entry.suffix_size && (uint8_t)entry.suffix[common] > (uint8_t)ref[at])
            return EDS_REF_END;
    }
    return read;
}

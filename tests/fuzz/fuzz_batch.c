/* fuzz_batch.c - any bytes as a batch, in both forms, whole and in pieces.
 *
 * What is read does not depend on how the bytes came; what is read of the compact
 * form is written again as the very same bytes; a payload lies inside the bytes;
 * a fault has words, and in the compact form is the last. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "codec/batch_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_written_again(const struct eds_envelope *envelope, const uint8_t *from,
                                size_t size)
{
    uint8_t *again = malloc(EDS_BATCH_AROUND_MAX + envelope->payload_size);
    size_t again_size;

    check(again != NULL);
    if (envelope->payload_absent)
        check(eds_batch_write_bare(again, &again_size, &envelope->entry) == EDS_OK);
    else
        check(eds_batch_write_bytes(again, &again_size, &envelope->entry, envelope->payload,
                                    envelope->payload_size) == EDS_OK);
    check(again_size == size && memcmp(again, from, size) == 0);
    free(again);
}

/* A hash of what was read, so that two readings can be compared. */
static void note(uint64_t *hash, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        *hash = (*hash ^ ((const uint8_t *)bytes)[i]) * 1099511628211u;
}

/* Reads the batch in pieces of piece bytes and returns the hash. */
static uint64_t read_batch(const uint8_t *data, size_t size, enum eds_batch_format format,
                           size_t piece)
{
    uint64_t hash = 14695981039346656037u;
    struct eds_batch_reader reader;
    size_t start = 0, there = 0;
    bool faulty = false;
    int32_t rc = EDS_OK;
    char *room = malloc(size + 1);

    check(room != NULL);
    eds_batch_reader_init(&reader, format);
    while (rc != EDS_ERR_NOT_FOUND) {
        size_t used, left = there - start;
        char *text = room + size + 1 - left; /* ends where room ends: reading past it shows */
        struct eds_envelope envelope;
        struct eds_error err = {EDS_OK, ""};

        memcpy(text, data + start, left);
        rc = eds_batch_reader_next(&reader, text, left, there == size, &used, &envelope, &err);
        check(used <= left && (rc != EDS_OK || used > 0));
        if (rc == EDS_OK) {
            check(!faulty || format == EDS_BATCH_LINES);
            check(envelope.payload_absent == (envelope.payload == NULL));
            check(envelope.payload_absent ||
                  ((const char *)envelope.payload >= text &&
                   (const char *)envelope.payload + envelope.payload_size <= text + left));
            if (format == EDS_BATCH_BYTES)
                check_written_again(&envelope, data + start, used);
            note(&hash, &envelope.entry.record, sizeof envelope.entry.record);
            note(&hash, &envelope.payload_absent, sizeof envelope.payload_absent);
            note(&hash, envelope.payload, envelope.payload_size);
        } else if (rc == EDS_ERR_TRUNCATED) {
            check(there < size);
            there = size - there < piece ? size : there + piece;
        } else if (rc != EDS_ERR_NOT_FOUND) {
            check(rc == EDS_ERR_MALFORMED && err.text[0] != '\0' &&
                  eds_utf8_valid(err.text, strlen(err.text)));
            faulty = true;
            /* How far a broken batch was read is a matter of the pieces; its words are not. */
            note(&hash, err.text, strlen(err.text));
        }
        start += used;
    }
    free(room);
    check(start == size && reader.consumed == size);
    note(&hash, &reader.count, sizeof reader.count);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum eds_batch_format formats[] = {EDS_BATCH_LINES, EDS_BATCH_BYTES};

    for (unsigned i = 0; i < 2; i++) {
        uint64_t whole = read_batch(data, size, formats[i], SIZE_MAX);
        size_t small;

        check(read_batch(data, size, formats[i], 1 + size / 3) == whole);
        /* Each piece reads again what is not whole yet, so a long input gets longer ones. */
        small = 1u + (size > 0 ? data[0] % 7u : 0u) + size / 100;
        check(read_batch(data, size, formats[i], small) == whole);
    }
    return 0;
}

/* fuzz_json_record.c - any text, as a record and as a file of records.
 *
 * What is a record here is JSON to jansson too, and survives being written and
 * read again.  A text cut short may only be called cut short: what is wrong with
 * it stays wrong, in the same words, however much is there and however it is
 * read. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "edgesentry/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* An error is one line of text. */
static void check_error(const struct eds_error *err, int32_t rc)
{
    size_t size = strlen(err->text);

    check(err->code == rc && size > 10 && size < EDS_ERROR_TEXT_SIZE - 1);
    check(eds_utf8_valid(err->text, size));
    for (size_t i = 0; i < size; i++)
        check((uint8_t)err->text[i] >= ' ');
}

static void check_written_again(const struct eds_entry *entry)
{
    static const enum eds_json_style styles[] = {EDS_JSON_COMPACT, EDS_JSON_PRETTY};

    for (size_t i = 0; i < 2; i++) {
        char text[EDS_JSON_ENTRY_SIZE_MAX];
        struct eds_entry again;
        size_t size = eds_json_entry_encode(text, sizeof text, entry, styles[i], 2);

        check(size > 0 && text[size] == '\0');
        check(eds_json_entry_decode(&again, text, size, NULL) == EDS_OK);
        check(memcmp(&again.record, &entry->record, sizeof again.record) == 0);
        check(memcmp(&again.attestation, &entry->attestation, sizeof again.attestation) == 0);
    }
}

static void check_record(const char *text, size_t size)
{
    struct eds_entry entry, before;
    struct eds_error err = {EDS_OK, ""}, cut_err = {EDS_OK, ""};
    size_t cut = size / 2 + size % 7 * size / 16; /* some place in it */
    int32_t rc, cut_rc;

    memset(&entry, 0xa5, sizeof entry);
    before = entry;
    rc = eds_json_entry_decode(&entry, text, size, &err);
    if (rc == EDS_OK) {
        json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);

        /* Numbers above 2^63 - 1 are more than jansson holds. */
        check(json != NULL || entry.record.sequence > INT64_MAX ||
              entry.record.timestamp_ms > INT64_MAX);
        json_decref(json);
        check_written_again(&entry);
    } else {
        check(rc == EDS_ERR_MALFORMED || rc == EDS_ERR_TRUNCATED);
        check(memcmp(&entry.record, &before.record, sizeof entry.record) == 0); /* untouched */
        check(memcmp(&entry.attestation, &before.attestation, sizeof entry.attestation) == 0);
        check_error(&err, rc);
    }
    cut = cut < size ? cut : size;
    cut_rc = eds_json_entry_decode(&before, text, cut, &cut_err);
    if (cut_rc == EDS_ERR_MALFORMED)
        check(rc == EDS_ERR_MALFORMED && strcmp(err.text, cut_err.text) == 0);
}

/* A text, so many bytes at a time. */
struct source {
    const char *text;
    size_t left, step;
};

static ptrdiff_t read_source(void *context, void *buf, size_t size)
{
    struct source *source = context;

    size = size < source->step ? size : source->step;
    size = size < source->left ? size : source->left;
    if (size > 0)
        memcpy(buf, source->text, size);
    source->text += size;
    source->left -= size;
    return (ptrdiff_t)size;
}

/* What a file of records comes to. */
static int32_t read_file(enum eds_chain_format format, struct source source, uint64_t *count,
                         uint64_t *consumed, struct eds_error *err)
{
    static char buf[2 * EDS_JSON_ENTRY_TEXT_MAX];
    struct eds_chain_reader reader;
    struct eds_entry entry;
    int32_t rc;

    eds_chain_reader_init(&reader, format, read_source, &source, buf, sizeof buf);
    do {
        rc = eds_chain_reader_next(&reader, &entry, err);
    } while (rc == EDS_OK);
    *count = reader.count;
    *consumed = reader.consumed;
    return rc;
}

static void check_file(enum eds_chain_format format, const char *text, size_t size)
{
    struct eds_error whole = {EDS_OK, ""}, pieces = {EDS_OK, ""};
    uint64_t count, count_again, consumed, consumed_again;
    int32_t rc =
        read_file(format, (struct source){text, size, SIZE_MAX}, &count, &consumed, &whole);

    check_error(&whole, rc);
    check(rc == EDS_ERR_NOT_FOUND || rc == EDS_ERR_MALFORMED || rc == EDS_ERR_TRUNCATED ||
          rc == EDS_ERR_TOO_LARGE);
    check(rc != EDS_ERR_NOT_FOUND || consumed == size);
    check(read_file(format, (struct source){text, size, 1 + size % 64}, &count_again,
                    &consumed_again, &pieces) == rc);
    check(count == count_again && consumed == consumed_again);
    check(strcmp(whole.text, pieces.text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;

    check_record(text, size);
    check_file(EDS_CHAIN_ARRAY, text, size);
    check_file(EDS_CHAIN_NDJSON, text, size);
    check_file(EDS_CHAIN_COMPACT, text, size);
    return 0;
}

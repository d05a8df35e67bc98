/* fuzz_json_oracle.c - what is a record to us is one to jansson and the rules of
 * docs/SPEC.md, and nothing else is; and the inner loops in plain C and with AVX-512 say
 * the same, in the same words.
 *
 *   byte 0 below 128   the rest is the text
 *   else               edits of a good text, five bytes each: where (2), what (1: replace,
 *                      insert, leave out, double, swap), which character (1), and for how
 *                      many characters (1) */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json_scan.h"
#include "edgesentry/json.h"
#include "support/record_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EDIT_SIZE 5u
#define TEXT_MAX  (EDS_JSON_ENTRY_SIZE_MAX + 4096u)

static void check(bool holds)
{
    if (!holds)
        abort();
}

static size_t good_text(char *out, uint8_t kind)
{
    struct eds_entry entry;

    memset(&entry, 0, sizeof entry);
    memcpy(entry.record.device_id, "lift-01", 8);
    memcpy(entry.record.object_ref, "s3://bucket/lift-01/1.bin", 26);
    entry.record.sequence = kind;
    entry.record.timestamp_ms = 1700000000000u;
    for (size_t i = 0; i < 64; i++) {
        entry.record.signature[i] = (uint8_t)(i * 37 + kind);
        entry.record.payload_hash[i % 32] = (uint8_t)(i * 91);
    }
    entry.attestation.present = kind % 4 == 1;
    return eds_json_entry_encode(out, TEXT_MAX, &entry,
                                 kind % 3 == 0 ? EDS_JSON_PRETTY : EDS_JSON_COMPACT, 2);
}

/* One edit; returns the new size. */
static size_t edit(char *text, size_t size, const uint8_t by[EDIT_SIZE])
{
    const size_t at = size == 0 ? 0 : ((size_t)by[0] << 8 | by[1]) % size;
    size_t count = 1 + by[4] % 16;

    count = count < size - at ? count : size - at;
    switch (by[2] % 5) {
    case 0: /* replace */
        memset(text + at, by[3], count);
        return size;
    case 1: /* insert */
        if (size + count > TEXT_MAX)
            return size;
        memmove(text + at + count, text + at, size - at);
        memset(text + at, by[3], count);
        return size + count;
    case 2: /* leave out */
        memmove(text + at, text + at + count, size - at - count);
        return size - count;
    case 3: /* double */
        if (size + count > TEXT_MAX)
            return size;
        memmove(text + at + count, text + at, size - at);
        return size + count;
    default: /* swap with the neighbour */
        if (at + 1 < size) {
            char was = text[at];

            text[at] = text[at + 1];
            text[at + 1] = was;
        }
        return size;
    }
}

static void judge(const char *text, size_t size)
{
    struct eds_entry wide, plain;
    struct eds_error wide_err = {EDS_OK, ""}, plain_err = {EDS_OK, ""};
    int32_t wide_rc, plain_rc;
    bool sure, is_record = oracle_is_record(text, size, &sure);

    memset(&wide, 0, sizeof wide);
    memset(&plain, 0, sizeof plain);
    (void)eds_scan_use_wide(false);
    plain_rc = eds_json_entry_decode(&plain, text, size, &plain_err);
    if (sure)
        check((plain_rc == EDS_OK) == is_record);
    if (!eds_scan_use_wide(true))
        return; /* plain C is all there is */
    wide_rc = eds_json_entry_decode(&wide, text, size, &wide_err);
    check(wide_rc == plain_rc && strcmp(wide_err.text, plain_err.text) == 0);
    check(memcmp(&wide.record, &plain.record, sizeof wide.record) == 0);
    check(memcmp(&wide.attestation, &plain.attestation, sizeof wide.attestation) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[TEXT_MAX];
    size_t text_size;
    char *copy;

    if (size == 0)
        return 0;
    if (data[0] < 128) {
        judge((const char *)data + 1, size - 1);
        return 0;
    }
    text_size = good_text(text, data[0]);
    for (size_t at = 1; at + EDIT_SIZE <= size && at < 64; at += EDIT_SIZE)
        text_size = edit(text, text_size, data + at);
    copy = malloc(text_size > 0 ? text_size : 1); /* its end is the memory's */
    check(copy != NULL);
    memcpy(copy, text, text_size);
    judge(copy, text_size);
    free(copy);
    return 0;
}

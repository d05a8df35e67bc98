/* sample.c - see sample.h. */
#include "sample.h"

#include <ctype.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void sample_entry(struct eds_entry *out, bool attested)
{
    EdsAuditRecord *record = &out->record;

    memset(out, 0, sizeof *out);
    strcpy((char *)record->device_id, "lift-01");
    strcpy((char *)record->object_ref, "s3://bucket/lift-01/inspection-1.bin");
    record->sequence = 1;
    record->timestamp_ms = 1700000000000;
    for (unsigned i = 0; i < 64; i++)
        record->signature[i] = (uint8_t)(255 - i * 4);
    for (unsigned i = 0; i < 32; i++) {
        record->payload_hash[i] = (uint8_t)(i * 37);
        record->prev_record_hash[i] = (uint8_t)(i % 12);
    }
    out->attestation.present = attested;
    for (unsigned i = 0; attested && i < 64; i++)
        out->attestation.signature[i] = (uint8_t)(i * 5);
    for (unsigned i = 0; attested && i < 8; i++)
        out->attestation.key_id[i] = (uint8_t)(0x10 * i + i);
}

void sample_encode(struct sample *out, const struct eds_entry *entry, enum eds_json_style style)
{
    out->size = eds_json_entry_encode(out->text, sizeof out->text, entry, style, 0);
    assert_true(out->size > 0);
}

void sample_replace(struct sample *sample, const char *part, const char *text, size_t text_size)
{
    char *at = memmem(sample->text, sample->size, part, strlen(part));
    size_t part_size = strlen(part), after;

    if (at == NULL || sample->size - part_size + text_size > sizeof sample->text)
        fail_msg("cannot replace %s", part);
    after = sample->size - (size_t)(at - sample->text) - part_size;
    assert_null(memmem(at + 1, after + part_size - 1, part, part_size)); /* just once */
    memmove(at + text_size, at + part_size, after);
    memcpy(at, text, text_size);
    sample->size = sample->size - part_size + text_size;
}

char *sample_exact(const void *bytes, size_t size)
{
    char *copy = malloc(size);

    assert_true(copy != NULL || size == 0);
    if (size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

int32_t sample_decode(struct eds_entry *out, const char *text, size_t size, struct eds_error *err)
{
    char *copy = sample_exact(text, size);
    int32_t rc = eds_json_entry_decode(out, copy, size, err);

    free(copy);
    return rc;
}

void assert_entries_equal(const struct eds_entry *a, const struct eds_entry *b)
{
    assert_memory_equal(&a->record, &b->record, sizeof a->record);
    assert_int_equal(a->attestation.present, b->attestation.present);
    assert_memory_equal(a->attestation.key_id, b->attestation.key_id, EDS_KEY_ID_SIZE);
    assert_memory_equal(a->attestation.signature, b->attestation.signature, EDS_SIGNATURE_SIZE);
}

static bool is_bytes(const json_t *value, size_t count)
{
    if (!json_is_array(value) || json_array_size(value) != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *number = json_array_get(value, i);

        if (!json_is_integer(number) || json_integer_value(number) < 0 ||
            json_integer_value(number) > 255)
            return false;
    }
    return true;
}

static bool is_string(const json_t *value, size_t size_max)
{
    return json_is_string(value) && json_string_length(value) <= size_max;
}

static bool is_number(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

static bool is_hex(const json_t *value, size_t size)
{
    return json_is_string(value) && json_string_length(value) == size &&
           strspn(json_string_value(value), "0123456789abcdef") == size;
}

static bool is_attestation(const json_t *value)
{
    return json_is_object(value) && json_object_size(value) == 2 &&
           is_hex(json_object_get(value, "key_id"), 16) &&
           is_hex(json_object_get(value, "signature"), 128);
}

/* Does the text hold a number that jansson does not keep as it is spelled? */
static bool has_odd_number(const char *text, size_t size)
{
    size_t digits = 0;

    for (size_t i = 0; i < size; i++) {
        digits = isdigit((unsigned char)text[i]) ? digits + 1 : 0;
        if (digits >= 19 || (i > 0 && text[i - 1] == '-' && text[i] == '0'))
            return true;
    }
    return false;
}

bool sample_is_record(const char *text, size_t size, bool *sure)
{
    json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *attest = json_object_get(object, "attest");
    bool is_record = json_object_size(object) == 7u + (attest != NULL) &&
                     is_string(json_object_get(object, "device_id"), 255) &&
                     is_number(json_object_get(object, "sequence")) &&
                     is_number(json_object_get(object, "timestamp_ms")) &&
                     is_bytes(json_object_get(object, "payload_hash"), 32) &&
                     is_bytes(json_object_get(object, "signature"), 64) &&
                     is_bytes(json_object_get(object, "prev_record_hash"), 32) &&
                     is_string(json_object_get(object, "object_ref"), 511) &&
                     (attest == NULL || is_attestation(attest));

    *sure = !has_odd_number(text, size);
    json_decref(object);
    return is_record;
}

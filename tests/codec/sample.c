/* sample.c - see sample.h. */
#include "sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/record_oracle.h"

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

bool sample_is_record(const char *text, size_t size, bool *sure)
{
    return oracle_is_record(text, size, sure);
}

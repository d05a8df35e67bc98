/* compact.c - an entry as bytes: the record, then whether it is attested. */
#include <assert.h>
#include <string.h>

#include "core/record_impl.h"

enum { PLAIN = 0, ATTESTED = 1 };

int32_t eds_compact_encode(uint8_t out[EDS_COMPACT_SIZE_MAX], size_t *out_size,
                           const struct eds_entry *entry)
{
    const struct eds_attestation *attestation = &entry->attestation;
    int32_t rc = eds_record_encode(out, out_size, &entry->record);
    uint8_t *at;

    if (rc != EDS_OK)
        return rc;
    at = out + *out_size;
    *at++ = attestation->present ? ATTESTED : PLAIN;
    if (attestation->present) {
        memcpy(at, attestation->key_id, EDS_KEY_ID_SIZE);
        at += EDS_KEY_ID_SIZE;
        memcpy(at, attestation->signature, EDS_SIGNATURE_SIZE);
        at += EDS_SIGNATURE_SIZE;
    }
    *out_size = (size_t)(at - out);
    assert(*out_size <= EDS_COMPACT_SIZE_MAX);
    return EDS_OK;
}

int32_t eds_compact_decode(struct eds_entry *out, const uint8_t *buf, size_t size, size_t *used,
                           struct eds_error *err)
{
    struct eds_cursor cursor;
    struct eds_entry entry;
    uint8_t mark = PLAIN;

    eds_cursor_begin(&cursor, buf, size);
    eds_cursor_record(&cursor, &entry.record);
    memset(&entry.attestation, 0, sizeof entry.attestation);
    eds_cursor_bytes(&cursor, "attest", &mark, sizeof mark);
    if (mark == ATTESTED) {
        entry.attestation.present = true;
        eds_cursor_bytes(&cursor, "attest.key_id", entry.attestation.key_id, EDS_KEY_ID_SIZE);
        eds_cursor_bytes(&cursor, "attest.signature", entry.attestation.signature,
                         EDS_SIGNATURE_SIZE);
    } else if (mark != PLAIN) {
        eds_cursor_fail(&cursor, "it is neither 0 (none) nor 1 (present)");
    }
    if (cursor.fault != NULL)
        return eds_cursor_say(&cursor, cursor.truncated ? EDS_ERR_TRUNCATED : EDS_ERR_MALFORMED,
                              err);
    *out = entry;
    *used = (size_t)(cursor.at - buf);
    return EDS_OK;
}

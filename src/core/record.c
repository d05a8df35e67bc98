/* record.c - see edgesentry/record.h.
 *
 * A record is written to a buffer on the stack and hashed from there: it is
 * less than one BLAKE3 chunk, and hashing it at once is faster than feeding a
 * hash field by field. */
#include "edgesentry/record.h"

#include <assert.h>
#include <string.h>

#include "base/utf8.h"
#include "core/fields.h"
#include "core/record_impl.h"

_Static_assert(sizeof(EdsAuditRecord) == 912, "the ABI's record has no padding");

/* A string must end inside its buffer and be UTF-8. */
static int32_t check_string(const uint8_t *string, size_t buffer_size, size_t *size)
{
    const uint8_t *end = memchr(string, '\0', buffer_size);

    if (end == NULL)
        return EDS_ERR_STRING_TOO_LONG;
    *size = (size_t)(end - string);
    return eds_utf8_valid(string, *size) ? EDS_OK : EDS_ERR_INVALID_UTF8;
}

int32_t eds_record_encode(uint8_t out[EDS_RECORD_SIZE_MAX], size_t *out_size,
                          const EdsAuditRecord *record)
{
    size_t device_id_size, object_ref_size;
    uint8_t *at = out;
    int32_t rc;

    *out_size = 0;
    rc = check_string(record->device_id, sizeof record->device_id, &device_id_size);
    if (rc == EDS_OK)
        rc = check_string(record->object_ref, sizeof record->object_ref, &object_ref_size);
    if (rc != EDS_OK)
        return rc;
    at = eds_put_sized(at, record->device_id, device_id_size);
    at += eds_varint_encode(at, record->sequence);
    at += eds_varint_encode(at, record->timestamp_ms);
    at = eds_put_bytes(at, record->payload_hash, sizeof record->payload_hash);
    at = eds_put_sized(at, record->signature, sizeof record->signature);
    at = eds_put_bytes(at, record->prev_record_hash, sizeof record->prev_record_hash);
    at = eds_put_sized(at, record->object_ref, object_ref_size);
    *out_size = (size_t)(at - out);
    assert(*out_size <= EDS_RECORD_SIZE_MAX);
    return EDS_OK;
}

int32_t eds_record_decode(EdsAuditRecord *out, const uint8_t *buf, size_t size,
                          struct eds_error *err)
{
    struct eds_cursor cursor;
    EdsAuditRecord record;

    eds_cursor_begin(&cursor, buf, size);
    eds_cursor_record(&cursor, &record);
    if (cursor.left > 0 && cursor.fault == NULL) {
        cursor.field = "record";
        cursor.whence = cursor.at;
        eds_cursor_fail(&cursor, "there are bytes after its end");
    }
    if (cursor.fault != NULL)
        return eds_cursor_say(&cursor, EDS_ERR_MALFORMED, err);
    *out = record;
    return EDS_OK;
}

int32_t eds_record_digest(uint8_t out[EDS_HASH_SIZE], const EdsAuditRecord *record)
{
    uint8_t bytes[EDS_RECORD_SIZE_MAX];
    size_t size;
    int32_t rc = eds_record_encode(bytes, &size, record);

    if (rc == EDS_OK)
        eds_blake3(out, bytes, size);
    else
        memset(out, 0, EDS_HASH_SIZE);
    return rc;
}

/* Copies a string of the caller's into its buffer in a record. */
static int32_t fill_string(uint8_t *out, size_t out_size, const char *string, const char *field,
                           struct eds_error *err)
{
    size_t size = strlen(string);

    if (!eds_utf8_valid(string, size))
        return eds_field_say(err, EDS_ERR_INVALID_UTF8, field, " is not valid UTF-8");
    if (size >= out_size)
        return eds_field_say_too_long(err, field, out_size);
    memcpy(out, string, size);
    memset(out + size, 0, out_size - size);
    return EDS_OK;
}

int32_t eds_record_sign(EdsAuditRecord *out, const char *device_id, uint64_t sequence,
                        uint64_t timestamp_ms, const void *payload, size_t payload_size,
                        const uint8_t *prev_record_hash, const char *object_ref,
                        const uint8_t seed[EDS_SEED_SIZE], struct eds_error *err)
{
    uint8_t payload_hash[EDS_HASH_SIZE];

    eds_blake3(payload_hash, payload, payload_size);
    return eds_record_sign_hashed(out, device_id, sequence, timestamp_ms, payload_hash,
                                  prev_record_hash, object_ref, seed, err);
}

int32_t eds_record_sign_hashed(EdsAuditRecord *out, const char *device_id, uint64_t sequence,
                               uint64_t timestamp_ms, const uint8_t payload_hash[EDS_HASH_SIZE],
                               const uint8_t *prev_record_hash, const char *object_ref,
                               const uint8_t seed[EDS_SEED_SIZE], struct eds_error *err)
{
    EdsAuditRecord record;
    int32_t rc;

    rc = fill_string(record.device_id, sizeof record.device_id, device_id, "device_id", err);
    if (rc != EDS_OK)
        return rc;
    rc = fill_string(record.object_ref, sizeof record.object_ref, object_ref, "object_ref", err);
    if (rc != EDS_OK)
        return rc;
    record.sequence = sequence;
    record.timestamp_ms = timestamp_ms;
    memcpy(record.payload_hash, payload_hash, sizeof record.payload_hash);
    eds_ed25519_sign(record.signature, record.payload_hash, sizeof record.payload_hash, seed);
    if (prev_record_hash != NULL)
        memcpy(record.prev_record_hash, prev_record_hash, sizeof record.prev_record_hash);
    else
        memset(record.prev_record_hash, 0, sizeof record.prev_record_hash);
    *out = record;
    return EDS_OK;
}

bool eds_record_verify(const EdsAuditRecord *record, const uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    return eds_ed25519_verify(record->signature, record->payload_hash, sizeof record->payload_hash,
                              public_key);
}

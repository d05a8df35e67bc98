/* bridge.c - see edgesentry_bridge.h.
 *
 * Checks what a C caller may get wrong, and hands over to core.  Codes, the
 * order of checks and the texts of the last error are those of edgesentry-rs,
 * because there are programs that were written against them. */
#include "edgesentry_bridge.h"

#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "base/utf8.h"
#include "core/chain_impl.h"
#include "core/ed25519_impl.h"
#include "core/record_impl.h"

#define LAST_ERROR_SIZE 256u /* bytes; the longest text has under 160 */

#if defined(EDS_WITHOUT_OS) /* and so without threads */
static char last_error[LAST_ERROR_SIZE];
#else
static _Thread_local char last_error[LAST_ERROR_SIZE];
#endif

/* Keeps the text for eds_last_error_message and returns the code. */
static int32_t fail(int32_t code, const char *text, const char *more)
{
    struct eds_text out;

    eds_text_begin(&out, last_error, sizeof last_error);
    eds_text_string(&out, text);
    eds_text_string(&out, more);
    return code;
}

const char *eds_last_error_message(void)
{
    return last_error;
}

int32_t eds_keygen(uint8_t *private_key_out, uint8_t *public_key_out)
{
    if (private_key_out == NULL || public_key_out == NULL)
        return fail(EDS_ERR_NULL_PTR, "eds_keygen: private_key_out or public_key_out is NULL", "");
    if (eds_ed25519_keygen(private_key_out, public_key_out) != EDS_OK)
        return fail(EDS_ERR_PANIC, "eds_keygen: the system has no random bytes to give", "");
    return EDS_OK;
}

/* "Characters" is the original's word for bytes. */
static int32_t check_strings(const char *device_id, const char *object_ref)
{
    size_t device_id_size = strlen(device_id);
    size_t object_ref_size = strlen(object_ref);

    if (!eds_utf8_valid(device_id, device_id_size))
        return fail(EDS_ERR_INVALID_UTF8, "eds_sign_record: device_id is not valid UTF-8", "");
    if (!eds_utf8_valid(object_ref, object_ref_size))
        return fail(EDS_ERR_INVALID_UTF8, "eds_sign_record: object_ref is not valid UTF-8", "");
    if (device_id_size >= EDS_DEVICE_ID_SIZE)
        return fail(EDS_ERR_STRING_TOO_LONG, "eds_sign_record: device_id",
                    " exceeds maximum length of 255 characters");
    if (object_ref_size >= EDS_OBJECT_REF_SIZE)
        return fail(EDS_ERR_STRING_TOO_LONG, "eds_sign_record: object_ref",
                    " exceeds maximum length of 511 characters");
    return EDS_OK;
}

int32_t eds_sign_record(const char *device_id, uint64_t sequence, uint64_t timestamp_ms,
                        const uint8_t *payload, uintptr_t payload_len,
                        const uint8_t *prev_record_hash, const char *object_ref,
                        const uint8_t *private_key, struct EdsAuditRecord *out)
{
    struct eds_error err;
    int32_t rc;

    if (device_id == NULL || payload == NULL || object_ref == NULL || private_key == NULL ||
        out == NULL)
        return fail(EDS_ERR_NULL_PTR, "eds_sign_record: one or more required pointer arguments",
                    " is NULL");
    rc = check_strings(device_id, object_ref);
    if (rc != EDS_OK)
        return rc;
    rc = eds_record_sign(out, device_id, sequence, timestamp_ms, payload, payload_len,
                         prev_record_hash, object_ref, private_key, &err);
    return rc == EDS_OK ? EDS_OK : fail(rc, "eds_sign_record: ", err.text);
}

int32_t eds_record_hash(const struct EdsAuditRecord *record, uint8_t *hash_out)
{
    if (record == NULL || hash_out == NULL)
        return fail(EDS_ERR_NULL_PTR, "eds_record_hash: record or hash_out is NULL", "");
    eds_record_digest_lossy(hash_out, record);
    return EDS_OK;
}

int32_t eds_verify_record(const struct EdsAuditRecord *record, const uint8_t *public_key)
{
    if (record == NULL || public_key == NULL)
        return fail(EDS_ERR_NULL_PTR, "eds_verify_record: record or public_key is NULL", "");
    if (eds_record_verify(record, public_key))
        return 1;
    if (!eds_ed25519_on_curve(public_key))
        return fail(EDS_ERR_INVALID_KEY, "eds_verify_record: public_key",
                    " is not a valid Ed25519 point");
    return 0;
}

int32_t eds_verify_update(const uint8_t *payload, uintptr_t payload_len,
                          const uint8_t *payload_hash, const uint8_t *signature,
                          const uint8_t *publisher_key)
{
    uint8_t hash[EDS_HASH_SIZE];

    if (payload == NULL || payload_hash == NULL || signature == NULL || publisher_key == NULL)
        return EDS_ERR_NULL_PTR;
    if (!eds_ed25519_on_curve(publisher_key))
        return EDS_ERR_INVALID_KEY;
    eds_blake3(hash, payload, payload_len);
    if (memcmp(hash, payload_hash, sizeof hash) != 0)
        return EDS_ERR_HASH_MISMATCH;
    if (!eds_ed25519_verify(signature, hash, sizeof hash, publisher_key))
        return EDS_ERR_BAD_SIGNATURE;
    return EDS_OK;
}

int32_t eds_verify_chain(const struct EdsAuditRecord *records, uintptr_t count)
{
    struct eds_chain_finding finding;
    struct eds_chain chain;
    uint8_t hash[EDS_HASH_SIZE];
    char text[160];

    if (count == 0)
        return EDS_OK;
    if (records == NULL)
        return fail(EDS_ERR_NULL_PTR, "eds_verify_chain: records is NULL but count is non-zero",
                    "");
    eds_chain_begin(&chain, EDS_STRENGTH_LINKS);
    for (uintptr_t i = 0; i < count; i++) {
        eds_record_digest_lossy(hash, &records[i]);
        if (eds_chain_link_hashed(&chain, &records[i], hash, &finding) != EDS_OK) {
            eds_chain_finding_text(text, sizeof text, &finding);
            return fail(EDS_ERR_CHAIN_INVALID,
                        "eds_verify_chain: chain verification failed: ", text);
        }
    }
    return EDS_OK;
}

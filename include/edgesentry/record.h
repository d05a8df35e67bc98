/* record.h - the audit record: its canonical bytes, its hash, its making.
 *
 * The record itself is EdsAuditRecord of edgesentry_bridge.h, so that one type
 * serves the ABI, the device and the server.  An entry is a record and, where
 * there is one, the attestation that travels with it (attest.h).
 *
 * No heap, no OS; any thread.  Byte forms: docs/SPEC.md. */
#ifndef EDGESENTRY_RECORD_H
#define EDGESENTRY_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edgesentry/blake3.h"
#include "edgesentry/ed25519.h"
#include "edgesentry/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define EDS_DEVICE_ID_SIZE  256u /* bytes, NUL included */
#define EDS_OBJECT_REF_SIZE 512u /* bytes, NUL included */

/* Longest canonical encoding: 2 + 255, 10, 10, 32, 1 + 64, 32, 2 + 511. */
#define EDS_RECORD_SIZE_MAX 919u /* bytes */

/* Longest compact form: the canonical bytes and an attestation. */
#define EDS_COMPACT_SIZE_MAX (EDS_RECORD_SIZE_MAX + 1u + EDS_KEY_ID_SIZE + EDS_SIGNATURE_SIZE)

/* A signature over the whole record; outside the record's hash. */
struct eds_attestation {
    bool present;                          /* false: the other fields mean nothing */
    uint8_t key_id[EDS_KEY_ID_SIZE];       /* which key signed */
    uint8_t signature[EDS_SIGNATURE_SIZE]; /* see attest.h */
};

struct eds_entry {
    EdsAuditRecord record;
    struct eds_attestation attestation;
};

/* eds_record_encode writes the canonical bytes (postcard 1.0, fields in the
 * order of docs/SPEC.md).
 *
 *   out, out_size  the caller's; *out_size is set to the bytes written
 *
 * EDS_OK, or EDS_ERR_STRING_TOO_LONG when a string has no NUL in its buffer,
 * or EDS_ERR_INVALID_UTF8.  On failure *out_size is 0. */
int32_t eds_record_encode(uint8_t out[EDS_RECORD_SIZE_MAX], size_t *out_size,
                          const EdsAuditRecord *record);

/* eds_record_decode reads one record from untrusted canonical bytes.
 *
 *   out        the caller's; filled on EDS_OK, untouched otherwise
 *   buf, size  read only, any bytes; no pointer into them is kept
 *
 * EDS_OK, or EDS_ERR_MALFORMED for whatever eds_record_encode would not have
 * written: a short, overlong or trailing field, a varint spelled longer than
 * needed, a string with NUL or bad UTF-8 or past its limit.  Whatever decodes
 * encodes back to the very same bytes.  *err (may be NULL) names the field
 * and the byte position. */
int32_t eds_record_decode(EdsAuditRecord *out, const uint8_t *buf, size_t size,
                          struct eds_error *err);

/* eds_compact_encode and eds_compact_decode do the same for an entry: the
 * canonical bytes, then 0x00, or 0x01 with key id and signature.
 * eds_compact_decode reads one entry from the front of buf and sets *used to
 * its bytes, so that entries may follow each other in a file or a request;
 * EDS_ERR_TRUNCATED means that buf ends inside the entry. */
int32_t eds_compact_encode(uint8_t out[EDS_COMPACT_SIZE_MAX], size_t *out_size,
                           const struct eds_entry *entry);
int32_t eds_compact_decode(struct eds_entry *out, const uint8_t *buf, size_t size, size_t *used,
                           struct eds_error *err);

/* eds_record_digest computes the record hash: BLAKE3 of the canonical bytes.
 * Errors as eds_record_encode (out is then zero). */
int32_t eds_record_digest(uint8_t out[EDS_HASH_SIZE], const EdsAuditRecord *record);

/* eds_record_sign hashes a payload, signs the hash and fills a record.
 *
 *   out                    the caller's; untouched on failure
 *   device_id, object_ref  NUL-terminated UTF-8, at most 255 and 511 bytes
 *   payload, payload_size  payload may be NULL if payload_size is 0
 *   prev_record_hash       NULL for a first record
 *
 * EDS_OK, EDS_ERR_INVALID_UTF8, EDS_ERR_STRING_TOO_LONG; *err (may be NULL)
 * names the field. */
int32_t eds_record_sign(EdsAuditRecord *out, const char *device_id, uint64_t sequence,
                        uint64_t timestamp_ms, const void *payload, size_t payload_size,
                        const uint8_t *prev_record_hash, const char *object_ref,
                        const uint8_t seed[EDS_SEED_SIZE], struct eds_error *err);

/* eds_record_sign_hashed does the same for a payload that was hashed elsewhere. */
int32_t eds_record_sign_hashed(EdsAuditRecord *out, const char *device_id, uint64_t sequence,
                               uint64_t timestamp_ms, const uint8_t payload_hash[EDS_HASH_SIZE],
                               const uint8_t *prev_record_hash, const char *object_ref,
                               const uint8_t seed[EDS_SEED_SIZE], struct eds_error *err);

/* eds_record_verify checks the signature over payload_hash. */
bool eds_record_verify(const EdsAuditRecord *record, const uint8_t public_key[EDS_PUBLIC_KEY_SIZE]);

#ifdef __cplusplus
}
#endif

#endif

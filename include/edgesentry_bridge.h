/* edgesentry_bridge.h - the stable C ABI of EdgeSentry.
 *
 * Source- and binary-compatible with the bridge of edgesentry-rs: a program
 * written for that header compiles against this one unchanged and links with
 * -ledgesentry_bridge.  The header stands alone (C99, C++17).
 *
 * Rules that hold for every function:
 *   - nothing is allocated, so nothing has to be freed; the caller owns every
 *     buffer, and no pointer is kept after the call;
 *   - every pointer is checked: NULL where a buffer is needed is
 *     EDS_ERR_NULL_PTR;
 *   - a key or hash is 32 bytes, a signature 64 bytes;
 *   - any number of threads may call at once.
 * After a negative answer eds_last_error_message() says what was wrong (except
 * after eds_verify_update, whose code says it all).
 *
 * What the signatures mean and the bytes behind them: docs/SPEC.md. */
#ifndef EDGESENTRY_BRIDGE_H
#define EDGESENTRY_BRIDGE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EDS_OK                  0
#define EDS_ERR_NULL_PTR        (-1) /* a required pointer was NULL */
#define EDS_ERR_INVALID_UTF8    (-2) /* a string is not valid UTF-8 */
#define EDS_ERR_INVALID_KEY     (-3) /* a key is no point of the curve */
#define EDS_ERR_STRING_TOO_LONG (-4) /* a string exceeds its fixed buffer */
#define EDS_ERR_CHAIN_INVALID   (-5) /* a link of the chain is broken */
#define EDS_ERR_PANIC           (-6) /* an internal error: no randomness, say */
#define EDS_ERR_HASH_MISMATCH   (-7) /* the payload's hash is another one */
#define EDS_ERR_BAD_SIGNATURE   (-8) /* the Ed25519 signature is not valid */

/* One inspection event: what a device measured, when, and what came before.
 * 912 bytes, no padding.  Strings end with NUL inside their buffer. */
typedef struct EdsAuditRecord {
    uint64_t sequence;            /* 1, 2, 3 ... per device */
    uint64_t timestamp_ms;        /* the device's Unix time: a claim, no proof */
    uint8_t payload_hash[32];     /* BLAKE3 of the raw payload */
    uint8_t signature[64];        /* Ed25519 over the 32 bytes of payload_hash */
    uint8_t prev_record_hash[32]; /* hash of the record before; zero for the first */
    uint8_t device_id[256];       /* UTF-8, at most 255 bytes and a NUL */
    uint8_t object_ref[512];      /* UTF-8, at most 511 bytes and a NUL */
} EdsAuditRecord;

/* eds_keygen draws an Ed25519 key pair from the system's random source.
 *
 *   private_key_out  32 bytes, the seed; on failure wiped
 *   public_key_out   32 bytes
 *
 * EDS_OK, EDS_ERR_NULL_PTR, or EDS_ERR_PANIC when there is no randomness. */
int32_t eds_keygen(uint8_t *private_key_out, uint8_t *public_key_out);

/* eds_sign_record hashes a payload, signs the hash and fills one record.
 *
 *   device_id, object_ref  NUL-terminated UTF-8, at most 255 and 511 bytes
 *   payload, payload_len   the raw bytes; payload must not be NULL, even for 0
 *   prev_record_hash       32 bytes, or NULL for the first record (zero hash)
 *   private_key            32 bytes (the seed)
 *   out                    filled on EDS_OK, untouched otherwise
 *
 * EDS_OK, EDS_ERR_NULL_PTR, EDS_ERR_INVALID_UTF8, EDS_ERR_STRING_TOO_LONG. */
int32_t eds_sign_record(const char *device_id, uint64_t sequence, uint64_t timestamp_ms,
                        const uint8_t *payload, uintptr_t payload_len,
                        const uint8_t *prev_record_hash, const char *object_ref,
                        const uint8_t *private_key, struct EdsAuditRecord *out);

/* eds_record_hash computes the 32 bytes that the next record carries as its
 * prev_record_hash.  A string that is not valid UTF-8 is hashed with U+FFFD in
 * place of its bad bytes, as the original does.
 *
 * EDS_OK or EDS_ERR_NULL_PTR. */
int32_t eds_record_hash(const struct EdsAuditRecord *record, uint8_t *hash_out);

/* eds_verify_record checks the Ed25519 signature over payload_hash and nothing
 * else: not the payload, the time, the reference or the place in the chain.
 *
 * 1 valid, 0 not valid, EDS_ERR_NULL_PTR, or EDS_ERR_INVALID_KEY when
 * public_key is no point of the curve. */
int32_t eds_verify_record(const struct EdsAuditRecord *record, const uint8_t *public_key);

/* eds_verify_update checks a software update before it is installed: first
 * BLAKE3(payload) == payload_hash, then the publisher's signature over it.
 *
 * EDS_OK, EDS_ERR_NULL_PTR, EDS_ERR_INVALID_KEY (looked at before the payload),
 * EDS_ERR_HASH_MISMATCH, EDS_ERR_BAD_SIGNATURE.  Leaves eds_last_error_message() as it was. */
int32_t eds_verify_update(const uint8_t *payload, uintptr_t payload_len,
                          const uint8_t *payload_hash, const uint8_t *signature,
                          const uint8_t *publisher_key);

/* eds_verify_chain checks that each record carries the hash of the one before
 * and the next sequence.  It checks no signature and cannot see a cut tail.
 *
 *   records, count  the chain, first record first; (NULL, 0) is a valid chain
 *
 * EDS_OK, EDS_ERR_CHAIN_INVALID, EDS_ERR_NULL_PTR. */
int32_t eds_verify_chain(const struct EdsAuditRecord *records, uintptr_t count);

/* eds_last_error_message says what was wrong with this thread's last call that
 * failed; "" before any failure, never NULL.  A later success leaves it as it
 * is.  The text is valid until this thread's next failing call. */
const char *eds_last_error_message(void);

#ifdef __cplusplus
}
#endif

#endif

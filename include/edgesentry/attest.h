/* attest.h - a signature over the whole record.
 *
 * A record's own signature covers the payload's hash alone: whoever captured a
 * payload and its signature could write a new sequence, time, reference and
 * previous hash around them.  The attestation closes that.  It travels beside
 * the record, outside its hash, so that chains stay what they are:
 *
 *   key_id    = first 8 bytes of BLAKE3("edgesentry/key-id/v1" || public key)
 *   signature = Ed25519("edgesentry/record-attest/v1" || key_id || record hash)
 *
 * Tags are ASCII without a terminator.  No heap, no OS; any thread. */
#ifndef EDGESENTRY_ATTEST_H
#define EDGESENTRY_ATTEST_H

#include "edgesentry/record.h"

#ifdef __cplusplus
extern "C" {
#endif

#define EDS_ATTEST_MESSAGE_SIZE 67u /* bytes: the tag's 27, key id, record hash */

/* eds_attest_message writes what an attestation signs, for signers and
 * verifiers that are not ours (a token, a batch). */
void eds_attest_message(uint8_t out[EDS_ATTEST_MESSAGE_SIZE], const uint8_t key_id[EDS_KEY_ID_SIZE],
                        const uint8_t record_hash[EDS_HASH_SIZE]);

/* eds_attest_sign fills *out for the record with that hash. */
void eds_attest_sign(struct eds_attestation *out, const uint8_t record_hash[EDS_HASH_SIZE],
                     const uint8_t seed[EDS_SEED_SIZE]);

/* eds_attest_verify says whether a present attestation names this key and is
 * its signature over this record hash.  False if none is present. */
bool eds_attest_verify(const struct eds_attestation *attestation,
                       const uint8_t record_hash[EDS_HASH_SIZE],
                       const uint8_t public_key[EDS_PUBLIC_KEY_SIZE]);

#ifdef __cplusplus
}
#endif

#endif

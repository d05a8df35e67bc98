/* attest.c - see edgesentry/attest.h. */
#include "edgesentry/attest.h"

#include <string.h>

#include "core/ed25519_impl.h"

static const char tag[] = "edgesentry/record-attest/v1";

#define TAG_SIZE (sizeof tag - 1)
_Static_assert(TAG_SIZE + EDS_KEY_ID_SIZE + EDS_HASH_SIZE == EDS_ATTEST_MESSAGE_SIZE,
               "the message is tag, key id and hash");

void eds_attest_message(uint8_t out[EDS_ATTEST_MESSAGE_SIZE], const uint8_t key_id[EDS_KEY_ID_SIZE],
                        const uint8_t record_hash[EDS_HASH_SIZE])
{
    memcpy(out, tag, TAG_SIZE);
    memcpy(out + TAG_SIZE, key_id, EDS_KEY_ID_SIZE);
    memcpy(out + TAG_SIZE + EDS_KEY_ID_SIZE, record_hash, EDS_HASH_SIZE);
}

void eds_attest_sign(struct eds_attestation *out, const uint8_t record_hash[EDS_HASH_SIZE],
                     const uint8_t seed[EDS_SEED_SIZE])
{
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
    uint8_t message[EDS_ATTEST_MESSAGE_SIZE];

    eds_ed25519_public_key(public_key, seed);
    eds_key_id(out->key_id, public_key);
    eds_attest_message(message, out->key_id, record_hash);
    eds_ed25519_sign_pair(out->signature, message, sizeof message, seed, public_key);
    out->present = true;
}

bool eds_attest_verify(const struct eds_attestation *attestation,
                       const uint8_t record_hash[EDS_HASH_SIZE],
                       const uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    uint8_t key_id[EDS_KEY_ID_SIZE];
    uint8_t message[EDS_ATTEST_MESSAGE_SIZE];

    if (!attestation->present)
        return false;
    eds_key_id(key_id, public_key);
    if (memcmp(key_id, attestation->key_id, EDS_KEY_ID_SIZE) != 0)
        return false;
    eds_attest_message(message, key_id, record_hash);
    return eds_ed25519_verify(attestation->signature, message, sizeof message, public_key);
}

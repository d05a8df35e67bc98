/* ed25519.h - key pairs and signatures (RFC 8032), through libsodium.
 *
 * The accept rule, which is libsodium 1.0.18's and never changes here.  A
 * signature (R, S) over a message under a public key A is valid when
 *   1. S < L (no second spelling of a signature);
 *   2. R is not a point of small order;
 *   3. A is the canonical spelling of a point on the curve, not of small order;
 *   4. the bytes of [S]B - [k]A equal R, with k = SHA-512(R || A || message)
 *      (cofactorless, so R is canonical as well).
 * No heap; any thread. */
#ifndef EDGESENTRY_ED25519_H
#define EDGESENTRY_ED25519_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EDS_SEED_SIZE       32u /* bytes of a private key */
#define EDS_PUBLIC_KEY_SIZE 32u /* bytes */
#define EDS_SIGNATURE_SIZE  64u /* bytes */
#define EDS_KEY_ID_SIZE     8u  /* bytes */

/* Why a public key is not taken. */
enum eds_key_fault {
    EDS_KEY_GOOD = 0,
    EDS_KEY_NOT_CANONICAL, /* y is not reduced modulo p, or x = 0 with a sign */
    EDS_KEY_NOT_ON_CURVE,  /* no point has this y */
    EDS_KEY_SMALL_ORDER,   /* one of the eight points that sign anything */
};

/* eds_ed25519_keygen draws a seed from the random port and derives its public
 * key.  EDS_OK, or EDS_ERR_PANIC without randomness (both buffers wiped). */
int32_t eds_ed25519_keygen(uint8_t seed[EDS_SEED_SIZE], uint8_t public_key[EDS_PUBLIC_KEY_SIZE]);

/* eds_ed25519_public_key derives the public key of a seed; every seed has one. */
void eds_ed25519_public_key(uint8_t public_key[EDS_PUBLIC_KEY_SIZE],
                            const uint8_t seed[EDS_SEED_SIZE]);

/* eds_ed25519_sign signs size bytes at message.  Deterministic.  The expanded
 * private key is wiped before returning. */
void eds_ed25519_sign(uint8_t signature[EDS_SIGNATURE_SIZE], const void *message, size_t size,
                      const uint8_t seed[EDS_SEED_SIZE]);

/* eds_ed25519_verify applies the rule above. */
bool eds_ed25519_verify(const uint8_t signature[EDS_SIGNATURE_SIZE], const void *message,
                        size_t size, const uint8_t public_key[EDS_PUBLIC_KEY_SIZE]);

/* eds_ed25519_check_key decides whether a key may be registered. */
enum eds_key_fault eds_ed25519_check_key(const uint8_t public_key[EDS_PUBLIC_KEY_SIZE]);

/* eds_key_fault_text says the fault in words ("is a point of small order"). */
const char *eds_key_fault_text(enum eds_key_fault fault);

/* eds_key_id derives the short name of a public key: the first 8 bytes of
 * BLAKE3("edgesentry/key-id/v1" || public key).  docs/SPEC.md, attestation. */
void eds_key_id(uint8_t key_id[EDS_KEY_ID_SIZE], const uint8_t public_key[EDS_PUBLIC_KEY_SIZE]);

#ifdef __cplusplus
}
#endif

#endif

/* ed25519_impl.h - what core and bridge share about keys beyond ed25519.h. */
#ifndef EDS_CORE_ED25519_IMPL_H
#define EDS_CORE_ED25519_IMPL_H

#include "edgesentry/ed25519.h"

/* eds_ed25519_sign_pair signs as eds_ed25519_sign, in half the time, because
 * the public key is there already.  It must be that of the seed: a signature
 * made with another one gives the private key away.  So no caller outside of
 * core. */
void eds_ed25519_sign_pair(uint8_t signature[EDS_SIGNATURE_SIZE], const void *message, size_t size,
                           const uint8_t seed[EDS_SEED_SIZE],
                           const uint8_t public_key[EDS_PUBLIC_KEY_SIZE]);

/* eds_ed25519_on_curve says whether the bytes stand for a point at all, in
 * whatever spelling and of whatever order. */
bool eds_ed25519_on_curve(const uint8_t public_key[EDS_PUBLIC_KEY_SIZE]);

/* eds_ed25519_small_order says whether the bytes spell a point whose order
 * divides 8, y below p; a spelling above p is not looked for. */
bool eds_ed25519_small_order(const uint8_t point[EDS_PUBLIC_KEY_SIZE]);

#endif

/* sc25519.h - numbers modulo L = 2^252 + 27742317777372353535851937790883648493,
 * the order of the base point.
 *
 * Public data only: running time may depend on values. */
#ifndef EDS_CORE_SC25519_H
#define EDS_CORE_SC25519_H

#if defined(__SIZEOF_INT128__)

#include <stdbool.h>
#include <stdint.h>

/* libsodium's archive has functions of these names: for the linker ours differ. */
#define sc25519_from_bytes eds_sc25519_from_bytes
#define sc25519_reduce     eds_sc25519_reduce

/* Four words, lowest first; always below L. */
struct sc25519 {
    uint64_t word[4];
};

/* sc25519_from_bytes reads 32 bytes, least significant first.  False, with
 * *out untouched, for a number that is not below L. */
bool sc25519_from_bytes(struct sc25519 *out, const uint8_t bytes[32]);

/* sc25519_reduce takes 64 bytes, least significant first, modulo L. */
void sc25519_reduce(struct sc25519 *out, const uint8_t bytes[64]);

#endif
#endif

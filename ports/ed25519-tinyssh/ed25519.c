/* ed25519.c - see sodium.h.
 *
 * Curve, scalars and SHA-512's blocks are TinySSH's (public domain, in Debian as the
 * source of tinysshd): constant time, no tables but one of 16 points on the stack.
 * Its own functions for signing copy the whole message; these go over it in pieces.
 * What verification refuses beside a wrong equation is what libsodium refuses. */
#include "sodium.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <crypto_hash_sha512.c> /* for its static blocks() */
#include <fe25519.h>
#include <ge25519.h>
#include <sc25519.h>

/* Of the library: is this one of the points whose order divides 8? */
bool eds_ed25519_small_order(const uint8_t point[32]);

/* TinySSH calls it for all that is secret. */
void cleanup_(void *bytes, long long size)
{
    volatile unsigned char *at = bytes;

    while (size-- > 0)
        *at++ = 0;
}

#define BLOCK_SIZE 128u

/* SHA-512 of pieces. */
struct hash {
    unsigned long long chain[8];
    unsigned char block[BLOCK_SIZE];
    size_t used; /* of block */
    unsigned long long size;
};

static void hash_begin(struct hash *hash)
{
    static const unsigned long long start[8] = {
        0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
        0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};

    memcpy(hash->chain, start, sizeof start);
    hash->used = 0;
    hash->size = 0;
}

static void hash_add(struct hash *hash, const unsigned char *bytes, unsigned long long size)
{
    hash->size += size;
    while (size > 0) {
        size_t some = BLOCK_SIZE - hash->used;

        if (size < some)
            some = (size_t)size;
        memcpy(hash->block + hash->used, bytes, some);
        hash->used += some;
        bytes += some;
        size -= some;
        if (hash->used == BLOCK_SIZE) {
            blocks(hash->chain, hash->block, BLOCK_SIZE);
            hash->used = 0;
        }
    }
}

static void hash_end(unsigned char out[64], struct hash *hash)
{
    const unsigned long long size = hash->size;

    hash->block[hash->used++] = 0x80;
    if (hash->used > BLOCK_SIZE - 16) {
        memset(hash->block + hash->used, 0, BLOCK_SIZE - hash->used);
        blocks(hash->chain, hash->block, BLOCK_SIZE);
        hash->used = 0;
    }
    memset(hash->block + hash->used, 0, BLOCK_SIZE - hash->used);
    store64_bigendian(hash->block + BLOCK_SIZE - 16, size >> 61);
    store64_bigendian(hash->block + BLOCK_SIZE - 8, size << 3);
    blocks(hash->chain, hash->block, BLOCK_SIZE);
    for (size_t i = 0; i < 8; i++)
        store64_bigendian(out + 8 * i, hash->chain[i]);
    cleanup_(hash, sizeof *hash);
}

/* The secret scalar in the first half, what makes nonces in the second. */
static void expand(unsigned char out[64], const unsigned char *seed)
{
    struct hash hash;

    hash_begin(&hash);
    hash_add(&hash, seed, 32);
    hash_end(out, &hash);
    out[0] &= 248;
    out[31] &= 63;
    out[31] |= 64;
}

int crypto_sign_ed25519_seed_keypair(unsigned char *public_key, unsigned char *secret_key,
                                     const unsigned char *seed)
{
    unsigned char expanded[64];
    ge25519 point;

    expand(expanded, seed);
    ge25519_scalarmult_base(point, expanded);
    ge25519_tobytes(public_key, point);
    memmove(secret_key, seed, 32);
    memcpy(secret_key + 32, public_key, 32);
    cleanup_(expanded, sizeof expanded);
    cleanup_(point, sizeof point);
    return 0;
}

/* SHA-512(a || b || message) modulo the order; b may be NULL. */
static void hash_to_scalar(unsigned char out[64], const unsigned char *a, const unsigned char *b,
                           const unsigned char *message, unsigned long long size)
{
    struct hash hash;

    hash_begin(&hash);
    hash_add(&hash, a, 32);
    if (b != NULL)
        hash_add(&hash, b, 32);
    hash_add(&hash, message, size);
    hash_end(out, &hash);
    sc25519_reduce(out);
}

int crypto_sign_ed25519_detached(unsigned char *signature, unsigned long long *signature_size,
                                 const unsigned char *message, unsigned long long size,
                                 const unsigned char *secret_key)
{
    unsigned char expanded[64], nonce[64], k[64];
    ge25519 point;

    expand(expanded, secret_key);
    hash_to_scalar(nonce, expanded + 32, NULL, message, size);
    ge25519_scalarmult_base(point, nonce);
    ge25519_tobytes(signature, point);
    hash_to_scalar(k, signature, secret_key + 32, message, size);
    sc25519_muladd(signature + 32, k, expanded, nonce);
    if (signature_size != NULL)
        *signature_size = crypto_sign_ed25519_BYTES;
    cleanup_(expanded, sizeof expanded);
    cleanup_(nonce, sizeof nonce);
    cleanup_(point, sizeof point);
    return 0;
}

/* Is the little-endian number below the group's order? */
static bool is_scalar(const unsigned char s[32])
{
    static const unsigned char order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
                                            0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                            0,    0,    0,    0,    0,    0,    0,    0,
                                            0,    0,    0,    0,    0,    0,    0,    0x10};

    for (size_t i = 32; i-- > 0;)
        if (s[i] != order[i])
            return s[i] < order[i];
    return false;
}

/* Is y, the low 255 bits, below 2^255 - 19? */
static bool is_reduced(const unsigned char point[32])
{
    unsigned char ones = point[31] | 0x80;

    for (size_t i = 1; i < 31; i++)
        ones &= point[i];
    return ones != 0xff || point[0] < 0xed;
}

int crypto_sign_ed25519_verify_detached(const unsigned char *signature,
                                        const unsigned char *message, unsigned long long size,
                                        const unsigned char *public_key)
{
    unsigned char k[64], again[32];
    ge25519 a, b;

    if (!is_scalar(signature + 32) || !is_reduced(public_key) ||
        eds_ed25519_small_order(signature) || eds_ed25519_small_order(public_key) ||
        ge25519_frombytes_negate_vartime(a, public_key) != 0)
        return -1;
    hash_to_scalar(k, signature, public_key, message, size);
    ge25519_scalarmult(a, a, k);
    memcpy(k, signature + 32, 32);
    ge25519_scalarmult_base(b, k);
    ge25519_add(a, a, b);
    ge25519_tobytes(again, a);
    return memcmp(again, signature, sizeof again) == 0 ? 0 : -1;
}

int crypto_core_ed25519_add(unsigned char *sum, const unsigned char *p, const unsigned char *q)
{
    ge25519 a, b;

    if (ge25519_frombytes_negate_vartime(a, p) != 0 || ge25519_frombytes_negate_vartime(b, q) != 0)
        return -1;
    ge25519_add(a, a, b);
    fe25519_neg(a[0], a[0]); /* both had been negated */
    ge25519_tobytes(sum, a);
    return 0;
}

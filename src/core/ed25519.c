/* ed25519.c - see edgesentry/ed25519.h.
 *
 * The arithmetic is libsodium's.  Its functions used here need no
 * sodium_init(): that one chooses among implementations of other primitives and
 * opens the random source, for which we have our own port. */
#include "edgesentry/ed25519.h"

#include <sodium.h>
#include <string.h>

#include "base/port.h"
#include "base/wipe.h"
#include "core/ed25519_impl.h"
#include "edgesentry/blake3.h"
#include "edgesentry/error.h"

/* libsodium's private key is the seed with the public key behind it. */
#define SECRET_KEY_SIZE (EDS_SEED_SIZE + EDS_PUBLIC_KEY_SIZE)

_Static_assert(crypto_sign_ed25519_SEEDBYTES == EDS_SEED_SIZE, "seed");
_Static_assert(crypto_sign_ed25519_PUBLICKEYBYTES == EDS_PUBLIC_KEY_SIZE, "public key");
_Static_assert(crypto_sign_ed25519_SECRETKEYBYTES == SECRET_KEY_SIZE, "secret key");
_Static_assert(crypto_sign_ed25519_BYTES == EDS_SIGNATURE_SIZE, "signature");

int32_t eds_ed25519_keygen(uint8_t seed[EDS_SEED_SIZE], uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    if (eds_port_random(seed, EDS_SEED_SIZE) != 0) {
        eds_wipe(seed, EDS_SEED_SIZE);
        eds_wipe(public_key, EDS_PUBLIC_KEY_SIZE);
        return EDS_ERR_PANIC;
    }
    eds_ed25519_public_key(public_key, seed);
    return EDS_OK;
}

void eds_ed25519_public_key(uint8_t public_key[EDS_PUBLIC_KEY_SIZE],
                            const uint8_t seed[EDS_SEED_SIZE])
{
    uint8_t secret_key[SECRET_KEY_SIZE];

    (void)crypto_sign_ed25519_seed_keypair(public_key, secret_key, seed); /* cannot fail */
    eds_wipe(secret_key, sizeof secret_key);
}

void eds_ed25519_sign_pair(uint8_t signature[EDS_SIGNATURE_SIZE], const void *message, size_t size,
                           const uint8_t seed[EDS_SEED_SIZE],
                           const uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    uint8_t secret_key[SECRET_KEY_SIZE];

    memcpy(secret_key, seed, EDS_SEED_SIZE);
    memcpy(secret_key + EDS_SEED_SIZE, public_key, EDS_PUBLIC_KEY_SIZE);
    (void)crypto_sign_ed25519_detached(signature, NULL, message, size, secret_key);
    eds_wipe(secret_key, sizeof secret_key);
}

void eds_ed25519_sign(uint8_t signature[EDS_SIGNATURE_SIZE], const void *message, size_t size,
                      const uint8_t seed[EDS_SEED_SIZE])
{
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];

    eds_ed25519_public_key(public_key, seed);
    eds_ed25519_sign_pair(signature, message, size, seed, public_key);
}

bool eds_ed25519_verify(const uint8_t signature[EDS_SIGNATURE_SIZE], const void *message,
                        size_t size, const uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    return crypto_sign_ed25519_verify_detached(signature, message, size, public_key) == 0;
}

/* Is y, the low 255 bits, below p = 2^255 - 19?  Only 19 values are not. */
static bool is_reduced(const uint8_t key[EDS_PUBLIC_KEY_SIZE])
{
    uint8_t ones = key[31] | 0x80;

    for (size_t i = 1; i < 31; i++)
        ones &= key[i];
    return ones != 0xff || key[0] < 0xed;
}

/* The eight points whose order divides 8, lower half of the bytes; the sign
 * bit is looked at by the caller.  A signature by any of them can be made
 * without a private key. */
static const uint8_t small_order[5][EDS_PUBLIC_KEY_SIZE] = {
    {0},    /* order 4, both signs */
    {0x01}, /* the neutral point: x = 0, so one sign only */
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, /* order 2: x = 0 */
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05}, /* order 8, both signs */
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a}, /* order 8, both signs */
};

enum { NEUTRAL = 1, ORDER_TWO = 2, NOT_SMALL = 5 };

static size_t find_small_order(const uint8_t key[EDS_PUBLIC_KEY_SIZE])
{
    size_t i = 0;

    while (i < NOT_SMALL && (memcmp(key, small_order[i], EDS_PUBLIC_KEY_SIZE - 1) != 0 ||
                             (key[31] & 0x7f) != small_order[i][31]))
        i++;
    return i;
}

bool eds_ed25519_small_order(const uint8_t point[EDS_PUBLIC_KEY_SIZE])
{
    return find_small_order(point) != NOT_SMALL;
}

bool eds_ed25519_on_curve(const uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    /* libsodium has no function for just this question; adding the base point
     * asks it of both summands. */
    static const uint8_t base[EDS_PUBLIC_KEY_SIZE] = {
        0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
        0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
        0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66};
    uint8_t sum[EDS_PUBLIC_KEY_SIZE];

    return crypto_core_ed25519_add(sum, public_key, base) == 0;
}

enum eds_key_fault eds_ed25519_check_key(const uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    size_t small = find_small_order(public_key);

    if (!is_reduced(public_key))
        return EDS_KEY_NOT_CANONICAL;
    if ((small == NEUTRAL || small == ORDER_TWO) && public_key[31] >= 0x80)
        return EDS_KEY_NOT_CANONICAL; /* minus zero */
    if (small != NOT_SMALL)
        return EDS_KEY_SMALL_ORDER;
    return eds_ed25519_on_curve(public_key) ? EDS_KEY_GOOD : EDS_KEY_NOT_ON_CURVE;
}

const char *eds_key_fault_text(enum eds_key_fault fault)
{
    switch (fault) {
    case EDS_KEY_GOOD:
        return "is a good key";
    case EDS_KEY_NOT_CANONICAL:
        return "is not the canonical spelling of a point";
    case EDS_KEY_NOT_ON_CURVE:
        return "is not a point of the curve";
    case EDS_KEY_SMALL_ORDER:
        return "is a point of small order";
    }
    return "is not known to be good";
}

void eds_key_id(uint8_t key_id[EDS_KEY_ID_SIZE], const uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    static const char tag[] = "edgesentry/key-id/v1";
    uint8_t message[sizeof tag - 1 + EDS_PUBLIC_KEY_SIZE];
    uint8_t hash[EDS_HASH_SIZE];

    memcpy(message, tag, sizeof tag - 1);
    memcpy(message + sizeof tag - 1, public_key, EDS_PUBLIC_KEY_SIZE);
    eds_blake3(hash, message, sizeof message);
    memcpy(key_id, hash, EDS_KEY_ID_SIZE);
}

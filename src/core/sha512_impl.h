/* sha512_impl.h - what the levels of side-by-side SHA-512 share.  One message at
 * a time goes to libsodium. */
#ifndef EDS_CORE_SHA512_IMPL_H
#define EDS_CORE_SHA512_IMPL_H

#include <stddef.h>
#include <stdint.h>

#define EDS_SHA512_BLOCK_SIZE 128u /* bytes */
#define EDS_SHA512_SIZE       64u  /* bytes of a hash */

extern const uint64_t eds_sha512_round[80];
extern const uint64_t eds_sha512_start[8];

/* What is hashed for a signature: R, A and the message, one after the other. */
struct eds_sha512_text {
    const uint8_t *r, *a; /* 32 bytes each */
    const uint8_t *message;
    size_t message_size;
};

/* eds_sha512_block_count tells the blocks of a text, padding included. */
uint64_t eds_sha512_block_count(const struct eds_sha512_text *text);

/* eds_sha512_block fills one of them. */
void eds_sha512_block(uint8_t block[EDS_SHA512_BLOCK_SIZE], const struct eds_sha512_text *text,
                      uint64_t index);

#endif

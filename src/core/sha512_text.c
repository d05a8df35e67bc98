/* sha512_text.c - R, A and a message, cut into SHA-512's blocks (FIPS 180-4,
 * section 5.1.2): the bytes, 0x80, zeros, and the length in bits. */
#include <string.h>

#include "core/sha512_impl.h"

#define HEAD_SIZE   64u /* R and A */
#define LENGTH_SIZE 16u

uint64_t eds_sha512_block_count(const struct eds_sha512_text *text)
{
    uint64_t size = HEAD_SIZE + (uint64_t)text->message_size;

    return (size + 1 + LENGTH_SIZE + EDS_SHA512_BLOCK_SIZE - 1) / EDS_SHA512_BLOCK_SIZE;
}

void eds_sha512_block(uint8_t block[EDS_SHA512_BLOCK_SIZE], const struct eds_sha512_text *text,
                      uint64_t index)
{
    const uint64_t begin = index * EDS_SHA512_BLOCK_SIZE;
    const uint64_t size = HEAD_SIZE + (uint64_t)text->message_size;
    uint64_t used = 0, left = size > begin ? size - begin : 0;

    if (index == 0) {
        memcpy(block, text->r, 32);
        memcpy(block + 32, text->a, 32);
        used = HEAD_SIZE;
        left -= HEAD_SIZE;
    }
    if (left > EDS_SHA512_BLOCK_SIZE - used)
        left = EDS_SHA512_BLOCK_SIZE - used;
    if (left > 0)
        memcpy(block + used, text->message + (begin + used - HEAD_SIZE), (size_t)left);
    used += left;
    memset(block + used, 0, (size_t)(EDS_SHA512_BLOCK_SIZE - used));
    if (begin + used == size && used < EDS_SHA512_BLOCK_SIZE)
        block[used] = 0x80;
    if (index + 1 < eds_sha512_block_count(text))
        return;
    block[EDS_SHA512_BLOCK_SIZE - 9] = (uint8_t)(size >> 61);
    for (unsigned i = 0; i < 8; i++)
        block[EDS_SHA512_BLOCK_SIZE - 1 - i] = (uint8_t)((size << 3) >> (8 * i));
}

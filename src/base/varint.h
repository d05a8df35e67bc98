/* varint.h - unsigned LEB128: seven bits a byte, the lowest first. */
#ifndef EDS_BASE_VARINT_H
#define EDS_BASE_VARINT_H

#include <stdbool.h>
#include <stdint.h>

#define EDS_VARINT_SIZE_MAX 10u /* bytes */

/* eds_varint_put writes a number and returns the place behind it. */
static inline uint8_t *eds_varint_put(uint8_t *at, uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        *at++ = (uint8_t)(number | 0x80);
    *at++ = (uint8_t)number;
    return at;
}

/* eds_varint_take reads one of untrusted bytes and moves *at behind it.  False if
 * the bytes end inside it or it is above 2^64 - 1. */
static inline bool eds_varint_take(const uint8_t **at, const uint8_t *end, uint64_t *out)
{
    uint64_t number = 0;

    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;

        if (shift == 63 && byte > 1)
            return false;
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = number;
            return true;
        }
    }
    return false;
}

#endif

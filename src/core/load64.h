/* load64.h - 64-bit words out of bytes and back, least significant first, by
 * shifts: the machine's byte order does not matter, and compilers make one load
 * or store of it where they can. */
#ifndef EDS_CORE_LOAD64_H
#define EDS_CORE_LOAD64_H

#include <stdint.h>

static inline uint64_t eds_load64(const uint8_t bytes[8])
{
    return (uint64_t)bytes[0] | (uint64_t)bytes[1] << 8 | (uint64_t)bytes[2] << 16 |
           (uint64_t)bytes[3] << 24 | (uint64_t)bytes[4] << 32 | (uint64_t)bytes[5] << 40 |
           (uint64_t)bytes[6] << 48 | (uint64_t)bytes[7] << 56;
}

static inline void eds_store64(uint8_t bytes[8], uint64_t word)
{
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(word >> (8 * i));
}

#endif

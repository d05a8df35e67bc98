/* crc32c.c - see crc32c.h.  Eight bytes a step, by eight tables that are made at
 * the first use; without an OS half a byte a step, by 64 bytes of table. */
#include "device/crc32c.h"

#if defined(EDS_WITHOUT_OS)

/* What four bits do: the remainders of 0 to 15. */
static const uint32_t table[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t eds_crc32c(uint32_t crc, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;

    crc = ~crc;
    for (; size > 0; size--, at++) {
        crc ^= *at;
        crc = (crc >> 4) ^ table[crc & 15];
        crc = (crc >> 4) ^ table[crc & 15];
    }
    return ~crc;
}

#else

#include <pthread.h>

#define POLYNOMIAL 0x82f63b78u /* bits reversed */

static uint32_t tables[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;

        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? POLYNOMIAL : 0);
        tables[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int t = 1; t < 8; t++)
            tables[t][i] = (tables[t - 1][i] >> 8) ^ tables[0][tables[t - 1][i] & 0xff];
}

uint32_t eds_crc32c(uint32_t crc, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;

    pthread_once(&once, make_tables);
    crc = ~crc;
    for (; size >= 8; size -= 8, at += 8)
        crc = tables[7][at[0] ^ (crc & 0xff)] ^ tables[6][at[1] ^ ((crc >> 8) & 0xff)] ^
              tables[5][at[2] ^ ((crc >> 16) & 0xff)] ^ tables[4][at[3] ^ (crc >> 24)] ^
              tables[3][at[4]] ^ tables[2][at[5]] ^ tables[1][at[6]] ^ tables[0][at[7]];
    for (; size > 0; size--, at++)
        crc = (crc >> 8) ^ tables[0][(crc ^ *at) & 0xff];
    return ~crc;
}

#endif

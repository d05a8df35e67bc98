/* crc32c.h - CRC-32C (Castagnoli), for what a medium does to bytes; not for what
 * people do to them. */
#ifndef EDS_DEVICE_CRC32C_H
#define EDS_DEVICE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* eds_crc32c goes on from crc (0 at the start) over size more bytes. */
uint32_t eds_crc32c(uint32_t crc, const void *bytes, size_t size);

#endif

/* log_format.c - see log_format.h. */
#include "device/log_format.h"

#include "device/crc32c.h"
#include "device/log_io.h"

#define SECTOR_COUNT    64u
#define SECTOR_SIZE_MIN 4096u
#define SECTOR_SIZE_MAX (1024u * 1024u)

static const uint8_t magic[8] = {'E', 'D', 'S', 'L', 'O', 'G', '1', '\n'};

uint32_t eds_ring_sector_size(uint64_t file_size)
{
    uint32_t size = SECTOR_SIZE_MIN;

    if (file_size < EDS_LOG_SIZE_MIN || file_size > EDS_LOG_SIZE_MAX)
        return 0;
    while (size < SECTOR_SIZE_MAX && (uint64_t)size * 2 * SECTOR_COUNT <= file_size)
        size *= 2;
    return file_size % size == 0 ? size : 0;
}

void eds_ring_header_encode(uint8_t out[LOG_HEADER_SIZE], const struct log_header *header)
{
    memcpy(out, magic, sizeof magic);
    log_put(out + 8, header->serial, 8);
    log_put(out + 16, header->id_last, 8);
    log_put(out + 24, header->nonce, 4);
    log_put(out + 28, eds_crc32c(0, out, 28), 4);
}

bool eds_ring_header_decode(struct log_header *out, const uint8_t bytes[LOG_HEADER_SIZE])
{
    if (memcmp(bytes, magic, sizeof magic) != 0 ||
        log_get(bytes + 28, 4) != eds_crc32c(0, bytes, 28))
        return false;
    out->serial = log_get(bytes + 8, 8);
    out->id_last = log_get(bytes + 16, 8);
    out->nonce = (uint32_t)log_get(bytes + 24, 4);
    return true;
}

static uint32_t frame_crc(const uint8_t *frame, uint32_t size, const struct log_header *header,
                          uint32_t offset)
{
    uint8_t place[16];

    log_put(place, header->serial, 8);
    log_put(place + 8, header->nonce, 4);
    log_put(place + 12, offset, 4);
    return eds_crc32c(eds_crc32c(0, place, sizeof place), frame + 4, size + 4);
}

void eds_ring_frame_encode(uint8_t *frame, uint32_t size, unsigned flags,
                           const struct log_header *header, uint32_t offset)
{
    uint32_t end = LOG_FRAME_HEADER_SIZE + size;

    log_put(frame + 4, size, 3);
    frame[7] = (uint8_t)flags;
    log_put(frame, frame_crc(frame, size, header, offset), 4);
    memset(frame + end, 0, log_aligned(end) - end);
}

uint32_t eds_ring_frame_size(const uint8_t *frame, uint32_t offset, uint32_t sector_size)
{
    uint32_t size = (uint32_t)log_get(frame + 4, 3);

    if (frame[7] > (LOG_FRAME_FIRST | LOG_FRAME_LAST) ||
        size > sector_size - offset - LOG_FRAME_HEADER_SIZE)
        return 0;
    return size;
}

bool eds_ring_frame_good(const uint8_t *frame, uint32_t size, const struct log_header *header,
                         uint32_t offset)
{
    return log_get(frame, 4) == frame_crc(frame, size, header, offset);
}

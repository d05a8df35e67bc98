/* fuzz_buffer_log.c - whatever stands in a log's file: it opens, or says why not;
 * and a buffer that opened keeps what is pushed from then on.
 *
 * The input is transactions, each with a length of two bytes in front, which
 * are put into frames as the writer would; the entries' checksums are mended, so
 * that what stands in them is looked at.  An odd first byte: the rest is the
 * file's bytes as they are. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "device/crc32c.h"
#include "device/store_log.h"
#include "edgesentry/buffer.h"

#define SIZE EDS_LOG_SIZE_MIN

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t medium[SIZE];

static int32_t read_medium(struct eds_log_io *io, uint64_t at, void *out, size_t size,
                           struct eds_error *err)
{
    (void)err;
    if (at > io->size || size > io->size - at)
        abort();
    memcpy(out, medium + at, size);
    return EDS_OK;
}

static int32_t write_medium(struct eds_log_io *io, uint64_t at, const void *bytes, size_t size,
                            struct eds_error *err)
{
    (void)err;
    if (at > io->size || size > io->size - at)
        abort();
    memcpy(medium + at, bytes, size);
    return EDS_OK;
}

static int32_t sync_medium(struct eds_log_io *io, struct eds_error *err)
{
    (void)io;
    (void)err;
    return EDS_OK;
}

static void close_medium(struct eds_log_io *io)
{
    (void)io;
}

static struct eds_log_io the_io = {.size = SIZE,
                                   .name = "medium",
                                   .read = read_medium,
                                   .write = write_medium,
                                   .sync = sync_medium,
                                   .close = close_medium};

/* Makes checksums of entries right, as far as their sizes go. */
static void mend(uint8_t *txn, size_t size)
{
    for (size_t at = 0; size - at >= LOG_ENTRY_HEADER_SIZE;) {
        uint8_t *entry = txn + at, *body = entry + LOG_ENTRY_HEADER_SIZE;
        size_t body_size = (size_t)log_get(entry + 4, 2); /* small, so that more of them fit */

        log_put(entry + 4, body_size, 4);
        if (body_size > size - at - LOG_ENTRY_HEADER_SIZE)
            return;
        log_put(entry + 8, eds_crc32c(0, body, body_size), 4);
        at += LOG_ENTRY_HEADER_SIZE + body_size;
    }
}

/* Fills sectors from serial 1 on with the input's transactions. */
static void lay_out(const uint8_t *data, size_t size)
{
    uint32_t sector_size = eds_ring_sector_size(SIZE), offset = LOG_HEADER_SIZE;
    struct log_header header = {.serial = 1, .nonce = 7};
    static uint8_t txn[65536];

    eds_ring_header_encode(medium + sector_size, &header);
    while (size >= 2) {
        size_t txn_size = (size_t)log_get(data, 2);

        data += 2;
        size -= 2;
        txn_size = txn_size < size ? txn_size : size;
        memcpy(txn, data, txn_size);
        mend(txn, txn_size);
        data += txn_size;
        size -= txn_size;
        for (size_t done = 0; done < txn_size;) {
            uint32_t room, chunk;
            uint8_t *sector;

            if (sector_size - offset < LOG_FRAME_MIN) {
                if (header.serial >= SIZE / sector_size - 1)
                    return;
                header.serial++;
                offset = LOG_HEADER_SIZE;
                eds_ring_header_encode(medium + header.serial * sector_size, &header);
            }
            sector = medium + header.serial * sector_size;
            room = sector_size - offset - LOG_FRAME_HEADER_SIZE;
            chunk = txn_size - done < room ? (uint32_t)(txn_size - done) : room;
            memcpy(sector + offset + LOG_FRAME_HEADER_SIZE, txn + done, chunk);
            eds_ring_frame_encode(sector + offset, chunk,
                                  (done == 0 ? LOG_FRAME_FIRST : 0) |
                                      (done + chunk == txn_size ? LOG_FRAME_LAST : 0),
                                  &header, offset);
            offset += log_aligned(LOG_FRAME_HEADER_SIZE + chunk);
            done += chunk;
        }
    }
}

static struct eds_buffer *open_buffer(void)
{
    struct eds_buffer_store *store;
    struct eds_buffer *buffer = NULL;

    if (eds_buffer_log_open_io(&store, &the_io, NULL) != EDS_OK ||
        eds_buffer_open_store(&buffer, store, NULL, NULL) != EDS_OK)
        return NULL;
    return buffer;
}

/* Pushes a record after the head; it must be there at the next start. */
static void use(struct eds_buffer *buffer)
{
    static const uint8_t seed[EDS_SEED_SIZE] = {1};
    struct eds_buffer_item item = {.payload = "payload", .payload_size = 7}, *found;
    struct eds_buffer_head head, after;
    int32_t rc;

    eds_buffer_head(buffer, "a", &head);
    if (head.sequence == UINT64_MAX) {
        eds_buffer_close(buffer);
        return;
    }
    if (eds_record_sign(&item.entry.record, "a", head.sequence + 1, 1, "payload", 7,
                        head.record_hash, "ref", seed, NULL) != EDS_OK)
        abort();
    rc = eds_buffer_push_many(buffer, &item, 1, NULL);
    eds_buffer_close(buffer);
    if (rc == EDS_ERR_BUSY) /* the input has filled it */
        return;
    buffer = open_buffer();
    if (rc != EDS_OK || buffer == NULL)
        abort();
    eds_buffer_head(buffer, "a", &after);
    if (after.sequence != head.sequence + 1 ||
        eds_buffer_next(buffer, "a", item.id - 1, false, &found, NULL) != EDS_OK)
        abort();
    if (found->id != item.id || memcmp(found->payload, "payload", 7) != 0)
        abort();
    free(found);
    eds_buffer_close(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct eds_buffer *buffer;

    eds_log_configure(EDS_LOG_ERROR, EDS_LOG_LOGFMT);
    memset(medium, 0, sizeof medium);
    if (size > 0 && data[0] % 2 == 1)
        memcpy(medium, data + 1, size - 1 < SIZE ? size - 1 : SIZE);
    else if (size > 0)
        lay_out(data + 1, size - 1);
    buffer = open_buffer();
    if (buffer == NULL)
        return 0;
    for (uint64_t after = 0;;) {
        struct eds_buffer_item *item;
        int32_t rc = eds_buffer_next(buffer, NULL, after, false, &item, NULL);

        if (rc != EDS_OK)
            break;
        after = item->id;
        free(item);
    }
    if (buffer != NULL)
        use(buffer);
    return 0;
}

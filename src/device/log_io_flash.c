/* log_io_flash.c - the log's medium is flash memory: see edgesentry/flash.h.
 *
 * The log writes each sector from its beginning to its end, each byte once, and begins
 * a sector only when nothing in it counts any more.  So a write at a sector's
 * beginning is the moment to erase it, and no other is needed. */
#include <stdlib.h>

#include "base/port.h"
#include "device/store_log.h"
#include "edgesentry/flash.h"

struct flash_io {
    struct eds_log_io io; /* first */
    struct eds_flash *flash;
    uint32_t sector_size;
};

static struct flash_io *of(struct eds_log_io *io)
{
    return (struct flash_io *)io;
}

static int32_t fail(int32_t code, const char *doing, uint64_t at, struct eds_error *err)
{
    return eds_error_set(err, code == EDS_ERR_BUSY ? EDS_ERR_BUSY : EDS_ERR_IO,
                         "cannot %s the flash memory at %llu (%s)", doing, (unsigned long long)at,
                         eds_error_name(code));
}

static int32_t erase_sector(struct eds_flash *flash, uint32_t sector_size, uint64_t at,
                            struct eds_error *err)
{
    for (uint32_t done = 0; done < sector_size; done += flash->erase_size) {
        int32_t rc = flash->erase(flash, at + done);

        if (rc != EDS_OK)
            return fail(rc, "erase", at + done, err);
    }
    return EDS_OK;
}

static int32_t flash_read(struct eds_log_io *io, uint64_t at, void *out, size_t size,
                          struct eds_error *err)
{
    struct eds_flash *flash = of(io)->flash;
    int32_t rc = flash->read(flash, at, out, size);

    return rc == EDS_OK ? EDS_OK : fail(rc, "read", at, err);
}

static int32_t flash_write(struct eds_log_io *io, uint64_t at, const void *bytes, size_t size,
                           struct eds_error *err)
{
    struct flash_io *flash_io = of(io);
    struct eds_flash *flash = flash_io->flash;
    int32_t rc = EDS_OK;

    if (at % flash_io->sector_size == 0)
        rc = erase_sector(flash, flash_io->sector_size, at, err);
    if (rc != EDS_OK)
        return rc;
    rc = flash->program(flash, at, bytes, size);
    return rc == EDS_OK ? EDS_OK : fail(rc, "write to", at, err);
}

static int32_t flash_sync(struct eds_log_io *io, struct eds_error *err)
{
    struct eds_flash *flash = of(io)->flash;
    int32_t rc = flash->sync != NULL ? flash->sync(flash) : EDS_OK;

    return rc == EDS_OK ? EDS_OK : fail(rc, "sync", 0, err);
}

static void flash_close(struct eds_log_io *io)
{
    free(io);
}

/* The sectors' size; 0: no log fits. */
static uint32_t sector_size_of(const struct eds_flash *flash, struct eds_error *err)
{
    uint32_t size = eds_ring_sector_size(flash->size);

    if (size > 0 && flash->erase_size > 0 && size % flash->erase_size == 0)
        return size;
    (void)eds_error_set(err, EDS_ERR_USAGE,
                        "no log fits into %llu bytes of flash memory that are erased %u at a time",
                        (unsigned long long)flash->size, (unsigned)flash->erase_size);
    return 0;
}

/* Gives an erased part its first sector, as a log begins. */
static int32_t begin(struct eds_flash *flash, uint32_t sector_size, struct eds_error *err)
{
    struct log_header first = {.serial = 1};
    uint8_t header[LOG_HEADER_SIZE];
    int32_t rc = erase_sector(flash, sector_size, sector_size, err);

    if (rc != EDS_OK)
        return rc;
    if (eds_port_random(&first.nonce, sizeof first.nonce) != 0)
        return eds_error_set(err, EDS_ERR_PANIC, "the system gives no random bytes");
    eds_ring_header_encode(header, &first);
    rc = flash->program(flash, sector_size, header, sizeof header);
    if (rc == EDS_OK && flash->sync != NULL)
        rc = flash->sync(flash);
    return rc == EDS_OK ? EDS_OK : fail(rc, "write to", sector_size, err);
}

int32_t eds_flash_format(struct eds_flash *flash, struct eds_error *err)
{
    uint32_t sector_size = sector_size_of(flash, err);
    int32_t rc = EDS_OK;

    if (sector_size == 0)
        return EDS_ERR_USAGE;
    for (uint64_t at = 0; rc == EDS_OK && at < flash->size; at += sector_size)
        rc = erase_sector(flash, sector_size, at, err);
    return rc == EDS_OK ? begin(flash, sector_size, err) : rc;
}

/* Is nothing in there yet?  What a power cut left of the very first sector does not
 * count, unless it is a good one. */
static int32_t is_blank(struct eds_flash *flash, uint32_t sector_size, bool *out,
                        struct eds_error *err)
{
    uint8_t bytes[LOG_HEADER_SIZE];
    struct log_header header;

    *out = true;
    for (uint64_t at = 0; at < flash->size && *out; at += sector_size) {
        int32_t rc = flash->read(flash, at, bytes, sizeof bytes);

        if (rc != EDS_OK)
            return fail(rc, "read", at, err);
        if (at == sector_size)
            *out = !eds_ring_header_decode(&header, bytes);
        for (size_t i = 0; i < sizeof bytes && at != sector_size; i++)
            *out = *out && bytes[i] == 0xff;
    }
    return EDS_OK;
}

int32_t eds_buffer_open_flash(struct eds_buffer **out, struct eds_flash *flash,
                              const struct eds_buffer_limits *limits, struct eds_error *err)
{
    uint32_t sector_size = sector_size_of(flash, err);
    struct eds_buffer_store *store;
    struct flash_io *io;
    bool blank;
    int32_t rc;

    if (sector_size == 0)
        return EDS_ERR_USAGE;
    rc = is_blank(flash, sector_size, &blank, err);
    if (rc == EDS_OK && blank)
        rc = begin(flash, sector_size, err);
    if (rc != EDS_OK)
        return rc;
    io = malloc(sizeof *io);
    if (io == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the offline buffer");
    io->io = (struct eds_log_io){.size = flash->size,
                                 .name = "in flash memory",
                                 .read = flash_read,
                                 .write = flash_write,
                                 .sync = flash_sync,
                                 .close = flash_close};
    io->flash = flash;
    io->sector_size = sector_size;
    rc = eds_buffer_log_open_io(&store, &io->io, err);
    return rc == EDS_OK ? eds_buffer_open_store(out, store, limits, err) : rc;
}

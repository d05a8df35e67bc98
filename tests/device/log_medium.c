/* log_medium.c - see log_medium.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "device/log_medium.h"
#include "edgesentry/buffer.h"

#define PIECE 512u

struct medium_io {
    struct eds_log_io io; /* first */
    struct log_medium *medium;
};

static struct log_medium *of(struct eds_log_io *io)
{
    return ((struct medium_io *)io)->medium;
}

/* By a way on which no test lets allocations fail (support/alloc.h). */
static void *allocate(size_t size)
{
    void *block;

    if (posix_memalign(&block, sizeof(void *), size) != 0)
        abort();
    memset(block, 0, size);
    return block;
}

static bool fails(struct log_medium *medium)
{
    medium->operations++;
    return medium->fail_at > 0 && (medium->operations == medium->fail_at ||
                                   (medium->for_ever && medium->operations > medium->fail_at));
}

static int32_t medium_read(struct eds_log_io *io, uint64_t at, void *out, size_t size,
                           struct eds_error *err)
{
    (void)err;
    assert_true(at <= of(io)->size && size <= of(io)->size - at);
    memcpy(out, of(io)->bytes + at, size);
    return EDS_OK;
}

static int32_t medium_write(struct eds_log_io *io, uint64_t at, const void *bytes, size_t size,
                            struct eds_error *err)
{
    struct log_medium *medium = of(io);
    bool failing = fails(medium);

    assert_true(at <= medium->size && size <= medium->size - at);
    if (failing) /* some of it may be there all the same */
        size = medium->operations % 3 == 0 ? 0 : size / (medium->operations % 3);
    if (medium->write_count == medium->write_room) {
        size_t room = 2 * medium->write_room + 64;
        struct medium_write *writes = allocate(room * sizeof *writes);

        if (medium->write_count > 0)
            memcpy(writes, medium->writes, medium->write_count * sizeof *writes);
        free(medium->writes);
        medium->writes = writes;
        medium->write_room = room;
    }
    medium->writes[medium->write_count++] = (struct medium_write){(size_t)at, size};
    memcpy(medium->bytes + at, bytes, size);
    return failing ? eds_error_set(err, EDS_ERR_IO, "the medium is made to fail") : EDS_OK;
}

static int32_t medium_sync(struct eds_log_io *io, struct eds_error *err)
{
    struct log_medium *medium = of(io);

    if (fails(medium))
        return eds_error_set(err, EDS_ERR_IO, "the medium is made to fail");
    memcpy(medium->synced, medium->bytes, medium->size);
    medium->write_count = 0;
    return EDS_OK;
}

static void medium_close(struct eds_log_io *io)
{
    free(io);
}

void medium_of(struct log_medium *medium, const uint8_t *bytes, size_t size)
{
    memset(medium, 0, sizeof *medium);
    medium->size = size;
    medium->bytes = allocate(size);
    medium->synced = allocate(size);
    memcpy(medium->bytes, bytes, size);
    memcpy(medium->synced, bytes, size);
}

void medium_make(struct log_medium *medium, size_t size)
{
    struct log_header header = {.serial = 1, .nonce = 4711};
    uint8_t *bytes = allocate(size);

    eds_ring_header_encode(bytes + eds_ring_sector_size(size), &header);
    medium_of(medium, bytes, size);
    free(bytes);
}

void medium_free(struct log_medium *medium)
{
    free(medium->bytes);
    free(medium->synced);
    free(medium->writes);
}

int32_t medium_open(struct log_medium *medium, struct eds_buffer **out, struct eds_error *err)
{
    struct medium_io *io = allocate(sizeof *io);
    struct eds_buffer_store *store;
    int32_t rc;

    io->io = (struct eds_log_io){.size = medium->size,
                                 .name = "medium",
                                 .read = medium_read,
                                 .write = medium_write,
                                 .sync = medium_sync,
                                 .close = medium_close};
    io->medium = medium;
    rc = eds_buffer_log_open_io(&store, &io->io, err);
    return rc == EDS_OK ? eds_buffer_open_store(out, store, NULL, err) : rc;
}

void medium_fail(struct log_medium *medium, uint64_t n, bool for_ever)
{
    medium->fail_at = n;
    medium->for_ever = for_ever;
    medium->operations = 0;
}

void medium_cut(struct log_medium *medium, struct dice *dice)
{
    size_t luck = dice_below(dice, 4); /* 0: nothing unsynced is kept, 1: all, else some */

    for (size_t i = 0; i < medium->write_count; i++) {
        const struct medium_write *write = &medium->writes[i];
        size_t end = write->at + write->size;

        for (size_t from = write->at; from < end;) {
            size_t to = (from / PIECE + 1) * PIECE;

            to = to < end ? to : end;
            if (luck == 1 || (luck > 1 && dice_below(dice, 2) == 0))
                memcpy(medium->synced + from, medium->bytes + from, to - from);
            from = to;
        }
    }
    memcpy(medium->bytes, medium->synced, medium->size);
    medium->write_count = 0;
    medium_fail(medium, 0, false);
}

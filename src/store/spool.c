/* spool.c - see spool.h.
 *
 * A store is given the payload as memory, like any other: the file, mapped.  Its
 * pages are the system's cache, which takes them back when it needs the room. */
#include "store/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/place.h"
#include "base/port.h"

#define NAME_SIZE 16u /* random bytes */

/* In the store's own directory, which is made where it is missing. */
static int32_t open_named(struct eds_spool *spool, const char *dir, struct eds_error *err)
{
    char digits[2 * NAME_SIZE + 1];
    uint8_t random[NAME_SIZE];
    int32_t rc;
    int size;

    if (eds_port_random(random, sizeof random) != 0)
        return eds_error_set(err, EDS_ERR_IO, "the system has no random bytes");
    eds_hex_encode(digits, random, sizeof random);
    size = snprintf(spool->path, sizeof spool->path, "%s%s", dir, digits);
    if (size < 0 || (size_t)size >= sizeof spool->path)
        return eds_error_set(err, EDS_ERR_IO, "the path %s is too long", dir);
    rc = eds_place_make_parents(spool->path, err);
    if (rc != EDS_OK)
        return rc;
    spool->fd = open(spool->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return spool->fd >= 0 ? EDS_OK : eds_place_error(err, "make", spool->path);
}

static int32_t open_unnamed(struct eds_spool *spool, struct eds_error *err)
{
    const char *dir = getenv("TMPDIR");
    int size = snprintf(spool->path, sizeof spool->path, "%s/edgesentry-XXXXXX",
                        dir != NULL && *dir != '\0' ? dir : "/var/tmp");

    if (size < 0 || (size_t)size >= sizeof spool->path)
        return eds_error_set(err, EDS_ERR_IO, "TMPDIR is too long");
    spool->fd = mkostemp(spool->path, O_CLOEXEC);
    if (spool->fd < 0)
        return eds_place_error(err, "make", spool->path);
    unlink(spool->path);
    spool->path[0] = '\0';
    return EDS_OK;
}

int32_t eds_spool_open(struct eds_spool *spool, const struct eds_objects *objects,
                       struct eds_error *err)
{
    spool->size = 0;
    spool->map = NULL;
    spool->wants_sha256 = objects->wants_sha256;
    eds_blake3_init(&spool->blake3);
    if (spool->wants_sha256)
        crypto_hash_sha256_init(&spool->sha256);
    return objects->spool_dir != NULL ? open_named(spool, objects->spool_dir, err)
                                      : open_unnamed(spool, err);
}

int32_t eds_spool_write(struct eds_spool *spool, const void *bytes, size_t size,
                        struct eds_error *err)
{
    for (const char *at = bytes; size > 0;) {
        ssize_t put = write(spool->fd, at, size);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return eds_place_error(err, "write", *spool->path != '\0' ? spool->path : "TMPDIR");
        eds_blake3_update(&spool->blake3, at, (size_t)put);
        if (spool->wants_sha256)
            crypto_hash_sha256_update(&spool->sha256, (const uint8_t *)at, (size_t)put);
        spool->size += (size_t)put;
        at += put;
        size -= (size_t)put;
    }
    return EDS_OK;
}

void eds_spool_hash(const struct eds_spool *spool, uint8_t out[EDS_HASH_SIZE])
{
    eds_blake3_final(&spool->blake3, out);
}

int32_t eds_spool_finish(struct eds_spool *spool, struct eds_object_put *put, struct eds_error *err)
{
    *put = (struct eds_object_put){.payload = "",
                                   .payload_size = (size_t)spool->size,
                                   .file = *spool->path != '\0' ? spool->path : NULL};
    eds_spool_hash(spool, put->name.payload_hash);
    if (spool->wants_sha256) {
        crypto_hash_sha256_final(&spool->sha256, spool->digest);
        put->sha256 = spool->digest;
    }
    if (spool->size == 0)
        return EDS_OK;
    spool->map = mmap(NULL, (size_t)spool->size, PROT_READ, MAP_SHARED, spool->fd, 0);
    if (spool->map == MAP_FAILED) {
        spool->map = NULL;
        return eds_place_error(err, "read", *spool->path != '\0' ? spool->path : "TMPDIR");
    }
    put->payload = spool->map;
    return EDS_OK;
}

void eds_spool_close(struct eds_spool *spool)
{
    if (spool->map != NULL)
        munmap(spool->map, (size_t)spool->size);
    if (spool->fd >= 0)
        close(spool->fd);
    if (*spool->path != '\0')
        unlink(spool->path); /* it is not there any more if a store has taken it */
    spool->map = NULL;
    spool->fd = -1;
    spool->path[0] = '\0';
}

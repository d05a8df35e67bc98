/* log_io_file.c - the log's medium is a file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/place.h"
#include "base/port.h"
#include "device/log_format.h"
#include "device/log_io.h"

struct file_io {
    struct eds_log_io io; /* first */
    int fd;
    char *path;
};

static int32_t fail(const struct eds_log_io *io, struct eds_error *err, const char *doing)
{
    int32_t code = errno == ENOSPC || errno == EDQUOT ? EDS_ERR_BUSY : EDS_ERR_IO;

    return eds_error_set(err, code, "cannot %s the offline buffer %s: %s", doing, io->name,
                         strerror(errno));
}

static int32_t file_read(struct eds_log_io *io, uint64_t at, void *out, size_t size,
                         struct eds_error *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(((struct file_io *)io)->fd, (uint8_t *)out + done, size - done,
                            (off_t)(at + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            errno = EIO; /* somebody has made it shorter */
        if (got <= 0)
            return fail(io, err, "read");
        done += (size_t)got;
    }
    return EDS_OK;
}

static int32_t file_write(struct eds_log_io *io, uint64_t at, const void *bytes, size_t size,
                          struct eds_error *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t put = pwrite(((struct file_io *)io)->fd, (const uint8_t *)bytes + done, size - done,
                             (off_t)(at + done));

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return fail(io, err, "write to");
        done += (size_t)put;
    }
    return EDS_OK;
}

static int32_t file_sync(struct eds_log_io *io, struct eds_error *err)
{
    return fdatasync(((struct file_io *)io)->fd) == 0 ? EDS_OK : fail(io, err, "sync");
}

static void file_close(struct eds_log_io *io)
{
    struct file_io *file = (struct file_io *)io;

    if (file->fd >= 0)
        close(file->fd);
    free(file->path);
    free(file);
}

/* Allocates a new file and gives it its first sector. */
static int32_t fill(struct file_io *file, int fd, uint64_t size, struct eds_error *err)
{
    uint8_t header[LOG_HEADER_SIZE];
    struct log_header first = {.serial = 1};

    if (eds_port_random(&first.nonce, sizeof first.nonce) != 0)
        return eds_error_set(err, EDS_ERR_PANIC, "the system gives no random bytes");
    eds_ring_header_encode(header, &first);
    errno = posix_fallocate(fd, 0, (off_t)size);
    if (errno != 0)
        return fail(&file->io, err, "make room for");
    if (pwrite(fd, header, sizeof header, (off_t)eds_ring_sector_size(size)) != sizeof header ||
        fsync(fd) != 0)
        return fail(&file->io, err, "make");
    return EDS_OK;
}

/* The file takes its name when all of it is on the disk. */
static int32_t make(struct file_io *file, uint64_t size, struct eds_error *err)
{
    size_t path_size = strlen(file->path);
    char *temporary = malloc(path_size + sizeof ".new");
    char *slash = strrchr(file->path, '/');
    int fd;
    int32_t rc;

    if (temporary == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the offline buffer");
    memcpy(temporary, file->path, path_size);
    memcpy(temporary + path_size, ".new", sizeof ".new");
    fd = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    rc = fd >= 0 ? fill(file, fd, size, err) : fail(&file->io, err, "make");
    if (fd >= 0)
        close(fd);
    if (rc == EDS_OK && link(temporary, file->path) != 0 && errno != EEXIST)
        rc = fail(&file->io, err, "make");
    if (fd >= 0)
        (void)unlink(temporary);
    free(temporary);
    if (rc != EDS_OK)
        return rc;
    *slash = '\0';
    if (eds_place_sync(file->path[0] != '\0' ? file->path : "/") != 0)
        rc = fail(&file->io, err, "sync the directory of");
    *slash = '/';
    return rc;
}

static int32_t open_file(struct file_io *file, uint64_t size, struct eds_error *err)
{
    struct stat status;
    int32_t rc = EDS_OK;

    file->fd = open(file->path, O_RDWR | O_CLOEXEC);
    if (file->fd < 0 && errno == ENOENT) {
        rc = make(file, size, err);
        if (rc == EDS_OK)
            file->fd = open(file->path, O_RDWR | O_CLOEXEC);
    }
    if (rc != EDS_OK)
        return rc;
    if (file->fd < 0 || fstat(file->fd, &status) != 0)
        return fail(&file->io, err, "open");
    if (flock(file->fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK
                   ? eds_error_set(err, EDS_ERR_BUSY,
                                   "cannot open the offline buffer %s: another process has it open",
                                   file->path)
                   : fail(&file->io, err, "lock");
    if (!S_ISREG(status.st_mode) || eds_ring_sector_size((uint64_t)status.st_size) == 0)
        return eds_error_set(err, EDS_ERR_EXISTS, "%s is there and is no offline buffer",
                             file->path);
    file->io.size = (uint64_t)status.st_size;
    return EDS_OK;
}

int32_t eds_log_io_file(struct eds_log_io **out, const char *path, uint64_t size,
                        struct eds_error *err)
{
    struct file_io *file = calloc(1, sizeof *file);
    int32_t rc;

    if (file == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the offline buffer");
    file->fd = -1;
    file->io = (struct eds_log_io){
        .read = file_read, .write = file_write, .sync = file_sync, .close = file_close};
    rc = eds_place_absolute(&file->path, path, err);
    file->io.name = file->path;
    if (rc == EDS_OK)
        rc = eds_place_make_parents(file->path, err);
    if (rc == EDS_OK)
        rc = open_file(file, size, err);
    if (rc != EDS_OK)
        file_close(&file->io);
    else
        *out = &file->io;
    return rc;
}

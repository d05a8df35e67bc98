/* file.c - see file.h. */
#include "cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/wipe.h"

#define READ_SIZE_FIRST 65536u /* bytes */

int32_t eds_os_error(struct eds_error *err, int error_number, const char *path)
{
    return eds_error_set(err, EDS_ERR_IO, "%s (os error %d)%s%s", strerror(error_number),
                         error_number, path != NULL ? ": " : "", path != NULL ? path : "");
}

bool eds_is_standard_stream(const char *path)
{
    return strcmp(path, "-") == 0;
}

int32_t eds_file_open(int *fd, const char *path, struct eds_error *err)
{
    *fd = eds_is_standard_stream(path) ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    return *fd >= 0 ? EDS_OK : eds_os_error(err, errno, path);
}

void eds_file_close(int fd)
{
    if (fd > STDIN_FILENO)
        close(fd);
}

ptrdiff_t eds_file_read_some(void *context, void *buf, size_t size)
{
    const int *fd = context;
    ssize_t got;

    do
        got = read(*fd, buf, size);
    while (got < 0 && errno == EINTR);
    return got;
}

/* Reads until buf is full or the file ends. */
static int32_t fill(int fd, const char *path, char *buf, size_t buf_size, size_t *size,
                    struct eds_error *err)
{
    ptrdiff_t got = 1;

    *size = 0;
    while (*size < buf_size && got > 0) {
        got = eds_file_read_some(&fd, buf + *size, buf_size - *size);
        if (got < 0)
            return eds_os_error(err, errno, path);
        *size += (size_t)got;
    }
    return EDS_OK;
}

static int32_t say_too_large(struct eds_error *err, const char *path, size_t size_max)
{
    return eds_error_set(err, EDS_ERR_TOO_LARGE, "%s has more than %zu bytes", path, size_max);
}

int32_t eds_file_read_fixed(const char *path, char *buf, size_t buf_size, size_t *size,
                            struct eds_error *err)
{
    char beyond = 0;
    int fd = -1;
    int32_t rc = eds_file_open(&fd, path, err);

    if (rc == EDS_OK)
        rc = fill(fd, path, buf, buf_size, size, err);
    if (rc == EDS_OK && *size == buf_size && eds_file_read_some(&fd, &beyond, 1) > 0)
        rc = say_too_large(err, path, buf_size);
    if (rc != EDS_OK)
        eds_wipe(buf, buf_size);
    eds_wipe(&beyond, 1);
    eds_file_close(fd);
    return rc;
}

int32_t eds_file_read(const char *path, size_t size_max, char **out, size_t *size,
                      struct eds_error *err)
{
    size_t capacity = 0;
    size_t used = 0;
    size_t got = 0;
    char *bytes = NULL;
    int fd = -1;
    int32_t rc = eds_file_open(&fd, path, err);

    if (rc != EDS_OK)
        return rc;
    do { /* one byte more than allowed is asked for: too long shows */
        size_t wanted = capacity == 0 ? READ_SIZE_FIRST : capacity * 2;
        char *grown = realloc(bytes, (wanted > size_max ? size_max + 1 : wanted) + 1);

        if (grown == NULL) {
            rc = eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory reading %s", path);
            goto out;
        }
        bytes = grown;
        capacity = wanted > size_max ? size_max + 1 : wanted;
        rc = fill(fd, path, bytes + used, capacity - used, &got, err);
        if (rc != EDS_OK)
            goto out;
        used += got;
        if (used > size_max) {
            rc = say_too_large(err, path, size_max);
            goto out;
        }
    } while (used == capacity);
    bytes[used] = '\0';
    *out = bytes;
    *size = used;
    bytes = NULL;
out:
    free(bytes);
    eds_file_close(fd);
    return rc;
}

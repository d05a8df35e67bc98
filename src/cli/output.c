/* output.c - see output.h. */
#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/port.h"
#include "base/wipe.h"
#include "cli/file.h"

static int32_t say_exists(const struct eds_output *output, struct eds_error *err)
{
    return eds_error_set(err, EDS_ERR_EXISTS, "File exists (os error %d): %s", EEXIST,
                         output->name);
}

/* The directory that holds the target, "." if the path names none. */
static void directory_of(char out[PATH_MAX], const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        strcpy(out, ".");
    else if (slash == path)
        strcpy(out, "/");
    else
        snprintf(out, PATH_MAX, "%.*s", (int)(slash - path), path);
}

/* Makes a file of a name that nobody can guess beside the target. */
static int32_t open_temporary(struct eds_output *output, mode_t mode, struct eds_error *err)
{
    char directory[PATH_MAX];
    char digits[2 * 8 + 1];
    uint8_t random[8];
    int size;

    if (eds_port_random(random, sizeof random) != 0)
        return eds_error_set(err, EDS_ERR_PANIC, "the system gives no random bytes");
    eds_hex_encode(digits, random, sizeof random);
    directory_of(directory, output->path);
    size =
        snprintf(output->temporary, sizeof output->temporary, "%s/.eds-%s.tmp", directory, digits);
    if (size < 0 || (size_t)size >= sizeof output->temporary)
        return eds_os_error(err, ENAMETOOLONG, output->name);
    output->fd =
        open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (output->fd >= 0)
        return EDS_OK;
    output->temporary[0] = '\0';
    return eds_os_error(err, errno, output->name);
}

/* Names under /dev and /proc stand for what is open already, and may lead to
 * an ordinary file (/dev/fd/3): putting another file there would miss it. */
static bool is_written_directly(const struct eds_output *output, const struct stat *old)
{
    return !S_ISREG(old->st_mode) || strncmp(output->path, "/dev/", 5) == 0 ||
           strncmp(output->path, "/proc/", 6) == 0;
}

/* What a target that is there already asks for: to be left alone, to be
 * written as it is, or to keep its mode. */
static int32_t open_existing(struct eds_output *output, const struct stat *old,
                             struct eds_error *err)
{
    char resolved[PATH_MAX];
    mode_t mode = output->kind == EDS_OUTPUT_PUBLIC ? old->st_mode & 0777 : 0600;
    int32_t rc;

    if (is_written_directly(output, old)) {
        output->fd = open(output->path, O_WRONLY | O_CLOEXEC);
        return output->fd >= 0 ? EDS_OK : eds_os_error(err, errno, output->name);
    }
    if (output->kind == EDS_OUTPUT_SECRET)
        return say_exists(output, err);
    if (access(output->path, W_OK) != 0 || realpath(output->path, resolved) == NULL)
        return eds_os_error(err, errno, output->name);
    strcpy(output->path, resolved);
    rc = open_temporary(output, mode & 0600, err);
    if (rc == EDS_OK && fchmod(output->fd, mode) != 0) {
        rc = eds_os_error(err, errno, output->name);
        eds_output_discard(output);
    }
    return rc;
}

int32_t eds_output_open(struct eds_output *output, const char *path, enum eds_output_kind kind,
                        struct eds_error *err)
{
    struct stat old;

    output->kind = kind;
    output->fd = -1;
    output->name = path;
    output->used = 0;
    output->temporary[0] = '\0';
    if (eds_is_standard_stream(path) || strcmp(path, "/dev/stdout") == 0) {
        output->name = "standard output";
        output->fd = STDOUT_FILENO;
        return EDS_OK;
    }
    if (*path == '\0' || strlen(path) >= sizeof output->path)
        return eds_os_error(err, *path == '\0' ? ENOENT : ENAMETOOLONG, path);
    strcpy(output->path, path);
    if (stat(path, &old) == 0)
        return open_existing(output, &old, err);
    if (errno != ENOENT)
        return eds_os_error(err, errno, path);
    return open_temporary(output, kind == EDS_OUTPUT_PUBLIC ? 0644 : 0600, err);
}

static int32_t write_all(const struct eds_output *output, const char *bytes, size_t size,
                         struct eds_error *err)
{
    while (size > 0) {
        ssize_t put = write(output->fd, bytes, size);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return eds_os_error(err, errno, output->name);
        bytes += put;
        size -= (size_t)put;
    }
    return EDS_OK;
}

static int32_t flush(struct eds_output *output, struct eds_error *err)
{
    int32_t rc = write_all(output, output->buf, output->used, err);

    output->used = 0;
    return rc;
}

int32_t eds_output_write(struct eds_output *output, const void *bytes, size_t size,
                         struct eds_error *err)
{
    if (size > sizeof output->buf - output->used) {
        int32_t rc = flush(output, err);

        if (rc != EDS_OK)
            return rc;
    }
    if (size > sizeof output->buf)
        return write_all(output, bytes, size, err);
    memcpy(output->buf + output->used, bytes, size);
    output->used += size;
    return EDS_OK;
}

/* Gives the temporary file the target's name.  Where the file system knows no
 * RENAME_NOREPLACE, link refuses a taken name as well. */
static int take_name(struct eds_output *output)
{
    if (output->kind != EDS_OUTPUT_SECRET)
        return rename(output->temporary, output->path);
    if (renameat2(AT_FDCWD, output->temporary, AT_FDCWD, output->path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (link(output->temporary, output->path) != 0)
        return -1;
    return unlink(output->temporary);
}

/* The name is durable only when its directory is. */
static int sync_directory(const struct eds_output *output)
{
    char directory[PATH_MAX];
    int fd, rc;

    directory_of(directory, output->path);
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES ? 0 : -1; /* writable but not readable: no way to sync it */
    rc = fsync(fd);
    close(fd);
    return rc;
}

static void close_output(struct eds_output *output)
{
    if (output->fd > STDERR_FILENO)
        close(output->fd);
    output->fd = -1;
    output->temporary[0] = '\0';
    eds_wipe(output->buf, sizeof output->buf);
}

int32_t eds_output_commit(struct eds_output *output, struct eds_error *err)
{
    int32_t rc = flush(output, err);

    if (rc == EDS_OK && output->temporary[0] != '\0') {
        if (fsync(output->fd) != 0)
            rc = eds_os_error(err, errno, output->name);
        else if (take_name(output) != 0)
            rc = errno == EEXIST ? say_exists(output, err) : eds_os_error(err, errno, output->name);
        else if (sync_directory(output) != 0)
            rc = eds_os_error(err, errno, output->name);
    }
    if (rc != EDS_OK)
        eds_output_discard(output);
    else
        close_output(output);
    return rc;
}

void eds_output_discard(struct eds_output *output)
{
    if (output->fd < 0)
        return;
    if (output->temporary[0] != '\0')
        unlink(output->temporary);
    close_output(output);
}

int32_t eds_output_file(const char *path, enum eds_output_kind kind, const void *bytes, size_t size,
                        struct eds_error *err)
{
    struct eds_output output;
    int32_t rc = eds_output_open(&output, path, kind, err);

    if (rc != EDS_OK)
        return rc;
    rc = eds_output_write(&output, bytes, size, err);
    if (rc == EDS_OK)
        return eds_output_commit(&output, err);
    eds_output_discard(&output);
    return rc;
}

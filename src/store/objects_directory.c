/* objects_directory.c - see objects_directory.h.
 *
 * A payload with the hash 1f9c0a... is the file DIR/1f/9c0a....  It is written
 * under another name, synced, and gets its own in one step, so that a file of
 * that name is whole whatever happened on the way; then the directory is synced,
 * so that the name outlives a power cut.  What a crash leaves behind is a file
 * in DIR/incoming that nobody will look for; open takes the old ones away. */
#include "store/objects_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/port.h"
#include "store/objects_workers.h"
#include "base/place.h"

#define INCOMING       "incoming"
#define LEFT_BEHIND_MS (24u * 3600u * 1000u) /* nobody writes that long */
/* O_NONBLOCK: a pipe of that name must not keep us waiting. */
#define READ_FLAGS   (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
#define COMPARE_SIZE 65536u /* bytes at a time */

struct directory {
    struct eds_objects base;
    char path[PATH_MAX - 128]; /* from the root, with a slash at its end */
    char incoming[PATH_MAX];   /* DIR/incoming */
    bool read_only;
    struct eds_objects_workers workers;
};

/* The name of a payload's file; its directory is the first out[0..size). */
static size_t place_of(char out[PATH_MAX], const struct directory *directory,
                       const uint8_t hash[EDS_HASH_SIZE])
{
    char digits[2 * EDS_HASH_SIZE + 1];

    eds_hex_encode(digits, hash, EDS_HASH_SIZE);
    return (size_t)snprintf(out, PATH_MAX, "%s%.2s/%s", directory->path, digits, digits + 2) -
           (2 * EDS_HASH_SIZE - 2);
}

static int32_t fail(struct eds_error *err, const char *doing, const char *path)
{
    return eds_place_error(err, doing, path);
}

/* Makes the entries of the directory that a file is in durable. */
static int32_t sync_place(char *path, size_t directory_size, struct eds_error *err)
{
    char first = path[directory_size];
    int32_t rc = EDS_OK;

    path[directory_size] = '\0';
    if (eds_place_sync(path) != 0)
        rc = fail(err, "sync the directory", path);
    path[directory_size] = first;
    return rc;
}

static ssize_t read_some(int fd, void *out, size_t size)
{
    ssize_t got;

    do
        got = read(fd, out, size);
    while (got < 0 && errno == EINTR);
    return got;
}

/* Whether the file that is there holds these bytes: EDS_OK, EDS_ERR_EXISTS. */
static int32_t compare(int fd, const char *path, const struct eds_object_put *put,
                       struct eds_error *err)
{
    const uint8_t *expected = put->payload;
    size_t left = put->payload_size;
    uint8_t *bytes = malloc(COMPARE_SIZE);
    int32_t rc = EDS_OK;
    ssize_t got = 1;

    if (bytes == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    while (rc == EDS_OK && got > 0) {
        got = read_some(fd, bytes, COMPARE_SIZE);
        if (got < 0) {
            rc = fail(err, "read", path);
        } else if ((size_t)got > left || memcmp(bytes, expected, (size_t)got) != 0 ||
                   (got == 0 && left > 0)) {
            rc = eds_error_set(err, EDS_ERR_EXISTS, "%s holds other content than its name says",
                               path);
        } else {
            expected += got;
            left -= (size_t)got;
        }
    }
    free(bytes);
    return rc;
}

static int32_t write_all(int fd, const void *bytes, size_t size, const char *path,
                         struct eds_error *err)
{
    for (const char *at = bytes; size > 0;) {
        ssize_t put = write(fd, at, size);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return fail(err, "write", path);
        at += put;
        size -= (size_t)put;
    }
    return EDS_OK;
}

/* Writes a file of a name that nobody else takes, whole and synced. */
static int32_t write_incoming(char out[PATH_MAX], const struct directory *directory,
                              const struct eds_object_put *put, struct eds_error *err)
{
    char digits[2 * 16 + 1];
    uint8_t random[16];
    int32_t rc;
    int fd;

    if (eds_port_random(random, sizeof random) != 0)
        return eds_error_set(err, EDS_ERR_IO, "the system has no random bytes");
    eds_hex_encode(digits, random, sizeof random);
    snprintf(out, PATH_MAX, "%s" INCOMING "/%s", directory->path, digits);
    rc = eds_place_make_parents(out, err);
    if (rc != EDS_OK)
        return rc;
    fd = open(out, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(err, "make", out);
    rc = write_all(fd, put->payload, put->payload_size, out, err);
    if (rc == EDS_OK && fsync(fd) != 0)
        rc = fail(err, "sync", out);
    if (close(fd) != 0 && rc == EDS_OK)
        rc = fail(err, "write", out);
    if (rc != EDS_OK)
        unlink(out);
    return rc;
}

/* The payload came as a file of ours: nothing has to be copied. */
static int32_t take_file(char out[PATH_MAX], const struct eds_object_put *put,
                         struct eds_error *err)
{
    int fd = open(put->file, READ_FLAGS);
    int32_t rc = EDS_OK;

    snprintf(out, PATH_MAX, "%s", put->file);
    if (fd < 0)
        return fail(err, "open", put->file);
    if (fsync(fd) != 0)
        rc = fail(err, "sync", put->file);
    close(fd);
    return rc;
}

static int32_t look(const char *path, struct eds_error *err)
{
    struct stat status;

    if (lstat(path, &status) == 0 && S_ISREG(status.st_mode))
        return EDS_OK;
    if (errno == ENOENT || errno == ENOTDIR)
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "there is no %s", path);
    return fail(err, "read", path);
}

/* Two threads or processes may store the same payload at once: the name of a
 * hash then passes from one whole file to another that is equal to it. */
static int32_t store(void *context, struct eds_object_put *put, struct eds_error *err)
{
    const struct directory *directory = context;
    char path[PATH_MAX], incoming[PATH_MAX];
    size_t place_size = place_of(path, directory, put->name.payload_hash);
    int32_t rc;
    int fd;

    if (put->only_look)
        return look(path, err);
    fd = open(path, READ_FLAGS);
    put->was_there = fd >= 0;
    if (fd >= 0) {
        rc = compare(fd, path, put, err);
        close(fd);
        /* Whoever made it may not have come to syncing the directory yet. */
        return rc == EDS_OK ? sync_place(path, place_size, err) : rc;
    }
    if (errno != ENOENT)
        return fail(err, "open", path);
    rc = eds_place_make_parents(path, err);
    if (rc == EDS_OK)
        rc = put->file != NULL ? take_file(incoming, put, err)
                               : write_incoming(incoming, directory, put, err);
    if (rc != EDS_OK)
        return rc;
    if (rename(incoming, path) != 0) {
        rc = fail(err, "make", path);
        unlink(incoming);
        return rc;
    }
    return sync_place(path, place_size, err);
}

static void put_file(struct eds_objects *objects, struct eds_object_put *put)
{
    eds_objects_workers_give(&((struct directory *)objects)->workers, put);
}

/* Reads a whole file of a size that is known. */
static int32_t read_file(int fd, const char *path, void **out, size_t size, struct eds_error *err)
{
    uint8_t *bytes = malloc(size + 1); /* so that one that is empty is not NULL */
    size_t used = 0;

    if (bytes == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for a payload of %zu bytes", size);
    while (used < size) {
        ssize_t got = read_some(fd, bytes + used, size - used);

        if (got <= 0) {
            int32_t rc = got < 0 ? fail(err, "read", path)
                                 : eds_error_set(err, EDS_ERR_IO, "%s got shorter", path);

            free(bytes);
            return rc;
        }
        used += (size_t)got;
    }
    *out = bytes;
    return EDS_OK;
}

static int32_t get_file(struct eds_objects *objects, const struct eds_object_name *name, void **out,
                        size_t *out_size, struct eds_error *err)
{
    char path[PATH_MAX];
    struct stat status;
    int32_t rc;
    int fd;

    place_of(path, (struct directory *)objects, name->payload_hash);
    fd = open(path, READ_FLAGS);
    if (fd < 0 && errno == ENOENT)
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "there is no %s", path);
    if (fd < 0)
        return fail(err, "open", path);
    if (fstat(fd, &status) != 0)
        rc = fail(err, "read", path);
    else if (!S_ISREG(status.st_mode))
        rc = eds_error_set(err, EDS_ERR_IO, "%s is no file", path);
    else if (status.st_size > (off_t)EDS_OBJECT_SIZE_MAX)
        rc = eds_error_set(err, EDS_ERR_TOO_LARGE, "%s is larger than %u bytes", path,
                           EDS_OBJECT_SIZE_MAX);
    else
        rc = read_file(fd, path, out, *out_size = (size_t)status.st_size, err);
    close(fd);
    return rc;
}

static void close_directory(struct eds_objects *objects)
{
    struct directory *directory = (struct directory *)objects;

    if (!directory->read_only)
        eds_objects_workers_stop(&directory->workers);
    free(directory);
}

/* Takes away what a crash left behind, however long ago.  Only tidiness: what
 * fails here will be tried again. */
static void tidy(const char *incoming)
{
    DIR *dir = opendir(incoming);
    struct dirent *entry;
    struct stat status;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        uint64_t changed_ms;

        if (entry->d_name[0] == '.' ||
            fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        changed_ms = (uint64_t)status.st_mtim.tv_sec * 1000u;
        if (S_ISREG(status.st_mode) && changed_ms + LEFT_BEHIND_MS < eds_port_time_ms())
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir != NULL)
        closedir(dir);
}

static int32_t prepare(struct directory *directory, enum eds_directory_use use,
                       struct eds_error *err)
{
    int32_t rc = EDS_OK;

    if (directory->read_only) {
        if (access(directory->path, F_OK) == 0)
            return EDS_OK;
        if (errno == ENOENT)
            return eds_error_set(err, EDS_ERR_NOT_FOUND, "there is no directory %s",
                                 directory->path);
        return fail(err, "read", directory->path);
    }
    snprintf(directory->incoming, sizeof directory->incoming, "%s" INCOMING "/", directory->path);
    directory->base.spool_dir = directory->incoming;
    if (use == EDS_DIRECTORY_NOW)
        rc = eds_place_make_parents(directory->incoming, err);
    if (rc != EDS_OK)
        return rc;
    tidy(directory->incoming);
    rc = eds_objects_workers_start(&directory->workers, err);
    if (rc != EDS_OK)
        eds_objects_workers_stop(&directory->workers);
    return rc;
}

int32_t eds_directory_open(struct eds_objects **out, const char *path, enum eds_directory_use use,
                           struct eds_error *err)
{
    static const struct eds_objects_ops ops = {
        .name = "file", .put = put_file, .get = get_file, .close = close_directory};
    struct directory *directory;
    char *absolute;
    int32_t rc;
    int size;

    if (path[0] == '\0')
        return eds_error_set(err, EDS_ERR_USAGE, "file: names no directory");
    rc = eds_place_absolute(&absolute, path, err);
    if (rc != EDS_OK)
        return rc;
    directory = calloc(1, sizeof *directory);
    if (directory == NULL) {
        free(absolute);
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    }
    directory->base = (struct eds_objects){.ops = &ops, .by_hash = true};
    directory->read_only = use == EDS_DIRECTORY_READ;
    directory->workers.store = store;
    directory->workers.context = directory;
    size = snprintf(directory->path, sizeof directory->path, "%s/", absolute);
    free(absolute);
    if (size < 0 || (size_t)size >= sizeof directory->path)
        rc = eds_error_set(err, EDS_ERR_USAGE, "the path %s is too long", path);
    else
        rc = prepare(directory, use, err);
    if (rc != EDS_OK) {
        free(directory);
        return rc;
    }
    *out = &directory->base;
    return EDS_OK;
}

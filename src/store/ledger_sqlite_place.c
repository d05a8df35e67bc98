/* ledger_sqlite_place.c - where the file lives: its directories (0700) and the
 * file itself (0600), made so that they outlive a power cut.
 *
 * SQLite would make the file too, but with the permissions of the umask.  It is
 * made with mknod, not open: closing any descriptor of a file drops all locks
 * that this process holds on it, those of another ledger on the same file
 * included. */
#include "store/ledger_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int32_t fail(struct eds_error *err, const char *doing, const char *path)
{
    return eds_error_set(err, errno == ENOMEM ? EDS_ERR_NO_MEMORY : EDS_ERR_IO, "cannot %s %s: %s",
                         doing, path, strerror(errno));
}

/* Makes a new directory's entry in its parent durable. */
static int sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc;

    if (fd < 0)
        return -1;
    rc = fsync(fd);
    close(fd);
    return rc;
}

/* Makes the directories of path, which is absolute.  It is cut at each slash
 * and put together again. */
static int32_t make_directories(char *path, struct eds_error *err)
{
    char *parent_end = path; /* the slash before the current component */

    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        int32_t rc = EDS_OK;

        *slash = '\0';
        if (mkdir(path, 0700) == 0) {
            char first = parent_end[1];

            parent_end[1] = '\0';
            if (sync_directory(path) != 0)
                rc = fail(err, "sync the directory", path);
            parent_end[1] = first;
        } else if (errno != EEXIST) {
            rc = fail(err, "make the directory", path);
        }
        *slash = '/';
        if (rc != EDS_OK)
            return rc;
        parent_end = slash;
    }
    return EDS_OK;
}

/* The path from the root, for the caller to free. */
static int32_t make_absolute(char **out, const char *path, struct eds_error *err)
{
    char *directory = path[0] == '/' ? NULL : getcwd(NULL, 0);
    size_t directory_size = directory != NULL ? strlen(directory) : 0;

    if (path[0] != '/' && directory == NULL)
        return fail(err, "find the place of", path);
    *out = malloc(directory_size + 1 + strlen(path) + 1);
    if (*out == NULL) {
        free(directory);
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for a path");
    }
    if (directory != NULL) {
        memcpy(*out, directory, directory_size);
        (*out)[directory_size++] = '/';
    }
    strcpy(*out + directory_size, path);
    free(directory);
    return EDS_OK;
}

int32_t eds_sqlite_make_place(char **absolute, const char *path, bool read_only,
                              struct eds_error *err)
{
    char *own;
    int32_t rc;

    if (path[0] == '\0' || path[strlen(path) - 1] == '/')
        return eds_error_set(err, EDS_ERR_USAGE, "sqlite:%s names no file", path);
    rc = make_absolute(&own, path, err);
    if (rc != EDS_OK)
        return rc;
    if (read_only && access(own, F_OK) != 0 && errno == ENOENT)
        rc = eds_error_set(err, EDS_ERR_NOT_FOUND, "there is no ledger %s", own);
    if (!read_only)
        rc = make_directories(own, err);
    if (!read_only && rc == EDS_OK && mknod(own, S_IFREG | 0600, 0) != 0 && errno != EEXIST)
        rc = fail(err, "make the file", own);
    if (rc != EDS_OK)
        free(own);
    else
        *absolute = own;
    return rc;
}

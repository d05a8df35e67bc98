/* place_posix.c - see place.h. */
#include "base/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int32_t eds_place_error(struct eds_error *err, const char *doing, const char *path)
{
    return eds_error_set(err, errno == ENOMEM ? EDS_ERR_NO_MEMORY : EDS_ERR_IO, "cannot %s %s: %s",
                         doing, path, strerror(errno));
}

int eds_place_sync(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc;

    if (fd < 0)
        return -1;
    rc = fsync(fd);
    close(fd);
    return rc;
}

int32_t eds_place_make_parents(char *path, struct eds_error *err)
{
    char *parent_end = path; /* the slash before the current component */

    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        int32_t rc = EDS_OK;

        *slash = '\0';
        if (mkdir(path, 0700) == 0) {
            char first = parent_end[1];

            parent_end[1] = '\0';
            if (eds_place_sync(path) != 0)
                rc = eds_place_error(err, "sync the directory", path);
            parent_end[1] = first;
        } else if (errno != EEXIST) {
            rc = eds_place_error(err, "make the directory", path);
        }
        *slash = '/';
        if (rc != EDS_OK)
            return rc;
        parent_end = slash;
    }
    return EDS_OK;
}

int32_t eds_place_absolute(char **out, const char *path, struct eds_error *err)
{
    char *directory = path[0] == '/' ? NULL : getcwd(NULL, 0);
    size_t directory_size = directory != NULL ? strlen(directory) : 0;

    if (path[0] != '/' && directory == NULL)
        return eds_place_error(err, "find the place of", path);
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

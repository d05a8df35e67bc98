/* ledger_sqlite_place.c - where the file lives: its directories (0700) and the
 * file itself (0600), made so that they outlive a power cut.
 *
 * SQLite would make the file too, but with the permissions of the umask.  It is
 * made with mknod, not open: closing any descriptor of a file drops all locks
 * that this process holds on it, those of another ledger on the same file
 * included. */
#include "store/ledger_sqlite.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/place.h"

int32_t eds_sqlite_make_place(char **absolute, const char *path, bool read_only,
                              struct eds_error *err)
{
    char *own;
    int32_t rc;

    if (path[0] == '\0' || path[strlen(path) - 1] == '/')
        return eds_error_set(err, EDS_ERR_USAGE, "sqlite:%s names no file", path);
    rc = eds_place_absolute(&own, path, err);
    if (rc != EDS_OK)
        return rc;
    if (read_only && access(own, F_OK) != 0 && errno == ENOENT)
        rc = eds_error_set(err, EDS_ERR_NOT_FOUND, "there is no ledger %s", own);
    if (!read_only)
        rc = eds_place_make_parents(own, err);
    if (!read_only && rc == EDS_OK && mknod(own, S_IFREG | 0600, 0) != 0 && errno != EEXIST)
        rc = eds_place_error(err, "make the file", own);
    if (rc != EDS_OK)
        free(own);
    else
        *absolute = own;
    return rc;
}

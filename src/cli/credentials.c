/* credentials.c - see credentials.h.
 *
 * An environment block can be read by whoever may read the unit; a credential only by
 * its process.  What setenv adds does not show in /proc/PID/environ. */
#include "cli/credentials.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/wipe.h"
#include "cli/file.h"

#define VALUE_SIZE 8192u /* bytes */

static bool is_ours(const char *name)
{
    static const char *const prefixes[] = {"EDS_", "AWS_", "PG"};
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const char *set;

    if (name[strspn(name, letters)] != '\0')
        return false;
    set = getenv(name);
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return set == NULL || *set == '\0';
    return false;
}

static int32_t take(const char *directory, const char *name, struct eds_error *err)
{
    char path[PATH_MAX], value[VALUE_SIZE];
    size_t size = 0;
    int32_t rc;

    if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path)
        return eds_os_error(err, ENAMETOOLONG, name);
    rc = eds_file_read_fixed(path, value, sizeof value - 1, &size, err);
    if (rc != EDS_OK)
        return rc;
    size -= size > 0 && value[size - 1] == '\n';
    value[size] = '\0';
    if (size == 0 || strlen(value) != size || strchr(value, '\n') != NULL)
        rc = eds_error_set(err, EDS_ERR_MALFORMED, "credential %s is not one line of text", path);
    else if (setenv(name, value, 1) != 0)
        rc = eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for the credential %s", name);
    eds_wipe(value, sizeof value);
    return rc;
}

int32_t eds_credentials_take(struct eds_error *err)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    const struct dirent *entry;
    int32_t rc = EDS_OK;
    DIR *files;

    if (directory == NULL || *directory == '\0')
        return EDS_OK;
    files = opendir(directory);
    if (files == NULL)
        return eds_os_error(err, errno, directory);
    while (rc == EDS_OK && (entry = readdir(files)) != NULL)
        if (is_ours(entry->d_name))
            rc = take(directory, entry->d_name, err);
    closedir(files);
    return rc;
}

/* store_arg.c - see store_arg.h. */
#include "cli/store_arg.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SCHEME    "sqlite:"
#define READ_ONLY "?mode=ro"
#define URL_SIZE  (PATH_MAX + 64u) /* bytes */

/* The URL that the options mean. */
static int32_t name_store(char out[URL_SIZE], const struct eds_args *args, struct eds_error *err)
{
    const char *url = eds_args_text(args, "store");
    const char *directory = eds_args_text(args, "data-dir");
    int size;

    if (url != NULL && eds_args_given(args, "data-dir"))
        return eds_error_set(err, EDS_ERR_USAGE, "--store and --data-dir exclude each other");
    if (url != NULL)
        size = snprintf(out, URL_SIZE, "%s", url);
    else
        size = snprintf(out, URL_SIZE, SCHEME "%s/edgesentry.db", directory);
    if (size < 0 || (size_t)size + sizeof READ_ONLY > URL_SIZE)
        return eds_error_set(err, EDS_ERR_USAGE, "the ledger's name is too long");
    return EDS_OK;
}

int32_t eds_store_open(struct eds_ledger **out, const struct eds_args *args, bool read_only,
                       struct eds_error *err)
{
    char url[URL_SIZE];
    int32_t rc = name_store(url, args, err);
    size_t size;

    if (rc != EDS_OK)
        return rc;
    size = strlen(url);
    if (read_only && strncmp(url, SCHEME, strlen(SCHEME)) == 0) {
        const char *path = url + strlen(SCHEME);

        if (size >= strlen(READ_ONLY) && strcmp(url + size - strlen(READ_ONLY), READ_ONLY) == 0)
            url[size - strlen(READ_ONLY)] = '\0';
        if (access(path, F_OK) != 0)
            return eds_error_set(err, EDS_ERR_NOT_FOUND, "no ledger at %s: %s", path,
                                 strerror(errno));
        strcat(url, READ_ONLY);
    }
    return eds_ledger_open(out, url, err);
}

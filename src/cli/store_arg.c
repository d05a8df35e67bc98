/* store_arg.c - see store_arg.h. */
#include "cli/store_arg.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SCHEME "sqlite:"

int32_t eds_store_open(struct eds_ledger **out, const struct eds_args *args, bool must_exist,
                       struct eds_error *err)
{
    char made[sizeof SCHEME + PATH_MAX];
    const char *url = eds_args_text(args, "store");
    const char *directory = eds_args_text(args, "data-dir");
    int size;

    if (url != NULL && eds_args_given(args, "data-dir"))
        return eds_error_set(err, EDS_ERR_USAGE, "--store and --data-dir exclude each other");
    if (url == NULL && directory == NULL)
        return eds_error_set(err, EDS_ERR_USAGE, "one of --data-dir and --store is needed");
    if (url == NULL) {
        size = snprintf(made, sizeof made, SCHEME "%s/edgesentry.db", directory);
        if (size < 0 || (size_t)size >= sizeof made)
            return eds_error_set(err, EDS_ERR_USAGE, "--data-dir: the path is too long");
        url = made;
    }
    if (must_exist && strncmp(url, SCHEME, strlen(SCHEME)) == 0 &&
        access(url + strlen(SCHEME), F_OK) != 0)
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "no ledger at %s: %s", url, strerror(errno));
    return eds_ledger_open(out, url, err);
}

/* store_arg.c - see store_arg.h. */
#include "cli/store_arg.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli/say.h"
#include "cli/url_secret.h"

#define URL_SIZE (PATH_MAX + 64u) /* bytes */

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text);
    size_t end_size = strlen(end);

    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

/* A question mark in a file's name begins no parameters. */
static bool first_parameter(const char *url)
{
    return strchr(url, '?') == NULL || strncmp(url, "sqlite:", strlen("sqlite:")) == 0;
}

/* Whether the URL says so already. */
static bool says(const char *url, const char *mode)
{
    size_t size = strlen(mode);

    return ends_with(url, mode) && strlen(url) > size && strchr("?&", url[strlen(url) - size - 1]);
}

/* Opens it with that parameter of ours, or, if it is "", without. */
static int32_t open_url(struct eds_ledger **out, const char *store, const char *mode,
                        struct eds_error *err)
{
    bool is_said = *mode == '\0' || strcmp(store, "memory:") == 0 || says(store, mode);
    char url[URL_SIZE];
    int size = snprintf(url, sizeof url, "%s%s%s", store,
                        is_said ? "" : (first_parameter(store) ? "?" : "&"), is_said ? "" : mode);

    if (size < 0 || (size_t)size >= sizeof url)
        return eds_error_set(err, EDS_ERR_USAGE, "the ledger's name is too long");
    return eds_ledger_open(out, url, err);
}

/* The same for the ledger that args name. */
static int32_t open_with(struct eds_ledger **out, const struct eds_args *args, const char *mode,
                         struct eds_error *err)
{
    const char *store = eds_args_text(args, "store");
    static unsigned warned; /* once: a server opens its ledger twice */
    char url[URL_SIZE];
    int size;

    if (eds_args_given(args, "data-dir")) {
        if (eds_args_given(args, "store"))
            return eds_error_set(err, EDS_ERR_USAGE, "--store and --data-dir exclude each other");
        store = NULL; /* a flag goes before the environment */
    }
    /* On the command line it is as open as a private key would be. */
    if (eds_args_given(args, "store") && eds_url_has_password(store) && !warned++)
        eds_say_warning("a password on the command line can be read by every user of this "
                        "machine; the environment variable EDS_STORE or ~/.pgpass keep it private");
    if (store != NULL)
        return open_url(out, store, mode, err);
    size = snprintf(url, sizeof url, "sqlite:%s/edgesentry.db", eds_args_text(args, "data-dir"));
    if (size < 0 || (size_t)size >= sizeof url)
        return eds_error_set(err, EDS_ERR_USAGE, "the ledger's name is too long");
    return open_url(out, url, mode, err);
}

int32_t eds_store_open_url(struct eds_ledger **out, const char *url, bool read_only,
                           struct eds_error *err)
{
    return open_url(out, url, read_only ? "mode=ro" : "", err);
}

int32_t eds_store_open(struct eds_ledger **out, const struct eds_args *args, bool read_only,
                       struct eds_error *err)
{
    return open_with(out, args, read_only ? "mode=ro" : "", err);
}

bool eds_store_sqlite_path(char *out, size_t out_size, const struct eds_args *args)
{
    static const char scheme[] = "sqlite:", read_only[] = "?mode=ro";
    const char *store = eds_args_given(args, "data-dir") ? NULL : eds_args_text(args, "store");
    int size;

    if (store == NULL) {
        size = snprintf(out, out_size, "%s/edgesentry.db", eds_args_text(args, "data-dir"));
    } else if (strncmp(store, scheme, strlen(scheme)) != 0) {
        return false;
    } else {
        store += strlen(scheme);
        size = snprintf(
            out, out_size, "%.*s",
            (int)(strlen(store) - (ends_with(store, read_only) ? strlen(read_only) : 0)), store);
    }
    return size > 0 && (size_t)size < out_size;
}

const char *eds_store_postgres_url(const struct eds_args *args)
{
    const char *store = eds_args_given(args, "data-dir") ? NULL : eds_args_text(args, "store");

    return store != NULL && strncmp(store, "postgres", strlen("postgres")) == 0 ? store : NULL;
}

int32_t eds_store_migrate(struct eds_ledger **out, const struct eds_args *args,
                          struct eds_error *err)
{
    return open_with(out, args, eds_store_postgres_url(args) != NULL ? "mode=adopt" : "", err);
}

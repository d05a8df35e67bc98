/* buffer_open.c - a buffer by its URL. */
#include <string.h>

#include "device/store.h"
#include "base/features.h"
#include "edgesentry/buffer.h"

static int32_t open_store(struct eds_buffer_store **out, const char *url, struct eds_error *err)
{
    if (strcmp(url, "memory:") == 0)
        return eds_buffer_memory_open(out, err);
    if (strncmp(url, "log:", 4) == 0)
        return eds_buffer_log_open(out, url + 4, err);
    if (strncmp(url, "sqlite:", 7) == 0)
#if EDS_BUFFER_SQLITE
        return eds_buffer_sqlite_open(out, url + 7, err);
#else
        return eds_error_set(err, EDS_ERR_UNSUPPORTED,
                             "this build has no offline buffer in SQLite (EDS_BUFFER_SQLITE)");
#endif
    return eds_error_set(err, EDS_ERR_USAGE,
                         "unknown offline buffer '%s': expected memory:, sqlite:PATH or log:PATH",
                         url);
}

int32_t eds_buffer_open(struct eds_buffer **out, const char *url,
                        const struct eds_buffer_limits *limits, struct eds_error *err)
{
    struct eds_buffer_store *store = NULL;
    int32_t rc = open_store(&store, url, err);

    return rc == EDS_OK ? eds_buffer_open_store(out, store, limits, err) : rc;
}

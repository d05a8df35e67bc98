/* buffer_arg.c - see buffer_arg.h. */
#include "cli/buffer_arg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int32_t eds_buffer_arg_open(struct eds_buffer **out, const struct eds_args *args,
                            struct eds_error *err)
{
    const char *path = eds_args_text(args, "buffer");
    struct eds_buffer_limits limits = {.size_max = eds_args_u64(args, "buffer-size-max"),
                                       .age_max_ms = eds_args_u64(args, "buffer-age-max")};
    char url[4096];
    bool is_url = strncmp(path, "sqlite:", 7) == 0 || strncmp(path, "log:", 4) == 0;

    limits.age_max_ms = limits.age_max_ms < UINT64_MAX / 1000 ? limits.age_max_ms * 1000 : 0;
    if ((size_t)snprintf(url, sizeof url, "%s%s", is_url ? "" : "sqlite:", path) >= sizeof url)
        return eds_error_set(err, EDS_ERR_USAGE, "--buffer is too long");
    return eds_buffer_open(out, url, &limits, err);
}

int32_t eds_buffer_arg_revive(struct eds_buffer *buffer, struct eds_error *err)
{
    int32_t rc = EDS_OK;

    while (rc == EDS_OK) {
        struct eds_buffer_item *item;

        rc = eds_buffer_next(buffer, NULL, 0, true, &item, err);
        if (rc != EDS_OK)
            break;
        rc = eds_buffer_settle(buffer, item, EDS_SETTLE_REVIVE, NULL, err);
        free(item);
    }
    return rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
}

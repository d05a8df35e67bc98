/* objects_arg.c - see objects_arg.h. */
#include "cli/objects_arg.h"

#include <limits.h>

#include "cli/store_arg.h"

/* The place beside the ledger that args name, a directory or tables; *out is NULL if there
 * is none. */
static int32_t open_beside(struct eds_objects **out, const struct eds_args *args, bool read_only,
                           struct eds_error *err)
{
    char path[PATH_MAX];
    int32_t rc;

    *out = NULL;
    if (eds_store_postgres_url(args) != NULL)
        rc = eds_objects_open_postgres(out, eds_store_postgres_url(args), read_only, err);
    else if (eds_store_sqlite_path(path, sizeof path, args))
        rc = eds_objects_open_beside(out, path, read_only, err);
    else
        return EDS_OK;
    return rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
}

int32_t eds_objects_open_arg(struct eds_objects **out, const struct eds_args *args, bool read_only,
                             struct eds_error *err)
{
    const char *url = eds_args_text(args, "objects");
    struct eds_objects *beside = NULL;
    int32_t rc = EDS_OK;

    *out = NULL;
    if (url != NULL)
        rc = eds_objects_open(out, url, read_only, err);
    if (rc == EDS_OK && read_only)
        rc = open_beside(&beside, args, true, err);
    if (*out != NULL)
        (*out)->fallback = beside;
    else
        *out = beside;
    return rc;
}

int32_t eds_objects_open_uploaded(struct eds_objects **out, struct eds_objects *named,
                                  const struct eds_args *args, struct eds_error *err)
{
    *out = named;
    return named != NULL ? EDS_OK : open_beside(out, args, false, err);
}

void eds_objects_close(struct eds_objects *objects)
{
    while (objects != NULL) {
        struct eds_objects *next = objects->fallback;

        objects->ops->close(objects);
        objects = next;
    }
}

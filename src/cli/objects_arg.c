/* objects_arg.c - see objects_arg.h. */
#include "cli/objects_arg.h"

int32_t eds_objects_open_arg(struct eds_objects **out, const struct eds_args *args, bool read_only,
                             struct eds_error *err)
{
    const char *url = eds_args_text(args, "objects");

    *out = NULL;
    return url != NULL ? eds_objects_open(out, url, read_only, err) : EDS_OK;
}

void eds_objects_close(struct eds_objects *objects)
{
    if (objects != NULL)
        objects->ops->close(objects);
}

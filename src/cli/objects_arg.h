/* objects_arg.h - where a command finds payloads that the ledger does not keep. */
#ifndef EDS_CLI_OBJECTS_ARG_H
#define EDS_CLI_OBJECTS_ARG_H

#include "cli/args.h"
#include "store/objects.h"

/* The option, for a command's table. */
#define EDS_OPTION_OBJECTS                                                                         \
    {                                                                                              \
        .name = "objects", .value = "URL", .environment = "EDS_OBJECTS",                           \
        .help = "Payloads in a store of their own: file:DIR or "                                   \
                "s3://BUCKET/PREFIX?endpoint=URL; without it they are kept in the ledger"          \
    }

/* eds_objects_open_arg opens the store that args name, for the caller to close;
 * *out is NULL if they name none.  To be read, the directory beside a SQLite ledger
 * is its fallback, or all that there is.  The errors of eds_objects_open. */
int32_t eds_objects_open_arg(struct eds_objects **out, const struct eds_args *args, bool read_only,
                             struct eds_error *err);

/* eds_objects_open_uploaded opens for writing where payloads go that come before
 * their records: named, if that is not NULL (and the caller's all the same); else the
 * directory beside a SQLite ledger; *out is NULL for another ledger. */
int32_t eds_objects_open_uploaded(struct eds_objects **out, struct eds_objects *named,
                                  const struct eds_args *args, struct eds_error *err);

/* eds_objects_close closes it, and its fallback; NULL is none. */
void eds_objects_close(struct eds_objects *objects);

#endif

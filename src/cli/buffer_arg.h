/* buffer_arg.h - the offline buffer that a command line names. */
#ifndef EDS_CLI_BUFFER_ARG_H
#define EDS_CLI_BUFFER_ARG_H

#include "cli/args.h"
#include "edgesentry/buffer.h"

/* The options, for a command's table. */
#define EDS_OPTIONS_BUFFER                                                                         \
    {.name = "buffer",                                                                             \
     .value = "PATH",                                                                              \
     .help = "Where records wait: a SQLite file, or sqlite:PATH, log:PATH or log:PATH?size=BYTES", \
     .required = true},                                                                            \
        {.name = "buffer-size-max",                                                                \
         .value = "BYTES",                                                                         \
         .fallback = "0",                                                                          \
         .check = eds_check_u64,                                                                   \
         .help = "Take no more records past so many bytes; 0 for no limit"},                       \
    {                                                                                              \
        .name = "buffer-age-max", .value = "SECONDS", .fallback = "0", .check = eds_check_u64,     \
        .help = "Take no more records while one waits that is so much older; 0 for no limit"       \
    }

/* eds_buffer_arg_open opens the buffer.  Errors of eds_buffer_open. */
int32_t eds_buffer_arg_open(struct eds_buffer **out, const struct eds_args *args,
                            struct eds_error *err);

/* eds_buffer_arg_revive lets wait again what the server has refused. */
int32_t eds_buffer_arg_revive(struct eds_buffer *buffer, struct eds_error *err);

#endif

/* serve.h - what eds audit serve and serve-tls have in common. */
#ifndef EDS_CLI_SERVE_H
#define EDS_CLI_SERVE_H

#include "cli/admin.h"
#include "cli/command_service.h"
#include "cli/http_front.h"

/* eds_serve_check_object_size is the check of --object-size-max. */
int32_t eds_serve_check_object_size(const char *text, struct eds_error *err);

/* The options of both, for their tables. */
#define EDS_OPTIONS_SERVE(default_address)                                                         \
    EDS_OPTIONS_HTTP_FRONT((default_address), eds_http_front_check_address, EDS_HELP_ADDRESS),     \
        {.name = "object-size-max",                                                                \
         .reloadable = true,                                                                       \
         .value = "BYTES",                                                                         \
         .fallback = "67108864",                                                                   \
         .check = eds_serve_check_object_size,                                                     \
         .help = "The largest payload that may come before its record, at most 1073741824; 0 for " \
                 "none"},                                                                          \
        EDS_OPTIONS_SERVICE_DEVICES, EDS_OPTION_DATA_DIR, EDS_OPTION_STORE, EDS_OPTION_OBJECTS,    \
        EDS_OPTION_COMMAND_KEY, EDS_OPTIONS_SERVICE_LOG, EDS_OPTION_PORT_FILE, EDS_OPTIONS_ADMIN,  \
        EDS_OPTION_SERVICE_JSON, EDS_OPTIONS_END

/* eds_serve listens until a signal ends it, and returns the exit code; with tls
 * (which stays the caller's) over TLS, and reload as in struct eds_service, its
 * context being tls. */
int eds_serve(const struct eds_args *args, struct eds_tls *tls,
              void (*reload)(void *context, bool asked));

#endif

/* client_arg.h - how a command that sends is known to a server, and the server to it. */
#ifndef EDS_CLI_CLIENT_ARG_H
#define EDS_CLI_CLIENT_ARG_H

#include "cli/args.h"
#include "transport/http_client.h"

/* The three options, for a command's table. */
#define EDS_OPTIONS_CLIENT_TLS                                                                     \
    {.name = "ca-file",                                                                            \
     .value = "FILE",                                                                              \
     .help = "PEM file of who vouches for an https server, instead of the system's"},              \
        {.name = "client-cert",                                                                    \
         .value = "FILE",                                                                          \
         .help = "PEM file of the certificate to be shown to a server that wants one"},            \
    {                                                                                              \
        .name = "client-key", .value = "FILE",                                                     \
        .help = "PEM file of its private key; without it the key is in the file of --client-cert"  \
    }

/* eds_client_arg_take fills in the files that args name, and warns of a key that others
 * can read.  EDS_ERR_USAGE for a key without a certificate. */
int32_t eds_client_arg_take(struct eds_http_client_config *config, const struct eds_args *args,
                            struct eds_error *err);

#endif

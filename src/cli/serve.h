/* serve.h - what eds audit serve and serve-tls have in common. */
#ifndef EDS_CLI_SERVE_H
#define EDS_CLI_SERVE_H

#include "cli/admin.h"
#include "cli/service.h"
#include "transport/http_server.h"

/* eds_serve_check_address is the check of --addr. */
int32_t eds_serve_check_address(const char *text, struct eds_error *err);

/* eds_serve_check_connections is the check of --connections-max. */
int32_t eds_serve_check_connections(const char *text, struct eds_error *err);

/* eds_serve_check_networks is the check of --trusted-proxies. */
int32_t eds_serve_check_networks(const char *text, struct eds_error *err);

extern const char *const eds_serve_forwarded_headers[]; /* in the order of their enum */

/* eds_serve_check_object_size is the check of --object-size-max. */
int32_t eds_serve_check_object_size(const char *text, struct eds_error *err);

/* The options of both, for their tables. */
#define EDS_OPTIONS_SERVE(default_address)                                                         \
    {.name = "addr",                                                                               \
     .value = "ADDR",                                                                              \
     .fallback = (default_address),                                                                \
     .check = eds_serve_check_address,                                                             \
     .help = "Address and port to listen on; port 0 takes a free one, [::] takes IPv4 as well"},   \
        {.name = "allowed-sources",                                                                \
         .reloadable = true,                                                                       \
         .value = "ALLOWED_SOURCES",                                                               \
         .fallback = "127.0.0.1",                                                                  \
         .help = "Who may send: addresses and networks (10.0.0.0/8), separated by commas"},        \
        {.name = "trusted-proxies",                                                                \
         .reloadable = true,                                                                       \
         .value = "ADDRESSES",                                                                     \
         .check = eds_serve_check_networks,                                                        \
         .help = "Proxies that may say whose requests they bring, as --allowed-sources: by a "     \
                 "PROXY header (version 1 or 2), or in --forwarded-header"},                       \
        {.name = "forwarded-header",                                                               \
         .value = "NAME",                                                                          \
         .fallback = "x-forwarded-for",                                                            \
         .choices = eds_serve_forwarded_headers,                                                   \
         .help = "The field of the head in which they do"},                                        \
        {.name = "rate-per-source",                                                                \
         .reloadable = true,                                                                       \
         .value = "RATE[:BURST]",                                                                  \
         .fallback = "10000:1000000",                                                              \
         .check = eds_service_check_rate,                                                          \
         .help = "Requests a second that an address may send, and how many at once; an IPv6 "      \
                 "address stands for its /64; 0 for no limit"},                                    \
        {.name = "connections-max",                                                                \
         .value = "COUNT",                                                                         \
         .fallback = "16384",                                                                      \
         .check = eds_serve_check_connections,                                                     \
         .help = "Connections taken at once, 1 to 60000; more wait"},                              \
        {.name = "object-size-max",                                                                \
         .reloadable = true,                                                                       \
         .value = "BYTES",                                                                         \
         .fallback = "67108864",                                                                   \
         .check = eds_serve_check_object_size,                                                     \
         .help = "The largest payload that may come before its record, at most 1073741824; 0 for " \
                 "none"},                                                                          \
        EDS_OPTIONS_SERVICE_DEVICES, EDS_OPTION_DATA_DIR, EDS_OPTION_STORE, EDS_OPTION_OBJECTS,    \
        EDS_OPTIONS_SERVICE_LOG,                                                                   \
        {.name = "port-file",                                                                      \
         .value = "FILE",                                                                          \
         .help = "Write the port to this file once the server listens"},                           \
        EDS_OPTIONS_ADMIN, EDS_OPTION_SERVICE_JSON, EDS_OPTIONS_END

/* eds_serve listens until a signal ends it, and returns the exit code; with tls
 * (which stays the caller's) over TLS, and reload as in struct eds_service, its
 * context being tls. */
int eds_serve(const struct eds_args *args, struct eds_tls *tls,
              void (*reload)(void *context, bool asked));

#endif

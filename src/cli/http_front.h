/* http_front.h - the HTTP side of whatever takes records: serve, serve-tls and
 * gateway. */
#ifndef EDS_CLI_HTTP_FRONT_H
#define EDS_CLI_HTTP_FRONT_H

#include "cli/service.h"
#include "transport/http_server.h"

/* The checks of the options below. */
int32_t eds_http_front_check_address(const char *text, struct eds_error *err);
int32_t eds_http_front_check_connections(const char *text, struct eds_error *err);
int32_t eds_http_front_check_bytes(const char *text, struct eds_error *err);
int32_t eds_http_front_check_networks(const char *text, struct eds_error *err);

extern const char *const eds_http_front_forwarded_headers[]; /* in the order of their enum */

#define EDS_HELP_ADDRESS                                                                           \
    "Address and port to listen on; port 0 takes a free one, [::] takes IPv4 as well"

/* The options, for a command's table. */
#define EDS_OPTIONS_HTTP_FRONT(default_address, address_check, address_help)                       \
    {.name = "addr",                                                                               \
     .value = "ADDR",                                                                              \
     .fallback = (default_address),                                                                \
     .check = (address_check),                                                                     \
     .help = (address_help)},                                                                      \
        {.name = "allowed-sources",                                                                \
         .reloadable = true,                                                                       \
         .value = "ALLOWED_SOURCES",                                                               \
         .fallback = "127.0.0.1",                                                                  \
         .help = "Who may send: addresses and networks (10.0.0.0/8), separated by commas"},        \
        {.name = "trusted-proxies",                                                                \
         .reloadable = true,                                                                       \
         .value = "ADDRESSES",                                                                     \
         .check = eds_http_front_check_networks,                                                   \
         .help = "Proxies that may say whose requests they bring, as --allowed-sources: by a "     \
                 "PROXY header (version 1 or 2), or in --forwarded-header"},                       \
        {.name = "forwarded-header",                                                               \
         .value = "NAME",                                                                          \
         .fallback = "x-forwarded-for",                                                            \
         .choices = eds_http_front_forwarded_headers,                                              \
         .help = "The field of the head in which they do"},                                        \
        {.name = "rate-per-source",                                                                \
         .reloadable = true,                                                                       \
         .value = "RATE[:BURST]",                                                                  \
         .fallback = "10000:1000000",                                                              \
         .check = eds_service_check_rate,                                                          \
         .help = "Requests a second that an address may send, and how many at once; an IPv6 "      \
                 "address stands for its /64; 0 for no limit"},                                    \
        {.name = "bytes-per-source",                                                               \
         .reloadable = true,                                                                       \
         .value = "BYTES[:BURST]",                                                                 \
         .fallback = "67108864:268435456",                                                         \
         .check = eds_http_front_check_bytes,                                                      \
         .help = "Bytes of bodies a second that an address may send, and how many at once after "  \
                 "a pause; more is read more slowly; 0 for no limit"},                             \
    {                                                                                              \
        .name = "connections-max", .value = "COUNT", .fallback = "16384",                          \
        .check = eds_http_front_check_connections,                                                 \
        .help = "Connections taken at once, 1 to 60000; more wait"                                 \
    }

#define EDS_OPTION_PORT_FILE                                                                       \
    {                                                                                              \
        .name = "port-file", .value = "FILE",                                                      \
        .help = "Write the port to this file once the server listens"                              \
    }

/* In the order of starting; zeroed at first. */
struct eds_http_front {
    struct eds_netpolicy netpolicy, trusted_proxies;
    struct eds_http_config config;  /* of what args say; the rest is the caller's */
    struct eds_http_server *server; /* NULL: it was not started */
};

/* eds_http_front_read reads the lists of the options. */
int32_t eds_http_front_read(struct eds_http_front *front, const struct eds_args *args,
                            struct eds_error *err);

/* eds_http_front_listen reads the other options and opens the socket, or takes over
 * the service manager's: so that an address that is not to be had shows before
 * anything is made.  Errors in the original's words.
 *
 *   tls  NULL: plain HTTP; outlives the front */
int32_t eds_http_front_listen(struct eds_http_front *front, const struct eds_args *args,
                              struct eds_tls *tls, struct eds_error *err);

/* eds_http_front_start serves with front->config, which has the ingest by now;
 * eds_http_front_write_port writes --port-file, for whoever waits for it. */
int32_t eds_http_front_start(struct eds_http_front *front, struct eds_error *err);
int32_t eds_http_front_write_port(const struct eds_http_front *front, const struct eds_args *args,
                                  struct eds_error *err);

/* eds_http_front_apply takes the lists as the options have them now, or, with an
 * error, nothing.
 *
 *   object_size_max  as eds_http_server_set */
int32_t eds_http_front_apply(struct eds_http_front *front, const struct eds_args *args,
                             uint64_t object_size_max, struct eds_error *err);

/* eds_http_front_stop answers what was taken and closes, in whatever state starting
 * left it. */
void eds_http_front_stop(struct eds_http_front *front);

#endif

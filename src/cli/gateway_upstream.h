/* gateway_upstream.h - what a gateway sends on: from its buffer to the server. */
#ifndef EDS_CLI_GATEWAY_UPSTREAM_H
#define EDS_CLI_GATEWAY_UPSTREAM_H

#include "cli/args.h"
#include "edgesentry/forwarder.h"
#include "transport/log_throttle.h"
#include "transport/metrics.h"
#include "transport/route.h"

#define EDS_UPSTREAM_SENDERS_MAX 64u

/* eds_upstream_check_senders is the check of --senders. */
int32_t eds_upstream_check_senders(const char *text, struct eds_error *err);

/* The options, for the command's table. */
#define EDS_OPTIONS_UPSTREAM                                                                       \
    {.name = "url",                                                                                \
     .value = "URL",                                                                               \
     .required = true,                                                                             \
     .help = "The server, https://HOST:PORT or http://HOST:PORT, or its broker, "                  \
             "mqtts://BROKER:PORT/TOPIC or mqtt://..."},                                           \
        {.name = "ca-file",                                                                        \
         .value = "FILE",                                                                          \
         .help = "PEM file of who vouches for an https server, instead of the system's"},          \
        {.name = "client-cert",                                                                    \
         .value = "FILE",                                                                          \
         .help = "PEM file of the certificate by which the server knows this gateway"},            \
        {.name = "client-key", .value = "FILE", .help = "PEM file of its private key"},            \
        {.name = "user", .value = "USER", .help = "User name for the server's broker"},            \
        {.name = "password-file",                                                                  \
         .value = "FILE",                                                                          \
         .help = "File with the user's password on its first line"},                               \
        {.name = "senders",                                                                        \
         .value = "COUNT",                                                                         \
         .fallback = "4",                                                                          \
         .check = eds_upstream_check_senders,                                                      \
         .help = "Connections to the server, 1 to 64; records of one device never overtake each "  \
                 "other"},                                                                         \
        {.name = "gateway-id",                                                                     \
         .value = "ID",                                                                            \
         .check = eds_route_check_gateway,                                                         \
         .help = "What the server's log is to call this gateway"},                                 \
        {.name = "tag",                                                                            \
         .value = "KEY=VALUE",                                                                     \
         .repeatable = true,                                                                       \
         .check = eds_route_check_tags,                                                            \
         .help = "What else the server's log is to say of the records that it brings"},            \
    {                                                                                              \
        .name = "retry-dead", .help = "First let wait again what the server refused before"        \
    }

/* Zeroed at first. */
struct eds_upstream {
    struct eds_buffer *buffer; /* the caller's */
    struct eds_route route;
    char clients[EDS_UPSTREAM_SENDERS_MAX][EDS_ROUTE_GATEWAY_SIZE + 24];
    struct eds_sender *senders[EDS_UPSTREAM_SENDERS_MAX];
    size_t sender_count;
    struct eds_forwarder *forwarder;
    struct eds_forwarder_counts counts;    /* filled by eds_upstream_stop */
    struct eds_log_throttle refused, held; /* for their lines */
    bool has_throttles;
};

/* eds_upstream_open reads the options and the files that they name.  EDS_ERR_USAGE and
 * the errors of opening a sender. */
int32_t eds_upstream_open(struct eds_upstream *upstream, const struct eds_args *args,
                          struct eds_error *err);

/* eds_upstream_start begins to send on what is in the buffer.  Errors of
 * eds_forwarder_start and, with --retry-dead, of the buffer. */
int32_t eds_upstream_start(struct eds_upstream *upstream, struct eds_buffer *buffer,
                           const struct eds_args *args, struct eds_error *err);

/* eds_upstream_metrics writes what waits and what was sent. */
void eds_upstream_metrics(const struct eds_upstream *upstream, struct eds_metrics *page);

/* eds_upstream_stop lets what is on its way come to its end, in whatever state
 * starting left it.  No push may run at the same time. */
void eds_upstream_stop(struct eds_upstream *upstream);

#endif

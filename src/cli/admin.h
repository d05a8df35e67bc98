/* admin.h - the admin listener of a server: what it shows, and when it calls
 * itself ready. */
#ifndef EDS_CLI_ADMIN_H
#define EDS_CLI_ADMIN_H

#include "cli/service.h"
#include "transport/http_admin.h"
#include "transport/http_server.h"

#define EDS_ADMIN_ADDRESS "127.0.0.1:9464"

/* eds_admin_check_address is the check of --admin-addr. */
int32_t eds_admin_check_address(const char *text, struct eds_error *err);

/* The options, for a server's table. */
#define EDS_OPTIONS_ADMIN                                                                          \
    {.name = "admin-addr",                                                                         \
     .value = "ADDR",                                                                              \
     .fallback = EDS_ADMIN_ADDRESS,                                                                \
     .check = eds_admin_check_address,                                                             \
     .help = "Address and port of /metrics, /livez and /readyz; off for none"},                    \
    {                                                                                              \
        .name = "admin-port-file", .value = "FILE",                                                \
        .help = "Write the port of --admin-addr to this file once it listens"                      \
    }

/* All of it NULL: there is no listener. */
struct eds_admin {
    struct eds_http_admin *listener;
    const struct eds_service *service;
    const struct eds_http_server *server; /* NULL: it has none */
    uint64_t started_ms;                  /* Unix time */
};

/* eds_admin_open starts the listener that args ask for.  If the address is only
 * the default, and taken (by another server here), it says so and does without.
 *
 *   out, service, server  stay where they are until eds_admin_close; server may
 *                         be NULL */
int32_t eds_admin_open(struct eds_admin *out, const struct eds_args *args,
                       const struct eds_service *service, const struct eds_http_server *server,
                       struct eds_error *err);

/* eds_admin_close ends it, before what it shows is gone; also one that was never
 * opened. */
void eds_admin_close(struct eds_admin *admin);

#endif

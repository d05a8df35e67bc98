/* http_admin.h - the listener for those who watch a server: what it has counted,
 * whether it lives, whether it can do its work.
 *
 *   GET /metrics  the numbers, in the Prometheus text format
 *   GET /livez    200 as long as anything answers at all
 *   GET /readyz   200, or 503 and what is missing, in a line
 *
 * A listener of its own, because it says things that senders have no business to
 * know, and must answer when the other one is full.  Plain HTTP, one thread, a
 * few connections at a time. */
#ifndef EDS_TRANSPORT_HTTP_ADMIN_H
#define EDS_TRANSPORT_HTTP_ADMIN_H

#include "edgesentry/error.h"
#include "transport/metrics.h"

struct eds_http_admin;

/* What it asks when it is asked, on a thread of its own. */
struct eds_http_admin_config {
    void (*write_metrics)(void *context, struct eds_metrics *page);
    int32_t (*check_ready)(void *context, struct eds_error *err); /* EDS_OK: ready */
    void *context;                                                /* outlives the listener */
};

/* eds_http_admin_start listens at the address in text ("127.0.0.1:9464"; port 0
 * takes a free one).
 * EDS_OK, EDS_ERR_USAGE, EDS_ERR_IO ("... Address already in use (os error 98)"),
 * EDS_ERR_NO_MEMORY. */
int32_t eds_http_admin_start(struct eds_http_admin **out, const char *address,
                             const struct eds_http_admin_config *config, struct eds_error *err);

/* eds_http_admin_port tells the port it listens on. */
unsigned eds_http_admin_port(const struct eds_http_admin *admin);

/* eds_http_admin_stop ends it; NULL is fine. */
void eds_http_admin_stop(struct eds_http_admin *admin);

#endif

/* http_wire.h - between a connection's socket and libmicrohttpd.
 *
 * The library reads with recv, and over TLS with gnutls_record_recv, and offers no
 * other way in.  So this program has functions of these two names, which the dynamic
 * linker finds before those of the C library and of GnuTLS; for every descriptor that
 * is not attached here they do what those do.  What is attached passes through
 * http_filter.h, and before that, if its peer is a proxy that is trusted, through
 * proxy_header.h: before the TLS handshake, too. */
#ifndef EDS_TRANSPORT_HTTP_WIRE_H
#define EDS_TRANSPORT_HTTP_WIRE_H

#include "edgesentry/error.h"
#include "ingest/netpolicy.h"
#include "transport/http_filter.h"
#include "transport/proxy_header.h"

#define HTTP_WIRE_FD_MAX 65536 /* descriptors from here on cannot be attached */

/* Of a connection, and used by its thread alone. */
struct http_wire {
    int fd;
    bool is_tls;
    bool awaits_header; /* the peer is a proxy, and may say whose connection it is */
    bool is_over;       /* nothing comes any more, whatever the peer sends */
    struct http_filter filter;
    char *held; /* bytes that the filter has not given on; NULL: none */
    size_t held_size;
    /* Told that the proxy's header is there; false ends the connection. */
    bool (*take_source)(void *context, const struct eds_address *source);
    void *context;
};

/* http_wire_check makes sure that the library's calls come here: EDS_ERR_PANIC if this
 * program was linked in a way that they do not. */
int32_t http_wire_check(struct eds_error *err);

/* http_wire_attach takes over a descriptor whose other members are filled in;
 * http_wire_detach gives it back before it is closed. */
bool http_wire_attach(struct http_wire *wire);
void http_wire_detach(struct http_wire *wire);

#endif

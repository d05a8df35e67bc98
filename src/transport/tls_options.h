/* tls_options.h - what the HTTP server needs to speak TLS: 1.3 and 1.2, with the
 * certificate that is the newest when a handshake begins. */
#ifndef EDS_TRANSPORT_TLS_OPTIONS_H
#define EDS_TRANSPORT_TLS_OPTIONS_H

#include <microhttpd.h>

#define TLS_OPTION_COUNT 2u

/* tls_options fills them in.  Connections are struct http_connection with a
 * tls_peer. */
void tls_options(struct MHD_OptionItem out[TLS_OPTION_COUNT]);

#endif

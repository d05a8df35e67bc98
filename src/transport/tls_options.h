/* tls_options.h - what the HTTP server needs to speak TLS. */
#ifndef EDS_TRANSPORT_TLS_OPTIONS_H
#define EDS_TRANSPORT_TLS_OPTIONS_H

#include <microhttpd.h>

#include "edgesentry/error.h"

#define TLS_OPTION_COUNT 3u

/* tls_options fills in the certificate chain (leaf first), its key and the
 * versions, TLS 1.3 and 1.2; the texts are PEM and outlive the server.  EDS_OK,
 * or EDS_ERR_MALFORMED if one holds no certificate or no key (the original's
 * words), or if they do not belong together. */
int32_t tls_options(struct MHD_OptionItem out[TLS_OPTION_COUNT], const char *cert_pem,
                    const char *key_pem, struct eds_error *err);

#endif

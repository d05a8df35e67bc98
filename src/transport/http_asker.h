/* http_asker.h - a device's question for a command (GET /api/v1/commands), on libcurl. */
#ifndef EDS_TRANSPORT_HTTP_ASKER_H
#define EDS_TRANSPORT_HTTP_ASKER_H

#include "edgesentry/command.h"

struct eds_http_asker;

struct eds_http_asker_config {
    const char *url;                  /* where records go: http://host:port, or with a path */
    const char *ca_file;              /* NULL: the system's */
    const char *cert_file, *key_file; /* PEM; who we are, over https; NULL: nobody */
    unsigned timeout_ms;              /* 0: 30000 */
};

int32_t eds_http_asker_open(struct eds_http_asker **out, const struct eds_http_asker_config *config,
                            struct eds_error *err);
void eds_http_asker_close(struct eds_http_asker *asker);

/* eds_http_asker_ask asks once.  EDS_OK and *out, which nobody has verified yet;
 * EDS_ERR_NOT_FOUND: there is no command; EDS_ERR_UNSUPPORTED: the server gives none at
 * all; EDS_ERR_REFUSED: not to us; EDS_ERR_MALFORMED: an answer that is none;
 * EDS_ERR_IO: no answer now. */
int32_t eds_http_asker_ask(struct eds_http_asker *asker, const char *device_id,
                           const uint8_t nonce[EDS_NONCE_SIZE], struct eds_signed_order *out,
                           struct eds_error *err);

#endif

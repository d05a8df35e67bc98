/* tls.h - the certificate of a server and whom it trusts, from files that may be
 * renewed while it serves.
 *
 * What was read together is used together: a connection keeps the certificate of
 * its handshake, new ones get the newest.  A reload that fails changes nothing. */
#ifndef EDS_TRANSPORT_TLS_H
#define EDS_TRANSPORT_TLS_H

#include <stdbool.h>

#include "edgesentry/error.h"
#include "transport/gateways.h"

struct eds_tls;

struct eds_tls_config {
    const char *cert_path; /* PEM, the chain, its own certificate first */
    const char *key_path;  /* PEM */

    /* Client certificates; NULL: nobody is asked for one. */
    const char *client_ca_path;          /* PEM: who vouches for clients */
    const char *client_crl_path;         /* PEM: which of them no longer count; NULL: none */
    bool client_optional;                /* a client may also come without a certificate */
    const struct eds_gateways *gateways; /* who may speak for whom; NULL: nobody */
};

/* eds_tls_open reads the files.  config's pointers outlive *out.
 * EDS_OK; EDS_ERR_IO; EDS_ERR_MALFORMED ("TLS server error: " and the original's
 * words, or the file, what is wrong with which certificate, and what to do);
 * EDS_ERR_TOO_LARGE; EDS_ERR_NO_MEMORY. */
int32_t eds_tls_open(struct eds_tls **out, const struct eds_tls_config *config,
                     struct eds_error *err);

/* eds_tls_reload reads them again.  On an error all stays as it was. */
int32_t eds_tls_reload(struct eds_tls *tls, struct eds_error *err);

/* eds_tls_has_changed says whether a file is another one than at the last reading,
 * and has rested since it was last asked: files that belong together are not
 * replaced in one step. */
bool eds_tls_has_changed(struct eds_tls *tls);

/* What is in use, for logs and metrics. */
struct eds_tls_state {
    char subject[256];
    int64_t not_after_s; /* Unix time: the end of the server's certificate */
    uint64_t reloads, failures;
};
void eds_tls_state(struct eds_tls *tls, struct eds_tls_state *out);

/* eds_tls_close frees it; no connection is left.  NULL is fine. */
void eds_tls_close(struct eds_tls *tls);

#endif

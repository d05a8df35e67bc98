/* tls_peer_impl.h - a TLS peer, for the handshake's callbacks. */
#ifndef EDS_TRANSPORT_TLS_PEER_IMPL_H
#define EDS_TRANSPORT_TLS_PEER_IMPL_H

#include "transport/tls_keys.h"
#include "transport/tls_peer.h"

#define TLS_NAMES_MAX 16u /* of one certificate that are looked at */
#define TLS_CHAIN_MAX 8u  /* certificates that a client may send */

struct tls_names {
    unsigned count;
    char names[TLS_NAMES_MAX][EDS_DEVICE_ID_SIZE];
};

/* Why a peer is refused, for the log and for itself. */
struct tls_refusal {
    int alert; /* gnutls_alert_description_t */
    struct eds_error why;
};

struct tls_peer {
    struct eds_tls *tls;
    struct tls_keys *keys;   /* of the handshake, until the end */
    uint64_t checked_number; /* of the keys that it was last found good by; 0: never */
    time_t good_until;       /* then the dates say otherwise */
    struct tls_names *names; /* NULL: it has no certificate */
};

/* tls_peer_check looks at the certificates of a session by the newest keys.
 * EDS_OK, or EDS_ERR_REFUSED and *refusal. */
int32_t tls_peer_check(struct tls_peer *peer, gnutls_session_t session,
                       struct tls_refusal *refusal);

/* tls_names_read takes the names of a device out of its certificate: those of
 * kind URI, or else those of kind DNS, or else the common name.
 * EDS_OK, or EDS_ERR_REFUSED and *err says why there is none. */
int32_t tls_names_read(struct tls_names *out, gnutls_x509_crt_t certificate, struct eds_error *err);

/* tls_verify_client says whether authorities vouch for a client's certificates,
 * its own first, and how long that holds.  Errors as tls_peer_check. */
int32_t tls_verify_client(const struct tls_keys *keys, gnutls_x509_crt_t *chain, unsigned count,
                          time_t *good_until, struct tls_refusal *refusal);

#endif

/* tls_peer.h - who is at the other end of a TLS connection, by its certificate. */
#ifndef EDS_TRANSPORT_TLS_PEER_H
#define EDS_TRANSPORT_TLS_PEER_H

#include <microhttpd.h>

#include "base/features.h"
#include "transport/tls.h"

/* Belongs to its connection's thread. */
struct tls_peer;

#if EDS_TRANSPORT_TLS

/* tls_peer_create makes the state of a connection that begins; NULL without
 * memory.  tls_peer_destroy frees it; NULL is fine. */
struct tls_peer *tls_peer_create(struct eds_tls *tls);
void tls_peer_destroy(struct tls_peer *peer);

/* tls_peer_admit says whether a request may come over the connection now.  What
 * the handshake found is looked at again after files were renewed (a certificate
 * may be revoked by now) and when a date has passed.
 * EDS_OK, or EDS_ERR_REFUSED and *err says why. */
int32_t tls_peer_admit(struct tls_peer *peer, struct MHD_Connection *mhd, struct eds_error *err);

/* tls_peer_route_identity gives the name under which the peer brings a device's
 * record: the device's own if its certificate has it, or if it is a gateway that
 * may speak for the device; another one of its names if not; NULL for a peer
 * without a certificate. */
const char *tls_peer_route_identity(const struct tls_peer *peer, const char *device_id);

#else /* the same, where nobody has a certificate */

static inline struct tls_peer *tls_peer_create(struct eds_tls *tls)
{
    (void)tls;
    return NULL;
}

static inline void tls_peer_destroy(struct tls_peer *peer)
{
    (void)peer;
}

static inline int32_t tls_peer_admit(struct tls_peer *peer, struct MHD_Connection *mhd,
                                     struct eds_error *err)
{
    (void)peer;
    (void)mhd;
    (void)err;
    return EDS_OK;
}

static inline const char *tls_peer_route_identity(const struct tls_peer *peer,
                                                  const char *device_id)
{
    (void)peer;
    (void)device_id;
    return NULL;
}

#endif

#endif

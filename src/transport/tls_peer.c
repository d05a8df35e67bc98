/* tls_peer.c - see tls_peer.h. */
#include "transport/tls_peer_impl.h"

#include <stdlib.h>
#include <string.h>

struct tls_peer *tls_peer_create(struct eds_tls *tls)
{
    struct tls_peer *peer = calloc(1, sizeof *peer);

    if (peer != NULL)
        peer->tls = tls;
    return peer;
}

void tls_peer_destroy(struct tls_peer *peer)
{
    if (peer == NULL)
        return;
    tls_keys_release(peer->keys);
    free(peer->names);
    free(peer);
}

static int32_t refuse(struct tls_refusal *refusal, gnutls_alert_description_t alert,
                      const char *words)
{
    refusal->alert = (int)alert;
    return eds_error_set(&refusal->why, EDS_ERR_REFUSED, "%s", words);
}

static int32_t check_chain(struct tls_peer *peer, const struct tls_keys *keys,
                           gnutls_x509_crt_t *chain, unsigned count, struct tls_refusal *refusal)
{
    int32_t rc = tls_verify_client(keys, chain, count, &peer->good_until, refusal);

    if (rc != EDS_OK || peer->names != NULL) /* it stays the same certificate */
        return rc;
    peer->names = malloc(sizeof *peer->names);
    if (peer->names == NULL)
        return refuse(refusal, GNUTLS_A_INTERNAL_ERROR, "no memory for a client's certificate");
    rc = tls_names_read(peer->names, chain[0], &refusal->why);
    if (rc == EDS_OK)
        return EDS_OK;
    refusal->alert = GNUTLS_A_BAD_CERTIFICATE;
    free(peer->names);
    peer->names = NULL;
    return rc;
}

/* Takes the certificates as they were sent, and checks them by keys. */
static int32_t check_sent(struct tls_peer *peer, const struct tls_keys *keys,
                          const gnutls_datum_t *sent, unsigned sent_count,
                          struct tls_refusal *refusal)
{
    gnutls_x509_crt_t chain[TLS_CHAIN_MAX];
    unsigned count = 0;
    int32_t rc = EDS_OK;

    if (sent_count > TLS_CHAIN_MAX)
        return refuse(refusal, GNUTLS_A_BAD_CERTIFICATE,
                      "client certificate comes with too many others");
    while (rc == EDS_OK && count < sent_count) {
        if (gnutls_x509_crt_init(&chain[count]) != GNUTLS_E_SUCCESS)
            rc = refuse(refusal, GNUTLS_A_INTERNAL_ERROR, "no memory for a client's certificate");
        else if (gnutls_x509_crt_import(chain[count], &sent[count], GNUTLS_X509_FMT_DER) !=
                 GNUTLS_E_SUCCESS) {
            gnutls_x509_crt_deinit(chain[count]);
            rc = refuse(refusal, GNUTLS_A_BAD_CERTIFICATE, "client certificate cannot be read");
        } else {
            count++;
        }
    }
    if (rc == EDS_OK)
        rc = check_chain(peer, keys, chain, count, refusal);
    while (count > 0)
        gnutls_x509_crt_deinit(chain[--count]);
    return rc;
}

int32_t tls_peer_check(struct tls_peer *peer, gnutls_session_t session, struct tls_refusal *refusal)
{
    struct tls_keys *keys = tls_keys_hold(peer->tls);
    unsigned count = 0;
    const gnutls_datum_t *sent = gnutls_certificate_get_peers(session, &count);
    int32_t rc = EDS_OK;

    if (keys->trust == NULL)
        rc = EDS_OK;
    else if (sent != NULL && count > 0)
        rc = check_sent(peer, keys, sent, count, refusal);
    else if (!tls_config(peer->tls)->client_optional)
        rc = refuse(refusal, GNUTLS_A_CERTIFICATE_REQUIRED, "a client certificate is required");
    else
        peer->good_until = (time_t)INT64_MAX;
    peer->checked_number = rc == EDS_OK ? keys->number : 0;
    tls_keys_release(keys);
    return rc;
}

int32_t tls_peer_admit(struct tls_peer *peer, struct MHD_Connection *mhd, struct eds_error *err)
{
    struct tls_refusal refusal;
    const union MHD_ConnectionInfo *info;

    if (tls_config(peer->tls)->client_ca_path == NULL)
        return EDS_OK;
    if (peer->checked_number == tls_keys_number(peer->tls) && time(NULL) <= peer->good_until)
        return EDS_OK;
    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (tls_peer_check(peer, info->tls_session, &refusal) == EDS_OK)
        return EDS_OK;
    return eds_error_set(err, EDS_ERR_REFUSED, "%s", refusal.why.text);
}

const char *tls_peer_route_identity(const struct tls_peer *peer, const char *device_id)
{
    const struct tls_names *names = peer != NULL ? peer->names : NULL;

    if (names == NULL)
        return NULL;
    for (unsigned i = 0; i < names->count; i++)
        if (strcmp(names->names[i], device_id) == 0 ||
            eds_gateways_allow(tls_config(peer->tls)->gateways, names->names[i], device_id))
            return device_id;
    return names->names[0];
}

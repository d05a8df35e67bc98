/* tls_options.c - see tls_options.h.
 *
 * libmicrohttpd has one set of certificates for life, and looks at none of a
 * client's.  It can ask for the certificate at each handshake, though, and that
 * is early enough to tell GnuTLS that this session wants one of the client, and
 * who checks it. */
#include "transport/tls_options.h"

#include "base/log.h"
#include "transport/http_connection.h"
#include "transport/tls_peer_impl.h"

/* GnuTLS's words for: 128 bits of strength or more, nothing before TLS 1.2. */
#define PRIORITIES                                                                                 \
    "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"                             \
    ":-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-X448:+GROUP-SECP384R1:+GROUP-SECP521R1"     \
    ":+GROUP-FFDHE2048:+GROUP-FFDHE3072:+GROUP-FFDHE4096"

/* libmicrohttpd keeps its connection in the session (0.9.75). */
static struct http_connection *connection_of(gnutls_session_t session)
{
    struct MHD_Connection *mhd = gnutls_session_get_ptr(session);

    return mhd != NULL
               ? MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context
               : NULL;
}

/* At the end of the handshake, before a byte of HTTP is read.  The alert says what
 * is wrong in a word, the log in all. */
static int check_client(gnutls_session_t session)
{
    struct http_connection *connection = connection_of(session);
    struct tls_refusal refusal;
    uint64_t suppressed;

    if (connection == NULL || connection->tls_peer == NULL)
        return -1;
    if (tls_peer_check(connection->tls_peer, session, &refusal) == EDS_OK)
        return 0;
    if (eds_log_throttle_pass(&connection->server->verdict_log.rejected, http_now_ms(),
                              &suppressed))
        EDS_LOG(EDS_LOG_WARN, "client_certificate_refused",
                EDS_LOG_STRING("source", connection->source),
                EDS_LOG_STRING("reason", refusal.why.text),
                EDS_LOG_NUMBER("suppressed", suppressed));
    (void)gnutls_alert_send(session, GNUTLS_AL_FATAL, (gnutls_alert_description_t)refusal.alert);
    return -1;
}

static int give_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *asked,
                            gnutls_pcert_st **chain, unsigned *chain_count,
                            gnutls_ocsp_data_st **ocsp, unsigned *ocsp_count, gnutls_privkey_t *key,
                            unsigned *flags)
{
    struct http_connection *connection = connection_of(session);
    struct tls_peer *peer = connection != NULL ? connection->tls_peer : NULL;

    (void)asked;
    if (peer == NULL)
        return -1;
    if (peer->keys == NULL)
        peer->keys = tls_keys_hold(peer->tls); /* these pointers are used until the end */
    if (peer->keys->trust != NULL) {
        gnutls_session_set_verify_function(session, check_client);
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
    }
    *chain = peer->keys->chain;
    *chain_count = peer->keys->chain_count;
    *key = peer->keys->key;
    *ocsp = NULL;
    *ocsp_count = 0;
    *flags = 0; /* they stay ours */
    return 0;
}

void tls_options(struct MHD_OptionItem out[TLS_OPTION_COUNT])
{
    gnutls_certificate_retrieve_function3 *give = give_certificate;

    /* libmicrohttpd takes both as void pointers. */
    out[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)(uintptr_t)give};
    out[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)PRIORITIES};
}

/* tls_verify.c - does a client's certificate count?  See tls_peer_impl.h. */
#include <stdio.h>

#include "base/hex.h"
#include "transport/tls_peer_impl.h"

#define SERIAL_SIZE 20u /* bytes, the most that RFC 5280 allows */

/* What is wrong, the worst first; of several the first one is told. */
static const struct fault {
    unsigned status; /* bits of gnutls_certificate_status_t */
    gnutls_alert_description_t alert;
    const char *words;
} faults[] = {
    {GNUTLS_CERT_SIGNER_NOT_FOUND, GNUTLS_A_UNKNOWN_CA, "comes from an unknown authority"},
    {GNUTLS_CERT_SIGNER_NOT_CA, GNUTLS_A_UNKNOWN_CA, "is signed by one that is no authority"},
    {GNUTLS_CERT_SIGNATURE_FAILURE, GNUTLS_A_BAD_CERTIFICATE, "has a wrong signature"},
    {GNUTLS_CERT_REVOKED, GNUTLS_A_CERTIFICATE_REVOKED, "is revoked"},
    {GNUTLS_CERT_EXPIRED, GNUTLS_A_CERTIFICATE_EXPIRED, "expired: renew it"},
    {GNUTLS_CERT_NOT_ACTIVATED, GNUTLS_A_CERTIFICATE_EXPIRED, "not yet valid: is the clock set?"},
    {GNUTLS_CERT_PURPOSE_MISMATCH, GNUTLS_A_UNSUPPORTED_CERTIFICATE,
     "is not for clients: its extended key usage has no clientAuth"},
    {GNUTLS_CERT_INSECURE_ALGORITHM, GNUTLS_A_INSUFFICIENT_SECURITY,
     "is signed by an algorithm that is no longer safe"},
    {GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED, GNUTLS_A_INTERNAL_ERROR,
     "cannot be checked: the server's revocation list is out of date"},
    {GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE, GNUTLS_A_INTERNAL_ERROR,
     "cannot be checked: the server's revocation list is not yet valid"},
    {0, GNUTLS_A_BAD_CERTIFICATE, "is not good"},
};

/* "CN=lift-01, serial 1f, of CN=Lifts CA, valid from ... until ...". */
static void describe(char *out, size_t out_size, gnutls_x509_crt_t certificate)
{
    char subject[200], issuer[200], serial[2 * SERIAL_SIZE + 1] = "?";
    char from[TLS_DATE_SIZE], until[TLS_DATE_SIZE];
    uint8_t bytes[SERIAL_SIZE];
    size_t serial_size = sizeof bytes, issuer_size = sizeof issuer;

    tls_subject(subject, sizeof subject, certificate);
    if (gnutls_x509_crt_get_issuer_dn(certificate, issuer, &issuer_size) != GNUTLS_E_SUCCESS)
        snprintf(issuer, sizeof issuer, "?");
    if (gnutls_x509_crt_get_serial(certificate, bytes, &serial_size) == GNUTLS_E_SUCCESS)
        eds_hex_encode(serial, bytes, serial_size);
    snprintf(out, out_size, "%s, serial %s, of %s, valid from %s until %s", subject, serial, issuer,
             tls_date(from, gnutls_x509_crt_get_activation_time(certificate)),
             tls_date(until, gnutls_x509_crt_get_expiration_time(certificate)));
}

int32_t tls_verify_client(const struct tls_keys *keys, gnutls_x509_crt_t *chain, unsigned count,
                          time_t *good_until, struct tls_refusal *refusal)
{
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                     .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};
    const struct fault *fault = faults;
    char certificate[600];
    unsigned status = 0;
    int error = gnutls_x509_trust_list_verify_crt2(keys->trust, chain, count, &purpose, 1, 0,
                                                   &status, NULL);

    *good_until = gnutls_x509_crt_get_expiration_time(chain[0]);
    for (unsigned i = 1; i < count; i++) {
        time_t until = gnutls_x509_crt_get_expiration_time(chain[i]);

        *good_until = until < *good_until ? until : *good_until;
    }
    if (error == GNUTLS_E_SUCCESS && status == 0)
        return EDS_OK;
    while (fault->status != 0 && (status & fault->status) == 0)
        fault++;
    describe(certificate, sizeof certificate, chain[0]);
    refusal->alert = (int)fault->alert;
    return eds_error_set(&refusal->why, EDS_ERR_REFUSED, "client certificate %s (%s)", fault->words,
                         certificate);
}

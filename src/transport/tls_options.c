/* tls_options.c - see tls_options.h. */
#include "transport/tls_options.h"

#include <gnutls/x509.h>
#include <string.h>

/* GnuTLS's words for: 128 bits of strength or more, nothing before TLS 1.2. */
#define PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

#define KEY_ID_SIZE 32u /* bytes; SHA-256 of the public key */

static gnutls_datum_t datum(const char *text)
{
    return (gnutls_datum_t){(unsigned char *)(uintptr_t)text, (unsigned)strlen(text)};
}

static int certificate_id(uint8_t id[KEY_ID_SIZE], const char *cert_pem)
{
    gnutls_datum_t text = datum(cert_pem);
    size_t id_size = KEY_ID_SIZE;
    gnutls_x509_crt_t certificate;
    int rc = gnutls_x509_crt_init(&certificate);

    if (rc != GNUTLS_E_SUCCESS)
        return rc;
    rc = gnutls_x509_crt_import(certificate, &text, GNUTLS_X509_FMT_PEM); /* the first one */
    if (rc == GNUTLS_E_SUCCESS)
        rc = gnutls_x509_crt_get_key_id(certificate, GNUTLS_KEYID_USE_SHA256, id, &id_size);
    gnutls_x509_crt_deinit(certificate);
    return rc;
}

static int key_id(uint8_t id[KEY_ID_SIZE], const char *key_pem)
{
    gnutls_datum_t text = datum(key_pem);
    size_t id_size = KEY_ID_SIZE;
    gnutls_x509_privkey_t key;
    int rc = gnutls_x509_privkey_init(&key);

    if (rc != GNUTLS_E_SUCCESS)
        return rc;
    rc = gnutls_x509_privkey_import2(key, &text, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (rc == GNUTLS_E_SUCCESS)
        rc = gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, id, &id_size);
    gnutls_x509_privkey_deinit(key); /* wiped by GnuTLS */
    return rc;
}

/* GnuTLS (3.7) finds out that a pair does not belong together when it loads one
 * for RSA and ECDSA; for Ed25519 every handshake would fail. */
static int32_t check_pair(const char *cert_pem, const char *key_pem, struct eds_error *err)
{
    uint8_t of_certificate[KEY_ID_SIZE] = {0}, of_key[KEY_ID_SIZE] = {0};
    int rc = certificate_id(of_certificate, cert_pem);

    if (rc != GNUTLS_E_SUCCESS)
        return eds_error_set(err, EDS_ERR_MALFORMED, "TLS server error: the certificate: %s",
                             gnutls_strerror(rc));
    rc = key_id(of_key, key_pem);
    if (rc != GNUTLS_E_SUCCESS)
        return eds_error_set(err, EDS_ERR_MALFORMED, "TLS server error: the private key: %s",
                             gnutls_strerror(rc));
    if (memcmp(of_certificate, of_key, KEY_ID_SIZE) != 0)
        return eds_error_set(err, EDS_ERR_MALFORMED,
                             "TLS server error: the private key is not that of the first "
                             "certificate in the file");
    return EDS_OK;
}

static struct MHD_OptionItem text_option(enum MHD_OPTION option, const char *text)
{
    /* libmicrohttpd takes text without const, and only reads it. */
    return (struct MHD_OptionItem){option, 0, (void *)(uintptr_t)text};
}

int32_t tls_options(struct MHD_OptionItem out[TLS_OPTION_COUNT], const char *cert_pem,
                    const char *key_pem, struct eds_error *err)
{
    int32_t rc;

    if (strstr(cert_pem, "-----BEGIN CERTIFICATE-----") == NULL)
        return eds_error_set(err, EDS_ERR_MALFORMED, "TLS server error: peer sent no certificates");
    if (key_pem == NULL || strstr(key_pem, "PRIVATE KEY-----") == NULL)
        return eds_error_set(err, EDS_ERR_MALFORMED,
                             "TLS server error: no private key found in key file");
    rc = check_pair(cert_pem, key_pem, err);
    out[0] = text_option(MHD_OPTION_HTTPS_MEM_CERT, cert_pem);
    out[1] = text_option(MHD_OPTION_HTTPS_MEM_KEY, key_pem);
    out[2] = text_option(MHD_OPTION_HTTPS_PRIORITIES, PRIORITIES);
    return rc;
}

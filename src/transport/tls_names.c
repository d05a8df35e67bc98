/* tls_names.c - the device that a certificate names: see tls_peer_impl.h.
 *
 * A URI of the form urn:edgesentry:device:ID stands for ID, any other for
 * itself.  Names are compared byte for byte: "*" stands for nothing else. */
#include <string.h>

#include "base/utf8.h"
#include "transport/tls_peer_impl.h"

#define URN "urn:edgesentry:device:"

/* One that cannot be a device's id fits no record. */
static void keep(struct tls_names *out, const char *name, size_t size)
{
    if (size > strlen(URN) && memcmp(name, URN, strlen(URN)) == 0) {
        name += strlen(URN);
        size -= strlen(URN);
    }
    if (size == 0 || size >= EDS_DEVICE_ID_SIZE || memchr(name, '\0', size) != NULL ||
        !eds_utf8_valid(name, size) || out->count == TLS_NAMES_MAX)
        return;
    memcpy(out->names[out->count], name, size);
    out->names[out->count++][size] = '\0';
}

static void keep_alternative(struct tls_names *out, gnutls_x509_crt_t certificate, unsigned wanted)
{
    char name[EDS_DEVICE_ID_SIZE + sizeof URN];
    int kind = 0;

    for (unsigned i = 0; kind != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE; i++) {
        size_t size = sizeof name;

        kind = gnutls_x509_crt_get_subject_alt_name(certificate, i, name, &size, NULL);
        if (kind == (int)wanted)
            keep(out, name, size);
        else if (kind < 0 && kind != GNUTLS_E_SHORT_MEMORY_BUFFER)
            return;
    }
}

int32_t tls_names_read(struct tls_names *out, gnutls_x509_crt_t certificate, struct eds_error *err)
{
    char name[EDS_DEVICE_ID_SIZE], subject[256];
    size_t size = sizeof name;

    out->count = 0;
    keep_alternative(out, certificate, GNUTLS_SAN_URI);
    if (out->count == 0)
        keep_alternative(out, certificate, GNUTLS_SAN_DNSNAME);
    if (out->count == 0 && gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME,
                                                         0, 0, name, &size) == GNUTLS_E_SUCCESS)
        keep(out, name, size);
    if (out->count > 0)
        return EDS_OK;
    tls_subject(subject, sizeof subject, certificate);
    return eds_error_set(err, EDS_ERR_REFUSED,
                         "client certificate names no device: a URI, DNS name or common name of 1 "
                         "to %u bytes is wanted (%s)",
                         EDS_DEVICE_ID_SIZE - 1, subject);
}

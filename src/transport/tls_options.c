/* tls_options.c - see tls_options.h. */
#include "transport/tls_options.h"

#include <string.h>

/* GnuTLS's words for: 128 bits of strength or more, nothing before TLS 1.2. */
#define PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

static struct MHD_OptionItem text_option(enum MHD_OPTION option, const char *text)
{
    /* libmicrohttpd takes text without const, and only reads it. */
    return (struct MHD_OptionItem){option, 0, (void *)(uintptr_t)text};
}

int32_t tls_options(struct MHD_OptionItem out[TLS_OPTION_COUNT], const char *cert_pem,
                    const char *key_pem, struct eds_error *err)
{
    if (strstr(cert_pem, "-----BEGIN CERTIFICATE-----") == NULL)
        return eds_error_set(err, EDS_ERR_MALFORMED, "TLS server error: peer sent no certificates");
    if (key_pem == NULL || strstr(key_pem, "PRIVATE KEY-----") == NULL)
        return eds_error_set(err, EDS_ERR_MALFORMED,
                             "TLS server error: no private key found in key file");
    out[0] = text_option(MHD_OPTION_HTTPS_MEM_CERT, cert_pem);
    out[1] = text_option(MHD_OPTION_HTTPS_MEM_KEY, key_pem);
    out[2] = text_option(MHD_OPTION_HTTPS_PRIORITIES, PRIORITIES);
    return EDS_OK;
}

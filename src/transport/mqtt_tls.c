/* mqtt_tls.c - see mqtt_tls.h. */
#include "transport/mqtt_tls.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SYSTEM_CA_PATH "/etc/ssl/certs"

/* A key with a passphrase would make OpenSSL ask for it on the terminal. */
static int no_passphrase(char *text, int size, int writing, void *context)
{
    (void)writing;
    (void)context;
    if (size > 0)
        text[0] = '\0';
    return 0;
}

int32_t mqtt_tls_set(struct mosquitto *mosquitto, const char *ca_file, const char *cert_file,
                     const char *key_file, struct eds_error *err)
{
    const char *const paths[] = {ca_file, cert_file, key_file};
    int code;

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (paths[i] != NULL && access(paths[i], R_OK) != 0)
            return eds_error_set(err, EDS_ERR_IO, "cannot read %s: %s", paths[i], strerror(errno));
    code = mosquitto_tls_set(mosquitto, ca_file, ca_file == NULL ? SYSTEM_CA_PATH : NULL, cert_file,
                             key_file, no_passphrase);
    if (code == MOSQ_ERR_SUCCESS) /* 1: the broker must show a certificate that is vouched for */
        code = mosquitto_tls_opts_set(mosquitto, 1, "tlsv1.2", NULL);
    if (code != MOSQ_ERR_SUCCESS)
        return eds_error_set(err, EDS_ERR_IO, "TLS cannot be set up: %s", mosquitto_strerror(code));
    return EDS_OK;
}

/* serve_tls.c - eds audit serve-tls: the same over HTTPS. */
#include <stdlib.h>

#include "base/wipe.h"
#include "cli/commands.h"
#include "cli/file.h"
#include "cli/say.h"
#include "cli/serve.h"

#define PEM_SIZE_MAX (1024u * 1024u) /* bytes */

static const struct eds_option options[] = {
    {.name = "tls-cert",
     .value = "TLS_CERT",
     .help = "The certificate and those that vouch for it, as PEM, its own first",
     .required = true},
    {.name = "tls-key",
     .value = "TLS_KEY",
     .help = "The certificate's private key, as PEM",
     .required = true},
    EDS_OPTIONS_SERVE("0.0.0.0:8443"),
};

static const struct eds_example examples[] = {
    {"Take records in from anywhere in 10.0.0.0/8",
     "eds audit serve-tls --tls-cert server.crt --tls-key server.key --allowed-sources 10.0.0.0/8 "
     "--device lift-01=8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "a signal ended the server, and all that it took is kept"},
    {EDS_EXIT_FAILED, "it could not start; standard error says why"},
    {0, NULL},
};

static int run(const struct eds_args *args)
{
    const char *key_path = eds_args_text(args, "tls-key");
    char *cert_pem = NULL, *key_pem = NULL;
    size_t cert_size = 0, key_size = 0;
    struct eds_error err;
    int32_t rc =
        eds_file_read(eds_args_text(args, "tls-cert"), PEM_SIZE_MAX, &cert_pem, &cert_size, &err);
    int code;

    if (rc == EDS_OK)
        rc = eds_file_read(key_path, PEM_SIZE_MAX, &key_pem, &key_size, &err);
    if (rc == EDS_OK) {
        eds_warn_if_readable(key_path);
        code = eds_serve(args, cert_pem, key_pem);
    } else {
        code = eds_say_error(args, "TLS server error: ", &err);
    }
    eds_wipe(key_pem, key_size);
    free(key_pem);
    free(cert_pem);
    return code;
}

const struct eds_command eds_command_serve_tls = {
    .name = "serve-tls",
    .summary = "Start the HTTPS ingest server, TLS 1.2 and 1.3",
    .description =
        "As 'eds audit serve', over TLS. Whoever is not in --allowed-sources is disconnected "
        "before the handshake. Certificate and key are read once, at the start.",
    .options = options,
    .examples = examples,
    .exits = exits,
    .run = run,
};

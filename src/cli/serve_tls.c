/* serve_tls.c - eds audit serve-tls: the same over HTTPS. */
#include <string.h>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/file.h"
#include "cli/say.h"
#include "cli/serve.h"
#include "transport/tls.h"

static const char *const client_auths[] = {"required", "optional", NULL};

static const struct eds_option options[] = {
    {.name = "tls-cert",
     .value = "TLS_CERT",
     .help = "The certificate and those that vouch for it, as PEM, its own first",
     .required = true},
    {.name = "tls-key",
     .value = "TLS_KEY",
     .help = "The certificate's private key, as PEM",
     .required = true},
    {.name = "client-ca",
     .value = "FILE",
     .help = "Who vouches for clients, as PEM: each then shows a certificate, and may only send "
             "the records of the device that it names"},
    {.name = "client-auth",
     .value = "AUTH",
     .fallback = "required",
     .choices = client_auths,
     .help = "Must a client have a certificate? optional: it may also come without one"},
    {.name = "client-crl",
     .value = "FILE",
     .help = "Client certificates that no longer count, as PEM: revocation lists of --client-ca"},
    {.name = "gateway",
     .value = "NAME=DEVICES",
     .repeatable = true,
     .check = eds_gateways_check,
     .help = "A client whose certificate has this name may also send the records of these "
             "devices, separated by commas"},
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

static void reload(void *context, bool asked)
{
    struct eds_tls *tls = context;
    struct eds_tls_state state;
    struct eds_error err;

    if (!asked && !eds_tls_has_changed(tls))
        return;
    if (eds_tls_reload(tls, &err) != EDS_OK) {
        EDS_LOG(EDS_LOG_ERROR, "tls_reload_failed", EDS_LOG_STRING("error", err.text),
                EDS_LOG_STRING("cause", asked ? "signal" : "files changed"),
                EDS_LOG_STRING("remedy", "the certificate before is still in use"));
        return;
    }
    eds_tls_state(tls, &state);
    EDS_LOG(EDS_LOG_INFO, "tls_reloaded", EDS_LOG_STRING("subject", state.subject),
            EDS_LOG_STRING("cause", asked ? "signal" : "files changed"));
}

static int32_t add_gateways(struct eds_gateways *gateways, const struct eds_args *args,
                            struct eds_error *err)
{
    int32_t rc = EDS_OK;

    for (size_t i = 0; i < eds_args_count(args, "gateway") && rc == EDS_OK; i++)
        rc = eds_gateways_add(gateways, eds_args_at(args, "gateway", i), err);
    return rc;
}

static int run(const struct eds_args *args)
{
    struct eds_gateways gateways = {.pairs = NULL};
    struct eds_tls_config config = {
        .cert_path = eds_args_text(args, "tls-cert"),
        .key_path = eds_args_text(args, "tls-key"),
        .client_ca_path = eds_args_text(args, "client-ca"),
        .client_crl_path = eds_args_text(args, "client-crl"),
        .client_optional = strcmp(eds_args_text(args, "client-auth"), "optional") == 0,
        .gateways = &gateways,
    };
    struct eds_tls *tls = NULL;
    struct eds_error err;
    int32_t rc;
    int code;

    if (config.client_ca_path == NULL &&
        (config.client_crl_path != NULL || eds_args_is_set(args, "client-auth") ||
         eds_args_is_set(args, "gateway")))
        return eds_args_usage(args, "--client-auth, --client-crl and --gateway need --client-ca");
    rc = add_gateways(&gateways, args, &err);
    if (rc == EDS_OK)
        rc = eds_tls_open(&tls, &config, &err);
    if (rc == EDS_OK) {
        eds_warn_if_readable(config.key_path);
        code = eds_serve(args, tls, reload);
    } else {
        code = eds_say_error(args, "", &err);
    }
    eds_tls_close(tls);
    eds_gateways_free(&gateways);
    return code;
}

const struct eds_command eds_command_serve_tls = {
    .name = "serve-tls",
    .summary = "Start the HTTPS ingest server, TLS 1.2 and 1.3",
    .description =
        "As 'eds audit serve', over TLS. Whoever is not in --allowed-sources is disconnected "
        "before the handshake.\n\nCertificates, key and revocation list are read again at SIGHUP "
        "and within seconds of a change; connections go on meanwhile. Files that are not good "
        "change nothing, and the log says why.\n\nA client certificate names its device by a "
        "URI (urn:edgesentry:device:ID, or the whole URI), else by a DNS name, else by its "
        "common name.",
    .options = options,
    .reads_config = true,
    .examples = examples,
    .exits = exits,
    .run = run,
};

/* serve_tls.c - eds audit serve-tls: the same over HTTPS. */
#include "cli/commands.h"
#include "cli/say.h"
#include "cli/serve.h"
#include "cli/tls_front.h"

static const struct eds_option options[] = {
    EDS_OPTIONS_TLS_FRONT(true),
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
    struct eds_tls_front front = {.tls = NULL};
    const char *fault = eds_tls_front_fault(args);
    struct eds_error err;
    int code;

    if (fault != NULL)
        return eds_args_usage(args, "%s", fault);
    if (eds_tls_front_open(&front, args, &err) == EDS_OK)
        code = eds_serve(args, front.tls, eds_tls_front_reload);
    else
        code = eds_say_error(args, "", &err);
    eds_tls_front_close(&front);
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

/* tls_front.c - see tls_front.h. */
#include "cli/tls_front.h"

#include <string.h>

#include "base/log.h"
#include "cli/file.h"
#include "cli/say.h"

const char *const eds_tls_front_auths[] = {"required", "optional", NULL};

void eds_tls_front_reload(void *context, bool asked)
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

const char *eds_tls_front_fault(const struct eds_args *args)
{
    if (eds_args_text(args, "client-ca") == NULL &&
        (eds_args_text(args, "client-crl") != NULL || eds_args_is_set(args, "client-auth") ||
         eds_args_is_set(args, "gateway")))
        return "--client-auth, --client-crl and --gateway need --client-ca";
    return NULL;
}

int32_t eds_tls_front_open(struct eds_tls_front *front, const struct eds_args *args,
                           struct eds_error *err)
{
    struct eds_tls_config config = {
        .cert_path = eds_args_text(args, "tls-cert"),
        .key_path = eds_args_text(args, "tls-key"),
        .client_ca_path = eds_args_text(args, "client-ca"),
        .client_crl_path = eds_args_text(args, "client-crl"),
        .client_optional = strcmp(eds_args_text(args, "client-auth"), "optional") == 0,
        .gateways = &front->gateways,
    };
    int32_t rc = add_gateways(&front->gateways, args, err);

    if (rc == EDS_OK)
        rc = eds_tls_open(&front->tls, &config, err);
    if (rc == EDS_OK)
        eds_warn_if_readable(config.key_path);
    return rc;
}

void eds_tls_front_close(struct eds_tls_front *front)
{
    eds_tls_close(front->tls);
    eds_gateways_free(&front->gateways);
    front->tls = NULL;
}

/* client_arg.c - see client_arg.h. */
#include "cli/client_arg.h"

#include "cli/say.h"

int32_t eds_client_arg_take(struct eds_http_client_config *config, const struct eds_args *args,
                            struct eds_error *err)
{
    config->ca_file = eds_args_text(args, "ca-file");
    config->cert_file = eds_args_text(args, "client-cert");
    config->key_file = eds_args_text(args, "client-key");
    if (config->key_file != NULL && config->cert_file == NULL)
        return eds_error_set(err, EDS_ERR_USAGE, "--client-key needs --client-cert");
    if (config->cert_file != NULL)
        eds_warn_if_readable(config->key_file != NULL ? config->key_file : config->cert_file);
    return EDS_OK;
}

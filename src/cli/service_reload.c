/* service_reload.c - see service_reload.h.
 *
 * The command line and the environment are what they were at the start, so a key that
 * stands there as well does not change. */
#include "cli/service_reload.h"

#include <string.h>

#include "base/log.h"

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool is_same(const struct eds_args *a, const struct eds_args *b,
                    const struct eds_option *option)
{
    size_t count = eds_args_count(a, option->name);

    if (eds_option_is_flag(option))
        return eds_args_flag(a, option->name) == eds_args_flag(b, option->name);
    if (!option->repeatable)
        return is_same_text(eds_args_text(a, option->name), eds_args_text(b, option->name));
    if (count != eds_args_count(b, option->name))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!is_same_text(eds_args_at(a, option->name, i), eds_args_at(b, option->name, i)))
            return false;
    return true;
}

/* Says what is new: of what takes effect at once, since the last time; of the others,
 * since the start. */
static void tell_changes(const struct eds_service *service, const struct eds_args *before,
                         const struct eds_args *now)
{
    unsigned taken = 0, waiting = 0;

    for (const struct eds_option *option = now->command->options; option->name != NULL; option++) {
        const struct eds_args *old = option->reloadable ? before : service->args;

        if (!eds_config_is_key(option) || is_same(old, now, option))
            continue;
        taken += option->reloadable;
        waiting += !option->reloadable;
        EDS_LOG(option->reloadable ? EDS_LOG_INFO : EDS_LOG_WARN, "config_changed",
                EDS_LOG_STRING("key", option->name),
                EDS_LOG_STRING("effect", option->reloadable ? "now" : "restart"));
    }
    EDS_LOG(EDS_LOG_INFO, "config_reloaded", EDS_LOG_NUMBER("taken", taken),
            EDS_LOG_NUMBER("waiting_for_restart", waiting));
}

/* Puts into effect what every server has. */
static int32_t apply_common(struct eds_service *service, const struct eds_args *args,
                            struct eds_error *err)
{
    struct eds_rate per_source = {0, 0}, bytes_per_source = {0, 0}, per_device = {0, 0};
    int32_t rc = eds_rate_parse(&per_device, eds_args_text(args, "rate-per-device"), err);

    if (rc == EDS_OK && service->rate_per_source != NULL)
        rc = eds_rate_parse(&per_source, eds_args_text(args, "rate-per-source"), err);
    if (rc == EDS_OK && service->rate_per_source != NULL)
        rc = eds_rate_parse(&bytes_per_source, eds_args_text(args, "bytes-per-source"), err);
    if (rc == EDS_OK)
        rc = eds_ingest_set_rates(service->ingest, per_source, bytes_per_source, per_device, err);
    if (rc == EDS_OK)
        eds_service_configure_log(args);
    return rc;
}

void eds_service_reload(struct eds_service *service)
{
    struct eds_args before = *service->args, now = *service->args;
    struct eds_error err;
    int32_t rc = eds_config_load(&now.config, eds_args_text(service->args, "config"), &err);

    if (service->config.file_count > 0 || service->config.count > 0)
        before.config = service->config;
    if (rc == EDS_OK && service->apply != NULL)
        rc = service->apply(service->apply_context, &now, &err);
    if (rc == EDS_OK)
        rc = apply_common(service, &now, &err);
    if (rc != EDS_OK) {
        EDS_LOG(EDS_LOG_ERROR, "config_reload_failed", EDS_LOG_STRING("error", err.text),
                EDS_LOG_STRING("remedy", "the configuration before is still in use"));
        eds_config_free(&now.config);
        return;
    }
    tell_changes(service, &before, &now);
    eds_config_free(&service->config);
    service->config = now.config;
}

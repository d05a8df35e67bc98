/* service.c - see service.h. */
#include "cli/service.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "cli/device_arg.h"
#include "cli/json_out.h"
#include "cli/notify.h"
#include "cli/say.h"
#include "cli/service_reload.h"

#define RELOAD_PERIOD_MS 1000u

const char *const eds_service_attest_names[] = {"optional", "required", NULL};
const char *const eds_service_log_formats[] = {"logfmt", "json", NULL};
const char *const eds_service_log_levels[] = {"debug", "info", "warn", "error", NULL};

/* The place of a word in its list; the parser has made sure that it has one. */
static unsigned index_of(const char *const *list, const char *word)
{
    unsigned index = 0;

    while (list[index] != NULL && strcmp(list[index], word) != 0)
        index++;
    return index;
}

int32_t eds_service_check_rate(const char *text, struct eds_error *err)
{
    struct eds_rate rate;

    return eds_rate_parse(&rate, text, err);
}

void eds_service_configure_log(const struct eds_args *args)
{
    eds_log_configure(
        (enum eds_log_level)index_of(eds_service_log_levels, eds_args_text(args, "log-level")),
        (enum eds_log_format)index_of(eds_service_log_formats, eds_args_text(args, "log-format")));
}

void eds_service_begin(const struct eds_args *args, sigset_t *ending)
{
    eds_service_configure_log(args);
    sigemptyset(ending);
    sigaddset(ending, SIGTERM);
    sigaddset(ending, SIGINT);
    sigaddset(ending, SIGHUP);
    pthread_sigmask(SIG_BLOCK, ending, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file past its limit is a store that failed, no end */
}

int32_t eds_service_add_devices(struct eds_service *service, const struct eds_args *args,
                                struct eds_error *err)
{
    bool attest = index_of(eds_service_attest_names, eds_args_text(args, "attest")) == 1;
    struct eds_device_arg device;
    int32_t rc = EDS_OK;

    service->registry = eds_registry_create();
    if (service->registry == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for the registry");
    for (size_t i = 0; i < eds_args_count(args, "device") && rc == EDS_OK; i++) {
        rc = eds_device_arg_parse(&device, eds_args_at(args, "device", i), err);
        if (rc == EDS_OK)
            rc = eds_registry_add_key(service->registry, device.device_id, device.public_key,
                                      attest, err);
    }
    return rc;
}

/* A key given by --device must not be somebody else's in the ledger's registry. */
static int32_t check_devices(struct eds_ledger *ledger, const struct eds_args *args,
                             struct eds_error *err)
{
    for (size_t i = 0; i < eds_args_count(args, "device"); i++) {
        struct eds_device_arg device;
        struct eds_key_owner owner;
        int32_t rc = eds_device_arg_parse(&device, eds_args_at(args, "device", i), err);

        if (rc == EDS_OK)
            rc = ledger->roster->owner(ledger, device.public_key, &owner, err);
        if (rc == EDS_ERR_NOT_FOUND)
            continue;
        if (rc != EDS_OK)
            return rc;
        if (owner.role != EDS_ROLE_DEVICE || strcmp(owner.id, device.device_id) != 0)
            return eds_error_set(err, EDS_ERR_EXISTS,
                                 "--device: the key of %s is registered for %s %s",
                                 device.device_id, eds_role_name(owner.role), owner.id);
    }
    return EDS_OK;
}

/* The watch has a ledger of its own, because the first one is the committer's. */
static int32_t open_watch(struct eds_service *service, const struct eds_args *args,
                          struct eds_error *err)
{
    struct eds_ledger *own;
    int32_t rc;

    if (strcmp(service->ledger->ops->name, "memory") == 0)
        return EDS_OK;
    rc = eds_store_open(&own, args, false, err); /* it enters what devices say of themselves */
    if (rc == EDS_OK)
        rc = check_devices(service->ledger, args, err);
    else
        return rc;
    if (rc == EDS_OK)
        return eds_roster_watch_create(&service->watch, own, service->registry, err);
    own->ops->close(own);
    return rc;
}

/* What could not be read will be when the watch looks again. */
static void refresh(void *context)
{
    struct eds_error err;

    (void)eds_roster_watch_refresh(context, &err);
}

void eds_service_rates(const struct eds_service *service, const struct eds_args *args,
                       struct eds_ingest_config *config)
{
    (void)eds_rate_parse(&config->rate_per_device, eds_args_text(args, "rate-per-device"), NULL);
    if (service->rate_per_source != NULL) {
        (void)eds_rate_parse(&config->rate_per_source, service->rate_per_source, NULL);
        (void)eds_rate_parse(&config->bytes_per_source, eds_args_text(args, "bytes-per-source"),
                             NULL);
    }
}

int32_t eds_service_open(struct eds_service *service, const struct eds_args *args,
                         struct eds_error *err)
{
    struct eds_ingest_config config = {.registry = service->registry};
    int32_t rc = eds_store_open(&service->ledger, args, false, err);

    service->args = args;
    if (rc == EDS_OK)
        rc = eds_objects_open_arg(&service->objects, args, false, err);
    if (rc == EDS_OK)
        rc = eds_objects_open_uploaded(&service->uploaded, service->objects, args, err);
    if (rc == EDS_OK)
        rc = open_watch(service, args, err);
    if (rc != EDS_OK)
        return rc;
    config.ledger = service->ledger;
    if (service->watch != NULL) {
        config.refresh = refresh;
        config.refresh_context = service->watch;
        config.sightings = eds_roster_watch_sightings(service->watch);
    }
    config.objects = service->objects;
    config.uploaded = service->uploaded;
    eds_service_rates(service, args, &config);
    rc = eds_ingest_start(&service->ingest, &config, err);
    if (rc == EDS_OK && service->watch != NULL)
        rc = eds_roster_watch_start(service->watch, service->ingest, err);
    return rc;
}

static void reload(struct eds_service *service, bool asked)
{
    if (asked) {
        eds_notify_reloading();
        eds_service_reload(service);
    }
    if (service->reload != NULL)
        service->reload(service->reload_context, asked);
    if (asked)
        eds_notify("READY=1");
}

/* Waits for the signal that ends the server; meanwhile reloads, and says twice in
 * each watchdog's time that somebody still waits. */
static int await_end(struct eds_service *service, const sigset_t *ending)
{
    uint64_t watchdog_ms = eds_notify_watchdog_ms(), period_ms = RELOAD_PERIOD_MS;
    struct timespec period;
    int number;

    if (watchdog_ms > 0 && watchdog_ms / 2 < period_ms)
        period_ms = watchdog_ms / 2;
    period = (struct timespec){.tv_sec = (time_t)(period_ms / 1000),
                               .tv_nsec = (long)(period_ms % 1000) * 1000000};
    do {
        number = sigtimedwait(ending, NULL, &period);
        if (watchdog_ms > 0)
            eds_notify("WATCHDOG=1");
        if (number == SIGHUP || number < 0)
            reload(service, number == SIGHUP);
    } while (number < 0 || number == SIGHUP);
    return number;
}

void eds_service_await(struct eds_service *service, const sigset_t *ending)
{
    int number;

    if (service->ledger != NULL && eds_registry_count(service->registry) == 0)
        eds_say_note("no device is known: every record will be refused until one is registered "
                     "(eds audit device add) or given (--device)");
    eds_notify("READY=1");
    number = await_end(service, ending);
    eds_notify("STOPPING=1");
    pthread_sigmask(SIG_UNBLOCK, ending, NULL);
    EDS_LOG(EDS_LOG_INFO, "stopping", EDS_LOG_STRING("signal", strsignal(number)));
}

void eds_service_close(struct eds_service *service)
{
    eds_roster_watch_stop(service->watch);
    if (service->ingest != NULL) {
        eds_ingest_counts(service->ingest, &service->counts);
        eds_ingest_stop(service->ingest);
    }
    if (service->ledger != NULL)
        service->ledger->ops->close(service->ledger);
    if (service->uploaded != service->objects)
        eds_objects_close(service->uploaded);
    eds_objects_close(service->objects);
    eds_registry_destroy(service->registry);
    eds_config_free(&service->config);
}

void eds_service_summarize(const struct eds_service *service, const struct eds_args *args)
{
    const struct eds_ingest_counts *counts = &service->counts;
    struct eds_json_out json;

    if (!eds_args_flag(args, "json")) {
        printf("SERVE_COMPLETE: accepted=%" PRIu64 " duplicate=%" PRIu64 " rejected=%" PRIu64 "\n",
               counts->accepted, counts->duplicate, counts->rejected + counts->conflict);
        return;
    }
    eds_out_begin(&json);
    eds_out_u64(&json, "accepted", counts->accepted);
    eds_out_u64(&json, "duplicate", counts->duplicate);
    eds_out_u64(&json, "quarantined", counts->quarantined);
    eds_out_u64(&json, "rejected", counts->rejected);
    eds_out_u64(&json, "conflict", counts->conflict);
    eds_out_u64(&json, "store_failed", counts->store_failed);
    eds_out_u64(&json, "overloaded", counts->overloaded);
    eds_out_u64(&json, "rate_limited", counts->rate_limited);
    eds_out_end(&json);
}

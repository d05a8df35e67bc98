/* serve.c - eds audit serve: take records in over HTTP and keep them. */
#include "cli/serve.h"

#include <stdlib.h>

#include "cli/commands.h"
#include "cli/say.h"

static const struct eds_option options[] = {EDS_OPTIONS_SERVE("0.0.0.0:8080")};

static const struct eds_example examples[] = {
    {"Take records of one lift in from this machine; they go to ./edgesentry-data",
     "eds audit serve --device "
     "lift-01=8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"},
    {"From a network, on another port, into another directory",
     "eds audit serve --addr 0.0.0.0:9000 --allowed-sources 10.0.0.0/8,fd00::/8 --data-dir "
     "/var/lib/edgesentry --device "
     "lift-01=8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "a signal ended the server, and all that it took is kept"},
    {EDS_EXIT_FAILED, "it could not start; standard error says why"},
    {0, NULL},
};

/* Everything that a server stands on, in the order of starting. */
struct http_service {
    struct eds_http_front front;
    struct eds_service common;
    struct eds_ledger_desk *desk; /* NULL: no commands are given */
    struct eds_admin admin;
};

int32_t eds_serve_check_object_size(const char *text, struct eds_error *err)
{
    int32_t rc = eds_check_u64(text, err);

    if (rc == EDS_OK && strtoull(text, NULL, 10) > EDS_OBJECT_SIZE_MAX)
        rc = eds_error_set(err, EDS_ERR_USAGE, "at most %u", EDS_OBJECT_SIZE_MAX);
    return rc;
}

static uint64_t object_size_max(const struct eds_args *args)
{
    return strtoull(eds_args_text(args, "object-size-max"), NULL, 10);
}

static int32_t start(struct http_service *service, const struct eds_args *args, struct eds_tls *tls,
                     struct eds_error *err)
{
    struct eds_http_config *http = &service->front.config;
    int32_t rc = eds_http_front_read(&service->front, args, err);

    if (rc == EDS_OK)
        rc = eds_service_add_devices(&service->common, args, err);
    if (rc == EDS_OK)
        rc = eds_http_front_listen(&service->front, args, tls, err); /* before a ledger is made */
    if (rc != EDS_OK)
        return rc;
    service->common.rate_per_source = eds_args_text(args, "rate-per-source");
    rc = eds_service_open(&service->common, args, err);
    if (rc == EDS_OK)
        rc = eds_command_service_open(&service->desk, args, err);
    if (rc != EDS_OK)
        return rc;
    http->desk = service->desk != NULL ? eds_ledger_desk_of(service->desk) : NULL;
    http->ingest = service->common.ingest;
    http->uploaded = service->common.uploaded;
    http->object_size_max = object_size_max(args);
    return eds_http_front_start(&service->front, err);
}

static int32_t apply(void *context, const struct eds_args *args, struct eds_error *err)
{
    struct http_service *service = context;
    int32_t rc = eds_command_service_reload(service->desk, args, err);

    if (rc != EDS_OK)
        return rc;
    return eds_http_front_apply(&service->front, args, object_size_max(args), err);
}

int eds_serve(const struct eds_args *args, struct eds_tls *tls,
              void (*reload)(void *context, bool asked))
{
    struct http_service service = {
        .common = {.reload = reload, .reload_context = tls, .apply = apply}};

    struct eds_error err;
    sigset_t ending;
    int32_t rc;

    service.common.apply_context = &service;
    eds_service_begin(args, &ending);
    rc = start(&service, args, tls, &err);
    if (rc == EDS_OK)
        rc = eds_admin_open(&service.admin, args, &service.common, service.front.server, &err);
    if (rc == EDS_OK)
        rc = eds_http_front_write_port(&service.front, args, &err);
    if (rc == EDS_OK)
        eds_service_await(&service.common, &ending);
    eds_admin_close(&service.admin);
    eds_http_front_stop(&service.front);
    eds_ledger_desk_close(service.desk);
    eds_service_close(&service.common);
    if (rc != EDS_OK)
        return eds_say_error(args, "", &err);
    eds_service_summarize(&service.common, args);
    return EDS_EXIT_OK;
}

static int run(const struct eds_args *args)
{
    return eds_serve(args, NULL, NULL);
}

const struct eds_command eds_command_serve = {
    .name = "serve",
    .summary = "Start the HTTP ingest server",
    .description =
        "Takes records at POST /api/v1/ingest, checks them, and answers 202 once they are on the "
        "disk. Whoever is not in --allowed-sources is refused before anything is read of what he "
        "sends.\n\nSIGTERM or SIGINT: takes nothing new, answers what it took, and ends; a second "
        "signal ends it at once.\n\nSIGHUP: reads the configuration files again. Keys that take "
        "effect "
        "at once (eds config explain) do, without disturbing anybody; the log names the others.",
    .options = options,
    .reads_config = true,
    .examples = examples,
    .exits = exits,
    .run = run,
};

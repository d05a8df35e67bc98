/* serve.c - eds audit serve: take records in over HTTP and keep them. */
#include "cli/serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"

#include "cli/commands.h"
#include "cli/notify.h"
#include "cli/output.h"
#include "cli/say.h"
#include "transport/socket_address.h"

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

#define CONNECTIONS_MAX  60000u /* below HTTP_WIRE_FD_MAX, and room for files besides */
#define DESCRIPTORS_KEPT 256u   /* for everything that is no connection */

/* Every connection takes a descriptor, and a process starts with the right to few of
 * them.  Returns how many connections it has the right to now, at most wanted. */
static unsigned make_room(unsigned wanted)
{
    struct rlimit limit;
    rlim_t needed = (rlim_t)wanted + DESCRIPTORS_KEPT;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
        return wanted;
    limit.rlim_cur = limit.rlim_max < needed ? limit.rlim_max : needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= needed)
        return wanted;
    wanted = limit.rlim_cur > 2 * DESCRIPTORS_KEPT ? (unsigned)limit.rlim_cur - DESCRIPTORS_KEPT
                                                   : (unsigned)limit.rlim_cur / 2;
    EDS_LOG(EDS_LOG_WARN, "connections_limited", EDS_LOG_NUMBER("connections", wanted),
            EDS_LOG_STRING("reason", "the limit of open files (RLIMIT_NOFILE)"));
    return wanted;
}

/* Everything that a server stands on, in the order of starting. */
struct http_service {
    struct eds_netpolicy netpolicy, trusted_proxies;
    struct eds_service common;
    struct eds_http_server *server;
    struct eds_admin admin;
};

int32_t eds_serve_check_address(const char *text, struct eds_error *err)
{
    struct eds_socket_address address;

    return eds_socket_address_parse(&address, text, err);
}

const char *const eds_serve_forwarded_headers[] = {"x-forwarded-for", "forwarded", NULL};

int32_t eds_serve_check_connections(const char *text, struct eds_error *err)
{
    int32_t rc = eds_check_u64(text, err);

    if (rc == EDS_OK && strtoull(text, NULL, 10) - 1 >= CONNECTIONS_MAX)
        rc = eds_error_set(err, EDS_ERR_USAGE, "1 to %u are possible", CONNECTIONS_MAX);
    return rc;
}

int32_t eds_serve_check_networks(const char *text, struct eds_error *err)
{
    struct eds_netpolicy policy = {.network_count = 0};

    return eds_netpolicy_allow_list(&policy, text, err);
}

int32_t eds_serve_check_object_size(const char *text, struct eds_error *err)
{
    int32_t rc = eds_check_u64(text, err);

    if (rc == EDS_OK && strtoull(text, NULL, 10) > EDS_OBJECT_SIZE_MAX)
        rc = eds_error_set(err, EDS_ERR_USAGE, "at most %u", EDS_OBJECT_SIZE_MAX);
    return rc;
}

/* Reads the two lists; what they have is the caller's only on EDS_OK. */
static int32_t read_policies(struct eds_netpolicy *allowed, struct eds_netpolicy *proxies,
                             const struct eds_args *args, struct eds_error *err)
{
    const char *list = eds_args_text(args, "trusted-proxies");
    int32_t rc;

    allowed->network_count = proxies->network_count = 0;
    rc = eds_netpolicy_allow_list(allowed, eds_args_text(args, "allowed-sources"), err);
    if (rc == EDS_OK && list != NULL)
        rc = eds_netpolicy_allow_list(proxies, list, err);
    return rc;
}

static uint64_t object_size_max(const struct eds_args *args)
{
    return strtoull(eds_args_text(args, "object-size-max"), NULL, 10);
}

static int32_t start(struct http_service *service, const struct eds_args *args, struct eds_tls *tls,
                     struct eds_error *err)
{
    struct eds_http_config http = {
        .address = eds_args_text(args, "addr"), .netpolicy = &service->netpolicy, .tls = tls};
    struct eds_error why;
    int32_t rc = read_policies(&service->netpolicy, &service->trusted_proxies, args, err);

    http.trusted_proxies = &service->trusted_proxies;
    http.connection_max =
        make_room((unsigned)strtoull(eds_args_text(args, "connections-max"), NULL, 10));
    if (strcmp(eds_args_text(args, "forwarded-header"), "forwarded") == 0)
        http.forwarded_kind = EDS_FORWARDED_RFC;
    if (rc == EDS_OK)
        rc = eds_service_add_devices(&service->common, args, err);
    if (rc != EDS_OK)
        return rc;
    rc = eds_notify_listen_fd(&http.listen_fd, &why);
    if (rc == EDS_OK && http.listen_fd == 0)
        rc = eds_http_listen(&http.listen_fd, http.address, &why); /* before a ledger is made */
    if (rc != EDS_OK)
        return eds_error_set(err, rc, "%sserver error: %s", tls != NULL ? "TLS " : "", why.text);
    service->common.rate_per_source = eds_args_text(args, "rate-per-source");
    rc = eds_service_open(&service->common, args, err);
    if (rc == EDS_OK) {
        http.ingest = service->common.ingest;
        http.uploaded = service->common.uploaded;
        http.object_size_max = object_size_max(args);
        return eds_http_server_start(&service->server, &http, err);
    }
    close(http.listen_fd);
    return rc;
}

static int32_t apply(void *context, const struct eds_args *args, struct eds_error *err)
{
    struct http_service *service = context;
    struct eds_netpolicy allowed, proxies;
    int32_t rc = read_policies(&allowed, &proxies, args, err);

    if (rc == EDS_OK)
        eds_http_server_set(service->server, &allowed, &proxies, object_size_max(args));
    return rc;
}

static int32_t write_port(const struct http_service *service, const struct eds_args *args,
                          struct eds_error *err)
{
    const char *path = eds_args_text(args, "port-file");
    char text[16];
    int size;

    if (path == NULL)
        return EDS_OK;
    size = snprintf(text, sizeof text, "%u\n", eds_http_server_port(service->server));
    return eds_output_file(path, EDS_OUTPUT_PUBLIC, text, (size_t)size, err);
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
        rc = eds_admin_open(&service.admin, args, &service.common, service.server, &err);
    if (rc == EDS_OK)
        rc = write_port(&service, args, &err);
    if (rc == EDS_OK)
        eds_service_await(&service.common, &ending);
    eds_admin_close(&service.admin);
    if (service.server != NULL)
        eds_http_server_stop(service.server);
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

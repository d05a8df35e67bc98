/* serve.c - eds audit serve: take records in over HTTP and keep them. */
#include "cli/serve.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/device_arg.h"
#include "cli/json_out.h"
#include "cli/output.h"
#include "cli/say.h"
#include "ingest/ingest.h"
#include "transport/socket_address.h"

const char *const eds_serve_attest_names[] = {"optional", "required", NULL};
const char *const eds_serve_log_formats[] = {"logfmt", "json", NULL};
const char *const eds_serve_log_levels[] = {"debug", "info", "warn", "error", NULL};

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
struct service {
    struct eds_netpolicy netpolicy;
    struct eds_registry *registry;
    struct eds_ledger *ledger;
    struct eds_ingest *ingest;
    struct eds_http_server *server;
    struct eds_ingest_counts counts;
};

int32_t eds_serve_check_address(const char *text, struct eds_error *err)
{
    struct eds_socket_address address;

    return eds_socket_address_parse(&address, text, err);
}

/* The place of a word in its list; the parser has made sure that it has one. */
static unsigned index_of(const char *const *list, const char *word)
{
    unsigned index = 0;

    while (list[index] != NULL && strcmp(list[index], word) != 0)
        index++;
    return index;
}

static int32_t add_devices(struct service *service, const struct eds_args *args,
                           struct eds_error *err)
{
    bool attest = index_of(eds_serve_attest_names, eds_args_text(args, "attest")) == 1;
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

static int32_t start(struct service *service, const struct eds_args *args, const char *cert_pem,
                     const char *key_pem, struct eds_error *err)
{
    struct eds_ingest_config ingest = {.batch_max = 0};
    struct eds_http_config http = {.address = eds_args_text(args, "addr"),
                                   .netpolicy = &service->netpolicy,
                                   .tls_cert_pem = cert_pem,
                                   .tls_key_pem = key_pem};
    struct eds_error why;
    int32_t rc =
        eds_netpolicy_allow_list(&service->netpolicy, eds_args_text(args, "allowed-sources"), err);

    if (rc == EDS_OK)
        rc = add_devices(service, args, err);
    if (rc != EDS_OK)
        return rc;
    rc = eds_http_listen(&http.listen_fd, http.address, &why); /* before a ledger is made */
    if (rc != EDS_OK)
        return eds_error_set(err, rc, "%sserver error: %s", cert_pem != NULL ? "TLS " : "",
                             why.text);
    rc = eds_store_open(&service->ledger, args, false, err);
    if (rc == EDS_OK) {
        ingest.ledger = service->ledger;
        ingest.registry = service->registry;
        rc = eds_ingest_start(&service->ingest, &ingest, err);
    }
    if (rc == EDS_OK) {
        http.ingest = service->ingest;
        return eds_http_server_start(&service->server, &http, err);
    }
    close(http.listen_fd);
    return rc;
}

static void stop(struct service *service)
{
    if (service->server != NULL)
        eds_http_server_stop(service->server);
    if (service->ingest != NULL) {
        eds_ingest_counts(service->ingest, &service->counts);
        eds_ingest_stop(service->ingest);
    }
    if (service->ledger != NULL)
        service->ledger->ops->close(service->ledger);
    eds_registry_destroy(service->registry);
}

static int32_t write_port(const struct service *service, const struct eds_args *args,
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

/* The signals that end a server.  They are blocked before the first thread is
 * made, so that none of them meets a thread that does not expect it. */
static void block_signals(sigset_t *ending)
{
    sigemptyset(ending);
    sigaddset(ending, SIGTERM);
    sigaddset(ending, SIGINT);
    sigaddset(ending, SIGHUP);
    pthread_sigmask(SIG_BLOCK, ending, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* Waits for a signal; the second one ends the process at once. */
static void await_signal(const sigset_t *ending)
{
    int number = 0;

    sigwait(ending, &number);
    pthread_sigmask(SIG_UNBLOCK, ending, NULL);
    EDS_LOG(EDS_LOG_INFO, "stopping", EDS_LOG_STRING("signal", strsignal(number)));
}

static void summarize(const struct eds_args *args, const struct eds_ingest_counts *counts)
{
    struct eds_json_out json;

    if (!eds_args_flag(args, "json")) {
        printf("SERVE_COMPLETE: accepted=%" PRIu64 " duplicate=%" PRIu64 " rejected=%" PRIu64 "\n",
               counts->accepted, counts->duplicate, counts->rejected + counts->conflict);
        return;
    }
    eds_out_begin(&json);
    eds_out_u64(&json, "accepted", counts->accepted);
    eds_out_u64(&json, "duplicate", counts->duplicate);
    eds_out_u64(&json, "rejected", counts->rejected);
    eds_out_u64(&json, "conflict", counts->conflict);
    eds_out_u64(&json, "store_failed", counts->store_failed);
    eds_out_u64(&json, "overloaded", counts->overloaded);
    eds_out_end(&json);
}

int eds_serve(const struct eds_args *args, const char *cert_pem, const char *key_pem)
{
    struct service service = {.registry = NULL};
    struct eds_error err;
    sigset_t ending;
    int32_t rc;

    eds_log_configure(
        (enum eds_log_level)index_of(eds_serve_log_levels, eds_args_text(args, "log-level")),
        (enum eds_log_format)index_of(eds_serve_log_formats, eds_args_text(args, "log-format")));
    block_signals(&ending);
    rc = start(&service, args, cert_pem, key_pem, &err);
    if (rc == EDS_OK)
        rc = write_port(&service, args, &err);
    if (rc == EDS_OK) {
        if (eds_registry_count(service.registry) == 0)
            eds_say_note("no --device is given: every record will be refused");
        await_signal(&ending);
    }
    stop(&service);
    if (rc != EDS_OK)
        return eds_say_error(args, "", &err);
    summarize(args, &service.counts);
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
        "signal ends it at once.",
    .options = options,
    .examples = examples,
    .exits = exits,
    .run = run,
};

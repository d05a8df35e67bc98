/* admin.c - see admin.h. */
#include "cli/admin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/port.h"
#include "cli/output.h"
#include "transport/ingest_metrics.h"
#include "transport/socket_address.h"

#define OFF "off"

/* Not ready while the last failure of a store is as young as this, or while the
 * store has not confirmed the registry for so long.  A server that is sent nothing
 * cannot see its store heal; so it calls itself ready again and finds out. */
#define FAILED_MS 5000u
#define SILENT_MS 3000u

#define NS_PER_MS 1000000u
#define NS_PER_S  1000000000u

int32_t eds_admin_check_address(const char *text, struct eds_error *err)
{
    struct eds_socket_address address;

    return strcmp(text, OFF) == 0 ? EDS_OK : eds_socket_address_parse(&address, text, err);
}

static void write_build(struct eds_metrics *page, const struct eds_admin *admin)
{
    static const char build[] = "edgesentry_build_info";
    static const char started[] = "process_start_time_seconds";
    const struct eds_service *service = admin->service;

    eds_metrics_family(page, build, "gauge", "1, with the version of this server.");
    eds_metrics_value(page, build, "version", EDS_VERSION, 1);
    if (service->ledger != NULL) {
        eds_metrics_family(page, "edgesentry_ledger_info", "gauge", "1, with the kind of ledger.");
        eds_metrics_value(page, "edgesentry_ledger_info", "kind", service->ledger->ops->name, 1);
    }
    eds_metrics_family(page, started, "gauge", "Unix time at which the process started.");
    eds_metrics_seconds(page, started, admin->started_ms * NS_PER_MS);
}

static void write_process(struct eds_metrics *page)
{
    static const char cpu[] = "process_cpu_seconds_total";
    struct rusage usage;
    char line[128], *resident;
    FILE *file = fopen("/proc/self/statm", "re");

    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        uint64_t seconds = (uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec;
        uint64_t us = (uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec;

        eds_metrics_family(page, cpu, "counter", "CPU time used, of user and system.");
        eds_metrics_seconds(page, cpu, seconds * NS_PER_S + us * 1000);
    }
    if (file == NULL)
        return;
    if (fgets(line, sizeof line, file) != NULL && (resident = strchr(line, ' ')) != NULL)
        eds_metrics_gauge(page, "process_resident_memory_bytes", "Memory in use.",
                          strtoull(resident, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE));
    fclose(file);
}

static void write_certificate(struct eds_metrics *page, const struct eds_http_counts *counts)
{
    static const char end[] = "edgesentry_tls_certificate_expiry_timestamp_seconds";

    eds_metrics_family(page, end, "gauge", "Unix time at which the server certificate expires.");
    eds_metrics_seconds(page, end, (uint64_t)counts->certificate_end_s * NS_PER_S);
    eds_metrics_counter(page, "edgesentry_tls_reloads_total",
                        "Times that renewed certificates were taken.", counts->certificate_reloads);
    eds_metrics_counter(page, "edgesentry_tls_reload_failures_total",
                        "Times that renewed certificates were not good.",
                        counts->certificate_failures);
}

static void write_http(struct eds_metrics *page, const struct eds_http_server *server)
{
    struct eds_http_counts counts;

    eds_http_server_counts(server, &counts);
    eds_metrics_counter(page, "edgesentry_http_answers_total",
                        "Requests answered, whatever the answer.", counts.answered);
    eds_metrics_gauge(page, "edgesentry_http_connections", "Open connections.", counts.connections);
    eds_metrics_gauge(page, "edgesentry_http_connections_limit",
                      "Open connections past which peers wait.", counts.connection_max);
    eds_metrics_gauge(page, "edgesentry_http_body_bytes", "Memory held by bodies.",
                      counts.body_memory);
    eds_metrics_gauge(page, "edgesentry_http_body_limit_bytes",
                      "Memory of bodies past which the answer is 503.", counts.body_memory_max);
    eds_metrics_gauge(page, "edgesentry_http_paced_connections",
                      "Connections that wait for their source's rate of bytes.", counts.waiting);
    eds_metrics_counter(page, "edgesentry_http_paced_total",
                        "Times that a connection has waited for its source's rate of bytes.",
                        counts.waits);
    eds_metrics_counter(page, "edgesentry_objects_stored_total",
                        "Payloads stored that came before their records.", counts.objects_stored);
    eds_metrics_counter(page, "edgesentry_objects_stored_bytes_total", "Bytes of those.",
                        counts.objects_stored_bytes);
    if (counts.certificate_end_s > 0)
        write_certificate(page, &counts);
}

static void write_metrics(void *context, struct eds_metrics *page)
{
    const struct eds_admin *admin = context;
    const struct eds_service *service = admin->service;

    eds_ingest_metrics_write(page, service->ingest);
    if (service->registry != NULL)
        eds_registry_metrics_write(page, service->registry);
    if (admin->server != NULL)
        write_http(page, admin->server);
    if (service->write_metrics != NULL)
        service->write_metrics(service->watched, page);
    write_build(page, admin);
    write_process(page);
}

static int32_t check_ready(void *context, struct eds_error *err)
{
    const struct eds_service *service = ((const struct eds_admin *)context)->service;
    struct eds_meters_reading meters;

    eds_ingest_meters(service->ingest, &meters);
    for (unsigned i = 0; i < EDS_COMPONENT_COUNT; i++)
        if (meters.failed_ago_ms[i] < FAILED_MS)
            return eds_error_set(err, EDS_ERR_IO, "%s failed %" PRIu64 " ms ago",
                                 eds_component_name((enum eds_component)i),
                                 meters.failed_ago_ms[i]);
    if (meters.lag_ns / NS_PER_MS > FAILED_MS)
        return eds_error_set(err, EDS_ERR_IO, "%s has not committed for %" PRIu64 " ms",
                             service->ledger != NULL ? "audit_ledger" : "buffer",
                             meters.lag_ns / NS_PER_MS);
    if (service->watch != NULL && eds_roster_watch_age_ms(service->watch) > SILENT_MS)
        return eds_error_set(err, EDS_ERR_IO, "the ledger has not answered for %" PRIu64 " ms",
                             eds_roster_watch_age_ms(service->watch));
    if (service->check_ready != NULL)
        return service->check_ready(service->watched, err);
    return EDS_OK;
}

static int32_t write_port(const struct eds_admin *admin, const struct eds_args *args,
                          struct eds_error *err)
{
    const char *path = eds_args_text(args, "admin-port-file");
    char text[16];
    int size;

    if (path == NULL)
        return EDS_OK;
    size = snprintf(text, sizeof text, "%u\n", eds_http_admin_port(admin->listener));
    return eds_output_file(path, EDS_OUTPUT_PUBLIC, text, (size_t)size, err);
}

int32_t eds_admin_open(struct eds_admin *out, const struct eds_args *args,
                       const struct eds_service *service, const struct eds_http_server *server,
                       struct eds_error *err)
{
    struct eds_http_admin_config config = {
        .write_metrics = write_metrics, .check_ready = check_ready, .context = out};
    const char *address = eds_args_text(args, "admin-addr");
    struct eds_error why;
    int32_t rc;

    *out =
        (struct eds_admin){.service = service, .server = server, .started_ms = eds_port_time_ms()};
    if (strcmp(address, OFF) == 0)
        return EDS_OK;
    rc = eds_http_admin_start(&out->listener, address, &config, &why);
    if (rc == EDS_ERR_IO && !eds_args_is_set(args, "admin-addr")) {
        EDS_LOG(EDS_LOG_WARN, "admin_unavailable", EDS_LOG_STRING("error", why.text),
                EDS_LOG_STRING("remedy", "--admin-addr takes another address, or off"));
        return EDS_OK;
    }
    if (rc == EDS_OK)
        rc = write_port(out, args, &why);
    if (rc != EDS_OK)
        return eds_error_set(err, rc, "%s", why.text);
    return EDS_OK;
}

void eds_admin_close(struct eds_admin *admin)
{
    eds_http_admin_stop(admin->listener);
    admin->listener = NULL;
}

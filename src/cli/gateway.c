/* gateway.c - eds audit gateway: take the records of many devices, keep them, send
 * them on. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/features.h"
#include "base/log.h"
#include "cli/admin.h"
#include "cli/buffer_arg.h"
#include "cli/commands.h"
#include "cli/gateway_devices.h"
#include "cli/gateway_upstream.h"
#include "cli/http_front.h"
#include "cli/json_out.h"
#include "cli/say.h"
#include "gateway/buffer_keeper.h"
#include "transport/http_relay.h"
#if EDS_TRANSPORT_TLS
#include "cli/tls_front.h"
#endif
#if EDS_TRANSPORT_MQTT
#include "cli/mqtt_front.h"
#endif

#define OFF         "off"
#define MQTT_PREFIX "mqtt-"

#define RELAY_TIMEOUT_MS 10000u /* of a device's question for commands */

static int32_t check_devices_max(const char *text, struct eds_error *err);

static const struct eds_option options[] = {
    EDS_OPTIONS_HTTP_FRONT("0.0.0.0:8080", eds_admin_check_address,
                           "Address and port where devices send by HTTP; port 0 takes a free one, "
                           "[::] takes IPv4 as well, off for none"),
    EDS_OPTION_PORT_FILE,
#if EDS_TRANSPORT_TLS
    EDS_OPTIONS_TLS_FRONT(false),
#endif
#if EDS_TRANSPORT_MQTT
    EDS_OPTIONS_MQTT_FRONT(MQTT_PREFIX, NULL, "eds-gateway"),
#endif
    EDS_OPTIONS_BUFFER,
    {.name = "devices-max",
     .value = "COUNT",
     .fallback = "10000",
     .check = check_devices_max,
     .help = "Devices whose records are taken, at most 1000000; others have to wait"},
    EDS_OPTIONS_UPSTREAM,
    {.name = "verify-early",
     .help = "Refuse what the server would: another payload hash, no valid signature, an unknown "
             "device; needs --device or --devices-file"},
    {.name = "devices-file",
     .value = "FILE",
     .help = "Devices and keys for --verify-early, as 'eds audit device export' writes them; read "
             "again when it changes"},
    EDS_OPTIONS_SERVICE_DEVICES,
    EDS_OPTIONS_SERVICE_LOG,
    EDS_OPTIONS_ADMIN,
    EDS_OPTION_SERVICE_JSON,
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"Take records of a site's network by HTTP, and send them to a server",
     "eds audit gateway --addr 0.0.0.0:8080 --allowed-sources 192.168.7.0/24 --buffer "
     "/var/lib/edgesentry/gateway.db --url https://ingest.example.com:8443 --client-cert "
     "gateway.crt --client-key gateway.key --gateway-id harbour-3 --tag site=harbour"},
    {"Only from a broker on this machine, and refuse what no known device has signed",
     "eds audit gateway --addr off --mqtt-broker localhost --mqtt-topic 'devices/+/ingest' "
     "--buffer log:/var/lib/edgesentry/gateway.log?size=268435456 --url "
     "https://ingest.example.com:8443 --verify-early --devices-file devices.csv"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "a signal ended the gateway; what still waits is in the buffer"},
    {EDS_EXIT_FAILED, "it could not start; standard error says why"},
    {0, NULL},
};

/* Everything that a gateway stands on, in the order of starting. */
struct gateway {
    const struct eds_args *args;
    struct eds_http_front http;
#if EDS_TRANSPORT_TLS
    struct eds_tls_front tls;
#endif
    struct eds_service service; /* without a ledger */
    struct eds_gateway_devices devices;
    struct eds_buffer *buffer;
    struct eds_buffer_keeper *keeper;
    struct eds_upstream upstream;
#if EDS_TRANSPORT_MQTT
    struct eds_mqtt_subscriber *mqtt;
#endif
    struct eds_http_relay *relay; /* NULL: nobody can ask it for commands */
    struct eds_admin admin;
    struct eds_buffer_keeper_counts kept; /* at the end */
    struct eds_buffer_counts left;
};

static int32_t check_devices_max(const char *text, struct eds_error *err)
{
    int32_t rc = eds_check_u64(text, err);

    if (rc == EDS_OK && strtoull(text, NULL, 10) - 1 >= 1000000)
        rc = eds_error_set(err, EDS_ERR_USAGE, "1 to 1000000 are possible");
    return rc;
}

static bool has_http(const struct eds_args *args)
{
    return strcmp(eds_args_text(args, "addr"), OFF) != 0;
}

static bool has_mqtt(const struct eds_args *args)
{
#if EDS_TRANSPORT_MQTT
    return eds_args_text(args, MQTT_PREFIX "broker") != NULL;
#else
    (void)args;
    return false;
#endif
}

static struct eds_tls *tls_of(struct gateway *gateway)
{
#if EDS_TRANSPORT_TLS
    return gateway->tls.tls;
#else
    (void)gateway;
    return NULL;
#endif
}

/* Which of the options do not go together, in the caller's text; NULL: they do. */
static const char *find_fault(const struct eds_args *args, char text[160])
{
    bool has_devices = eds_args_is_set(args, "device") || eds_args_is_set(args, "devices-file");

    (void)text;
    if (!has_http(args) && !has_mqtt(args))
        return "nobody could send: --addr is off, and there is no broker";
    if (eds_args_is_set(args, "client-cert") != eds_args_is_set(args, "client-key"))
        return "--client-cert and --client-key go together";
    if (eds_args_is_set(args, "password-file") && !eds_args_is_set(args, "user"))
        return "--password-file needs --user";
    if (eds_args_flag(args, "verify-early") && !has_devices)
        return "--verify-early needs --device or --devices-file";
    if (!eds_args_flag(args, "verify-early") && has_devices)
        return "--device and --devices-file are for --verify-early";
#if EDS_TRANSPORT_TLS
    if (eds_args_is_set(args, "tls-cert") != eds_args_is_set(args, "tls-key"))
        return "--tls-cert and --tls-key go together";
    if (!eds_args_is_set(args, "tls-cert") && eds_args_is_set(args, "client-ca"))
        return "--client-ca needs --tls-cert";
    if (eds_tls_front_fault(args) != NULL)
        return eds_tls_front_fault(args);
#endif
#if EDS_TRANSPORT_MQTT
    if (has_mqtt(args))
        return eds_mqtt_front_fault(args, MQTT_PREFIX, text);
#endif
    return NULL;
}

static void reload(void *context, bool asked)
{
    struct gateway *gateway = context;

#if EDS_TRANSPORT_TLS
    if (gateway->tls.tls != NULL)
        eds_tls_front_reload(gateway->tls.tls, asked);
#endif
    eds_gateway_devices_reload(&gateway->devices, asked);
}

static int32_t apply(void *context, const struct eds_args *args, struct eds_error *err)
{
    struct gateway *gateway = context;

    if (gateway->http.server == NULL)
        return EDS_OK;
    return eds_http_front_apply(&gateway->http, args, 0, err);
}

static void write_metrics(void *context, struct eds_metrics *page)
{
    static const char put_off[] = "edgesentry_gateway_put_off_total";
    struct gateway *gateway = context;
    struct eds_buffer_keeper_counts counts;

    eds_buffer_keeper_counts(gateway->keeper, &counts);
    eds_metrics_counter(page, "edgesentry_gateway_repeated_total",
                        "Records that came again although they were kept.", counts.repeated);
    eds_metrics_family(page, put_off, "counter",
                       "Records that have to come again, by what was in their way.");
    eds_metrics_value(page, put_off, "reason", "full", counts.full);
    eds_metrics_value(page, put_off, "reason", "behind", counts.behind);
    eds_metrics_value(page, put_off, "reason", "devices", counts.too_many);
    eds_upstream_metrics(&gateway->upstream, page);
#if EDS_TRANSPORT_MQTT
    if (gateway->mqtt != NULL)
        eds_mqtt_front_write_metrics(gateway->mqtt, page);
#endif
}

/* A server that is away is what a gateway is for: it is ready all the same. */
static int32_t check_ready(void *context, struct eds_error *err)
{
#if EDS_TRANSPORT_MQTT
    const struct gateway *gateway = context;

    if (gateway->mqtt != NULL)
        return eds_mqtt_front_check_ready(gateway->mqtt, err);
#endif
    (void)context;
    (void)err;
    return EDS_OK;
}

static int32_t open_devices(struct gateway *gateway, struct eds_error *err)
{
    const char *path = eds_args_text(gateway->args, "devices-file");
    int32_t rc = EDS_OK;

    if (!eds_args_flag(gateway->args, "verify-early"))
        return EDS_OK;
    rc = eds_service_add_devices(&gateway->service, gateway->args, err);
    if (rc == EDS_OK && path != NULL)
        rc = eds_gateway_devices_open(&gateway->devices, path, gateway->service.registry, err);
    return rc;
}

/* What is refused or in the way of a start, before anything is made. */
static int32_t prepare(struct gateway *gateway, struct eds_error *err)
{
    const struct eds_args *args = gateway->args;
    int32_t rc = eds_http_front_read(&gateway->http, args, err);

    if (rc == EDS_OK)
        rc = open_devices(gateway, err);
    if (rc == EDS_OK)
        rc = eds_upstream_open(&gateway->upstream, args, err);
#if EDS_TRANSPORT_TLS
    if (rc == EDS_OK && eds_args_text(args, "tls-cert") != NULL)
        rc = eds_tls_front_open(&gateway->tls, args, err);
#endif
    if (rc == EDS_OK && has_http(args))
        rc = eds_http_front_listen(&gateway->http, args, tls_of(gateway), err);
    return rc;
}

/* From the buffer up to the server, and from ingest down to the buffer. */
static int32_t open_ways(struct gateway *gateway, struct eds_error *err)
{
    const struct eds_args *args = gateway->args;
    struct eds_buffer_keeper_config keeper = {
        .device_max = (size_t)strtoull(eds_args_text(args, "devices-max"), NULL, 10)};
    struct eds_ingest_config ingest = {.registry = gateway->service.registry};
    int32_t rc = eds_buffer_arg_open(&gateway->buffer, args, err);

    if (rc == EDS_OK) {
        keeper.buffer = gateway->buffer;
        rc = eds_buffer_keeper_create(&gateway->keeper, &keeper, err);
    }
    if (rc == EDS_OK)
        rc = eds_upstream_start(&gateway->upstream, gateway->buffer, args, err);
    if (rc != EDS_OK)
        return rc;
    ingest.keeper = eds_buffer_keeper_of(gateway->keeper);
    gateway->service.rate_per_source = eds_args_text(args, "rate-per-source");
    eds_service_rates(&gateway->service, args, &ingest);
    return eds_ingest_start(&gateway->service.ingest, &ingest, err);
}

/* A broker between the gateway and the server passes no questions on. */
static bool asks_by_http(const struct eds_args *args)
{
    return strncmp(eds_args_text(args, "url"), "http", 4) == 0;
}

/* Whoever brings records may ask for commands, too: they are the server's. */
static int32_t open_relay(struct gateway *gateway, struct eds_error *err)
{
    const struct eds_args *args = gateway->args;
    struct eds_http_asker_config config = {.url = eds_args_text(args, "url"),
                                           .ca_file = eds_args_text(args, "ca-file"),
                                           .cert_file = eds_args_text(args, "client-cert"),
                                           .key_file = eds_args_text(args, "client-key"),
                                           .timeout_ms = RELAY_TIMEOUT_MS};
    int32_t rc = eds_http_relay_open(&gateway->relay, &config, err);

    if (rc == EDS_OK)
        gateway->http.config.desk = eds_http_relay_of(gateway->relay);
    return rc;
}

static int32_t open_fronts(struct gateway *gateway, struct eds_error *err)
{
    const struct eds_args *args = gateway->args;
    int32_t rc = asks_by_http(args) ? open_relay(gateway, err) : EDS_OK;

    gateway->http.config.ingest = gateway->service.ingest;
    gateway->http.config.no_uploads =
        "a gateway takes no payloads before their records: send it with its record, or to the "
        "server";
    if (rc == EDS_OK && has_http(args))
        rc = eds_http_front_start(&gateway->http, err);
#if EDS_TRANSPORT_MQTT
    if (rc == EDS_OK && has_mqtt(args))
        rc = eds_mqtt_front_start(&gateway->mqtt, args, MQTT_PREFIX, gateway->service.ingest,
                                  gateway->relay != NULL ? eds_http_relay_of(gateway->relay) : NULL,
                                  err);
#endif
    if (rc == EDS_OK)
        rc = eds_admin_open(&gateway->admin, args, &gateway->service, gateway->http.server, err);
    if (rc == EDS_OK && has_http(args))
        rc = eds_http_front_write_port(&gateway->http, args, err);
    return rc;
}

/* In the reverse order: first nobody can bring anything any more, then what came is
 * made durable, then what is on its way to the server comes to its end. */
static void close_all(struct gateway *gateway)
{
    eds_admin_close(&gateway->admin);
    eds_http_front_stop(&gateway->http);
#if EDS_TRANSPORT_MQTT
    if (gateway->mqtt != NULL)
        eds_mqtt_subscriber_stop(gateway->mqtt, NULL);
#endif
    eds_http_relay_close(gateway->relay);
    eds_service_close(&gateway->service);
    eds_upstream_stop(&gateway->upstream);
    if (gateway->keeper != NULL)
        eds_buffer_keeper_counts(gateway->keeper, &gateway->kept);
    if (gateway->buffer != NULL)
        eds_buffer_counts(gateway->buffer, &gateway->left);
    eds_buffer_keeper_free(gateway->keeper);
    eds_buffer_close(gateway->buffer);
    eds_gateway_devices_close(&gateway->devices);
#if EDS_TRANSPORT_TLS
    eds_tls_front_close(&gateway->tls);
#endif
}

static void summarize(const struct gateway *gateway)
{
    const struct eds_forwarder_counts *sent = &gateway->upstream.counts;
    const struct eds_ingest_counts *counts = &gateway->service.counts;
    uint64_t forwarded = sent->accepted + sent->duplicates;
    struct eds_json_out json;

    if (!eds_args_flag(gateway->args, "json")) {
        printf("GATEWAY_COMPLETE: kept=%" PRIu64 " rejected=%" PRIu64 " forwarded=%" PRIu64
               " refused=%" PRIu64 " waiting=%" PRIu64 " dead=%" PRIu64 "\n",
               gateway->kept.kept, counts->rejected, forwarded, sent->buried, gateway->left.waiting,
               gateway->left.dead);
        return;
    }
    eds_out_begin(&json);
    eds_out_u64(&json, "kept", gateway->kept.kept);
    eds_out_u64(&json, "repeated", gateway->kept.repeated);
    eds_out_u64(&json, "rejected", counts->rejected);
    eds_out_u64(&json, "store_failed", counts->store_failed);
    eds_out_u64(&json, "overloaded", counts->overloaded);
    eds_out_u64(&json, "rate_limited", counts->rate_limited);
    eds_out_u64(&json, "forwarded", forwarded);
    eds_out_u64(&json, "refused", sent->buried);
    eds_out_u64(&json, "waiting", gateway->left.waiting);
    eds_out_u64(&json, "dead", gateway->left.dead);
    eds_out_end(&json);
}

static int run(const struct eds_args *args)
{
    struct gateway gateway = {.args = args};
    char fault_text[160];
    const char *fault = find_fault(args, fault_text);
    struct eds_error err;
    sigset_t ending;
    int32_t rc;

    if (fault != NULL)
        return eds_args_usage(args, "%s", fault);
    gateway.service = (struct eds_service){.args = args,
                                           .reload = reload,
                                           .reload_context = &gateway,
                                           .apply = apply,
                                           .apply_context = &gateway,
                                           .write_metrics = write_metrics,
                                           .check_ready = check_ready,
                                           .watched = &gateway};
    eds_service_begin(args, &ending); /* before any thread, so that all of them block signals */
    rc = prepare(&gateway, &err);
    if (rc == EDS_OK)
        rc = open_ways(&gateway, &err);
    if (rc == EDS_OK)
        rc = open_fronts(&gateway, &err);
    if (rc == EDS_OK)
        eds_service_await(&gateway.service, &ending);
    close_all(&gateway);
    if (rc != EDS_OK)
        return eds_say_error(args, "", &err);
    summarize(&gateway);
    return EDS_EXIT_OK;
}

const struct eds_command eds_command_gateway = {
    .name = "gateway",
    .summary = "Take records of a site's devices, keep them, and send them on",
    .description =
        "Stands between devices and the server: takes records by HTTP (as 'eds audit serve') or "
        "from an MQTT broker (as 'eds audit serve-mqtt'), and answers 202 once they are in the "
        "buffer and outlive a power cut. From there it sends them to the server, those of one "
        "device in their order, and never alters one. Where the server is away it is asked again "
        "later, and the buffer holds what comes meanwhile; what the server refuses is kept as a "
        "dead letter with the reason. Devices that ask for commands over HTTP are given the "
        "server's.\n\nThe server has to let the gateway's certificate speak for "
        "its devices: 'eds audit serve-tls --gateway'. Without --verify-early whatever has the "
        "form "
        "of a record is taken, and the server decides.\n\nSIGTERM or SIGINT: takes nothing new and "
        "ends; what waits is sent by the next one. SIGHUP: reads the configuration files again, as "
        "'eds audit serve'.",
    .options = options,
    .reads_config = true,
    .examples = examples,
    .exits = exits,
    .run = run,
};

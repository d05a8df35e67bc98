/* serve_mqtt.c - eds audit serve-mqtt: take records from an MQTT broker. */
#include "base/features.h"
#if EDS_TRANSPORT_HTTP
#include "cli/admin.h"
#endif
#include "cli/command_service.h"
#include "cli/commands.h"
#include "cli/mqtt_front.h"
#include "cli/say.h"
#include "cli/service.h"

#define NO_PREFIX ""

static const struct eds_option options[] = {
    EDS_OPTIONS_MQTT_FRONT(NO_PREFIX, "localhost", "eds-server"),
    EDS_OPTIONS_SERVICE_DEVICES,
    EDS_OPTION_DATA_DIR,
    EDS_OPTION_STORE,
    EDS_OPTION_OBJECTS,
    EDS_OPTION_COMMAND_KEY,
    EDS_OPTIONS_SERVICE_LOG,
#if EDS_TRANSPORT_HTTP
    EDS_OPTIONS_ADMIN,
#endif
    EDS_OPTION_SERVICE_JSON,
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"Take the records of one lift from a broker on this machine; they go to ./edgesentry-data",
     "eds audit serve-mqtt --device "
     "lift-01=8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"},
    {"Over TLS, from every site, with a user name",
     "eds audit serve-mqtt --broker broker.example.com --port 8883 --tls-ca-cert ca.crt --user "
     "edgesentry --password-file mqtt.password --topic sites/+/ingest --device "
     "lift-01=8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "a signal ended the server, and all that it took is kept"},
    {EDS_EXIT_FAILED, "it could not start; standard error says why"},
    {0, NULL},
};

/* Everything that a server stands on, in the order of starting. */
struct mqtt_service {
    struct eds_service common;
    struct eds_ledger_desk *desk; /* NULL: no commands are given */
    struct eds_mqtt_subscriber *subscriber;
};

static int32_t start(struct mqtt_service *mqtt, const struct eds_args *args, struct eds_error *err)
{
    struct eds_service *service = &mqtt->common;
    int32_t rc = eds_service_add_devices(service, args, err);

    if (rc == EDS_OK)
        rc = eds_service_open(service, args, err);
    if (rc == EDS_OK)
        rc = eds_command_service_open(&mqtt->desk, args, err);
    if (rc == EDS_OK)
        rc = eds_mqtt_front_start(&mqtt->subscriber, args, NO_PREFIX, service->ingest,
                                  mqtt->desk != NULL ? eds_ledger_desk_of(mqtt->desk) : NULL, err);
    return rc;
}

static int32_t apply(void *context, const struct eds_args *args, struct eds_error *err)
{
    return eds_command_service_reload(((struct mqtt_service *)context)->desk, args, err);
}

static int run(const struct eds_args *args)
{
    struct mqtt_service mqtt = {.common = {.apply = apply, .apply_context = &mqtt}};
    struct eds_service *service = &mqtt.common;
#if EDS_TRANSPORT_HTTP
    struct eds_admin admin = {.listener = NULL};
#endif
    char fault[160];
    struct eds_error err;
    sigset_t ending;
    int32_t rc;

    if (eds_mqtt_front_fault(args, NO_PREFIX, fault) != NULL)
        return eds_args_usage(args, "%s", fault);
    eds_service_begin(args, &ending);
    rc = start(&mqtt, args, &err);
#if EDS_TRANSPORT_HTTP
    service->write_metrics = eds_mqtt_front_write_metrics;
    service->check_ready = eds_mqtt_front_check_ready;
    service->watched = mqtt.subscriber;
    if (rc == EDS_OK)
        rc = eds_admin_open(&admin, args, service, NULL, &err);
#endif
    if (rc == EDS_OK)
        eds_service_await(service, &ending);
#if EDS_TRANSPORT_HTTP
    eds_admin_close(&admin);
#endif
    if (mqtt.subscriber != NULL)
        eds_mqtt_subscriber_stop(mqtt.subscriber, NULL);
    eds_ledger_desk_close(mqtt.desk);
    eds_service_close(service);
    if (rc != EDS_OK)
        return eds_say_error(args, "", &err);
    eds_service_summarize(service, args);
    return EDS_EXIT_OK;
}

const struct eds_command eds_command_serve_mqtt = {
    .name = "serve-mqtt",
    .summary = "Start the MQTT ingest subscriber",
    .description =
        "Takes records from the messages on a topic, checks them, and publishes the answer on the "
        "message's own topic and '/response' once they are on the disk; only then is a message "
        "acknowledged to the broker. A broker that goes away is waited for.\n\nSIGTERM or SIGINT: "
        "takes nothing new, answers what it took, and ends; a second signal ends it at once. The "
        "broker keeps what comes meanwhile (--session-expiry).",
    .options = options,
    .reads_config = true,
    .examples = examples,
    .exits = exits,
    .run = run,
};

/* serve_mqtt.c - eds audit serve-mqtt: take records from an MQTT broker. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/features.h"
#include "base/wipe.h"
#if EDS_TRANSPORT_HTTP
#include "cli/admin.h"
#endif
#include "cli/commands.h"
#include "cli/file.h"
#include "cli/objects_arg.h"
#include "cli/say.h"
#include "cli/service.h"
#include "transport/mqtt_subscriber.h"

#define PASSWORD_SIZE 4096u /* bytes, line end and NUL included */

static const char *const versions[] = {"5", "3.1.1", NULL}; /* as enum eds_mqtt_version */

static int32_t check_range(const char *text, uint64_t low, uint64_t high, struct eds_error *err)
{
    char *end;
    uint64_t number;
    int32_t rc = eds_check_u64(text, err);

    if (rc != EDS_OK)
        return rc;
    number = strtoull(text, &end, 10);
    if (number < low || number > high)
        return eds_error_set(err, EDS_ERR_USAGE, "%s is not in %" PRIu64 "..=%" PRIu64, text, low,
                             high);
    return EDS_OK;
}

static int32_t check_port(const char *text, struct eds_error *err)
{
    return check_range(text, 1, UINT16_MAX, err);
}

static int32_t check_seconds(const char *text, struct eds_error *err)
{
    return check_range(text, 0, UINT32_MAX, err);
}

static int32_t check_message_size(const char *text, struct eds_error *err)
{
    return check_range(text, 1, (256u << 20) - 1, err);
}

static int32_t check_inflight(const char *text, struct eds_error *err)
{
    return check_range(text, 1, 4096, err);
}

static const struct eds_option options[] = {
    {.name = "broker",
     .value = "BROKER",
     .fallback = "localhost",
     .help = "The broker's host name or address"},
    {.name = "port",
     .value = "PORT",
     .fallback = "1883",
     .check = check_port,
     .help = "The broker's port; brokers have TLS on 8883"},
    {.name = "topic",
     .value = "TOPIC",
     .fallback = "edgesentry/ingest",
     .check = eds_mqtt_check_topic,
     .help = "Where records come: a topic, with + and # for many, or $share/NAME/TOPIC to share "
             "them with other servers"},
    {.name = "client-id",
     .value = "CLIENT_ID",
     .fallback = "eds-server",
     .help = "The name of this server's session at the broker; no two clients may have the same"},
    EDS_OPTIONS_SERVICE_DEVICES,
    {.name = "mqtt-version",
     .value = "VERSION",
     .fallback = "5",
     .choices = versions,
     .help = "The protocol; 3.1.1 for brokers that do not know 5"},
    {.name = "session-expiry",
     .value = "SECONDS",
     .fallback = "604800",
     .check = check_seconds,
     .help = "How long the broker keeps messages for this server while it is away; 0: not at all "
             "(with 3.1.1 the broker decides, unless it is 0)"},
    {.name = "inflight",
     .value = "COUNT",
     .fallback = "1024",
     .check = check_inflight,
     .help = "Most messages that the broker may send before they are acknowledged (with 3.1.1 the "
             "broker decides)"},
    {.name = "message-size-max",
     .value = "BYTES",
     .fallback = "2097152",
     .check = check_message_size,
     .help = "Longer messages are dropped"},
    {.name = "user", .value = "USER", .help = "User name for the broker"},
    {.name = "password-file",
     .value = "FILE",
     .help = "File with the user's password on its first line"},
    {.name = "tls-ca-cert",
     .value = "TLS_CA_CERT",
     .help = "Speak TLS; this file, PEM, has the certificates that may vouch for the broker"},
    {.name = "tls", .help = "Speak TLS; the system's certificates may vouch for the broker"},
    {.name = "tls-cert",
     .value = "TLS_CERT",
     .help = "This server's own certificate for the broker, as PEM; needs --tls-key"},
    {.name = "tls-key", .value = "TLS_KEY", .help = "Its private key, as PEM, not encrypted"},
    EDS_OPTION_DATA_DIR,
    EDS_OPTION_STORE,
    EDS_OPTION_OBJECTS,
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

/* Reads the first line of the file; the caller wipes it. */
static int32_t read_password(char password[PASSWORD_SIZE], const char *path, struct eds_error *err)
{
    size_t size;
    int32_t rc = eds_file_read_fixed(path, password, PASSWORD_SIZE - 1, &size, err);

    if (rc != EDS_OK)
        return rc;
    eds_warn_if_readable(path);
    password[size] = '\0';
    password[strcspn(password, "\r\n")] = '\0';
    return EDS_OK;
}

/* The value of an option that has a range, and is in it. */
static uint64_t number_of(const struct eds_args *args, const char *name)
{
    return strtoull(eds_args_text(args, name), NULL, 10);
}

static int32_t start(struct eds_service *service, struct eds_mqtt_subscriber **subscriber,
                     const struct eds_args *args, const char *password, struct eds_error *err)
{
    struct eds_mqtt_config mqtt = {
        .broker = eds_args_text(args, "broker"),
        .port = (unsigned)number_of(args, "port"),
        .topic = eds_args_text(args, "topic"),
        .client_id = eds_args_text(args, "client-id"),
        .version = strcmp(eds_args_text(args, "mqtt-version"), versions[EDS_MQTT_5]) == 0
                       ? EDS_MQTT_5
                       : EDS_MQTT_3_1_1,
        .user = eds_args_text(args, "user"),
        .password = password,
        .has_tls = eds_args_flag(args, "tls") || eds_args_is_set(args, "tls-ca-cert"),
        .ca_file = eds_args_text(args, "tls-ca-cert"),
        .cert_file = eds_args_text(args, "tls-cert"),
        .key_file = eds_args_text(args, "tls-key"),
        .session_expiry_s = (uint32_t)number_of(args, "session-expiry"),
        .inflight_max = (unsigned)number_of(args, "inflight"),
        .message_size_max = (size_t)number_of(args, "message-size-max"),
    };
    struct eds_error why;
    int32_t rc = eds_service_add_devices(service, args, err);

    if (rc == EDS_OK)
        rc = eds_service_open(service, args, err);
    if (rc != EDS_OK)
        return rc;
    if (mqtt.key_file != NULL)
        eds_warn_if_readable(mqtt.key_file);
    mqtt.ingest = service->ingest;
    rc = eds_mqtt_subscriber_start(subscriber, &mqtt, &why);
    if (rc != EDS_OK)
        return eds_error_set(err, rc, "mqtt server error: %s", why.text);
    return EDS_OK;
}

static int serve(const struct eds_args *args, const char *password)
{
    struct eds_service service = {.registry = NULL};
    struct eds_mqtt_subscriber *subscriber = NULL;
#if EDS_TRANSPORT_HTTP
    struct eds_admin admin = {.listener = NULL};
#endif
    struct eds_error err;
    sigset_t ending;
    int32_t rc;

    eds_service_begin(args, &ending);
    rc = start(&service, &subscriber, args, password, &err);
#if EDS_TRANSPORT_HTTP
    if (rc == EDS_OK)
        rc = eds_admin_open(&admin, args, &service, NULL, &err);
#endif
    if (rc == EDS_OK)
        eds_service_await(&service, &ending);
#if EDS_TRANSPORT_HTTP
    eds_admin_close(&admin);
#endif
    if (subscriber != NULL)
        eds_mqtt_subscriber_stop(subscriber, NULL);
    eds_service_close(&service);
    if (rc != EDS_OK)
        return eds_say_error(args, "", &err);
    eds_service_summarize(&service, args);
    return EDS_EXIT_OK;
}

static int run(const struct eds_args *args)
{
    const char *path = eds_args_text(args, "password-file");
    char password[PASSWORD_SIZE];
    struct eds_error err;
    int code;

    if (eds_args_is_set(args, "tls-cert") != eds_args_is_set(args, "tls-key"))
        return eds_args_usage(args, "--tls-cert and --tls-key go together");
    if (eds_args_is_set(args, "tls-cert") && !eds_args_flag(args, "tls") &&
        !eds_args_is_set(args, "tls-ca-cert"))
        return eds_args_usage(args, "--tls-cert needs --tls-ca-cert or --tls");
    if (path != NULL && !eds_args_is_set(args, "user"))
        return eds_args_usage(args, "--password-file needs --user");
    if (path != NULL && read_password(password, path, &err) != EDS_OK)
        code = eds_say_error(args, "", &err);
    else
        code = serve(args, path != NULL ? password : NULL);
    eds_wipe(password, sizeof password);
    return code;
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

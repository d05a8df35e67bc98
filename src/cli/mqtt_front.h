/* mqtt_front.h - the MQTT side of whatever takes records: serve-mqtt and gateway. */
#ifndef EDS_CLI_MQTT_FRONT_H
#define EDS_CLI_MQTT_FRONT_H

#include "cli/args.h"
#include "transport/metrics.h"
#include "transport/mqtt_subscriber.h"

extern const char *const eds_mqtt_front_versions[]; /* as enum eds_mqtt_version */

/* The checks of the options below. */
int32_t eds_mqtt_front_check_port(const char *text, struct eds_error *err);
int32_t eds_mqtt_front_check_seconds(const char *text, struct eds_error *err);
int32_t eds_mqtt_front_check_message_size(const char *text, struct eds_error *err);
int32_t eds_mqtt_front_check_inflight(const char *text, struct eds_error *err);

/* The options, for a command's table: their names begin with prefix (a literal), but
 * for mqtt-version, which is called so in any case. */
#define EDS_OPTIONS_MQTT_FRONT(prefix, default_broker, default_client)                             \
    {.name = prefix "broker",                                                                      \
     .value = "BROKER",                                                                            \
     .fallback = (default_broker),                                                                 \
     .help = "The broker's host name or address"},                                                 \
        {.name = prefix "port",                                                                    \
         .value = "PORT",                                                                          \
         .fallback = "1883",                                                                       \
         .check = eds_mqtt_front_check_port,                                                       \
         .help = "The broker's port; brokers have TLS on 8883"},                                   \
        {.name = prefix "topic",                                                                   \
         .value = "TOPIC",                                                                         \
         .fallback = "edgesentry/ingest",                                                          \
         .check = eds_mqtt_check_topic,                                                            \
         .help =                                                                                   \
             "Where records come: a topic, with + and # for many, or $share/NAME/TOPIC to share "  \
             "them with other servers"},                                                           \
        {.name = prefix "client-id",                                                               \
         .value = "CLIENT_ID",                                                                     \
         .fallback = (default_client),                                                             \
         .help =                                                                                   \
             "The name of this server's session at the broker; no two clients may have the same"}, \
        {.name = "mqtt-version",                                                                   \
         .value = "VERSION",                                                                       \
         .fallback = "5",                                                                          \
         .choices = eds_mqtt_front_versions,                                                       \
         .help = "The protocol; 3.1.1 for brokers that do not know 5"},                            \
        {.name = prefix "session-expiry",                                                          \
         .value = "SECONDS",                                                                       \
         .fallback = "604800",                                                                     \
         .check = eds_mqtt_front_check_seconds,                                                    \
         .help =                                                                                   \
             "How long the broker keeps messages for this server while it is away; 0: not at all " \
             "(with 3.1.1 the broker decides, unless it is 0)"},                                   \
        {.name = prefix "inflight",                                                                \
         .value = "COUNT",                                                                         \
         .fallback = "1024",                                                                       \
         .check = eds_mqtt_front_check_inflight,                                                   \
         .help = "Most messages that the broker may send before they are acknowledged (with "      \
                 "3.1.1 the broker decides)"},                                                     \
        {.name = prefix "message-size-max",                                                        \
         .value = "BYTES",                                                                         \
         .fallback = "2097152",                                                                    \
         .check = eds_mqtt_front_check_message_size,                                               \
         .help = "Longer messages are dropped"},                                                   \
        {.name = prefix "user", .value = "USER", .help = "User name for the broker"},              \
        {.name = prefix "password-file",                                                           \
         .value = "FILE",                                                                          \
         .help = "File with the user's password on its first line"},                               \
        {.name = prefix "tls-ca-cert",                                                             \
         .value = "TLS_CA_CERT",                                                                   \
         .help = "Speak TLS; this file, PEM, has the certificates that may vouch for the broker"}, \
        {.name = prefix "tls",                                                                     \
         .help = "Speak TLS; the system's certificates may vouch for the broker"},                 \
        {.name = prefix "tls-cert",                                                                \
         .value = "TLS_CERT",                                                                      \
         .help =                                                                                   \
             "This server's own certificate for the broker, as PEM; needs --" prefix "tls-key"},   \
    {                                                                                              \
        .name = prefix "tls-key", .value = "TLS_KEY",                                              \
        .help = "Its private key, as PEM, not encrypted"                                           \
    }

/* eds_mqtt_front_fault says which of the options do not go together, in the
 * caller's text; NULL: they do. */
const char *eds_mqtt_front_fault(const struct eds_args *args, const char *prefix, char text[160]);

/* eds_mqtt_front_start begins to take records from the broker that the options name, and
 * devices' questions for commands if there is a desk for them (else NULL).
 * Errors of eds_mqtt_subscriber_start, and those of reading the password. */
int32_t eds_mqtt_front_start(struct eds_mqtt_subscriber **out, const struct eds_args *args,
                             const char *prefix, struct eds_ingest *ingest,
                             struct eds_command_desk *desk, struct eds_error *err);

/* For the admin listener: what eds_service wants of a front.  A subscriber that has not
 * been at a broker yet, or for three seconds, is not ready. */
void eds_mqtt_front_write_metrics(void *subscriber, struct eds_metrics *page);
int32_t eds_mqtt_front_check_ready(void *subscriber, struct eds_error *err);

#endif

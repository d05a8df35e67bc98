/* mqtt_front.c - see mqtt_front.h. */
#include "cli/mqtt_front.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/wipe.h"
#include "cli/mqtt_password.h"
#include "cli/say.h"
#include "transport/mqtt_metrics.h"

#define NAME_SIZE 32u   /* of an option, prefix and NUL included */
#define AWAY_MS   3000u /* from the broker, before this server is not ready */

const char *const eds_mqtt_front_versions[] = {"5", "3.1.1", NULL}; /* as enum eds_mqtt_version */

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

int32_t eds_mqtt_front_check_port(const char *text, struct eds_error *err)
{
    return check_range(text, 1, UINT16_MAX, err);
}

int32_t eds_mqtt_front_check_seconds(const char *text, struct eds_error *err)
{
    return check_range(text, 0, UINT32_MAX, err);
}

int32_t eds_mqtt_front_check_message_size(const char *text, struct eds_error *err)
{
    return check_range(text, 1, (256u << 20) - 1, err);
}

int32_t eds_mqtt_front_check_inflight(const char *text, struct eds_error *err)
{
    return check_range(text, 1, 4096, err);
}

/* The name of an option with its prefix. */
static const char *name_of(char out[NAME_SIZE], const char *prefix, const char *name)
{
    int size = snprintf(out, NAME_SIZE, "%s%s", prefix, name);

    assert(size > 0 && (unsigned)size < NAME_SIZE);
    (void)size;
    return out;
}

static const char *text_of(const struct eds_args *args, const char *prefix, const char *name)
{
    char full[NAME_SIZE];

    return eds_args_text(args, name_of(full, prefix, name));
}

static bool is_set(const struct eds_args *args, const char *prefix, const char *name)
{
    char full[NAME_SIZE];

    return eds_args_is_set(args, name_of(full, prefix, name));
}

/* The value of an option that has a range, and is in it. */
static uint64_t number_of(const struct eds_args *args, const char *prefix, const char *name)
{
    return strtoull(text_of(args, prefix, name), NULL, 10);
}

static bool has_tls(const struct eds_args *args, const char *prefix)
{
    char full[NAME_SIZE];

    return eds_args_flag(args, name_of(full, prefix, "tls")) || is_set(args, prefix, "tls-ca-cert");
}

const char *eds_mqtt_front_fault(const struct eds_args *args, const char *prefix, char text[160])
{
    text[0] = '\0';
    if (is_set(args, prefix, "tls-cert") != is_set(args, prefix, "tls-key"))
        snprintf(text, 160, "--%stls-cert and --%stls-key go together", prefix, prefix);
    else if (is_set(args, prefix, "tls-cert") && !has_tls(args, prefix))
        snprintf(text, 160, "--%stls-cert needs --%stls-ca-cert or --%stls", prefix, prefix,
                 prefix);
    else if (text_of(args, prefix, "password-file") != NULL && !is_set(args, prefix, "user"))
        snprintf(text, 160, "--%spassword-file needs --%suser", prefix, prefix);
    return text[0] != '\0' ? text : NULL;
}

int32_t eds_mqtt_front_start(struct eds_mqtt_subscriber **out, const struct eds_args *args,
                             const char *prefix, struct eds_ingest *ingest,
                             struct eds_command_desk *desk, struct eds_error *err)
{
    const char *version = eds_args_text(args, "mqtt-version");
    const char *path = text_of(args, prefix, "password-file");
    char password[EDS_MQTT_PASSWORD_SIZE];
    struct eds_mqtt_config mqtt = {
        .ingest = ingest,
        .desk = desk,
        .broker = {.host = text_of(args, prefix, "broker"),
                   .port = (unsigned)number_of(args, prefix, "port"),
                   .client_id = text_of(args, prefix, "client-id"),
                   .user = text_of(args, prefix, "user"),
                   .password = path != NULL ? password : NULL,
                   .has_tls = has_tls(args, prefix),
                   .ca_file = text_of(args, prefix, "tls-ca-cert"),
                   .cert_file = text_of(args, prefix, "tls-cert"),
                   .key_file = text_of(args, prefix, "tls-key")},
        .topic = text_of(args, prefix, "topic"),
        .version =
            strcmp(version, eds_mqtt_front_versions[EDS_MQTT_5]) == 0 ? EDS_MQTT_5 : EDS_MQTT_3_1_1,
        .session_expiry_s = (uint32_t)number_of(args, prefix, "session-expiry"),
        .inflight_max = (unsigned)number_of(args, prefix, "inflight"),
        .message_size_max = (size_t)number_of(args, prefix, "message-size-max"),
    };
    struct eds_error why;
    int32_t rc = EDS_OK;

    if (path != NULL)
        rc = eds_mqtt_password_read(password, path, err);
    if (rc == EDS_OK) {
        if (mqtt.broker.key_file != NULL)
            eds_warn_if_readable(mqtt.broker.key_file);
        rc = eds_mqtt_subscriber_start(out, &mqtt, &why);
        if (rc != EDS_OK)
            eds_error_set(err, rc, "mqtt server error: %s", why.text);
    }
    eds_wipe(password, sizeof password);
    return rc;
}

void eds_mqtt_front_write_metrics(void *subscriber, struct eds_metrics *page)
{
    eds_mqtt_metrics_write(page, subscriber);
}

int32_t eds_mqtt_front_check_ready(void *subscriber, struct eds_error *err)
{
    struct eds_mqtt_counts counts;

    eds_mqtt_subscriber_counts(subscriber, &counts);
    if (counts.is_subscribed || (counts.connections > 0 && counts.away_ms < AWAY_MS))
        return EDS_OK;
    return eds_error_set(err, EDS_ERR_IO, "no subscription at the broker for %" PRIu64 " ms",
                         counts.away_ms);
}

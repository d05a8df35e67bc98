/* order_asker.c - see order_asker.h. */
#include "cli/order_asker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/features.h"
#include "base/wipe.h"
#include "cli/sender.h"
#include "transport/http_asker.h"
#if EDS_TRANSPORT_MQTT
#include "cli/mqtt_password.h"
#include "cli/mqtt_url.h"
#include "transport/mqtt_asker.h"
#endif

#define CLIENT_ID_SIZE 128u

struct eds_order_asker {
    const char *device_id;
    struct eds_http_asker *http;
#if EDS_TRANSPORT_MQTT
    struct eds_mqtt_asker *mqtt; /* this, or http */
    struct eds_mqtt_url url;
    char client_id[CLIENT_ID_SIZE], password[EDS_MQTT_PASSWORD_SIZE];
#endif
};

static int32_t open_http(struct eds_order_asker *asker, const struct eds_order_asker_config *config,
                         struct eds_error *err)
{
    struct eds_http_asker_config http = {.url = config->url,
                                         .ca_file = config->ca_file,
                                         .cert_file = config->cert_file,
                                         .key_file = config->key_file,
                                         .timeout_ms = config->timeout_ms};

    return eds_http_asker_open(&asker->http, &http, err);
}

#if EDS_TRANSPORT_MQTT
/* At the broker it is a client of its own: records must not wait for commands. */
static int32_t open_mqtt(struct eds_order_asker *asker, const struct eds_order_asker_config *config,
                         struct eds_error *err)
{
    struct eds_mqtt_asker_config mqtt = {
        .broker = {.client_id = asker->client_id,
                   .user = config->user,
                   .password = config->password_file != NULL ? asker->password : NULL,
                   .ca_file = config->ca_file,
                   .cert_file = config->cert_file,
                   .key_file = config->key_file != NULL ? config->key_file : config->cert_file},
        .device_id = config->device_id,
        .answer_ms = config->timeout_ms};
    bool has_certificates = config->ca_file != NULL || config->cert_file != NULL;
    int32_t rc = eds_mqtt_url_read(&asker->url, config->url, has_certificates, err);

    snprintf(asker->client_id, sizeof asker->client_id, "%s-command", config->client_id);
    if (rc == EDS_OK && config->password_file != NULL)
        rc = eds_mqtt_password_read(asker->password, config->password_file, err);
    mqtt.broker.host = asker->url.host;
    mqtt.broker.port = asker->url.port;
    mqtt.topic = asker->url.topic;
    mqtt.broker.has_tls = asker->url.has_tls;
    return rc == EDS_OK ? eds_mqtt_asker_open(&asker->mqtt, &mqtt, err) : rc;
}
#else
static int32_t open_mqtt(struct eds_order_asker *asker, const struct eds_order_asker_config *config,
                         struct eds_error *err)
{
    (void)asker;
    (void)config;
    return eds_error_set(err, EDS_ERR_UNSUPPORTED, "this build has no MQTT");
}
#endif

int32_t eds_order_asker_open(struct eds_order_asker **out,
                             const struct eds_order_asker_config *config, struct eds_error *err)
{
    struct eds_order_asker *asker = calloc(1, sizeof *asker);
    int32_t rc;

    if (asker == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for commands");
    asker->device_id = config->device_id;
    rc = eds_sender_is_mqtt(config->url) ? open_mqtt(asker, config, err)
                                         : open_http(asker, config, err);
    if (rc != EDS_OK)
        eds_order_asker_close(asker);
    else
        *out = asker;
    return rc;
}

void eds_order_asker_close(struct eds_order_asker *asker)
{
    if (asker == NULL)
        return;
    eds_http_asker_close(asker->http);
#if EDS_TRANSPORT_MQTT
    eds_mqtt_asker_close(asker->mqtt);
    eds_wipe(asker->password, sizeof asker->password);
#endif
    free(asker);
}

bool eds_order_asker_waits(const struct eds_order_asker *asker)
{
    return asker->http == NULL;
}

int32_t eds_order_asker_ask(struct eds_order_asker *asker, const uint8_t nonce[EDS_NONCE_SIZE],
                            unsigned wait_ms, const int *wake_fds, size_t wake_count,
                            struct eds_signed_order *out, struct eds_error *err)
{
#if EDS_TRANSPORT_MQTT
    if (asker->mqtt != NULL)
        return eds_mqtt_asker_ask(asker->mqtt, nonce, wait_ms, wake_fds, wake_count, out, err);
#endif
    (void)wait_ms;
    (void)wake_fds;
    (void)wake_count;
    return eds_http_asker_ask(asker->http, asker->device_id, nonce, out, err);
}

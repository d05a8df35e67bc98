/* mqtt_options.c - libmosquitto's handle, set up as the configuration says. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "transport/mqtt_link.h"

#define SYSTEM_CA_PATH "/etc/ssl/certs"
#define TOPIC_OVERHEAD (2u * EDS_MQTT_TOPIC_SIZE) /* bytes around a message: topics, properties */

/* A key with a passphrase would make OpenSSL ask for it on the terminal. */
static int no_passphrase(char *text, int size, int writing, void *context)
{
    (void)writing;
    (void)context;
    if (size > 0)
        text[0] = '\0';
    return 0;
}

static int32_t check_readable(const char *path, struct eds_error *err)
{
    if (path == NULL || access(path, R_OK) == 0)
        return EDS_OK;
    return eds_error_set(err, EDS_ERR_IO, "cannot read %s: %s", path, strerror(errno));
}

static int32_t set_tls(struct eds_mqtt_subscriber *subscriber, struct eds_error *err)
{
    const struct eds_mqtt_config *config = &subscriber->config;
    int32_t rc = check_readable(config->ca_file, err);
    int code;

    if (rc == EDS_OK)
        rc = check_readable(config->cert_file, err);
    if (rc == EDS_OK)
        rc = check_readable(config->key_file, err);
    if (rc != EDS_OK)
        return rc;
    code = mosquitto_tls_set(subscriber->mosquitto, config->ca_file,
                             config->ca_file == NULL ? SYSTEM_CA_PATH : NULL, config->cert_file,
                             config->key_file, no_passphrase);
    if (code == MOSQ_ERR_SUCCESS) /* 1: the broker must show a certificate that is vouched for */
        code = mosquitto_tls_opts_set(subscriber->mosquitto, 1, "tlsv1.2", NULL);
    if (code != MOSQ_ERR_SUCCESS)
        return eds_error_set(err, EDS_ERR_IO, "TLS cannot be set up: %s", mosquitto_strerror(code));
    return EDS_OK;
}

/* Returns one of libmosquitto's codes. */
static int set_options(struct eds_mqtt_subscriber *subscriber)
{
    const struct eds_mqtt_config *config = &subscriber->config;
    struct mosquitto *mosquitto = subscriber->mosquitto;
    mosquitto_property **properties = &subscriber->connect_properties;
    bool is_5 = config->version == EDS_MQTT_5;
    int rc = mosquitto_threaded_set(mosquitto, true);

    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_int_option(mosquitto, MOSQ_OPT_PROTOCOL_VERSION,
                                  is_5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_int_option(mosquitto, MOSQ_OPT_TCP_NODELAY, 1);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_int_option(mosquitto, MOSQ_OPT_SEND_MAXIMUM, UINT16_MAX);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_int_option(mosquitto, MOSQ_OPT_RECEIVE_MAXIMUM, (int)config->inflight_max);
    if (rc == MOSQ_ERR_SUCCESS && config->user != NULL)
        rc = mosquitto_username_pw_set(mosquitto, config->user, config->password);
    if (rc == MOSQ_ERR_SUCCESS && is_5)
        rc = mosquitto_property_add_int32(properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL,
                                          config->session_expiry_s);
    if (rc == MOSQ_ERR_SUCCESS && is_5)
        rc = mosquitto_property_add_int32(properties, MQTT_PROP_MAXIMUM_PACKET_SIZE,
                                          (uint32_t)config->message_size_max + TOPIC_OVERHEAD);
    return rc;
}

int32_t mqtt_link_open(struct eds_mqtt_subscriber *subscriber, struct eds_error *err)
{
    const struct eds_mqtt_config *config = &subscriber->config;
    struct mosquitto *mosquitto;
    int rc;

    mosquitto = mosquitto_new(config->client_id, config->session_expiry_s == 0, subscriber);
    if (mosquitto == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for the MQTT client");
    subscriber->mosquitto = mosquitto;
    rc = set_options(subscriber);
    if (rc != MOSQ_ERR_SUCCESS)
        return eds_error_set(err, rc == MOSQ_ERR_NOMEM ? EDS_ERR_NO_MEMORY : EDS_ERR_USAGE,
                             "the MQTT client cannot be set up: %s", mosquitto_strerror(rc));
    mosquitto_connect_v5_callback_set(mosquitto, mqtt_link_connected);
    mosquitto_disconnect_v5_callback_set(mosquitto, mqtt_link_ended);
    mosquitto_subscribe_v5_callback_set(mosquitto, mqtt_link_subscribed);
    mosquitto_message_v5_callback_set(mosquitto, mqtt_message_take);
    mosquitto_publish_v5_callback_set(mosquitto, mqtt_message_sent);
    return config->has_tls ? set_tls(subscriber, err) : EDS_OK;
}

void mqtt_link_close(struct eds_mqtt_subscriber *subscriber)
{
    if (subscriber->mosquitto != NULL)
        mosquitto_destroy(subscriber->mosquitto);
    mosquitto_property_free_all(&subscriber->connect_properties);
}

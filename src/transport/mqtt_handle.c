/* mqtt_handle.c - see mqtt_handle.h and mqtt_broker.h. */
#include "transport/mqtt_handle.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SYSTEM_CA_PATH "/etc/ssl/certs"

int32_t mqtt_broker_check(const struct eds_mqtt_broker *broker, struct eds_error *err)
{
    if (broker->port == 0 || broker->port > UINT16_MAX)
        return eds_error_set(err, EDS_ERR_USAGE, "the port is 1 to 65535, not %u", broker->port);
    if ((broker->cert_file == NULL) != (broker->key_file == NULL))
        return eds_error_set(err, EDS_ERR_USAGE,
                             "a client certificate needs its key, and a key its certificate");
    return EDS_OK;
}

/* A key with a passphrase would make OpenSSL ask for it on the terminal. */
static int no_passphrase(char *text, int size, int writing, void *context)
{
    (void)writing;
    (void)context;
    if (size > 0)
        text[0] = '\0';
    return 0;
}

static int32_t set_tls(struct mosquitto *mosquitto, const struct eds_mqtt_broker *broker,
                       struct eds_error *err)
{
    const char *const paths[] = {broker->ca_file, broker->cert_file, broker->key_file};
    int code;

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (paths[i] != NULL && access(paths[i], R_OK) != 0)
            return eds_error_set(err, EDS_ERR_IO, "cannot read %s: %s", paths[i], strerror(errno));
    code = mosquitto_tls_set(mosquitto, broker->ca_file,
                             broker->ca_file == NULL ? SYSTEM_CA_PATH : NULL, broker->cert_file,
                             broker->key_file, no_passphrase);
    if (code == MOSQ_ERR_SUCCESS) /* 1: the broker must show a certificate that is vouched for */
        code = mosquitto_tls_opts_set(mosquitto, 1, "tlsv1.2", NULL);
    if (code != MOSQ_ERR_SUCCESS)
        return eds_error_set(err, EDS_ERR_IO, "TLS cannot be set up: %s", mosquitto_strerror(code));
    return EDS_OK;
}

/* Returns one of libmosquitto's codes. */
static int set_options(struct mosquitto *mosquitto, const struct eds_mqtt_broker *broker,
                       const struct mqtt_handle_config *config)
{
    int rc = mosquitto_threaded_set(mosquitto, true); /* so that it sends when we say so */

    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_int_option(mosquitto, MOSQ_OPT_PROTOCOL_VERSION,
                                  config->is_5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_int_option(mosquitto, MOSQ_OPT_TCP_NODELAY, 1);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_int_option(mosquitto, MOSQ_OPT_SEND_MAXIMUM, (int)config->send_max);
    if (rc == MOSQ_ERR_SUCCESS && config->receive_max > 0)
        rc = mosquitto_int_option(mosquitto, MOSQ_OPT_RECEIVE_MAXIMUM, (int)config->receive_max);
    if (rc == MOSQ_ERR_SUCCESS && broker->user != NULL)
        rc = mosquitto_username_pw_set(mosquitto, broker->user, broker->password);
    return rc;
}

int32_t mqtt_handle_make(struct mosquitto **out, const struct eds_mqtt_broker *broker,
                         const struct mqtt_handle_config *config, struct eds_error *err)
{
    struct mosquitto *mosquitto =
        mosquitto_new(broker->client_id, config->is_clean, config->context);
    int code;
    int32_t rc = EDS_OK;

    if (mosquitto == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for the MQTT client");
    code = set_options(mosquitto, broker, config);
    if (code != MOSQ_ERR_SUCCESS)
        rc = eds_error_set(err, code == MOSQ_ERR_NOMEM ? EDS_ERR_NO_MEMORY : EDS_ERR_USAGE,
                           "the MQTT client cannot be set up: %s", mosquitto_strerror(code));
    else if (broker->has_tls)
        rc = set_tls(mosquitto, broker, err);
    if (rc != EDS_OK) {
        mosquitto_destroy(mosquitto);
        return rc;
    }
    mosquitto_connect_v5_callback_set(mosquitto, config->on_connect);
    mosquitto_disconnect_v5_callback_set(mosquitto, config->on_disconnect);
    mosquitto_subscribe_v5_callback_set(mosquitto, config->on_subscribe);
    mosquitto_message_v5_callback_set(mosquitto, config->on_message);
    mosquitto_publish_v5_callback_set(mosquitto, config->on_publish);
    mosquitto_log_callback_set(mosquitto, config->on_log);
    *out = mosquitto;
    return EDS_OK;
}

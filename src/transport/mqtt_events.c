/* mqtt_events.c - what libmosquitto tells of a connection. */
#include <string.h>

#include "base/log.h"
#include "transport/mqtt_link.h"

#define ANSWERS_MAX   4096u /* with QoS 1 and not yet the broker's */
#define TAKEN_OVER_MS 1000u /* a connection that ends so soon may be another client's doing */

static void subscribe(struct eds_mqtt_subscriber *subscriber)
{
    /* What we publish need not come back; where it must not be told so, the
     * topics tell.  What the broker has kept comes once. */
    int options =
        MQTT_SUB_OPT_SEND_RETAIN_NEW | (subscriber->filter.is_shared ? 0 : MQTT_SUB_OPT_NO_LOCAL);
    int rc;

    if (subscriber->config.version == EDS_MQTT_5)
        rc = mosquitto_subscribe_v5(subscriber->mosquitto, NULL, subscriber->filter.text, 1,
                                    options, NULL);
    else
        rc = mosquitto_subscribe(subscriber->mosquitto, NULL, subscriber->filter.text, 1);
    if (rc != MOSQ_ERR_SUCCESS)
        mqtt_link_drop(subscriber, mosquitto_strerror(rc));
}

void mqtt_link_connected(struct eds_mqtt_subscriber *subscriber, int reason, int flags,
                         const mosquitto_property *properties)
{
    bool is_5 = subscriber->config.version == EDS_MQTT_5;
    uint16_t receive_maximum = ANSWERS_MAX;
    bool is_too_old = reason == (is_5 ? 132 : 1) || (is_5 && reason == 1);

    if (subscriber->link.is_dropped)
        return;
    if (subscriber->link.is_accepted) {
        subscriber->link.is_spoiled = true;
        mqtt_link_drop(subscriber, "the broker accepted the connection twice");
        return;
    }
    if (reason != 0) {
        eds_error_set(&subscriber->link.reason, EDS_ERR_IO, "the broker refused: %s%s",
                      is_5 && reason >= 128 ? mosquitto_reason_string(reason)
                                            : mosquitto_connack_string(reason),
                      is_too_old && is_5 ? "; try --mqtt-version 3.1.1" : "");
        return;
    }
    mosquitto_property_read_int16(properties, MQTT_PROP_RECEIVE_MAXIMUM, &receive_maximum, false);
    subscriber->link.answers_max = receive_maximum < ANSWERS_MAX ? receive_maximum : ANSWERS_MAX;
    subscriber->link.is_accepted = true;
    mqtt_count(&subscriber->counters.connections, 1);
    EDS_LOG(EDS_LOG_INFO, "mqtt_connected",
            EDS_LOG_STRING("broker", subscriber->config.broker.host),
            EDS_LOG_NUMBER("port", subscriber->config.broker.port),
            EDS_LOG_STRING("session", (flags & 1) != 0 ? "resumed" : "new"),
            EDS_LOG_STRING("tls", subscriber->config.broker.has_tls ? "yes" : "no"));
    subscribe(subscriber);
}

void mqtt_link_subscribed(struct eds_mqtt_subscriber *subscriber, int count, const int *granted)
{
    if (subscriber->link.is_dropped)
        return;
    if (count < 1 || granted[0] < 0 || granted[0] > 2) {
        eds_error_set(&subscriber->link.reason, EDS_ERR_IO,
                      "the broker does not let this client subscribe to \"%s\"%s%s",
                      subscriber->filter.text, count < 1 ? "" : ": ",
                      count < 1 ? "" : mosquitto_reason_string(granted[0]));
        mqtt_link_drop(subscriber, "");
        return;
    }
    subscriber->link.is_subscribed = true;
    subscriber->link.subscribed_ms = mqtt_now_ms();
    mqtt_set(&subscriber->counters.away_since_ms, 0);
    mqtt_link_listen_to_log(subscriber, false);
    EDS_LOG(EDS_LOG_INFO, "mqtt_subscribed", EDS_LOG_STRING("topic", subscriber->filter.text),
            EDS_LOG_NUMBER("qos", (uint64_t)granted[0]));
    if (granted[0] == 0)
        EDS_LOG(EDS_LOG_WARN, "mqtt_qos_0",
                EDS_LOG_STRING("reason", "the broker delivers each message at most once"));
}

void mqtt_link_ended(struct eds_mqtt_subscriber *subscriber, int reason)
{
    if (reason >= 128)
        mqtt_link_reason(subscriber, mosquitto_reason_string(reason));
    else if (reason != MOSQ_ERR_SUCCESS)
        mqtt_link_reason(subscriber, mosquitto_strerror(reason));
    if (subscriber->link.is_subscribed && reason == MOSQ_ERR_CONN_LOST &&
        mqtt_now_ms() - subscriber->link.subscribed_ms < TAKEN_OVER_MS)
        eds_error_set(&subscriber->link.reason, EDS_ERR_IO,
                      "The connection was lost at once; does another client use this --client-id?");
}

/* Where TLS fails, only the log has the reason. */
void mqtt_link_logged(struct eds_mqtt_subscriber *subscriber, int level, const char *text)
{
    if (level != MOSQ_LOG_ERR)
        return;
    if (strstr(text, "certificate verify failed") != NULL)
        mqtt_link_reason(subscriber,
                         "the broker's certificate is not vouched for by --tls-ca-cert, or "
                         "not valid now");
    else if (strstr(text, "host name verification failed") != NULL)
        mqtt_link_reason(subscriber, "the broker's certificate is for another host");
    else
        mqtt_link_reason(subscriber, text);
}

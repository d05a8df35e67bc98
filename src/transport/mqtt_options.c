/* mqtt_options.c - what libmosquitto calls, and the subscriber's handle. */
#include <string.h>

#include "transport/mqtt_guard.h"
#include "transport/mqtt_handle.h"
#include "transport/mqtt_link.h"

#define TOPIC_OVERHEAD (2u * EDS_MQTT_TOPIC_SIZE) /* bytes around a message: topics, properties */

static int32_t set_properties(struct eds_mqtt_subscriber *subscriber, struct eds_error *err)
{
    const struct eds_mqtt_config *config = &subscriber->config;
    mosquitto_property **properties = &subscriber->connect_properties;
    int rc = mosquitto_property_add_int32(properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL,
                                          config->session_expiry_s);

    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_property_add_int32(properties, MQTT_PROP_MAXIMUM_PACKET_SIZE,
                                          (uint32_t)config->message_size_max + TOPIC_OVERHEAD);
    return rc == MOSQ_ERR_SUCCESS
               ? EDS_OK
               : eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for the MQTT client");
}

/* libmosquitto calls back from within a guarded read, and then it is we who may
 * abort. */
static struct eds_mqtt_subscriber *enter(void *context)
{
    struct eds_mqtt_subscriber *subscriber = context;

    mqtt_guard_suspend();
    subscriber->link.has_read = true;
    return subscriber;
}

static void on_connect(struct mosquitto *mosquitto, void *context, int reason, int flags,
                       const mosquitto_property *properties)
{
    (void)mosquitto;
    mqtt_link_connected(enter(context), reason, flags, properties);
    mqtt_guard_resume();
}

static void on_disconnect(struct mosquitto *mosquitto, void *context, int reason,
                          const mosquitto_property *properties)
{
    (void)mosquitto;
    (void)properties;
    mqtt_link_ended(enter(context), reason);
    mqtt_guard_resume();
}

static void on_subscribe(struct mosquitto *mosquitto, void *context, int id, int count,
                         const int *granted, const mosquitto_property *properties)
{
    (void)mosquitto;
    (void)id;
    (void)properties;
    mqtt_link_subscribed(enter(context), count, granted);
    mqtt_guard_resume();
}

static void on_message(struct mosquitto *mosquitto, void *context,
                       const struct mosquitto_message *message,
                       const mosquitto_property *properties)
{
    (void)mosquitto;
    mqtt_message_take(enter(context), message, properties);
    mqtt_guard_resume();
}

static void on_publish(struct mosquitto *mosquitto, void *context, int id, int reason,
                       const mosquitto_property *properties)
{
    (void)mosquitto;
    (void)id;
    (void)properties;
    mqtt_message_sent(enter(context), reason);
    mqtt_guard_resume();
}

static void on_log(struct mosquitto *mosquitto, void *context, int level, const char *text)
{
    (void)mosquitto;
    mqtt_guard_suspend();
    mqtt_link_logged(context, level, text);
    mqtt_guard_resume();
}

void mqtt_link_listen_to_log(struct eds_mqtt_subscriber *subscriber, bool listen)
{
    mosquitto_log_callback_set(subscriber->mosquitto, listen ? on_log : NULL);
}

int32_t mqtt_link_open(struct eds_mqtt_subscriber *subscriber, struct eds_error *err)
{
    const struct eds_mqtt_config *config = &subscriber->config;
    struct mqtt_handle_config handle = {.is_5 = config->version == EDS_MQTT_5,
                                        .is_clean = config->session_expiry_s == 0,
                                        .send_max = UINT16_MAX,
                                        .receive_max = config->inflight_max,
                                        .context = subscriber,
                                        .on_connect = on_connect,
                                        .on_disconnect = on_disconnect,
                                        .on_subscribe = on_subscribe,
                                        .on_message = on_message,
                                        .on_publish = on_publish};
    int32_t rc = mqtt_handle_make(&subscriber->mosquitto, &config->broker, &handle, err);

    return rc == EDS_OK && handle.is_5 ? set_properties(subscriber, err) : rc;
}

void mqtt_link_close(struct eds_mqtt_subscriber *subscriber)
{
    if (subscriber->mosquitto != NULL)
        mosquitto_destroy(subscriber->mosquitto);
    subscriber->mosquitto = NULL;
    mosquitto_property_free_all(&subscriber->connect_properties);
}

bool mqtt_link_renew(struct eds_mqtt_subscriber *subscriber)
{
    struct eds_error err;

    if (subscriber->mosquitto != NULL && !subscriber->link.is_spoiled)
        return true;
    mqtt_link_close(subscriber);
    subscriber->answers_open = 0; /* what the broker had not confirmed is gone with it */
    subscriber->link = (struct mqtt_link){.is_spoiled = true};
    if (mqtt_link_open(subscriber, &err) == EDS_OK)
        return true;
    mqtt_link_close(subscriber);
    mqtt_link_reason(subscriber, err.text);
    return false;
}

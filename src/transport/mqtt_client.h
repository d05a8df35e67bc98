/* mqtt_client.h - a client's connection to a broker, on libmosquitto: made when it is
 * needed, with MQTT 5 or 3.1.1, whichever the broker speaks, and one subscription.
 *
 * A handle of libmosquitto lives as long as its connection: what was on its way when that
 * ended is published again by whoever waits for its answer, not by libmosquitto.
 *
 * One thread at a time. */
#ifndef EDS_TRANSPORT_MQTT_CLIENT_H
#define EDS_TRANSPORT_MQTT_CLIENT_H

#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transport/mqtt_broker.h"

#define MQTT_CLIENT_ID_MAX 100u /* bytes */

struct mqtt_client_config {
    struct eds_mqtt_broker broker;
    unsigned connect_ms;  /* until the broker has accepted us; 0: 10 s */
    unsigned publish_max; /* messages on their way at once */
    const char *topic[2]; /* what to subscribe to, with 3.1.1 and with 5 */

    void *context; /* of the functions, which are called during a turn */
    void (*take)(void *context, const struct mosquitto_message *message,
                 const mosquitto_property *properties);
    void (*published)(void *context, int message_id, int reason); /* the broker's word; or NULL */
};

struct mqtt_client {
    struct mqtt_client_config config; /* defaults filled in */
    bool is_5;                        /* what this connection speaks */
    bool knows_5, refuses_5;          /* what the broker told us, if it did */
    struct mosquitto *mosquitto;      /* NULL: no connection */
    bool is_met;                      /* it is made; the broker may say no to it yet */
    bool is_accepted, is_subscribed, is_over, has_read;
    struct eds_error reason; /* why it is over; text "" while nobody knows */
    uint64_t served_ms;      /* when it last had a turn */
};

/* mqtt_client_check tells whether a topic can be used at a broker, and under the name that is
 * shown there: EDS_OK or EDS_ERR_USAGE. */
int32_t mqtt_client_check(const char *topic, const struct eds_mqtt_broker *broker,
                          struct eds_error *err);

/* mqtt_client_open checks the rest of the configuration; it does not connect.  The texts in
 * it outlive the client.  EDS_OK, EDS_ERR_USAGE, EDS_ERR_IO for TLS files that cannot be
 * used, EDS_ERR_NO_MEMORY. */
int32_t mqtt_client_open(struct mqtt_client *client, const struct mqtt_client_config *config,
                         struct eds_error *err);

/* mqtt_client_close leaves the broker. */
void mqtt_client_close(struct mqtt_client *client);

/* mqtt_client_connect makes sure of a connection.  EDS_OK, *is_new telling whether it is
 * another one than before; EDS_ERR_IO; EDS_ERR_NO_MEMORY. */
int32_t mqtt_client_connect(struct mqtt_client *client, bool *is_new, struct eds_error *err);

#define MQTT_CLIENT_WAKE_MAX 2u

/* mqtt_client_turn sends and receives once, waiting for something to come until then at
 * most, or until one of wake_fds (up to MQTT_CLIENT_WAKE_MAX) can be read: true if one can.
 * The connection may be over after it. */
bool mqtt_client_turn(struct mqtt_client *client, uint64_t until_ms, const int *wake_fds,
                      size_t wake_count);

/* mqtt_client_drop has the next mqtt_client_connect make another connection. */
void mqtt_client_drop(struct mqtt_client *client);

#endif

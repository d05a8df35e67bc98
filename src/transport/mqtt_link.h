/* mqtt_link.h - what the files of the MQTT subscriber share.
 *
 * One thread owns libmosquitto's handle, the round and everything here; others
 * set stopping and write to wake_fd, nothing else.  libmosquitto is told that
 * it is used by many threads, for one reason: then it only queues what it has
 * to send, and sends when mqtt_link_flush says so.  Nobody may call that (or
 * mosquitto_loop) while the round has slots in use. */
#ifndef EDS_TRANSPORT_MQTT_LINK_H
#define EDS_TRANSPORT_MQTT_LINK_H

#include <mosquitto.h>
#include <mqtt_protocol.h>

#include "transport/mqtt_round.h"
#include "transport/mqtt_subscriber.h"
#include "transport/mqtt_topic.h"
#include "transport/verdict_log.h"

/* What is so until the connection ends. */
struct mqtt_link {
    bool is_subscribed;
    bool is_dropped;      /* by us: nothing of it is taken or acknowledged any more */
    bool is_reading;      /* inside mosquitto_loop_read */
    bool has_read;        /* a packet that we were told of, since this was cleared */
    unsigned answers_max; /* with QoS 1 at once: what the broker takes */
    uint64_t begun_ms, subscribed_ms;
    struct eds_error reason; /* why it ended; text "" while nobody knows */
};

struct eds_mqtt_subscriber {
    struct eds_mqtt_config config; /* defaults filled in */
    struct eds_mqtt_filter filter;
    struct mosquitto *mosquitto;
    mosquitto_property *connect_properties; /* MQTT 5 */
    struct mqtt_link link;
    struct mqtt_round round;
    unsigned answers_open; /* published with QoS 1, not yet the broker's */

    int wake_fd;
    pthread_t thread;
    atomic_bool stopping; /* take nothing more */
    atomic_bool ended;    /* the thread is on its last steps */

    struct eds_verdict_log verdict_log;
    struct eds_log_throttle dropped_log, answer_log;
    struct eds_mqtt_counts counts;
    char answer_topic[EDS_MQTT_TOPIC_SIZE];
};

/* mqtt_link_open makes the handle with all its options.  Errors as
 * eds_mqtt_subscriber_start. */
int32_t mqtt_link_open(struct eds_mqtt_subscriber *subscriber, struct eds_error *err);
void mqtt_link_close(struct eds_mqtt_subscriber *subscriber);

/* mqtt_link_run connects, serves until the connection ends or a stop is asked
 * for, and says in link.reason how it ended. */
void mqtt_link_run(struct eds_mqtt_subscriber *subscriber);

/* mqtt_link_drop ends the connection without sending what is queued. */
void mqtt_link_drop(struct eds_mqtt_subscriber *subscriber, const char *reason);

/* mqtt_link_reason notes why the connection ends; the first reason counts. */
void mqtt_link_reason(struct eds_mqtt_subscriber *subscriber, const char *reason);

/* libmosquitto's callbacks: the broker accepted or refused us; granted the
 * subscription or did not; the connection is over; a line of its log. */
void mqtt_link_connected(struct mosquitto *mosquitto, void *context, int reason, int flags,
                         const mosquitto_property *properties);
void mqtt_link_subscribed(struct mosquitto *mosquitto, void *context, int id, int count,
                          const int *granted, const mosquitto_property *properties);
void mqtt_link_ended(struct mosquitto *mosquitto, void *context, int reason,
                     const mosquitto_property *properties);
void mqtt_link_logged(struct mosquitto *mosquitto, void *context, int level, const char *text);

/* mqtt_message_take is libmosquitto's callback for messages; mqtt_message_sent
 * that for publications; mqtt_message_finish decides the round and queues its
 * answers. */
void mqtt_message_take(struct mosquitto *mosquitto, void *context,
                       const struct mosquitto_message *message,
                       const mosquitto_property *properties);
void mqtt_message_sent(struct mosquitto *mosquitto, void *context, int id, int reason,
                       const mosquitto_property *properties);
void mqtt_message_finish(struct eds_mqtt_subscriber *subscriber);

#endif

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

#include "transport/mqtt_counters.h"
#include "transport/mqtt_questions.h"
#include "transport/mqtt_round.h"
#include "transport/mqtt_subscriber.h"
#include "transport/mqtt_topic.h"
#include "transport/verdict_log.h"

/* What is so until the connection ends. */
struct mqtt_link {
    bool is_accepted, is_subscribed;
    bool is_dropped;      /* by us: nothing of it is taken or acknowledged any more */
    bool is_reading;      /* inside mosquitto_loop_read */
    bool is_spoiled;      /* the handle is to be made anew: what a broker said stays in it */
    bool has_read;        /* a packet that we were told of, since this was cleared */
    unsigned answers_max; /* with QoS 1 at once: what the broker takes */
    uint64_t begun_ms, subscribed_ms;
    struct eds_error reason; /* why it ended; text "" while nobody knows */
};

struct eds_mqtt_subscriber {
    struct eds_mqtt_config config; /* defaults filled in */
    struct eds_mqtt_filter filter;
    char *password; /* a copy, for handles to come */
    struct mosquitto *mosquitto;
    mosquitto_property *connect_properties; /* MQTT 5 */
    struct mqtt_link link;
    struct mqtt_round round;
    struct mqtt_questions questions;
    unsigned answers_open; /* published with QoS 1, not yet the broker's */

    int wake_fd;
    pthread_t thread;
    atomic_bool stopping; /* take nothing more */
    atomic_bool ended;    /* the thread is on its last steps */

    struct eds_verdict_log verdict_log;
    struct eds_log_throttle dropped_log, answer_log;
    struct mqtt_counters counters;
    char answer_topic[EDS_MQTT_TOPIC_SIZE];
};

/* mqtt_link_open makes the handle with all its options, mqtt_link_close destroys
 * it.  Errors as eds_mqtt_subscriber_start. */
int32_t mqtt_link_open(struct eds_mqtt_subscriber *subscriber, struct eds_error *err);
void mqtt_link_close(struct eds_mqtt_subscriber *subscriber);

/* mqtt_link_renew makes the handle anew where the last connection has spoiled it.
 * False if that is not possible just now. */
bool mqtt_link_renew(struct eds_mqtt_subscriber *subscriber);

/* mqtt_link_run connects, serves until the connection ends or a stop is asked
 * for, and says in link.reason how it ended. */
void mqtt_link_run(struct eds_mqtt_subscriber *subscriber);

/* mqtt_link_drop ends the connection without sending what is queued. */
void mqtt_link_drop(struct eds_mqtt_subscriber *subscriber, const char *reason);

/* mqtt_link_reason notes why the connection ends; the first reason counts. */
void mqtt_link_reason(struct eds_mqtt_subscriber *subscriber, const char *reason);

/* What libmosquitto tells: the broker accepted or refused us; granted the
 * subscription or did not; the connection is over; a line of its log; a message
 * came; a publication is the broker's. */
void mqtt_link_connected(struct eds_mqtt_subscriber *subscriber, int reason, int flags,
                         const mosquitto_property *properties);
void mqtt_link_subscribed(struct eds_mqtt_subscriber *subscriber, int count, const int *granted);
void mqtt_link_ended(struct eds_mqtt_subscriber *subscriber, int reason);
void mqtt_link_logged(struct eds_mqtt_subscriber *subscriber, int level, const char *text);
void mqtt_message_take(struct eds_mqtt_subscriber *subscriber,
                       const struct mosquitto_message *message,
                       const mosquitto_property *properties);
void mqtt_message_sent(struct eds_mqtt_subscriber *subscriber, int reason);

/* mqtt_link_listen_to_log lets libmosquitto tell the lines of its log, or not: it
 * costs for every packet. */
void mqtt_link_listen_to_log(struct eds_mqtt_subscriber *subscriber, bool listen);

/* mqtt_message_finish decides the round and queues its answers. */
void mqtt_message_finish(struct eds_mqtt_subscriber *subscriber);

/* mqtt_message_commands queues what there is to tell devices that have asked for commands. */
void mqtt_message_commands(struct eds_mqtt_subscriber *subscriber);

#endif

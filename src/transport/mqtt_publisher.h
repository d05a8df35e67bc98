/* mqtt_publisher.h - records to a broker, and the server's answers to them, on
 * libmosquitto.
 *
 * What a broker acknowledges is its word, not the server's: a record counts as taken
 * only when the server's answer has come, and is about it.  With MQTT 5 an answer
 * belongs to a message by correlation data that nobody could guess, on a topic of this
 * client's alone; with 3.1.1, which is spoken with brokers that know no other, by the
 * device and the sequence that it names, on the topic for all answers.  Whether a broker
 * knows 5 is asked anew with each connection, until it has refused.  A message that
 * the broker has kept (retained) is never an answer.
 *
 * One thread at a time. */
#ifndef EDS_TRANSPORT_MQTT_PUBLISHER_H
#define EDS_TRANSPORT_MQTT_PUBLISHER_H

#include "edgesentry/json.h"
#include "transport/mqtt_broker.h"
#include "transport/route.h"

#define EDS_MQTT_CORRELATION_SIZE 16u /* bytes */

struct eds_mqtt_publisher;

struct eds_mqtt_publisher_config {
    /* Its client_id is at most 100 bytes without '/', '+' and '#': with MQTT 5 answers come on
     * topic/client_id/response. */
    struct eds_mqtt_broker broker;
    const char *topic;             /* where the server listens, without wildcards */
    const struct eds_route *route; /* in user properties with MQTT 5; NULL: nothing */
    unsigned connect_ms;           /* until the broker has accepted us; 0: 10 s */
    /* Until all answers are there; 0: 10 s.  Twice that after a round without any, and so
     * on to six times. */
    unsigned answer_ms;
};

/* A message with a record, and what came of it. */
struct eds_mqtt_post {
    const char *device_id; /* as it is in the record */
    uint64_t sequence;
    const char *body; /* its envelope */
    size_t body_size;

    /* Filled by the call: */
    bool is_answered;         /* then answer is the server's */
    bool is_too_large;        /* the broker takes no such messages */
    struct eds_answer answer; /* its error also says why there is none */

    /* The publisher's own: */
    bool is_over;
    int message_id;
    uint8_t correlation[EDS_MQTT_CORRELATION_SIZE];
};

#define EDS_MQTT_POSTS_MAX 100u /* at once */

/* eds_mqtt_publisher_open checks the configuration; it does not connect.  The texts in
 * it, password included, outlive the publisher.  EDS_OK, EDS_ERR_USAGE, EDS_ERR_IO for
 * TLS files that cannot be used, EDS_ERR_NO_MEMORY. */
int32_t eds_mqtt_publisher_open(struct eds_mqtt_publisher **out,
                                const struct eds_mqtt_publisher_config *config,
                                struct eds_error *err);

/* eds_mqtt_publisher_close leaves the broker; NULL is fine. */
void eds_mqtt_publisher_close(struct eds_mqtt_publisher *publisher);

/* eds_mqtt_publisher_post connects if need be, publishes up to EDS_MQTT_POSTS_MAX
 * messages in their order with QoS 1, and waits for the answers.  EDS_OK: it could
 * publish, and each post says what came of it; EDS_ERR_IO: there is no broker, or not
 * for us, and none was published. */
int32_t eds_mqtt_publisher_post(struct eds_mqtt_publisher *publisher, struct eds_mqtt_post *posts,
                                size_t count, struct eds_error *err);

#endif

/* mqtt_subscriber.h - records from an MQTT broker, on libmosquitto.
 *
 * Knows topics, sessions and acknowledgements; what is in a message is the
 * codec's, whether it is good is ingest's.  docs/SPEC.md has the answers.
 *
 * What is promised: a message of QoS 1 is acknowledged to the broker, and its
 * answer published, only after its record was decided and is durable; records
 * of a device are decided in the order in which the broker delivers them; a
 * broker that goes away is waited for, however long. */
#ifndef EDS_TRANSPORT_MQTT_SUBSCRIBER_H
#define EDS_TRANSPORT_MQTT_SUBSCRIBER_H

#include "ingest/command_question.h"
#include "ingest/ingest.h"
#include "transport/mqtt_broker.h"

struct eds_mqtt_subscriber;

enum eds_mqtt_version { EDS_MQTT_5, EDS_MQTT_3_1_1 };

struct eds_mqtt_config {
    struct eds_ingest *ingest; /* this subscriber's alone */
    /* Where devices' questions for commands go; outlives the subscriber.  NULL: there are no
     * commands here. */
    struct eds_command_desk *desk;
    /* Its client_id is also the session's name; its password is not needed after the start. */
    struct eds_mqtt_broker broker;
    const char *topic; /* a filter: wildcards and $share/NAME/... */
    enum eds_mqtt_version version;
    uint32_t session_expiry_s; /* the broker keeps the session; 0: ends with the connection */
    size_t message_size_max;   /* bytes; 0: 2 MiB (2097152), as HTTP */
    unsigned inflight_max;     /* messages unacknowledged at once, at most 4096; 0: 1024 */
    unsigned retry_ms_max;     /* longest pause before connecting again; 0: 10 s */
    unsigned patience_ms;      /* with a failing store, before the broker gets all back; 0: 20 s */
};

enum eds_mqtt_drop { EDS_MQTT_DROP_MALFORMED, EDS_MQTT_DROP_TOO_LARGE };
#define EDS_MQTT_DROP_COUNT 2u

/* The upper ends of the buckets that rounds are counted in, rising; a last bucket has no
 * end. */
#define EDS_MQTT_ROUND_BOUND_COUNT 10u
extern const uint64_t eds_mqtt_round_bounds[EDS_MQTT_ROUND_BOUND_COUNT];

/* What has happened since the start, and what is so now. */
struct eds_mqtt_counts {
    uint64_t messages;       /* all that came */
    uint64_t answers;        /* published */
    uint64_t answers_failed; /* not published, or refused by the broker */
    uint64_t own;            /* messages on topics of answers, not looked at */
    uint64_t dropped;        /* messages that hold no record, or are too long */
    uint64_t dropped_for[EDS_MQTT_DROP_COUNT];
    uint64_t connections; /* that the broker accepted */
    uint64_t waiting;     /* messages that are being decided now */
    bool is_subscribed;   /* now */
    uint64_t away_ms;     /* since when it is not; 0: it is */
    uint64_t rounds;      /* of messages that were acknowledged together */
    uint64_t round_buckets[EDS_MQTT_ROUND_BOUND_COUNT + 1]; /* each of its own, not summed up */
    uint64_t round_messages;                                /* in all rounds */
    struct eds_meter_reading answer; /* from a message's arrival to its answer */
};

/* eds_mqtt_check_topic is the check of a topic filter.  EDS_OK or EDS_ERR_USAGE. */
int32_t eds_mqtt_check_topic(const char *text, struct eds_error *err);

/* eds_mqtt_subscriber_start checks the configuration and begins to connect; no
 * broker has to be there.  The texts in config outlive the subscriber, but for
 * the password.  EDS_OK; EDS_ERR_USAGE; EDS_ERR_IO for TLS files that cannot be
 * used, or no thread; EDS_ERR_NO_MEMORY. */
int32_t eds_mqtt_subscriber_start(struct eds_mqtt_subscriber **out,
                                  const struct eds_mqtt_config *config, struct eds_error *err);

/* eds_mqtt_subscriber_counts tells what it has done; any thread. */
void eds_mqtt_subscriber_counts(const struct eds_mqtt_subscriber *subscriber,
                                struct eds_mqtt_counts *out);

/* eds_mqtt_subscriber_stop takes nothing more, finishes and answers what was
 * taken, leaves the broker, frees everything and, unless counts is NULL, says
 * what was done.  Before eds_ingest_stop. */
void eds_mqtt_subscriber_stop(struct eds_mqtt_subscriber *subscriber,
                              struct eds_mqtt_counts *counts);

#endif

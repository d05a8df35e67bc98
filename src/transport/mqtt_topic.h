/* mqtt_topic.h - which topics are records, and where answers go.
 *
 * A record's answer goes to the record's own topic and "/response", also where
 * the subscription has wildcards; a command for a device to the topic of its question,
 * the device's name and "/command".  So no topic that ends in one of these is ever
 * one of records: a server that listens to everything hears itself. */
#ifndef EDS_TRANSPORT_MQTT_TOPIC_H
#define EDS_TRANSPORT_MQTT_TOPIC_H

#include <stdbool.h>
#include <stddef.h>

#include "edgesentry/error.h"

#define EDS_MQTT_TOPIC_SIZE     65536u /* bytes of the longest, NUL included */
#define EDS_MQTT_ANSWER_SUFFIX  "/response"
#define EDS_MQTT_COMMAND_SUFFIX "/command"

/* What a server listens to. */
struct eds_mqtt_filter {
    const char *text;     /* as the broker is told: "$share/ingest/sites/+" */
    const char *matching; /* inside text, what topics are held against: "sites/+" */
    bool is_shared;
};

/* eds_mqtt_filter_parse checks a topic filter; *out keeps pointers into text.
 * EDS_OK, or EDS_ERR_USAGE for a misplaced wildcard, a $share without name or
 * topic, or a filter that only answers could match. */
int32_t eds_mqtt_filter_parse(struct eds_mqtt_filter *out, const char *text, struct eds_error *err);

/* eds_mqtt_is_answer says whether a topic is one of answers, or of commands. */
bool eds_mqtt_is_answer(const char *topic);

/* eds_mqtt_answer_topic writes where the answer to a message on that topic
 * goes.  Returns its length, 0 if it does not fit or would be too long. */
size_t eds_mqtt_answer_topic(char *out, size_t out_size, const char *topic);

/* eds_mqtt_command_topic writes where commands for a device go that asks on that topic:
 * TOPIC/DEVICE_ID/command, the id percent-encoded but for [A-Za-z0-9._~-].  Returns its length, 0
 * if it does not fit or would be too long. */
size_t eds_mqtt_command_topic(char *out, size_t out_size, const char *topic, const char *device_id);

/* eds_mqtt_reply_allowed says whether an answer may go to the response topic
 * that a message asks for: a proper topic, none of the broker's own ("$..."),
 * and none that we would read as records. */
bool eds_mqtt_reply_allowed(const struct eds_mqtt_filter *filter, const char *reply_topic);

#endif

/* mqtt_message.c - one message, from the broker to its answer. */
#include "transport/mqtt_link.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ingest/queue.h"

static void drop(struct eds_mqtt_subscriber *subscriber, enum eds_mqtt_drop drop, const char *topic,
                 const char *reason, struct eds_trace *trace)
{
    uint64_t suppressed;
    struct eds_error name; /* for its cutting: a topic may have 64 KiB */

    mqtt_count(&subscriber->counters.dropped[drop], 1);
    if (!eds_log_throttle_pass(&subscriber->dropped_log, mqtt_now_ms(), &suppressed))
        return;
    eds_error_set(&name, 0, "%s", topic);
    EDS_LOG(EDS_LOG_WARN, "message_dropped", EDS_LOG_STRING("topic", name.text),
            EDS_LOG_STRING("reason", reason),
            EDS_LOG_STRING("request_id", eds_trace_request_id(trace)),
            EDS_LOG_IF("trace_id", eds_trace_id(trace)), EDS_LOG_NUMBER("suppressed", suppressed));
}

/* Takes over the trace that a message of MQTT 5 says it belongs to, and what a gateway
 * says of itself: the first user property of each of these names. */
static void take_trace(struct eds_trace *trace, const mosquitto_property *properties)
{
    static const char *const names[] = {"traceparent", EDS_ROUTE_GATEWAY_FIELD,
                                        EDS_ROUTE_TAGS_FIELD};
    const mosquitto_property *at = properties;
    char *values[3] = {NULL};
    bool is_first = true;
    char *name, *value;

    eds_trace_begin(trace);
    while ((at = mosquitto_property_read_string_pair(at, MQTT_PROP_USER_PROPERTY, &name, &value,
                                                     !is_first)) != NULL) {
        is_first = false;
        for (size_t i = 0; i < 3; i++)
            if (value != NULL && values[i] == NULL && strcmp(name, names[i]) == 0) {
                values[i] = value;
                value = NULL;
            }
        free(name);
        free(value);
    }
    if (values[0] != NULL)
        (void)eds_trace_take(trace, values[0]);
    if (values[1] != NULL || values[2] != NULL)
        eds_route_take(&trace->route, values[1], values[2]);
    for (size_t i = 0; i < 3; i++)
        free(values[i]);
}

/* Takes over where an MQTT 5 message wants its answer, and what goes with it. */
static void take_reply(struct eds_mqtt_subscriber *subscriber, struct mqtt_slot *slot,
                       const mosquitto_property *properties)
{
    mosquitto_property_read_string(properties, MQTT_PROP_RESPONSE_TOPIC, &slot->reply_topic, false);
    mosquitto_property_read_binary(properties, MQTT_PROP_CORRELATION_DATA, &slot->correlation,
                                   &slot->correlation_size, false);
    if (slot->reply_topic != NULL &&
        !eds_mqtt_reply_allowed(&subscriber->filter, slot->reply_topic)) {
        free(slot->reply_topic);
        slot->reply_topic = NULL;
    }
}

/* A question for commands, which is no record and needs no decision. */
static void take_question(struct eds_mqtt_subscriber *subscriber,
                          const struct mosquitto_message *message, size_t size,
                          struct eds_trace *trace)
{
    struct eds_question question;
    struct eds_error err;
    int32_t rc = eds_json_question_decode(&question, message->payload, size, &err);

    if (rc == EDS_OK && question.word != EDS_QUESTION_ASK)
        rc = eds_error_set(&err, EDS_ERR_MALFORMED, "question.commands: only servers say so");
    if (rc == EDS_OK && message->retain)
        rc = eds_error_set(&err, EDS_ERR_MALFORMED, "a question that the broker has kept");
    if (rc != EDS_OK) {
        drop(subscriber, EDS_MQTT_DROP_MALFORMED, message->topic, err.text, trace);
        return;
    }
    rc = mqtt_questions_take(&subscriber->questions, message->topic, &question);
    if (rc != EDS_OK)
        drop(subscriber, EDS_MQTT_DROP_TOO_LARGE, message->topic,
             rc == EDS_ERR_TOO_LARGE ? "its topic has no room for an answer's"
                                     : "out of memory for a question",
             trace);
}

void mqtt_message_take(struct eds_mqtt_subscriber *subscriber,
                       const struct mosquitto_message *message,
                       const mosquitto_property *properties)
{
    size_t size = message->payloadlen > 0 ? (size_t)message->payloadlen : 0;
    struct mqtt_slot *slot;
    struct eds_trace trace;
    struct eds_error err;
    int32_t rc;

    if (subscriber->link.is_dropped)
        return;
    mqtt_count(&subscriber->counters.messages, 1);
    if (eds_mqtt_is_answer(message->topic)) {
        mqtt_count(&subscriber->counters.own, 1);
        return;
    }
    take_trace(&trace, properties);
    if (size > subscriber->config.message_size_max) {
        drop(subscriber, EDS_MQTT_DROP_TOO_LARGE, message->topic,
             "the message is longer than this server takes", &trace);
        return;
    }
    if (eds_json_is_question(message->payload, size)) {
        take_question(subscriber, message, size, &trace);
        return;
    }
    if (mqtt_round_is_full(&subscriber->round)) { /* more came than a broker should send */
        mqtt_message_finish(subscriber);
        if (subscriber->link.is_dropped)
            return;
    }
    slot = mqtt_round_next(&subscriber->round);
    rc = mqtt_slot_take(slot, message->topic, message->payload, size, &err);
    if (rc == EDS_ERR_NO_MEMORY) {
        mqtt_link_drop(subscriber, err.text); /* the broker has it still */
    } else if (rc != EDS_OK) {
        drop(subscriber, EDS_MQTT_DROP_MALFORMED, message->topic, err.text, &trace);
        mqtt_slot_clear(slot);
    } else {
        slot->qos = message->qos;
        slot->is_retained = message->retain;
        slot->trace = trace;
        slot->taken_ns = eds_queue_now_ns();
        take_reply(subscriber, slot, properties);
        mqtt_round_submit(&subscriber->round, slot);
        mqtt_set(&subscriber->counters.waiting, subscriber->round.count);
    }
}

void mqtt_message_sent(struct eds_mqtt_subscriber *subscriber, int reason)
{
    uint64_t suppressed;

    /* Told while writing it is of QoS 0, told while reading the broker's word. */
    if (!subscriber->link.is_reading)
        return;
    if (subscriber->answers_open > 0)
        subscriber->answers_open--;
    if (reason >= 128)
        mqtt_count(&subscriber->counters.answers_failed, 1);
    if (reason >= 128 && eds_log_throttle_pass(&subscriber->answer_log, mqtt_now_ms(), &suppressed))
        EDS_LOG(EDS_LOG_WARN, "answer_refused",
                EDS_LOG_STRING("reason", mosquitto_reason_string(reason)),
                EDS_LOG_STRING("remedy", "let this client write to the topics of answers"),
                EDS_LOG_NUMBER("suppressed", suppressed));
}

/* Queues an answer, with QoS 1 if its message had it: then libmosquitto keeps it
 * until the broker has it, over any number of connections.  But no more than the
 * broker takes at once: others would wait in libmosquitto, and a stop would lose
 * them.  They go out with QoS 0. */
static void publish(struct eds_mqtt_subscriber *subscriber, int wanted_qos, const char *topic,
                    const char *text, size_t size, const mosquitto_property *properties)
{
    int qos = wanted_qos > 0 && subscriber->answers_open < subscriber->link.answers_max ? 1 : 0;
    int rc = mosquitto_publish_v5(subscriber->mosquitto, NULL, topic, (int)size, text, qos, false,
                                  properties);
    uint64_t suppressed;

    /* A broker's limits stay in the handle, also when they are its no more. */
    subscriber->link.is_spoiled |=
        rc == MOSQ_ERR_QOS_NOT_SUPPORTED || rc == MOSQ_ERR_OVERSIZE_PACKET;
    if (rc == MOSQ_ERR_QOS_NOT_SUPPORTED) {
        qos = 0;
        rc = mosquitto_publish_v5(subscriber->mosquitto, NULL, topic, (int)size, text, 0, false,
                                  properties);
    }
    if (rc == MOSQ_ERR_SUCCESS || (rc == MOSQ_ERR_NO_CONN && qos == 1)) {
        subscriber->answers_open += qos == 1;
        mqtt_count(&subscriber->counters.answers, 1);
        return;
    }
    mqtt_count(&subscriber->counters.answers_failed, 1);
    if (rc != MOSQ_ERR_NO_CONN &&
        eds_log_throttle_pass(&subscriber->answer_log, mqtt_now_ms(), &suppressed))
        EDS_LOG(EDS_LOG_WARN, "answer_failed", EDS_LOG_STRING("reason", mosquitto_strerror(rc)),
                EDS_LOG_NUMBER("suppressed", suppressed));
}

static void answer(struct eds_mqtt_subscriber *subscriber, const struct mqtt_slot *slot)
{
    char *topic = subscriber->answer_topic;
    char text[EDS_JSON_ANSWER_SIZE_MAX];
    size_t size = mqtt_slot_answer(slot, text);
    mosquitto_property *properties = NULL;

    if (slot->correlation != NULL)
        mosquitto_property_add_binary(&properties, MQTT_PROP_CORRELATION_DATA, slot->correlation,
                                      slot->correlation_size);
    if (eds_mqtt_answer_topic(topic, EDS_MQTT_TOPIC_SIZE, slot->topic) == 0)
        topic[0] = '\0'; /* too long a topic to be answered */
    else
        publish(subscriber, slot->qos, topic, text, size, properties);
    if (slot->reply_topic != NULL && strcmp(slot->reply_topic, topic) != 0)
        publish(subscriber, slot->qos, slot->reply_topic, text, size, properties);
    mosquitto_property_free_all(&properties);
}

void mqtt_message_finish(struct eds_mqtt_subscriber *subscriber)
{
    struct mqtt_round *round = &subscriber->round;
    uint64_t now_ms;

    if (round->count == 0)
        return;
    if (!mqtt_round_finish(round))
        mqtt_link_drop(subscriber, "the store does not take records; the broker keeps them");
    now_ms = mqtt_now_ms();
    mqtt_counters_round(&subscriber->counters, round->count);
    for (size_t i = 0; i < round->count; i++) {
        struct mqtt_slot *slot = &round->slots[i];

        eds_verdict_log_write(&subscriber->verdict_log, &slot->submission, "topic", slot->topic,
                              &slot->trace, now_ms);
        /* A message that the broker keeps comes with every subscription, and
         * nobody waits for another answer to it. */
        if (!slot->is_open &&
            !(slot->is_retained && slot->submission.verdict == EDS_VERDICT_DUPLICATE))
            answer(subscriber, slot);
        eds_meter_observe(&subscriber->counters.answer, eds_queue_now_ns() - slot->taken_ns);
    }
    mqtt_round_clear(round);
    mqtt_set(&subscriber->counters.waiting, 0);
}

static void publish_command(void *context, const char *topic, const char *text, size_t size)
{
    publish(context, 1, topic, text, size, NULL);
}

void mqtt_message_commands(struct eds_mqtt_subscriber *subscriber)
{
    if (subscriber->link.is_subscribed && !subscriber->link.is_dropped)
        mqtt_questions_serve(&subscriber->questions, mqtt_now_ms(), publish_command, subscriber);
}

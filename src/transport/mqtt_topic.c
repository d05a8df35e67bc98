/* mqtt_topic.c - see mqtt_topic.h. */
#include "transport/mqtt_topic.h"

#include <mosquitto.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define SHARE "$share/"

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);

    return size >= end_size && memcmp(text + size - end_size, end, end_size) == 0;
}

/* Finds what a shared subscription shares; NULL if it says no name or topic. */
static const char *shared_part(const char *text)
{
    const char *name = text + strlen(SHARE);
    size_t name_size = strcspn(name, "/+#");

    if (name_size == 0 || name[name_size] != '/' || name[name_size + 1] == '\0')
        return NULL;
    return name + name_size + 1;
}

int32_t eds_mqtt_filter_parse(struct eds_mqtt_filter *out, const char *text, struct eds_error *err)
{
    struct eds_mqtt_filter filter = {.text = text, .matching = text};
    size_t size = strlen(text);

    if (size == 0 || size >= EDS_MQTT_TOPIC_SIZE || mosquitto_validate_utf8(text, (int)size) != 0)
        return eds_error_set(err, EDS_ERR_USAGE,
                             "a topic filter has 1 to %u bytes of UTF-8 without control characters",
                             EDS_MQTT_TOPIC_SIZE - 1);
    filter.is_shared = strncmp(text, SHARE, strlen(SHARE)) == 0;
    if (filter.is_shared)
        filter.matching = shared_part(text);
    if (filter.matching == NULL)
        return eds_error_set(err, EDS_ERR_USAGE, "a shared subscription is $share/NAME/TOPIC");
    if (mosquitto_sub_topic_check(filter.matching) != MOSQ_ERR_SUCCESS)
        return eds_error_set(err, EDS_ERR_USAGE,
                             "misplaced wildcard in \"%s\": + stands for a whole level, # for all "
                             "that is left",
                             text);
    if (eds_mqtt_is_answer(filter.matching))
        return eds_error_set(err, EDS_ERR_USAGE,
                             "topics that end in " EDS_MQTT_ANSWER_SUFFIX
                             " or " EDS_MQTT_COMMAND_SUFFIX
                             " are those of answers: records cannot come there");
    *out = filter;
    return EDS_OK;
}

bool eds_mqtt_is_answer(const char *topic)
{
    return ends_with(topic, EDS_MQTT_ANSWER_SUFFIX) || ends_with(topic, EDS_MQTT_COMMAND_SUFFIX);
}

size_t eds_mqtt_answer_topic(char *out, size_t out_size, const char *topic)
{
    size_t size = strlen(topic), suffix_size = strlen(EDS_MQTT_ANSWER_SUFFIX);
    size_t room = out_size < EDS_MQTT_TOPIC_SIZE ? out_size : EDS_MQTT_TOPIC_SIZE;

    if (room <= suffix_size || size >= room - suffix_size)
        return 0;
    memcpy(out, topic, size);
    memcpy(out + size, EDS_MQTT_ANSWER_SUFFIX, suffix_size + 1);
    return size + suffix_size;
}

/* What a byte of an id may be: a whole level of a topic, and nothing but that. */
static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c) != NULL);
}

size_t eds_mqtt_command_topic(char *out, size_t out_size, const char *topic, const char *device_id)
{
    size_t room = out_size < EDS_MQTT_TOPIC_SIZE ? out_size : EDS_MQTT_TOPIC_SIZE;
    size_t size = strlen(topic), suffix_size = strlen(EDS_MQTT_COMMAND_SUFFIX);

    if (size + 1 + 3 * strlen(device_id) + suffix_size >= room)
        return 0;
    memcpy(out, topic, size);
    out[size++] = '/';
    for (const char *at = device_id; *at != '\0'; at++) {
        if (is_plain(*at))
            out[size++] = *at;
        else
            size += (size_t)snprintf(out + size, room - size, "%%%02X", (uint8_t)*at);
    }
    memcpy(out + size, EDS_MQTT_COMMAND_SUFFIX, suffix_size + 1);
    return size + suffix_size;
}

bool eds_mqtt_reply_allowed(const struct eds_mqtt_filter *filter, const char *reply_topic)
{
    bool is_ours = false;

    if (reply_topic[0] == '\0' || reply_topic[0] == '$' ||
        mosquitto_pub_topic_check(reply_topic) != MOSQ_ERR_SUCCESS ||
        mosquitto_validate_utf8(reply_topic, (int)strlen(reply_topic)) != MOSQ_ERR_SUCCESS)
        return false;
    if (eds_mqtt_is_answer(reply_topic))
        return true;
    return mosquitto_topic_matches_sub(filter->matching, reply_topic, &is_ours) ==
               MOSQ_ERR_SUCCESS &&
           !is_ours;
}

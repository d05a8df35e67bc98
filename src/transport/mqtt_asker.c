/* mqtt_asker.c - see mqtt_asker.h. */
#include "transport/mqtt_asker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json_question.h"
#include "transport/mqtt_client.h"
#include "transport/mqtt_round.h"
#include "transport/mqtt_topic.h"

#define ANSWER_MS      10000u
#define NOBODY_LISTENS 16 /* a PUBACK's reason */

struct eds_mqtt_asker {
    struct eds_mqtt_asker_config config; /* defaults filled in */
    char *command_topic;
    struct mqtt_client client;

    /* Of the question that is open: */
    struct eds_question question;
    int message_id;
    bool has_order, is_heard, gets_none; /* the server's word */
    struct eds_signed_order order;
    const char *fault; /* the broker's; NULL: it has none */
};

/* Whatever is not an answer to this question is not worth a word: it may be that to the
 * one before, of another server. */
static void take_answer(void *context, const struct mosquitto_message *message,
                        const mosquitto_property *properties)
{
    struct eds_mqtt_asker *asker = context;
    const char *text = message->payload;
    size_t size = (size_t)message->payloadlen;
    struct eds_signed_order order;
    struct eds_question word;

    (void)properties;
    if (eds_json_signed_order_decode(&order, text, size, NULL) == EDS_OK) {
        if (memcmp(order.nonce, asker->question.nonce, EDS_NONCE_SIZE) != 0 || asker->has_order)
            return;
        asker->has_order = asker->is_heard = true;
        asker->order = order;
    } else if (eds_json_question_decode(&word, text, size, NULL) == EDS_OK &&
               memcmp(word.nonce, asker->question.nonce, EDS_NONCE_SIZE) == 0 &&
               word.word != EDS_QUESTION_ASK) {
        asker->is_heard = true;
        asker->gets_none = word.word == EDS_QUESTION_NEVER;
    }
}

static void note_published(void *context, int message_id, int reason)
{
    struct eds_mqtt_asker *asker = context;

    if (message_id != asker->message_id || (reason < 128 && reason != NOBODY_LISTENS))
        return;
    asker->fault = reason == NOBODY_LISTENS ? "no server listens to this topic at the broker"
                                            : mosquitto_reason_string(reason);
}

static int32_t open_client(struct eds_mqtt_asker *asker, struct eds_error *err)
{
    const struct eds_mqtt_asker_config *config = &asker->config;
    struct mqtt_client_config client = {.broker = config->broker,
                                        .publish_max = 1,
                                        .topic = {asker->command_topic, asker->command_topic},
                                        .context = asker,
                                        .take = take_answer,
                                        .published = note_published};

    return mqtt_client_open(&asker->client, &client, err);
}

static void free_asker(struct eds_mqtt_asker *asker)
{
    free(asker->command_topic);
    free(asker);
}

int32_t eds_mqtt_asker_open(struct eds_mqtt_asker **out, const struct eds_mqtt_asker_config *config,
                            struct eds_error *err)
{
    struct eds_mqtt_asker *asker;
    size_t size = strlen(config->topic) + 3 * EDS_DEVICE_ID_SIZE + sizeof EDS_MQTT_COMMAND_SUFFIX;
    int32_t rc = mqtt_client_check(config->topic, &config->broker, err);

    if (rc != EDS_OK)
        return rc;
    asker = calloc(1, sizeof *asker);
    if (asker == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for the MQTT client");
    asker->config = *config;
    asker->config.answer_ms = config->answer_ms > 0 ? config->answer_ms : ANSWER_MS;
    asker->command_topic = malloc(size);
    if (asker->command_topic == NULL)
        rc = eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for the MQTT client");
    else if (eds_mqtt_command_topic(asker->command_topic, size, config->topic, config->device_id) ==
             0)
        rc = eds_error_set(err, EDS_ERR_USAGE, "the topic for commands would be too long");
    if (rc == EDS_OK)
        rc = open_client(asker, err);
    if (rc != EDS_OK)
        free_asker(asker);
    else
        *out = asker;
    return rc;
}

void eds_mqtt_asker_close(struct eds_mqtt_asker *asker)
{
    if (asker == NULL)
        return;
    mqtt_client_close(&asker->client);
    free_asker(asker);
}

static int32_t publish(struct eds_mqtt_asker *asker, const uint8_t nonce[EDS_NONCE_SIZE],
                       struct eds_error *err)
{
    char text[EDS_JSON_QUESTION_SIZE_MAX];
    size_t size;
    int rc;

    asker->question = (struct eds_question){.word = EDS_QUESTION_ASK};
    snprintf(asker->question.device_id, EDS_DEVICE_ID_SIZE, "%s", asker->config.device_id);
    memcpy(asker->question.nonce, nonce, EDS_NONCE_SIZE);
    asker->has_order = asker->is_heard = asker->gets_none = false;
    asker->fault = NULL;
    size = eds_json_question_encode(text, sizeof text, &asker->question);
    if (size == 0)
        return eds_error_set(err, EDS_ERR_USAGE, "the device id is not UTF-8");
    rc = mosquitto_publish_v5(asker->client.mosquitto, &asker->message_id, asker->config.topic,
                              (int)size, text, 1, false, NULL);
    if (rc == MOSQ_ERR_SUCCESS)
        return EDS_OK;
    mqtt_client_drop(&asker->client);
    return eds_error_set(err, EDS_ERR_IO, "no question for commands: %s", mosquitto_strerror(rc));
}

int32_t eds_mqtt_asker_ask(struct eds_mqtt_asker *asker, const uint8_t nonce[EDS_NONCE_SIZE],
                           unsigned wait_ms, const int *wake_fds, size_t wake_count,
                           struct eds_signed_order *out, struct eds_error *err)
{
    struct mqtt_client *client = &asker->client;
    uint64_t until_ms;
    bool is_new, is_woken = false;
    int32_t rc = mqtt_client_connect(client, &is_new, err);

    if (rc == EDS_OK)
        rc = publish(asker, nonce, err);
    if (rc != EDS_OK)
        return rc;
    until_ms = mqtt_now_ms() + asker->config.answer_ms;
    while (!client->is_over && !asker->is_heard && asker->fault == NULL && mqtt_now_ms() < until_ms)
        mqtt_client_turn(client, until_ms, NULL, 0);
    until_ms = mqtt_now_ms() + wait_ms;
    while (!client->is_over && asker->is_heard && !asker->has_order && !asker->gets_none &&
           mqtt_now_ms() < until_ms && !is_woken)
        is_woken = mqtt_client_turn(client, until_ms, wake_fds, wake_count);
    if (asker->has_order) {
        *out = asker->order;
        return EDS_OK;
    }
    if (asker->gets_none)
        return eds_error_set(err, EDS_ERR_UNSUPPORTED, "the server gives no commands");
    if (client->is_over || !asker->is_heard)
        return eds_error_set(err, EDS_ERR_IO, "no answer to a question for commands: %s",
                             client->is_over        ? client->reason.text
                             : asker->fault != NULL ? asker->fault
                                                    : "no server answers");
    return eds_error_set(err, EDS_ERR_NOT_FOUND, "there is no command");
}

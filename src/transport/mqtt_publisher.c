/* mqtt_publisher.c - see mqtt_publisher.h.
 *
 * Between posts nobody reads; a connection that was silent for long is made anew. */
#include "transport/mqtt_publisher.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/port.h"
#include "transport/mqtt_client.h"
#include "transport/mqtt_round.h"
#include "transport/mqtt_topic.h"

#define ANSWER_MS            10000u
#define ANSWER_MS_FACTOR_MAX 6u /* a server that is slow is not asked again and again */
#define NOBODY_LISTENS       16 /* a PUBACK's */

struct eds_mqtt_publisher {
    struct eds_mqtt_publisher_config config; /* defaults filled in */
    char *reply_topic[2];                    /* with 3.1.1, with 5 */
    struct mqtt_client client;
    uint64_t number;   /* of messages: in their correlation data */
    uint8_t secret[8]; /* likewise; of this connection */
    unsigned silences; /* rounds in a row that got no answer */

    struct eds_mqtt_post *posts; /* on their way */
    size_t post_count;
};

/* What the broker says of a message: only bad news counts. */
static void note_published(void *context, int id, int reason)
{
    struct eds_mqtt_publisher *publisher = context;

    for (size_t i = 0; i < publisher->post_count; i++) {
        struct eds_mqtt_post *post = &publisher->posts[i];

        if (post->message_id != id || post->is_over || (reason < 128 && reason != NOBODY_LISTENS))
            continue;
        post->is_over = true;
        snprintf(post->answer.error, sizeof post->answer.error, "%s",
                 reason == NOBODY_LISTENS ? "no server listens to this topic at the broker"
                                          : mosquitto_reason_string(reason));
    }
}

/* The post that a message answers, or NULL. */
static struct eds_mqtt_post *find_post(struct eds_mqtt_publisher *publisher, const char *device_id,
                                       uint64_t sequence, const mosquitto_property *properties)
{
    struct eds_mqtt_post *found = NULL;
    void *correlation = NULL;
    uint16_t size = 0;

    if (publisher->client.is_5)
        mosquitto_property_read_binary(properties, MQTT_PROP_CORRELATION_DATA, &correlation, &size,
                                       false);
    for (size_t i = 0; i < publisher->post_count; i++) {
        struct eds_mqtt_post *post = &publisher->posts[i];

        if (!post->is_over && post->sequence == sequence &&
            strcmp(post->device_id, device_id) == 0 &&
            (!publisher->client.is_5 || (size == sizeof post->correlation &&
                                         memcmp(correlation, post->correlation, size) == 0)))
            found = post;
    }
    free(correlation);
    return found;
}

static void take_answer(void *context, const struct mosquitto_message *message,
                        const mosquitto_property *properties)
{
    struct eds_mqtt_publisher *publisher = context;
    char device_id[EDS_DEVICE_ID_SIZE];
    struct eds_answer answer;
    struct eds_mqtt_post *post;
    uint64_t sequence;

    if (eds_json_answer_decode_for(device_id, &sequence, &answer, message->payload,
                                   (size_t)message->payloadlen, NULL) != EDS_OK)
        return;
    post = find_post(publisher, device_id, sequence, properties);
    if (post == NULL)
        return;
    post->is_over = post->is_answered = true;
    post->answer = answer;
}

static int add_route(mosquitto_property **properties, const struct eds_route *route)
{
    int rc = MOSQ_ERR_SUCCESS;

    if (route->gateway[0] != '\0')
        rc = mosquitto_property_add_string_pair(properties, MQTT_PROP_USER_PROPERTY,
                                                EDS_ROUTE_GATEWAY_FIELD, route->gateway);
    if (rc == MOSQ_ERR_SUCCESS && route->tags[0] != '\0')
        rc = mosquitto_property_add_string_pair(properties, MQTT_PROP_USER_PROPERTY,
                                                EDS_ROUTE_TAGS_FIELD, route->tags);
    return rc;
}

static void publish(struct eds_mqtt_publisher *publisher, struct eds_mqtt_post *post)
{
    mosquitto_property *properties = NULL;
    uint64_t number = ++publisher->number;
    int rc = MOSQ_ERR_SUCCESS;

    memcpy(post->correlation, publisher->secret, sizeof publisher->secret);
    memcpy(post->correlation + sizeof publisher->secret, &number, sizeof number);
    if (publisher->client.is_5) {
        rc = mosquitto_property_add_string(&properties, MQTT_PROP_RESPONSE_TOPIC,
                                           publisher->reply_topic[1]);
        if (rc == MOSQ_ERR_SUCCESS)
            rc = mosquitto_property_add_binary(&properties, MQTT_PROP_CORRELATION_DATA,
                                               post->correlation, sizeof post->correlation);
        if (rc == MOSQ_ERR_SUCCESS && publisher->config.route != NULL)
            rc = add_route(&properties, publisher->config.route);
    }
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_publish_v5(publisher->client.mosquitto, &post->message_id,
                                  publisher->config.topic, (int)post->body_size, post->body, 1,
                                  false, properties);
    mosquitto_property_free_all(&properties);
    if (rc == MOSQ_ERR_SUCCESS)
        return;
    post->is_over = true;
    post->is_too_large = rc == MOSQ_ERR_OVERSIZE_PACKET || rc == MOSQ_ERR_PAYLOAD_SIZE;
    snprintf(post->answer.error, sizeof post->answer.error, "%s",
             post->is_too_large ? "the broker takes no message of this size"
                                : mosquitto_strerror(rc));
}

static bool is_all_over(const struct eds_mqtt_publisher *publisher)
{
    for (size_t i = 0; i < publisher->post_count; i++)
        if (!publisher->posts[i].is_over)
            return false;
    return true;
}

static bool has_answer(const struct eds_mqtt_publisher *publisher)
{
    for (size_t i = 0; i < publisher->post_count; i++)
        if (publisher->posts[i].is_answered)
            return true;
    return false;
}

/* How long this round may take: longer after rounds in which nobody answered. */
static uint64_t answer_ms(const struct eds_mqtt_publisher *publisher)
{
    unsigned factor = publisher->silences + 1;

    return (uint64_t)publisher->config.answer_ms *
           (factor < ANSWER_MS_FACTOR_MAX ? factor : ANSWER_MS_FACTOR_MAX);
}

/* Correlation data is another connection's no more. */
static int32_t connect_client(struct eds_mqtt_publisher *publisher, struct eds_error *err)
{
    bool is_new;
    int32_t rc = mqtt_client_connect(&publisher->client, &is_new, err);

    if (rc == EDS_OK && is_new &&
        eds_port_random(publisher->secret, sizeof publisher->secret) != 0) {
        mqtt_client_drop(&publisher->client);
        rc = eds_error_set(err, EDS_ERR_IO, "no random numbers for messages");
    }
    return rc;
}

int32_t eds_mqtt_publisher_post(struct eds_mqtt_publisher *publisher, struct eds_mqtt_post *posts,
                                size_t count, struct eds_error *err)
{
    uint64_t until_ms;
    int32_t rc = connect_client(publisher, err);

    assert(count <= EDS_MQTT_POSTS_MAX);
    for (size_t i = 0; i < count; i++) {
        posts[i].is_answered = posts[i].is_too_large = posts[i].is_over = false;
        posts[i].message_id = 0;
        posts[i].answer = (struct eds_answer){.accepted = false};
    }
    if (rc != EDS_OK)
        return rc;
    publisher->posts = posts;
    publisher->post_count = count;
    for (size_t i = 0; i < count; i++)
        publish(publisher, &posts[i]);
    until_ms = mqtt_now_ms() + answer_ms(publisher);
    while (!publisher->client.is_over && !is_all_over(publisher) && mqtt_now_ms() < until_ms)
        mqtt_client_turn(&publisher->client, until_ms, NULL, 0);
    for (size_t i = 0; i < count; i++)
        if (!posts[i].is_over)
            snprintf(posts[i].answer.error, sizeof posts[i].answer.error, "%s",
                     publisher->client.is_over ? publisher->client.reason.text
                                               : "no server answers");
    publisher->silences = has_answer(publisher) ? 0 : publisher->silences + 1;
    /* An answer that is still to come must find nothing that it could be taken for. */
    if (!is_all_over(publisher))
        mqtt_client_drop(&publisher->client);
    publisher->posts = NULL;
    publisher->post_count = 0;
    return EDS_OK;
}

static int32_t make_topics(struct eds_mqtt_publisher *publisher, struct eds_error *err)
{
    const char *topic = publisher->config.topic, *id = publisher->config.broker.client_id;
    size_t size = strlen(topic) + strlen(id) + sizeof EDS_MQTT_ANSWER_SUFFIX + 1;

    for (size_t i = 0; i < 2; i++) {
        publisher->reply_topic[i] = malloc(size);
        if (publisher->reply_topic[i] == NULL)
            return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for the MQTT client");
    }
    snprintf(publisher->reply_topic[0], size, "%s" EDS_MQTT_ANSWER_SUFFIX, topic);
    snprintf(publisher->reply_topic[1], size, "%s/%s" EDS_MQTT_ANSWER_SUFFIX, topic, id);
    return EDS_OK;
}

static void free_publisher(struct eds_mqtt_publisher *publisher)
{
    free(publisher->reply_topic[0]);
    free(publisher->reply_topic[1]);
    free(publisher);
}

static int32_t open_client(struct eds_mqtt_publisher *publisher, struct eds_error *err)
{
    const struct eds_mqtt_publisher_config *config = &publisher->config;
    struct mqtt_client_config client = {
        .broker = config->broker,
        .connect_ms = config->connect_ms,
        .publish_max = EDS_MQTT_POSTS_MAX,
        .topic = {publisher->reply_topic[0], publisher->reply_topic[1]},
        .context = publisher,
        .take = take_answer,
        .published = note_published};

    return mqtt_client_open(&publisher->client, &client, err);
}

int32_t eds_mqtt_publisher_open(struct eds_mqtt_publisher **out,
                                const struct eds_mqtt_publisher_config *config,
                                struct eds_error *err)
{
    struct eds_mqtt_publisher *publisher;
    int32_t rc = mqtt_client_check(config->topic, &config->broker, err);

    if (rc != EDS_OK)
        return rc;
    publisher = calloc(1, sizeof *publisher);
    if (publisher == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for the MQTT client");
    publisher->config = *config;
    publisher->config.answer_ms = config->answer_ms > 0 ? config->answer_ms : ANSWER_MS;
    rc = make_topics(publisher, err);
    if (rc == EDS_OK)
        rc = open_client(publisher, err);
    if (rc != EDS_OK)
        free_publisher(publisher);
    else
        *out = publisher;
    return rc;
}

void eds_mqtt_publisher_close(struct eds_mqtt_publisher *publisher)
{
    if (publisher == NULL)
        return;
    mqtt_client_close(&publisher->client);
    free_publisher(publisher);
}

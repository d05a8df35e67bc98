/* mqtt_sender.c - a buffer's way to an ingest server through a broker. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/port.h"
#include "base/wipe.h"
#include "cli/mqtt_password.h"
#include "cli/mqtt_url.h"
#include "cli/sender_impl.h"
#include "transport/mqtt_publisher.h"

#define BATCH 50u /* on their way at once */

struct mqtt_sender {
    struct eds_own_sender own; /* first */
    struct eds_mqtt_publisher *publisher;
    struct eds_mqtt_url url;
    char client_id[sizeof "eds-" + 16]; /* where the caller names none */
    char password[EDS_MQTT_PASSWORD_SIZE];
    struct eds_mqtt_post posts[BATCH];
    char *bodies[BATCH];
};

/* A name that no other client has. */
static const char *random_client_id(struct mqtt_sender *mqtt)
{
    uint8_t random[8] = {0};

    (void)eds_port_random(random, sizeof random); /* a name alone: two equal ones take turns */
    strcpy(mqtt->client_id, "eds-");
    (void)eds_hex_encode(mqtt->client_id + 4, random, sizeof random);
    return mqtt->client_id;
}

static void set_reply(struct eds_reply *out, enum eds_outcome outcome, const char *text)
{
    out->outcome = outcome;
    out->retry_after_ms = 0;
    snprintf(out->text, sizeof out->text, "%s", text);
}

/* What an answer means.  Servers that share a subscription may decide a device's second
 * record before its first one: then only the first one's verdict stands. */
static enum eds_outcome judge(const struct eds_mqtt_post *post, bool is_first)
{
    enum eds_outcome outcome;

    if (post->is_too_large)
        return EDS_OUTCOME_REJECTED;
    if (!post->is_answered)
        return EDS_OUTCOME_AWAY;
    if (post->answer.accepted)
        return EDS_OUTCOME_ACCEPTED;
    outcome = eds_sender_judge(post->answer.error);
    return outcome == EDS_OUTCOME_REJECTED && !is_first ? EDS_OUTCOME_LATER : outcome;
}

/* Makes the messages; how many there is memory for. */
static size_t fill_posts(struct mqtt_sender *mqtt, const struct eds_buffer_item *const *items,
                         size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        const struct eds_buffer_item *item = items[i];
        size_t size = eds_json_envelope_size(item->payload_size);
        char *body = malloc(size);

        if (body == NULL)
            break;
        mqtt->bodies[i] = body;
        mqtt->posts[i].device_id = (const char *)item->entry.record.device_id;
        mqtt->posts[i].sequence = item->entry.record.sequence;
        mqtt->posts[i].body = body;
        mqtt->posts[i].body_size =
            eds_json_envelope_encode(body, size, &item->entry, item->payload, item->payload_size);
    }
    return i;
}

static size_t send_many(struct eds_sender *sender, const struct eds_buffer_item *const *items,
                        size_t count, struct eds_reply *out)
{
    struct mqtt_sender *mqtt = (struct mqtt_sender *)sender;
    size_t filled = fill_posts(mqtt, items, count < BATCH ? count : BATCH);
    struct eds_error err;
    int32_t rc = EDS_OK;

    if (filled > 0)
        rc = eds_mqtt_publisher_post(mqtt->publisher, mqtt->posts, filled, &err);
    else
        set_reply(&out[0], EDS_OUTCOME_AWAY, "out of memory for a message");
    for (size_t i = 0; i < filled; i++) {
        const struct eds_mqtt_post *post = &mqtt->posts[i];
        bool is_first = i == 0 || strcmp(post->device_id, mqtt->posts[i - 1].device_id) != 0;

        if (rc != EDS_OK)
            set_reply(&out[i], EDS_OUTCOME_AWAY, err.text);
        else
            set_reply(&out[i], judge(post, is_first), post->answer.error);
        free(mqtt->bodies[i]);
    }
    return filled > 0 ? filled : 1;
}

static void send_item(struct eds_sender *sender, const struct eds_buffer_item *item,
                      struct eds_reply *out)
{
    (void)send_many(sender, &item, 1, out);
}

static void close_sender(struct eds_sender *sender)
{
    struct mqtt_sender *mqtt = (struct mqtt_sender *)sender;

    eds_mqtt_publisher_close(mqtt->publisher);
    eds_wipe(mqtt->password, sizeof mqtt->password);
    free(mqtt);
}

int32_t eds_mqtt_sender_open(struct eds_sender **out, const struct eds_sender_config *config,
                             struct eds_error *err)
{
    struct eds_mqtt_publisher_config publisher = {
        .broker = {.client_id = config->client_id,
                   .user = config->user,
                   .ca_file = config->ca_file,
                   .cert_file = config->cert_file,
                   .key_file = config->key_file != NULL ? config->key_file : config->cert_file},
        .route = config->route};
    struct mqtt_sender *mqtt;
    int32_t rc;

    mqtt = calloc(1, sizeof *mqtt);
    if (mqtt == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for a sender");
    mqtt->own.sender = (struct eds_sender){
        .send = send_item,
        .send_many = send_many,
        .batch_max =
            config->batch_max > 0 && config->batch_max < BATCH ? config->batch_max : BATCH};
    mqtt->own.close = close_sender;
    rc = eds_mqtt_url_read(&mqtt->url, config->url,
                           config->ca_file != NULL || config->cert_file != NULL, err);
    if (rc == EDS_OK && config->password_file != NULL)
        rc = eds_mqtt_password_read(mqtt->password, config->password_file, err);
    if (config->client_id == NULL)
        publisher.broker.client_id = random_client_id(mqtt);
    publisher.broker.host = mqtt->url.host;
    publisher.broker.port = mqtt->url.port;
    publisher.topic = mqtt->url.topic;
    publisher.broker.has_tls = mqtt->url.has_tls;
    publisher.broker.password = config->password_file != NULL ? mqtt->password : NULL;
    if (rc == EDS_OK)
        rc = eds_mqtt_publisher_open(&mqtt->publisher, &publisher, err);
    if (rc != EDS_OK)
        close_sender(&mqtt->own.sender);
    else
        *out = &mqtt->own.sender;
    return rc;
}

/* mqtt_publisher.c - see mqtt_publisher.h.
 *
 * A handle of libmosquitto lives as long as its connection: what was on its way when
 * that ended is published again by whoever waits for the answer, not by libmosquitto.
 * Between posts nobody reads; a connection that was silent for long is made anew. */
#include "transport/mqtt_publisher.h"

#include <assert.h>
#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/port.h"
#include "transport/mqtt_guard.h"
#include "transport/mqtt_tls.h"
#include "transport/mqtt_topic.h"

#define KEEPALIVE_S          60
#define SILENCE_MS           45000u /* below the keepalive: the broker has not given us up */
#define CONNECT_MS           10000u
#define ANSWER_MS            10000u
#define ANSWER_MS_FACTOR_MAX 6u /* a server that is slow is not asked again and again */
#define LEAVE_MS             200u
#define TICK_MS              1000u
#define IDLE_READ_MAX        16u /* reads that told us of nothing, before asking the socket */
#define CLIENT_ID_MAX        100u
#define PROTOCOL_TOO_NEW_5   132 /* a CONNACK's reason */
#define PROTOCOL_TOO_NEW_311 1
#define NOBODY_LISTENS       16 /* a PUBACK's */

struct eds_mqtt_publisher {
    struct eds_mqtt_publisher_config config; /* defaults filled in */
    char *reply_topic[2];                    /* with 3.1.1, with 5 */
    bool is_5;                               /* what this connection speaks */
    bool knows_5, refuses_5;                 /* what the broker told us, if it did */
    uint64_t number;                         /* of messages: in their correlation data */
    uint8_t secret[8];                       /* likewise; of this connection */

    struct mosquitto *mosquitto; /* NULL: no connection */
    bool is_met;                 /* it is made; the broker may say no to it yet */
    bool is_accepted, is_subscribed, is_over, has_read;
    struct eds_error reason; /* why it is over; text "" while nobody knows */
    uint64_t used_ms;        /* when something last came or went */
    unsigned silences;       /* rounds in a row that got no answer */

    struct eds_mqtt_post *posts; /* on their way */
    size_t post_count;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The connection is of no use any more; the first reason counts. */
static void give_up(struct eds_mqtt_publisher *publisher, const char *reason)
{
    publisher->is_over = true;
    if (publisher->reason.text[0] == '\0')
        eds_error_set(&publisher->reason, EDS_ERR_IO, "%s", reason);
}

/* libmosquitto calls back from within a guarded read, and then it is we who may abort. */
static struct eds_mqtt_publisher *enter(void *context)
{
    struct eds_mqtt_publisher *publisher = context;

    mqtt_guard_suspend();
    publisher->has_read = true;
    publisher->used_ms = now_ms();
    return publisher;
}

static void on_connect(struct mosquitto *mosquitto, void *context, int reason, int flags,
                       const mosquitto_property *properties)
{
    struct eds_mqtt_publisher *publisher = enter(context);
    char text[160];

    (void)flags;
    (void)properties;
    if (reason != 0) {
        snprintf(text, sizeof text, "the broker refused: %s",
                 publisher->is_5 && reason >= 128 ? mosquitto_reason_string(reason)
                                                  : mosquitto_connack_string(reason));
        publisher->refuses_5 |=
            publisher->is_5 && (reason == PROTOCOL_TOO_NEW_5 || reason == PROTOCOL_TOO_NEW_311);
        give_up(publisher, text);
    } else if (publisher->is_accepted) {
        give_up(publisher, "the broker accepted the connection twice");
    } else if (mosquitto_subscribe_v5(mosquitto, NULL, publisher->reply_topic[publisher->is_5], 1,
                                      publisher->is_5 ? MQTT_SUB_OPT_SEND_RETAIN_NEVER : 0,
                                      NULL) != MOSQ_ERR_SUCCESS) {
        give_up(publisher, "cannot subscribe to the answers");
    }
    publisher->is_accepted = reason == 0;
    publisher->knows_5 |= publisher->is_accepted && publisher->is_5;
    mqtt_guard_resume();
}

static void on_subscribe(struct mosquitto *mosquitto, void *context, int id, int count,
                         const int *granted, const mosquitto_property *properties)
{
    struct eds_mqtt_publisher *publisher = enter(context);
    struct eds_error text;

    (void)mosquitto;
    (void)id;
    (void)properties;
    publisher->is_subscribed = count > 0 && granted[0] >= 0 && granted[0] <= 2;
    if (!publisher->is_subscribed) {
        eds_error_set(&text, EDS_ERR_IO, "the broker does not let this client subscribe to \"%s\"",
                      publisher->reply_topic[publisher->is_5]);
        give_up(publisher, text.text);
    }
    mqtt_guard_resume();
}

static void on_disconnect(struct mosquitto *mosquitto, void *context, int reason,
                          const mosquitto_property *properties)
{
    struct eds_mqtt_publisher *publisher = enter(context);

    (void)mosquitto;
    (void)properties;
    give_up(publisher, reason >= 128 ? mosquitto_reason_string(reason)
                       : reason > 0  ? mosquitto_strerror(reason)
                                     : "the connection ended");
    mqtt_guard_resume();
}

/* What the broker says of a message: only bad news counts. */
static void on_publish(struct mosquitto *mosquitto, void *context, int id, int reason,
                       const mosquitto_property *properties)
{
    struct eds_mqtt_publisher *publisher = enter(context);

    (void)mosquitto;
    (void)properties;
    for (size_t i = 0; i < publisher->post_count; i++) {
        struct eds_mqtt_post *post = &publisher->posts[i];

        if (post->message_id != id || post->is_over || (reason < 128 && reason != NOBODY_LISTENS))
            continue;
        post->is_over = true;
        snprintf(post->answer.error, sizeof post->answer.error, "%s",
                 reason == NOBODY_LISTENS ? "no server listens to this topic at the broker"
                                          : mosquitto_reason_string(reason));
    }
    mqtt_guard_resume();
}

/* The post that a message answers, or NULL. */
static struct eds_mqtt_post *find_post(struct eds_mqtt_publisher *publisher, const char *device_id,
                                       uint64_t sequence, const mosquitto_property *properties)
{
    struct eds_mqtt_post *found = NULL;
    void *correlation = NULL;
    uint16_t size = 0;

    if (publisher->is_5)
        mosquitto_property_read_binary(properties, MQTT_PROP_CORRELATION_DATA, &correlation, &size,
                                       false);
    for (size_t i = 0; i < publisher->post_count; i++) {
        struct eds_mqtt_post *post = &publisher->posts[i];

        if (!post->is_over && post->sequence == sequence &&
            strcmp(post->device_id, device_id) == 0 &&
            (!publisher->is_5 || (size == sizeof post->correlation &&
                                  memcmp(correlation, post->correlation, size) == 0)))
            found = post;
    }
    free(correlation);
    return found;
}

static void on_message(struct mosquitto *mosquitto, void *context,
                       const struct mosquitto_message *message,
                       const mosquitto_property *properties)
{
    struct eds_mqtt_publisher *publisher = enter(context);
    char device_id[EDS_DEVICE_ID_SIZE];
    struct eds_answer answer;
    struct eds_mqtt_post *post;
    uint64_t sequence;

    (void)mosquitto;
    if (!message->retain && message->payloadlen > 0 &&
        strcmp(message->topic, publisher->reply_topic[publisher->is_5]) == 0 &&
        eds_json_answer_decode_for(device_id, &sequence, &answer, message->payload,
                                   (size_t)message->payloadlen, NULL) == EDS_OK &&
        (post = find_post(publisher, device_id, sequence, properties)) != NULL) {
        post->is_over = post->is_answered = true;
        post->answer = answer;
    }
    mqtt_guard_resume();
}

/* Where TLS fails, only the log has the reason. */
static void on_log(struct mosquitto *mosquitto, void *context, int level, const char *text)
{
    struct eds_mqtt_publisher *publisher = context;

    (void)mosquitto;
    mqtt_guard_suspend();
    if (level == MOSQ_LOG_ERR && strstr(text, "certificate verify failed") != NULL)
        give_up(publisher, "the broker's certificate is not vouched for, or not valid now");
    else if (level == MOSQ_LOG_ERR && strstr(text, "host name verification failed") != NULL)
        give_up(publisher, "the broker's certificate is for another host");
    mqtt_guard_resume();
}

static void disconnect(struct eds_mqtt_publisher *publisher)
{
    if (publisher->mosquitto != NULL)
        mosquitto_destroy(publisher->mosquitto);
    publisher->mosquitto = NULL;
}

static int32_t make_handle(struct eds_mqtt_publisher *publisher, struct eds_error *err)
{
    const struct eds_mqtt_publisher_config *config = &publisher->config;
    struct mosquitto *mosquitto = mosquitto_new(config->client_id, true, publisher);
    int rc;

    if (mosquitto == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for the MQTT client");
    publisher->mosquitto = mosquitto;
    rc = mosquitto_threaded_set(mosquitto, true); /* so that it sends when we say so */
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_int_option(mosquitto, MOSQ_OPT_PROTOCOL_VERSION,
                                  publisher->is_5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_int_option(mosquitto, MOSQ_OPT_TCP_NODELAY, 1);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_int_option(mosquitto, MOSQ_OPT_SEND_MAXIMUM, (int)EDS_MQTT_POSTS_MAX);
    if (rc == MOSQ_ERR_SUCCESS && config->user != NULL)
        rc = mosquitto_username_pw_set(mosquitto, config->user, config->password);
    if (rc != MOSQ_ERR_SUCCESS)
        return eds_error_set(err, rc == MOSQ_ERR_NOMEM ? EDS_ERR_NO_MEMORY : EDS_ERR_USAGE,
                             "the MQTT client cannot be set up: %s", mosquitto_strerror(rc));
    mosquitto_connect_v5_callback_set(mosquitto, on_connect);
    mosquitto_disconnect_v5_callback_set(mosquitto, on_disconnect);
    mosquitto_subscribe_v5_callback_set(mosquitto, on_subscribe);
    mosquitto_message_v5_callback_set(mosquitto, on_message);
    mosquitto_publish_v5_callback_set(mosquitto, on_publish);
    mosquitto_log_callback_set(mosquitto, on_log);
    return config->has_tls
               ? mqtt_tls_set(mosquitto, config->ca_file, config->cert_file, config->key_file, err)
               : EDS_OK;
}

static void end_if_failed(struct eds_mqtt_publisher *publisher, int rc)
{
    if (rc == MQTT_GUARD_ABORTED)
        give_up(publisher, "the broker sent what libmosquitto cannot read");
    else if (rc == MOSQ_ERR_ERRNO && errno != 0)
        give_up(publisher, strerror(errno));
    else if (rc != MOSQ_ERR_SUCCESS)
        give_up(publisher, mosquitto_strerror(rc));
}

/* Takes in what has come.  libmosquitto does not say whether it has read all there was,
 * and with TLS the socket does not know: errno and our callbacks tell. */
static void read_packets(struct eds_mqtt_publisher *publisher)
{
    unsigned idle_count = 0;
    bool blocked = false;

    while (!blocked && idle_count < IDLE_READ_MAX && !publisher->is_over) {
        int rc;

        publisher->has_read = false;
        errno = 0;
        rc = mqtt_guard_read(publisher->mosquitto);
        blocked = !publisher->has_read && (errno == EAGAIN || errno == EWOULDBLOCK);
        idle_count = publisher->has_read ? 0 : idle_count + 1;
        end_if_failed(publisher, rc);
    }
}

/* Sends and receives once, waiting for it until then at most. */
static void turn(struct eds_mqtt_publisher *publisher, uint64_t until_ms)
{
    struct mosquitto *mosquitto = publisher->mosquitto;
    uint64_t now = now_ms(), left_ms = until_ms > now ? until_ms - now : 0;
    struct pollfd fd = {.fd = mosquitto_socket(mosquitto), .events = POLLIN};
    struct sockaddr_storage peer;
    socklen_t peer_size = sizeof peer;

    if (fd.fd < 0) {
        give_up(publisher, "the connection was lost");
        return;
    }
    if (mosquitto_want_write(mosquitto))
        fd.events |= POLLOUT;
    if (poll(&fd, 1, (int)(left_ms < TICK_MS ? left_ms : TICK_MS)) < 0)
        return;
    publisher->is_met |= getpeername(fd.fd, (struct sockaddr *)&peer, &peer_size) == 0;
    if (mosquitto_want_write(mosquitto))
        end_if_failed(publisher, mosquitto_loop_write(mosquitto, 1));
    if (!publisher->is_over && (fd.revents & ~POLLOUT) != 0)
        read_packets(publisher);
    if (!publisher->is_over)
        mosquitto_loop_misc(mosquitto);
}

static int32_t connect_once(struct eds_mqtt_publisher *publisher, bool is_5, struct eds_error *err)
{
    const struct eds_mqtt_publisher_config *config = &publisher->config;
    uint64_t until_ms = now_ms() + config->connect_ms;
    int32_t rc;

    disconnect(publisher);
    publisher->is_5 = is_5;
    publisher->is_met = publisher->is_accepted = false;
    publisher->is_subscribed = publisher->is_over = false;
    publisher->reason = (struct eds_error){.code = EDS_OK};
    if (eds_port_random(publisher->secret, sizeof publisher->secret) != 0)
        return eds_error_set(err, EDS_ERR_IO, "no random numbers for messages");
    rc = make_handle(publisher, err);
    if (rc == EDS_OK) {
        errno = 0;
        end_if_failed(publisher, mosquitto_connect_async(publisher->mosquitto, config->broker,
                                                         (int)config->port, KEEPALIVE_S));
        while (!publisher->is_over && !publisher->is_subscribed && now_ms() < until_ms)
            turn(publisher, until_ms);
        if (!publisher->is_subscribed || publisher->is_over)
            rc = eds_error_set(err, EDS_ERR_IO, "no way to the broker %s:%u: %s", config->broker,
                               config->port,
                               publisher->is_over ? publisher->reason.text : "it does not answer");
    }
    if (rc != EDS_OK)
        disconnect(publisher);
    return rc;
}

static bool is_usable(const struct eds_mqtt_publisher *publisher)
{
    return publisher->mosquitto != NULL && !publisher->is_over &&
           now_ms() - publisher->used_ms < SILENCE_MS;
}

/* A broker that does not know MQTT 5 says so, or just hangs up.  One that was only away,
 * or went down meanwhile, is no such broker: 3.1.1 would not tell us that nobody listens. */
static int32_t ensure_connection(struct eds_mqtt_publisher *publisher, struct eds_error *err)
{
    int32_t rc = EDS_ERR_IO;

    if (is_usable(publisher))
        turn(publisher, 0); /* it may have ended meanwhile */
    if (is_usable(publisher))
        return EDS_OK;
    if (!publisher->refuses_5)
        rc = connect_once(publisher, true, err);
    if (publisher->refuses_5 ||
        (rc != EDS_OK && publisher->is_met && !publisher->is_accepted && !publisher->knows_5))
        rc = connect_once(publisher, false, err);
    return rc;
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
    if (publisher->is_5) {
        rc = mosquitto_property_add_string(&properties, MQTT_PROP_RESPONSE_TOPIC,
                                           publisher->reply_topic[1]);
        if (rc == MOSQ_ERR_SUCCESS)
            rc = mosquitto_property_add_binary(&properties, MQTT_PROP_CORRELATION_DATA,
                                               post->correlation, sizeof post->correlation);
        if (rc == MOSQ_ERR_SUCCESS && publisher->config.route != NULL)
            rc = add_route(&properties, publisher->config.route);
    }
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_publish_v5(publisher->mosquitto, &post->message_id, publisher->config.topic,
                                  (int)post->body_size, post->body, 1, false, properties);
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

int32_t eds_mqtt_publisher_post(struct eds_mqtt_publisher *publisher, struct eds_mqtt_post *posts,
                                size_t count, struct eds_error *err)
{
    uint64_t until_ms;
    int32_t rc = ensure_connection(publisher, err);

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
    until_ms = now_ms() + answer_ms(publisher);
    while (!publisher->is_over && !is_all_over(publisher) && now_ms() < until_ms)
        turn(publisher, until_ms);
    for (size_t i = 0; i < count; i++)
        if (!posts[i].is_over)
            snprintf(posts[i].answer.error, sizeof posts[i].answer.error, "%s",
                     publisher->is_over ? publisher->reason.text : "no server answers");
    publisher->silences = has_answer(publisher) ? 0 : publisher->silences + 1;
    /* An answer that is still to come must find nothing that it could be taken for. */
    publisher->is_over = publisher->is_over || !is_all_over(publisher);
    publisher->posts = NULL;
    publisher->post_count = 0;
    return EDS_OK;
}

static int32_t check_config(const struct eds_mqtt_publisher_config *config, struct eds_error *err)
{
    const char *id = config->client_id;

    if (config->port == 0 || config->port > UINT16_MAX)
        return eds_error_set(err, EDS_ERR_USAGE, "the port is 1 to 65535, not %u", config->port);
    if (strlen(config->topic) >= EDS_MQTT_TOPIC_SIZE - CLIENT_ID_MAX - 16u ||
        mosquitto_validate_utf8(config->topic, (int)strlen(config->topic)) != 0 ||
        mosquitto_pub_topic_check(config->topic) != MOSQ_ERR_SUCCESS || config->topic[0] == '\0' ||
        config->topic[0] == '$' || eds_mqtt_is_answer(config->topic))
        return eds_error_set(err, EDS_ERR_USAGE,
                             "\"%s\" is no topic for records: no wildcards, no $ in front, and "
                             "not " EDS_MQTT_ANSWER_SUFFIX " at its end",
                             config->topic);
    if (id[0] == '\0' || strlen(id) > CLIENT_ID_MAX || strpbrk(id, "/+#") != NULL ||
        mosquitto_validate_utf8(id, (int)strlen(id)) != 0)
        return eds_error_set(err, EDS_ERR_USAGE,
                             "the client id is 1 to %u bytes of UTF-8 without /, + and #",
                             CLIENT_ID_MAX);
    if ((config->cert_file == NULL) != (config->key_file == NULL))
        return eds_error_set(err, EDS_ERR_USAGE,
                             "a client certificate needs its key, and a key its certificate");
    return EDS_OK;
}

static int32_t make_topics(struct eds_mqtt_publisher *publisher, struct eds_error *err)
{
    const char *topic = publisher->config.topic, *id = publisher->config.client_id;
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

int32_t eds_mqtt_publisher_open(struct eds_mqtt_publisher **out,
                                const struct eds_mqtt_publisher_config *config,
                                struct eds_error *err)
{
    struct eds_mqtt_publisher *publisher;
    int32_t rc = check_config(config, err);

    if (rc != EDS_OK)
        return rc;
    publisher = calloc(1, sizeof *publisher);
    if (publisher == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for the MQTT client");
    mosquitto_lib_init();
    mqtt_guard_begin();
    publisher->config = *config;
    publisher->config.connect_ms = config->connect_ms > 0 ? config->connect_ms : CONNECT_MS;
    publisher->config.answer_ms = config->answer_ms > 0 ? config->answer_ms : ANSWER_MS;
    rc = make_topics(publisher, err);
    if (rc == EDS_OK)
        rc = make_handle(publisher, err); /* what is wrong with files shows now */
    disconnect(publisher);
    if (rc != EDS_OK)
        eds_mqtt_publisher_close(publisher);
    else
        *out = publisher;
    return rc;
}

void eds_mqtt_publisher_close(struct eds_mqtt_publisher *publisher)
{
    if (publisher == NULL)
        return;
    if (publisher->mosquitto != NULL && !publisher->is_over) {
        mosquitto_disconnect_v5(publisher->mosquitto, 0, NULL);
        turn(publisher, now_ms() + LEAVE_MS);
    }
    disconnect(publisher);
    free(publisher->reply_topic[0]);
    free(publisher->reply_topic[1]);
    free(publisher);
    mqtt_guard_end();
    mosquitto_lib_cleanup();
}

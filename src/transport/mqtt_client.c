/* mqtt_client.c - see mqtt_client.h. */
#include "transport/mqtt_client.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "transport/mqtt_guard.h"
#include "transport/mqtt_handle.h"
#include "transport/mqtt_round.h"
#include "transport/mqtt_topic.h"

#define KEEPALIVE_S          60
#define SILENCE_MS           45000u /* below the keepalive: the broker has not given us up */
#define CONNECT_MS           10000u
#define LEAVE_MS             200u
#define TICK_MS              1000u
#define IDLE_READ_MAX        16u /* reads that told us of nothing, before asking the socket */
#define PROTOCOL_TOO_NEW_5   132 /* a CONNACK's reason */
#define PROTOCOL_TOO_NEW_311 1

/* The connection is of no use any more; the first reason counts. */
static void give_up(struct mqtt_client *client, const char *reason)
{
    client->is_over = true;
    if (client->reason.text[0] == '\0')
        eds_error_set(&client->reason, EDS_ERR_IO, "%s", reason);
}

/* libmosquitto calls back from within a guarded read, and then it is we who may abort. */
static struct mqtt_client *enter(void *context)
{
    struct mqtt_client *client = context;

    mqtt_guard_suspend();
    client->has_read = true;
    client->served_ms = mqtt_now_ms();
    return client;
}

static void on_connect(struct mosquitto *mosquitto, void *context, int reason, int flags,
                       const mosquitto_property *properties)
{
    struct mqtt_client *client = enter(context);
    char text[160];

    (void)flags;
    (void)properties;
    if (reason != 0) {
        snprintf(text, sizeof text, "the broker refused: %s",
                 client->is_5 && reason >= 128 ? mosquitto_reason_string(reason)
                                               : mosquitto_connack_string(reason));
        client->refuses_5 |=
            client->is_5 && (reason == PROTOCOL_TOO_NEW_5 || reason == PROTOCOL_TOO_NEW_311);
        give_up(client, text);
    } else if (client->is_accepted) {
        give_up(client, "the broker accepted the connection twice");
    } else if (mosquitto_subscribe_v5(mosquitto, NULL, client->config.topic[client->is_5], 1,
                                      client->is_5 ? MQTT_SUB_OPT_SEND_RETAIN_NEVER : 0,
                                      NULL) != MOSQ_ERR_SUCCESS) {
        give_up(client, "cannot subscribe");
    }
    client->is_accepted = reason == 0;
    client->knows_5 |= client->is_accepted && client->is_5;
    mqtt_guard_resume();
}

static void on_subscribe(struct mosquitto *mosquitto, void *context, int id, int count,
                         const int *granted, const mosquitto_property *properties)
{
    struct mqtt_client *client = enter(context);
    struct eds_error text;

    (void)mosquitto;
    (void)id;
    (void)properties;
    client->is_subscribed = count > 0 && granted[0] >= 0 && granted[0] <= 2;
    if (!client->is_subscribed) {
        eds_error_set(&text, EDS_ERR_IO, "the broker does not let this client subscribe to \"%s\"",
                      client->config.topic[client->is_5]);
        give_up(client, text.text);
    }
    mqtt_guard_resume();
}

static void on_disconnect(struct mosquitto *mosquitto, void *context, int reason,
                          const mosquitto_property *properties)
{
    struct mqtt_client *client = enter(context);

    (void)mosquitto;
    (void)properties;
    give_up(client, reason >= 128 ? mosquitto_reason_string(reason)
                    : reason > 0  ? mosquitto_strerror(reason)
                                  : "the connection ended");
    mqtt_guard_resume();
}

static void on_publish(struct mosquitto *mosquitto, void *context, int id, int reason,
                       const mosquitto_property *properties)
{
    struct mqtt_client *client = enter(context);

    (void)mosquitto;
    (void)properties;
    if (client->config.published != NULL)
        client->config.published(client->config.context, id, reason);
    mqtt_guard_resume();
}

/* What the broker has kept, or sends by itself, is nothing that anybody waits for. */
static void on_message(struct mosquitto *mosquitto, void *context,
                       const struct mosquitto_message *message,
                       const mosquitto_property *properties)
{
    struct mqtt_client *client = enter(context);

    (void)mosquitto;
    if (!message->retain && message->payloadlen > 0 &&
        strcmp(message->topic, client->config.topic[client->is_5]) == 0)
        client->config.take(client->config.context, message, properties);
    mqtt_guard_resume();
}

/* Where TLS fails, only the log has the reason. */
static void on_log(struct mosquitto *mosquitto, void *context, int level, const char *text)
{
    struct mqtt_client *client = context;

    (void)mosquitto;
    mqtt_guard_suspend();
    if (level == MOSQ_LOG_ERR && strstr(text, "certificate verify failed") != NULL)
        give_up(client, "the broker's certificate is not vouched for, or not valid now");
    else if (level == MOSQ_LOG_ERR && strstr(text, "host name verification failed") != NULL)
        give_up(client, "the broker's certificate is for another host");
    mqtt_guard_resume();
}

static void disconnect(struct mqtt_client *client)
{
    if (client->mosquitto != NULL)
        mosquitto_destroy(client->mosquitto);
    client->mosquitto = NULL;
}

static int32_t make_handle(struct mqtt_client *client, struct eds_error *err)
{
    struct mqtt_handle_config config = {.is_5 = client->is_5,
                                        .is_clean = true,
                                        .send_max = client->config.publish_max,
                                        .context = client,
                                        .on_connect = on_connect,
                                        .on_disconnect = on_disconnect,
                                        .on_subscribe = on_subscribe,
                                        .on_message = on_message,
                                        .on_publish = on_publish,
                                        .on_log = on_log};

    return mqtt_handle_make(&client->mosquitto, &client->config.broker, &config, err);
}

static void end_if_failed(struct mqtt_client *client, int rc)
{
    if (rc == MQTT_GUARD_ABORTED)
        give_up(client, "the broker sent what libmosquitto cannot read");
    else if (rc == MOSQ_ERR_ERRNO && errno != 0)
        give_up(client, strerror(errno));
    else if (rc != MOSQ_ERR_SUCCESS)
        give_up(client, mosquitto_strerror(rc));
}

/* Takes in what has come.  libmosquitto does not say whether it has read all there was,
 * and with TLS the socket does not know: errno and our callbacks tell. */
static void read_packets(struct mqtt_client *client)
{
    unsigned idle_count = 0;
    bool blocked = false;

    while (!blocked && idle_count < IDLE_READ_MAX && !client->is_over) {
        int rc;

        client->has_read = false;
        errno = 0;
        rc = mqtt_guard_read(client->mosquitto);
        blocked = !client->has_read && (errno == EAGAIN || errno == EWOULDBLOCK);
        idle_count = client->has_read ? 0 : idle_count + 1;
        end_if_failed(client, rc);
    }
}

bool mqtt_client_turn(struct mqtt_client *client, uint64_t until_ms, const int *wake_fds,
                      size_t wake_count)
{
    struct mosquitto *mosquitto = client->mosquitto;
    uint64_t now = mqtt_now_ms(), left_ms = until_ms > now ? until_ms - now : 0;
    struct pollfd fds[1 + MQTT_CLIENT_WAKE_MAX] = {
        {.fd = mosquitto_socket(mosquitto), .events = POLLIN}};
    struct sockaddr_storage peer;
    socklen_t peer_size = sizeof peer;
    bool is_woken = false;

    assert(wake_count <= MQTT_CLIENT_WAKE_MAX);
    if (fds[0].fd < 0) {
        give_up(client, "the connection was lost");
        return false;
    }
    for (size_t i = 0; i < wake_count; i++)
        fds[1 + i] = (struct pollfd){.fd = wake_fds[i], .events = POLLIN};
    if (mosquitto_want_write(mosquitto))
        fds[0].events |= POLLOUT;
    if (poll(fds, 1 + wake_count, (int)(left_ms < TICK_MS ? left_ms : TICK_MS)) < 0)
        return false;
    for (size_t i = 0; i < wake_count; i++)
        is_woken |= fds[1 + i].revents != 0;
    client->is_met |= getpeername(fds[0].fd, (struct sockaddr *)&peer, &peer_size) == 0;
    if (mosquitto_want_write(mosquitto))
        end_if_failed(client, mosquitto_loop_write(mosquitto, 1));
    if (!client->is_over && (fds[0].revents & ~POLLOUT) != 0)
        read_packets(client);
    if (!client->is_over)
        mosquitto_loop_misc(mosquitto); /* the keepalive: it sees a broker that is gone */
    client->served_ms = mqtt_now_ms();
    return is_woken;
}

static int32_t connect_once(struct mqtt_client *client, bool is_5, struct eds_error *err)
{
    const struct mqtt_client_config *config = &client->config;
    uint64_t until_ms = mqtt_now_ms() + config->connect_ms;
    int32_t rc;

    disconnect(client);
    client->is_5 = is_5;
    client->is_met = client->is_accepted = false;
    client->is_subscribed = client->is_over = false;
    client->reason = (struct eds_error){.code = EDS_OK};
    rc = make_handle(client, err);
    if (rc == EDS_OK) {
        errno = 0;
        end_if_failed(client, mosquitto_connect_async(client->mosquitto, config->broker.host,
                                                      (int)config->broker.port, KEEPALIVE_S));
        while (!client->is_over && !client->is_subscribed && mqtt_now_ms() < until_ms)
            mqtt_client_turn(client, until_ms, NULL, 0);
        if (!client->is_subscribed || client->is_over)
            rc = eds_error_set(err, EDS_ERR_IO, "no way to the broker %s:%u: %s",
                               config->broker.host, config->broker.port,
                               client->is_over ? client->reason.text : "it does not answer");
    }
    if (rc != EDS_OK)
        disconnect(client);
    return rc;
}

static bool is_usable(const struct mqtt_client *client)
{
    return client->mosquitto != NULL && !client->is_over &&
           mqtt_now_ms() - client->served_ms < SILENCE_MS;
}

/* A broker that does not know MQTT 5 says so, or just hangs up.  One that was only away,
 * or went down meanwhile, is no such broker: 3.1.1 would not tell us that nobody listens. */
int32_t mqtt_client_connect(struct mqtt_client *client, bool *is_new, struct eds_error *err)
{
    int32_t rc = EDS_ERR_IO;

    if (is_usable(client))
        mqtt_client_turn(client, 0, NULL, 0); /* it may have ended meanwhile */
    *is_new = !is_usable(client);
    if (!*is_new)
        return EDS_OK;
    if (!client->refuses_5)
        rc = connect_once(client, true, err);
    if (client->refuses_5 ||
        (rc != EDS_OK && client->is_met && !client->is_accepted && !client->knows_5))
        rc = connect_once(client, false, err);
    return rc;
}

void mqtt_client_drop(struct mqtt_client *client)
{
    client->is_over = true;
}

int32_t mqtt_client_check(const char *topic, const struct eds_mqtt_broker *broker,
                          struct eds_error *err)
{
    const char *client_id = broker->client_id;
    int32_t rc = mqtt_broker_check(broker, err);

    if (rc != EDS_OK)
        return rc;
    if (strlen(topic) >= EDS_MQTT_TOPIC_SIZE - MQTT_CLIENT_ID_MAX - 16u ||
        mosquitto_validate_utf8(topic, (int)strlen(topic)) != 0 ||
        mosquitto_pub_topic_check(topic) != MOSQ_ERR_SUCCESS || topic[0] == '\0' ||
        topic[0] == '$' || eds_mqtt_is_answer(topic))
        return eds_error_set(err, EDS_ERR_USAGE,
                             "\"%s\" is no topic for records: no wildcards, no $ in front, and "
                             "neither " EDS_MQTT_ANSWER_SUFFIX " nor " EDS_MQTT_COMMAND_SUFFIX
                             " at its end",
                             topic);
    if (client_id[0] == '\0' || strlen(client_id) > MQTT_CLIENT_ID_MAX ||
        strpbrk(client_id, "/+#") != NULL ||
        mosquitto_validate_utf8(client_id, (int)strlen(client_id)) != 0)
        return eds_error_set(err, EDS_ERR_USAGE,
                             "the client id is 1 to %u bytes of UTF-8 without /, + and #",
                             MQTT_CLIENT_ID_MAX);
    return EDS_OK;
}

static void free_client(struct mqtt_client *client)
{
    disconnect(client);
    mqtt_guard_end();
    mosquitto_lib_cleanup();
}

int32_t mqtt_client_open(struct mqtt_client *client, const struct mqtt_client_config *config,
                         struct eds_error *err)
{
    int32_t rc;

    *client = (struct mqtt_client){.config = *config};
    mosquitto_lib_init();
    mqtt_guard_begin();
    client->config.connect_ms = config->connect_ms > 0 ? config->connect_ms : CONNECT_MS;
    rc = make_handle(client, err); /* what is wrong with files shows now */
    disconnect(client);
    if (rc != EDS_OK)
        free_client(client);
    return rc;
}

void mqtt_client_close(struct mqtt_client *client)
{
    if (client->mosquitto != NULL && !client->is_over) {
        mosquitto_disconnect_v5(client->mosquitto, 0, NULL);
        mqtt_client_turn(client, mqtt_now_ms() + LEAVE_MS, NULL, 0);
    }
    free_client(client);
}

/* mqtt_link.c - a connection to the broker, from its first byte to its end. */
#include "transport/mqtt_link.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/mqtt_guard.h"

#define KEEPALIVE_S   60
#define SUBSCRIBED_MS 20000u /* until then the broker must have granted the subscription */
#define FLUSH_MS      20000u /* until then it must have read what we sent */
#define GATHER_MS     5u     /* a round takes more while ingest is at work, so long at most */
#define LEAVE_MS      1000u  /* for the broker to read our last words */
#define TICK_MS       1000
#define IDLE_READ_MAX 16u /* reads that told us of nothing, before asking the socket */

static bool is_connected(const struct eds_mqtt_subscriber *subscriber)
{
    return mosquitto_socket(subscriber->mosquitto) >= 0;
}

static bool is_over(const struct eds_mqtt_subscriber *subscriber)
{
    return subscriber->link.is_dropped || !is_connected(subscriber);
}

void mqtt_link_reason(struct eds_mqtt_subscriber *subscriber, const char *text)
{
    if (subscriber->link.reason.text[0] == '\0')
        eds_error_set(&subscriber->link.reason, EDS_ERR_IO, "%s", text);
}

void mqtt_link_drop(struct eds_mqtt_subscriber *subscriber, const char *reason)
{
    int fd = mosquitto_socket(subscriber->mosquitto);

    mqtt_link_reason(subscriber, reason);
    subscriber->link.is_dropped = true;
    if (fd >= 0)
        shutdown(fd, SHUT_RDWR);
}

/* Sends all that is queued: acknowledgements of what is decided, answers. */
static void flush(struct eds_mqtt_subscriber *subscriber)
{
    uint64_t give_up_ms = mqtt_now_ms() + FLUSH_MS;

    while (!is_over(subscriber) && mosquitto_want_write(subscriber->mosquitto)) {
        struct pollfd fd = {.fd = mosquitto_socket(subscriber->mosquitto), .events = POLLOUT};
        int rc = mosquitto_loop_write(subscriber->mosquitto, 1);

        if (rc != MOSQ_ERR_SUCCESS)
            mqtt_link_drop(subscriber, mosquitto_strerror(rc));
        else if (mqtt_now_ms() >= give_up_ms)
            mqtt_link_drop(subscriber, "the broker does not read what we send");
        else if (is_connected(subscriber) && mosquitto_want_write(subscriber->mosquitto))
            poll(&fd, 1, TICK_MS);
    }
}

/* Whether the round should take no more for now. */
static bool is_round_over(const struct eds_mqtt_subscriber *subscriber)
{
    const struct mqtt_round *round = &subscriber->round;

    return mqtt_round_is_full(round) ||
           (round->count > 0 && mqtt_now_ms() - round->begun_ms >= GATHER_MS);
}

static void end_if_failed(struct eds_mqtt_subscriber *subscriber, int rc)
{
    const char *text = mosquitto_strerror(rc);

    if (rc == MOSQ_ERR_SUCCESS)
        return;
    if (rc == MOSQ_ERR_ERRNO && errno != 0)
        text = strerror(errno);
    if (rc == MQTT_GUARD_ABORTED)
        text = "the broker sent what libmosquitto cannot read";
    subscriber->link.is_spoiled |= rc == MQTT_GUARD_ABORTED || rc == MOSQ_ERR_TLS;
    mqtt_link_drop(subscriber, text);
}

/* Takes in what has come, packet by packet, until there is no more or the round
 * is over.  libmosquitto does not say whether it has read all there was, and
 * with TLS the socket does not know: errno and our callbacks tell. */
static void read_packets(struct eds_mqtt_subscriber *subscriber)
{
    struct mqtt_link *link = &subscriber->link;
    unsigned idle_count = 0;
    bool blocked = false;

    while (!blocked && idle_count < IDLE_READ_MAX && !is_over(subscriber) &&
           !is_round_over(subscriber)) {
        int rc;

        link->has_read = false;
        link->is_reading = true;
        errno = 0;
        rc = mqtt_guard_read(subscriber->mosquitto);
        blocked = !link->has_read && (errno == EAGAIN || errno == EWOULDBLOCK);
        link->is_reading = false;
        idle_count = link->has_read ? 0 : idle_count + 1;
        end_if_failed(subscriber, rc);
    }
}

/* Waits for the socket or for whoever writes to wake_fd. */
static void await(struct eds_mqtt_subscriber *subscriber, int timeout_ms)
{
    struct pollfd fds[] = {
        {.fd = mosquitto_socket(subscriber->mosquitto), .events = POLLIN},
        {.fd = subscriber->wake_fd, .events = POLLIN},
    };
    uint64_t count;

    if (poll(fds, 2, timeout_ms) > 0 && (fds[1].revents & POLLIN) != 0 &&
        read(fds[1].fd, &count, sizeof count) < 0)
        count = 0; /* somebody was quicker */
}

/* While ingest is at work on the round, takes in what comes meanwhile. */
static void gather(struct eds_mqtt_subscriber *subscriber)
{
    while (subscriber->round.count > 0 && !is_over(subscriber) && !is_round_over(subscriber) &&
           !mqtt_round_is_decided(&subscriber->round)) {
        await(subscriber, GATHER_MS);
        read_packets(subscriber);
    }
}

/* Says goodbye.  Nothing may be read any more by libmosquitto, which would
 * acknowledge it; but a socket that is closed with bytes unread takes our last
 * words back.  So they are read past it, through a descriptor of our own. */
static void leave(struct eds_mqtt_subscriber *subscriber)
{
    int fd = dup(mosquitto_socket(subscriber->mosquitto));
    uint64_t give_up_ms = mqtt_now_ms() + LEAVE_MS;
    char bytes[4096];
    ssize_t size = 1;

    mosquitto_disconnect_v5(subscriber->mosquitto, 0, NULL);
    flush(subscriber);
    mqtt_link_reason(subscriber, "stopped");
    if (fd < 0)
        return;
    shutdown(fd, SHUT_WR);
    while (size > 0 && mqtt_now_ms() < give_up_ms) {
        struct pollfd readable = {.fd = fd, .events = POLLIN};

        if (poll(&readable, 1, TICK_MS) > 0)
            size = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    }
    close(fd);
}

static void serve(struct eds_mqtt_subscriber *subscriber)
{
    struct mqtt_link *link = &subscriber->link;

    flush(subscriber);
    while (!is_over(subscriber)) {
        await(subscriber, TICK_MS);
        if (!atomic_load(&subscriber->stopping))
            read_packets(subscriber);
        gather(subscriber);
        mqtt_message_finish(subscriber);
        mqtt_message_commands(subscriber);
        flush(subscriber);
        if (is_over(subscriber))
            break;
        if (atomic_load(&subscriber->stopping)) {
            leave(subscriber);
            break;
        }
        if (!link->is_subscribed && mqtt_now_ms() - link->begun_ms > SUBSCRIBED_MS)
            mqtt_link_drop(subscriber, "the broker does not answer");
        mosquitto_loop_misc(subscriber->mosquitto);
    }
    /* A connection may end in the middle of a round. */
    mqtt_message_finish(subscriber);
    /* What a broker says of itself stays in the handle.  If that is why we could
     * not subscribe, it would be so for ever. */
    link->is_spoiled |= link->is_accepted && !link->is_subscribed;
}

void mqtt_link_run(struct eds_mqtt_subscriber *subscriber)
{
    const struct eds_mqtt_config *config = &subscriber->config;
    int rc;

    subscriber->link = (struct mqtt_link){.begun_ms = mqtt_now_ms()};
    mqtt_link_listen_to_log(subscriber, true);
    errno = 0;
    rc = mosquitto_connect_bind_v5(subscriber->mosquitto, config->broker.host,
                                   (int)config->broker.port, KEEPALIVE_S, NULL,
                                   subscriber->connect_properties);
    if (rc != MOSQ_ERR_SUCCESS) {
        mqtt_link_reason(subscriber, rc == MOSQ_ERR_ERRNO && errno != 0 ? strerror(errno)
                                                                        : mosquitto_strerror(rc));
        return;
    }
    serve(subscriber);
}

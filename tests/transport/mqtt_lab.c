/* mqtt_lab.c - see mqtt_lab.h. */
#include "transport/mqtt_lab.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h> /* for cmocka.h */
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/log.h"
#include "edgesentry/json.h"

#define PATIENCE_MS   120000
#define LAB_LOG_LEVEL (getenv("EDS_TEST_LOG") != NULL ? EDS_LOG_DEBUG : EDS_LOG_ERROR)

static unsigned listen_anywhere(struct mqtt_lab *lab)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;

    lab->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(lab->listen_fd >= 0);
    assert_int_equal(bind(lab->listen_fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(lab->listen_fd, 8), 0);
    assert_int_equal(getsockname(lab->listen_fd, (struct sockaddr *)&address, &size), 0);
    return ntohs(address.sin_port);
}

void mqtt_lab_start(struct mqtt_lab *lab, const struct eds_mqtt_config *config)
{
    struct eds_mqtt_config filled = *config;
    struct eds_ingest_config ingest = {.ledger = &lab->ledger.ledger};
    struct eds_error err = {.text = ""};

    memset(lab, 0, sizeof *lab);
    lab->fd = -1;
    lab->version = config->version;
    eds_log_configure(LAB_LOG_LEVEL, EDS_LOG_LOGFMT);
    lab_ledger_open(&lab->ledger);
    lab->registry = eds_registry_create();
    assert_non_null(lab->registry);
    ingest.registry = lab->registry;
    assert_int_equal(eds_ingest_start(&lab->ingest, &ingest, &err), EDS_OK);
    filled.ingest = lab->ingest;
    filled.broker.host = "127.0.0.1";
    filled.broker.port = listen_anywhere(lab);
    if (filled.topic == NULL)
        filled.topic = LAB_TOPIC;
    if (filled.broker.client_id == NULL)
        filled.broker.client_id = "lab";
    if (filled.retry_ms_max == 0)
        filled.retry_ms_max = 1;
    if (eds_mqtt_subscriber_start(&lab->subscriber, &filled, &err) != EDS_OK)
        fail_msg("%s", err.text);
}

void mqtt_lab_stop(struct mqtt_lab *lab, struct eds_mqtt_counts *counts)
{
    mqtt_lab_hang_up(lab);
    close(lab->listen_fd);
    eds_mqtt_subscriber_stop(lab->subscriber, counts);
    eds_ingest_stop(lab->ingest);
    eds_registry_destroy(lab->registry);
    lab_ledger_close(&lab->ledger);
}

void mqtt_lab_accept(struct mqtt_lab *lab, struct mqtt_lab_packet *connect)
{
    struct pollfd fd = {.fd = lab->listen_fd, .events = POLLIN};
    int on = 1;

    mqtt_lab_hang_up(lab);
    assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
    lab->fd = accept4(lab->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(lab->fd >= 0);
    setsockopt(lab->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    mqtt_lab_expect(lab, connect, LAB_CONNECT);
}

void mqtt_lab_welcome(struct mqtt_lab *lab)
{
    static const uint8_t connack_3[] = {0x20, 2, 0, 0}, connack_5[] = {0x20, 3, 0, 0, 0};
    static struct mqtt_lab_packet packet;
    uint8_t suback[] = {0x90, 3, 0, 0, 1, 1};
    bool is_5 = lab->version == EDS_MQTT_5;

    mqtt_lab_accept(lab, &packet);
    mqtt_lab_send(lab, is_5 ? connack_5 : connack_3, is_5 ? sizeof connack_5 : sizeof connack_3);
    mqtt_lab_expect(lab, &packet, LAB_SUBSCRIBE);
    memcpy(suback + 2, packet.body, 2);
    if (is_5) {
        suback[1] = 4;
        suback[4] = 0; /* no properties */
    }
    mqtt_lab_send(lab, suback, 2 + (size_t)suback[1]);
}

void mqtt_lab_hang_up(struct mqtt_lab *lab)
{
    if (lab->fd >= 0)
        close(lab->fd);
    lab->fd = -1;
}

bool mqtt_lab_send(struct mqtt_lab *lab, const void *bytes, size_t size)
{
    const char *at = bytes;

    while (size > 0) {
        ssize_t sent = send(lab->fd, at, size, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        at += sent;
        size -= (size_t)sent;
    }
    return true;
}

bool mqtt_lab_publish(struct mqtt_lab *lab, unsigned qos, unsigned id, const char *topic,
                      const void *payload, size_t size)
{
    static uint8_t packet[LAB_PACKET_SIZE];
    size_t topic_size = strlen(topic), used = 4; /* type and three bytes of length */
    bool is_5 = lab->version == EDS_MQTT_5;
    size_t length = 2 + topic_size + (qos > 0 ? 2 : 0) + (is_5 ? 1 : 0) + size;

    assert_true(length + used <= sizeof packet);
    packet[0] = (uint8_t)(0x30 | qos << 1);
    packet[1] = (uint8_t)(0x80 | (length & 127));
    packet[2] = (uint8_t)(0x80 | (length >> 7 & 127));
    packet[3] = (uint8_t)(length >> 14);
    packet[used++] = (uint8_t)(topic_size >> 8);
    packet[used++] = (uint8_t)topic_size;
    memcpy(packet + used, topic, topic_size);
    used += topic_size;
    if (qos > 0) {
        packet[used++] = (uint8_t)(id >> 8);
        packet[used++] = (uint8_t)id;
    }
    if (is_5)
        packet[used++] = 0;
    if (size > 0)
        memcpy(packet + used, payload, size);
    return mqtt_lab_send(lab, packet, used + size);
}

void mqtt_lab_record(struct mqtt_lab *lab, struct lab_device *device, unsigned id)
{
    char body[LAB_BODY_SIZE];
    size_t size = lab_envelope(device, body, sizeof body, 40);

    assert_true(mqtt_lab_publish(lab, 1, id, LAB_TOPIC, body, size));
}

/* Reads exactly so many bytes; false at the end or when the time is over. */
static bool read_bytes(struct mqtt_lab *lab, void *out, size_t size, int timeout_ms, bool *ended)
{
    struct pollfd fd = {.fd = lab->fd, .events = POLLIN};
    char *at = out;

    while (size > 0) {
        ssize_t got;

        if (poll(&fd, 1, timeout_ms) != 1)
            return false;
        got = recv(lab->fd, at, size, 0);
        if (got <= 0) {
            *ended = true;
            return false;
        }
        at += got;
        size -= (size_t)got;
    }
    return true;
}

void mqtt_lab_read(struct mqtt_lab *lab, struct mqtt_lab_packet *packet, int timeout_ms)
{
    uint8_t byte = 0x80;
    bool ended = false;

    packet->size = 0;
    packet->type = LAB_NOTHING;
    if (read_bytes(lab, &byte, 1, timeout_ms, &ended)) {
        packet->type = byte >> 4;
        packet->flags = byte & 15;
        byte = 0x80;
        for (unsigned shift = 0; byte >= 0x80; shift += 7) {
            assert_true(read_bytes(lab, &byte, 1, PATIENCE_MS, &ended));
            packet->size |= (size_t)(byte & 127) << shift;
        }
        assert_true(packet->size <= sizeof packet->body);
        assert_true(read_bytes(lab, packet->body, packet->size, PATIENCE_MS, &ended));
    } else if (ended) {
        packet->type = 0;
    }
}

void mqtt_lab_expect(struct mqtt_lab *lab, struct mqtt_lab_packet *packet, unsigned type)
{
    mqtt_lab_read(lab, packet, PATIENCE_MS);
    if (packet->type != type)
        fail_msg("a packet of type %u instead of %u", packet->type, type);
}

void mqtt_lab_expect_ack(struct mqtt_lab *lab, unsigned id)
{
    static struct mqtt_lab_packet packet;

    mqtt_lab_expect(lab, &packet, LAB_PUBACK);
    assert_true(packet.size >= 2);
    assert_int_equal(packet.body[0] << 8 | packet.body[1], id);
}

void mqtt_lab_expect_answer(struct mqtt_lab *lab, const char *part)
{
    static const char topic[] = LAB_TOPIC "/response";
    static struct mqtt_lab_packet packet;
    uint8_t ack[4] = {0x40, 2};

    mqtt_lab_expect(lab, &packet, LAB_PUBLISH);
    assert_true(packet.size > 2 + strlen(topic) && packet.size < sizeof packet.body);
    assert_memory_equal(packet.body + 2, topic, strlen(topic));
    packet.body[packet.size] = '\0';
    if (strstr((const char *)packet.body + 2 + strlen(topic) + (packet.flags & 2) +
                   (lab->version == EDS_MQTT_5),
               part) == NULL)
        fail_msg("no %s in %s", part, packet.body + packet.size - 80);
    memcpy(ack + 2, packet.body + 2 + strlen(topic), 2);
    if ((packet.flags & 2) != 0)
        mqtt_lab_send(lab, ack, sizeof ack);
}

void mqtt_lab_expect_silence(struct mqtt_lab *lab, int ms)
{
    static struct mqtt_lab_packet packet;

    mqtt_lab_read(lab, &packet, ms);
    if (packet.type != LAB_NOTHING)
        fail_msg("a packet of type %u", packet.type);
}

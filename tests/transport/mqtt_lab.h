/* mqtt_lab.h - a subscriber in the test's own process, and a broker that does
 * what the test tells it, byte by byte. */
#ifndef EDS_TESTS_TRANSPORT_MQTT_LAB_H
#define EDS_TESTS_TRANSPORT_MQTT_LAB_H

#include "transport/lab.h"
#include "transport/mqtt_subscriber.h"

#define LAB_TOPIC       "edgesentry/ingest"
#define LAB_PACKET_SIZE 16384u

enum {
    LAB_CONNECT = 1,
    LAB_PUBLISH = 3,
    LAB_PUBACK,
    LAB_PUBREC,
    LAB_PUBREL,
    LAB_PUBCOMP,
    LAB_SUBSCRIBE,
    LAB_PINGREQ = 12,
    LAB_DISCONNECT = 14
};

struct mqtt_lab {
    struct lab_ledger ledger;
    struct eds_registry *registry;
    struct eds_ingest *ingest;
    struct eds_mqtt_subscriber *subscriber;
    enum eds_mqtt_version version;
    int listen_fd;
    int fd; /* the subscriber's connection; -1: none */
};

/* A packet that the subscriber sent. */
struct mqtt_lab_packet {
    unsigned type; /* 0: the connection has ended; LAB_NOTHING: nothing came */
    unsigned flags;
    uint8_t body[LAB_PACKET_SIZE];
    size_t size;
};
#define LAB_NOTHING 255u

/* mqtt_lab_start starts a subscriber for LAB_TOPIC that finds this broker; what
 * config leaves 0 is the default, with short pauses.  mqtt_lab_stop ends it. */
void mqtt_lab_start(struct mqtt_lab *lab, const struct eds_mqtt_config *config);
void mqtt_lab_stop(struct mqtt_lab *lab, struct eds_mqtt_counts *counts);

/* mqtt_lab_accept takes the subscriber's next connection and its CONNECT;
 * mqtt_lab_welcome also accepts it, and grants the subscription. */
void mqtt_lab_accept(struct mqtt_lab *lab, struct mqtt_lab_packet *connect);
void mqtt_lab_welcome(struct mqtt_lab *lab);
void mqtt_lab_hang_up(struct mqtt_lab *lab);

/* mqtt_lab_send writes bytes; false if the subscriber has closed. */
bool mqtt_lab_send(struct mqtt_lab *lab, const void *bytes, size_t size);

/* mqtt_lab_publish sends a message. */
bool mqtt_lab_publish(struct mqtt_lab *lab, unsigned qos, unsigned id, const char *topic,
                      const void *payload, size_t size);

/* mqtt_lab_record publishes a device's next record with QoS 1. */
void mqtt_lab_record(struct mqtt_lab *lab, struct lab_device *device, unsigned id);

/* mqtt_lab_read waits for a packet, at most so long. */
void mqtt_lab_read(struct mqtt_lab *lab, struct mqtt_lab_packet *packet, int timeout_ms);

/* mqtt_lab_expect reads a packet, and fails if it is of another type.
 * mqtt_lab_expect_ack wants the PUBACK of that id, mqtt_lab_expect_answer a
 * publication with that in its payload, which it acknowledges. */
void mqtt_lab_expect(struct mqtt_lab *lab, struct mqtt_lab_packet *packet, unsigned type);
void mqtt_lab_expect_ack(struct mqtt_lab *lab, unsigned id);
void mqtt_lab_expect_answer(struct mqtt_lab *lab, const char *part);

/* mqtt_lab_expect_silence fails if anything comes within that time. */
void mqtt_lab_expect_silence(struct mqtt_lab *lab, int ms);

#endif

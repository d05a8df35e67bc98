/* When a message is acknowledged and answered, and when it is not: against a
 * broker that looks at every packet. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h> /* for cmocka.h */
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "transport/mqtt_lab.h"
#include "transport/mqtt_link.h"

#define QUIET_MS 60 /* long enough for what should not come to have come */

static const enum eds_mqtt_version versions[] = {EDS_MQTT_5, EDS_MQTT_3_1_1};

static void start(struct mqtt_lab *lab, enum eds_mqtt_version version)
{
    mqtt_lab_start(lab, &(struct eds_mqtt_config){.version = version, .session_expiry_s = 60});
}

static bool has_bytes(const struct mqtt_lab_packet *packet, const void *bytes, size_t size)
{
    for (size_t at = 0; at + size <= packet->size; at++)
        if (memcmp(packet->body + at, bytes, size) == 0)
            return true;
    return false;
}

static void connect_packet(void **state)
{
    static const uint8_t expiry[] = {0x11, 0, 9, 0x3a, 0x80}; /* a week */
    static const uint8_t receive_maximum[] = {0x21, 0, 100};
    static struct mqtt_lab_packet packet;
    struct mqtt_lab lab;

    (void)state;
    for (int is_5 = 0; is_5 < 2; is_5++) {
        struct eds_mqtt_config config = {
            .version = is_5 ? EDS_MQTT_5 : EDS_MQTT_3_1_1,
            .session_expiry_s = 604800,
            .inflight_max = 100,
            .broker = {.user = "somebody", .password = "secret", .client_id = "server-7"}};

        mqtt_lab_start(&lab, &config);
        mqtt_lab_accept(&lab, &packet);
        assert_memory_equal(packet.body, "\0\4MQTT", 6);
        assert_int_equal(packet.body[6], is_5 ? 5 : 4);
        assert_int_equal(packet.body[7], 0xc0); /* user, password; no clean session */
        assert_true(has_bytes(&packet, expiry, sizeof expiry) == is_5);
        assert_true(has_bytes(&packet, receive_maximum, sizeof receive_maximum) == is_5);
        assert_true(has_bytes(&packet, "\0\x08server-7", 10));
        assert_true(has_bytes(&packet, "\0\x08somebody\0\6secret", 18));
        mqtt_lab_stop(&lab, NULL);

        config.session_expiry_s = 0;
        config.broker.user = config.broker.password = NULL;
        mqtt_lab_start(&lab, &config);
        mqtt_lab_accept(&lab, &packet);
        assert_int_equal(packet.body[7], 0x02); /* clean */
        mqtt_lab_stop(&lab, NULL);
    }
}

/* Nothing goes out while the store is at it; then acknowledgement and answer. */
static void acknowledged_when_durable(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct mqtt_lab lab;
        struct lab_device device;
        struct eds_mqtt_counts counts;

        start(&lab, versions[i]);
        lab_device_register(&device, lab.registry, 1);
        mqtt_lab_welcome(&lab);
        atomic_store(&lab.ledger.waiting, true);
        mqtt_lab_record(&lab, &device, 11);
        mqtt_lab_expect_silence(&lab, QUIET_MS);
        assert_int_equal(lab_ledger_sequence(&lab.ledger, device.device_id), 0);
        eds_mqtt_subscriber_counts(lab.subscriber, &counts);
        assert_int_equal(counts.waiting, 1);
        assert_true(counts.is_subscribed);
        atomic_store(&lab.ledger.waiting, false);
        mqtt_lab_expect_ack(&lab, 11);
        assert_int_equal(lab_ledger_sequence(&lab.ledger, device.device_id), 1);
        mqtt_lab_expect_answer(&lab, "\"sequence\":1,\"status\":\"accepted\"}");
        mqtt_lab_stop(&lab, &counts);
        assert_int_equal(counts.messages, 1);
        assert_int_equal(counts.answers, 1);
        assert_int_equal(counts.waiting, 0);
        assert_int_equal(counts.rounds, 1);
        assert_int_equal(counts.round_buckets[0], 1);
        assert_int_equal(counts.round_messages, 1);
        assert_int_equal(counts.answer.count, 1);
        assert_true(counts.answer.sum_ns > 0);
        assert_false(counts.is_subscribed);
    }
}

/* Several rounds, each of them at once; messages that hold nothing between. */
static void many(void **state)
{
    enum { COUNT = 200 };
    struct mqtt_lab lab;
    struct lab_device device;
    struct eds_mqtt_counts counts;
    char part[64];

    (void)state;
    mqtt_lab_start(&lab, &(struct eds_mqtt_config){.inflight_max = 32});
    lab_device_register(&device, lab.registry, 2);
    mqtt_lab_welcome(&lab);
    atomic_store(&lab.ledger.waiting, true);
    for (unsigned i = 1; i <= COUNT; i++) {
        mqtt_lab_record(&lab, &device, 2 * i);
        assert_true(mqtt_lab_publish(&lab, 1, 2 * i + 1, LAB_TOPIC, "nothing", 7));
    }
    mqtt_lab_expect_silence(&lab, QUIET_MS);
    atomic_store(&lab.ledger.waiting, false);
    for (unsigned acks = 0, answers = 0; acks < 2 * COUNT || answers < COUNT;) {
        static struct mqtt_lab_packet packet;

        mqtt_lab_read(&lab, &packet, 120000);
        if (packet.type == LAB_PUBACK) {
            assert_int_equal(packet.body[0] << 8 | packet.body[1], acks + 2);
            acks++;
            continue;
        }
        assert_int_equal(packet.type, LAB_PUBLISH);
        answers++;
        assert_true(acks >= 2 * answers - 1); /* of that record, and all before */
        snprintf(part, sizeof part, "\"sequence\":%u,\"status\":\"accepted\"}", answers);
        assert_true(has_bytes(&packet, part, strlen(part)));
    }
    mqtt_lab_stop(&lab, &counts);
    assert_int_equal(counts.dropped, COUNT);
    assert_int_equal(counts.dropped_for[EDS_MQTT_DROP_MALFORMED], COUNT);
    assert_int_equal(counts.answers, COUNT);
    assert_int_equal(counts.round_messages, COUNT);
    assert_true(counts.rounds >= COUNT / 16); /* of half of those in flight at most */
    assert_int_equal(counts.answer.count, COUNT);
    assert_int_equal(counts.connections, 1);
}

/* A store that fails and recovers is waited for; the records keep their order. */
static void store_recovers(void **state)
{
    struct mqtt_lab lab;
    struct lab_device device;

    (void)state;
    start(&lab, EDS_MQTT_5);
    lab_device_register(&device, lab.registry, 3);
    mqtt_lab_welcome(&lab);
    atomic_store(&lab.ledger.failing, true);
    for (unsigned i = 1; i <= 3; i++) {
        mqtt_lab_record(&lab, &device, i);
        lab_rest(2);
    }
    mqtt_lab_expect_silence(&lab, QUIET_MS);
    atomic_store(&lab.ledger.failing, false);
    for (unsigned i = 1; i <= 3;) {
        static struct mqtt_lab_packet packet;

        mqtt_lab_read(&lab, &packet, 120000);
        if (packet.type == LAB_PUBACK)
            continue;
        assert_int_equal(packet.type, LAB_PUBLISH);
        assert_true(has_bytes(&packet, "accepted", 8));
        i++;
    }
    mqtt_lab_stop(&lab, NULL);
}

/* A store that goes on failing: the broker gets nothing but the connection's
 * end, and what it delivers again is taken. */
static void store_fails(void **state)
{
    struct mqtt_lab lab;
    struct lab_device device;
    struct lab_device again;

    (void)state;
    mqtt_lab_start(&lab, &(struct eds_mqtt_config){.patience_ms = 30});
    lab_device_register(&device, lab.registry, 4);
    again = device;
    mqtt_lab_welcome(&lab);
    atomic_store(&lab.ledger.failing, true);
    mqtt_lab_record(&lab, &device, 1);
    mqtt_lab_record(&lab, &device, 2);
    static struct mqtt_lab_packet packet;
    mqtt_lab_expect(&lab, &packet, 0);
    atomic_store(&lab.ledger.failing, false);
    mqtt_lab_welcome(&lab);
    mqtt_lab_record(&lab, &again, 1);
    mqtt_lab_expect_ack(&lab, 1);
    mqtt_lab_expect_answer(&lab, "accepted");
    mqtt_lab_stop(&lab, NULL);
}

/* A connection that ends while the store is at it: the answer comes with the
 * next connection, and the message that is delivered again is a duplicate. */
static void connection_lost(void **state)
{
    struct mqtt_lab lab;
    struct lab_device device, again;

    (void)state;
    start(&lab, EDS_MQTT_3_1_1);
    lab_device_register(&device, lab.registry, 5);
    again = device;
    mqtt_lab_welcome(&lab);
    atomic_store(&lab.ledger.waiting, true);
    mqtt_lab_record(&lab, &device, 9);
    lab_ledger_await_held(&lab.ledger);
    mqtt_lab_hang_up(&lab);
    lab_rest(20);
    atomic_store(&lab.ledger.waiting, false);
    mqtt_lab_welcome(&lab);
    mqtt_lab_expect_answer(&lab, "accepted");
    mqtt_lab_record(&lab, &again, 9);
    mqtt_lab_expect_ack(&lab, 9);
    mqtt_lab_expect_answer(&lab, "duplicate record");
    assert_int_equal(lab_ledger_sequence(&lab.ledger, device.device_id), 1);
    mqtt_lab_stop(&lab, NULL);
}

/* QoS 2 is not what was subscribed to, but no reason to acknowledge too early. */
static void qos_2(void **state)
{
    static struct mqtt_lab_packet packet;
    static const uint8_t pubrel[] = {0x62, 2, 0, 5};
    char body[LAB_BODY_SIZE];
    struct mqtt_lab lab;
    struct lab_device device;
    size_t size;

    (void)state;
    start(&lab, EDS_MQTT_3_1_1);
    lab_device_register(&device, lab.registry, 6);
    mqtt_lab_welcome(&lab);
    size = lab_envelope(&device, body, sizeof body, 10);
    mqtt_lab_publish(&lab, 2, 5, LAB_TOPIC, body, size);
    mqtt_lab_expect(&lab, &packet, LAB_PUBREC);
    atomic_store(&lab.ledger.waiting, true);
    mqtt_lab_send(&lab, pubrel, sizeof pubrel);
    mqtt_lab_expect_silence(&lab, QUIET_MS);
    atomic_store(&lab.ledger.waiting, false);
    mqtt_lab_expect(&lab, &packet, LAB_PUBCOMP);
    mqtt_lab_expect_answer(&lab, "accepted");
    mqtt_lab_stop(&lab, NULL);
}

static void *stop(void *context)
{
    eds_mqtt_subscriber_stop(((struct mqtt_lab *)context)->subscriber, NULL);
    return NULL;
}

/* A stop finishes what was taken, and acknowledges nothing else. */
static void stopped(void **state)
{
    static struct mqtt_lab_packet packet;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct mqtt_lab lab;
        struct lab_device device;
        pthread_t thread;

        start(&lab, versions[i]);
        lab_device_register(&device, lab.registry, 7);
        mqtt_lab_welcome(&lab);
        atomic_store(&lab.ledger.waiting, true);
        mqtt_lab_record(&lab, &device, 1);
        lab_ledger_await_held(&lab.ledger);
        assert_int_equal(pthread_create(&thread, NULL, stop, &lab), 0);
        while (!atomic_load(&lab.subscriber->stopping))
            lab_rest(1);
        lab_rest(QUIET_MS); /* for a read that had begun before */
        mqtt_lab_record(&lab, &device, 2);
        mqtt_lab_expect_silence(&lab, QUIET_MS);
        atomic_store(&lab.ledger.waiting, false);
        mqtt_lab_expect_ack(&lab, 1);
        mqtt_lab_expect_answer(&lab, "accepted");
        mqtt_lab_expect(&lab, &packet, LAB_DISCONNECT);
        mqtt_lab_expect(&lab, &packet, 0);
        mqtt_lab_hang_up(&lab);
        pthread_join(thread, NULL);
        assert_int_equal(lab_ledger_sequence(&lab.ledger, device.device_id), 1);
        close(lab.listen_fd);
        eds_ingest_stop(lab.ingest);
        eds_registry_destroy(lab.registry);
        lab_ledger_close(&lab.ledger);
    }
}

static void bad_config(void **state)
{
    static const struct eds_mqtt_config good = {
        .broker = {.host = "127.0.0.1", .port = 1, .client_id = "x"}, .topic = "a"};
    struct eds_mqtt_config rows[9];
    struct eds_mqtt_subscriber *subscriber;

    (void)state;
    for (size_t i = 0; i < 9; i++)
        rows[i] = good;
    rows[0].broker.port = 0;
    rows[1].broker.port = 65536;
    rows[2].topic = "a/#/b";
    rows[3].broker.client_id = "";
    rows[4].broker.client_id = "\xff";
    rows[5].inflight_max = 4097;
    rows[6].message_size_max = 256u << 20;
    rows[7].broker.cert_file = "only.crt";
    rows[8].broker.has_tls = true;
    rows[8].broker.ca_file = "/nonexistent/ca.crt";
    for (size_t i = 0; i < 9; i++) {
        struct eds_error err = {.text = ""};
        int32_t rc = eds_mqtt_subscriber_start(&subscriber, &rows[i], &err);

        if (rc != (i == 8 ? EDS_ERR_IO : EDS_ERR_USAGE) || strlen(err.text) < 10)
            fail_msg("%zu: %d %s", i, rc, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connect_packet), cmocka_unit_test(acknowledged_when_durable),
        cmocka_unit_test(many),           cmocka_unit_test(store_recovers),
        cmocka_unit_test(store_fails),    cmocka_unit_test(connection_lost),
        cmocka_unit_test(qos_2),          cmocka_unit_test(stopped),
        cmocka_unit_test(bad_config),
    };

    return cmocka_run_group_tests_name("mqtt_subscriber", tests, NULL, NULL);
}

/* Packets that no broker should send: mosquitto's own collection of malformed
 * ones, and some of ours, before the connection is accepted and after.  Whatever
 * comes, the subscriber goes on or comes again, acknowledges no message that it
 * was not sent, answers nothing, and takes the good record at the end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h> /* for cmocka.h */
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "support/vectors.h"
#include "transport/mqtt_lab.h"

#define PROBE_ID 0x7ead
#define PROBE_MS 15 /* for an answer to the probe: the packet before may have swallowed it */
#define IDS      65536u

/* libmosquitto loses some memory where packets are malformed, and where it aborts,
 * and once unlocks what is not locked. */
const char *__lsan_default_suppressions(void);
const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
    return "mutex:libmosquitto.so\n";
}

const char *__lsan_default_suppressions(void)
{
    return "leak:libmosquitto.so\n";
}

/* One subscriber, and what it went through. */
struct ordeal {
    struct mqtt_lab lab;
    struct lab_device device;
    bool sent[IDS]; /* ids of messages, and of QoS 2 handshakes, that we sent */
    bool is_welcome;
    unsigned survived, reconnected;
};

static void begin(struct ordeal *ordeal, enum eds_mqtt_version version)
{
    memset(ordeal, 0, sizeof *ordeal);
    mqtt_lab_start(&ordeal->lab,
                   &(struct eds_mqtt_config){.version = version, .session_expiry_s = 60});
    lab_device_register(&ordeal->device, ordeal->lab.registry, 1);
}

/* Notes the id of a publication or release, wherever it may stand: the packet is
 * malformed, so each two bytes may be one. */
static void note_ids(struct ordeal *ordeal, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i + 1 < size; i++)
        ordeal->sent[bytes[i] << 8 | bytes[i + 1]] = true;
}

/* Reads until the probe is acknowledged (true) or the connection is no more of
 * use. */
static bool await_probe(struct ordeal *ordeal, const char *name)
{
    static struct mqtt_lab_packet packet;

    for (;;) {
        unsigned id;

        mqtt_lab_read(&ordeal->lab, &packet, PROBE_MS);
        id = packet.size >= 2 ? (unsigned)(packet.body[0] << 8 | packet.body[1]) : 0;
        switch (packet.type) {
        case LAB_PUBACK:
            if (id == PROBE_ID)
                return true;
            /* fall through */
        case LAB_PUBREC:
        case LAB_PUBCOMP:
            if (!ordeal->sent[id])
                fail_msg("%s: an acknowledgement of %u, which was not sent", name, id);
            break;
        case LAB_PUBREL:
        case LAB_SUBSCRIBE:
        case LAB_PINGREQ:
            break;
        case LAB_PUBLISH:
            fail_msg("%s: an answer to no record", name);
            return false;
        default:
            return false;
        }
    }
}

/* One packet (or a few) after the subscription is granted. */
static void after_welcome(struct ordeal *ordeal, const char *name, const uint8_t *bytes,
                          size_t size)
{
    static const uint8_t probe[] = "no record";

    if (!ordeal->is_welcome) {
        mqtt_lab_welcome(&ordeal->lab);
        memset(ordeal->sent, 0, sizeof ordeal->sent);
        ordeal->reconnected++;
    }
    note_ids(ordeal, bytes, size);
    mqtt_lab_send(&ordeal->lab, bytes, size);
    mqtt_lab_publish(&ordeal->lab, 1, PROBE_ID, LAB_TOPIC, probe, sizeof probe);
    ordeal->is_welcome = await_probe(ordeal, name);
    ordeal->survived += ordeal->is_welcome;
}

/* The same instead of CONNACK. */
static void instead_of_welcome(struct ordeal *ordeal, const char *name, const uint8_t *bytes,
                               size_t size)
{
    static struct mqtt_lab_packet packet;

    mqtt_lab_accept(&ordeal->lab, &packet);
    memset(ordeal->sent, 0, sizeof ordeal->sent);
    ordeal->is_welcome = false;
    note_ids(ordeal, bytes, size);
    mqtt_lab_send(&ordeal->lab, bytes, size);
    mqtt_lab_publish(&ordeal->lab, 1, PROBE_ID, LAB_TOPIC, "x", 1);
    (void)await_probe(ordeal, name);
}

static void end(struct ordeal *ordeal)
{
    struct eds_mqtt_counts counts;

    assert_int_equal(lab_ledger_sequence(&ordeal->lab.ledger, ordeal->device.device_id), 0);
    mqtt_lab_welcome(&ordeal->lab);
    mqtt_lab_record(&ordeal->lab, &ordeal->device, 1);
    mqtt_lab_expect_ack(&ordeal->lab, 1);
    mqtt_lab_expect_answer(&ordeal->lab, "accepted");
    mqtt_lab_stop(&ordeal->lab, &counts);
    assert_int_equal(counts.answers, 1);
}

typedef void attack(struct ordeal *, const char *, const uint8_t *, size_t);

/* All rows of the collection for one version, but only every step-th. */
static void run_collection(enum eds_mqtt_version version, attack *run, size_t step)
{
    json_t *rows = vector_load("mqtt-mosquitto/packets.json");
    uint64_t wanted = version == EDS_MQTT_5 ? 5 : 4;
    static struct ordeal ordeal;
    const json_t *row, *packet;
    size_t i, j, count = 0;

    begin(&ordeal, version);
    json_array_foreach(rows, i, row)
    {
        char name[32];

        if (vector_u64(row, "version") != wanted || i % step != 0)
            continue;
        snprintf(name, sizeof name, "row %llu", (unsigned long long)vector_u64(row, "n"));
        json_array_foreach(vector_get(row, "packets"), j, packet)
        {
            static uint8_t bytes[LAB_PACKET_SIZE];
            json_t *one = json_pack("{s:O}", "hex", packet);
            size_t size = vector_hex(one, "hex", bytes, sizeof bytes);

            json_decref(one);
            run(&ordeal, name, bytes, size);
            count++;
        }
    }
    print_message("%zu packets, %u ignored, %u connections\n", count, ordeal.survived,
                  ordeal.reconnected);
    assert_true(count > 200 / step);
    end(&ordeal);
    json_decref(rows);
}

static void collection_5(void **state)
{
    (void)state;
    run_collection(EDS_MQTT_5, after_welcome, 1);
}

static void collection_3(void **state)
{
    (void)state;
    run_collection(EDS_MQTT_3_1_1, after_welcome, 1);
}

static void collection_instead(void **state)
{
    (void)state;
    run_collection(EDS_MQTT_5, instead_of_welcome, 3);
    run_collection(EDS_MQTT_3_1_1, instead_of_welcome, 3);
}

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static const struct {
    const char *name;
    const uint8_t *bytes;
    size_t size;
} ours[] = {
    {"connack, empty", BYTES("\x20\x00")},
    {"connack of one byte", BYTES("\x20\x01\x00")},
    {"connack, refused", BYTES("\x20\x02\x00\x05")},
    {"connack, refused, 5", BYTES("\x20\x03\x00\x87\x00")},
    {"connack, unknown reason", BYTES("\x20\x02\x00\xff")},
    {"connack, reserved flags", BYTES("\x20\x02\xfe\x00")},
    {"connack, properties past the end", BYTES("\x20\x03\x00\x00\x7f")},
    {"connack, receive maximum 0", BYTES("\x20\x06\x00\x00\x03\x21\x00\x00")},
    {"connack, receive maximum twice", BYTES("\x20\x09\x00\x00\x06\x21\x00\x01\x21\x00\x01")},
    {"connack twice", BYTES("\x20\x02\x00\x00\x20\x02\x00\x00")},
    {"suback of nobody's", BYTES("\x90\x03\x77\x77\x01")},
    {"suback without codes", BYTES("\x90\x02\x00\x01")},
    {"suback, empty", BYTES("\x90\x00")},
    {"suback, refused", BYTES("\x90\x03\x00\x01\x80")},
    {"suback, refused, 5", BYTES("\x90\x04\x00\x01\x00\x87")},
    {"suback, code 3", BYTES("\x90\x03\x00\x01\x03")},
    {"suback, many codes", BYTES("\x90\x08\x00\x01\x01\x01\x01\x01\x01\x01")},
    {"publish, topic past the end", BYTES("\x32\x05\x00\x11yz")},
    {"publish, empty topic", BYTES("\x32\x04\x00\x00\x00\x05")},
    {"publish, NUL in the topic", BYTES("\x32\x07\x00\x03y\0z\x00\x05")},
    {"publish, wildcard in the topic", BYTES("\x32\x06\x00\x02y+\x00\x05")},
    {"publish, topic not UTF-8", BYTES("\x32\x06\x00\x02y\xff\x00\x05")},
    {"publish, QoS 3", BYTES("\x36\x06\x00\x02yz\x00\x05")},
    {"publish, id 0", BYTES("\x32\x06\x00\x02yz\x00\x00")},
    {"publish, no id", BYTES("\x32\x04\x00\x02yz")},
    {"publish, properties past the end", BYTES("\x32\x08\x00\x02yz\x00\x05\x7f\x01")},
    {"publish, alias nobody gave", BYTES("\x32\x08\x00\x00\x00\x05\x03\x23\x00\x09")},
    {"publish, alias 0", BYTES("\x32\x0a\x00\x02yz\x00\x05\x03\x23\x00\x00")},
    {"publish, response topic past the end", BYTES("\x32\x0b\x00\x02yz\x00\x05\x04\x08\x00\x09x")},
    {"publish, response topic twice",
     BYTES("\x32\x0f\x00\x02yz\x00\x05\x08\x08\x00\x01x\x08\x00\x01x")},
    {"publish, empty response topic", BYTES("\x32\x0a\x00\x02yz\x00\x05\x03\x08\x00\x00")},
    {"publish, wildcard response topic", BYTES("\x32\x0b\x00\x02yz\x00\x05\x04\x08\x00\x01#")},
    {"pubrel of nothing", BYTES("\x62\x02\x00\x55")},
    {"pubrec of nothing", BYTES("\x50\x02\x00\x55")},
    {"puback of nothing", BYTES("\x40\x02\x00\x55")},
    {"puback, refused, of nothing", BYTES("\x40\x03\x00\x55\x87")},
    {"pubcomp of nothing", BYTES("\x70\x02\x00\x55")},
    {"publish QoS 2 twice, one release",
     BYTES("\x34\x06\x00\x02yz\x00\x08\x34\x06\x00\x02yz\x00\x08\x62\x02\x00\x08")},
    {"length of five bytes", BYTES("\x30\xff\xff\xff\xff\x7f")},
    {"256 MiB announced", BYTES("\x32\xff\xff\xff\x7f\x00\x02yz")},
    {"disconnect", BYTES("\xe0\x00")},
    {"disconnect, taken over", BYTES("\xe0\x01\x8e")},
    {"auth", BYTES("\xf0\x02\x18\x00")},
    {"connect", BYTES("\x10\x0d\x00\x04MQTT\x04\x02\x00\x0a\x00\x01x")},
    {"subscribe", BYTES("\x82\x06\x00\x01\x00\x01x\x00")},
    {"pingreq", BYTES("\xc0\x00")},
    {"pingresp, long", BYTES("\xd0\x02xx")},
    {"zeros", BYTES("\0\0\0\0\0\0\0\0")},
};

static void our_own(void **state)
{
    static struct ordeal ordeal;

    (void)state;
    for (int version = EDS_MQTT_5; version <= EDS_MQTT_3_1_1; version++) {
        begin(&ordeal, (enum eds_mqtt_version)version);
        for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
            after_welcome(&ordeal, ours[i].name, ours[i].bytes, ours[i].size);
            instead_of_welcome(&ordeal, ours[i].name, ours[i].bytes, ours[i].size);
        }
        end(&ordeal);
    }
}

/* Every first part of a good conversation, and then nothing. */
static void cut_off(void **state)
{
    static const uint8_t good[] = "\x20\x02\x00\x00\x90\x03\x00\x01\x01\x32\x18\x00\x11"
                                  "edgesentry/ingest\x00\x05{}";
    static struct ordeal ordeal;
    static struct mqtt_lab_packet packet;

    (void)state;
    begin(&ordeal, EDS_MQTT_3_1_1);
    for (size_t size = 0; size < sizeof good - 1; size++) {
        mqtt_lab_accept(&ordeal.lab, &packet);
        mqtt_lab_send(&ordeal.lab, good, size);
        mqtt_lab_hang_up(&ordeal.lab);
    }
    end(&ordeal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_own),
        cmocka_unit_test(cut_off),
        cmocka_unit_test(collection_5),
        cmocka_unit_test(collection_3),
        cmocka_unit_test(collection_instead),
    };

    return cmocka_run_group_tests_name("mqtt_hostile", tests, NULL, NULL);
}

/* fuzz_mqtt.c - a filter, a topic, a response topic and a message, split at the
 * first three newlines.
 *
 * Where an answer goes is never read as a record; what a message holds is what
 * its bytes hold without a topic beside them; and every answer is JSON that names
 * the record and reads back as the verdict. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "transport/mqtt_slot.h"
#include "transport/mqtt_topic.h"

#define TEXT_SIZE 256u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* Takes a line off the input; without NULs, as libmosquitto hands topics over. */
static void take_line(char out[TEXT_SIZE], const uint8_t **data, size_t *size)
{
    size_t used = 0;

    while (*size > 0 && **data != '\n') {
        if (used < TEXT_SIZE - 1 && **data != '\0')
            out[used++] = (char)**data;
        (*data)++;
        (*size)--;
    }
    out[used] = '\0';
    if (*size > 0) {
        (*data)++;
        (*size)--;
    }
}

static void check_topics(const char *filter_text, const char *topic, const char *reply)
{
    struct eds_error err = {.text = ""};
    struct eds_mqtt_filter filter;
    char answer[TEXT_SIZE + 16];

    check(eds_mqtt_answer_topic(answer, sizeof answer, topic) == strlen(topic) + 9);
    check(eds_mqtt_is_answer(answer) && strncmp(answer, topic, strlen(topic)) == 0);
    if (eds_mqtt_filter_parse(&filter, filter_text, &err) != EDS_OK) {
        check(err.code == EDS_ERR_USAGE && strlen(err.text) > 10);
        return;
    }
    check(filter.matching >= filter_text && filter.matching[0] != '\0');
    check(filter.is_shared == (filter.matching != filter_text));
    check(!eds_mqtt_is_answer(filter.matching));
    if (eds_mqtt_reply_allowed(&filter, reply)) {
        check(strpbrk(reply, "+#") == NULL && reply[0] != '$' && reply[0] != '\0');
        check(eds_mqtt_is_answer(reply) || strcmp(filter.matching, "#") != 0);
        check(eds_mqtt_is_answer(reply) || strcmp(filter.matching, reply) != 0);
    }
}

static void check_answer(struct mqtt_slot *slot, enum eds_verdict verdict)
{
    const EdsAuditRecord *record = &slot->envelope.entry.record;
    char text[EDS_JSON_ANSWER_SIZE_MAX];
    struct eds_answer answer;
    json_t *json;
    size_t size;

    mqtt_slot_request(slot);
    slot->submission.verdict = verdict;
    /* The longest text that ingest could write, with what has to be escaped. */
    memset(slot->submission.message, '\x01', sizeof slot->submission.message);
    slot->submission.message[sizeof slot->submission.message - 1] = '\0';
    size = mqtt_slot_answer(slot, text);
    check(size > 0 && size < sizeof text && text[size] == '\0');
    check(eds_json_answer_decode(&answer, text, size, NULL) == EDS_OK);
    check(answer.accepted == (verdict == EDS_VERDICT_ACCEPTED));
    json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    if (record->sequence <= INT64_MAX) {
        check(json != NULL);
        check(strcmp(json_string_value(json_object_get(json, "device_id")),
                     (const char *)record->device_id) == 0);
        check((uint64_t)json_integer_value(json_object_get(json, "sequence")) == record->sequence);
    }
    json_decref(json);
}

static void check_message(const char *topic, const uint8_t *data, size_t size)
{
    static struct mqtt_slot slot; /* used again and again, as in a round */
    char *alone = malloc(size + 1);
    struct eds_envelope envelope;
    int32_t rc, expected;

    check(alone != NULL);
    if (size > 0)
        memcpy(alone, data, size);
    expected = eds_json_envelope_decode(&envelope, alone, size, NULL);
    rc = mqtt_slot_take(&slot, topic, data, size, NULL);
    check(rc == expected);
    check(strcmp(slot.topic, topic) == 0);
    if (rc == EDS_OK) {
        check(memcmp(&slot.envelope.entry.record, &envelope.entry.record,
                     sizeof envelope.entry.record) == 0);
        check(slot.envelope.payload_size == envelope.payload_size);
        check(envelope.payload_size == 0 ||
              memcmp(slot.envelope.payload, envelope.payload, envelope.payload_size) == 0);
        check_answer(&slot, EDS_VERDICT_ACCEPTED);
        check_answer(&slot, EDS_VERDICT_PAYLOAD_HASH);
        check_answer(&slot, EDS_VERDICT_SEQUENCE);
    }
    mqtt_slot_clear(&slot);
    check(slot.room_size <= MQTT_ROOM_KEPT_MAX);
    free(alone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char filter[TEXT_SIZE], topic[TEXT_SIZE], reply[TEXT_SIZE];

    take_line(filter, &data, &size);
    take_line(topic, &data, &size);
    take_line(reply, &data, &size);
    check_topics(filter, topic, reply);
    check_message(topic, data, size);
    return 0;
}

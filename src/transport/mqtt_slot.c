/* mqtt_slot.c - see mqtt_slot.h. */
#include "transport/mqtt_slot.h"

#include <stdlib.h>
#include <string.h>

int32_t mqtt_slot_take(struct mqtt_slot *slot, const char *topic, const void *message, size_t size,
                       struct eds_error *err)
{
    size_t topic_size = strlen(topic) + 1, needed = size + topic_size;

    if (needed > slot->room_size) {
        free(slot->room);
        slot->room_size = 0;
        slot->room = malloc(needed);
        if (slot->room == NULL)
            return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for a message of %zu bytes",
                                 size);
        slot->room_size = needed;
    }
    if (size > 0)
        memcpy(slot->room, message, size);
    memcpy(slot->room + size, topic, topic_size);
    slot->topic = slot->room + size;
    return eds_json_envelope_decode(&slot->envelope, slot->room, size, err);
}

void mqtt_slot_request(struct mqtt_slot *slot)
{
    struct eds_submission *submission = &slot->submission;

    submission->request = (struct eds_request){.entry = &slot->envelope.entry,
                                               .payload = slot->envelope.payload,
                                               .payload_size = slot->envelope.payload_size,
                                               .payload_absent = slot->envelope.payload_absent,
                                               .source = slot->topic};
    submission->message[0] = '\0';
}

size_t mqtt_slot_answer(const struct mqtt_slot *slot, char *out)
{
    const EdsAuditRecord *record = &slot->envelope.entry.record;
    struct eds_answer answer;

    answer.accepted = eds_verdict_is_kept(slot->submission.verdict);
    answer.quarantined = slot->submission.verdict == EDS_VERDICT_QUARANTINED;
    answer.error[0] = '\0';
    if (!answer.accepted)
        eds_ingest_answer_text(answer.error, &slot->submission);
    return eds_json_answer_encode_for(out, EDS_JSON_ANSWER_SIZE_MAX,
                                      (const char *)record->device_id, record->sequence, &answer);
}

void mqtt_slot_clear(struct mqtt_slot *slot)
{
    free(slot->reply_topic);
    free(slot->correlation);
    slot->reply_topic = NULL;
    slot->correlation = NULL;
    slot->correlation_size = 0;
    if (slot->room_size > MQTT_ROOM_KEPT_MAX) {
        free(slot->room);
        slot->room = NULL;
        slot->room_size = 0;
    }
}

void mqtt_slot_free(struct mqtt_slot *slot)
{
    mqtt_slot_clear(slot);
    free(slot->room);
    slot->room = NULL;
    slot->room_size = 0;
}

/* mqtt_slot.h - one message on its way: its bytes, its record, its answer.
 *
 * A slot is used again and again: its room grows to what messages need, and is
 * given back when that was much. */
#ifndef EDS_TRANSPORT_MQTT_SLOT_H
#define EDS_TRANSPORT_MQTT_SLOT_H

#include "edgesentry/json.h"
#include "ingest/ingest.h"
#include "transport/trace.h"

/* Room that is kept for the next message. */
#define MQTT_ROOM_KEPT_MAX (16u * 1024u) /* bytes */

struct mqtt_slot {
    struct eds_envelope envelope; /* its payload lies in room */
    struct eds_submission submission;
    char *room; /* the message, then its topic */
    size_t room_size;
    const char *topic; /* in room */
    int qos;
    bool is_retained; /* the broker had it when we came */
    struct eds_trace trace;
    uint64_t taken_ns; /* when it came: monotonic */
    bool is_open;      /* decided as something that may yet change: to be tried again */

    /* What MQTT 5 messages may ask for; each NULL or the slot's own. */
    char *reply_topic;
    void *correlation; /* bytes that go back with the answer */
    uint16_t correlation_size;
};

/* mqtt_slot_take copies a message and reads its envelope.  EDS_OK;
 * EDS_ERR_NO_MEMORY; EDS_ERR_MALFORMED or EDS_ERR_TRUNCATED with *err telling
 * why it holds no record. */
int32_t mqtt_slot_take(struct mqtt_slot *slot, const char *topic, const void *message, size_t size,
                       struct eds_error *err);

/* mqtt_slot_request fills the slot's submission, but for done and context. */
void mqtt_slot_request(struct mqtt_slot *slot);

/* mqtt_slot_answer writes the answer of a decided slot; out has
 * EDS_JSON_ANSWER_SIZE_MAX bytes.  Returns its length. */
size_t mqtt_slot_answer(const struct mqtt_slot *slot, char *out);

/* mqtt_slot_clear makes the slot ready for the next message, mqtt_slot_free
 * gives back all it has. */
void mqtt_slot_clear(struct mqtt_slot *slot);
void mqtt_slot_free(struct mqtt_slot *slot);

#endif

/* agent.c - see edgesentry/agent.h.
 *
 * The agent keeps no chain of its own: before each record it asks the buffer for
 * the head, which is what is durable.  So there is nothing to go out of step
 * after a write that failed. */
#include "edgesentry/agent.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "base/hex.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "device/agent_clock.h"
#include "edgesentry/attest.h"
#include "edgesentry/json.h"

#define NOTE_SIZE      2048u /* bytes of a note's JSON, at most */
#define OUR_NOTE_SIZE  320u  /* of those made here */
#define NOTE_TEXT_MAX  1000u
#define NOTES_AT_ONCE  2u /* clock and key */
#define NOTE_REFERENCE "edgesentry:note/"

struct eds_agent {
    struct eds_agent_config config;
    char device_id[EDS_DEVICE_ID_SIZE];
    uint8_t key_id[EDS_KEY_ID_SIZE];
    struct eds_lock lock; /* for all below: one record after the other */
    struct agent_clock clock;
    enum eds_clock_quality noted_quality;
    bool noted_any, noted_expired;
    struct eds_agent_state state;
};

/* A note of ours that goes with the next records. */
struct note {
    char json[OUR_NOTE_SIZE];
};

/* Records being made: items, what they follow, notes in front. */
struct making {
    struct eds_agent *agent;
    struct eds_buffer_item *items;
    size_t count;
    struct eds_buffer_head head;
    uint64_t timestamp_ms;
    size_t dropped;                        /* payloads that made way for a note */
    const struct eds_order_answer *answer; /* to an order, the one event; NULL: it is none */
};

static int32_t check_config(const struct eds_agent_config *config, struct eds_error *err)
{
    size_t size = config->device_id != NULL ? strlen(config->device_id) : 0;
    struct eds_buffer_head head;

    if (size == 0 || config->signer == NULL || config->buffer == NULL)
        return eds_error_set(err, EDS_ERR_USAGE,
                             "an agent needs a device id, a signer and a buffer");
    if ((unsigned)config->payloads_from >= EDS_PRIORITY_COUNT)
        return eds_error_set(err, EDS_ERR_USAGE, "there is no priority %d",
                             (int)config->payloads_from);
    if (config->clock == NULL && eds_agent_clock_system() == NULL)
        return eds_error_set(err, EDS_ERR_USAGE, "an agent needs a clock: there is none here");
    if (size >= EDS_DEVICE_ID_SIZE)
        return eds_error_set(err, EDS_ERR_STRING_TOO_LONG, "the device id has more than %u bytes",
                             EDS_DEVICE_ID_SIZE - 1);
    if (!eds_utf8_valid(config->device_id, size))
        return eds_error_set(err, EDS_ERR_INVALID_UTF8, "the device id is not UTF-8");
    if (!eds_buffer_is_durable(config->buffer) && !config->volatile_ok)
        return eds_error_set(
            err, EDS_ERR_USAGE,
            "the buffer forgets the chain at the next start, which then forks: use "
            "sqlite:PATH or log:PATH");
    eds_buffer_head(config->buffer, config->device_id, &head);
    if (config->start != NULL && head.sequence > 0 && config->start->sequence > head.sequence)
        return eds_error_set(
            err, EDS_ERR_USAGE,
            "the buffer's last record of %s has sequence %llu, the given start %llu: "
            "is this another device's or an old buffer?",
            config->device_id, (unsigned long long)head.sequence,
            (unsigned long long)config->start->sequence);
    return EDS_OK;
}

int32_t eds_agent_open(struct eds_agent **out, const struct eds_agent_config *config,
                       struct eds_error *err)
{
    struct eds_agent *agent;
    int32_t rc = check_config(config, err);

    if (rc != EDS_OK)
        return rc;
    agent = calloc(1, sizeof *agent);
    if (agent == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for an agent");
    agent->config = *config;
    strcpy(agent->device_id, config->device_id);
    if (config->start != NULL)
        agent->state.head = *config->start;
    agent->config.device_id = NULL;
    agent->config.start = NULL;
    agent->clock.source = config->clock != NULL ? config->clock : eds_agent_clock_system();
    eds_key_id(agent->key_id, config->signer->public_key);
    eds_lock_init(&agent->lock);
    *out = agent;
    return EDS_OK;
}

void eds_agent_close(struct eds_agent *agent)
{
    if (agent == NULL)
        return;
    eds_lock_destroy(&agent->lock);
    free(agent);
}

/* What the next record follows: what the buffer knows, else where we start. */
static void find_head(struct eds_agent *agent, struct eds_buffer_head *out)
{
    eds_buffer_head(agent->config.buffer, agent->device_id, out);
    if (out->sequence == 0)
        *out = agent->state.head;
}

static int32_t set_reference(EdsAuditRecord *record, const struct making *making,
                             const char *object_ref, bool is_note, struct eds_error *err)
{
    char own[EDS_OBJECT_REF_SIZE];

    if (making->answer != NULL && !is_note) {
        eds_order_answer_write(own, making->answer, making->agent->device_id, record->sequence);
        object_ref = own;
    } else if (object_ref == NULL) {
        eds_format(own, sizeof own, "%s%s/%llu",
                   is_note ? NOTE_REFERENCE : "edge:", making->agent->device_id,
                   (unsigned long long)record->sequence);
        object_ref = own;
    }
    if (strlen(object_ref) >= EDS_OBJECT_REF_SIZE)
        return eds_error_set(err, EDS_ERR_STRING_TOO_LONG,
                             "the object reference has more than %u bytes",
                             EDS_OBJECT_REF_SIZE - 1);
    strcpy((char *)record->object_ref, object_ref);
    return EDS_OK;
}

/* Signs the record after the head, and moves on. */
static int32_t make(struct making *making, const struct eds_event *event, bool is_note,
                    struct eds_error *err)
{
    struct eds_agent *agent = making->agent;
    struct eds_signer *signer = agent->config.signer;
    struct eds_buffer_item *item = &making->items[making->count];
    EdsAuditRecord *record = &item->entry.record;
    struct eds_attestation *attestation = &item->entry.attestation;
    uint8_t message[EDS_ATTEST_MESSAGE_SIZE];
    int32_t rc;

    if (making->head.sequence == UINT64_MAX)
        return eds_error_set(err, EDS_ERR_TOO_LARGE, "the chain of %s is full", agent->device_id);
    item->payload = event->payload;
    item->payload_size = event->payload_size;
    item->priority = event->priority;
    record->sequence = making->head.sequence + 1;
    record->timestamp_ms = making->timestamp_ms;
    memcpy(record->prev_record_hash, making->head.record_hash, EDS_HASH_SIZE);
    strcpy((char *)record->device_id, agent->device_id);
    eds_blake3(record->payload_hash, event->payload, event->payload_size);
    rc = set_reference(record, making, event->object_ref, is_note, err);
    if (rc != EDS_OK)
        return rc;
    EDS_LOG(EDS_LOG_DEBUG, "signing_record", EDS_LOG_STRING("device_id", agent->device_id),
            EDS_LOG_NUMBER("sequence", record->sequence),
            EDS_LOG_NUMBER("payload_bytes", event->payload_size));
    rc = signer->ops->sign(signer, record->payload_hash, EDS_HASH_SIZE, record->signature, err);
    if (rc != EDS_OK)
        return rc;
    rc = eds_record_digest(making->head.record_hash, record);
    if (rc != EDS_OK)
        return eds_error_set(err, rc, "the object reference is not UTF-8");
    attestation->present = true;
    memcpy(attestation->key_id, agent->key_id, EDS_KEY_ID_SIZE);
    eds_attest_message(message, agent->key_id, making->head.record_hash);
    rc = signer->ops->sign(signer, message, sizeof message, attestation->signature, err);
    making->head.sequence++;
    making->head.timestamp_ms = making->timestamp_ms;
    making->count++;
    return rc;
}

/* Writes a note's JSON.  Its size, or 0 if it does not fit. */
static size_t format_note(char *out, size_t size, const char *kind, const char *text)
{
    size_t used = eds_format(out, size, "{\"note\":\"%s\",\"text\":", kind);
    size_t quoted = eds_json_string_encode(out + used, size - used - 1, text, strlen(text));

    if (quoted == 0)
        return 0;
    memcpy(out + used + quoted, "}", 2);
    return used + quoted + 1;
}

/* Makes a note of ours, which always fits. */
static int32_t make_note(struct making *making, struct note *note, const char *kind,
                         const char *text, struct eds_error *err)
{
    struct eds_event event = {.payload = note->json, .priority = EDS_PRIORITY_HIGH};

    event.payload_size = format_note(note->json, sizeof note->json, kind, text);
    assert(event.payload_size > 0);
    return make(making, &event, true, err);
}

/* What has changed since the last record, as a note in front of this one. */
static int32_t note_changes(struct making *making, const struct agent_time *now, bool expired,
                            struct note notes[NOTES_AT_ONCE], struct eds_error *err)
{
    struct eds_agent *agent = making->agent;
    bool clock_changed =
        !agent->noted_any ? now->quality == EDS_CLOCK_HELD : now->quality != agent->noted_quality;
    char text[160];
    int32_t rc = EDS_OK;

    if (agent->config.without_notes)
        return EDS_OK;
    if (clock_changed || now->stepped_ms != 0) {
        eds_format(text, sizeof text, "%s, reads %llu ms, stepped by %lld ms",
                   eds_clock_quality_name(now->quality), (unsigned long long)now->wall_ms,
                   (long long)now->stepped_ms);
        rc = make_note(making, &notes[0], "clock", text, err);
    }
    if (rc == EDS_OK && expired && !agent->noted_expired) {
        eds_format(text, sizeof text, "the key's time ended at %llu ms",
                   (unsigned long long)agent->config.key_not_after_ms);
        rc = make_note(making, &notes[1], "key-expired", text, err);
    }
    return rc;
}

/* Makes the note that stands for a payload there is no room for. */
static int32_t make_dropped(struct making *making, struct note *note, const struct eds_event *event,
                            struct eds_error *err)
{
    static const char *const names[EDS_PRIORITY_COUNT] = {"low", "normal", "high", "alarm"};
    struct eds_event instead = {.payload = note->json, .priority = event->priority + 1};
    char hex[2 * EDS_HASH_SIZE + 1] = "", text[200];
    uint8_t hash[EDS_HASH_SIZE];

    eds_blake3(hash, event->payload, event->payload_size);
    (void)eds_hex_encode(hex, hash, sizeof hash);
    eds_format(text, sizeof text, "BLAKE3 %s, %zu bytes, priority %s: the buffer was full", hex,
               event->payload_size, names[event->priority]);
    instead.payload_size = format_note(note->json, sizeof note->json, "payload-dropped", text);
    assert(instead.payload_size > 0);
    return make(making, &instead, true, err);
}

static bool may_drop(const struct eds_agent *agent, const struct eds_event *event)
{
    return event->priority < agent->config.payloads_from;
}

/* Makes the records of all events behind the notes in front and pushes them;
 * dropped: notes to stand for the payloads that may be dropped, or NULL. */
static int32_t push_events(struct making *making, const struct eds_event *events, size_t count,
                           bool are_notes, struct note *dropped, struct eds_error *err)
{
    struct eds_agent *agent = making->agent;
    int32_t rc = EDS_OK;

    for (size_t i = 0; i < count && rc == EDS_OK; i++)
        rc = dropped != NULL && may_drop(agent, &events[i])
                 ? make_dropped(making, &dropped[i], &events[i], err)
                 : make(making, &events[i], are_notes, err);
    return rc == EDS_OK
               ? eds_buffer_push_many(agent->config.buffer, making->items, making->count, err)
               : rc;
}

/* Does that, and once more without the payloads that may go if there is no room. */
static int32_t push_or_drop(struct making *making, const struct eds_event *events, size_t count,
                            bool are_notes, struct eds_error *err)
{
    struct making again = *making;
    struct note *dropped;
    size_t droppable = 0;
    int32_t rc = push_events(making, events, count, are_notes, NULL, err);

    for (size_t i = 0; i < count && !are_notes; i++)
        droppable += may_drop(making->agent, &events[i]) ? 1 : 0;
    if (rc != EDS_ERR_BUSY || droppable == 0)
        return rc;
    dropped = calloc(count, sizeof *dropped);
    if (dropped == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for a note");
    memset(again.items + again.count, 0, count * sizeof *again.items);
    *making = again;
    rc = push_events(making, events, count, false, dropped, err);
    making->agent->state.dropped += rc == EDS_OK ? droppable : 0;
    making->dropped = rc == EDS_OK ? droppable : 0;
    free(dropped);
    return rc;
}

/* Makes and pushes the records; under the lock. */
static int32_t record_all(struct making *making, const struct eds_event *events, size_t count,
                          bool are_notes, struct eds_error *err)
{
    struct eds_agent *agent = making->agent;
    struct note notes[NOTES_AT_ONCE];
    struct agent_time now;
    size_t note_count;
    bool expired;
    int32_t rc;

    find_head(agent, &making->head);
    now = eds_agent_clock_read(&agent->clock, making->head.timestamp_ms);
    making->timestamp_ms = now.timestamp_ms;
    expired =
        agent->config.key_not_after_ms > 0 && now.timestamp_ms > agent->config.key_not_after_ms;
    agent->state.clock = now.quality;
    agent->state.key_expired = expired;
    if (expired && agent->config.key_policy == EDS_KEY_STOPS)
        return eds_error_set(err, EDS_ERR_INVALID_KEY,
                             "the key of %s is past its time: give the device a new one",
                             agent->device_id);
    rc = note_changes(making, &now, expired, notes, err);
    note_count = making->count;
    if (rc == EDS_OK)
        rc = push_or_drop(making, events, count, are_notes, err);
    if (rc != EDS_OK) /* the step was not told yet: tell it with the next one */
        return rc;
    agent->noted_any = true;
    agent->noted_quality = now.quality;
    agent->noted_expired = expired;
    agent->state.head = making->head;
    agent->state.notes += note_count + (are_notes ? count : making->dropped);
    agent->state.records += are_notes ? 0 : count - making->dropped;
    return EDS_OK;
}

static int32_t record(struct eds_agent *agent, const struct eds_event *events, size_t count,
                      bool are_notes, const struct eds_order_answer *answer, struct eds_entry *out,
                      struct eds_error *err)
{
    struct making making = {.agent = agent, .answer = answer};
    struct agent_clock before;
    int32_t rc;

    making.items = calloc(count + NOTES_AT_ONCE, sizeof *making.items);
    if (making.items == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for a record");
    eds_lock_take(&agent->lock);
    before = agent->clock;
    rc = record_all(&making, events, count, are_notes, err);
    if (rc != EDS_OK) {
        agent->clock = before;
        agent->state.failures++;
    }
    eds_lock_give(&agent->lock);
    for (size_t i = 0; out != NULL && rc == EDS_OK && i < count; i++)
        out[i] = making.items[making.count - count + i].entry;
    free(making.items);
    return rc;
}

int32_t eds_agent_record_many(struct eds_agent *agent, const struct eds_event *events, size_t count,
                              struct eds_entry *out, struct eds_error *err)
{
    if (count == 0 || count > EDS_EVENTS_MAX)
        return eds_error_set(err, EDS_ERR_USAGE, "%zu events at once: 1 to %u are possible", count,
                             EDS_EVENTS_MAX);
    return record(agent, events, count, false, NULL, out, err);
}

int32_t eds_agent_record(struct eds_agent *agent, const void *payload, size_t payload_size,
                         const char *object_ref, enum eds_priority priority, struct eds_entry *out,
                         struct eds_error *err)
{
    struct eds_event event = {.payload = payload,
                              .payload_size = payload_size,
                              .object_ref = object_ref,
                              .priority = priority};

    return record(agent, &event, 1, false, NULL, out, err);
}

int32_t eds_agent_note(struct eds_agent *agent, const char *kind, const char *text,
                       struct eds_error *err)
{
    char json[NOTE_SIZE];
    struct eds_event event = {.payload = json, .priority = EDS_PRIORITY_HIGH};

    if (kind[0] == '\0' || strspn(kind, "abcdefghijklmnopqrstuvwxyz-") != strlen(kind) ||
        strlen(kind) > 32)
        return eds_error_set(err, EDS_ERR_USAGE, "the kind of a note is a word of [a-z-]");
    if (strlen(text) > NOTE_TEXT_MAX)
        return eds_error_set(err, EDS_ERR_TOO_LARGE, "a note has at most %u bytes", NOTE_TEXT_MAX);
    event.payload_size = format_note(json, sizeof json, kind, text);
    if (event.payload_size == 0)
        return eds_error_set(err, EDS_ERR_TOO_LARGE, "the note is too long");
    return record(agent, &event, 1, true, NULL, NULL, err);
}

int32_t eds_agent_answer(struct eds_agent *agent, const struct eds_order_answer *answer,
                         const void *payload, size_t payload_size, struct eds_error *err)
{
    struct eds_event event = {
        .payload = payload, .payload_size = payload_size, .priority = EDS_PRIORITY_ALARM};

    return record(agent, &event, 1, false, answer, NULL, err);
}

void eds_agent_set_signer(struct eds_agent *agent, struct eds_signer *signer)
{
    eds_lock_take(&agent->lock);
    agent->config.signer = signer;
    eds_key_id(agent->key_id, signer->public_key);
    eds_lock_give(&agent->lock);
}

uint64_t eds_agent_now_ms(struct eds_agent *agent)
{
    struct eds_buffer_head head;
    struct agent_clock clock;

    eds_lock_take(&agent->lock);
    clock = agent->clock; /* a copy: what it finds is for the next record to tell */
    find_head(agent, &head);
    eds_lock_give(&agent->lock);
    return eds_agent_clock_read(&clock, head.timestamp_ms).timestamp_ms;
}

void eds_agent_get_state(struct eds_agent *agent, struct eds_agent_state *out)
{
    eds_lock_take(&agent->lock);
    *out = agent->state;
    find_head(agent, &out->head);
    eds_lock_give(&agent->lock);
}

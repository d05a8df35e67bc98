/* maker.c - see maker.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "device/maker.h"

void maker_init(struct maker *maker, const char *id)
{
    memset(maker, 0, sizeof *maker);
    snprintf(maker->id, sizeof maker->id, "%s", id);
    memset(maker->seed, 7, sizeof maker->seed);
    memcpy(maker->seed, id, strlen(id) < 16 ? strlen(id) : 16);
}

static void fill_payload(uint8_t *out, size_t size, const char *id, uint64_t sequence)
{
    char text[96];
    size_t text_size =
        (size_t)snprintf(text, sizeof text, "%s/%llu ", id, (unsigned long long)sequence);

    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)text[i % text_size];
}

void made_reference(char out[EDS_OBJECT_REF_SIZE], const char *id, uint64_t sequence)
{
    struct eds_order_answer answer = {.counter = sequence / MADE_ANSWER_EVERY,
                                      .done = sequence % 3 != 0};

    if (sequence % MADE_ANSWER_EVERY == 0)
        eds_order_answer_write(out, &answer, id, sequence);
    else
        snprintf(out, EDS_OBJECT_REF_SIZE, "test://%s/%llu", id, (unsigned long long)sequence);
}

void maker_next(struct maker *maker, size_t payload_size, struct made *out)
{
    char object_ref[EDS_OBJECT_REF_SIZE];

    assert_true(payload_size <= sizeof out->payload);
    maker->sequence++;
    out->payload_size = payload_size;
    fill_payload(out->payload, payload_size, maker->id, maker->sequence);
    made_reference(object_ref, maker->id, maker->sequence);
    memset(&out->entry, 0, sizeof out->entry);
    assert_int_equal(eds_record_sign(&out->entry.record, maker->id, maker->sequence,
                                     1700000000000 + maker->sequence, out->payload, payload_size,
                                     maker->record_hash, object_ref, maker->seed, NULL),
                     EDS_OK);
    assert_int_equal(eds_record_digest(maker->record_hash, &out->entry.record), EDS_OK);
    eds_attest_sign(&out->entry.attestation, maker->record_hash, maker->seed);
}

void maker_push(struct maker *maker, struct eds_buffer *buffer, size_t payload_size)
{
    static struct made made;
    struct eds_error err;

    maker_next(maker, payload_size, &made);
    if (eds_buffer_push(buffer, &made.entry, made.payload, made.payload_size, EDS_PRIORITY_NORMAL,
                        &err) != EDS_OK)
        fail_msg("%s", err.text);
}

void maker_push_answer(struct maker *maker, struct eds_buffer *buffer, uint64_t counter)
{
    struct eds_order_answer answer = {.counter = counter, .done = true};
    char reference[EDS_OBJECT_REF_SIZE];
    struct eds_entry entry = {.attestation.present = false};

    maker->sequence++;
    eds_order_answer_write(reference, &answer, maker->id, maker->sequence);
    assert_int_equal(eds_record_sign(&entry.record, maker->id, maker->sequence, 1, "", 0,
                                     maker->record_hash, reference, maker->seed, NULL),
                     EDS_OK);
    assert_int_equal(eds_record_digest(maker->record_hash, &entry.record), EDS_OK);
    assert_int_equal(eds_buffer_push(buffer, &entry, "", 0, EDS_PRIORITY_ALARM, NULL), EDS_OK);
}

void assert_counter(struct eds_buffer *buffer, const char *id, uint64_t counter)
{
    struct eds_buffer_head head;

    eds_buffer_head(buffer, id, &head);
    assert_int_equal(head.command_counter, counter);
}

void assert_made(const struct eds_buffer_item *item, const char *id, uint64_t sequence)
{
    static uint8_t payload[MADE_PAYLOAD_MAX];

    assert_string_equal(item->entry.record.device_id, id);
    assert_int_equal(item->entry.record.sequence, sequence);
    assert_true(item->entry.attestation.present);
    assert_true(item->payload_size <= sizeof payload);
    fill_payload(payload, item->payload_size, id, sequence);
    assert_memory_equal(item->payload, payload, item->payload_size);
}

static struct maker_seen *head_of(struct fake_server *server, const char *id)
{
    for (size_t i = 0; i < server->head_count; i++)
        if (strcmp(server->heads[i].id, id) == 0)
            return &server->heads[i];
    assert_true(server->head_count < sizeof server->heads / sizeof server->heads[0]);
    snprintf(server->heads[server->head_count].id, sizeof server->heads[0].id, "%s", id);
    return &server->heads[server->head_count++];
}

static void fake_send(struct eds_sender *sender, const struct eds_buffer_item *item,
                      struct eds_reply *out)
{
    struct fake_server *server = (struct fake_server *)sender;
    struct maker_seen *head = head_of(server, (const char *)item->entry.record.device_id);
    uint64_t sequence = item->entry.record.sequence;

    server->calls++;
    if (server->odd_at > 0 && --server->odd_at == 0) {
        *out = server->odd;
        return;
    }
    memset(out, 0, sizeof *out);
    if (sequence == head->sequence + 1) {
        out->outcome = EDS_OUTCOME_ACCEPTED;
        head->sequence++;
        server->accepted++;
    } else if (sequence <= head->sequence) {
        out->outcome = EDS_OUTCOME_DUPLICATE;
        server->duplicates++;
    } else {
        out->outcome = EDS_OUTCOME_REJECTED;
        snprintf(out->text, sizeof out->text, "expected=%llu actual=%llu",
                 (unsigned long long)head->sequence + 1, (unsigned long long)sequence);
        server->gaps++;
    }
}

void fake_server_init(struct fake_server *server)
{
    memset(server, 0, sizeof *server);
    server->sender.send = fake_send;
}

uint64_t fake_server_head(const struct fake_server *server, const char *id)
{
    for (size_t i = 0; i < server->head_count; i++)
        if (strcmp(server->heads[i].id, id) == 0)
            return server->heads[i].sequence;
    return 0;
}

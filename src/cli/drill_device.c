/* drill_device.c - see drill_device.h. */
#include "cli/drill_device.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/port.h"
#include "base/wipe.h"
#include "cli/http_sender.h"
#include "cli/say.h"
#include "edgesentry/attest.h"
#include "store/roster.h"

#define TIMEOUT_MS 60000u /* a store of payloads may take half of it to say no */

/* A device that the ledger's registry does not know may have been given to the
 * server by --device: the server will say. */
static int32_t check_registered(const struct eds_drill_device *device, struct eds_ledger *ledger,
                                struct eds_error *err)
{
    struct eds_enrolment *found = malloc(sizeof *found);
    bool has_key = false;
    int32_t rc;

    if (found == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    rc = ledger->roster->find(ledger, EDS_ROLE_DEVICE, device->device_id, found, err);
    for (uint32_t i = 0; rc == EDS_OK && i < found->key_count; i++)
        has_key = has_key || memcmp(found->keys[i].public_key, device->key.public_key,
                                    EDS_PUBLIC_KEY_SIZE) == 0;
    if (rc == EDS_ERR_NOT_FOUND)
        rc = EDS_OK;
    else if (rc == EDS_OK && !has_key)
        rc = eds_error_set(err, EDS_ERR_INVALID_KEY,
                           "device %s is registered with another key than this one",
                           device->device_id);
    else if (rc == EDS_OK && found->state != EDS_DEVICE_ACTIVE)
        rc = eds_error_set(err, EDS_ERR_REFUSED, "device %s is %s; a drill needs it active",
                           device->device_id, eds_device_state_name(found->state));
    free(found);
    return rc;
}

int32_t eds_drill_device_open(struct eds_drill_device *device, const struct eds_args *args,
                              struct eds_ledger *ledger, struct eds_error *err)
{
    struct eds_http_client_config config = {
        .url = eds_args_text(args, "url"),
        .attempt_max = 1,
        .timeout_ms = TIMEOUT_MS,
    };
    int32_t rc;

    *device = (struct eds_drill_device){.device_id = eds_args_text(args, "device-id")};
    if (strstr(device->device_id, "drill") == NULL)
        return eds_error_set(
            err, EDS_ERR_USAGE,
            "--device-id %s: a drill goes on with its device's chain, which a real "
            "device could not follow; it takes one with \"drill\" in its name",
            device->device_id);
    rc = eds_client_arg_take(&config, args, err);
    if (rc == EDS_OK)
        rc = eds_key_get(&device->key, args, err);
    if (rc == EDS_OK)
        rc = check_registered(device, ledger, err);
    if (rc == EDS_OK)
        rc = ledger->ops->head(ledger, device->device_id, &device->head, err);
    return rc == EDS_OK ? eds_http_client_open(&device->client, &config, err) : rc;
}

void eds_drill_device_close(struct eds_drill_device *device)
{
    eds_wipe(&device->key, sizeof device->key);
    eds_http_client_close(device->client);
    free(device->records);
}

int32_t eds_drill_device_sign(const struct eds_drill_device *device, const struct eds_head *after,
                              const char *what, struct eds_drill_record *out, struct eds_error *err)
{
    uint64_t now_ms = eds_port_time_ms(), sequence = after->sequence + 1;
    char object_ref[EDS_OBJECT_REF_SIZE];
    int32_t rc;

    *out = (struct eds_drill_record){.acknowledged = false};
    /* The time makes each payload and reference a new one, also where a ledger was
     * set back to an older state. */
    snprintf(object_ref, sizeof object_ref, "drill/%s/%" PRIu64 "-%" PRIu64, device->device_id,
             sequence, now_ms);
    out->payload_size =
        (size_t)snprintf(out->payload, sizeof out->payload,
                         "failure drill: %s, device=%s, sequence=%" PRIu64 ", time_ms=%" PRIu64,
                         what, device->device_id, sequence, now_ms);
    rc = eds_record_sign(&out->entry.record, device->device_id, sequence, now_ms, out->payload,
                         out->payload_size, after->sequence > 0 ? after->record_hash : NULL,
                         object_ref, device->key.seed, err);
    if (rc == EDS_OK && (rc = eds_record_digest(out->record_hash, &out->entry.record)) != EDS_OK)
        return eds_error_set(err, rc, "the record cannot be hashed");
    if (rc == EDS_OK)
        eds_attest_sign(&out->entry.attestation, out->record_hash, device->key.seed);
    return rc;
}

int32_t eds_drill_device_make(struct eds_drill_device *device, const char *what,
                              struct eds_error *err)
{
    struct eds_drill_record *record;
    int32_t rc;

    if (device->record_count == device->record_room) {
        size_t room = device->record_room > 0 ? 2 * device->record_room : 32;
        struct eds_drill_record *longer = realloc(device->records, room * sizeof *device->records);

        if (longer == NULL)
            return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the drill's records");
        device->records = longer;
        device->record_room = room;
    }
    record = &device->records[device->record_count];
    rc = eds_drill_device_sign(device, &device->head, what, record, err);
    if (rc != EDS_OK)
        return rc;
    device->record_count++;
    device->head.sequence++;
    memcpy(device->head.record_hash, record->record_hash, EDS_HASH_SIZE);
    return EDS_OK;
}

int32_t eds_drill_device_send(struct eds_drill_device *device, struct eds_drill_record *record,
                              struct eds_drill_answer *out, struct eds_error *err)
{
    size_t size = eds_json_envelope_size(record->payload_size);
    char *body = malloc(size);
    struct eds_delivery delivery;
    struct eds_error why;

    *out = (struct eds_drill_answer){.outcome = EDS_OUTCOME_AWAY};
    if (body == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for a request");
    size =
        eds_json_envelope_encode(body, size, &record->entry, record->payload, record->payload_size);
    if (eds_http_client_send(device->client, body, size, &delivery, &why) == EDS_OK) {
        out->outcome = eds_http_sender_judge(&delivery);
        memcpy(out->text, delivery.answer.error, sizeof out->text);
    } else {
        memcpy(out->text, why.text, sizeof out->text);
    }
    out->status = delivery.status;
    out->retry_after_ms = delivery.retry_after_ms;
    free(body);
    if (out->outcome == EDS_OUTCOME_ACCEPTED || out->outcome == EDS_OUTCOME_DUPLICATE)
        record->acknowledged = true;
    return EDS_OK;
}

void eds_drill_device_hint(const struct eds_drill_device *device)
{
    char digits[2 * EDS_PUBLIC_KEY_SIZE + 1];

    eds_hex_encode(digits, device->key.public_key, EDS_PUBLIC_KEY_SIZE);
    eds_say_hint("eds audit device add %s --public-key-hex %s, with the server's --data-dir or "
                 "--store",
                 device->device_id, digits);
}

/* The ledger's answer, record by record. */
struct look {
    const struct eds_drill_device *device;
    struct eds_ledger *ledger;
    struct eds_objects *objects;
    struct eds_drill_found *found;
    struct eds_error *err;
};

static bool has_payload(const struct look *look, const struct eds_drill_record *record, int32_t *rc)
{
    void *payload = NULL;
    size_t size = 0;
    bool same;

    *rc = eds_payload_get(look->ledger, look->objects, &record->entry.record, &payload, &size,
                          look->err);
    same = *rc == EDS_OK && size == record->payload_size &&
           memcmp(payload, record->payload, size) == 0;
    free(payload);
    if (*rc == EDS_ERR_NOT_FOUND)
        *rc = EDS_OK;
    return same;
}

static int32_t visit(void *context, const struct eds_stored *stored)
{
    struct look *look = context;
    const struct eds_drill_record *first = look->device->records, *record;
    uint64_t sequence = stored->entry->record.sequence;
    uint8_t hash[EDS_HASH_SIZE];
    int32_t rc = EDS_OK;

    if (sequence < first->entry.record.sequence)
        return EDS_OK;
    if (sequence - first->entry.record.sequence >= look->device->record_count) {
        look->found->other_count++;
        return EDS_OK;
    }
    record = first + (sequence - first->entry.record.sequence);
    if (eds_record_digest(hash, &stored->entry->record) != EDS_OK ||
        memcmp(hash, record->record_hash, EDS_HASH_SIZE) != 0 ||
        memcmp(hash, stored->record_hash, EDS_HASH_SIZE) != 0) {
        look->found->other_count++;
        return EDS_OK;
    }
    look->found->stored_count++;
    look->found->payload_count += has_payload(look, record, &rc);
    return rc;
}

int32_t eds_drill_device_look(const struct eds_drill_device *device, struct eds_ledger *ledger,
                              struct eds_objects *objects, struct eds_drill_found *out,
                              struct eds_error *err)
{
    struct look look = {device, ledger, objects, out, err};

    *out = (struct eds_drill_found){.stored_count = 0};
    if (device->record_count == 0)
        return EDS_OK;
    return ledger->ops->scan(ledger, device->device_id, visit, &look, err);
}

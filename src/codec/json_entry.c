/* json_entry.c - a record as JSON, with or without its attestation.
 *
 * An attestation is the last field of a record,
 *     "attest":{"key_id":"<16 digits>","signature":"<128 digits>"}
 * in lower-case hex: one spelling, so that what was sent can be compared. */
#include "codec/json_entry.h"

#include <string.h>

#include "edgesentry/json.h"

static void take_key_id(struct eds_json_cursor *c, void *object)
{
    struct eds_attestation *attestation = object;

    eds_json_lower_hex(c, attestation->key_id, sizeof attestation->key_id);
}

static void take_attest_signature(struct eds_json_cursor *c, void *object)
{
    struct eds_attestation *attestation = object;

    eds_json_lower_hex(c, attestation->signature, sizeof attestation->signature);
}

static const struct eds_json_field attest_fields[] = {
    EDS_JSON_FIELD("key_id", take_key_id),
    EDS_JSON_FIELD("signature", take_attest_signature),
};

static const struct eds_json_shape attest_shape = {attest_fields, 2, 0x3, false};

static void take_device_id(struct eds_json_cursor *c, void *object)
{
    EdsAuditRecord *record = &((struct eds_entry *)object)->record;

    (void)eds_json_string(c, (char *)record->device_id, sizeof record->device_id);
}

static void take_sequence(struct eds_json_cursor *c, void *object)
{
    ((struct eds_entry *)object)->record.sequence = eds_json_u64(c);
}

static void take_timestamp(struct eds_json_cursor *c, void *object)
{
    ((struct eds_entry *)object)->record.timestamp_ms = eds_json_u64(c);
}

static void take_payload_hash(struct eds_json_cursor *c, void *object)
{
    EdsAuditRecord *record = &((struct eds_entry *)object)->record;

    eds_json_bytes(c, record->payload_hash, sizeof record->payload_hash);
}

static void take_signature(struct eds_json_cursor *c, void *object)
{
    EdsAuditRecord *record = &((struct eds_entry *)object)->record;

    eds_json_bytes(c, record->signature, sizeof record->signature);
}

static void take_prev_record_hash(struct eds_json_cursor *c, void *object)
{
    EdsAuditRecord *record = &((struct eds_entry *)object)->record;

    eds_json_bytes(c, record->prev_record_hash, sizeof record->prev_record_hash);
}

static void take_object_ref(struct eds_json_cursor *c, void *object)
{
    EdsAuditRecord *record = &((struct eds_entry *)object)->record;

    (void)eds_json_string(c, (char *)record->object_ref, sizeof record->object_ref);
}

static void take_attest(struct eds_json_cursor *c, void *object)
{
    struct eds_attestation *attestation = &((struct eds_entry *)object)->attestation;

    eds_json_object(c, &attest_shape, attestation);
    attestation->present = true;
}

static const struct eds_json_field entry_fields[] = {
    EDS_JSON_FIELD("device_id", take_device_id),
    EDS_JSON_FIELD("sequence", take_sequence),
    EDS_JSON_FIELD("timestamp_ms", take_timestamp),
    EDS_JSON_FIELD("payload_hash", take_payload_hash),
    EDS_JSON_FIELD("signature", take_signature),
    EDS_JSON_FIELD("prev_record_hash", take_prev_record_hash),
    EDS_JSON_FIELD("object_ref", take_object_ref),
    EDS_JSON_FIELD("attest", take_attest),
};

static const struct eds_json_shape entry_shape = {entry_fields, 8, 0x7f, false};

void eds_json_take_entry(struct eds_json_cursor *c, struct eds_entry *out)
{
    memset(&out->attestation, 0, sizeof out->attestation);
    eds_json_object(c, &entry_shape, out);
}

int32_t eds_json_entry_decode(struct eds_entry *out, const char *text, size_t size,
                              struct eds_error *err)
{
    struct eds_json_cursor c;
    struct eds_entry entry;

    eds_json_begin(&c, text, size, "record", true, err);
    eds_json_take_entry(&c, &entry);
    eds_json_finish(&c);
    if (c.rc == EDS_OK)
        memcpy(out, &entry, sizeof *out);
    return c.rc;
}

static void put_attest(struct eds_json_writer *w, const struct eds_attestation *attestation)
{
    eds_writer_name(w, "attest");
    eds_writer_open(w, '{');
    eds_writer_name(w, "key_id");
    eds_writer_hex(w, attestation->key_id, sizeof attestation->key_id);
    eds_writer_name(w, "signature");
    eds_writer_hex(w, attestation->signature, sizeof attestation->signature);
    eds_writer_close(w, '}');
}

void eds_json_put_entry(struct eds_json_writer *w, const struct eds_entry *entry)
{
    const EdsAuditRecord *record = &entry->record;

    eds_writer_open(w, '{');
    eds_writer_name(w, "device_id");
    eds_writer_terminated(w, record->device_id, sizeof record->device_id);
    eds_writer_name(w, "sequence");
    eds_writer_u64(w, record->sequence);
    eds_writer_name(w, "timestamp_ms");
    eds_writer_u64(w, record->timestamp_ms);
    eds_writer_name(w, "payload_hash");
    eds_writer_bytes(w, record->payload_hash, sizeof record->payload_hash);
    eds_writer_name(w, "signature");
    eds_writer_bytes(w, record->signature, sizeof record->signature);
    eds_writer_name(w, "prev_record_hash");
    eds_writer_bytes(w, record->prev_record_hash, sizeof record->prev_record_hash);
    eds_writer_name(w, "object_ref");
    eds_writer_terminated(w, record->object_ref, sizeof record->object_ref);
    if (entry->attestation.present)
        put_attest(w, &entry->attestation);
    eds_writer_close(w, '}');
}

size_t eds_json_entry_encode(char *out, size_t out_size, const struct eds_entry *entry,
                             enum eds_json_style style, unsigned indent)
{
    struct eds_json_writer w;

    eds_writer_begin(&w, out, out_size, style == EDS_JSON_PRETTY, indent);
    eds_json_put_entry(&w, entry);
    return eds_writer_end(&w);
}

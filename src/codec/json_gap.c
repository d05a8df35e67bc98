/* json_gap.c - see json_gap.h. */
#include "codec/json_gap.h"

#include <string.h>

#include "codec/json_cursor.h"
#include "codec/json_writer.h"

static void take_device_id(struct eds_json_cursor *c, void *object)
{
    struct eds_gap *gap = object;

    (void)eds_json_string(c, gap->device_id, sizeof gap->device_id);
}

static void take_last_sequence(struct eds_json_cursor *c, void *object)
{
    ((struct eds_gap *)object)->last_sequence = eds_json_u64(c);
}

static void take_last_record_hash(struct eds_json_cursor *c, void *object)
{
    eds_json_lower_hex(c, ((struct eds_gap *)object)->last_record_hash, EDS_HASH_SIZE);
}

static void take_resume_sequence(struct eds_json_cursor *c, void *object)
{
    ((struct eds_gap *)object)->resume_sequence = eds_json_u64(c);
}

static void take_resume_hash(struct eds_json_cursor *c, void *object)
{
    eds_json_lower_hex(c, ((struct eds_gap *)object)->resume_hash, EDS_HASH_SIZE);
}

static void take_closed_ms(struct eds_json_cursor *c, void *object)
{
    ((struct eds_gap *)object)->closed_ms = eds_json_u64(c);
}

static void take_operator(struct eds_json_cursor *c, void *object)
{
    struct eds_gap *gap = object;

    (void)eds_json_string(c, gap->operator_name, sizeof gap->operator_name);
}

static void take_reason(struct eds_json_cursor *c, void *object)
{
    struct eds_gap *gap = object;

    (void)eds_json_string(c, gap->reason, sizeof gap->reason);
}

static void take_key_id(struct eds_json_cursor *c, void *object)
{
    eds_json_lower_hex(c, ((struct eds_gap *)object)->key_id, EDS_KEY_ID_SIZE);
}

static void take_signature(struct eds_json_cursor *c, void *object)
{
    eds_json_lower_hex(c, ((struct eds_gap *)object)->signature, EDS_SIGNATURE_SIZE);
}

static const struct eds_json_field gap_fields[] = {
    EDS_JSON_FIELD("device_id", take_device_id),
    EDS_JSON_FIELD("last_sequence", take_last_sequence),
    EDS_JSON_FIELD("last_record_hash", take_last_record_hash),
    EDS_JSON_FIELD("resume_sequence", take_resume_sequence),
    EDS_JSON_FIELD("resume_hash", take_resume_hash),
    EDS_JSON_FIELD("closed_ms", take_closed_ms),
    EDS_JSON_FIELD("operator", take_operator),
    EDS_JSON_FIELD("reason", take_reason),
    EDS_JSON_FIELD("key_id", take_key_id),
    EDS_JSON_FIELD("signature", take_signature),
};

static const struct eds_json_shape gap_shape = {gap_fields, 10, 0x3ff, false};

/* What is well spelled and can be no gap is named after it was read. */
static void take_gap(struct eds_json_cursor *c, struct eds_gap *out)
{
    const char *from;
    struct eds_error fault;

    eds_json_space(c);
    from = c->at;
    memset(out, 0, sizeof *out);
    eds_json_object(c, &gap_shape, out);
    if (c->rc == EDS_OK && eds_gap_check(out, &fault) != EDS_OK)
        eds_json_fail(c, from, fault.text);
}

int32_t eds_json_gaps_decode(const char *text, size_t size,
                             int32_t (*take)(void *context, const struct eds_gap *gap),
                             void *context, struct eds_error *err)
{
    struct eds_json_cursor c;
    struct eds_gap gap;
    int32_t rc;

    eds_json_begin(&c, text, size, "gaps", true, err);
    c.indexed = true;
    if (!eds_json_take(&c, '[')) {
        eds_json_fail_expected(&c, c.at, "an array");
        return c.rc;
    }
    if (!eds_json_take(&c, ']')) {
        do {
            take_gap(&c, &gap);
            if (c.rc != EDS_OK)
                return c.rc;
            rc = take(context, &gap);
            if (rc != EDS_OK)
                return rc;
            c.index++;
        } while (eds_json_take(&c, ','));
        if (!eds_json_take(&c, ']'))
            eds_json_fail_expected(&c, c.at, "',' or ']'");
    }
    eds_json_finish(&c);
    return c.rc;
}

size_t eds_json_gap_encode(char *out, size_t out_size, const struct eds_gap *gap,
                           enum eds_json_style style, unsigned indent)
{
    struct eds_json_writer w;

    eds_writer_begin(&w, out, out_size, style == EDS_JSON_PRETTY, indent);
    eds_writer_open(&w, '{');
    eds_writer_text_field(&w, "device_id", gap->device_id, sizeof gap->device_id);
    eds_writer_u64_field(&w, "last_sequence", gap->last_sequence);
    eds_writer_hex_field(&w, "last_record_hash", gap->last_record_hash, EDS_HASH_SIZE);
    eds_writer_u64_field(&w, "resume_sequence", gap->resume_sequence);
    eds_writer_hex_field(&w, "resume_hash", gap->resume_hash, EDS_HASH_SIZE);
    eds_writer_u64_field(&w, "closed_ms", gap->closed_ms);
    eds_writer_text_field(&w, "operator", gap->operator_name, sizeof gap->operator_name);
    eds_writer_text_field(&w, "reason", gap->reason, sizeof gap->reason);
    eds_writer_hex_field(&w, "key_id", gap->key_id, EDS_KEY_ID_SIZE);
    eds_writer_hex_field(&w, "signature", gap->signature, EDS_SIGNATURE_SIZE);
    eds_writer_close(&w, '}');
    return eds_writer_end(&w);
}

/* json_envelope.c - what a device posts: a record and its payload. */
#include "edgesentry/json.h"

#include <string.h>

#include "codec/json_entry.h"

/* An envelope in the making, and the text that its payload is decoded in. */
struct envelope_walk {
    struct eds_envelope envelope;
    char *text;
};

static void take_record(struct eds_json_cursor *c, void *object)
{
    struct envelope_walk *walk = object;

    eds_json_take_entry(c, &walk->envelope.entry);
}

static void take_payload(struct eds_json_cursor *c, void *object)
{
    struct envelope_walk *walk = object;

    eds_json_space(c);
    walk->envelope.payload_absent = c->at < c->end && *c->at == 'n';
    if (!walk->envelope.payload_absent) {
        walk->envelope.payload = eds_json_hex_in_place(c, walk->text, &walk->envelope.payload_size);
        return;
    }
    walk->envelope.payload = NULL;
    walk->envelope.payload_size = 0;
    eds_json_skip(c); /* no other value begins like null */
}

static const struct eds_json_field envelope_fields[] = {
    EDS_JSON_FIELD("record", take_record),
    EDS_JSON_FIELD("raw_payload_hex", take_payload),
};

static const struct eds_json_shape envelope_shape = {envelope_fields, 2, 0x3, false};

int32_t eds_json_envelope_decode(struct eds_envelope *out, char *text, size_t size,
                                 struct eds_error *err)
{
    struct eds_json_cursor c;
    struct envelope_walk walk;

    walk.text = text;
    eds_json_begin(&c, text, size, "envelope", false, err);
    eds_json_object(&c, &envelope_shape, &walk);
    eds_json_finish(&c);
    if (c.rc == EDS_OK)
        memcpy(out, &walk.envelope, sizeof *out);
    return c.rc;
}

size_t eds_json_envelope_size(size_t payload_size)
{
    size_t around = EDS_JSON_ENTRY_SIZE_MAX + sizeof "{\"record\":,\"raw_payload_hex\":\"\"}";

    return payload_size > (SIZE_MAX - around) / 2 ? SIZE_MAX : around + 2 * payload_size;
}

static void begin_envelope(struct eds_json_writer *w, char *out, size_t out_size,
                           const struct eds_entry *entry)
{
    eds_writer_begin(w, out, out_size, false, 0);
    eds_writer_open(w, '{');
    eds_writer_name(w, "record");
    eds_json_put_entry(w, entry);
    eds_writer_name(w, "raw_payload_hex");
}

size_t eds_json_envelope_encode(char *out, size_t out_size, const struct eds_entry *entry,
                                const void *payload, size_t payload_size)
{
    struct eds_json_writer w;

    begin_envelope(&w, out, out_size, entry);
    eds_writer_hex(&w, payload, payload_size);
    eds_writer_close(&w, '}');
    return eds_writer_end(&w);
}

size_t eds_json_envelope_encode_bare(char *out, size_t out_size, const struct eds_entry *entry)
{
    struct eds_json_writer w;

    begin_envelope(&w, out, out_size, entry);
    eds_writer_null(&w);
    eds_writer_close(&w, '}');
    return eds_writer_end(&w);
}

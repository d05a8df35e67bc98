/* cursor.c - reading canonical bytes; see record_impl.h. */
#include <string.h>

#include "base/text.h"
#include "base/utf8.h"
#include "core/record_impl.h"

void eds_cursor_begin(struct eds_cursor *cursor, const uint8_t *buf, size_t size)
{
    *cursor = (struct eds_cursor){.start = buf, .at = buf, .left = size, .whence = buf};
}

void eds_cursor_fail(struct eds_cursor *cursor, const char *fault)
{
    if (cursor->fault == NULL)
        cursor->fault = fault;
}

static void begin_field(struct eds_cursor *cursor, const char *field)
{
    if (cursor->fault != NULL)
        return;
    cursor->field = field;
    cursor->whence = cursor->at;
}

/* The only function that moves the place. */
static const uint8_t *take(struct eds_cursor *cursor, size_t size)
{
    const uint8_t *bytes = cursor->at;

    if (cursor->fault != NULL)
        return NULL;
    if (size > cursor->left) { /* not at + size > end: that can wrap */
        cursor->truncated = true;
        eds_cursor_fail(cursor, "the bytes end inside it");
        return NULL;
    }
    cursor->at += size;
    cursor->left -= size;
    return bytes;
}

void eds_cursor_bytes(struct eds_cursor *cursor, const char *field, void *out, size_t size)
{
    const uint8_t *bytes;

    begin_field(cursor, field);
    bytes = take(cursor, size);
    if (bytes != NULL)
        memcpy(out, bytes, size);
}

/* Ten bytes hold 70 bits: the last may be 1 at most.  A last byte of 0 adds
 * nothing, so there is a shorter spelling, and one number has one spelling. */
static uint64_t take_varint(struct eds_cursor *cursor)
{
    uint64_t number = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        const uint8_t *byte = take(cursor, 1);

        if (byte == NULL)
            return 0;
        if (shift == 63 && *byte > 1) {
            eds_cursor_fail(cursor, "the number is above 2^64 - 1");
            return 0;
        }
        number |= (uint64_t)(*byte & 0x7f) << shift;
        if (*byte < 0x80) {
            if (*byte == 0 && shift > 0)
                eds_cursor_fail(cursor, "the number is spelled longer than needed");
            return number;
        }
    }
    return 0; /* not reached: the tenth byte ends it or fails */
}

uint64_t eds_cursor_u64(struct eds_cursor *cursor, const char *field)
{
    begin_field(cursor, field);
    return take_varint(cursor);
}

static const char *too_long(size_t out_size)
{
    if (out_size == EDS_DEVICE_ID_SIZE)
        return "the string is longer than 255 bytes";
    return out_size == EDS_OBJECT_REF_SIZE ? "the string is longer than 511 bytes"
                                           : "the string is longer than 1024 bytes";
}

void eds_cursor_string(struct eds_cursor *cursor, const char *field, void *out, size_t out_size)
{
    const uint8_t *bytes;
    uint64_t size = eds_cursor_u64(cursor, field);

    if (size >= out_size) {
        eds_cursor_fail(cursor, too_long(out_size));
        return;
    }
    bytes = take(cursor, (size_t)size);
    if (bytes == NULL)
        return;
    if (memchr(bytes, '\0', (size_t)size) != NULL)
        eds_cursor_fail(cursor, "there is a NUL in the string");
    else if (!eds_utf8_valid(bytes, (size_t)size))
        eds_cursor_fail(cursor, "the string is not valid UTF-8");
    else
        memcpy(out, bytes, (size_t)size);
}

void eds_cursor_record(struct eds_cursor *cursor, EdsAuditRecord *out)
{
    memset(out, 0, sizeof *out);
    eds_cursor_string(cursor, "device_id", out->device_id, sizeof out->device_id);
    out->sequence = eds_cursor_u64(cursor, "sequence");
    out->timestamp_ms = eds_cursor_u64(cursor, "timestamp_ms");
    eds_cursor_bytes(cursor, "payload_hash", out->payload_hash, sizeof out->payload_hash);
    if (eds_cursor_u64(cursor, "signature") != sizeof out->signature)
        eds_cursor_fail(cursor, "its length is not 64");
    eds_cursor_bytes(cursor, "signature", out->signature, sizeof out->signature);
    eds_cursor_bytes(cursor, "prev_record_hash", out->prev_record_hash,
                     sizeof out->prev_record_hash);
    eds_cursor_string(cursor, "object_ref", out->object_ref, sizeof out->object_ref);
}

int32_t eds_cursor_say(const struct eds_cursor *cursor, int32_t code, struct eds_error *err)
{
    struct eds_text text;

    if (err == NULL)
        return code;
    err->code = code;
    eds_text_begin(&text, err->text, sizeof err->text);
    eds_text_string(&text, cursor->field);
    eds_text_string(&text, " at byte ");
    eds_text_u64(&text, (uint64_t)(cursor->whence - cursor->start));
    eds_text_string(&text, ": ");
    eds_text_string(&text, cursor->fault);
    return code;
}

/* batch_reader.c - see batch_reader.h. */
#include "codec/batch_reader.h"

#include <string.h>

#include "base/text.h"

#define VARINT_SIZE_MAX 10u        /* bytes; 7 bits each */
#define ABSENT          UINT64_MAX /* as a size: the payload is not here */

void eds_batch_reader_init(struct eds_batch_reader *reader, enum eds_batch_format format)
{
    *reader = (struct eds_batch_reader){.format = format, .line = 1};
}

static void consume(struct eds_batch_reader *reader, size_t size, size_t *used)
{
    reader->consumed += size;
    *used += size;
}

/* Says where the fault is, and what it is. */
static int32_t fault(const struct eds_batch_reader *reader, int32_t rc, const char *why,
                     struct eds_error *err)
{
    struct eds_text text;

    if (err == NULL)
        return rc;
    err->code = rc;
    eds_text_begin(&text, err->text, sizeof err->text);
    eds_text_string(&text, reader->format == EDS_BATCH_LINES ? "line " : "record ");
    eds_text_u64(&text, reader->format == EDS_BATCH_LINES ? reader->line : reader->count);
    if (reader->format == EDS_BATCH_BYTES) {
        eds_text_string(&text, " at byte ");
        eds_text_u64(&text, reader->consumed);
    }
    eds_text_string(&text, ": ");
    eds_text_string(&text, why);
    return rc;
}

static bool is_blank(const char *line, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
            return false;
    return true;
}

static int32_t next_line(struct eds_batch_reader *reader, char *text, size_t size, bool at_end,
                         size_t *used, struct eds_envelope *out, struct eds_error *err)
{
    struct eds_error why;
    int32_t rc;

    for (;;) {
        char *line = text + *used, *stop;
        size_t left = size - *used, line_size;

        if (left == 0)
            return at_end ? EDS_ERR_NOT_FOUND : EDS_ERR_TRUNCATED;
        stop = memchr(line, '\n', left);
        if (stop == NULL && !at_end)
            return EDS_ERR_TRUNCATED;
        line_size = stop != NULL ? (size_t)(stop - line) : left;
        if (!is_blank(line, line_size)) {
            reader->count++;
            rc = eds_json_envelope_decode(out, line, line_size, &why);
            if (rc != EDS_OK)
                rc = fault(reader, EDS_ERR_MALFORMED, why.text, err);
        } else {
            rc = EDS_ERR_NOT_FOUND;
        }
        consume(reader, line_size + (stop != NULL), used);
        reader->line++;
        if (rc != EDS_ERR_NOT_FOUND)
            return rc;
    }
}

/* Reads a size in its shortest spelling.  EDS_OK, EDS_ERR_TRUNCATED or
 * EDS_ERR_MALFORMED. */
static int32_t take_size(const uint8_t *bytes, size_t left, uint64_t *out, size_t *used)
{
    uint64_t value = 0;

    for (size_t i = 0; i < VARINT_SIZE_MAX; i++) {
        if (i == left)
            return EDS_ERR_TRUNCATED;
        if (i == VARINT_SIZE_MAX - 1 && bytes[i] > 1)
            return EDS_ERR_MALFORMED; /* past 64 bits */
        value |= (uint64_t)(bytes[i] & 0x7f) << (7 * i);
        if (bytes[i] < 0x80) {
            if (i > 0 && bytes[i] == 0)
                return EDS_ERR_MALFORMED;
            *out = value;
            *used = i + 1;
            return EDS_OK;
        }
    }
    return EDS_ERR_MALFORMED;
}

/* The record at the front of bytes; *used only on EDS_OK. */
static int32_t take_record(const uint8_t *bytes, size_t size, size_t *used,
                           struct eds_envelope *out, struct eds_error *why)
{
    size_t entry_size, size_size;
    uint64_t payload_size;
    int32_t rc = eds_compact_decode(&out->entry, bytes, size, &entry_size, why);

    if (rc != EDS_OK)
        return rc;
    rc = take_size(bytes + entry_size, size - entry_size, &payload_size, &size_size);
    out->payload_absent = rc == EDS_OK && payload_size == ABSENT;
    if (out->payload_absent)
        payload_size = 0;
    if (rc == EDS_OK && payload_size > size - entry_size - size_size)
        rc = EDS_ERR_TRUNCATED;
    if (rc != EDS_OK) {
        struct eds_text text;

        eds_text_begin(&text, why->text, sizeof why->text);
        eds_text_string(&text, rc == EDS_ERR_TRUNCATED
                                   ? "payload: it ends before its size"
                                   : "payload: its size is not a varint in shortest form");
        return rc;
    }
    out->payload = out->payload_absent ? NULL : bytes + entry_size + size_size;
    out->payload_size = (size_t)payload_size;
    *used = entry_size + size_size + out->payload_size;
    return EDS_OK;
}

static int32_t next_bytes(struct eds_batch_reader *reader, const uint8_t *bytes, size_t size,
                          bool at_end, size_t *used, struct eds_envelope *out,
                          struct eds_error *err)
{
    struct eds_error why;
    size_t record_size;
    int32_t rc;

    if (reader->broken)
        consume(reader, size, used);
    if (reader->broken || size == 0)
        return at_end ? EDS_ERR_NOT_FOUND : EDS_ERR_TRUNCATED;
    rc = take_record(bytes, size, &record_size, out, &why);
    if (rc == EDS_ERR_TRUNCATED && !at_end)
        return rc;
    reader->count++;
    if (rc == EDS_OK) {
        consume(reader, record_size, used);
        return EDS_OK;
    }
    rc = fault(reader, EDS_ERR_MALFORMED, why.text, err);
    reader->broken = true;
    consume(reader, size, used);
    return rc;
}

int32_t eds_batch_reader_next(struct eds_batch_reader *reader, char *text, size_t size, bool at_end,
                              size_t *used, struct eds_envelope *out, struct eds_error *err)
{
    *used = 0;
    if (reader->format == EDS_BATCH_LINES)
        return next_line(reader, text, size, at_end, used, out, err);
    return next_bytes(reader, (const uint8_t *)text, size, at_end, used, out, err);
}

static uint8_t *put_size(uint8_t *at, uint64_t size)
{
    while (size >= 0x80) {
        *at++ = (uint8_t)(size | 0x80);
        size >>= 7;
    }
    *at++ = (uint8_t)size;
    return at;
}

int32_t eds_batch_write_bytes(uint8_t *out, size_t *out_size, const struct eds_entry *entry,
                              const void *payload, size_t payload_size)
{
    int32_t rc = eds_compact_encode(out, out_size, entry);
    uint8_t *at;

    if (rc != EDS_OK)
        return rc;
    at = put_size(out + *out_size, payload_size);
    if (payload_size > 0)
        memcpy(at, payload, payload_size);
    *out_size = (size_t)(at - out) + payload_size;
    return EDS_OK;
}

int32_t eds_batch_write_bare(uint8_t *out, size_t *out_size, const struct eds_entry *entry)
{
    int32_t rc = eds_compact_encode(out, out_size, entry);

    if (rc == EDS_OK)
        *out_size = (size_t)(put_size(out + *out_size, ABSENT) - out);
    return rc;
}

/* json_writer.c - see json_writer.h. */
#include "codec/json_writer.h"

#include <string.h>

#include "base/hex.h"
#include "base/text.h"
#include "base/utf8.h"
#include "codec/json_scan.h"

#define INDENT_STEP 2u /* spaces */

void eds_writer_begin(struct eds_json_writer *w, char *out, size_t out_size, bool pretty,
                      unsigned indent)
{
    w->out = w->at = out;
    w->end = out_size > 0 ? out + out_size - 1 : out;
    w->pretty = pretty;
    w->first = true;
    w->failed = out_size == 0;
    w->indent = indent;
}

size_t eds_writer_end(struct eds_json_writer *w)
{
    if (w->failed)
        return 0;
    *w->at = '\0';
    return (size_t)(w->at - w->out);
}

/* Makes room for size bytes; what did not fit once never fits again. */
static bool fits(struct eds_json_writer *w, size_t size)
{
    if (size > (size_t)(w->end - w->at))
        w->failed = true;
    return !w->failed;
}

static void put(struct eds_json_writer *w, const char *bytes, size_t size)
{
    if (!fits(w, size))
        return;
    memcpy(w->at, bytes, size);
    w->at += size;
}

static void put_char(struct eds_json_writer *w, char c)
{
    if (fits(w, 1))
        *w->at++ = c;
}

static void put_line(struct eds_json_writer *w)
{
    if (!w->pretty || !fits(w, 1 + (size_t)w->indent))
        return;
    *w->at++ = '\n';
    memset(w->at, ' ', w->indent);
    w->at += w->indent;
}

void eds_writer_open(struct eds_json_writer *w, char bracket)
{
    put_char(w, bracket);
    w->indent += INDENT_STEP;
    w->first = true;
}

void eds_writer_close(struct eds_json_writer *w, char bracket)
{
    w->indent -= INDENT_STEP;
    put_line(w);
    put_char(w, bracket);
    w->first = false;
}

void eds_writer_name(struct eds_json_writer *w, const char *name)
{
    if (!w->first)
        put_char(w, ',');
    w->first = false;
    put_line(w);
    put_char(w, '"');
    put(w, name, strlen(name));
    put(w, "\": ", w->pretty ? 3 : 2);
}

void eds_writer_u64(struct eds_json_writer *w, uint64_t number)
{
    char digits[24];
    struct eds_text text;

    eds_text_begin(&text, digits, sizeof digits);
    eds_text_u64(&text, number);
    put(w, digits, text.used);
}

void eds_writer_null(struct eds_json_writer *w)
{
    put(w, "null", 4);
}

static size_t number_size(uint8_t number)
{
    return 1u + (number > 9) + (number > 99);
}

/* A list in the compact form, where there is room for the longest one. */
static void put_bytes_fast(struct eds_json_writer *w, const uint8_t *bytes, size_t count)
{
    char *at = w->at;

    for (size_t i = 0; i < count; i++) {
        memcpy(at, eds_scan_numbers[bytes[i]], 4);
        at += number_size(bytes[i]) + 1;
    }
    w->at = at - 1; /* no comma after the last one */
}

void eds_writer_bytes(struct eds_json_writer *w, const uint8_t *bytes, size_t count)
{
    eds_writer_open(w, '[');
    if (!w->pretty && count <= (size_t)(w->end - w->at) / 4) {
        put_bytes_fast(w, bytes, count);
    } else {
        for (size_t i = 0; i < count; i++) {
            if (i > 0)
                put_char(w, ',');
            put_line(w);
            put(w, eds_scan_numbers[bytes[i]], number_size(bytes[i]));
        }
    }
    eds_writer_close(w, ']');
}

void eds_writer_hex(struct eds_json_writer *w, const uint8_t *bytes, size_t size)
{
    put_char(w, '"');
    if (size > SIZE_MAX / 2 || !fits(w, 2 * size)) {
        w->failed = true;
        return;
    }
    eds_hex_encode(w->at, bytes, size);
    w->at += 2 * size;
    put_char(w, '"');
}

static void put_escape(struct eds_json_writer *w, uint8_t byte)
{
    static const char plain[] = "\"\\\b\f\n\r\t", named[] = "\"\\bfnrt";
    const char *known = byte != 0 ? strchr(plain, byte) : NULL;
    char escape[6] = {
        '\\', 'u', '0', '0', (char)('0' + (byte >> 4)), "0123456789abcdef"[byte & 15]};

    if (known == NULL) {
        put(w, escape, sizeof escape);
    } else {
        escape[1] = named[known - plain];
        put(w, escape, 2);
    }
}

/* A string that is UTF-8. */
static void put_string(struct eds_json_writer *w, const char *at, size_t size)
{
    const char *end = at + size;
    bool ascii;

    while (at < end) {
        const char *stop = eds_scan_plain(at, end, &ascii);

        put(w, at, (size_t)(stop - at));
        at = stop;
        if (at < end)
            put_escape(w, (uint8_t)*at++);
    }
}

void eds_writer_terminated(struct eds_json_writer *w, const uint8_t *string, size_t size)
{
    const uint8_t *nul = memchr(string, '\0', size);

    if (nul == NULL || !eds_utf8_valid(string, (size_t)(nul - string))) {
        w->failed = true;
        return;
    }
    put_char(w, '"');
    put_string(w, (const char *)string, (size_t)(nul - string));
    put_char(w, '"');
}

void eds_writer_lossy(struct eds_json_writer *w, const char *string, size_t size)
{
    put_char(w, '"');
    while (size > 0) {
        size_t valid = eds_utf8_valid_size(string, size);

        put_string(w, string, valid);
        string += valid;
        size -= valid;
        if (size > 0) {
            size_t fault = eds_utf8_fault_size(string, size);

            put(w, "\xef\xbf\xbd", 3);
            string += fault;
            size -= fault;
        }
    }
    put_char(w, '"');
}

void eds_writer_text_field(struct eds_json_writer *w, const char *name, const char *text,
                           size_t size)
{
    eds_writer_name(w, name);
    eds_writer_terminated(w, (const uint8_t *)text, size);
}

void eds_writer_u64_field(struct eds_json_writer *w, const char *name, uint64_t number)
{
    eds_writer_name(w, name);
    eds_writer_u64(w, number);
}

void eds_writer_hex_field(struct eds_json_writer *w, const char *name, const uint8_t *bytes,
                          size_t size)
{
    eds_writer_name(w, name);
    eds_writer_hex(w, bytes, size);
}

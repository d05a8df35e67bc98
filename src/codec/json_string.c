/* json_string.c - JSON strings: their escapes, their UTF-8, their limits.
 *
 * A string is a row of plain runs with escapes in between.  The usual one is a
 * single run, found eight bytes at a time and copied once. */
#include "codec/json_cursor.h"

#include <string.h>

#include "base/text.h"
#include "base/utf8.h"
#include "codec/json_scan.h"

/* Where a string goes. */
struct sink {
    const char *quote; /* where the string begins in the text */
    char *out;
    size_t size; /* of out, a NUL included */
    size_t used;
    bool cut;  /* what does not fit is dropped, not refused; NUL is replaced */
    bool full; /* something was dropped */
};

static size_t room_in(const struct sink *sink)
{
    return sink->size - 1 - sink->used;
}

static void put(struct sink *sink, const char *bytes, size_t size)
{
    memmove(sink->out + sink->used, bytes, size); /* a string may be unescaped in place */
    sink->used += size;
}

static void fail_too_long(struct eds_json_cursor *c, const struct sink *sink)
{
    char limit[24];
    struct eds_text text;

    eds_text_begin(&text, limit, sizeof limit);
    eds_text_u64(&text, sink->size - 1);
    eds_json_fail_shown(c, sink->quote, "the string is longer than ", limit, text.used, " bytes");
}

/* Is this the front of a character whose end is not there yet? */
static bool is_cut_character(const char *at, size_t size)
{
    uint8_t lead = (uint8_t)at[0];
    size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;

    return lead >= 0xc2 && lead <= 0xf4 && size < want && eds_utf8_fault_size(at, size) == size;
}

/* Takes what needs no escape.  What is wrong first is said first: bad UTF-8
 * before the limit, then the limit. */
static void take_run(struct eds_json_cursor *c, struct sink *sink)
{
    bool ascii;
    const char *at = c->at, *stop = eds_scan_plain(at, c->end, &ascii);
    size_t size = (size_t)(stop - at), room = room_in(sink);
    size_t checked = size > room && !sink->cut ? room : size;
    size_t valid = ascii ? checked : eds_utf8_valid_size(at, checked);

    if (valid < checked) {
        bool cut = is_cut_character(at + valid, checked - valid);

        if (!cut || (checked == size && stop < c->end)) {
            eds_json_fail_expected(c, at + valid, "UTF-8");
            return;
        }
        if (checked == size) {
            eds_json_fail_expected(c, c->end, "the rest of a character");
            return;
        }
    }
    if (checked < size) {
        fail_too_long(c, sink);
        return;
    }
    if (size > room) { /* as the sink may be cut: whole characters */
        size = eds_utf8_valid_size(at, room);
        if (!sink->full)
            put(sink, at, size);
        sink->full = true;
    } else if (!sink->full) {
        put(sink, at, size);
    }
    c->at = stop;
}

/* Reads the four digits of \uXXXX at the cursor. */
static uint32_t take_code_unit(struct eds_json_cursor *c)
{
    uint32_t unit = 0;

    for (unsigned i = 0; i < 4; i++) {
        if (c->at == c->end || eds_scan_hex_values[(uint8_t)*c->at] == EDS_NO_DIGIT) {
            eds_json_fail_expected(c, c->at, "four hex digits after \\u");
            return 0;
        }
        unit = unit << 4 | eds_scan_hex_values[(uint8_t)*c->at++];
    }
    return unit;
}

/* Reads what follows \u: one unit, or two for a character above U+FFFF. */
static uint32_t take_code_point(struct eds_json_cursor *c)
{
    const char *escape = c->at - 2;
    uint32_t low, high = take_code_unit(c);

    if (c->rc != EDS_OK || high < 0xd800 || high > 0xdfff)
        return high;
    if (high > 0xdbff) {
        eds_json_fail(c, escape, "the second half of a surrogate pair without the first");
        return 0;
    }
    for (const char *u = "\\u"; *u != '\0'; u++) {
        if (c->at == c->end || *c->at != *u) {
            eds_json_fail_expected(c, c->at, "the second half of a surrogate pair");
            return 0;
        }
        c->at++;
    }
    escape = c->at - 2;
    low = take_code_unit(c);
    if (c->rc == EDS_OK && (low < 0xdc00 || low > 0xdfff))
        eds_json_fail(c, escape, "not the second half of a surrogate pair");
    return 0x10000 + ((high - 0xd800) << 10) + ((low - 0xdc00) & 0x3ff);
}

/* Takes one escape; the cursor is at its backslash. */
static void take_escape(struct eds_json_cursor *c, struct sink *sink)
{
    static const char spelled[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *escape = c->at++, *known;
    uint8_t bytes[4];
    size_t size;

    if (c->at < c->end && *c->at == 'u') {
        uint32_t point;

        c->at++;
        point = take_code_point(c);
        if (c->rc != EDS_OK)
            return;
        if (point == 0 && !sink->cut) {
            eds_json_fail(c, escape, "NUL is not allowed in a string");
            return;
        }
        size = eds_utf8_encode(bytes, point == 0 ? 0xfffd : point);
    } else {
        known = c->at < c->end && *c->at != '\0' ? strchr(spelled, *c->at) : NULL;
        if (known == NULL) {
            eds_json_fail_expected(c, c->at, "one of \"\\/bfnrtu after the backslash");
            return;
        }
        c->at++;
        bytes[0] = (uint8_t)meant[known - spelled];
        size = 1;
    }
    if (size <= room_in(sink) && !sink->full)
        put(sink, (const char *)bytes, size);
    else if (sink->cut)
        sink->full = true;
    else
        fail_too_long(c, sink);
}

/* Takes runs and escapes up to the closing quote. */
static size_t take_rest(struct eds_json_cursor *c, struct sink *sink)
{
    do {
        take_run(c, sink);
        if (c->at < c->end && *c->at == '"') {
            c->at++;
            return sink->used;
        }
        if (c->at < c->end && *c->at == '\\')
            take_escape(c, sink);
        else
            eds_json_fail_expected(c, c->at,
                                   c->at == c->end ? "the rest of a string"
                                                   : "an escaped control character");
    } while (c->rc == EDS_OK);
    return 0;
}

static size_t take_string(struct eds_json_cursor *c, struct sink *sink)
{
    if (!eds_json_take(c, '"')) {
        eds_json_fail_expected(c, c->at, "a string");
        return 0;
    }
    sink->quote = c->at - 1;
    return take_rest(c, sink);
}

size_t eds_json_string(struct eds_json_cursor *c, char *out, size_t out_size)
{
    struct sink sink = {.out = out, .size = out_size};
    size_t size = take_string(c, &sink);

    memset(out + size, 0, out_size - size);
    return size;
}

size_t eds_json_string_rest(struct eds_json_cursor *c, char *out, size_t out_size)
{
    struct sink sink = {.quote = c->at, .out = out, .size = out_size};

    return take_rest(c, &sink);
}

size_t eds_json_string_cut(struct eds_json_cursor *c, char *out, size_t out_size)
{
    struct sink sink = {.out = out, .size = out_size, .cut = true};
    size_t size = take_string(c, &sink);

    out[size] = '\0';
    return size;
}

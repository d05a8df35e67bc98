/* json_cursor.c - begin, end and failure of a walk; see json_cursor.h.
 *
 * Positions are counted when something fails and not before, so that a good
 * record pays nothing for them. */
#include "codec/json_cursor.h"

#include <string.h>

#include "base/text.h"

#define SHOWN_SIZE_MAX 32u   /* bytes of the text that an error repeats */
#define AHEAD_SIZE     1024u /* bytes asked for at once: most records have fewer */

void eds_json_begin(struct eds_json_cursor *c, const char *text, size_t size, const char *root,
                    bool root_shown, struct eds_error *err)
{
    if (text == NULL) /* then size is 0; a pointer to count from is still needed */
        text = "";
    /* Where the next step begins is known only when this one is done, so a text that
     * is in no near cache would be waited for line by line. */
    for (size_t at = 0; at < size && at < AHEAD_SIZE; at += 64)
        __builtin_prefetch(text + at);
    c->at = text;
    c->end = text + size;
    c->rc = EDS_OK;
    c->err = err;
    c->text = text;
    c->place = (struct eds_json_place){1, 1, 0};
    c->root = root;
    c->root_shown = root_shown;
    c->indexed = false;
    c->index = 0;
    c->end_name = "the text";
    c->depth = 0;
    c->spent = c->spent_end = c->end;
}

void eds_json_finish(struct eds_json_cursor *c)
{
    if (c->rc != EDS_OK)
        return;
    eds_json_space(c);
    if (c->at < c->end)
        eds_json_fail_expected(c, c->at, "nothing after the value");
}

void eds_json_place_move(struct eds_json_place *place, const char *from, const char *to)
{
    const char *line = from;

    place->byte += (uint64_t)(to - from);
    while (from < to && (from = memchr(from, '\n', (size_t)(to - from))) != NULL) {
        line = ++from;
        place->line++;
        place->column = 1;
    }
    place->column += (uint64_t)(to - line);
}

/* The smaller of two pointers into one text. */
static const char *nearer(const char *a, const char *b)
{
    return a < b ? a : b;
}

struct eds_json_place eds_json_place_of(const struct eds_json_cursor *c, const char *at)
{
    struct eds_json_place place = c->place;
    const char *before = nearer(at, c->spent);
    uint64_t spent = (uint64_t)(nearer(at, c->spent_end) - before);

    eds_json_place_move(&place, c->text, before);
    if (at > before) {
        place.column += spent;
        place.byte += spent;
        eds_json_place_move(&place, before + spent, at);
    }
    return place;
}

static void say_path(struct eds_text *text, const struct eds_json_cursor *c)
{
    bool root = c->root_shown || c->depth == 0;

    if (root)
        eds_text_string(text, c->root);
    if (root && c->indexed) {
        eds_text_char(text, '[');
        eds_text_u64(text, c->index);
        eds_text_char(text, ']');
    }
    for (unsigned i = 0; i < c->depth; i++) {
        if (root || i > 0)
            eds_text_char(text, '.');
        eds_text_bytes(text, c->names[i]->quoted + 1, c->names[i]->quoted_size - 2);
    }
    eds_text_string(text, ": ");
}

static void say_place(struct eds_text *text, const struct eds_json_place *place)
{
    eds_text_string(text, " at line ");
    eds_text_u64(text, place->line);
    eds_text_string(text, " column ");
    eds_text_u64(text, place->column);
    eds_text_string(text, " (byte ");
    eds_text_u64(text, place->byte);
    eds_text_char(text, ')');
}

/* Bytes from outside, so that they can neither end the line nor move a
 * terminal's cursor. */
static void say_shown(struct eds_text *text, const char *shown, size_t size)
{
    bool cut = size > SHOWN_SIZE_MAX;

    for (size_t i = 0; i < (cut ? SHOWN_SIZE_MAX : size); i++) {
        char c = shown[i];

        if (c == '"' || c == '\\') {
            eds_text_char(text, '\\');
            eds_text_char(text, c);
        } else if (c >= ' ' && c <= '~') {
            eds_text_char(text, c);
        } else {
            eds_text_string(text, "\\x");
            eds_text_hex(text, &c, 1);
        }
    }
    if (cut)
        eds_text_string(text, "...");
}

static void say_found(struct eds_text *text, const struct eds_json_cursor *c, const char *at,
                      const struct eds_json_place *place)
{
    uint8_t byte;

    if (at == c->end) {
        eds_text_string(text, "the end of ");
        eds_text_string(text, c->end_name);
        return;
    }
    byte = (uint8_t)*at;
    if (byte > ' ' && byte <= '~') {
        eds_text_char(text, '\'');
        eds_text_char(text, (char)byte);
        eds_text_char(text, '\'');
        return;
    }
    eds_text_string(text, "byte 0x");
    eds_text_hex(text, &byte, 1);
    if (byte == 0xef && place->byte == 0)
        eds_text_string(text, " (of a byte order mark?)");
}

/* Keeps the code and begins the text; false if there is nothing to write to,
 * or if it is not the first failure. */
static bool begin_failure(struct eds_json_cursor *c, int32_t code, struct eds_text *text)
{
    bool first = c->rc == EDS_OK;

    if (first) {
        c->rc = code;
        c->at = c->end;
    }
    if (!first || c->err == NULL)
        return false;
    c->err->code = code;
    eds_text_begin(text, c->err->text, sizeof c->err->text);
    return true;
}

void eds_json_fail_shown(struct eds_json_cursor *c, const char *at, const char *before,
                         const char *shown, size_t shown_size, const char *after)
{
    struct eds_text text;
    struct eds_json_place place;

    if (!begin_failure(c, EDS_ERR_MALFORMED, &text))
        return;
    place = eds_json_place_of(c, at);
    say_path(&text, c);
    eds_text_string(&text, before);
    say_shown(&text, shown, shown_size);
    eds_text_string(&text, after);
    say_place(&text, &place);
}

void eds_json_fail(struct eds_json_cursor *c, const char *at, const char *what)
{
    eds_json_fail_shown(c, at, what, "", 0, "");
}

void eds_json_fail_expected(struct eds_json_cursor *c, const char *at, const char *what)
{
    struct eds_text text;
    struct eds_json_place place;

    if (!begin_failure(c, at == c->end ? EDS_ERR_TRUNCATED : EDS_ERR_MALFORMED, &text))
        return;
    place = eds_json_place_of(c, at);
    say_path(&text, c);
    eds_text_string(&text, "expected ");
    eds_text_string(&text, what);
    eds_text_string(&text, ", found ");
    say_found(&text, c, at, &place);
    say_place(&text, &place);
}

void eds_json_fail_said(struct eds_json_cursor *c, const char *what)
{
    struct eds_text text;

    if (begin_failure(c, EDS_ERR_MALFORMED, &text))
        eds_text_string(&text, what);
}

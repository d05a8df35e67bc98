/* chain_reader.c - records out of a file of any length, in constant memory.
 *
 * A record is decoded in the buffer; if it turns out to end outside, more is
 * read and it is decoded again from its start.  That is asked seldom: once a
 * buffer, and with short reads only when a '}' has come, as the last byte of a
 * record is one. */
#include "edgesentry/json.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "codec/json_entry.h"

void eds_chain_reader_init(struct eds_chain_reader *reader, enum eds_chain_format format,
                           ptrdiff_t (*read)(void *context, void *buf, size_t size), void *context,
                           char *buf, size_t buf_size)
{
    assert(buf_size >= 2 * EDS_JSON_ENTRY_TEXT_MAX);
    memset(reader, 0, sizeof *reader);
    reader->format = format;
    reader->read = read;
    reader->context = context;
    reader->buf = buf;
    reader->buf_size = buf_size;
    reader->line = reader->column = 1;
    reader->rc = EDS_OK;
}

static size_t size_left(const struct eds_chain_reader *reader)
{
    return reader->end - reader->start;
}

static void say_unreadable(struct eds_error *err, uint64_t position, int error)
{
    struct eds_text text;

    if (err == NULL)
        return;
    err->code = EDS_ERR_IO;
    eds_text_begin(&text, err->text, sizeof err->text);
    eds_text_string(&text, "records: cannot read on at byte ");
    eds_text_u64(&text, position);
    eds_text_string(&text, ": ");
    eds_text_string(&text, strerror(error));
    eds_text_string(&text, " (os error ");
    eds_text_u64(&text, (uint64_t)error);
    eds_text_char(&text, ')');
}

/* Reads some more; false at the end, or when reading has failed (see rc). */
static bool read_more(struct eds_chain_reader *reader, struct eds_error *err)
{
    ptrdiff_t got;

    if (reader->at_end)
        return false;
    if (reader->end == reader->buf_size) {
        memmove(reader->buf, reader->buf + reader->start, size_left(reader));
        reader->end -= reader->start;
        reader->start = 0;
    }
    assert(reader->end < reader->buf_size); /* what is kept is never half of it */
    got = reader->read(reader->context, reader->buf + reader->end, reader->buf_size - reader->end);
    if (got < 0) {
        say_unreadable(err, reader->consumed + size_left(reader), errno);
        reader->rc = EDS_ERR_IO;
        return false;
    }
    assert((size_t)got <= reader->buf_size - reader->end);
    reader->end += (size_t)got;
    reader->at_end = got == 0;
    return got > 0;
}

/* Leaves size bytes behind. */
static void consume(struct eds_chain_reader *reader, size_t size)
{
    struct eds_json_place place = {reader->line, reader->column, reader->consumed};
    const char *at = reader->buf + reader->start;

    eds_json_place_move(&place, at, at + size);
    reader->line = place.line;
    reader->column = place.column;
    reader->consumed = place.byte;
    reader->start += size;
}

/* A walk over the next size bytes, whose errors speak of the file. */
static struct eds_json_cursor walk(const struct eds_chain_reader *reader, size_t size,
                                   struct eds_error *err)
{
    struct eds_json_cursor c;

    eds_json_begin(&c, reader->buf + reader->start, size, "records", true, err);
    c.place = (struct eds_json_place){reader->line, reader->column, reader->consumed};
    c.end_name = "the file";
    return c;
}

/* The same for one record. */
static struct eds_json_cursor walk_record(const struct eds_chain_reader *reader, size_t size,
                                          struct eds_error *err)
{
    struct eds_json_cursor c = walk(reader, size, err);

    c.indexed = true;
    c.index = reader->count;
    return c;
}

static int32_t fail_expected(struct eds_chain_reader *reader, const char *what,
                             struct eds_error *err)
{
    struct eds_json_cursor c = walk(reader, size_left(reader), err);

    eds_json_fail_expected(&c, c.at, what);
    return c.rc;
}

static int32_t fail_too_large(struct eds_chain_reader *reader, struct eds_error *err)
{
    struct eds_json_cursor c = walk_record(reader, size_left(reader), err);

    _Static_assert(EDS_JSON_ENTRY_TEXT_MAX == 65536, "the number in the text");
    eds_json_fail(&c, c.at, "the text of a record is longer than 65536 bytes");
    if (err != NULL)
        err->code = EDS_ERR_TOO_LARGE;
    return EDS_ERR_TOO_LARGE;
}

/* Moves over white space and tells the byte after it; '\0' at the end or when
 * reading has failed. */
static char next_char(struct eds_chain_reader *reader, struct eds_error *err)
{
    do {
        struct eds_json_cursor c = walk(reader, size_left(reader), NULL);

        eds_json_space(&c);
        consume(reader, (size_t)(c.at - c.text));
        if (c.at < c.end)
            return *c.at;
    } while (read_more(reader, err));
    return '\0';
}

/* Reads on until a record may be complete; false if it never will be. */
static bool read_brace(struct eds_chain_reader *reader, struct eds_error *err)
{
    size_t known = size_left(reader);

    while (size_left(reader) < EDS_JSON_ENTRY_TEXT_MAX && read_more(reader, err)) {
        size_t size = size_left(reader);

        if (memchr(reader->buf + reader->start + known, '}', size - known) != NULL)
            return true;
        known = size;
    }
    return reader->rc == EDS_OK && size_left(reader) >= EDS_JSON_ENTRY_TEXT_MAX;
}

/* Takes the record that begins where the reader is. */
static int32_t take_record(struct eds_chain_reader *reader, struct eds_entry *out,
                           struct eds_error *err)
{
    struct eds_json_cursor c;

    do {
        size_t left = size_left(reader);
        size_t size = left < EDS_JSON_ENTRY_TEXT_MAX ? left : EDS_JSON_ENTRY_TEXT_MAX;

        c = walk_record(reader, size, NULL);
        eds_json_take_entry(&c, out);
        if (c.rc == EDS_OK) {
            consume(reader, (size_t)(c.at - c.text));
            return EDS_OK;
        }
        if (c.rc == EDS_ERR_TRUNCATED && size == EDS_JSON_ENTRY_TEXT_MAX)
            return fail_too_large(reader, err);
    } while (c.rc == EDS_ERR_TRUNCATED && read_brace(reader, err));
    if (reader->rc != EDS_OK) { /* what came before may be wrong by itself */
        c = walk_record(reader, size_left(reader), NULL);
        eds_json_take_entry(&c, out);
        if (c.rc == EDS_ERR_TRUNCATED)
            return reader->rc;
    }
    c = walk_record(reader, size_left(reader), err); /* once more, for the words */
    eds_json_take_entry(&c, out);
    return c.rc;
}

/* Wants nothing but white space up to the end of the file. */
static int32_t end_array(struct eds_chain_reader *reader, struct eds_error *err)
{
    consume(reader, 1); /* the ']' */
    (void)next_char(reader, err);
    if (reader->rc != EDS_OK)
        return reader->rc;
    if (size_left(reader) > 0)
        return fail_expected(reader, "nothing after the array", err);
    return EDS_ERR_NOT_FOUND;
}

static int32_t next_in_array(struct eds_chain_reader *reader, struct eds_entry *out,
                             struct eds_error *err)
{
    char next = next_char(reader, err);
    bool first = !reader->begun;

    if (first && next == '[') {
        reader->begun = true;
        consume(reader, 1);
        next = next_char(reader, err);
    }
    if (reader->rc != EDS_OK)
        return reader->rc;
    if (!reader->begun)
        return fail_expected(reader, "an array of records", err);
    if (next == ']')
        return end_array(reader, err);
    if (!first) {
        if (next != ',')
            return fail_expected(reader, "',' or ']'", err);
        consume(reader, 1);
        (void)next_char(reader, err);
        if (reader->rc != EDS_OK)
            return reader->rc;
    }
    return take_record(reader, out, err);
}

/* Takes a line of size bytes; ended says that a line break and not the end of
 * the file comes after it. */
static int32_t take_line(struct eds_chain_reader *reader, size_t size, bool ended,
                         struct eds_entry *out, struct eds_error *err)
{
    struct eds_json_cursor c = walk_record(reader, size, err);

    if (ended)
        c.end_name = "the line";
    eds_json_take_entry(&c, out);
    eds_json_finish(&c);
    if (c.rc == EDS_ERR_TRUNCATED && ended) { /* no more bytes will mend it */
        c.rc = EDS_ERR_MALFORMED;
        if (err != NULL)
            err->code = EDS_ERR_MALFORMED;
    }
    if (c.rc == EDS_OK)
        consume(reader, size);
    return c.rc;
}

static int32_t next_in_lines(struct eds_chain_reader *reader, struct eds_entry *out,
                             struct eds_error *err)
{
    size_t searched = 0;
    const char *line, *stop;

    (void)next_char(reader, err); /* over empty lines as well */
    if (reader->rc != EDS_OK)
        return reader->rc;
    if (size_left(reader) == 0)
        return EDS_ERR_NOT_FOUND;
    do {
        line = reader->buf + reader->start;
        stop = memchr(line + searched, '\n', size_left(reader) - searched);
        searched = size_left(reader);
    } while (stop == NULL && searched <= EDS_JSON_ENTRY_TEXT_MAX && read_more(reader, err));
    if (reader->rc != EDS_OK)
        return reader->rc;
    line = reader->buf + reader->start;
    if ((stop != NULL ? (size_t)(stop - line) : searched) > EDS_JSON_ENTRY_TEXT_MAX)
        return fail_too_large(reader, err);
    return take_line(reader, stop != NULL ? (size_t)(stop - line) : searched, stop != NULL, out,
                     err);
}

/* A compact entry has no lines: its error gets its place in the file. */
static int32_t fail_compact(const struct eds_chain_reader *reader, int32_t rc,
                            const struct eds_error *why, struct eds_error *err)
{
    struct eds_text text;

    if (err == NULL)
        return rc;
    err->code = rc;
    eds_text_begin(&text, err->text, sizeof err->text);
    eds_text_string(&text, "records[");
    eds_text_u64(&text, reader->count);
    eds_text_string(&text, "] at byte ");
    eds_text_u64(&text, reader->consumed);
    eds_text_string(&text, ": ");
    eds_text_string(&text, why->text);
    return rc;
}

static int32_t next_in_bytes(struct eds_chain_reader *reader, struct eds_entry *out,
                             struct eds_error *err)
{
    struct eds_error why;
    size_t used;
    int32_t rc;

    if (size_left(reader) == 0 && !read_more(reader, err))
        return reader->rc != EDS_OK ? reader->rc : EDS_ERR_NOT_FOUND;
    do {
        const uint8_t *bytes = (const uint8_t *)reader->buf + reader->start;

        rc = eds_compact_decode(out, bytes, size_left(reader), &used, &why);
    } while (rc == EDS_ERR_TRUNCATED && size_left(reader) < EDS_COMPACT_SIZE_MAX &&
             read_more(reader, err));
    if (reader->rc != EDS_OK)
        return reader->rc;
    if (rc != EDS_OK)
        return fail_compact(reader, rc, &why, err);
    reader->consumed += used;
    reader->start += used;
    return EDS_OK;
}

static int32_t next(struct eds_chain_reader *reader, struct eds_entry *out, struct eds_error *err)
{
    switch (reader->format) {
    case EDS_CHAIN_ARRAY:
        return next_in_array(reader, out, err);
    case EDS_CHAIN_NDJSON:
        return next_in_lines(reader, out, err);
    case EDS_CHAIN_COMPACT:
        return next_in_bytes(reader, out, err);
    }
    assert(false && "a format of enum eds_chain_format");
    return EDS_ERR_USAGE;
}

int32_t eds_chain_reader_next(struct eds_chain_reader *reader, struct eds_entry *out,
                              struct eds_error *err)
{
    struct eds_text text;

    if (reader->rc == EDS_OK) {
        reader->rc = next(reader, out, err);
        if (reader->rc == EDS_OK)
            reader->count++;
        if (reader->rc != EDS_ERR_NOT_FOUND)
            return reader->rc;
    }
    if (err != NULL) {
        err->code = reader->rc;
        eds_text_begin(&text, err->text, sizeof err->text);
        eds_text_string(&text, reader->rc == EDS_ERR_NOT_FOUND ? "records: there are no more"
                                                               : "records: reading has failed");
    }
    return reader->rc;
}

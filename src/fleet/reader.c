/* reader.c - the bytes of a file, and which of the forms they are; see reader.h. */
#include "fleet/reader.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "codec/json_cursor.h"

void eds_fleet_reader_init(struct eds_fleet_reader *reader, enum eds_fleet_format format,
                           ptrdiff_t (*read)(void *context, void *buf, size_t size), void *context)
{
    memset(reader, 0, offsetof(struct eds_fleet_reader, buf));
    reader->format = format;
    reader->read = read;
    reader->context = context;
    reader->line = reader->column = 1;
}

/* Reads some more; false at the end, when the buffer is full of one device, or
 * when reading has failed (see rc). */
bool eds_fleet_read_more(struct eds_fleet_reader *reader, struct eds_error *err)
{
    const size_t room = sizeof reader->buf - 1; /* the last byte is eds_csv_split's */
    ptrdiff_t got;

    if (reader->at_end || reader->rc != EDS_OK)
        return false;
    if (reader->start > 0) {
        memmove(reader->buf, reader->buf + reader->start, reader->end - reader->start);
        reader->end -= reader->start;
        reader->start = 0;
    }
    if (reader->end == room)
        return false;
    got = reader->read(reader->context, reader->buf + reader->end, room - reader->end);
    if (got < 0) {
        reader->rc =
            eds_error_set(err, EDS_ERR_IO, "cannot read on at byte %llu: %s",
                          (unsigned long long)(reader->consumed + reader->end), strerror(errno));
        return false;
    }
    assert((size_t)got <= room - reader->end);
    reader->end += (size_t)got;
    reader->at_end = got == 0;
    return got > 0;
}

void eds_fleet_consume(struct eds_fleet_reader *reader, size_t size)
{
    struct eds_json_place place = {reader->line, reader->column, reader->consumed};
    const char *at = reader->buf + reader->start;

    eds_json_place_move(&place, at, at + size);
    reader->line = place.line;
    reader->column = place.column;
    reader->consumed = place.byte;
    reader->start += size;
}

/* What begins with a brace is a list if its first field is "devices". */
static enum eds_fleet_format guess(const char *text, size_t size)
{
    struct eds_json_cursor c;
    static const char name[] = "\"devices\"";

    eds_json_begin(&c, text, size, "devices", true, NULL);
    if (eds_json_take(&c, '['))
        return EDS_FLEET_JSON;
    if (!eds_json_take(&c, '{'))
        return EDS_FLEET_CSV;
    eds_json_space(&c);
    if ((size_t)(c.end - c.at) >= sizeof name - 1 && memcmp(c.at, name, sizeof name - 1) == 0)
        return EDS_FLEET_JSON;
    return EDS_FLEET_NDJSON;
}

/* The first bytes: all that there are, up to a device's text. */
static int32_t begin(struct eds_fleet_reader *reader, struct eds_error *err)
{
    static const char mark[] = "\xef\xbb\xbf"; /* as spreadsheets put it */

    while (reader->end < EDS_FLEET_TEXT_MAX && eds_fleet_read_more(reader, err))
        ;
    if (reader->rc != EDS_OK)
        return reader->rc;
    if (reader->end >= 3 && memcmp(reader->buf, mark, 3) == 0) {
        reader->start = 3;
        reader->consumed = 3;
    }
    if (reader->format == EDS_FLEET_GUESS)
        reader->format = guess(reader->buf + reader->start, reader->end - reader->start);
    return EDS_OK;
}

int32_t eds_fleet_reader_next(struct eds_fleet_reader *reader, struct eds_fleet_entry *out,
                              struct eds_error *err)
{
    int32_t rc = reader->rc;

    if (rc == EDS_OK && reader->broken)
        return EDS_ERR_NOT_FOUND;
    if (rc == EDS_OK && reader->consumed == 0 && reader->end == 0)
        rc = begin(reader, err);
    if (rc != EDS_OK)
        return rc;
    if (reader->format == EDS_FLEET_CSV)
        rc = eds_fleet_next_row(reader, out, err);
    else
        rc = eds_fleet_next_object(reader, out, err);
    return reader->rc != EDS_OK ? reader->rc : rc;
}

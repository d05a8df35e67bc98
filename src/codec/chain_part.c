/* chain_part.c - see chain_part.h. */
#include "codec/chain_part.h"

#include <assert.h>

#include "codec/json_cursor.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The last c in text, or NULL. */
static const char *find_last(const char *text, size_t size, char c)
{
    while (size > 0)
        if (text[--size] == c)
            return text + size;
    return NULL;
}

static size_t back_over_space(const char *text, size_t at)
{
    while (at > 0 && is_space(text[at - 1]))
        at--;
    return at;
}

/* Between two records of an array, and nowhere else outside a string, is '}',
 * ',' and '{', with white space as it may be. */
static size_t cut_array(const char *text, size_t size)
{
    const char *brace = text + size;

    while ((brace = find_last(text, (size_t)(brace - text), '{')) != NULL) {
        size_t at = back_over_space(text, (size_t)(brace - text));

        if (at == 0 || text[at - 1] != ',')
            continue;
        at = back_over_space(text, at - 1);
        if (at > 0 && text[at - 1] == '}')
            return at;
    }
    return 0;
}

size_t eds_chain_part_cut(enum eds_chain_format format, const char *text, size_t size)
{
    const char *end;

    switch (format) {
    case EDS_CHAIN_ARRAY:
        return cut_array(text, size);
    case EDS_CHAIN_NDJSON:
        end = find_last(text, size, '\n');
        return end != NULL ? (size_t)(end - text) + 1 : 0;
    case EDS_CHAIN_COMPACT:
        break;
    }
    return 0;
}

/* A part is all there. */
static ptrdiff_t read_nothing(void *context, void *buf, size_t size)
{
    (void)context;
    (void)buf;
    (void)size;
    return 0;
}

void eds_chain_part_begin(struct eds_chain_reader *part, enum eds_chain_format format, char *text,
                          size_t size, bool is_first)
{
    *part = (struct eds_chain_reader){
        .format = format,
        .read = read_nothing,
        .buf = text,
        .buf_size = size,
        .end = size,
        .line = 1,
        .column = 1,
        .at_end = true,
        .begun = !is_first,
        .rc = EDS_OK,
    };
}

/* Moves over white space; true if nothing else is left. */
static bool is_used_up(struct eds_chain_reader *part)
{
    struct eds_json_place place = {part->line, part->column, part->consumed};
    size_t at = part->start;

    while (at < part->end && is_space(part->buf[at]))
        at++;
    eds_json_place_move(&place, part->buf + part->start, part->buf + at);
    part->line = place.line;
    part->column = place.column;
    part->consumed = place.byte;
    part->start = at;
    return at == part->end;
}

int32_t eds_chain_part_next(struct eds_chain_reader *part, struct eds_entry *out, bool is_last)
{
    if (!is_last && is_used_up(part))
        return EDS_ERR_NOT_FOUND;
    return eds_chain_reader_next(part, out, NULL);
}

void eds_chain_part_join(struct eds_chain_reader *reader, const struct eds_chain_reader *part)
{
    assert(reader->start == reader->end && reader->rc == EDS_OK);
    reader->column = part->line > 1 ? part->column : reader->column + part->column - 1;
    reader->line += part->line - 1;
    reader->consumed += part->consumed;
    reader->count += part->count;
    reader->begun = true;
    reader->rc = part->rc;
}

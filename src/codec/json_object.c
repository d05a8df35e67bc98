/* json_object.c - objects, by a table of their fields; see json_cursor.h. */
#include "codec/json_cursor.h"

#include <assert.h>
#include <string.h>

#define NAME_SIZE 64u /* bytes of a name that are kept, to compare and to show */

/* A name in its plain spelling; starts at the one that mostly comes next. */
static unsigned find_quoted(const struct eds_json_cursor *c, const struct eds_json_shape *shape,
                            unsigned next)
{
    size_t left = (size_t)(c->end - c->at);

    for (unsigned i = 0; i < shape->field_count; i++) {
        unsigned which = next + i < shape->field_count ? next + i : next + i - shape->field_count;
        const struct eds_json_field *field = &shape->fields[which];

        if (left >= field->quoted_size && memcmp(c->at, field->quoted, field->quoted_size) == 0) {
            return which;
        }
    }
    return shape->field_count;
}

/* Reads a name that is unknown or spelled with escapes. */
static unsigned find_escaped(struct eds_json_cursor *c, const struct eds_json_shape *shape)
{
    char name[NAME_SIZE];
    const char *quote = c->at;
    size_t size = eds_json_string_cut(c, name, sizeof name);

    if (c->rc != EDS_OK)
        return shape->field_count;
    for (unsigned i = 0; i < shape->field_count; i++)
        if (shape->fields[i].quoted_size == size + 2 &&
            memcmp(shape->fields[i].quoted + 1, name, size) == 0)
            return i;
    if (!shape->open)
        eds_json_fail_shown(c, quote, "unknown field \"", name, size, "\"");
    return shape->field_count;
}

/* Reads a name and its colon; returns its number in the shape, or field_count. */
static unsigned take_name(struct eds_json_cursor *c, const struct eds_json_shape *shape,
                          unsigned next, uint32_t seen)
{
    const char *quote;
    unsigned which;

    eds_json_space(c);
    quote = c->at;
    if (quote == c->end || *quote != '"') {
        eds_json_fail_expected(c, quote, "a field's name in quotes");
        return shape->field_count;
    }
    which = find_quoted(c, shape, next);
    if (which < shape->field_count)
        c->at += shape->fields[which].quoted_size;
    else
        which = find_escaped(c, shape);
    if (which < shape->field_count && (seen >> which & 1) != 0)
        eds_json_fail_shown(c, quote, "repeated field \"", shape->fields[which].quoted + 1,
                            shape->fields[which].quoted_size - 2, "\"");
    else if (!eds_json_take(c, ':'))
        eds_json_fail_expected(c, c->at, "':'");
    return which;
}

static void check_missing(struct eds_json_cursor *c, const struct eds_json_shape *shape,
                          uint32_t seen)
{
    for (unsigned i = 0; i < shape->field_count; i++)
        if ((shape->required & ~seen) >> i & 1) {
            eds_json_fail_shown(c, c->at - 1, "missing field \"", shape->fields[i].quoted + 1,
                                shape->fields[i].quoted_size - 2, "\"");
            return;
        }
}

static void take_value(struct eds_json_cursor *c, const struct eds_json_field *field, void *object)
{
    assert(c->depth < EDS_JSON_DEPTH_MAX);
    c->names[c->depth++] = field;
    field->read(c, object);
    c->depth--;
}

void eds_json_object(struct eds_json_cursor *c, const struct eds_json_shape *shape, void *object)
{
    unsigned next = 0;
    uint32_t seen = 0;

    if (!eds_json_take(c, '{')) {
        eds_json_fail_expected(c, c->at, "an object");
        return;
    }
    if (eds_json_take(c, '}')) {
        check_missing(c, shape, seen);
        return;
    }
    do {
        unsigned which = take_name(c, shape, next, seen);

        if (c->rc != EDS_OK)
            return;
        if (which < shape->field_count) {
            take_value(c, &shape->fields[which], object);
            seen |= (uint32_t)1 << which;
            next = which + 1;
        } else {
            eds_json_skip(c);
        }
    } while (eds_json_take(c, ','));
    if (eds_json_take(c, '}'))
        check_missing(c, shape, seen);
    else
        eds_json_fail_expected(c, c->at, "',' or '}'");
}

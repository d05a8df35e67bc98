/* flat_json.c - see flat_json.h. */
#include "device/flat_json.h"

#include <string.h>

struct cursor {
    const char *begin, *at, *end;
};

static int32_t say(const struct cursor *c, const char *expected, struct eds_error *err)
{
    return eds_error_set(err, EDS_ERR_MALFORMED, "expected %s at byte %zu", expected,
                         (size_t)(c->at - c->begin));
}

static void skip_space(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t' || *c->at == '\r'))
        c->at++;
}

/* Takes one character, white space before it left out. */
static bool take(struct cursor *c, char wanted)
{
    skip_space(c);
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

static bool take_string(struct cursor *c, const char **value, size_t *size)
{
    if (!take(c, '"'))
        return false;
    *value = c->at;
    while (c->at < c->end && *c->at != '"' && *c->at != '\\' && (unsigned char)*c->at >= 0x20)
        c->at++;
    *size = (size_t)(c->at - *value);
    if (c->at == c->end || *c->at != '"') /* not take: no space may come before it */
        return false;
    c->at++;
    return true;
}

static bool take_number(struct cursor *c, const char **value, size_t *size)
{
    skip_space(c);
    *value = c->at;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9')
        c->at++;
    *size = (size_t)(c->at - *value);
    return *size > 0;
}

static int32_t take_field(struct cursor *c, struct eds_flat_field *fields, size_t field_count,
                          struct eds_error *err)
{
    struct eds_flat_field *field = NULL;
    const char *name;
    size_t name_size;

    if (!take_string(c, &name, &name_size))
        return say(c, "a field's name in quotes", err);
    for (size_t i = 0; i < field_count; i++)
        if (strlen(fields[i].name) == name_size && memcmp(fields[i].name, name, name_size) == 0)
            field = &fields[i];
    if (field == NULL)
        return eds_error_set(err, EDS_ERR_MALFORMED, "unknown field at byte %zu",
                             (size_t)(name - c->begin));
    if (field->value != NULL)
        return eds_error_set(err, EDS_ERR_MALFORMED, "duplicate field `%s`", field->name);
    if (!take(c, ':'))
        return say(c, "':'", err);
    if (field->is_number ? !take_number(c, &field->value, &field->size)
                         : !take_string(c, &field->value, &field->size))
        return eds_error_set(err, EDS_ERR_MALFORMED, "field `%s`: expected a %s", field->name,
                             field->is_number ? "number" : "plain string");
    return EDS_OK;
}

int32_t eds_flat_json_parse(struct eds_flat_field *fields, size_t field_count, const char *text,
                            size_t size, struct eds_error *err)
{
    struct cursor c = {text, text, text + size};
    int32_t rc;

    for (size_t i = 0; i < field_count; i++)
        fields[i].value = NULL;
    if (!take(&c, '{'))
        return say(&c, "'{'", err);
    if (!take(&c, '}')) {
        do {
            rc = take_field(&c, fields, field_count, err);
            if (rc != EDS_OK)
                return rc;
        } while (take(&c, ','));
        if (!take(&c, '}'))
            return say(&c, "',' or '}'", err);
    }
    skip_space(&c);
    return c.at == c.end ? EDS_OK : say(&c, "nothing after '}'", err);
}

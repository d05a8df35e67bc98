/* ini.c - see ini.h. */
#include "base/ini.h"

#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

void eds_ini_begin(struct eds_ini *ini, const char *text, size_t size)
{
    *ini = (struct eds_ini){.text = text, .size = size, .section = {"", 0}};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct eds_ini_slice trim(const char *bytes, size_t size)
{
    while (size > 0 && is_blank(bytes[0])) {
        bytes++;
        size--;
    }
    while (size > 0 && is_blank(bytes[size - 1]))
        size--;
    return (struct eds_ini_slice){bytes, size};
}

static bool is_name(struct eds_ini_slice name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = name.bytes[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return name.size > 0;
}

static bool is_text(struct eds_ini_slice line)
{
    for (size_t i = 0; i < line.size; i++)
        if (((unsigned char)line.bytes[i] < ' ' && line.bytes[i] != '\t') || line.bytes[i] == 0x7f)
            return false;
    return eds_utf8_valid(line.bytes, line.size);
}

/* The next line without its end, which is a newline, after a carriage return or
 * not. */
static struct eds_ini_slice take_line(struct eds_ini *ini)
{
    const char *begin = ini->text + ini->at;
    const char *end = memchr(begin, '\n', ini->size - ini->at);
    size_t size = end != NULL ? (size_t)(end - begin) : ini->size - ini->at;

    ini->at += size + (end != NULL);
    ini->line++;
    if (end != NULL && size > 0 && begin[size - 1] == '\r')
        size--;
    return trim(begin, size);
}

static enum eds_ini_kind fail(struct eds_ini *ini, enum eds_ini_kind kind)
{
    ini->at = ini->size;
    return kind;
}

static enum eds_ini_kind take_section(struct eds_ini *ini, struct eds_ini_slice line)
{
    if (line.bytes[line.size - 1] != ']')
        return fail(ini, EDS_INI_NO_EQUALS);
    ini->section = trim(line.bytes + 1, line.size - 2);
    return is_name(ini->section) ? EDS_INI_SECTION : fail(ini, EDS_INI_BAD_NAME);
}

static enum eds_ini_kind take_item(struct eds_ini *ini, struct eds_ini_slice line)
{
    const char *equals = memchr(line.bytes, '=', line.size);

    if (equals == NULL)
        return fail(ini, EDS_INI_NO_EQUALS);
    ini->key = trim(line.bytes, (size_t)(equals - line.bytes));
    ini->value = trim(equals + 1, line.size - (size_t)(equals - line.bytes) - 1);
    if (!is_name(ini->key))
        return fail(ini, EDS_INI_BAD_NAME);
    return ini->value.size > 0 ? EDS_INI_ITEM : fail(ini, EDS_INI_NO_VALUE);
}

enum eds_ini_kind eds_ini_next(struct eds_ini *ini)
{
    while (ini->at < ini->size) {
        struct eds_ini_slice line = take_line(ini);
        if (!is_text(line))
            return fail(ini, EDS_INI_BAD_TEXT);
        if (line.size == 0 || line.bytes[0] == '#' || line.bytes[0] == ';')
            continue;
        return line.bytes[0] == '[' ? take_section(ini, line) : take_item(ini, line);
    }
    return EDS_INI_END;
}

const char *eds_ini_fault(enum eds_ini_kind kind)
{
    switch (kind) {
    case EDS_INI_NO_EQUALS:
        return "expected 'key = value', '[section]' or '# comment'";
    case EDS_INI_BAD_NAME:
        return "a name is made of a to z, 0 to 9 and dashes";
    case EDS_INI_NO_VALUE:
        return "there is no value; to have the default, leave the key out";
    case EDS_INI_BAD_TEXT:
        return "a control character, or no UTF-8";
    default:
        return "";
    }
}

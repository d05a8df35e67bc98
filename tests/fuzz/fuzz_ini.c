/* fuzz_ini.c - any text as a configuration file.
 *
 * What is read lies inside the text, on the line that is named, and is what a
 * line alone would be read as; written down again in the plainest way it is read
 * as the same; after a fault nothing follows. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/ini.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static bool equal(struct eds_ini_slice a, struct eds_ini_slice b)
{
    return a.size == b.size && memcmp(a.bytes, b.bytes, a.size) == 0;
}

static void check_inside(const struct eds_ini *ini, struct eds_ini_slice slice)
{
    check(slice.size > 0 && slice.bytes >= ini->text &&
          slice.bytes + slice.size <= ini->text + ini->size);
    check(memchr(slice.bytes, '\n', slice.size) == NULL);
    check(slice.bytes[0] != ' ' && slice.bytes[slice.size - 1] != ' ');
}

static unsigned line_of(const struct eds_ini *ini, const char *at)
{
    unsigned line = 1;

    for (const char *c = ini->text; c < at; c++)
        line += *c == '\n';
    return line;
}

static size_t put(char *out, const char *before, struct eds_ini_slice slice, const char *after)
{
    size_t used = strlen(before);

    memcpy(out, before, used);
    memcpy(out + used, slice.bytes, slice.size);
    used += slice.size;
    memcpy(out + used, after, strlen(after));
    return used + strlen(after);
}

/* The item alone, in a text of its own. */
static void check_again(const struct eds_ini *ini)
{
    char *text = malloc(ini->section.size + ini->key.size + ini->value.size + 16);
    struct eds_ini again;
    size_t used = 0;

    check(text != NULL);
    if (ini->section.size > 0)
        used += put(text, "[", ini->section, "]\n");
    used += put(text + used, "", ini->key, "=");
    used += put(text + used, "", ini->value, "");
    eds_ini_begin(&again, text, used);
    check(ini->section.size == 0 || eds_ini_next(&again) == EDS_INI_SECTION);
    check(eds_ini_next(&again) == EDS_INI_ITEM);
    check(equal(again.section, ini->section) && equal(again.key, ini->key) &&
          equal(again.value, ini->value));
    check(eds_ini_next(&again) == EDS_INI_END);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct eds_ini ini;
    enum eds_ini_kind kind;
    unsigned line = 0;

    eds_ini_begin(&ini, (const char *)data, size);
    while ((kind = eds_ini_next(&ini)) == EDS_INI_ITEM || kind == EDS_INI_SECTION) {
        check(ini.line > line);
        if (kind == EDS_INI_SECTION) {
            check_inside(&ini, ini.section);
            line = ini.line;
            continue;
        }
        check_inside(&ini, ini.key);
        check_inside(&ini, ini.value);
        check(ini.line > line && ini.line == line_of(&ini, ini.key.bytes));
        line = ini.line;
        check_again(&ini);
    }
    check(kind == EDS_INI_END || *eds_ini_fault(kind) != '\0');
    check(eds_ini_next(&ini) == EDS_INI_END);
    return 0;
}

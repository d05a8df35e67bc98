/* log.c - see log.h. */
#include "base/log.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/port.h"
#include "base/text.h"
#include "base/utf8.h"

#define LINE_SIZE 4096 /* bytes; PIPE_BUF, so that one write is one line */

static atomic_int least_level = EDS_LOG_INFO;
static atomic_int line_format = EDS_LOG_LOGFMT;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void eds_log_configure(enum eds_log_level least, enum eds_log_format format)
{
    atomic_store(&least_level, (int)least);
    atomic_store(&line_format, (int)format);
}

/* Writes bytes so that they can't end a quoted value or a line, or move a
 * terminal's cursor: both formats share JSON's escapes. */
static void add_escaped(struct eds_text *text, const char *string)
{
    size_t size = strlen(string);

    for (size_t i = 0; i < size;) {
        uint8_t byte = (uint8_t)string[i];
        size_t valid = eds_utf8_valid_size(string + i, size - i < 4 ? size - i : 4);

        if (valid == 0) {
            eds_text_string(text, "\\ufffd");
            i += eds_utf8_fault_size(string + i, size - i);
        } else if (byte == '"' || byte == '\\') {
            eds_text_char(text, '\\');
            eds_text_char(text, (char)byte);
            i++;
        } else if (byte < 0x20 || byte == 0x7f) {
            eds_text_string(text, "\\u00");
            eds_text_hex(text, &byte, 1);
            i++;
        } else {
            /* Just one character: a byte that continues nothing is no part of it. */
            size_t step = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;

            eds_text_bytes(text, string + i, step);
            i += step;
        }
    }
}

static bool is_plain(const char *string)
{
    if (*string == '\0')
        return false;
    for (; *string != '\0'; string++)
        if ((uint8_t)*string <= ' ' || (uint8_t)*string >= 0x7f || strchr("\"\\=", *string) != NULL)
            return false;
    return true;
}

static void add_field(struct eds_text *text, bool json, const char *name, const char *string,
                      uint64_t number)
{
    if (text->used > 0 && !(json && text->used == 1))
        eds_text_char(text, json ? ',' : ' ');
    if (json)
        eds_text_char(text, '"');
    eds_text_string(text, name);
    eds_text_string(text, json ? "\":" : "=");
    if (string == NULL) {
        eds_text_u64(text, number);
    } else if (!json && is_plain(string)) {
        eds_text_string(text, string);
    } else {
        eds_text_char(text, '"');
        add_escaped(text, string);
        eds_text_char(text, '"');
    }
}

static void format_time(char out[32], uint64_t now_ms)
{
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm utc;
    size_t used;

    gmtime_r(&seconds, &utc);
    used = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out + used, 32 - used, ".%03uZ", (unsigned)(now_ms % 1000));
}

bool eds_log_wants(enum eds_log_level level)
{
    return (int)level >= atomic_load(&least_level);
}

void eds_log(enum eds_log_level level, const char *event, const struct eds_log_field *fields,
             unsigned field_count)
{
    char line[LINE_SIZE], time_text[32];
    struct eds_text text;
    bool json = atomic_load(&line_format) == EDS_LOG_JSON;

    if (!eds_log_wants(level))
        return;
    format_time(time_text, eds_port_time_ms());
    eds_text_begin(&text, line, sizeof line - 2); /* room for the end of the line */
    if (json)
        eds_text_char(&text, '{');
    add_field(&text, json, "ts", time_text, 0);
    add_field(&text, json, "level", level_names[level], 0);
    add_field(&text, json, "event", event, 0);
    for (unsigned i = 0; i < field_count; i++) {
        struct eds_text before = text;

        if (fields[i].name == NULL)
            continue;
        add_field(&text, json, fields[i].name, fields[i].string, fields[i].number);
        if (text.full) { /* leave the whole field out rather than half of it */
            text = before;
            text.out[text.used] = '\0';
        }
    }
    if (json)
        line[text.used++] = '}';
    line[text.used++] = '\n';
    (void)!write(STDERR_FILENO, line, text.used); /* nowhere left to complain */
}

/* text.c - see text.h. */
#include "base/text.h"

#include <string.h>

#include "base/hex.h"

void eds_text_begin(struct eds_text *text, char *out, size_t size)
{
    text->out = out;
    text->size = size;
    text->used = 0;
    text->full = false;
    out[0] = '\0';
}

void eds_text_bytes(struct eds_text *text, const char *bytes, size_t size)
{
    if (text->full || size >= text->size - text->used) {
        text->full = true;
        return;
    }
    memcpy(text->out + text->used, bytes, size);
    text->used += size;
    text->out[text->used] = '\0';
}

void eds_text_char(struct eds_text *text, char c)
{
    eds_text_bytes(text, &c, 1);
}

void eds_text_string(struct eds_text *text, const char *string)
{
    eds_text_bytes(text, string, strlen(string));
}

void eds_text_u64(struct eds_text *text, uint64_t number)
{
    char digits[20]; /* 2^64 - 1 has 20 */
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    eds_text_bytes(text, digits + at, sizeof digits - at);
}

void eds_text_hex(struct eds_text *text, const void *bytes, size_t size)
{
    if (text->full || size >= (text->size - text->used + 1) / 2) {
        text->full = true;
        return;
    }
    eds_hex_encode(text->out + text->used, bytes, size);
    text->used += 2 * size;
}

void eds_text_spaces(struct eds_text *text, unsigned count)
{
    while (count-- > 0)
        eds_text_char(text, ' ');
}

size_t eds_text_end(const struct eds_text *text)
{
    return text->full ? 0 : text->used;
}

/* json_out.c - see json_out.h. */
#include "cli/json_out.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "edgesentry/json.h"

/* A piece of a string, and what the encoder makes of it at most: six bytes a
 * byte ("\u001f"), the quotes, the NUL. */
#define PIECE_SIZE 512u
#define PIECE_TEXT 6u * PIECE_SIZE + 3u

static void separate(struct eds_json_out *json, const char *name)
{
    if (json->comma)
        putchar(',');
    if (name != NULL)
        printf("\"%s\":", name);
    json->comma = true;
}

void eds_out_begin(struct eds_json_out *json)
{
    putchar('{');
    json->comma = false;
}

void eds_out_end(struct eds_json_out *json)
{
    (void)json;
    puts("}");
}

/* Piece by piece, so that no length is too long; a piece never ends inside a
 * character that is whole. */
void eds_out_string(struct eds_json_out *json, const char *name, const char *value)
{
    size_t left = value != NULL ? strlen(value) : 0;

    separate(json, name);
    if (value == NULL) {
        fputs("null", stdout);
        return;
    }
    putchar('"');
    while (left > 0) {
        char text[PIECE_TEXT];
        size_t size = left;
        size_t text_size;

        if (left > PIECE_SIZE)
            for (size = PIECE_SIZE; size > PIECE_SIZE - 4; size--)
                if (((uint8_t)value[size] & 0xc0) != 0x80)
                    break;
        text_size = eds_json_string_encode(text, sizeof text, value, size);
        if (text_size > 2)
            fwrite(text + 1, 1, text_size - 2, stdout);
        value += size;
        left -= size;
    }
    putchar('"');
}

void eds_out_u64(struct eds_json_out *json, const char *name, uint64_t value)
{
    separate(json, name);
    printf("%" PRIu64, value);
}

void eds_out_bool(struct eds_json_out *json, const char *name, bool value)
{
    separate(json, name);
    fputs(value ? "true" : "false", stdout);
}

void eds_out_hex(struct eds_json_out *json, const char *name, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;

    separate(json, name);
    putchar('"');
    for (size_t i = 0; i < size; i++)
        printf("%02x", at[i]);
    putchar('"');
}

void eds_out_array_begin(struct eds_json_out *json, const char *name)
{
    separate(json, name);
    putchar('[');
    json->comma = false;
}

void eds_out_array_end(struct eds_json_out *json)
{
    putchar(']');
    json->comma = true;
}

void eds_out_object_begin(struct eds_json_out *json)
{
    separate(json, NULL);
    putchar('{');
    json->comma = false;
}

void eds_out_object_end(struct eds_json_out *json)
{
    putchar('}');
    json->comma = true;
}

/* vectors.c - see vectors.h. */
#include "support/vectors.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

char *vector_file(const char *path, size_t *size)
{
    char full[512];
    char *text = NULL;
    size_t room = 0, used = 0;
    FILE *file;

    snprintf(full, sizeof full, "%s/%s", EDS_TEST_VECTORS, path);
    file = fopen(full, "rb");
    if (file == NULL)
        fail_msg("no test data: %s", full);
    do {
        room = room * 2 + 65536;
        text = realloc(text, room);
        assert_non_null(text);
        used += fread(text + used, 1, room - 1 - used, file);
    } while (used == room - 1);
    fclose(file);
    text[used] = '\0';
    if (size != NULL)
        *size = used;
    return text;
}

/* Copies text, with quotes around integers that jansson would refuse. */
static char *quote_long_integers(const char *text)
{
    char *out = malloc(2 * strlen(text) + 1), *at = out;
    bool in_string = false;

    assert_non_null(out);
    while (*text != '\0') {
        size_t digits = strspn(text, "0123456789");

        if (!in_string && digits >= 19) {
            *at++ = '"';
            memcpy(at, text, digits);
            at += digits;
            *at++ = '"';
            text += digits;
            continue;
        }
        if (in_string && *text == '\\')
            *at++ = *text++;
        else if (*text == '"')
            in_string = !in_string;
        *at++ = *text++;
    }
    *at = '\0';
    return out;
}

json_t *vector_parse(const char *text)
{
    char *quoted = quote_long_integers(text);
    json_error_t err;
    json_t *json = json_loads(quoted, JSON_DECODE_ANY | JSON_ALLOW_NUL, &err);

    if (json == NULL)
        fail_msg("test data is no JSON: line %d: %s", err.line, err.text);
    free(quoted);
    return json;
}

json_t *vector_load(const char *path)
{
    char *text = vector_file(path, NULL);
    json_t *json = vector_parse(text);

    free(text);
    return json;
}

const json_t *vector_get(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    if (value == NULL)
        fail_msg("test data has no field %s", key);
    return value;
}

const char *vector_string(const json_t *object, const char *key)
{
    const char *value = json_string_value(vector_get(object, key));

    if (value == NULL)
        fail_msg("test data: %s is no string", key);
    return value;
}

uint64_t vector_u64(const json_t *object, const char *key)
{
    const json_t *value = vector_get(object, key);
    const char *text = json_string_value(value);

    if (text != NULL)
        return strtoull(text, NULL, 10);
    if (!json_is_integer(value))
        fail_msg("test data: %s is no number", key);
    return (uint64_t)json_integer_value(value);
}

bool vector_bool(const json_t *object, const char *key)
{
    const json_t *value = vector_get(object, key);

    if (!json_is_boolean(value))
        fail_msg("test data: %s is no boolean", key);
    return json_is_true(value);
}

size_t hex_bytes(void *out, size_t out_size, const char *digits)
{
    uint8_t *at = out;
    size_t size = strlen(digits) / 2;

    assert_int_equal(strlen(digits) % 2, 0);
    assert_true(size <= out_size);
    for (size_t i = 0; i < size; i++) {
        char pair[3] = {digits[2 * i], digits[2 * i + 1], '\0'};

        assert_true(isxdigit((unsigned char)pair[0]) && isxdigit((unsigned char)pair[1]));
        at[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return size;
}

size_t vector_hex(const json_t *object, const char *key, void *out, size_t out_size)
{
    return hex_bytes(out, out_size, vector_string(object, key));
}

void assert_hex(const void *bytes, size_t size, const char *digits)
{
    uint8_t *expected = malloc(size + 1);

    assert_non_null(expected);
    assert_int_equal(hex_bytes(expected, size, digits), size);
    assert_memory_equal(bytes, expected, size);
    free(expected);
}

static void fill_bytes(uint8_t *out, size_t size, const json_t *object, const char *key)
{
    const json_t *array = vector_get(object, key);

    assert_int_equal(json_array_size(array), size);
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)json_integer_value(json_array_get(array, i));
}

static void fill_string(uint8_t *out, size_t size, const json_t *object, const char *key)
{
    const json_t *value = vector_get(object, key);
    size_t length = json_string_length(value);

    assert_true(length < size && strlen(json_string_value(value)) == length);
    memcpy(out, json_string_value(value), length);
}

void vector_record(EdsAuditRecord *out, const json_t *object)
{
    memset(out, 0, sizeof *out);
    fill_string(out->device_id, sizeof out->device_id, object, "device_id");
    out->sequence = vector_u64(object, "sequence");
    out->timestamp_ms = vector_u64(object, "timestamp_ms");
    fill_bytes(out->payload_hash, sizeof out->payload_hash, object, "payload_hash");
    fill_bytes(out->signature, sizeof out->signature, object, "signature");
    fill_bytes(out->prev_record_hash, sizeof out->prev_record_hash, object, "prev_record_hash");
    fill_string(out->object_ref, sizeof out->object_ref, object, "object_ref");
}

void vector_recipe(void *out, size_t size)
{
    uint8_t *at = out;

    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(i % 251);
}

/* fields.h - the fields of canonical bytes: writing them, and saying what is wrong with one. */
#ifndef EDS_CORE_FIELDS_H
#define EDS_CORE_FIELDS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "edgesentry/error.h"

/* eds_varint_encode writes a LEB128 number; at most 10 bytes. */
static inline size_t eds_varint_encode(uint8_t *out, uint64_t number)
{
    size_t size = 0;

    while (number >= 0x80) {
        out[size++] = (uint8_t)(number | 0x80);
        number >>= 7;
    }
    out[size++] = (uint8_t)number;
    return size;
}

/* Each writes a field and returns the place behind it: bytes as they are; a size and so
 * many bytes; a size and a NUL-terminated string without its NUL. */
static inline uint8_t *eds_put_bytes(uint8_t *at, const void *bytes, size_t size)
{
    memcpy(at, bytes, size);
    return at + size;
}

static inline uint8_t *eds_put_sized(uint8_t *at, const void *bytes, size_t size)
{
    at += eds_varint_encode(at, size);
    return eds_put_bytes(at, bytes, size);
}

static inline uint8_t *eds_put_string(uint8_t *at, const char *string)
{
    return eds_put_sized(at, string, strlen(string));
}

/* eds_field_say puts "FIELD FAULT" into *err (may be NULL) and returns code; fault
 * begins with its space. */
int32_t eds_field_say(struct eds_error *err, int32_t code, const char *field, const char *fault);

/* eds_field_say_too_long says that it does not fit into its buffer, of 256, 512 or 1025
 * bytes. */
int32_t eds_field_say_too_long(struct eds_error *err, const char *field, size_t buffer_size);

/* eds_field_check wants a string of UTF-8 that ends inside its buffer; eds_field_check_name
 * one that is not empty, too.  EDS_OK, EDS_ERR_STRING_TOO_LONG, EDS_ERR_INVALID_UTF8,
 * EDS_ERR_USAGE. */
int32_t eds_field_check(const char *string, size_t buffer_size, const char *field,
                        struct eds_error *err);
int32_t eds_field_check_name(const char *string, size_t buffer_size, const char *field,
                             struct eds_error *err);

#endif

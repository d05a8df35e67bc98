/* record_oracle.h - jansson's opinion on what is a record, for tests and fuzz targets. */
#ifndef EDS_TESTS_SUPPORT_RECORD_ORACLE_H
#define EDS_TESTS_SUPPORT_RECORD_ORACLE_H

#include <ctype.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static inline bool oracle_is_bytes(const json_t *value, size_t count)
{
    if (!json_is_array(value) || json_array_size(value) != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *number = json_array_get(value, i);

        if (!json_is_integer(number) || json_integer_value(number) < 0 ||
            json_integer_value(number) > 255)
            return false;
    }
    return true;
}

static inline bool oracle_is_string(const json_t *value, size_t size_max)
{
    return json_is_string(value) && json_string_length(value) <= size_max;
}

static inline bool oracle_is_number(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

static inline bool oracle_is_hex(const json_t *value, size_t size)
{
    return json_is_string(value) && json_string_length(value) == size &&
           strspn(json_string_value(value), "0123456789abcdef") == size;
}

static inline bool oracle_is_attestation(const json_t *value)
{
    return json_is_object(value) && json_object_size(value) == 2 &&
           oracle_is_hex(json_object_get(value, "key_id"), 16) &&
           oracle_is_hex(json_object_get(value, "signature"), 128);
}

/* Does the text hold a number that jansson does not keep as it is spelled? */
static inline bool oracle_has_odd_number(const char *text, size_t size)
{
    size_t digits = 0;

    for (size_t i = 0; i < size; i++) {
        digits = isdigit((unsigned char)text[i]) ? digits + 1 : 0;
        if (digits >= 19 || (i > 0 && text[i - 1] == '-' && text[i] == '0'))
            return true;
    }
    return false;
}

/* oracle_is_record: is the text JSON to jansson, and does it keep the rules of
 * docs/SPEC.md?  *sure is false where jansson cannot tell: numbers above 2^63 - 1, and
 * -0, which it takes for 0. */
static inline bool oracle_is_record(const char *text, size_t size, bool *sure)
{
    json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *attest = json_object_get(object, "attest");
    bool is_record = json_object_size(object) == 7u + (attest != NULL) &&
                     oracle_is_string(json_object_get(object, "device_id"), 255) &&
                     oracle_is_number(json_object_get(object, "sequence")) &&
                     oracle_is_number(json_object_get(object, "timestamp_ms")) &&
                     oracle_is_bytes(json_object_get(object, "payload_hash"), 32) &&
                     oracle_is_bytes(json_object_get(object, "signature"), 64) &&
                     oracle_is_bytes(json_object_get(object, "prev_record_hash"), 32) &&
                     oracle_is_string(json_object_get(object, "object_ref"), 511) &&
                     (attest == NULL || oracle_is_attestation(attest));

    *sure = !oracle_has_odd_number(text, size);
    json_decref(object);
    return is_record;
}

#endif

/* flat_json.h - a small JSON object of strings and numbers, read in place.
 *
 * For key files: nothing is copied and nothing allocated, so a secret stays in
 * the one buffer that its owner wipes.  Strict: every field is known and there
 * at most once, and strings hold plain characters (no escapes: hex digits and
 * names never need one). */
#ifndef EDS_DEVICE_FLAT_JSON_H
#define EDS_DEVICE_FLAT_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "edgesentry/error.h"

struct eds_flat_field {
    const char *name;  /* set by the caller */
    bool is_number;    /* set by the caller: digits without quotes */
    const char *value; /* out: inside text, not terminated; NULL: not there */
    size_t size;       /* out: bytes at value */
};

/* eds_flat_json_parse fills fields from text.  EDS_OK, or EDS_ERR_MALFORMED
 * with *err naming the field or the byte, never a value. */
int32_t eds_flat_json_parse(struct eds_flat_field *fields, size_t field_count, const char *text,
                            size_t size, struct eds_error *err);

#endif

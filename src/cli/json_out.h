/* json_out.h - one JSON object on standard output, for --json. */
#ifndef EDS_CLI_JSON_OUT_H
#define EDS_CLI_JSON_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct eds_json_out {
    bool comma; /* a value stands before the next one */
};

void eds_out_begin(struct eds_json_out *json);
void eds_out_end(struct eds_json_out *json); /* and a newline */

/* Members; name is plain ASCII.  A string that is not UTF-8 gets U+FFFD where
 * it is not; NULL is null. */
void eds_out_string(struct eds_json_out *json, const char *name, const char *value);
void eds_out_u64(struct eds_json_out *json, const char *name, uint64_t value);
void eds_out_bool(struct eds_json_out *json, const char *name, bool value);
void eds_out_hex(struct eds_json_out *json, const char *name, const void *bytes, size_t size);

/* An array of objects as a member: between array_begin and array_end each
 * object stands between object_begin and object_end. */
void eds_out_array_begin(struct eds_json_out *json, const char *name);
void eds_out_array_end(struct eds_json_out *json);
void eds_out_object_begin(struct eds_json_out *json);
void eds_out_object_end(struct eds_json_out *json);

#endif

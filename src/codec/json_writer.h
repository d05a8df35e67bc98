/* json_writer.h - writing JSON into a fixed buffer, spelled as serde_json does.
 *
 * What does not fit, or is no valid string, sticks: eds_writer_end then says 0.
 * The writer puts commas, line breaks and indentation; the caller says what
 * there is. */
#ifndef EDS_CODEC_JSON_WRITER_H
#define EDS_CODEC_JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct eds_json_writer {
    char *out;
    char *at, *end; /* what is free; the NUL's byte comes after end */
    bool pretty;
    bool first;      /* nothing in this object or array yet */
    bool failed;     /* something did not fit or was not valid */
    unsigned indent; /* spaces before a line */
};

/* eds_writer_begin starts a text in out; indent as for eds_json_entry_encode. */
void eds_writer_begin(struct eds_json_writer *w, char *out, size_t out_size, bool pretty,
                      unsigned indent);

/* eds_writer_end puts the NUL and returns the length without it, or 0. */
size_t eds_writer_end(struct eds_json_writer *w);

/* Objects: open, then a name and a value for each field, then close. */
void eds_writer_open(struct eds_json_writer *w, char bracket);
void eds_writer_close(struct eds_json_writer *w, char bracket);
void eds_writer_name(struct eds_json_writer *w, const char *name);

/* Values.  terminated wants a NUL inside size bytes and UTF-8 before it;
 * lossy puts U+FFFD for what is not UTF-8; bytes is an array of numbers. */
void eds_writer_null(struct eds_json_writer *w);
void eds_writer_u64(struct eds_json_writer *w, uint64_t number);
void eds_writer_bytes(struct eds_json_writer *w, const uint8_t *bytes, size_t count);
void eds_writer_hex(struct eds_json_writer *w, const uint8_t *bytes, size_t size);
void eds_writer_terminated(struct eds_json_writer *w, const uint8_t *string, size_t size);
void eds_writer_lossy(struct eds_json_writer *w, const char *string, size_t size);

/* Fields: a name and a value. */
void eds_writer_text_field(struct eds_json_writer *w, const char *name, const char *text,
                           size_t size);
void eds_writer_u64_field(struct eds_json_writer *w, const char *name, uint64_t number);
void eds_writer_hex_field(struct eds_json_writer *w, const char *name, const uint8_t *bytes,
                          size_t size);

#endif

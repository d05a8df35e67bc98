/* text.h - building a text in a fixed buffer, without printf.
 *
 * For the rooms that also run without an OS.  What does not fit is dropped and
 * remembered: eds_text_end tells.  The buffer is NUL-terminated at all times. */
#ifndef EDS_BASE_TEXT_H
#define EDS_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct eds_text {
    char *out;
    size_t size; /* of out */
    size_t used; /* without the NUL */
    bool full;   /* something was dropped */
};

/* eds_text_begin starts an empty text in out; size is at least 1. */
void eds_text_begin(struct eds_text *text, char *out, size_t size);

/* Each appends all of its argument or nothing (and then sets full). */
void eds_text_char(struct eds_text *text, char c);
void eds_text_bytes(struct eds_text *text, const char *bytes, size_t size);
void eds_text_string(struct eds_text *text, const char *string);
void eds_text_u64(struct eds_text *text, uint64_t number);
void eds_text_hex(struct eds_text *text, const void *bytes, size_t size);
void eds_text_spaces(struct eds_text *text, unsigned count);

/* eds_text_end returns the length, or 0 if anything was dropped. */
size_t eds_text_end(const struct eds_text *text);

#endif

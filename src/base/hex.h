/* hex.h - bytes as hex digits, and back with the place of a mistake. */
#ifndef EDS_BASE_HEX_H
#define EDS_BASE_HEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "edgesentry/error.h"

/* eds_hex_encode writes 2 * size lower-case digits and a NUL. */
void eds_hex_encode(char *out, const void *bytes, size_t size);

/* eds_hex_decode turns text_size digits (either case) into text_size / 2 bytes;
 * out may be text itself.  EDS_OK or EDS_ERR_MALFORMED, and *err (may be NULL)
 * says "Odd number of digits" or "Invalid character 'z' at position 7"; out is
 * then partly written. */
int32_t eds_hex_decode(uint8_t *out, const char *text, size_t text_size, struct eds_error *err);

/* eds_hex_decode_exactly also wants exactly size bytes.  *err says
 * "invalid hex input: ..." or "invalid byte length: expected 32, actual 2". */
int32_t eds_hex_decode_exactly(uint8_t *out, size_t size, const char *text, size_t text_size,
                               struct eds_error *err);

/* eds_hex_say_character appends "Invalid character 'z' at position 7", as the
 * original says it: the byte is named by the character of the same number, and
 * escaped where that one cannot be printed. */
void eds_hex_say_character(struct eds_text *text, uint8_t byte, size_t position);

#endif

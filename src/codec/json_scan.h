/* json_scan.h - the inner loops of the codec, each a plain function of bytes
 * to bytes, so that one with wider registers can take its place.
 *
 * None reads outside [at, end). */
#ifndef EDS_CODEC_JSON_SCAN_H
#define EDS_CODEC_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EDS_NO_DIGIT 0xffu

/* The value of each byte as a hex digit of either case, or EDS_NO_DIGIT. */
extern const uint8_t eds_scan_hex_values[256];

/* eds_scan_plain finds the end of what a JSON string may hold unescaped: the
 * first quote, backslash or control character, or end.  *ascii says whether all
 * before it is. */
const char *eds_scan_plain(const char *at, const char *end, bool *ascii);

/* eds_scan_byte_list reads count (an even count of) numbers 0 to 255 written as
 * "1,22,255]", at being after the '['.  Returns the place after the ']', or NULL for whatever is
 * spelled otherwise, is wrong or comes too near the end to be read in wide
 * steps: a careful loop then decides. */
const char *eds_scan_byte_list(uint8_t *out, size_t count, const char *at, const char *end);

/* eds_scan_hex turns pairs of hex digits into bytes until something else
 * comes; returns where.  out may be at itself. */
const char *eds_scan_hex(uint8_t *out, const char *at, const char *end);

#endif

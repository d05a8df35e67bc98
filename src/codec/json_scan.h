/* json_scan.h - the inner loops of the codec, each a plain function of bytes
 * to bytes, so that one with wider registers can take its place.
 *
 * None reads outside [at, end).  json_scan_level.c chooses which is used: plain C,
 * or AVX-512 where the processor has it and a test says that both do the same. */
#ifndef EDS_CODEC_JSON_SCAN_H
#define EDS_CODEC_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EDS_NO_DIGIT 0xffu

/* The value of each byte as a hex digit of either case, or EDS_NO_DIGIT. */
extern const uint8_t eds_scan_hex_values[256];

/* Each byte's value in decimal with a comma, filled up with NULs. */
extern const char eds_scan_numbers[256][4];

/* eds_scan_plain finds the end of what a JSON string may hold unescaped: the
 * first quote, backslash or control character, or end.  *ascii says whether all
 * before it is. */
const char *eds_scan_plain(const char *at, const char *end, bool *ascii);

/* eds_scan_byte_list reads count (an even count of) numbers 0 to 255 written as
 * "1,22,255]", at being after the '['.  Returns the place after the ']', or NULL for
 * whatever is spelled otherwise, is wrong or, in plain C, comes too near the end to be
 * read in wide steps: a careful loop then decides.  out is of no use after NULL. */
const char *eds_scan_byte_list(uint8_t *out, size_t count, const char *at, const char *end);

/* eds_scan_spaced_list reads count numbers 0 to 255, at being at the first one's
 * digits, with a comma and then the same white space (up to 16 bytes) between any
 * two: pretty-printed JSON.  Returns the place after the last digit, or NULL as
 * above. */
const char *eds_scan_spaced_list(uint8_t *out, size_t count, const char *at, const char *end);

/* eds_scan_hex turns pairs of hex digits into bytes until something else
 * comes; returns where.  out may be at itself. */
const char *eds_scan_hex(uint8_t *out, const char *at, const char *end);

/* The loops that have more than one form. */
struct eds_scan_loops {
    const char *(*plain)(const char *at, const char *end, bool *ascii);
    const char *(*byte_list)(uint8_t *out, size_t count, const char *at, const char *end);
    const char *(*hex)(uint8_t *out, const char *at, const char *end);
};

extern const struct eds_scan_loops eds_scan_loops_portable, eds_scan_loops_avx512;

/* eds_scan_selftest holds loops against the portable ones; true if they agree. */
bool eds_scan_selftest(const struct eds_scan_loops *loops);

/* eds_scan_use_wide chooses: false for plain C, true for the fastest.  Says whether
 * AVX-512 is in use now; without a call the fastest is.  For tests and benchmarks. */
bool eds_scan_use_wide(bool wide);

#endif

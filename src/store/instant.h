/* instant.h - a moment as text: 2026-11-22T00:07:55.123Z.
 *
 * UTC, ISO 8601, milliseconds.  Every 64-bit count of milliseconds since 1970
 * has a text and comes back from it: past the year 9999 the year gets longer. */
#ifndef EDS_STORE_INSTANT_H
#define EDS_STORE_INSTANT_H

#include <stdbool.h>
#include <stdint.h>

#define EDS_INSTANT_SIZE 32u /* bytes, NUL included; the longest takes 30 */

/* eds_instant_format writes the text of a moment. */
void eds_instant_format(char out[EDS_INSTANT_SIZE], uint64_t unix_ms);

/* eds_instant_parse reads just what eds_instant_format writes; false for any
 * other text. */
bool eds_instant_parse(uint64_t *unix_ms, const char *text);

/* eds_instant_parse_any also reads a moment without milliseconds. */
bool eds_instant_parse_any(uint64_t *unix_ms, const char *text);

#endif

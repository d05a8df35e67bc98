/* utf8.h - is this UTF-8? (Unicode 15, table 3-7: no overlong forms, no
 * surrogates, nothing above U+10FFFF.) */
#ifndef EDS_BASE_UTF8_H
#define EDS_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* eds_utf8_valid_size returns the bytes before the first fault: size if there
 * is none. */
size_t eds_utf8_valid_size(const void *bytes, size_t size);

static inline bool eds_utf8_valid(const void *bytes, size_t size)
{
    return eds_utf8_valid_size(bytes, size) == size;
}

/* eds_utf8_fault_size tells how many bytes one U+FFFD stands for at the front
 * of bytes, where a fault is (1 to 3; "maximal subpart" as Rust's
 * from_utf8_lossy counts). */
size_t eds_utf8_fault_size(const void *bytes, size_t size);

/* eds_utf8_encode writes a code point (not a surrogate) and returns its bytes,
 * 1 to 4. */
size_t eds_utf8_encode(uint8_t out[4], uint32_t code_point);

#endif

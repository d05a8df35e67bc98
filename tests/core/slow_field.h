/* slow_field.h - numbers modulo p = 2^255 - 19 as 32 bytes, by addition and
 * doubling alone: slow, and unlike what it judges. */
#ifndef EDS_TESTS_CORE_SLOW_FIELD_H
#define EDS_TESTS_CORE_SLOW_FIELD_H

#include <stddef.h>
#include <stdint.h>

/* Below p, least significant byte first. */
struct slow {
    uint8_t bytes[32];
};

/* slow_from_bytes reduces a number of 256 bits. */
struct slow slow_from_bytes(const uint8_t bytes[32]);

/* slow_from_limbs gives the sum of limb[i] * 2^(bits i). */
struct slow slow_from_limbs(const uint64_t *limb, size_t count, unsigned bits);

struct slow slow_add(struct slow a, struct slow b);
struct slow slow_sub(struct slow a, struct slow b);
struct slow slow_mul(struct slow a, struct slow b);

#endif

/* slow_field.c - see slow_field.h. */
#include "slow_field.h"

#include <stdbool.h>
#include <string.h>

/* p, least significant byte first. */
static const uint8_t p[33] = {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                              0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                              0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0};

static bool below_p(const uint8_t a[33])
{
    for (size_t i = 33; i-- > 0;)
        if (a[i] != p[i])
            return a[i] < p[i];
    return false;
}

/* Takes p away until less than p is left. */
static struct slow reduce(uint8_t a[33])
{
    struct slow r;

    while (!below_p(a)) {
        int borrow = 0;

        for (size_t i = 0; i < 33; i++) {
            int digit = a[i] - p[i] - borrow;

            borrow = digit < 0;
            a[i] = (uint8_t)(digit + 256 * borrow);
        }
    }
    memcpy(r.bytes, a, sizeof r.bytes);
    return r;
}

struct slow slow_from_bytes(const uint8_t bytes[32])
{
    uint8_t a[33] = {0};

    memcpy(a, bytes, 32);
    return reduce(a);
}

struct slow slow_add(struct slow a, struct slow b)
{
    uint8_t sum[33];
    unsigned carry = 0;

    for (size_t i = 0; i < 32; i++) {
        carry += (unsigned)a.bytes[i] + b.bytes[i];
        sum[i] = (uint8_t)carry;
        carry >>= 8;
    }
    sum[32] = (uint8_t)carry;
    return reduce(sum);
}

struct slow slow_sub(struct slow a, struct slow b)
{
    uint8_t minus_b[33] = {0};
    int borrow = 0;

    for (size_t i = 0; i < 32; i++) {
        int digit = p[i] - b.bytes[i] - borrow;

        borrow = digit < 0;
        minus_b[i] = (uint8_t)(digit + 256 * borrow);
    }
    return slow_add(a, reduce(minus_b));
}

struct slow slow_mul(struct slow a, struct slow b)
{
    struct slow r = {{0}};

    for (unsigned bit = 256; bit-- > 0;) {
        r = slow_add(r, r);
        if ((b.bytes[bit / 8] >> bit % 8 & 1) != 0)
            r = slow_add(r, a);
    }
    return r;
}

struct slow slow_from_limbs(const uint64_t *limb, size_t count, unsigned bits)
{
    struct slow r = {{0}};

    for (size_t i = count; i-- > 0;) {
        uint8_t bytes[32] = {0};

        for (unsigned k = 0; k < bits; k++)
            r = slow_add(r, r);
        for (unsigned k = 0; k < 8; k++)
            bytes[k] = (uint8_t)(limb[i] >> 8 * k);
        r = slow_add(r, slow_from_bytes(bytes));
    }
    return r;
}

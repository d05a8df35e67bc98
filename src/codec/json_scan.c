/* json_scan.c - see json_scan.h.  Eight bytes at a time, in plain C. */
#include "codec/json_scan.h"

#include <string.h>

#define ONES  0x0101010101010101u /* a one in each of eight bytes */
#define HIGHS 0x8080808080808080u /* the top bit of each */

const uint8_t eds_scan_hex_values[256] = {
#define NONE8                                                                                      \
    EDS_NO_DIGIT, EDS_NO_DIGIT, EDS_NO_DIGIT, EDS_NO_DIGIT, EDS_NO_DIGIT, EDS_NO_DIGIT,            \
        EDS_NO_DIGIT, EDS_NO_DIGIT
#define NONE32    NONE8, NONE8, NONE8, NONE8
#define LETTERS32 EDS_NO_DIGIT, 10, 11, 12, 13, 14, 15, EDS_NO_DIGIT, NONE8, NONE8, NONE8
    NONE32,
    NONE8,
    NONE8,
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    EDS_NO_DIGIT,
    EDS_NO_DIGIT,
    EDS_NO_DIGIT,
    EDS_NO_DIGIT,
    EDS_NO_DIGIT,
    EDS_NO_DIGIT,
    LETTERS32,
    LETTERS32,
    NONE32,
    NONE32,
    NONE32,
    NONE32,
#undef LETTERS32
#undef NONE32
#undef NONE8
};

/* Eight bytes, the first one lowest; compilers make one load of it. */
static inline uint64_t load8(const char *at)
{
    const uint8_t *b = (const uint8_t *)at;

    return (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 | (uint64_t)b[3] << 24 |
           (uint64_t)b[4] << 32 | (uint64_t)b[5] << 40 | (uint64_t)b[6] << 48 |
           (uint64_t)b[7] << 56;
}

/* The number of zero bits below the lowest one; bits is not 0. */
static inline unsigned low_zeros(uint64_t bits)
{
    return (unsigned)__builtin_ctzll(bits);
}

const char *eds_scan_plain(const char *at, const char *end, bool *ascii)
{
    uint64_t high = 0;

    for (; end - at >= 8; at += 8) {
        uint64_t eight = load8(at);
        uint64_t quote = eight ^ (ONES * '"');
        uint64_t slash = eight ^ (ONES * '\\');
        /* x - ONES has the top bit of x's lowest zero byte set; what it may
         * set above that one does not matter, as the lowest one counts. */
        uint64_t stop = (((quote - ONES) & ~quote) | ((slash - ONES) & ~slash) |
                         ((eight - ONES * ' ') & ~eight)) &
                        HIGHS;

        if (stop != 0) {
            unsigned before = low_zeros(stop) & ~7u; /* bits of bytes before it */

            high |= eight & (((uint64_t)1 << before) - 1);
            *ascii = (high & HIGHS) == 0;
            return at + before / 8;
        }
        high |= eight;
    }
    for (; at < end; at++) {
        uint8_t byte = (uint8_t)*at;

        if (byte == '"' || byte == '\\' || byte < ' ')
            break;
        high |= byte;
    }
    *ascii = (high & HIGHS) == 0;
    return at;
}

/* Takes size digits from the bottom of eight bytes that were XORed with '0's,
 * as a number; *bad gets bits if it is none of 0 to 255 in its one spelling. */
static inline uint8_t digits_value(uint64_t eight, unsigned size, uint32_t *bad)
{
    /* Digits to the top of 32 bits, the ones in the highest byte. */
    uint32_t digits = (uint32_t)((eight << 8 << (56 - 8 * size)) >> 32);
    uint32_t ordered = __builtin_bswap32(digits);
    uint32_t least = ((uint32_t)1 << (8 * ((size - 1) & 3))) & ~(uint32_t)1;

    *bad |= ((digits + 0x76767676u) | digits) & 0x80808080u; /* a byte above 9 */
    *bad |= (uint32_t)(ordered > 0x00020505u);
    *bad |= (uint32_t)(ordered < least); /* "07" */
    *bad |= (uint32_t)(size - 1 > 2);
    return (uint8_t)((digits * (1u + (10u << 8) + (100u << 16))) >> 24);
}

/* Two numbers and their commas are at most eight bytes: one load a pair.
 * Digits have bit 4 set and a comma has not, which is all that the walk waits
 * for; whether the bytes are what they should be is summed up on the side. */
const char *eds_scan_byte_list(uint8_t *out, size_t count, const char *at, const char *end)
{
    uint32_t bad = 0;

    for (size_t i = 0; i < count; i += 2) {
        uint64_t eight, first_stops, second_stops, digits;
        unsigned first, second;

        if (end - at < 8)
            return NULL;
        eight = load8(at);
        first_stops = ~eight & (ONES << 4);
        if (i + 2 < count) {
            second_stops = first_stops & (first_stops - 1);
        } else { /* the last stop is the ']' */
            second_stops = eight ^ (ONES * ']');
            second_stops = (second_stops - ONES) & ~second_stops & HIGHS;
        }
        if (first_stops == 0 || second_stops == 0)
            return NULL;
        first = low_zeros(first_stops) / 8;
        second = low_zeros(second_stops) / 8;
        if (second <= first)
            return NULL;
        bad |= (uint32_t)(at[first] != ',');
        bad |= (uint32_t)(at[second] != (i + 2 < count ? ',' : ']'));
        digits = eight ^ (ONES * '0');
        out[i] = digits_value(digits, first, &bad);
        out[i + 1] = digits_value(digits >> 8 * first >> 8, second - first - 1, &bad);
        at += second + 1;
    }
    return bad == 0 ? at : NULL;
}

const char *eds_scan_hex(uint8_t *out, const char *at, const char *end)
{
    const uint8_t *in = (const uint8_t *)at;

    for (; end - (const char *)in >= 8; in += 8, out += 4) {
        uint8_t bytes[4];
        uint8_t all = 0;

        for (unsigned i = 0; i < 4; i++) {
            uint8_t high = eds_scan_hex_values[in[2 * i]];
            uint8_t low = eds_scan_hex_values[in[2 * i + 1]];

            all |= high | low;
            bytes[i] = (uint8_t)(high << 4 | low);
        }
        if (all > 15)
            break;
        memcpy(out, bytes, sizeof bytes);
    }
    for (; end - (const char *)in >= 2; in += 2) {
        uint8_t high = eds_scan_hex_values[in[0]];
        uint8_t low = eds_scan_hex_values[in[1]];

        if ((high | low) > 15)
            break;
        *out++ = (uint8_t)(high << 4 | low);
    }
    return (const char *)in;
}

/* json_scan.c - see json_scan.h.  Eight bytes at a time, in plain C. */
#include "codec/json_scan.h"

#include <string.h>

#define ONES  0x0101010101010101u /* a one in each of eight bytes */
#define HIGHS 0x8080808080808080u /* the top bit of each */

/* clang-format off */
#define X EDS_NO_DIGIT
const uint8_t eds_scan_hex_values[256] = {
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, X, X, X, X, X, X,
    X, 10, 11, 12, 13, 14, 15, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, 10, 11, 12, 13, 14, 15, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
};
#undef X
/* clang-format on */

#define TEN(tens)                                                                                  \
    tens "0,", tens "1,", tens "2,", tens "3,", tens "4,", tens "5,", tens "6,", tens "7,",        \
        tens "8,", tens "9,"
const char eds_scan_numbers[256][4] = {
    TEN(""),   TEN("1"),  TEN("2"),  TEN("3"),  TEN("4"),  TEN("5"),  TEN("6"),  TEN("7"),
    TEN("8"),  TEN("9"),  TEN("10"), TEN("11"), TEN("12"), TEN("13"), TEN("14"), TEN("15"),
    TEN("16"), TEN("17"), TEN("18"), TEN("19"), TEN("20"), TEN("21"), TEN("22"), TEN("23"),
    TEN("24"), "250,",    "251,",    "252,",    "253,",    "254,",    "255,",
};
#undef TEN

/* Eight bytes, the first one lowest; compilers make one load of it. */
static inline uint64_t load8(const char *at)
{
    const uint8_t *b = (const uint8_t *)at;

    return (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 | (uint64_t)b[3] << 24 |
           (uint64_t)b[4] << 32 | (uint64_t)b[5] << 40 | (uint64_t)b[6] << 48 |
           (uint64_t)b[7] << 56;
}

/* The same of four. */
static inline uint32_t load4(const char *at)
{
    const uint8_t *b = (const uint8_t *)at;

    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* The number of zero bits below the lowest one; bits is not 0. */
static inline unsigned low_zeros(uint64_t bits)
{
    return (unsigned)__builtin_ctzll(bits);
}

/* Marks the bytes that are c: the top bit of the first such byte is exact, those
 * above it may be wrong. */
static inline uint64_t find_byte(uint64_t eight, char c)
{
    uint64_t zero = eight ^ (ONES * (uint8_t)c);

    return (zero - ONES) & ~zero & HIGHS;
}

static const char *scan_plain(const char *at, const char *end, bool *ascii)
{
    uint64_t high = 0;

    for (; end - at >= 8; at += 8) {
        uint64_t eight = load8(at);
        uint64_t control = (eight - ONES * ' ') & ~eight & HIGHS;
        uint64_t stop = find_byte(eight, '"') | find_byte(eight, '\\') | control;

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

/* The number whose digits come before bit stop, if they are digits and at most
 * three; else anything.  Their weights are summed up by one multiplication. */
static inline uint8_t number_before(uint64_t eight, unsigned stop)
{
    uint64_t digits = (eight ^ (ONES * '0')) << (-stop & 63) >> 32; /* the ones on top */

    return (uint8_t)((uint32_t)digits * (1u + (10u << 8) + (100u << 16)) >> 24);
}

/* Whatever the bytes are, they are taken for two numbers and what ends them: at
 * most eight bytes, so one load a pair.  The end of a number is looked for by
 * bit 4, which digits have and a comma has not.  Then the pair is written again
 * as it should be and held against the text: that is every check at once, and
 * the walk does not wait for it. */
static const char *scan_byte_list(uint8_t *out, size_t count, const char *at, const char *end)
{
    uint64_t bad = 0;

    for (size_t i = 0; i < count; i += 2) {
        uint64_t eight, commas, stops, again, bracket = 0;
        unsigned first, second;

        if (end - at < 8)
            return NULL;
        eight = load8(at);
        commas = ~eight & (ONES << 4);
        stops = commas & (commas - 1);
        if (i + 2 == count) { /* the last one ends with the array */
            stops = find_byte(eight, ']');
            bracket = ',' ^ ']';
        }
        if (commas == 0 || stops == 0)
            return NULL;
        first = low_zeros(commas) & ~7u;
        second = low_zeros(stops) & ~7u;
        if (second <= first)
            return NULL;
        out[i] = number_before(eight, first);
        out[i + 1] = number_before(eight >> 8 >> first, second - first - 8);
        again = load4(eds_scan_numbers[out[i]]) | (uint64_t)load4(eds_scan_numbers[out[i + 1]])
                                                      << 8 << first;
        bad |= (again ^ eight ^ bracket << second) << (56 - second);
        at += second / 8 + 1;
    }
    return bad == 0 ? at : NULL;
}

#define GAP_SIZE_MAX     16u /* bytes of white space between two numbers */
#define SPACED_STEP_SIZE 25  /* what is looked at: up to 7 bytes, a comma, a gap and one more */

/* What stands between two numbers, a comma and white space, in 8 to 16 bytes or
 * in less than 8. */
struct gap {
    unsigned size;       /* bytes, the comma not counted */
    unsigned tail_at;    /* where the last 8 bytes begin */
    uint64_t head, tail; /* the first 8 and the last 8 */
    uint64_t mask;       /* the bits of them that count */
};

/* Measures the white space at at; false if there is more than can be compared. */
static bool measure_gap(struct gap *gap, const char *at)
{
    gap->size = 0;
    while (gap->size <= GAP_SIZE_MAX && (at[gap->size] == ' ' || at[gap->size] == '\n' ||
                                         at[gap->size] == '\r' || at[gap->size] == '\t'))
        gap->size++;
    gap->tail_at = gap->size > 8 ? gap->size - 8 : 0;
    gap->head = load8(at);
    gap->tail = load8(at + gap->tail_at);
    gap->mask = gap->size >= 8 ? ~(uint64_t)0 : ((uint64_t)1 << 8 * gap->size) - 1;
    return gap->size <= GAP_SIZE_MAX;
}

const char *eds_scan_spaced_list(uint8_t *out, size_t count, const char *at, const char *end)
{
    struct gap gap = {0};
    uint64_t bad = 0;

    for (size_t i = 0;; i++) {
        uint64_t eight, stops;
        unsigned stop;

        if (end - at < SPACED_STEP_SIZE)
            return NULL;
        eight = load8(at);
        stops = ~eight & (ONES << 4);
        stop = stops != 0 ? low_zeros(stops) & ~7u : 0;
        if (stop == 0)
            return NULL;
        out[i] = number_before(eight, stop);
        bad |= (load4(eds_scan_numbers[out[i]]) ^ eight) & (((uint64_t)1 << stop) - 1);
        at += stop / 8;
        if (i + 1 == count)
            return bad == 0 ? at : NULL;
        bad |= (uint64_t)(*at++ != ',');
        if (i == 0 && !measure_gap(&gap, at))
            return NULL;
        bad |= ((load8(at) ^ gap.head) | (load8(at + gap.tail_at) ^ gap.tail)) & gap.mask;
        at += gap.size;
    }
}

static const char *scan_hex(uint8_t *out, const char *at, const char *end)
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

const struct eds_scan_loops eds_scan_loops_portable = {scan_plain, scan_byte_list, scan_hex};

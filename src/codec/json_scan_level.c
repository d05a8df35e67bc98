/* json_scan_level.c - which form of the inner loops is used: chosen at the first call,
 * after a test of the wide one against the portable one. */
#include "codec/json_scan.h"

#include <stdatomic.h>
#include <string.h>

#include "core/cpu.h"

/* NULL: nobody has asked yet.  The test has one outcome, so threads that come at once
 * may all run it. */
static const struct eds_scan_loops *_Atomic in_use, *_Atomic tested;

static const struct eds_scan_loops *fastest(void)
{
    const struct eds_scan_loops *found = atomic_load(&tested);

    if (found != NULL)
        return found;
    found = &eds_scan_loops_portable;
#if EDS_CPU_WIDE
    if ((eds_cpu_features() & EDS_CPU_VBMI2) != 0 && eds_scan_selftest(&eds_scan_loops_avx512))
        found = &eds_scan_loops_avx512;
#endif
    atomic_store(&tested, found);
    return found;
}

static const struct eds_scan_loops *loops(void)
{
    const struct eds_scan_loops *found = atomic_load_explicit(&in_use, memory_order_relaxed);

    if (found != NULL)
        return found;
    found = fastest();
    atomic_store(&in_use, found);
    return found;
}

bool eds_scan_use_wide(bool wide)
{
    const struct eds_scan_loops *found = wide ? fastest() : &eds_scan_loops_portable;

    atomic_store(&in_use, found);
    return found != &eds_scan_loops_portable;
}

const char *eds_scan_plain(const char *at, const char *end, bool *ascii)
{
    return loops()->plain(at, end, ascii);
}

const char *eds_scan_byte_list(uint8_t *out, size_t count, const char *at, const char *end)
{
    return loops()->byte_list(out, count, at, end);
}

const char *eds_scan_hex(uint8_t *out, const char *at, const char *end)
{
    return loops()->hex(out, at, end);
}

/* Lists with one fault or none: "17,255," over and over, one character changed. */
static bool test_list(const struct eds_scan_loops *other, size_t place, char c)
{
    static const char digits[] = "0,17,255,9,100,42,1,200,";
    uint8_t out[2][64] = {{0}};
    char text[64 * 4 + 8];
    const char *after[2];
    size_t size = 0;

    for (size_t count = 0; count < 64; size++) {
        text[size] = digits[size % (sizeof digits - 1)];
        count += text[size] == ',';
    }
    text[size - 1] = ']';
    memset(text + size, '}', 8); /* the portable one wants to read on */
    if (c != '\0')
        text[place % size] = c;
    after[0] = eds_scan_loops_portable.byte_list(out[0], 64, text, text + size + 8);
    after[1] = other->byte_list(out[1], 64, text, text + size + 8);
    return after[0] == after[1] && (after[0] == NULL || memcmp(out[0], out[1], 64) == 0);
}

/* The same for strings of all kinds: how far they are plain, and how far hex. */
static bool test_string(const struct eds_scan_loops *other, size_t place, char c)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    uint8_t out[2][100] = {{0}};
    bool ascii[2] = {false, false};
    char text[200];

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = digits[i * 5 % (sizeof digits - 1)];
    text[place % sizeof text] = c;
    for (size_t size = sizeof text; size > 60; size -= 37) {
        const char *end = text + size;

        if (eds_scan_loops_portable.plain(text, end, &ascii[0]) !=
                other->plain(text, end, &ascii[1]) ||
            ascii[0] != ascii[1] ||
            eds_scan_loops_portable.hex(out[0], text, end) != other->hex(out[1], text, end) ||
            memcmp(out[0], out[1], sizeof out[0]) != 0)
            return false;
    }
    return true;
}

bool eds_scan_selftest(const struct eds_scan_loops *other)
{
    static const char odd[] = "0,9]/: \"\\g\x1f\x7f\x80 ";

    if (!test_list(other, 0, '\0'))
        return false;
    for (size_t place = 0; place < 200; place += 11)
        for (size_t i = 0; i < sizeof odd - 1; i++)
            if (!test_list(other, place + i % 11, odd[i]) ||
                !test_string(other, place + i % 11, odd[i]))
                return false;
    return true;
}

/* utf8.c - see utf8.h. */
#include "base/utf8.h"

#include <string.h>

/* Returns the length of the well-formed sequence at the front, or 0; *fault is
 * then the bytes of the maximal subpart (at least 1). */
static size_t sequence_size(const uint8_t *at, size_t size, size_t *fault)
{
    uint8_t lead = at[0], low = 0x80, high = 0xbf;
    size_t want;

    *fault = 1;
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        want = 2;
    else if (lead >= 0xe0 && lead <= 0xef)
        want = 3;
    else if (lead >= 0xf0 && lead <= 0xf4)
        want = 4;
    else
        return 0;
    if (lead == 0xe0)
        low = 0xa0; /* else overlong */
    else if (lead == 0xed)
        high = 0x9f; /* else a surrogate */
    else if (lead == 0xf0)
        low = 0x90; /* else overlong */
    else if (lead == 0xf4)
        high = 0x8f; /* else above U+10FFFF */
    for (size_t i = 1; i < want; i++) {
        if (i >= size || at[i] < low || at[i] > high)
            return 0;
        *fault = i + 1;
        low = 0x80;
        high = 0xbf;
    }
    return want;
}

size_t eds_utf8_valid_size(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    size_t done = 0, fault;

    while (done < size) {
        uint64_t eight;

        if (size - done >= sizeof eight) { /* mostly ASCII: eight at a time */
            memcpy(&eight, at + done, sizeof eight);
            if ((eight & 0x8080808080808080u) == 0) {
                done += sizeof eight;
                continue;
            }
        }
        size_t step = sequence_size(at + done, size - done, &fault);
        if (step == 0)
            return done;
        done += step;
    }
    return size;
}

size_t eds_utf8_fault_size(const void *bytes, size_t size)
{
    size_t fault = 1;

    if (size > 0)
        (void)sequence_size(bytes, size, &fault);
    return fault;
}

size_t eds_utf8_encode(uint8_t out[4], uint32_t code_point)
{
    if (code_point < 0x80) {
        out[0] = (uint8_t)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (uint8_t)(0xc0 | code_point >> 6);
        out[1] = (uint8_t)(0x80 | (code_point & 0x3f));
        return 2;
    }
    if (code_point < 0x10000) {
        out[0] = (uint8_t)(0xe0 | code_point >> 12);
        out[1] = (uint8_t)(0x80 | (code_point >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (code_point & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | code_point >> 18);
    out[1] = (uint8_t)(0x80 | (code_point >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (code_point >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (code_point & 0x3f));
    return 4;
}

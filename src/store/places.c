/* places.c - see places.h. */
#include "store/places.h"

#include <assert.h>

struct reader {
    const uint8_t *at, *end;
};

/* One number, which takes ten bytes at most.  False if there is none. */
static bool take_varint(struct reader *reader, uint64_t *out)
{
    uint64_t number = 0;

    for (unsigned shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
        uint8_t byte = *reader->at++;

        if (shift == 63 && byte > 1)
            return false;
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = number;
            return true;
        }
    }
    return false;
}

static uint8_t *put_varint(uint8_t *at, uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        *at++ = (uint8_t)(number | 0x80);
    *at++ = (uint8_t)number;
    return at;
}

bool eds_places_decode(struct eds_places *out, const void *bytes, size_t size)
{
    struct reader reader = {bytes, size > 0 ? (const uint8_t *)bytes + size : bytes};
    uint64_t sequence = 0, row = 0;
    size_t count = 0;

    out->count = 0;
    while (reader.at < reader.end) {
        uint64_t step, distance;

        if (count == EDS_PLACES_MAX || !take_varint(&reader, &step) ||
            !take_varint(&reader, &distance))
            return false;
        if (step == 0 || step > UINT64_MAX - sequence)
            return false;
        sequence += step;
        row += distance; /* modulo 2^64: a row may be below the one before it */
        if (row == 0 || row > INT64_MAX)
            return false;
        out->sequences[count] = sequence;
        out->rows[count++] = (int64_t)row;
    }
    out->count = count;
    return true;
}

size_t eds_places_encode(uint8_t out[EDS_PLACES_SIZE_MAX], const struct eds_places *places)
{
    uint64_t sequence = 0, row = 0;
    uint8_t *at = out;

    assert(places->count <= EDS_PLACES_MAX);
    for (size_t i = 0; i < places->count; i++) {
        at = put_varint(at, places->sequences[i] - sequence);
        at = put_varint(at, (uint64_t)places->rows[i] - row);
        sequence = places->sequences[i];
        row = (uint64_t)places->rows[i];
    }
    return (size_t)(at - out);
}

bool eds_places_find(const struct eds_places *places, uint64_t sequence, int64_t *row)
{
    for (size_t i = 0; i < places->count; i++)
        if (places->sequences[i] == sequence) {
            *row = places->rows[i];
            return true;
        }
    return false;
}

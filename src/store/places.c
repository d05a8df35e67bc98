/* places.c - see places.h. */
#include "store/places.h"

#include <assert.h>
#include <string.h>

#include "base/varint.h"

bool eds_places_decode(struct eds_places *out, const void *bytes, size_t size)
{
    const uint8_t *at = bytes, *end = size > 0 ? at + size : at;
    uint64_t sequence = 0, row = 0;
    size_t count = 0;

    out->count = 0;
    while (at < end) {
        uint64_t step, distance;

        if (count == EDS_PLACES_MAX || !eds_varint_take(&at, end, &step) ||
            !eds_varint_take(&at, end, &distance))
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
        at = eds_varint_put(at, places->sequences[i] - sequence);
        at = eds_varint_put(at, (uint64_t)places->rows[i] - row);
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

bool eds_places_find_last(const struct eds_places *places, uint64_t sequence, size_t *index)
{
    size_t count = 0;

    while (count < places->count && places->sequences[count] <= sequence)
        count++;
    *index = count - 1;
    return count > 0;
}

void eds_places_add(struct eds_places *places, uint64_t sequence, int64_t row)
{
    assert(places->count < EDS_PLACES_MAX);
    places->sequences[places->count] = sequence;
    places->rows[places->count++] = row;
}

void eds_places_copy(struct eds_places *to, const struct eds_places *from)
{
    to->count = from->count;
    memcpy(to->sequences, from->sequences, from->count * sizeof *to->sequences);
    memcpy(to->rows, from->rows, from->count * sizeof *to->rows);
}

void eds_head_places_copy(struct eds_head_places *to, const struct eds_head_places *from)
{
    eds_places_copy(&to->newest, &from->newest);
    eds_places_copy(&to->rows, &from->rows);
}

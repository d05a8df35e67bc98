/* fuzz_places.c - any bytes as the places of a ledger's records.
 *
 * What decodes is in order, is found, and encodes to no more bytes, which decode to the
 * same; what does not has no place. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "store/places.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_found(const struct eds_places *places)
{
    for (size_t i = 0; i < places->count; i++) {
        uint64_t sequence = places->sequences[i];
        int64_t row = 0;
        size_t index;

        check(places->rows[i] > 0);
        check(i == 0 || sequence > places->sequences[i - 1]);
        check(eds_places_find(places, sequence, &row) && row == places->rows[i]);
        check(eds_places_find_last(places, sequence, &index) && index == i);
        if (sequence > 0)
            check(eds_places_find_last(places, sequence - 1, &index) ? index + 1 == i : i == 0);
    }
}

static void check_again(const struct eds_places *places, size_t size)
{
    uint8_t bytes[EDS_PLACES_SIZE_MAX];
    struct eds_places again;
    size_t encoded_size = eds_places_encode(bytes, places);

    check(encoded_size <= sizeof bytes && encoded_size <= size);
    check(eds_places_decode(&again, bytes, encoded_size) && again.count == places->count);
    for (size_t i = 0; i < again.count; i++)
        check(again.sequences[i] == places->sequences[i] && again.rows[i] == places->rows[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct eds_places places;

    if (!eds_places_decode(&places, data, size)) {
        check(places.count == 0);
        return 0;
    }
    check(places.count <= EDS_PLACES_MAX);
    check_found(&places);
    check_again(&places, size);
    return 0;
}

/* places.h - where up to 32 records of one device are: sequence and row.
 *
 * An index on (device, sequence) would have an entry, and so a page to be written,
 * for every record of every device.  These go 32 to an entry instead.  As bytes:
 * for each place the sequence and the row's number, each less the one before it,
 * as varints; rows of one device follow each other at short distances, so that a
 * place takes three bytes or so. */
#ifndef EDS_STORE_PLACES_H
#define EDS_STORE_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EDS_PLACES_MAX      32u
#define EDS_PLACES_SIZE_MAX (EDS_PLACES_MAX * 2u * 10u) /* bytes */

struct eds_places {
    size_t count;
    uint64_t sequences[EDS_PLACES_MAX]; /* each above the one before it */
    int64_t rows[EDS_PLACES_MAX];
};

/* eds_places_decode reads untrusted bytes.  False, and *out without a place, for
 * bytes that are no places: cut short, more than 32, out of order, a row below 1. */
bool eds_places_decode(struct eds_places *out, const void *bytes, size_t size);

/* eds_places_encode writes places and returns their size in bytes. */
size_t eds_places_encode(uint8_t out[EDS_PLACES_SIZE_MAX], const struct eds_places *places);

/* eds_places_find gives the row of a sequence, if it is here. */
bool eds_places_find(const struct eds_places *places, uint64_t sequence, int64_t *row);

#endif

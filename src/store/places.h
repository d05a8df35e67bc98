/* places.h - where up to 32 records of one device are: sequence and row.
 *
 * An index on (device, sequence) would have an entry, and so a page to be written,
 * for every record of every device.  These go 32 to an entry instead, and entries,
 * each by its first sequence, once more 16 to one.  As bytes:
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
#define EDS_PLACE_ROWS_MAX  16u                         /* places of places that go together */

struct eds_places {
    size_t count;
    uint64_t sequences[EDS_PLACES_MAX]; /* each above the one before it */
    int64_t rows[EDS_PLACES_MAX];
};

/* Where the records of a device are, as far as its head knows. */
struct eds_head_places {
    struct eds_places newest; /* of records */
    struct eds_places rows;   /* of 32 records each, before the newest; by their first sequence */
};

/* eds_places_decode reads untrusted bytes.  False, and *out without a place, for
 * bytes that are no places: cut short, more than 32, out of order, a row below 1. */
bool eds_places_decode(struct eds_places *out, const void *bytes, size_t size);

/* eds_places_encode writes places and returns their size in bytes. */
size_t eds_places_encode(uint8_t out[EDS_PLACES_SIZE_MAX], const struct eds_places *places);

/* eds_places_find gives the row of a sequence, if it is here. */
bool eds_places_find(const struct eds_places *places, uint64_t sequence, int64_t *row);

/* eds_places_find_last gives the index of the last place whose sequence is at most this
 * one, if there is any. */
bool eds_places_find_last(const struct eds_places *places, uint64_t sequence, size_t *index);

/* eds_places_add adds a place behind the others, which are below it and not yet 32. */
void eds_places_add(struct eds_places *places, uint64_t sequence, int64_t row);

/* eds_places_copy copies the places that there are, most often fewer than there is room for. */
void eds_places_copy(struct eds_places *to, const struct eds_places *from);
void eds_head_places_copy(struct eds_head_places *to, const struct eds_head_places *from);

#endif

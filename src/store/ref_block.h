/* ref_block.h - some references that follow each other in byte order, with their
 * rows' numbers, in few bytes.
 *
 * The first reference is kept beside the block, as its key.  The block itself is,
 * for the first one, its row's number; for each other one how many bytes it shares
 * with the one before, how many follow, these, and the number.  Sizes are varints;
 * numbers are zigzag varints, each less the one before it.  References of a device
 * differ in their last few digits, so that one takes a dozen bytes instead of
 * sixty. */
#ifndef EDS_STORE_REF_BLOCK_H
#define EDS_STORE_REF_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edgesentry/record.h"

#define EDS_REF_BLOCK_SIZE_MAX 800u /* bytes; two of the longest references fit */

struct eds_ref_block {
    char first_ref[EDS_OBJECT_REF_SIZE], last_ref[EDS_OBJECT_REF_SIZE];
    size_t count, size, last_size;
    uint64_t last_id;
    uint8_t bytes[EDS_REF_BLOCK_SIZE_MAX];
};

/* eds_ref_block_add adds a reference behind all others.  False, and nothing
 * changed, if there are others and the block would be longer than size_max. */
bool eds_ref_block_add(struct eds_ref_block *block, const char *ref, int64_t id, size_t size_max);

/* Reads a block of untrusted bytes, one reference after the other. */
struct eds_ref_reader {
    const uint8_t *at, *end;
    bool is_begun;
    char ref[EDS_OBJECT_REF_SIZE]; /* the one read last, and its size without the NUL */
    size_t ref_size;
    size_t shared; /* bytes that it has in common with the one before it */
    uint64_t id;
};

enum eds_ref_read { EDS_REF_READ, EDS_REF_END, EDS_REF_DAMAGED };

/* first_ref is shorter than EDS_OBJECT_REF_SIZE. */
void eds_ref_reader_begin(struct eds_ref_reader *reader, const char *first_ref, const void *bytes,
                          size_t size);
enum eds_ref_read eds_ref_reader_next(struct eds_ref_reader *reader);

/* eds_ref_block_find looks for a reference that is not below the first one:
 * EDS_REF_READ and *id, or EDS_REF_END. */
enum eds_ref_read eds_ref_block_find(const char *first_ref, const void *bytes, size_t size,
                                     const char *ref, int64_t *id);

#endif

/* blake3_impl.h - BLAKE3's two halves, for each other only.
 *
 * blake3.c knows the tree and the state, blake3_portable.c the arithmetic.
 * Faster arithmetic (vector lanes) has its place behind the functions below:
 * they get as much side-by-side work at once as the caller has. */
#ifndef EDS_CORE_BLAKE3_IMPL_H
#define EDS_CORE_BLAKE3_IMPL_H

#include <stddef.h>
#include <stdint.h>

#define EDS_BLAKE3_BLOCK_SIZE 64u   /* bytes */
#define EDS_BLAKE3_CHUNK_SIZE 1024u /* bytes: 16 blocks, a leaf of the tree */

/* At most so many chunks go into one call of eds_blake3_chunks; a power of 2. */
#define EDS_BLAKE3_GROUP_COUNT 16u

/* What a block is, told to the compression (paper, table 3). */
enum {
    EDS_BLAKE3_CHUNK_START = 1,
    EDS_BLAKE3_CHUNK_END = 2,
    EDS_BLAKE3_PARENT = 4,
    EDS_BLAKE3_ROOT = 8,
};

/* The first chaining value, that of SHA-256. */
extern const uint32_t eds_blake3_iv[8];

/* eds_blake3_compress replaces chain by the compression of one block: the
 * first 8 words of its output, which are both a chaining value and, with
 * EDS_BLAKE3_ROOT, the hash.
 *
 *   block       64 bytes; those past block_size are zero
 *   counter     the chunk's index; 0 for a parent */
void eds_blake3_compress(uint32_t chain[8], const uint8_t block[EDS_BLAKE3_BLOCK_SIZE],
                         uint32_t block_size, uint64_t counter, uint32_t flags);

/* eds_blake3_chunks hashes count whole chunks that follow each other, none of
 * them the root, into count chaining values. */
void eds_blake3_chunks(uint32_t (*out)[8], const uint8_t *data, size_t count, uint64_t first_index);

/* eds_blake3_parents joins 2 * count chaining values by twos; no root.  out
 * may be children. */
void eds_blake3_parents(uint32_t (*out)[8], const uint32_t (*children)[8], size_t count);

/* eds_blake3_join makes the parent of two, with more flags (the root's). */
void eds_blake3_join(uint32_t out[8], const uint32_t left[8], const uint32_t right[8],
                     uint32_t flags);

#endif

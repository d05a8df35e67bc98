/* blake3_impl.h - BLAKE3's parts, for each other only.
 *
 *   blake3.c           the state and the tree
 *   blake3_many.c      many messages at once
 *   blake3_level.c     which arithmetic is used
 *   blake3_portable.c  the arithmetic in plain C
 *   blake3_lanes.h     the same for 4, 8 or 16 side by side, written once;
 *                      blake3_LEVEL.c gives it vectors
 *
 * Whatever is hashed is cut into jobs, each one a row of blocks that must follow
 * each other: a chunk (a leaf of the tree, up to 16 blocks) or a parent (one). */
#ifndef EDS_CORE_BLAKE3_IMPL_H
#define EDS_CORE_BLAKE3_IMPL_H

#include <stddef.h>
#include <stdint.h>

#include "core/cpu.h"
#include "edgesentry/blake3.h"

#define EDS_BLAKE3_BLOCK_SIZE 64u   /* bytes */
#define EDS_BLAKE3_CHUNK_SIZE 1024u /* bytes: 16 blocks, a leaf of the tree */

/* At most so many chunks go together; a power of 2.  Of lanes four rows, so that
 * parents fill them, too; where there are no lanes it would only cost stack. */
#if EDS_CPU_WIDE
#define EDS_BLAKE3_GROUP_COUNT 64u
#else
#define EDS_BLAKE3_GROUP_COUNT 4u
#endif

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

/* A chunk or a parent to be hashed. */
struct eds_blake3_job {
    const uint8_t *data; /* NULL only if size is 0 */
    uint8_t *out;        /* 32 bytes; may be where data is, or where an earlier job's is */
    uint64_t counter;
    uint32_t size; /* bytes, EDS_BLAKE3_CHUNK_SIZE at most */
    /* Flags: of the first block, of every block, of the last block. */
    uint8_t first, every, last;
};

/* A chunk of its own; root: it is all there is.  And a parent of two chaining values. */
static inline struct eds_blake3_job eds_blake3_chunk_job(uint8_t *out, const uint8_t *data,
                                                         size_t size, uint64_t index, uint8_t root)
{
    return (struct eds_blake3_job){data,
                                   out,
                                   index,
                                   (uint32_t)size,
                                   EDS_BLAKE3_CHUNK_START,
                                   0,
                                   (uint8_t)(EDS_BLAKE3_CHUNK_END | root)};
}

static inline struct eds_blake3_job eds_blake3_parent_job(uint8_t *out, const uint8_t *children,
                                                          uint8_t root)
{
    return (struct eds_blake3_job){children,          out, 0, EDS_BLAKE3_BLOCK_SIZE, 0,
                                   EDS_BLAKE3_PARENT, root};
}

/* eds_blake3_run does count jobs, each for itself, at the level in use. */
void eds_blake3_run(const struct eds_blake3_job *jobs, size_t count);

/* The levels.  A job's out is written after the data of all jobs up to the same
 * one has been read. */
void eds_blake3_run_portable(const struct eds_blake3_job *jobs, size_t count);
void eds_blake3_run_sse41(const struct eds_blake3_job *jobs, size_t count);
void eds_blake3_run_avx2(const struct eds_blake3_job *jobs, size_t count);
void eds_blake3_run_avx512(const struct eds_blake3_job *jobs, size_t count);

/* eds_blake3_selftest holds a level against the portable one; true if they agree. */
bool eds_blake3_selftest(void (*run)(const struct eds_blake3_job *jobs, size_t count));

/* eds_blake3_load_words and eds_blake3_store_words: chaining values are words where
 * they are computed with, and bytes, least significant first, elsewhere. */
static inline void eds_blake3_load_words(uint32_t words[8], const uint8_t bytes[32])
{
    for (size_t i = 0; i < 8; i++)
        words[i] = (uint32_t)bytes[4 * i] | (uint32_t)bytes[4 * i + 1] << 8 |
                   (uint32_t)bytes[4 * i + 2] << 16 | (uint32_t)bytes[4 * i + 3] << 24;
}

static inline void eds_blake3_store_words(uint8_t bytes[32], const uint32_t words[8])
{
    for (size_t i = 0; i < 8; i++) {
        bytes[4 * i] = (uint8_t)words[i];
        bytes[4 * i + 1] = (uint8_t)(words[i] >> 8);
        bytes[4 * i + 2] = (uint8_t)(words[i] >> 16);
        bytes[4 * i + 3] = (uint8_t)(words[i] >> 24);
    }
}

#endif

/* blake3.h - BLAKE3-256, the hash of every payload and record.
 *
 * Own code from the paper ("BLAKE3: one function, fast everywhere", 2020),
 * held to the official test vectors.  Plain hash mode, 32 bytes of output:
 * that is all the protocol uses.  No heap, no OS, any thread. */
#ifndef EDGESENTRY_BLAKE3_H
#define EDGESENTRY_BLAKE3_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EDS_HASH_SIZE 32u /* bytes */

/* The state of one hash in the making, about 1.9 KiB.  Copying it forks it. */
struct eds_blake3 {
    uint32_t chunk_chain[8]; /* chaining value inside the current chunk */
    uint64_t chunk_index;    /* 0, 1, 2 ... */
    uint8_t block[64];       /* bytes not compressed yet */
    uint8_t block_size;      /* bytes used in block */
    uint8_t block_count;     /* blocks of this chunk compressed so far */
    uint8_t stack_count;     /* chaining values on the stack */
    uint32_t stack[54][8];   /* left subtrees waiting for their right one */
};

/* eds_blake3_init starts a hash. */
void eds_blake3_init(struct eds_blake3 *state);

/* eds_blake3_update appends size bytes; data may be NULL if size is 0.  How
 * the input is split over calls makes no difference. */
void eds_blake3_update(struct eds_blake3 *state, const void *data, size_t size);

/* eds_blake3_final writes the hash of all bytes so far.  The state is not
 * changed: more may be appended afterwards. */
void eds_blake3_final(const struct eds_blake3 *state, uint8_t out[EDS_HASH_SIZE]);

/* eds_blake3 hashes one message at once. */
void eds_blake3(uint8_t out[EDS_HASH_SIZE], const void *data, size_t size);

/* eds_blake3_many hashes count messages, out[i] of sizes[i] bytes at data[i].
 * The seam for side-by-side lanes: callers with a batch in hand call this. */
void eds_blake3_many(uint8_t (*out)[EDS_HASH_SIZE], const void *const *data, const size_t *sizes,
                     size_t count);

#ifdef __cplusplus
}
#endif

#endif

/* blake3.h - BLAKE3-256, the hash of every payload and record.
 *
 * Own code from the paper ("BLAKE3: one function, fast everywhere", 2020),
 * held to the official test vectors.  Plain hash mode, 32 bytes of output:
 * that is all the protocol uses.  No heap, no OS, any thread. */
#ifndef EDGESENTRY_BLAKE3_H
#define EDGESENTRY_BLAKE3_H

#include <stdbool.h>
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

/* eds_blake3_many hashes count messages, out[i] of sizes[i] bytes at data[i], up to
 * sixteen side by side.  Any mix of sizes; data[i] may be NULL if sizes[i] is 0.
 * Whoever has more than two messages in hand calls this.  Uses 6 KiB of stack. */
void eds_blake3_many(uint8_t (*out)[EDS_HASH_SIZE], const void *const *data, const size_t *sizes,
                     size_t count);

/* A part of a message that is hashed elsewhere, by another thread say: 1 MiB that
 * begins at a multiple of 1 MiB. */
#define EDS_BLAKE3_SUBTREE_CHUNKS 1024u
#define EDS_BLAKE3_SUBTREE_SIZE   (EDS_BLAKE3_SUBTREE_CHUNKS * 1024u) /* bytes */
struct eds_blake3_subtree {
    uint32_t chain[8];
};

/* eds_blake3_subtree hashes EDS_BLAKE3_SUBTREE_SIZE bytes at data, which are the
 * message's from byte 1024 * first_index on; that is a multiple of the size.
 * eds_blake3_append then appends them to a state that has all bytes before them.
 * Only if at least one byte follows: the end of a message must go through
 * eds_blake3_update. */
void eds_blake3_subtree(struct eds_blake3_subtree *out, const void *data, uint64_t first_index);
void eds_blake3_append(struct eds_blake3 *state, const struct eds_blake3_subtree *subtree);

/* How it is done, slowest first: one after the other in plain C, or 4, 8 or 16 side
 * by side.  Each level is tested against the portable one before its first use. */
enum eds_blake3_level {
    EDS_BLAKE3_PORTABLE,
    EDS_BLAKE3_SSE41,
    EDS_BLAKE3_AVX2,
    EDS_BLAKE3_AVX512,
};
#define EDS_BLAKE3_LEVEL_COUNT 4u

/* eds_blake3_get_level tells the level in use: the fastest that is there and right. */
enum eds_blake3_level eds_blake3_get_level(void);

/* eds_blake3_set_level chooses another one for all threads; EDS_OK, or
 * EDS_ERR_UNSUPPORTED for one that is not in this build or processor, or failed. */
int32_t eds_blake3_set_level(enum eds_blake3_level level);

/* eds_blake3_level_failed: is it there, but gave a wrong hash?  It is not used then. */
bool eds_blake3_level_failed(enum eds_blake3_level level);

/* eds_blake3_level_name gives "portable", "sse41", "avx2" or "avx512";
 * eds_blake3_level_from_name finds the level of such a name, or EDS_ERR_UNSUPPORTED. */
const char *eds_blake3_level_name(enum eds_blake3_level level);
int32_t eds_blake3_level_from_name(enum eds_blake3_level *out, const char *name);

#ifdef __cplusplus
}
#endif

#endif

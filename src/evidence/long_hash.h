/* long_hash.h - the hash of something long, by many threads.
 *
 * BLAKE3 is a tree: each MiB of a message can be hashed by itself
 * (eds_blake3_subtree), and what comes out is put together in order.  The hash is
 * the same as one thread's, to the bit. */
#ifndef EDS_EVIDENCE_LONG_HASH_H
#define EDS_EVIDENCE_LONG_HASH_H

#include "edgesentry/blake3.h"
#include "edgesentry/error.h"

#define EDS_LONG_HASH_MIN (4u << 20) /* bytes: with fewer, threads cost more than they save */

/* eds_long_hash hashes what is in memory.
 *
 *   thread_count  the caller's among them; 0: one per core
 *
 * Without memory for threads it goes on alone. */
void eds_long_hash(uint8_t out[EDS_HASH_SIZE], const void *data, size_t size,
                   unsigned thread_count);

/* eds_long_hash_file hashes a file from where it stands to its end, in constant
 * memory: each thread reads its own parts of a regular file; of a pipe one thread
 * reads all.
 *
 *   size  out: bytes that were read
 *   name  for errors
 *
 * EDS_OK; EDS_ERR_IO, also for a file that became shorter meanwhile, or
 * EDS_ERR_NO_MEMORY, with *err. */
int32_t eds_long_hash_file(uint8_t out[EDS_HASH_SIZE], uint64_t *size, int fd, const char *name,
                           unsigned thread_count, struct eds_error *err);

#endif

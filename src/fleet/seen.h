/* seen.h - what has stood in a file before, and on which line.
 *
 * Ids and keys are known by 16 bytes of their BLAKE3, so that a million of them
 * take little memory; two that differ have the same ones as often as a signature
 * is guessed. */
#ifndef EDS_FLEET_SEEN_H
#define EDS_FLEET_SEEN_H

#include <stddef.h>
#include <stdint.h>

#include "edgesentry/error.h"

#define EDS_SEEN_DIGEST_SIZE 16u /* bytes */

struct eds_seen_slot {
    uint8_t digest[EDS_SEEN_DIGEST_SIZE];
    uint64_t line; /* 0: free */
};

struct eds_seen {
    struct eds_seen_slot *slots; /* zeroed: empty */
    size_t slot_count;           /* 0 or a power of two */
    size_t used;
    uint8_t salt[16]; /* drawn with the first; nobody can choose what collides */
};

/* eds_seen_add adds something that stands on a line, from 1.  EDS_OK;
 * EDS_ERR_EXISTS and *line_before if it is there; EDS_ERR_NO_MEMORY; EDS_ERR_IO
 * when the system has no randomness.  The last two without a text. */
int32_t eds_seen_add(struct eds_seen *seen, const void *bytes, size_t size, uint64_t line,
                     uint64_t *line_before);

void eds_seen_free(struct eds_seen *seen);

#endif

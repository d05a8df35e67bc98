/* spool.h - a file in which a large payload comes in, piece by piece, and is hashed
 * on the way.
 *
 * It lies where its store likes to have it (eds_objects.spool_dir) and may be
 * renamed into its place there; else in TMPDIR or /var/tmp, without a name.  It is
 * gone when it is closed and no store has taken it.  One thread at a time. */
#ifndef EDS_STORE_SPOOL_H
#define EDS_STORE_SPOOL_H

#include <limits.h>
#include <sodium.h>

#include "store/objects.h"

struct eds_spool {
    int fd;
    char path[PATH_MAX]; /* "" if it has no name */
    uint64_t size;       /* bytes so far */
    struct eds_blake3 blake3;
    bool wants_sha256;
    crypto_hash_sha256_state sha256;
    uint8_t digest[crypto_hash_sha256_BYTES];
    void *map; /* of all of it; NULL before eds_spool_finish, and if it is empty */
};

/* eds_spool_open makes an empty file for a payload of that store.  EDS_OK, or
 * EDS_ERR_IO with nothing to be closed. */
int32_t eds_spool_open(struct eds_spool *spool, const struct eds_objects *objects,
                       struct eds_error *err);

/* eds_spool_write appends.  EDS_OK, EDS_ERR_IO (no room on the disk). */
int32_t eds_spool_write(struct eds_spool *spool, const void *bytes, size_t size,
                        struct eds_error *err);

/* eds_spool_hash tells the hash of what has come so far. */
void eds_spool_hash(const struct eds_spool *spool, uint8_t out[EDS_HASH_SIZE]);

/* eds_spool_finish makes what has come the payload of a put: all but the name's
 * reference is filled in, and holds until eds_spool_close.  EDS_OK, EDS_ERR_IO. */
int32_t eds_spool_finish(struct eds_spool *spool, struct eds_object_put *put,
                         struct eds_error *err);

void eds_spool_close(struct eds_spool *spool);

#endif

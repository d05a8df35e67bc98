/* quarantine.h - the records of quarantined devices, kept apart in the ledger's
 * database: verified, marked, not in any chain.
 *
 * They come in by a commit (eds_commit.quarantined) and leave one by one, in the
 * order of their sequences, when the device is released: first into the chain by
 * an ordinary commit, then out of here.  Interrupted in between, a record is in
 * both, and a duplicate when it comes up again.
 *
 * Threads and errors as in ledger.h. */
#ifndef EDS_STORE_QUARANTINE_H
#define EDS_STORE_QUARANTINE_H

#include "store/ledger.h"

/* One record kept apart.  The payload is the caller's to free. */
struct eds_quarantined {
    uint64_t id; /* of the row */
    struct eds_entry entry;
    uint8_t record_hash[EDS_HASH_SIZE]; /* as stored */
    uint64_t ingested_ms;               /* when it came */
    void *payload;
    size_t payload_size;
};

/* Where a walk stands: after this one. */
struct eds_quarantine_place {
    uint64_t sequence, id; /* both 0: before the first */
};

struct eds_quarantine_ops {
    /* Reads a device's next record after a place, in the order of sequences, then
     * of arrival, and moves the place there.  EDS_ERR_NOT_FOUND after the last.
     * In between anything may be done to the ledger. */
    int32_t (*next)(struct eds_ledger *, const char *device_id, struct eds_quarantine_place *place,
                    struct eds_quarantined *out, struct eds_error *);

    /* Takes a device's rows out; those that are not there are no fault. */
    int32_t (*remove)(struct eds_ledger *, const char *device_id, const uint64_t *ids, size_t count,
                      struct eds_error *);
};

#endif

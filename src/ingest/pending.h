/* pending.h - what a batch would change, while it is being decided.
 *
 * Heads as they will be, the records that will be appended, and the references
 * that they take: later records of the same batch are judged against these.
 * A failed commit is undone by forgetting them.  Fixed size, no allocation
 * after init.  One thread. */
#ifndef EDS_INGEST_PENDING_H
#define EDS_INGEST_PENDING_H

#include "ingest/heads.h"

#define EDS_PENDING_NONE UINT32_MAX

/* A device that the batch has records of. */
struct eds_pending_device {
    const char *device_id; /* in one of its entries */
    struct eds_head_key key;
    struct eds_head head;  /* past the pending appends */
    uint32_t append_count; /* of this batch */
    uint32_t last_append;  /* index, or EDS_PENDING_NONE */
    bool settled;          /* the head was read after a look into quarantine, which says: */
    bool next_apart;       /* the next record is kept apart */
    bool failed;           /* the ledger did not answer: nothing is decided */
};

struct eds_pending {
    size_t max; /* devices, and appends */
    struct eds_pending_device *devices;
    size_t device_count;
    struct eds_append *appends;
    struct eds_pending_device *last_device; /* that was asked for; NULL: none */
    uint32_t *append_before;                /* the same device's append before this one */
    size_t append_count;
    uint32_t *device_slots, *object_slots; /* hash tables of indexes */
    size_t slot_count;                     /* a power of two, at least 2 * max */
};

/* eds_pending_init makes room for max records; false without memory. */
bool eds_pending_init(struct eds_pending *pending, size_t max);
void eds_pending_free(struct eds_pending *pending);

/* eds_pending_clear forgets everything. */
void eds_pending_clear(struct eds_pending *pending);

/* eds_pending_device finds a device, or adds it with a zero head (*added). */
struct eds_pending_device *eds_pending_device(struct eds_pending *pending, const char *device_id,
                                              struct eds_head_key key, bool *added);

/* eds_pending_same gives the device that was asked for last if it is this one, else NULL:
 * most often the next record is of the same device, and no key need be computed. */
struct eds_pending_device *eds_pending_same(const struct eds_pending *pending,
                                            const char *device_id);

/* eds_pending_append adds a record to be stored and moves its device's head.
 *
 *   object_key  of the entry's object_ref */
void eds_pending_append(struct eds_pending *pending, struct eds_pending_device *device,
                        const struct eds_append *append, struct eds_head_key object_key);

/* eds_pending_record_hash gives the hash of the device's pending record with
 * that sequence, or NULL. */
const uint8_t *eds_pending_record_hash(const struct eds_pending *pending,
                                       const struct eds_pending_device *device, uint64_t sequence);

/* eds_pending_object gives the payload hash that a pending record took
 * object_ref for, or NULL. */
const uint8_t *eds_pending_object(const struct eds_pending *pending, const char *object_ref,
                                  struct eds_head_key object_key);

#endif

/* ledger_batch.h - commits made up for tests.
 *
 * A ledger stores what it is told; it checks no hash and no signature.  So the
 * records here have made-up bytes in them, each record others, and a chain only
 * in prev_record_hash and sequence. */
#ifndef EDS_TESTS_STORE_LEDGER_BATCH_H
#define EDS_TESTS_STORE_LEDGER_BATCH_H

#include "store/ledger.h"

#define BATCH_MAX 1200u

/* Where a device's chain stands, as the test knows it. */
struct chain {
    char device_id[EDS_DEVICE_ID_SIZE];
    uint64_t sequence;
    uint8_t record_hash[EDS_HASH_SIZE];
};

/* One commit with room for its rows. */
struct batch {
    struct eds_commit commit;
    struct eds_append appends[BATCH_MAX];
    struct eds_conflict conflicts[BATCH_MAX];
    struct eds_operation operations[BATCH_MAX];
    struct eds_entry entries[BATCH_MAX]; /* of appends and conflicts */
    size_t entry_count;
    char texts[BATCH_MAX][64]; /* payloads that have no better ones */
};

struct chain chain_of(const char *device_id);

struct batch *batch_new(uint64_t now_ms);
void batch_free(struct batch *batch);
void batch_clear(struct batch *batch);

/* batch_append adds the chain's next record, with a payload and a reference of
 * its own, and moves the chain on.  The entry may be changed until the commit;
 * so may the append. */
struct eds_entry *batch_append(struct batch *batch, struct chain *chain);
struct eds_append *batch_last_append(struct batch *batch);

/* batch_conflict adds another record under a sequence; variants differ. */
struct eds_entry *batch_conflict(struct batch *batch, const char *device_id, uint64_t sequence,
                                 unsigned variant);

void batch_operation(struct batch *batch, enum eds_decision decision, const char *device_id,
                     uint64_t sequence, const char *message);

/* batch_attest gives an entry a made-up attestation. */
void batch_attest(struct eds_entry *entry);

/* batch_fill fills size bytes that depend on number alone. */
void batch_fill(void *bytes, size_t size, uint64_t number);

#endif

/* model.h - what the naive implementation of test_model.c knows. */
#ifndef EDS_TESTS_INGEST_MODEL_H
#define EDS_TESTS_INGEST_MODEL_H

#include "ingest/faulty_ledger.h"
#include "ingest/world.h"
#include "support/dice.h"

#define DEVICE_COUNT 12u
#define KEY_COUNT    3u /* of a device; the last one is never registered */

struct model_device {
    char id[32];
    uint8_t seeds[KEY_COUNT][EDS_SEED_SIZE];
    enum eds_device_state state;
    bool known, attest_required, attested;
    /* The registered keys' windows, as words: what is wrong with them, if anything,
     * and from which sequence on. */
    const char *key_faults[KEY_COUNT]; /* NULL: nothing at any time */
    uint64_t key_ends[KEY_COUNT];      /* the last sequence; UINT64_MAX: none */
    struct parcel *accepted;           /* in order */
    unsigned *signers;                 /* of accepted: key numbers */
    size_t accepted_count, accepted_size;
    uint64_t conflict_count, quarantined_count;
    uint64_t last_sequence;           /* what the next record follows: the last one accepted, */
    uint8_t last_hash[EDS_HASH_SIZE]; /* or a gap that was closed behind it */
    size_t gap_count;
};

struct model {
    struct dice dice;
    struct model_device devices[DEVICE_COUNT];
    char (*log)[EDS_ERROR_TEXT_SIZE]; /* "A id sequence message" */
    size_t log_count, log_size;
    uint64_t lines_lost; /* with failed commits */
    size_t counts[EDS_VERDICT_OVERLOADED + 1];
    struct eds_registry *registry;
    struct eds_ledger *inner;
    struct eds_ledger *other; /* on the same file, or NULL: an operator's */
    uint64_t operator_revision;
    size_t gap_count;
    struct faulty_ledger ledger;
    struct eds_ingest_config config;
    struct eds_ingest *ingest;
};

/* model_log_line writes a line of the operation log as the model keeps it. */
void model_log_line(char out[EDS_ERROR_TEXT_SIZE], enum eds_decision decision, const char *id,
                    uint64_t sequence, const char *message);

/* model_check fails the test unless the ledger holds what the model does. */
void model_check(struct model *m);

#endif

/* lab.h - what the tests of every transport share: a ledger that fails or waits
 * on demand, and devices that make records. */
#ifndef EDS_TESTS_TRANSPORT_LAB_H
#define EDS_TESTS_TRANSPORT_LAB_H

#include <stdatomic.h>
#include <stdbool.h>

#include "registry/registry.h"
#include "store/ledger.h"

#define LAB_BODY_SIZE 4096u /* holds the envelope of a lab_envelope */

/* A memory ledger whose commits can be made to fail or to wait. */
struct lab_ledger {
    struct eds_ledger ledger;
    struct eds_ledger *memory;
    atomic_bool failing; /* commit answers EDS_ERR_IO */
    atomic_bool waiting; /* commit does not return while this is set */
    atomic_bool held;    /* one is waiting */
};

/* lab_ledger_open makes one; its ledger member is what ingest is given. */
void lab_ledger_open(struct lab_ledger *lab);
void lab_ledger_close(struct lab_ledger *lab);

/* lab_ledger_await_held waits until a commit waits, which `waiting` lets it. */
void lab_ledger_await_held(struct lab_ledger *lab);

/* lab_ledger_sequence tells the last record's sequence of a device. */
uint64_t lab_ledger_sequence(struct lab_ledger *lab, const char *device_id);

/* A device, its key and its last record. */
struct lab_device {
    char device_id[EDS_DEVICE_ID_SIZE];
    uint8_t seed[EDS_SEED_SIZE];
    uint64_t sequence;
    uint8_t record_hash[EDS_HASH_SIZE];
};

/* lab_device_register makes device number `number` and registers it. */
void lab_device_register(struct lab_device *device, struct eds_registry *registry, unsigned number);

/* lab_envelope makes the device's next record, with a payload of that many
 * bytes, and writes its envelope.  Returns the envelope's size. */
size_t lab_envelope(struct lab_device *device, char *out, size_t out_size, size_t payload_size);

/* lab_next makes the device's next record of a payload, and moves on. */
void lab_next(struct lab_device *device, struct eds_entry *entry, const void *payload,
              size_t payload_size);

/* lab_rest sleeps. */
void lab_rest(unsigned ms);

/* lab_now_ms reads a clock that only goes on. */
uint64_t lab_now_ms(void);

#endif

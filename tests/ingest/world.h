/* world.h - devices that sign, and the way in, for the tests of ingest. */
#ifndef EDS_TESTS_INGEST_WORLD_H
#define EDS_TESTS_INGEST_WORLD_H

#include <pthread.h>

#include "base/features.h"
#include "edgesentry/attest.h"
#include "ingest/ingest.h"

#define PAYLOAD_SIZE 24u /* bytes */

/* A device: its keys and where its chain stands, as the device sees it. */
struct device {
    char id[32];
    uint8_t seed[EDS_SEED_SIZE];
    uint64_t sequence;
    uint8_t record_hash[EDS_HASH_SIZE];
};

/* A record, its payload, and its way through ingest. */
struct parcel {
    struct eds_entry entry;
    uint8_t payload[PAYLOAD_SIZE];
    struct eds_submission submission;
};

/* device_make sets a device up whose seed is made of n. */
void device_make(struct device *device, const char *id, uint32_t n);

void device_key(const struct device *device, uint8_t public_key[EDS_PUBLIC_KEY_SIZE]);

/* device_register makes it known to a registry. */
void device_register(const struct device *device, struct eds_registry *registry,
                     bool attest_required);

/* device_next fills a parcel with the device's next record and moves on. */
void device_next(struct device *device, struct parcel *parcel);

/* parcel_fill makes any record by that seed; object_ref NULL: one of its own. */
void parcel_fill(struct parcel *parcel, const char *id, uint64_t sequence,
                 const uint8_t *prev_record_hash, const char *object_ref,
                 const uint8_t seed[EDS_SEED_SIZE]);

/* parcel_attest adds an attestation by that seed. */
void parcel_attest(struct parcel *parcel, const uint8_t seed[EDS_SEED_SIZE]);

void parcel_hash(const struct parcel *parcel, uint8_t out[EDS_HASH_SIZE]);

/* deliver submits a parcel, waits and returns the verdict. */
enum eds_verdict deliver(struct eds_ingest *ingest, struct parcel *parcel);

/* expect fails the test unless a parcel is answered so; message NULL: any. */
void expect(struct eds_ingest *ingest, struct parcel *parcel, enum eds_verdict verdict,
            const char *message);

/* Parcels on their way whose answers somebody waits for. */
struct tally {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    size_t sent, done; /* done is of the lock */
};

void tally_make(struct tally *tally);
void tally_free(struct tally *tally);

/* tally_add prepares a parcel that is about to be submitted. */
void tally_add(struct tally *tally, struct parcel *parcel);

/* tally_submit submits without waiting, tally_wait waits for all answers. */
void tally_submit(struct tally *tally, struct eds_ingest *ingest, struct parcel *parcel);
void tally_wait(struct tally *tally);

/* start starts ingest or fails the test. */
struct eds_ingest *start(const struct eds_ingest_config *config);

/* open_ledger opens a ledger or fails the test. */
struct eds_ledger *open_ledger(const char *url);

/* stored_count counts a device's records in a ledger, and fails the test if they are
 * not a chain from sequence 1, whole but for the gaps that are closed in it. */
uint64_t stored_count(struct eds_ledger *ledger, const char *device_id);

/* A test that needs a file to live on is skipped in a build without SQLite. */
#define NEEDS_SQLITE()                                                                             \
    do {                                                                                           \
        if (!EDS_STORE_SQLITE) {                                                                   \
            print_message("skipped: this build has no SQLite\n");                                  \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

/* temporary_url makes a new folder and writes the URL of a SQLite ledger in it;
 * temporary_remove takes both away. */
void temporary_url(char url[128]);
void temporary_remove(const char *url);

#endif
